// What this core can do at most, measured now: multiply-adds in registers, and reading memory.
// The clock of a shared machine moves by a quarter within minutes, so a figure is a share of a
// probe taken between its own samples, never of a number measured once.
#pragma once

#include <cstdint>

#include "ir/type.h"

namespace tessera::runtime {

/// Which multiply-add a dtype is compared with. f16, bf16 and fp8 take f32's (their own dot
/// products need instructions that the code generators do not use yet), all integers but i8/u8 take
/// i32's.
enum class ProbeKind : std::uint8_t { kF32, kF64, kI32, kI8 };
ProbeKind probe_kind(ir::Type dtype);

/// 1e9 operations per second of one core, a multiply-add counting two: independent chains in
/// registers in the widest instructions of this processor (for kI8: 8-bit products summed in 32
/// bits). Takes about 0.3 ms of the calling thread's CPU time.
double probe_gflops(ProbeKind kind);

/// Bytes read per second, in 1e9, by `threads` threads together from a buffer of `bytes` a thread,
/// best of three passes. 256 MiB is beyond any cache. 0 when the memory cannot be had.
double probe_read_gb_s(int threads, std::int64_t bytes = std::int64_t{256} << 20);

}  // namespace tessera::runtime
