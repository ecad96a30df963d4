#include "schedule/intrinsics.h"

namespace tessera::schedule {

const std::vector<TensorIntrinsic>& tensor_intrinsics() {
  static const std::vector<TensorIntrinsic> kRows{
      {"cpu.fma.f32x16", 16, 30, ir::f32, {"avx512f"}},
      {"cpu.fma.f32x8", 8, 14, ir::f32, {"avx2", "fma"}},
      {"cpu.fma.f32x4", 4, 30, ir::f32, {}},
  };
  return kRows;
}

const TensorIntrinsic* find_tensor_intrinsic(const std::string& name) {
  for (const TensorIntrinsic& r : tensor_intrinsics()) {
    if (r.name == name) return &r;
  }
  return nullptr;
}

}  // namespace tessera::schedule
