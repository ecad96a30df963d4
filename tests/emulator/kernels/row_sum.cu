// y[10] = sum over columns of x[10,100] in f32: a warp a row, four rows a block.
extern "C" __global__ void __launch_bounds__(128) row_sum(const f32* __restrict__ x, f32* __restrict__ y) {
  const i32 lane = ts_thread_x() % 32;
  const i32 row = ts_block_x() * 4 + ts_thread_x() / 32;
  if (row < 10) {
    f32 sum = 0.f;
    #pragma unroll
    for (i32 i = 0; i < 4; ++i) {
      if (i * 32 + lane < 100) sum += ts_load_global_stream<f32>(x + row * 100 + i * 32 + lane);
    }
    sum += ts_shuffle_xor(0xffffffffu, sum, 16);
    sum += ts_shuffle_xor(0xffffffffu, sum, 8);
    sum += ts_shuffle_xor(0xffffffffu, sum, 4);
    sum += ts_shuffle_down(0xffffffffu, sum, 2);
    sum += ts_shuffle_down(0xffffffffu, sum, 1);
    if (lane == 0) ts_store_global(y + row, sum);
  }
}
