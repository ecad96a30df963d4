// Every name of docs/reference/cuda_text.md once: what both preludes have to compile. It computes nothing.
ts_counter(counted);
extern "C" __global__ void __launch_bounds__(256) every_name(const f32* __restrict__ A, const f16* H, bf16* B, f32* C, u32* U, f64* D, i8* I, u64* L) {
  f32* s = ts_shared<f32>(0);
  const i32 t = ts_thread_x() + ts_thread_y() + ts_thread_z() + ts_block_x() + ts_block_y() + ts_block_z() + ts_grid_x() + ts_grid_y() + ts_grid_z();
  f32x4 v = ts_load_global<f32x4>(A + 4 * t);
  f32x4 w = ts_load_global_nc<f32x4>(A + 4 * t + 128);
  f32x4 x = ts_load_global_stream<f32x4>(A + 4 * t + 1280);
  ts_store_global(C + 4 * t, f32x4{v[0] + w[0], v[1] + w[1] + x[1], v[2], v[3]});
  ts_store_global_stream(C + 4 * t + 12800, x);
  ts_store_shared(s + t, v[0]); ts_sync_block();
  f32x2 y = ts_load_shared<f32x2>(s + 2 * t);
  ts_store_global(C + 9999 + t, y[0] + y[1]);
  ts_async_copy<16>(s, A, t < 3); ts_async_copy<4>(s + 8, A, t < 3); ts_async_copy<8>(s + 10, A, t < 3); ts_async_commit(); ts_async_wait<1>();
  ts_sync_named<1, 128>(); ts_sync_warp(0xffffffffu);
  f64 d = ts_shuffle(0xffffffffu, (f64)v[0], 3) + ts_shuffle_xor(0xffffffffu, 2.0 * v[0], 3) + ts_shuffle_down(~0u, v[1], 3) + ts_shuffle_up(~0u, v[1], 3);
  ts_store_global(D + t, d + ts_ballot(~0u, v[1] > 0));
  ts_local<u32, 8> r; ts_local<f32, 4> c; ts_local<i32, 4> ci; ts_local<u32, 2> ch;
  #pragma unroll
  for (i32 i = 0; i < 4; ++i) { c[i] = 0; ci[i] = 0; ch[i / 2] = 0; }
  ts_ldmatrix_x4(r, 0, s + 4 * t); ts_ldmatrix_x2(r, 4, s + 4 * t); ts_ldmatrix_x1(r, 6, s + 4 * t); ts_ldmatrix_x1_trans(r, 7, s + 4 * t);
  ts_mma_m16n8k16_f16(c, 0, r, 0, r, 4); ts_mma_m16n8k16_bf16(c, 0, r, 0, r, 4); ts_mma_m16n8k8_tf32(c, 0, r, 0, r, 4); ts_mma_m16n8k32_s8(ci, 0, r, 0, r, 4);
  ts_mma_m16n8k16_f16_f16(ch, 0, r, 0, r, 4);
  ts_ldmatrix_x4_trans(r, 0, s + 4 * t); ts_ldmatrix_x2_trans(r, 4, s + 4 * t);
  ts_mma_m16n8k16_f16(c, 0, r, 0, r, 4);
  ts_store_global(C + t, c[0] + c[3] + ci[0] + ch[1]);
  ts_atomic_add_global(C, 1.0f); ts_atomic_add_global(D, 1.0); ts_atomic_add_global(U, 1u); ts_atomic_add_global(L, (u64)3);
  ts_atomic_max_global(C, 1.0f); ts_atomic_min_global(U, 3u); ts_atomic_inc_global(U, 7); ts_atomic_inc_global(&counted, 7); ts_atomic_exchange_global(C + 3, 2.f);
  ts_atomic_add_shared(s, 1.f); ts_atomic_max_shared(s, 2.f); ts_atomic_min_shared(s, 2.f);
  ts_fence_gpu(); ts_fence_block(); ts_wait_equal(U, ts_load_acquire(U + 1)); ts_store_release(U, 3u); if (t == 77777) ts_trap();
  f16 h = ts_load_global<f16>(H + t); f16x8 h8 = ts_load_global<f16x8>(H + 8 * t);
  bf16 b = ts_cast<bf16>(h) + ts_cast<bf16>(h8[3] * h8[4]);
  ts_store_global(B + t, b); ts_store_global(B + t + 1, ts_cast<bf16>(D == 0 ? 3.0 : d)); ts_store_global(I + t, ts_cast<i8>(v[0])); ts_store_global(I + t, ts_cast_saturate<i8>(t)); ts_store_global(I + t + 1, ts_cast_round<i8>(v[0]));
  ts_store_global(U + t, ts_pack_f16(v[0], v[1]) + ts_pack_bf16(v[0], v[1]) + ts_round_tf32(v[0]) + ts_bits<u32>(v[2]) + ts_popcount(t));
  f32 m = ts_min(v[0], ts_max(v[1], v[2])); m = ts_fma(m, m, ts_abs(m)); m += ts_exp(m) + ts_log(m) + ts_tanh(m) + ts_erf(m) + ts_sqrt(m) + ts_rsqrt(m) + ts_pow(m, m) + ts_sigmoid(m) + ts_exp2(m) + ts_log2(m) + ts_floor(m) + ts_ceil(m) + ts_trunc(m) + ts_round(m) + ts_fmod(m, m) + ts_sin(m) + ts_cos(m);
  ts_store_global(C + t, m + ts_is_nan(m) + ts_is_inf(m) + ts_is_finite(m) + ts_floor_div(t, 3) + ts_floor_mod(t, -3));
  ts_store_global(D + t, ts_exp(d) + ts_is_inf(d) + ts_erf(d) + ts_sigmoid(d));
  ts_store_global(L + t, ts_cast<u64>(d)); ts_store_global(L + t, ts_cast_saturate<u64>(t)); ts_store_global(I + t, (i8)ts_abs(t));
}
