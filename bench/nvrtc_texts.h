// Kernels as people write them, to measure the compiler by.
#pragma once

namespace tessera::bench {

/// C = A B, tiles of 128 x 128 x 8, 8 x 8 a thread, 1024 cubed.
inline constexpr const char* kSimtGemm = R"(extern "C" __global__ void __launch_bounds__(256) k(
    float* __restrict__ c, const float* __restrict__ a, const float* __restrict__ b) {
  __shared__ __align__(16) float as[8][132];
  __shared__ __align__(16) float bs[8][128];
  const int t = threadIdx.x, tx = t % 16, ty = t / 16;
  float r[8][8];
#pragma unroll
  for (int i = 0; i < 8; ++i)
#pragma unroll
    for (int j = 0; j < 8; ++j) r[i][j] = 0;
#pragma unroll 1
  for (int k0 = 0; k0 < 1024; k0 += 8) {
    const float4 va = *(const float4*)(a + (blockIdx.y * 128 + t / 2) * 1024 + k0 + t % 2 * 4);
    const float4 vb = *(const float4*)(b + (k0 + t / 32) * 1024 + blockIdx.x * 128 + t % 32 * 4);
    __syncthreads();
    as[t % 2 * 4][t / 2] = va.x;
    as[t % 2 * 4 + 1][t / 2] = va.y;
    as[t % 2 * 4 + 2][t / 2] = va.z;
    as[t % 2 * 4 + 3][t / 2] = va.w;
    *(float4*)&bs[t / 32][t % 32 * 4] = vb;
    __syncthreads();
#pragma unroll
    for (int k = 0; k < 8; ++k) {
      float x[8], y[8];
#pragma unroll
      for (int i = 0; i < 8; i += 4) {
        *(float4*)(x + i) = *(const float4*)&as[k][ty * 8 + i];
        *(float4*)(y + i) = *(const float4*)&bs[k][tx * 8 + i];
      }
#pragma unroll
      for (int i = 0; i < 8; ++i)
#pragma unroll
        for (int j = 0; j < 8; ++j) r[i][j] += x[i] * y[j];
    }
  }
#pragma unroll
  for (int i = 0; i < 8; ++i)
#pragma unroll
    for (int j = 0; j < 8; j += 4)
      *(float4*)(c + (blockIdx.y * 128 + ty * 8 + i) * 1024 + blockIdx.x * 128 + tx * 8 + j) = make_float4(r[i][j], r[i][j + 1], r[i][j + 2], r[i][j + 3]);
})";

}  // namespace tessera::bench
