// C[100,72] = A[100,96] * transpose(B[72,96]) in bf16 with f32 sums: blocks of 64 x 64 x 32, four
// warps of 32 x 32, three slots by cp.async, 16-byte chunks swizzled by row, ldmatrix, mma.sync.
extern "C" __global__ void __launch_bounds__(128) mma_gemm(const bf16* __restrict__ A, const bf16* __restrict__ B,
                                                           bf16* __restrict__ C) {
  bf16* A_tile = ts_shared<bf16>(0);      // 3 slots of 64 x 32
  bf16* B_tile = ts_shared<bf16>(12288);  // 3 slots of 64 x 32
  const i32 t = ts_thread_x();
  const i32 lane = t % 32;
  const i32 warp_row = t / 64 * 32;
  const i32 warp_column = t / 32 % 2 * 32;
  const i32 row = ts_block_y() * 64;
  const i32 column = ts_block_x() * 64;
  ts_local<f32, 32> acc;
  #pragma unroll
  for (i32 i = 0; i < 32; ++i) acc[i] = 0.f;
  #pragma unroll
  for (i32 k = 0; k < 2; ++k) {
    #pragma unroll
    for (i32 e = 0; e < 2; ++e) {
      const i32 r = (t + e * 128) / 4;
      const i32 c = t % 4;
      ts_async_copy<16>(A_tile + k * 2048 + r * 32 + (c ^ (r / 2 % 4)) * 8, A + (row + r) * 96 + k * 32 + c * 8,
                        row + r < 100);
      ts_async_copy<16>(B_tile + k * 2048 + r * 32 + (c ^ (r / 2 % 4)) * 8, B + (column + r) * 96 + k * 32 + c * 8,
                        column + r < 72);
    }
    ts_async_commit();
  }
  #pragma unroll 1
  for (i32 k = 0; k < 3; ++k) {
    ts_async_wait<1>();
    ts_sync_block();
    if (k + 2 < 3) {
      const i32 slot = (k + 2) % 3;
      #pragma unroll
      for (i32 e = 0; e < 2; ++e) {
        const i32 r = (t + e * 128) / 4;
        const i32 c = t % 4;
        ts_async_copy<16>(A_tile + slot * 2048 + r * 32 + (c ^ (r / 2 % 4)) * 8,
                          A + (row + r) * 96 + (k + 2) * 32 + c * 8, row + r < 100);
        ts_async_copy<16>(B_tile + slot * 2048 + r * 32 + (c ^ (r / 2 % 4)) * 8,
                          B + (column + r) * 96 + (k + 2) * 32 + c * 8, column + r < 72);
      }
    }
    ts_async_commit();
    const i32 slot = k % 3;
    #pragma unroll
    for (i32 step = 0; step < 2; ++step) {
      ts_local<u32, 8> a;
      ts_local<u32, 8> b;
      #pragma unroll
      for (i32 i = 0; i < 2; ++i) {
        const i32 r = warp_row + i * 16 + lane % 16;
        const i32 c = step * 2 + lane / 16;
        ts_ldmatrix_x4(a, i * 4, A_tile + slot * 2048 + r * 32 + (c ^ (r / 2 % 4)) * 8);
      }
      #pragma unroll
      for (i32 j = 0; j < 2; ++j) {
        const i32 r = warp_column + j * 16 + lane % 8 + lane / 16 * 8;
        const i32 c = step * 2 + lane / 8 % 2;
        ts_ldmatrix_x4(b, j * 4, B_tile + slot * 2048 + r * 32 + (c ^ (r / 2 % 4)) * 8);
      }
      #pragma unroll
      for (i32 i = 0; i < 2; ++i) {
        #pragma unroll
        for (i32 j = 0; j < 4; ++j) ts_mma_m16n8k16_bf16(acc, (i * 4 + j) * 4, a, i * 4, b, j * 2);
      }
    }
  }
  #pragma unroll
  for (i32 i = 0; i < 2; ++i) {
    #pragma unroll
    for (i32 j = 0; j < 4; ++j) {
      #pragma unroll
      for (i32 h = 0; h < 2; ++h) {
        const i32 m = row + warp_row + i * 16 + lane / 4 + h * 8;
        const i32 n = column + warp_column + j * 8 + lane % 4 * 2;
        if (m < 100 && n < 72)
          ts_store_global(C + m * 72 + n, ts_bits<bf16x2>(ts_pack_bf16(acc[(i * 4 + j) * 4 + h * 2],
                                                                        acc[(i * 4 + j) * 4 + h * 2 + 1])));
      }
    }
  }
}
