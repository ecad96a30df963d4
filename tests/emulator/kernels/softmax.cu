// y = softmax of each row of x[6,300] in f32: a block a row, which stays in registers.
extern "C" __global__ void __launch_bounds__(128) softmax(const f32* __restrict__ x, f32* __restrict__ y) {
  f32* scratch = ts_shared<f32>(0);  // one word a warp
  const i32 t = ts_thread_x();
  const f32* row = x + ts_block_x() * 300;
  ts_local<f32, 3> v;
  f32 largest = ts_bits<f32>(0xff800000u);
  #pragma unroll
  for (i32 i = 0; i < 3; ++i) {
    v[i] = ts_bits<f32>(0xff800000u);
    if (i * 128 + t < 300) v[i] = ts_load_global_nc<f32>(row + i * 128 + t);
    largest = ts_max(largest, v[i]);
  }
  #pragma unroll
  for (i32 by = 16; by > 0; by /= 2) largest = ts_max(largest, ts_shuffle_xor(0xffffffffu, largest, by));
  if (t % 32 == 0) ts_store_shared(scratch + t / 32, largest);
  ts_sync_block();  // the maxima are there
  #pragma unroll
  for (i32 w = 0; w < 4; ++w) largest = ts_max(largest, ts_load_shared<f32>(scratch + w));
  f32 sum = 0.f;
  #pragma unroll
  for (i32 i = 0; i < 3; ++i) {
    v[i] = ts_exp(v[i] - largest);
    sum += v[i];
  }
  #pragma unroll
  for (i32 by = 16; by > 0; by /= 2) sum += ts_shuffle_xor(0xffffffffu, sum, by);
  ts_sync_block();  // the maxima have been read
  if (t % 32 == 0) ts_store_shared(scratch + t / 32, sum);
  ts_sync_block();  // the sums are there
  sum = 0.f;
  #pragma unroll
  for (i32 w = 0; w < 4; ++w) sum += ts_load_shared<f32>(scratch + w);
  #pragma unroll
  for (i32 i = 0; i < 3; ++i) {
    if (i * 128 + t < 300) ts_store_global(y + ts_block_x() * 300 + i * 128 + t, v[i] / sum);
  }
}
