#include "runtime/cuda/detail/timed_image.h"

#include <algorithm>
#include <cmath>

namespace tessera::runtime::detail {

namespace {

constexpr std::int64_t kMostSets = 256;
constexpr double kShareOfFreeMemory = 0.6;
constexpr int kMostRunsOfAGraph = 256, kMostLaunches = 1 << 14;
constexpr double kLongestRound = 4;  // samples that one run on every set may take

OwnedEvent make_event(const DriverApi& api) {
  CuEvent event = nullptr;
  check(api, "cuEventCreate", api.EventCreate(&event, 0));
  return OwnedEvent(api, event);
}

std::int64_t set_count(const Session& session, const KernelImage& image, const CudaMeasureOptions& options) {
  const std::int64_t each = DeviceOperands::bytes(image);
  const auto wanted = static_cast<std::int64_t>(std::ceil(
      options.rotate_over_l2 * static_cast<double>(session.device().l2_bytes) / static_cast<double>(each)));
  const auto room =
      static_cast<std::int64_t>(kShareOfFreeMemory * static_cast<double>(session.free_bytes())) / each;
  return std::max<std::int64_t>(1, std::min({wanted, room, kMostSets}));
}

}  // namespace

TimedImage::TimedImage(const Session& session, const KernelImage& image, const HostOperands& operands,
                       const CudaMeasureOptions& options)
    : session_(session),
      options_(options),
      loaded_(session, image),
      begin_(make_event(session.api())),
      end_(make_event(session.api())) {
  const std::int64_t sets = set_count(session, image, options);
  sets_.reserve(static_cast<std::size_t>(sets));
  for (std::int64_t i = 0; i < sets; ++i) sets_.emplace_back(session, image).upload(operands);
  if (image.has_phase(Phase::kPrepare)) {
    const DriverApi& api = session.api();
    check(api, "cuEventRecord", api.EventRecord(begin_.get(), session.stream()));
    loaded_.enqueue(Phase::kPrepare, sets_.front());
    check(api, "cuEventRecord", api.EventRecord(end_.get(), session.stream()));
    session.synchronize();
    float ms = 0;
    check(api, "cuEventElapsedTime", api.EventElapsedTime(&ms, begin_.get(), end_.get()));
    prepare_ns_ = std::max<std::int64_t>(1, std::llround(static_cast<double>(ms) * 1e6));
    for (std::size_t i = 1; i < sets_.size(); ++i) loaded_.enqueue(Phase::kPrepare, sets_[i]);
    session.synchronize();
  }
  choose_runs();
}

void TimedImage::choose_runs() {
  const auto sample = static_cast<double>(options_.sample_ns);
  capture(1);
  elapsed_ns(1);  // the first launch uploads the graph
  const double alone = std::max(1.0, elapsed_ns(1));
  // Every set in a graph, or what was read stays in the cache; not of kernels so long that this would take
  // seconds, which pass through more than the cache themselves.
  const double round = std::min(static_cast<double>(sets_.size()), std::ceil(kLongestRound * sample / alone));
  capture(
      static_cast<int>(std::clamp<double>(std::max(round, std::ceil(sample / alone)), 1, kMostRunsOfAGraph)));
  elapsed_ns(1);
  // A single run counted the launch of its graph too.
  const double graph_ns = std::max(1.0, elapsed_ns(1));
  launches_ = static_cast<int>(std::clamp<double>(std::ceil(sample / graph_ns), 1, kMostLaunches));
}

void TimedImage::capture(int runs) {
  const DriverApi& api = session_.api();
  check(api, "cuStreamBeginCapture", api.StreamBeginCapture(session_.stream(), kCuCaptureThreadLocal));
  CuGraph graph = nullptr;
  try {
    for (int i = 0; i < runs; ++i)
      loaded_.enqueue(Phase::kRun, sets_[static_cast<std::size_t>(i) % sets_.size()]);
  } catch (const CudaFailure&) {
    // The stream must leave capturing before it can be destroyed; what was captured goes.
    if (api.StreamEndCapture(session_.stream(), &graph) == kCuSuccess && graph != nullptr)
      api.GraphDestroy(graph);
    throw;
  }
  check(api, "cuStreamEndCapture", api.StreamEndCapture(session_.stream(), &graph));
  const OwnedGraph owned(api, graph);
  CuGraphExec executable = nullptr;
  check(api, "cuGraphInstantiate", api.GraphInstantiate(&executable, graph, 0));
  graph_ = OwnedGraphExec(api, executable);
  runs_ = runs;
}

double TimedImage::elapsed_ns(int launches) {
  const DriverApi& api = session_.api();
  check(api, "cuEventRecord", api.EventRecord(begin_.get(), session_.stream()));
  for (int i = 0; i < launches; ++i)
    check(api, "cuGraphLaunch", api.GraphLaunch(graph_.get(), session_.stream()));
  check(api, "cuEventRecord", api.EventRecord(end_.get(), session_.stream()));
  session_.synchronize();
  float ms = 0;
  check(api, "cuEventElapsedTime", api.EventElapsedTime(&ms, begin_.get(), end_.get()));
  return static_cast<double>(ms) * 1e6;
}

void TimedImage::warm_up() {
  for (int i = 0; i < options_.warm_ups; ++i) elapsed_ns(1);
}

std::int64_t TimedImage::sample() {
  return std::max<std::int64_t>(1,
                                std::llround(elapsed_ns(launches_) / static_cast<double>(runs_per_sample())));
}

}  // namespace tessera::runtime::detail
