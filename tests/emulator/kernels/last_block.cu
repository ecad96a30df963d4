// y[1] = sum of x[5000] in f32 by 8 blocks; the last one to finish adds their partial sums.
// workspace: 8 partial sums, then a counter that starts and ends as zero.
extern "C" __global__ void __launch_bounds__(128) last_block(const f32* __restrict__ x, f32* __restrict__ y,
                                                             u8* __restrict__ workspace) {
  f32* partial = reinterpret_cast<f32*>(workspace);
  u32* counter = reinterpret_cast<u32*>(workspace + 32);
  f32* scratch = ts_shared<f32>(0);  // one word a warp
  u32* ticket = ts_shared<u32>(16);
  const i32 t = ts_thread_x();
  f32 sum = 0.f;
  #pragma unroll 1
  for (i32 i = ts_block_x() * 128 + t; i < 5000; i += 1024) sum += ts_load_global_stream<f32>(x + i);
  #pragma unroll
  for (i32 by = 16; by > 0; by /= 2) sum += ts_shuffle_xor(0xffffffffu, sum, by);
  if (t % 32 == 0) ts_store_shared(scratch + t / 32, sum);
  ts_sync_block();
  if (t == 0) {
    sum = 0.f;
    #pragma unroll
    for (i32 w = 0; w < 4; ++w) sum += ts_load_shared<f32>(scratch + w);
    ts_store_global(partial + ts_block_x(), sum);
    ts_fence_gpu();  // the partial sum comes before the ticket
    ts_store_shared(ticket, ts_atomic_inc_global(counter, 7u));
    ts_fence_gpu();  // the ticket comes before the partial sums of others
  }
  ts_sync_block();
  if (ts_load_shared<u32>(ticket) == 7u) {
    if (t < 32) {
      sum = t < 8 ? ts_load_global<f32>(partial + t) : 0.f;
      #pragma unroll
      for (i32 by = 16; by > 0; by /= 2) sum += ts_shuffle_xor(0xffffffffu, sum, by);
      if (t == 0) ts_store_global(y, sum);
    }
  }
}
