// C[32,32] = A[32,64] * B[64,32] in f32: four blocks take 16 of k each and add to C in turn.
// workspace: whose turn it is; starts and ends as zero.
extern "C" __global__ void __launch_bounds__(256) split_k(const f32* __restrict__ A, const f32* __restrict__ B,
                                                          f32* __restrict__ C, u8* __restrict__ workspace) {
  u32* turn = reinterpret_cast<u32*>(workspace);
  f32* A_tile = ts_shared<f32>(0);     // 32 x 17
  f32* B_tile = ts_shared<f32>(2176);  // 16 x 32
  const i32 t = ts_thread_x();
  const i32 slice = ts_block_z();
  #pragma unroll
  for (i32 e = 0; e < 2; ++e) {
    const i32 i = t + e * 256;
    ts_store_shared(A_tile + i / 16 * 17 + i % 16, ts_load_global_nc<f32>(A + i / 16 * 64 + slice * 16 + i % 16));
    ts_store_shared(B_tile + i, ts_load_global_nc<f32>(B + slice * 512 + i));
  }
  ts_sync_block();
  f32x4 acc = {0.f, 0.f, 0.f, 0.f};
  #pragma unroll
  for (i32 k = 0; k < 16; ++k) {
    const f32 a = ts_load_shared<f32>(A_tile + t / 8 * 17 + k);
    const f32x4 b = ts_load_shared<f32x4>(B_tile + k * 32 + t % 8 * 4);
    #pragma unroll
    for (i32 x = 0; x < 4; ++x) acc[x] = ts_fma(a, b[x], acc[x]);
  }
  if (t == 0) ts_wait_equal(turn, (u32)slice);
  ts_sync_block();  // all before are done
  if (slice > 0) {
    const f32x4 before = ts_load_global<f32x4>(C + t * 4);
    #pragma unroll
    for (i32 x = 0; x < 4; ++x) acc[x] += before[x];
  }
  ts_store_global(C + t * 4, acc);
  ts_sync_block();  // the block is done
  if (t == 0) ts_store_release(turn, slice == 3 ? 0u : (u32)slice + 1u);
}
