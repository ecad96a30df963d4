// The operands of one tuning task and the answers expected of them, made once by the tuner and
// shared with every measurement through a sealed memory file: a candidate then travels as a few
// kilobytes, whatever the size of its operands.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/isolation/file_descriptor.h"
#include "support/result.h"

namespace tessera::runtime {

/// The bytes of one argument of role input or constant, matched to an image by name.
struct Operand {
  std::string name;
  std::vector<std::byte> bytes;
};

enum class Comparison : std::uint8_t {
  kExact,    // the same bits; -0 equals +0 and any NaN any NaN, which a legal reordering may change
  kBounded,  // |got - expected| <= bound; infinities and NaN must agree
};

/// What an argument of role output must hold after a run.
struct ExpectedOutput {
  std::string name;
  Comparison comparison = Comparison::kExact;
  std::vector<std::byte>
      values;  // elements of the output's dtype: all of them, or those at `points`
  std::vector<std::int64_t> points;  // flat element indexes; empty: the whole output
  // Only with kBounded. The bound is absolute + relative x |expected|, or bounds[i] of value i
  // where `bounds` is given.
  double absolute = 0, relative = 0;
  std::vector<float> bounds;
};

struct OperandSet {
  std::vector<Operand> inputs;
  std::vector<ExpectedOutput> outputs;
};

struct DataSet {
  OperandSet exact;  // small integers: results do not depend on the order of operations
  OperandSet real;   // ordinary numbers: for the second check and for timing
};

/// A sealed memory file that holds `data`. UserError (exit code 1) when there is no memory for it.
FileDescriptor make_data_file(const DataSet& data);

// --- the reader's side: spans into the mapped file ---

struct OperandView {
  std::string_view name;
  std::span<const std::byte> bytes;
};
struct ExpectedView {
  std::string_view name;
  Comparison comparison = Comparison::kExact;
  std::span<const std::byte> values;
  std::span<const std::int64_t> points;
  double absolute = 0, relative = 0;
  std::span<const float> bounds;
};
struct OperandSetView {
  std::vector<OperandView> inputs;
  std::vector<ExpectedView> outputs;

  const OperandView* input(std::string_view name) const;  // null when there is none
};

class MappedDataSet {
 public:
  static Result<MappedDataSet> map(int fd);
  MappedDataSet(MappedDataSet&& o) noexcept;
  MappedDataSet& operator=(MappedDataSet&&) = delete;
  ~MappedDataSet();

  const OperandSetView& exact() const { return exact_; }
  const OperandSetView& real() const { return real_; }

 private:
  MappedDataSet() = default;
  void* base_ = nullptr;
  std::size_t bytes_ = 0;
  OperandSetView exact_, real_;
};

}  // namespace tessera::runtime
