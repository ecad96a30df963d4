// The closed list of what generated code may call. Exported kernels rely on the same list being in
// every C library, so a row here is a promise to them too.
#include "runtime/cpu/linkable_functions.h"

#include <cmath>
#include <cstring>

namespace tessera::runtime {

namespace {

template <class F>
const void* address(F* function) {
  return reinterpret_cast<const void*>(function);
}

using Float1 = float(float);
using Float2 = float(float, float);
using Float3 = float(float, float, float);
using Double1 = double(double);
using Double2 = double(double, double);
using Double3 = double(double, double, double);

const LinkableFunction kFunctions[] = {
    {"memcpy", address<void*(void*, const void*, std::size_t)>(&std::memcpy)},
    {"memmove", address<void*(void*, const void*, std::size_t)>(&std::memmove)},
    {"memset", address<void*(void*, int, std::size_t)>(&std::memset)},
    // What a processor without the instruction needs for rounding and fused multiply-add.
    {"ceil", address<Double1>(&::ceil)},
    {"ceilf", address<Float1>(&::ceilf)},
    {"floor", address<Double1>(&::floor)},
    {"floorf", address<Float1>(&::floorf)},
    {"fma", address<Double3>(&::fma)},
    {"fmaf", address<Float3>(&::fmaf)},
    {"fmod", address<Double2>(&::fmod)},
    {"fmodf", address<Float2>(&::fmodf)},
    {"nearbyint", address<Double1>(&::nearbyint)},
    {"nearbyintf", address<Float1>(&::nearbyintf)},
    {"rint", address<Double1>(&::rint)},
    {"rintf", address<Float1>(&::rintf)},
    {"round", address<Double1>(&::round)},
    {"roundf", address<Float1>(&::roundf)},
    {"trunc", address<Double1>(&::trunc)},
    {"truncf", address<Float1>(&::truncf)},
    // Scalar mathematics where a code generator has no vector version of its own.
    {"acos", address<Double1>(&::acos)},
    {"acosf", address<Float1>(&::acosf)},
    {"asin", address<Double1>(&::asin)},
    {"asinf", address<Float1>(&::asinf)},
    {"atan", address<Double1>(&::atan)},
    {"atanf", address<Float1>(&::atanf)},
    {"atan2", address<Double2>(&::atan2)},
    {"atan2f", address<Float2>(&::atan2f)},
    {"cos", address<Double1>(&::cos)},
    {"cosf", address<Float1>(&::cosf)},
    {"cosh", address<Double1>(&::cosh)},
    {"coshf", address<Float1>(&::coshf)},
    {"erf", address<Double1>(&::erf)},
    {"erff", address<Float1>(&::erff)},
    {"exp", address<Double1>(&::exp)},
    {"expf", address<Float1>(&::expf)},
    {"exp2", address<Double1>(&::exp2)},
    {"exp2f", address<Float1>(&::exp2f)},
    {"expm1", address<Double1>(&::expm1)},
    {"expm1f", address<Float1>(&::expm1f)},
    {"log", address<Double1>(&::log)},
    {"logf", address<Float1>(&::logf)},
    {"log1p", address<Double1>(&::log1p)},
    {"log1pf", address<Float1>(&::log1pf)},
    {"log2", address<Double1>(&::log2)},
    {"log2f", address<Float1>(&::log2f)},
    {"pow", address<Double2>(&::pow)},
    {"powf", address<Float2>(&::powf)},
    {"sin", address<Double1>(&::sin)},
    {"sinf", address<Float1>(&::sinf)},
    {"sinh", address<Double1>(&::sinh)},
    {"sinhf", address<Float1>(&::sinhf)},
    {"sqrt", address<Double1>(&::sqrt)},
    {"sqrtf", address<Float1>(&::sqrtf)},
    {"tan", address<Double1>(&::tan)},
    {"tanf", address<Float1>(&::tanf)},
    {"tanh", address<Double1>(&::tanh)},
    {"tanhf", address<Float1>(&::tanhf)},
};

}  // namespace

std::span<const LinkableFunction> linkable_functions() { return kFunctions; }

const void* find_linkable_function(std::string_view name) {
  for (const LinkableFunction& f : kFunctions)
    if (f.name == name) return f.address;
  return nullptr;
}

}  // namespace tessera::runtime
