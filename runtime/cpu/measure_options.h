// What to measure and how: the request that a tuner sends to the runner.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ir/type.h"
#include "runtime/isolation/call.h"
#include "runtime/kernel_image.h"

namespace tessera::runtime {

struct MeasureOptions {
  int threads = 1;
  /// Check against the exact and the real operands before timing, and the outputs again after it.
  /// Never off in a search; off for kernels that were checked a moment ago.
  bool verify = true;

  // Timing. A sample is as many runs in a row as take sample_ns, at least one. (Measured: the
  // smallest of five samples of 1.5 ms scatters by less than 1 %, also beside a busy process.)
  std::int64_t sample_ns = 1'500'000;
  int fewest_samples = 3;
  int most_samples = 5;           // taken while the two smallest differ by more than 1 %
  std::int64_t incumbent_ns = 0;  // of one run; 0: none to race against
  double give_up_ratio = 1.5;  // stop after the first sample when slower than the incumbent by this

  ir::Type probe_dtype = ir::f32;  // of the multiply-adds, for the peak probe between samples
  /// A lower bound of the operations any correct kernel executes (2 a multiply-add), or 0 to omit
  /// the check: a faster kernel than implausible_ratio x peak is reported as implausible.
  double fewest_operations = 0;
  double implausible_ratio = 1.05;

  /// Of the whole candidate. address_space_bytes 0: as much as the operands need and 2 GiB more.
  Limits limits;
};

enum class RequestKind : std::uint8_t {
  kCandidate,    // check and time the one image
  kInterleaved,  // time all images round-robin
  kCapture,      // run the one image on both operand sets and return its outputs
};

struct MeasureRequest {
  RequestKind kind = RequestKind::kCandidate;
  std::vector<KernelImage> images;
  MeasureOptions options;
};

std::vector<std::byte> encode(const MeasureRequest& request);
Result<MeasureRequest> decode_measure_request(std::span<const std::byte> bytes);

}  // namespace tessera::runtime
