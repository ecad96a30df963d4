// What to measure on a device and how: the request that a tuner sends to the program cuda_runner.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/kernel_image.h"

namespace tessera::runtime {

struct CudaMeasureOptions {
  int device = 0;
  /// Check against the exact and the real operands before timing, and the outputs again after it.
  bool verify = true;
  /// Time on operands of one small number instead of the task's: for an anchor kernel, which is no candidate.
  bool own_operands = false;

  // Timing. A sample is as many runs in a row as take sample_ns, from a graph, each on the next of several
  // operand sets; the median of the samples counts.
  std::int64_t sample_ns = 5'000'000;
  int warm_ups = 3, samples = 5;
  double rotate_over_l2 = 2.5;    // the operand sets together, in sizes of the L2 cache
  std::int64_t incumbent_ns = 0;  // of one run; 0: none to race against
  double give_up_ratio = 1.3;     // stop after the first sample when slower than the incumbent by this

  /// A lower bound of the operations any correct kernel executes and the device's peak in GFLOP/s: what is
  /// faster than implausible_ratio x peak is reported as implausible. 0 in either omits the check.
  double fewest_operations = 0, peak_gflops = 0;
  double implausible_ratio = 1.05;

  std::int64_t wall_ns = 30'000'000'000;  // for the whole candidate
};

struct CudaRequest {
  /// Several: timed in turns, none checked first.
  std::vector<KernelImage> images;
  CudaMeasureOptions options;
};

std::vector<std::byte> encode(const CudaRequest& request);
Result<CudaRequest> decode_cuda_request(std::span<const std::byte> bytes);

}  // namespace tessera::runtime
