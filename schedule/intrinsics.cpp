#include "schedule/intrinsics.h"

namespace tessera::schedule {

const std::vector<TensorIntrinsic>& tensor_intrinsics() {
  static const std::vector<TensorIntrinsic> kRows = [] {
    std::vector<TensorIntrinsic> rows{
        {"cpu.fma.f32x16", 16, 30, ir::f32, {"avx512f"}, nullptr},
        {"cpu.fma.f32x8", 8, 14, ir::f32, {"avx2", "fma"}, nullptr},
        {"cpu.fma.f32x4", 4, 30, ir::f32, {}, nullptr},
    };
    for (const ir::Mma& m : ir::mmas()) rows.push_back({m.name, 0, 0, m.sum, {}, &m});
    return rows;
  }();
  return kRows;
}

const TensorIntrinsic* find_tensor_intrinsic(const std::string& name) {
  for (const TensorIntrinsic& r : tensor_intrinsics()) {
    if (r.name == name) return &r;
  }
  return nullptr;
}

}  // namespace tessera::schedule
