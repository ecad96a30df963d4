// y[50,70] = transpose(x[70,50]) in f32: tiles of 32 x 32 in rows of 33.
extern "C" __global__ void __launch_bounds__(256) transpose(const f32* __restrict__ x, f32* __restrict__ y) {
  f32* tile = ts_shared<f32>(0);
  const i32 row = ts_block_y() * 32;
  const i32 column = ts_block_x() * 32;
  #pragma unroll
  for (i32 i = 0; i < 32; i += 8) {
    if (row + ts_thread_y() + i < 70 && column + ts_thread_x() < 50)
      ts_store_shared(tile + (ts_thread_y() + i) * 33 + ts_thread_x(),
                      ts_load_global_nc<f32>(x + (row + ts_thread_y() + i) * 50 + column + ts_thread_x()));
  }
  ts_sync_block();
  #pragma unroll
  for (i32 i = 0; i < 32; i += 8) {
    if (column + ts_thread_y() + i < 50 && row + ts_thread_x() < 70)
      ts_store_global(y + (column + ts_thread_y() + i) * 70 + row + ts_thread_x(),
                      ts_load_shared<f32>(tile + ts_thread_x() * 33 + ts_thread_y() + i));
  }
}
