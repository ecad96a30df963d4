// What became of one candidate: seconds, or what failed. Every candidate ends in exactly one of
// these; a failed one has no samples, so that no invented time can reach a log or a model.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/result.h"

namespace tessera::runtime {

enum class MeasureStatus : std::uint8_t {
  kOk,
  kCompileError,       // the compiler refused
  kCompileCrash,       // the compiler's process died
  kCompileTimeout,     // the compiler did not end in time
  kResource,           // memory, registers, shared memory: more than allowed
  kUnsupportedTarget,  // needs an instruction or a device this machine lacks
  kCrash,              // the kernel died by a signal that no row below explains
  kTimeout,            // the kernel did not end in time
  kOutOfBounds,        // it touched memory outside its arguments
  kInputModified,      // it wrote to an operand it may only read
  kUninitialised,      // an output element was never written
  kWrongAnswer,        // an output element differs from the reference
  kImplausible,        // faster than the machine can be
  kGpuFault,           // the device reported a fault that happened again alone
  kGpuTimeout,         // a kernel on the device did not end
  kFlaky,              // failed once and passed when repeated alone
  kIllegal,            // the verifier proved that its loops do not compute the program, whatever was measured
  kInternal,           // our own machinery failed
};
inline constexpr int kMeasureStatusCount = static_cast<int>(MeasureStatus::kInternal) + 1;

/// "ok", "compile_error", ..., as written in logs.
std::string_view to_string(MeasureStatus status);
/// Inverse; the refusal lists the names that exist.
Result<MeasureStatus> parse_measure_status(std::string_view text);

struct Measurement {
  MeasureStatus status = MeasureStatus::kInternal;
  std::string phase;    // where it ended: compile, link, allocate, prepare, verify_exact,
                        // verify_bounded, timing, verify_timed; empty when ok
  std::string message;  // one line for a person; empty when ok
  /// Nanoseconds of one run of the kernel, one entry a sample, in the order taken. CPU time of the
  /// thread where the kernel has one thread, wall time otherwise. Empty unless ok.
  std::vector<std::int64_t> samples_ns;
  std::int64_t runs_per_sample = 0;    // every sample is the mean of so many runs in a row
  bool stopped_early = false;          // the first sample was too far behind the incumbent
  std::int64_t prepare_ns = 0;         // the `prepare` phase, once; 0 where there is none
  std::vector<double> probe_gflops;    // multiply-add peak of all threads, probed between samples
  std::int32_t disturbed_samples = 0;  // samples thrown away because another process interfered
  std::int64_t wall_ns = 0;            // what measuring cost, from request to reply

  bool ok() const { return status == MeasureStatus::kOk; }
  /// Nanoseconds of one run; 0 unless ok.
  std::int64_t min_ns() const;
  std::int64_t median_ns() const;
  /// Median of the probes, GFLOP/s; 0 where none was taken.
  double median_probe_gflops() const;

  bool operator==(const Measurement&) const = default;
};

/// A measurement that failed.
Measurement failed_measurement(MeasureStatus status, std::string phase, std::string message);

/// Bytes for pipes between processes of one build.
std::vector<std::byte> encode(const std::vector<Measurement>& measurements);
Result<std::vector<Measurement>> decode_measurements(std::span<const std::byte> bytes);

}  // namespace tessera::runtime
