// Where lowering keeps the values of every stage, and what reads, stores and prefetches of them become.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/stmt.h"
#include "schedule/storage.h"

namespace tessera::lower {

/// Where the values of a stage are kept.
struct Storage {
  std::vector<ir::Buffer> buffers;
  schedule::StoredBox box;
  bool program = false;  // a buffer of the program rather than an Allocate
};

class Memory {
 public:
  explicit Memory(const schedule::State& state) : state_(state) {}

  Storage& add(const std::string& stage) { return storage_[stage]; }
  const Storage& of(const std::string& stage) const { return storage_.at(stage); }

  /// The box of buffers of the program: the index is the logical one.
  static schedule::StoredBox whole_box(const schedule::Stage& s);
  /// Where a tensor is stored; of one that is computed at root.
  const ir::Buffer& stored(const ir::Buffer& tensor) const;
  /// Every read of a stage's tensor becomes a read of where it is stored.
  ir::Expr stored_reads(const ir::Expr& e) const;
  /// One hint a cache line of what the loop of the mark will touch.
  ir::Stmt prefetch(const schedule::Stage& s, const schedule::PrefetchMark& mark) const;

 private:
  const schedule::State& state_;
  std::map<std::string, Storage> storage_;
};

}  // namespace tessera::lower
