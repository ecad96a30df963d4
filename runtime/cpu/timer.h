// Clocks, in nanoseconds. Never the wall clock of the day: a clock jump must not touch a figure.
#pragma once

#include <time.h>

#include <cstdint>

namespace tessera::runtime {

inline std::int64_t read_clock_ns(clockid_t clock) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

/// Time the calling thread spent running; does not count while another process has the core.
inline std::int64_t thread_cpu_ns() { return read_clock_ns(CLOCK_THREAD_CPUTIME_ID); }
/// Time since some point in the past, never stepped.
inline std::int64_t monotonic_ns() { return read_clock_ns(CLOCK_MONOTONIC); }

}  // namespace tessera::runtime
