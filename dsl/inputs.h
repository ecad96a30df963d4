// Inputs for checking: small integers that keep a program exact in any order of evaluation, or
// uniform numbers.
#pragma once

#include <map>
#include <string>

#include "dsl/dag.h"
#include "ir/tensor.h"

namespace tessera::dsl {

/// The largest m (at most 100) such that inputs that are integers of size 1 .. m make every value of
/// the program, partial sums in any order included, exactly representable in its dtype. Refuses a
/// program that has none: one with exp, division, ... on values, or a reduction too long for its dtype.
Result<std::int64_t> exact_input_magnitude(const ComputeDag& dag);
bool supports_exact(const ComputeDag& dag);

/// The longest sum of a floating-point stage: its terms.
std::int64_t longest_sum(const ComputeDag& dag);

enum class InputKind : std::uint8_t { kExact, kSigns, kRandom };
inline std::vector<const char*> enum_names(InputKind) { return {"exact", "signs", "random"}; }

/// Values for every input, by name; each depends on (seed, name) alone. kExact: non-zero integers of
/// exact_input_magnitude, a UserError where there is none. kSigns: 1 and -1, so that long sums are exact even in a
/// program that is not, as the root of a sum of squares. kRandom: floats uniform in [-1, 1), integers
/// of their whole range up to 127. An input whose values are promised (dsl::with_values) keeps the promise;
/// one that serves as an index stays inside what it indexes; one that is read in the argument of sqrt, rsqrt,
/// log or pow or in a divisor is positive and no integer in kSigns and kRandom.
std::map<std::string, ir::Tensor> make_inputs(const ComputeDag& dag, std::uint64_t seed, InputKind kind);

}  // namespace tessera::dsl
