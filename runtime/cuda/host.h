// The tuner's side of measuring on a CUDA device: kernels go out as bytes, measurements come back, and the
// driver is never loaded here. One worker process holds the device; when a kernel takes the context with it,
// or hangs, the worker is replaced and the suspect measured again alone, in a fresh one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "runtime/cpu/data_set.h"
#include "runtime/cuda/measure_options.h"
#include "runtime/isolation/worker.h"
#include "runtime/measurement.h"

namespace tessera::runtime {

/// The anchor: a kernel of known speed, timed again and again, that shows whether the device drifts.
struct CudaAnchor {
  KernelImage image;
  int every = 50;  // candidates
};

class CudaMeasurer {
 public:
  /// Uses the program cuda_runner (find_tool); UserError when it is not there.
  CudaMeasurer();
  explicit CudaMeasurer(Spawner spawn);

  /// The operands of all measurements from now on. Not while one is in flight.
  void install(const DataSet& data);
  /// From now on before the first candidate and every so many; not while one is in flight.
  void install(CudaAnchor anchor) { anchor_ = std::move(anchor); }

  /// Exactly one result, whatever the kernel does. A candidate that took the context, or the worker, with it
  /// is measured once more in a fresh worker: when that ends so too, this is its status; when it ends well
  /// the candidate is `flaky`.
  Measurement measure(const KernelImage& image, const CudaMeasureOptions& options);

  /// The same in three parts, to build the next candidate meanwhile.
  void start(const KernelImage& image, const CudaMeasureOptions& options);
  bool poll(int timeout_ms) { return worker_.poll(timeout_ms); }  // true: finish() waits for a retry at most
  Measurement finish();
  bool busy() const { return worker_.busy(); }
  int descriptor() const { return worker_.descriptor(); }  // readable when poll() may become true

  /// Times kernels that were measured ok before, in turns: options.samples each. One result an image; those
  /// that an image took the context from are timed again without it.
  std::vector<Measurement> measure_interleaved(std::span<const KernelImage> images,
                                               const CudaMeasureOptions& options);

  /// Nanoseconds of the anchor, in the order taken. Drift is the last over the first.
  const std::vector<std::int64_t>& anchors_ns() const { return anchors_ns_; }
  const Worker& worker() const { return worker_; }

 private:
  std::vector<Measurement> call(const CudaRequest& request);
  std::vector<Measurement> results_of(const Reply& reply, std::int64_t wall_ns, std::size_t count);
  void count_candidate(const CudaMeasureOptions& options);

  Worker worker_;
  std::optional<CudaAnchor> anchor_;
  std::vector<std::int64_t> anchors_ns_;
  std::int64_t candidates_ = 0, of_worker_ = 0;  // in all; since the worker began
  CudaRequest request_;                          // in flight
  std::int64_t started_ns_ = 0;
};

}  // namespace tessera::runtime
