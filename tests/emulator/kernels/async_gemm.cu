// C[50,60] = A[50,64] * B[64,60] in f32: tiles of 32 x 32 x 8 through three slots filled by cp.async.
extern "C" __global__ void __launch_bounds__(64) async_gemm(const f32* __restrict__ A, const f32* __restrict__ B,
                                                            f32* __restrict__ C) {
  f32* A_tile = ts_shared<f32>(0);     // 3 slots of 32 x 12
  f32* B_tile = ts_shared<f32>(4608);  // 3 slots of 8 x 32
  const i32 t = ts_thread_x();
  const i32 row = ts_block_y() * 32;
  const i32 column = ts_block_x() * 32;
  const bool take_a = row + t / 2 < 50;
  const bool take_b = column + t % 8 * 4 < 60;
  ts_local<f32, 16> acc;
  #pragma unroll
  for (i32 i = 0; i < 16; ++i) acc[i] = 0.f;
  #pragma unroll
  for (i32 k = 0; k < 2; ++k) {
    ts_async_copy<16>(A_tile + k * 384 + t / 2 * 12 + t % 2 * 4, A + (row + t / 2) * 64 + k * 8 + t % 2 * 4, take_a);
    ts_async_copy<16>(B_tile + k * 256 + t / 8 * 32 + t % 8 * 4, B + (k * 8 + t / 8) * 60 + column + t % 8 * 4, take_b);
    ts_async_commit();
  }
  #pragma unroll 1
  for (i32 k = 0; k < 8; ++k) {
    ts_async_wait<1>();
    ts_sync_block();
    if (k + 2 < 8) {
      const i32 slot = (k + 2) % 3;
      ts_async_copy<16>(A_tile + slot * 384 + t / 2 * 12 + t % 2 * 4,
                        A + (row + t / 2) * 64 + (k + 2) * 8 + t % 2 * 4, take_a);
      ts_async_copy<16>(B_tile + slot * 256 + t / 8 * 32 + t % 8 * 4,
                        B + ((k + 2) * 8 + t / 8) * 60 + column + t % 8 * 4, take_b);
    }
    ts_async_commit();
    const i32 slot = k % 3;
    #pragma unroll
    for (i32 j = 0; j < 8; ++j) {
      const f32x4 b = ts_load_shared<f32x4>(B_tile + slot * 256 + j * 32 + t % 8 * 4);
      #pragma unroll
      for (i32 y = 0; y < 4; ++y) {
        const f32 a = ts_load_shared<f32>(A_tile + slot * 384 + (t / 8 * 4 + y) * 12 + j);
        #pragma unroll
        for (i32 x = 0; x < 4; ++x) acc[y * 4 + x] = ts_fma(a, b[x], acc[y * 4 + x]);
      }
    }
  }
  if (column + t % 8 * 4 < 60) {
    #pragma unroll
    for (i32 y = 0; y < 4; ++y) {
      if (row + t / 8 * 4 + y < 50)
        ts_store_global(C + (row + t / 8 * 4 + y) * 60 + column + t % 8 * 4,
                        f32x4{acc[y * 4], acc[y * 4 + 1], acc[y * 4 + 2], acc[y * 4 + 3]});
    }
  }
}
