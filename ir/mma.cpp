#include "ir/mma.h"

#include <algorithm>

namespace tessera::ir {

std::span<const Mma> mmas() {
  static const Mma kRows[] = {
      {"cuda.mma.m16n8k16.f16", "ts_mma_m16n8k16_f16", f16, f32, 16, 8, 16, 80},
      {"cuda.mma.m16n8k16.bf16", "ts_mma_m16n8k16_bf16", bf16, f32, 16, 8, 16, 80},
      {"cuda.mma.m16n8k8.tf32", "ts_mma_m16n8k8_tf32", tf32, f32, 16, 8, 8, 80},
      {"cuda.mma.m16n8k32.s8", "ts_mma_m16n8k32_s8", i8, i32, 16, 8, 32, 80},
  };
  return kRows;
}

const Mma* find_mma(std::string_view name) {
  const auto all = mmas();
  const auto it = std::find_if(all.begin(), all.end(), [&](const Mma& r) { return r.name == name; });
  return it == all.end() ? nullptr : &*it;
}

const Mma* mma_of(Type operand, Type sum) {
  const auto all = mmas();
  const auto it = std::find_if(all.begin(), all.end(), [&](const Mma& r) { return r.operand == operand && r.sum == sum; });
  return it == all.end() ? nullptr : &*it;
}

MmaFactor mma_factor(const Expr& e) {
  const auto* widened = e.as<Cast>();
  const Expr inner = widened != nullptr ? widened->value : e;
  const auto* rounded = inner.as<Cast>();
  if (rounded != nullptr && rounded->type != tf32) return {};
  return {(rounded != nullptr ? rounded->value : inner).as<Load>(), inner.type()};
}

}  // namespace tessera::ir
