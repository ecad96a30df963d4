#include "runtime/cuda/host.h"

#include <algorithm>
#include <charconv>

#include "runtime/cuda/measure.h"
#include "runtime/isolation/find_tool.h"

namespace tessera::runtime {

namespace {

constexpr std::int64_t kMostCandidatesOfAWorker = 500;  // bounds what leaks in a driver can add up to

std::string after(const Reply& reply) { return reply.stage.empty() ? "" : " at " + reply.stage; }

/// What a worker that gave no measurement died of, as far as one can tell from here.
Measurement blame(const Reply& reply, std::int64_t wall_ns) {
  switch (reply.outcome) {
    case Outcome::kTimeout:
      return failed_measurement(MeasureStatus::kGpuTimeout, reply.stage,
                                "did not end within " + std::to_string(wall_ns / 1'000'000) + " ms");
    case Outcome::kResource:
      return failed_measurement(MeasureStatus::kResource, reply.stage, reply.message);
    case Outcome::kExited:
      return failed_measurement(MeasureStatus::kInternal, reply.stage, reply.message);
    case Outcome::kOk:
      return failed_measurement(MeasureStatus::kInternal, reply.stage, "the worker sent no measurement");
    case Outcome::kCrashed:
    case Outcome::kProtocol:
      break;
  }
  return failed_measurement(MeasureStatus::kCrash, reply.stage,
                            "the measuring process ended" + after(reply) + ": " + reply.message);
}

/// Whether it may have been the state of the worker, and not the candidate, that failed.
bool is_suspect(const Measurement& m) { return is_context_lost(m) || m.status == MeasureStatus::kCrash; }

}  // namespace

CudaMeasurer::CudaMeasurer() : CudaMeasurer(spawn_program(find_tool("cuda_runner"))) {}
CudaMeasurer::CudaMeasurer(Spawner spawn) : worker_(std::move(spawn)) {}

void CudaMeasurer::install(const DataSet& data) { worker_.attach(make_data_file(data).get()); }

std::vector<Measurement> CudaMeasurer::results_of(const Reply& reply, std::int64_t wall_ns,
                                                  std::size_t count) {
  std::vector<Measurement> out;
  if (reply.outcome == Outcome::kOk) {
    auto decoded = decode_measurements(reply.bytes);
    if (decoded.ok() && decoded->size() == count) out = *std::move(decoded);
  }
  if (out.empty()) {
    // "2:timing": the third of several that take turns. The others have no result yet.
    const Measurement failed = blame(reply, wall_ns);
    std::size_t suspect = 0;
    std::from_chars(reply.stage.data(), reply.stage.data() + reply.stage.size(), suspect);
    out.assign(count, failed_measurement(MeasureStatus::kInternal, failed.phase,
                                         "not timed: another image ended the measuring process"));
    out[suspect < count ? suspect : 0] = failed;
  }
  if (std::any_of(out.begin(), out.end(), is_suspect)) {
    worker_.replace_server();  // at once: it may hang on its way out
    of_worker_ = 0;
  }
  return out;
}

std::vector<Measurement> CudaMeasurer::call(const CudaRequest& request) {
  const std::int64_t wall = request.options.wall_ns * static_cast<std::int64_t>(request.images.size());
  return results_of(worker_.call(encode(request), {.wall_ns = wall}), wall, request.images.size());
}

void CudaMeasurer::count_candidate(const CudaMeasureOptions& options) {
  if (of_worker_++ >= kMostCandidatesOfAWorker) {
    worker_.replace_server();
    of_worker_ = 1;
  }
  if (!anchor_ || candidates_++ % anchor_->every != 0) return;
  CudaRequest request{{anchor_->image}, options};
  request.options.verify = false;
  request.options.own_operands = true;
  request.options.incumbent_ns = 0;
  request.options.fewest_operations = 0;
  const Measurement m = call(request).front();
  if (m.ok()) anchors_ns_.push_back(m.median_ns());
}

Measurement CudaMeasurer::measure(const KernelImage& image, const CudaMeasureOptions& options) {
  start(image, options);
  return finish();
}

void CudaMeasurer::start(const KernelImage& image, const CudaMeasureOptions& options) {
  count_candidate(options);
  request_ = {{image}, options};
  started_ns_ = monotonic_now_ns();
  worker_.start(encode(request_), {.wall_ns = options.wall_ns});
}

Measurement CudaMeasurer::finish() {
  Reply reply = worker_.finish();
  // One that ended before it began with the candidate was not harmed by it.
  const bool before = reply.outcome == Outcome::kProtocol && reply.stage.empty();
  if (before) reply = worker_.call(encode(request_), {.wall_ns = request_.options.wall_ns});
  Measurement m = results_of(reply, request_.options.wall_ns, 1).front();
  if (is_suspect(m)) {
    const Measurement again = call(request_).front();
    if (again.ok()) {
      m = failed_measurement(MeasureStatus::kFlaky, m.phase,
                             "failed once and passed when repeated alone: " + m.message);
    } else {
      m = again;
    }
  }
  m.wall_ns = monotonic_now_ns() - started_ns_;
  return m;
}

std::vector<Measurement> CudaMeasurer::measure_interleaved(std::span<const KernelImage> images,
                                                           const CudaMeasureOptions& options) {
  std::vector<Measurement> out(images.size());
  std::vector<std::size_t> left;  // indexes of the images without a result
  for (std::size_t i = 0; i < images.size(); ++i) left.push_back(i);
  while (!left.empty()) {
    CudaRequest request{{}, options};
    for (const std::size_t i : left) request.images.push_back(images[i]);
    const std::int64_t begin = monotonic_now_ns();
    const std::vector<Measurement> results = call(request);
    const std::int64_t each = (monotonic_now_ns() - begin) / static_cast<std::int64_t>(left.size());
    bool lost = false;
    for (const Measurement& m : results) lost |= is_suspect(m) && left.size() > 1;
    std::vector<std::size_t> again;
    for (std::size_t k = 0; k < left.size(); ++k) {
      out[left[k]] = results[k];
      out[left[k]].wall_ns = each;
      if (lost && results[k].status == MeasureStatus::kInternal) again.push_back(left[k]);
    }
    left = again.size() < left.size() ? std::move(again) : std::vector<std::size_t>{};
  }
  return out;
}

}  // namespace tessera::runtime
