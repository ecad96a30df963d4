// What a user includes: `#include "dsl/dsl.h"` and `using namespace tessera::dsl;`.
#pragma once

#include "dsl/dag.h"
#include "dsl/tensor.h"

namespace tessera::dsl {

using ir::bf16, ir::boolean, ir::f16, ir::f32, ir::f64, ir::i16, ir::i32, ir::i64, ir::i8, ir::u16, ir::u32, ir::u64,
    ir::u8;
using ir::abs, ir::cast, ir::ceil, ir::ceildiv, ir::cos, ir::erf, ir::exp, ir::exp2, ir::floor, ir::floordiv,
    ir::floormod, ir::fma, ir::if_then_else, ir::log, ir::max, ir::min, ir::pow, ir::round, ir::rounding_cast,
    ir::rsqrt, ir::saturating_cast, ir::select, ir::sigmoid, ir::sin, ir::sqrt, ir::tanh, ir::trunc;

}  // namespace tessera::dsl
