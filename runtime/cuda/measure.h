// A candidate on a device, in the process that owns the context: checked, then timed.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "runtime/cpu/data_set.h"
#include "runtime/cuda/measure_options.h"
#include "runtime/measurement.h"
#include "support/result.h"

namespace tessera::runtime {

namespace detail {
class Session;
}

/// After such a result every later one fails too: the process must be replaced.
bool is_context_lost(const Measurement& m);

/// A device made ready once for many candidates.
class CudaDeviceSession {
 public:
  /// Opens the driver, chooses the device, makes its context current. Null with the reason in `failed`.
  static std::unique_ptr<CudaDeviceSession> open(int device, Measurement& failed);
  ~CudaDeviceSession();

  /// One result, whatever the driver answers. Without data: timed on operands of one small number and not
  /// checked.
  Measurement measure(const KernelImage& image, const MappedDataSet* data, const CudaMeasureOptions& options,
                      const std::function<void(std::string_view)>& stage);

  /// Times images that were measured ok before, in turns, options.samples each. One result an image; an image
  /// that fails leaves the others their results, unless it took the context with it: theirs are then
  /// `internal`.
  std::vector<Measurement> measure_interleaved(const std::vector<KernelImage>& images,
                                               const MappedDataSet* data, const CudaMeasureOptions& options,
                                               const std::function<void(std::string_view)>& stage);

 private:
  explicit CudaDeviceSession(std::unique_ptr<detail::Session> session);
  std::unique_ptr<detail::Session> session_;
};

}  // namespace tessera::runtime
