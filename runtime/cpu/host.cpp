#include "runtime/cpu/host.h"

#include <sys/stat.h>

#include <charconv>

#include "runtime/cpu/fault_guard.h"
#include "runtime/cpu/guarded_buffer.h"
#include "runtime/cpu/timer.h"
#include "runtime/isolation/find_tool.h"

namespace tessera::runtime {

namespace {

constexpr std::int64_t kAddressSpaceBase = std::int64_t{2}
                                           << 30;           // linker, heap, workspace, stacks
constexpr std::int64_t kAddressSpacePerThread = 160 << 20;  // a stack and a heap of its own

/// What a child that gave no measurement died of.
Measurement blame(const Reply& reply, const Limits& limits) {
  const auto failed = [&](MeasureStatus status, std::string message) {
    return failed_measurement(status, reply.stage, std::move(message));
  };
  switch (reply.outcome) {
    case Outcome::kCrashed: {
      if (const auto note = decode_fault_note(reply.note))
        return failed(note->status, note->message);
      return failed(MeasureStatus::kCrash, signal_name(reply.code));
    }
    case Outcome::kTimeout:
      return failed(MeasureStatus::kTimeout,
                    "did not end within " + std::to_string(limits.wall_ns / 1'000'000) + " ms");
    case Outcome::kResource:
      return failed(MeasureStatus::kResource,
                    reply.message.empty() ? "out of memory" : reply.message);
    case Outcome::kExited:
      return failed(MeasureStatus::kInternal, reply.message.empty()
                                                  ? "exit status " + std::to_string(reply.code)
                                                  : reply.message);
    case Outcome::kOk:
    case Outcome::kProtocol:
      break;
  }
  return failed(MeasureStatus::kInternal, reply.message);
}

/// The results of a reply: `count` of them, or the one failure.
std::vector<Measurement> results_of(const Reply& reply, const Limits& limits) {
  if (reply.outcome != Outcome::kOk) return {blame(reply, limits)};
  auto results = decode_measurements(reply.bytes);
  if (!results || results->empty())
    return {failed_measurement(MeasureStatus::kInternal, reply.stage,
                               "the runner sent no measurement")};
  return *std::move(results);
}

/// "3:timing" -> 3; -1 when the stage names no image.
int suspect_of(const std::string& stage) {
  int index = -1;
  const auto [end, error] = std::from_chars(stage.data(), stage.data() + stage.size(), index);
  return error == std::errc() && *end == ':' ? index : -1;
}

}  // namespace

CpuMeasurer::CpuMeasurer() : CpuMeasurer(spawn_program(find_tool("kernel_runner"))) {}
CpuMeasurer::CpuMeasurer(Spawner spawn) : worker_(std::move(spawn)) {}

void CpuMeasurer::install(const DataSet& data) {
  const FileDescriptor file = make_data_file(data);
  struct stat info {};
  if (::fstat(file.get(), &info) == 0) data_bytes_ = info.st_size;
  worker_.attach(file.get());
}

Limits CpuMeasurer::limits_for(std::span<const KernelImage> images,
                               const MeasureOptions& options) const {
  Limits limits = options.limits;
  if (limits.address_space_bytes != 0) return limits;
  std::int64_t operands = 0;
  for (const KernelImage& image : images)
    for (const ArgumentContract& a : image.arguments)
      operands += a.bytes + 2 * guard_bytes_for(a) + a.alignment;
  limits.address_space_bytes =
      kAddressSpaceBase + kAddressSpacePerThread * options.threads + data_bytes_ + 3 * operands;
  return limits;
}

Measurement CpuMeasurer::measure(const KernelImage& image, const MeasureOptions& options) {
  start(image, options);
  return finish();
}

void CpuMeasurer::start(const KernelImage& image, const MeasureOptions& options) {
  request_ = encode(MeasureRequest{RequestKind::kCandidate, {image}, options});
  limits_ = limits_for({&image, 1}, options);
  started_ns_ = monotonic_ns();
  worker_.start(request_, limits_);
}

Measurement CpuMeasurer::finish() {
  Reply reply = worker_.finish();
  // The server, not the candidate, may have failed: the candidate gets a second chance, alone.
  if (reply.outcome == Outcome::kProtocol) reply = worker_.call(request_, limits_);
  Measurement m = results_of(reply, limits_).front();
  m.wall_ns = monotonic_ns() - started_ns_;
  return m;
}

Capture CpuMeasurer::capture(const KernelImage& image, const MeasureOptions& options) {
  const Limits limits = limits_for({&image, 1}, options);
  const Reply reply = worker_.call(encode(MeasureRequest{RequestKind::kCapture, {image}, options}), limits);
  if (reply.outcome != Outcome::kOk) return {blame(reply, limits), {}, {}};
  auto decoded = decode_capture(reply.bytes);
  if (!decoded) return {failed_measurement(MeasureStatus::kInternal, reply.stage, decoded.reason()), {}, {}};
  return *std::move(decoded);
}

std::vector<Measurement> CpuMeasurer::measure_interleaved(std::span<const KernelImage> images,
                                                          const MeasureOptions& options) {
  std::vector<Measurement> out(images.size());
  std::vector<std::size_t> left;  // indexes of the images not yet blamed
  for (std::size_t i = 0; i < images.size(); ++i) left.push_back(i);
  while (!left.empty()) {
    MeasureRequest request{RequestKind::kInterleaved, {}, options};
    for (const std::size_t i : left) request.images.push_back(images[i]);
    Limits limits = limits_for(request.images, options);
    limits.wall_ns *= static_cast<std::int64_t>(left.size());
    const std::int64_t begin = monotonic_ns();
    const Reply reply = worker_.call(encode(request), limits);
    std::vector<Measurement> results = results_of(reply, limits);
    const std::int64_t each = (monotonic_ns() - begin) / static_cast<std::int64_t>(left.size());
    if (results.size() == left.size() && reply.outcome == Outcome::kOk) {
      for (std::size_t i = 0; i < left.size(); ++i) {
        out[left[i]] = std::move(results[i]);
        out[left[i]].wall_ns = each;
      }
      break;
    }
    const int suspect = suspect_of(reply.stage);
    if (suspect < 0 || suspect >= static_cast<int>(left.size())) {  // nobody to blame: all of them
      for (const std::size_t i : left) out[i] = results.front();
      break;
    }
    out[left[static_cast<std::size_t>(suspect)]] = std::move(results.front());
    left.erase(left.begin() + suspect);
  }
  return out;
}

}  // namespace tessera::runtime
