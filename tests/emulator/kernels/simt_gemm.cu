// C[100,72] = A[100,40] * B[40,72] in f32: tiles of 32 x 32 x 8, two slots, 4 x 4 outputs a thread.
extern "C" __global__ void __launch_bounds__(64) simt_gemm(const f32* __restrict__ A, const f32* __restrict__ B,
                                                           f32* __restrict__ C) {
  f32* A_tile = ts_shared<f32>(0);     // 2 slots of 8 x 36: transposed, padded
  f32* B_tile = ts_shared<f32>(2304);  // 2 slots of 8 x 32
  const i32 t = ts_thread_x();
  const i32 row = ts_block_y() * 32;
  const i32 column = ts_block_x() * 32;
  ts_local<f32, 16> acc;
  #pragma unroll
  for (i32 i = 0; i < 16; ++i) acc[i] = 0.f;
  f32x4 a_next = {0.f, 0.f, 0.f, 0.f};
  f32x4 b_next = {0.f, 0.f, 0.f, 0.f};
  if (row + t / 2 < 100) a_next = ts_load_global_nc<f32x4>(A + (row + t / 2) * 40 + t % 2 * 4);
  if (column + t % 8 * 4 < 72) b_next = ts_load_global_nc<f32x4>(B + t / 8 * 72 + column + t % 8 * 4);
  #pragma unroll
  for (i32 i = 0; i < 4; ++i) ts_store_shared(A_tile + (t % 2 * 4 + i) * 36 + t / 2, a_next[i]);
  ts_store_shared(B_tile + t / 8 * 32 + t % 8 * 4, b_next);
  ts_sync_block();  // the first slot is full
  #pragma unroll 1
  for (i32 k = 0; k < 5; ++k) {
    const i32 slot = k % 2;
    if (k + 1 < 5) {
      if (row + t / 2 < 100) a_next = ts_load_global_nc<f32x4>(A + (row + t / 2) * 40 + (k + 1) * 8 + t % 2 * 4);
      if (column + t % 8 * 4 < 72)
        b_next = ts_load_global_nc<f32x4>(B + ((k + 1) * 8 + t / 8) * 72 + column + t % 8 * 4);
    }
    #pragma unroll
    for (i32 j = 0; j < 8; ++j) {
      const f32x4 a = ts_load_shared<f32x4>(A_tile + slot * 288 + j * 36 + t / 8 * 4);
      const f32x4 b = ts_load_shared<f32x4>(B_tile + slot * 256 + j * 32 + t % 8 * 4);
      #pragma unroll
      for (i32 y = 0; y < 4; ++y) {
        #pragma unroll
        for (i32 x = 0; x < 4; ++x) acc[y * 4 + x] = ts_fma(a[y], b[x], acc[y * 4 + x]);
      }
    }
    if (k + 1 < 5) {
      const i32 other = 1 - slot;
      #pragma unroll
      for (i32 i = 0; i < 4; ++i) ts_store_shared(A_tile + other * 288 + (t % 2 * 4 + i) * 36 + t / 2, a_next[i]);
      ts_store_shared(B_tile + other * 256 + t / 8 * 32 + t % 8 * 4, b_next);
    }
    ts_sync_block();  // the other slot is full, this one is free
  }
  if (column + t % 8 * 4 < 72) {
    #pragma unroll
    for (i32 y = 0; y < 4; ++y) {
      if (row + t / 8 * 4 + y < 100)
        ts_store_global(C + (row + t / 8 * 4 + y) * 72 + column + t % 8 * 4,
                        f32x4{acc[y * 4], acc[y * 4 + 1], acc[y * 4 + 2], acc[y * 4 + 3]});
    }
  }
}
