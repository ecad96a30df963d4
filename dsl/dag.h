// A whole program: the operations reachable from its outputs, producers before consumers, under
// unique names. Only reads of a scan's earlier rows point forward: the stages of its step come before it. This is the log key and the oracle; nothing in it says how to compute.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "dsl/tensor.h"
#include "support/json/json.h"

namespace tessera::dsl {

struct Stage {
  OperationKind kind = OperationKind::kPlaceholder;
  std::string name;  // unique in the DAG
  std::vector<Buffer> outputs;
  std::vector<Axis> axes;
  std::vector<Axis> reduce_axes;
  Exprs body;
  std::optional<Recurrence> scan;
  ValueRule values;                // of an input
  std::optional<ExternCode> code;  // of an extern

  bool is_input() const { return kind == OperationKind::kPlaceholder || kind == OperationKind::kConstant; }
  bool is_reduction() const { return !reduce_axes.empty(); }
  const ir::Reduce* reduce() const { return body.empty() ? nullptr : body[0].as<ir::Reduce>(); }
};

class ComputeDag {
 public:
  ComputeDag() = default;
  /// Collects everything that `outputs` read. Names that clash get a number.
  static ComputeDag from_outputs(const std::vector<Tensor>& outputs, std::string name = "program");

  const std::string& name() const { return name_; }
  const std::vector<Stage>& stages() const { return stages_; }
  const std::vector<Buffer>& outputs() const { return outputs_; }
  /// Placeholders and constants, in the order in which the program first reads them.
  std::vector<const Stage*> inputs() const;
  const Stage* find(const std::string& stage) const;
  /// The stage that computes or supplies `b`; nullptr when it is not of this DAG.
  const Stage* producer(const Buffer& b) const;
  const Stage* producer(const ir::BufferNode* b) const;
  /// The stages of one step of a scan, producers first and the scan last: those that read its rows, or
  /// what such a stage computes, to compute the next row.
  std::vector<const Stage*> step_of(const Stage& scan) const;

  bool is_symbolic() const;
  std::vector<Var> symbols() const;
  /// Every symbol replaced by a number; refuses a missing one.
  Result<ComputeDag> with_symbols(const std::map<std::string, std::int64_t>& values) const;
  /// The same program with exactly these inputs constant; refuses a name that is no input.
  Result<ComputeDag> with_constants(const std::vector<std::string>& names) const;

  /// Multiply-adds and other operations of one evaluation: 2 for a multiply-add, 1 for another
  /// arithmetic operation or intrinsic on the element type. Index arithmetic is free.
  double flops() const;
  /// Multiply-add pairs at the top of sum reductions (what peak share is measured in).
  double multiply_adds() const;
  /// Bytes of all inputs read and outputs written once.
  double bytes() const;

  /// Text of one line a stage: "C[i, j] = sum(A[i, k] * B[k, j], k)".
  std::string to_string() const;
  std::uint64_t hash() const;  // of the JSON: equal programs hash equal

  friend Json to_json_value(const ComputeDag& dag);
  friend Status from_json_value(const Json& j, ComputeDag& out);

 private:
  friend class DagReader;
  std::string name_;
  std::vector<Stage> stages_;
  std::vector<Buffer> outputs_;
};

}  // namespace tessera::dsl
