// How tests talk to the fake CUDA driver (fake_driver.cpp), which is opened like a real one. Its device
// memory is the host's, its kernels are functions by name, and any call fails on demand.
#pragma once

#include <cstdint>

extern "C" {
/// The `after`-th call from now of the symbol `call` ("cuMemAlloc_v2"; "*": of any) fails with `code`. Codes
/// that cost a real context stay: every later call fails with them too, until the reset.
void fake_cuda_fail(const char* call, int code, int after);
/// Forgets failures and counts. What is alive stays.
void fake_cuda_reset();
/// Objects of all kinds not yet given back.
std::int64_t fake_cuda_alive();
/// Calls since the reset of one symbol, or of any ("*").
std::int64_t fake_cuda_calls(const char* call);
/// The symbol of the n-th call since the reset; null when there were not so many.
const char* fake_cuda_call(std::int64_t n);
}

// In a process of its own the environment says the same: FAKE_CUDA_FAIL="cuStreamSynchronize 700 3", and
// FAKE_CUDA_FAIL_ONCE names a file: the failure happens where it does not exist, and makes it.
// FAKE_CUDA_KERNELS="first:3 second:2" names further kernels, which do nothing, with their numbers of parameters;
// machine code of any kind is then taken for theirs. FAKE_CUDA_RECORD names a file that gets a line for each
// call that asks something of the device:
//   alloc ADDRESS BYTES, load, unload, attribute KERNEL WHICH VALUE, fill ADDRESS VALUE BYTES STREAM,
//   launch KERNEL GRID(3) BLOCK(3) CLUSTER(3) SHARED STREAM PARAMETERS...; addresses in hexadecimal
//
// Kernels, by entry name, with parameters (const float* a, float* o); n is 1000:
//   doubles        o = 2 a, 1 ms
//   slow           the same, 20 ms
//   wrong          o = 3 a
//   forgets        leaves the last element
//   writes_behind  writes o[n] too
//   writes_input   changes a[7]
//   faults         the device is lost at the next synchronisation
//   hangs          synchronisation never ends
//   crashes        ends the process by a signal
