// The operators that have a name: one ordered list, and programs made from it.
//
//   ComputeDag dag = build({.op = "conv2d", .shape = {{"h", 28}, {"w", 28}}}).or_throw();
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dsl/dag.h"
#include "ops/operator.h"

namespace tessera::ops {

const std::vector<const Operator*>& catalog();

/// What to build. Parameters that are not given take their defaults; so do an empty layout and dtype.
struct Request {
  std::string op;
  Shape shape;
  std::string layout;
  std::string dtype;
};

/// Refuses, in one line that says what would work: an unknown operator, parameter, layout or dtype
/// (with the names near it), a value out of range, values that do not go together.
Result<dsl::ComputeDag> build(const Request& request);

/// Refuses with the names near it.
Result<const Operator*> find_operator(const std::string& name);
/// The request that a preset stands for ("C2D.2").
Result<Request> find_preset(const std::string& name);

/// Every operator in a line of its own; what `autotune ops` prints.
std::string list_text();
/// One operator in full: parameters, operands, layouts, dtypes, presets.
Result<std::string> describe_text(const std::string& name);

}  // namespace tessera::ops
