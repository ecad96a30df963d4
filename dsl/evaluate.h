// The unscheduled oracle: the value of a program at any set of points, straight from its definition.
// Independent of the simplifier and of lowering; every index, division and read is checked.
//
//   Evaluator reference(dag, inputs, EvaluateMode::kExact);
//   auto verdict = reference.compare("C", result);            // or at chosen positions
//
// Stages that the wanted points need are computed on demand and kept. Integers wrap in their type.
//
//   kExact    every operation on floats must be exact, partial sums in any order included, so every
//             schedule must give these very bits; a value that is not exact is a refusal (dsl/inputs.h
//             makes inputs that keep programs of + - * min max select exact)
//   kBounded  a reference in double with a proved bound (ir/bounded.h) for any order of summation, with
//             or without fused multiply-adds. What hangs on a comparison that the bounds leave open,
//             and what no bound is known for, is "do not care": its error is infinite.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dsl/dag.h"
#include "ir/bounded.h"
#include "ir/tensor.h"

namespace tessera::dsl {

enum class EvaluateMode : std::uint8_t { kExact, kBounded };
inline std::vector<const char*> enum_names(EvaluateMode) { return {"exact", "bounded"}; }

/// Values of one output, in the order in which they were asked for.
struct Evaluation {
  Type dtype;
  std::vector<ir::Scalar> values;  // floats as double: in kBounded not rounded to the dtype
  std::vector<double> errors;      // empty in kExact

  ir::BoundedFloat bounded(std::size_t i) const;
  bool do_not_care(std::size_t i) const;
  /// True when `got`, a value of the dtype, is right at point i.
  bool accepts(std::size_t i, ir::Scalar got) const;
};

struct Comparison {
  std::int64_t checked = 0;
  std::int64_t wrong = 0;
  std::int64_t do_not_care = 0;  // of `checked`
  std::string first;             // "C[3, 5] is 7.0, expected 8.0 within 1e-06"; empty when all are right
  bool ok() const { return wrong == 0; }
};

class Evaluator {
 public:
  /// UserError when the program is symbolic, or when an input is missing, unknown or of another dtype
  /// or shape.
  Evaluator(ComputeDag dag, std::map<std::string, ir::Tensor> inputs, EvaluateMode mode = EvaluateMode::kExact);
  ~Evaluator();
  Evaluator(Evaluator&&) noexcept;
  Evaluator& operator=(Evaluator&&) noexcept;

  const ComputeDag& dag() const;
  EvaluateMode mode() const;

  // `buffer` names an output, or any other computed buffer of the program. A refusal says which stage
  // reads outside of which buffer, divides by zero, or is not exact, and where.
  Result<Evaluation> all(const std::string& buffer);
  /// At row-major positions.
  Result<Evaluation> at(const std::string& buffer, const std::vector<std::int64_t>& positions);
  /// The whole buffer, rounded to its dtype.
  Result<ir::Tensor> tensor(const std::string& buffer);

  /// Holds `got` against the reference everywhere, or at row-major positions of it; within `error_factor` of its bounds.
  Result<Comparison> compare(const std::string& buffer, const ir::Tensor& got);
  Result<Comparison> compare(const std::string& buffer, const ir::Tensor& got,
                             const std::vector<std::int64_t>& positions, double error_factor = 1);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tessera::dsl
