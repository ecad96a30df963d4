#include "codegen/cuda/prelude/rows.h"

namespace tessera::codegen::cuda {

PreludeRows sync_rows() {
  return read_rows(R"cuda(
//: ts_sync_block
TS_DEVICE void ts_sync_block() { __syncthreads(); }
//: ts_sync_named
template <int ID, int THREADS> TS_DEVICE void ts_sync_named() {
  asm volatile("bar.sync %0, %1;" :: "n"(ID), "n"(THREADS) : "memory");
}
//: ts_sync_warp
TS_DEVICE void ts_sync_warp(u32 mask) { __syncwarp(mask); }
//: ts_shuffle
template <class T> TS_DEVICE T ts_shuffle(u32 mask, T v, i32 lane) {
  return __shfl_sync(mask, v, lane);
}
//: ts_shuffle_xor
template <class T> TS_DEVICE T ts_shuffle_xor(u32 mask, T v, i32 bits) {
  return __shfl_xor_sync(mask, v, bits);
}
//: ts_shuffle_down
template <class T> TS_DEVICE T ts_shuffle_down(u32 mask, T v, i32 by) {
  return __shfl_down_sync(mask, v, (u32)by);
}
//: ts_shuffle_up
template <class T> TS_DEVICE T ts_shuffle_up(u32 mask, T v, i32 by) {
  return __shfl_up_sync(mask, v, (u32)by);
}
//: ts_ballot
TS_DEVICE u32 ts_ballot(u32 mask, bool p) { return __ballot_sync(mask, p); }
)cuda");
}

}  // namespace tessera::codegen::cuda
