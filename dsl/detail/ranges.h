// The ranges of the indices of a statement in a whole program (dsl/text.h).
#pragma once

#include <map>
#include <string>

#include "dsl/detail/statement.h"
#include "ir/analysis/affine.h"

namespace tessera::dsl::detail {

/// One statement: its indices get their ranges from `where`, from the tensor it defines again, and from the reads
/// that always happen, an index at a time.
class Ranges {
 public:
  void set(const std::string& name, ir::Interval range) { known_[name] = range; }
  void add(const std::string& name, const Var& v) { var_[name] = v; }

  /// Decides every index it can: in each round those that stand alone, or beside decided ones, in an index of a read.
  void infer(const Expr& body);

  const ir::Interval* find(const std::string& name) const {
    const auto it = known_.find(name);
    return it == known_.end() ? nullptr : &it->second;
  }

  ir::Bounds bounds() const {
    ir::Bounds out;
    for (const auto& [name, r] : known_) {
      if (const auto v = var_.find(name); v != var_.end()) out[v->second.id()] = r;
    }
    return out;
  }

 private:
  /// What 0 <= sum < extent says of the one index of it that is not decided.
  void restrict_one(const ir::AffineSum& sum, std::int64_t extent, std::map<std::string, ir::Interval>& found) const;

  std::map<std::string, Var> var_;
  std::map<std::string, ir::Interval> known_;
};

}  // namespace tessera::dsl::detail
