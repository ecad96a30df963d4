#include "runtime/cuda/measure.h"

#include <algorithm>
#include <optional>

#include "runtime/cpu/verify.h"
#include "runtime/cuda/detail/timed_image.h"

namespace tessera::runtime {

namespace {

using detail::CudaFailure;
using detail::DeviceOperands;
using detail::HostOperands;
using detail::LoadedImage;
using detail::Session;
using detail::TimedImage;

// 0xff is a NaN in every float width. An integer that looks like it by chance cannot also look like
// the second value.
constexpr std::byte kFirstPoison{0xff}, kSecondPoison{0xa5};
constexpr std::byte kSmallNumber{0x3c};  // 0.0115 in f32, 1.06 in f16

/// What a failed call makes of a candidate, at the phase it was in.
struct Failed {
  Measurement measurement;
};

[[noreturn]] void fail(MeasureStatus status, std::string_view phase, std::string message) {
  throw Failed{failed_measurement(status, std::string(phase), std::move(message))};
}

bool has_float_output(const KernelImage& image) {
  for (const ArgumentContract& a : image.arguments) {
    if (a.role == ArgumentRole::kOutput && a.dtype.is_float()) return true;
  }
  return false;
}

class Candidate {
 public:
  Candidate(const Session& session, const KernelImage& image, const CudaMeasureOptions& options,
            const std::function<void(std::string_view)>& stage, std::string prefix = "")
      : session_(session), image_(image), options_(options), stage_(stage), prefix_(std::move(prefix)) {}

  /// Runs `work` and turns what goes wrong into a failed measurement that names the phase.
  template <class Work>
  std::optional<Measurement> guarded(Work work) {
    try {
      work();
      return std::nullopt;
    } catch (const CudaFailure& f) {
      return failed_measurement(status_of_cuda(f.code), phase_, f.message);
    } catch (Failed& f) {
      return std::move(f.measurement);
    } catch (const std::bad_alloc&) {
      return failed_measurement(MeasureStatus::kResource, phase_, "out of memory on the host");
    }
  }

  void verify(const MappedDataSet& data) {
    // Where an algorithm rounds otherwise than the definition, both rounds compare within bounds.
    const bool exact = image_.error_factor == 1;
    round(exact ? "verify_exact" : "verify_bounded", exact ? data.exact() : data.real(), kFirstPoison);
    round("verify_bounded", data.real(), has_float_output(image_) ? kFirstPoison : kSecondPoison);
  }

  /// Without data: on operands of one small number, which no output is held against.
  void begin_timing(const MappedDataSet* data) {
    enter("allocate");
    if (data != nullptr) {
      host_ = filled(data->real(), kFirstPoison);
    } else {
      host_.emplace(image_);
      for (const auto argument : host_->memory().arguments)
        std::fill(argument.begin(), argument.end(), kSmallNumber);
    }
    enter("timing");
    timed_.emplace(session_, image_, *host_, options_);
    timed_->warm_up();
    result_.prepare_ns = timed_->prepare_ns();
    result_.runs_per_sample = timed_->runs_per_sample();
  }

  void sample() {
    enter("timing");
    result_.samples_ns.push_back(timed_->sample());
  }

  bool hopeless() const {
    return options_.incumbent_ns > 0 &&
           static_cast<double>(result_.samples_ns.front()) >
               options_.give_up_ratio * static_cast<double>(options_.incumbent_ns);
  }

  /// The outputs again, after all the runs that were timed.
  Measurement finish(const MappedDataSet* data) {
    result_.status = MeasureStatus::kOk;
    const double seconds = static_cast<double>(result_.median_ns()) * 1e-9;
    const double most = options_.peak_gflops * 1e9 * options_.implausible_ratio * seconds;
    if (most > 0 && options_.fewest_operations > most) {
      fail(MeasureStatus::kImplausible, "timing",
           std::to_string(result_.median_ns()) + " ns is faster than the device's peak of " +
               std::to_string(static_cast<std::int64_t>(options_.peak_gflops)) + " GFLOP/s allows");
    }
    if (!options_.verify || data == nullptr) return result_;
    enter("verify_timed");
    timed_->download(*host_);
    if (auto bad = check_outputs(image_, data->real(), host_->memory(), kFirstPoison, "verify_timed"))
      throw Failed{*std::move(bad)};
    return result_;
  }

  void give_up_early() { result_.stopped_early = true; }

 private:
  void enter(std::string_view phase) {
    phase_ = phase;
    stage_(prefix_ + phase_);
  }

  HostOperands filled(const OperandSetView& set, std::byte value) {
    HostOperands host(image_);
    poison(image_, host.memory(), value, true);
    if (const Status loaded = load_operands(image_, set, host.memory()); !loaded)
      fail(MeasureStatus::kInternal, "allocate", loaded.reason());
    return host;
  }

  void settle(const DeviceOperands& device) {
    session_.synchronize();
    if (const auto where = device.overwritten()) fail(MeasureStatus::kOutOfBounds, phase_, *where);
  }

  void round(std::string_view phase, const OperandSetView& set, std::byte value) {
    enter("allocate");
    const HostOperands before = filled(set, value);
    const DeviceOperands device(session_, image_);
    device.upload(before);
    enter("load");
    const LoadedImage loaded(session_, image_);
    if (image_.has_phase(Phase::kPrepare)) {
      enter("prepare");
      loaded.enqueue(Phase::kPrepare, device);
      settle(device);
      device.download(before);  // what `run` may only read from now on
    }
    enter(phase);
    loaded.enqueue(Phase::kRun, device);
    settle(device);
    const HostOperands after(image_);
    device.download(after);
    for (std::size_t i = 0; i < image_.arguments.size(); ++i) {
      const auto was = before.memory().arguments[i], is = after.memory().arguments[i];
      const bool written = image_.arguments[i].role == ArgumentRole::kOutput;
      if (!written && !std::equal(was.begin(), was.end(), is.begin())) {
        fail(MeasureStatus::kInputModified, phase,
             "'" + image_.arguments[i].name + "' was changed, which the kernel may only read");
      }
    }
    if (auto bad = check_outputs(image_, set, after.memory(), value, phase)) throw Failed{*std::move(bad)};
  }

  const Session& session_;
  const KernelImage& image_;
  const CudaMeasureOptions& options_;
  const std::function<void(std::string_view)>& stage_;
  std::string prefix_;  // of the stages told, where several candidates take turns
  std::string phase_ = "load";
  std::optional<HostOperands> host_;
  std::optional<TimedImage> timed_;
  Measurement result_;
};

}  // namespace

bool is_context_lost(const Measurement& m) {
  return m.status == MeasureStatus::kGpuFault || m.status == MeasureStatus::kGpuTimeout;
}

CudaDeviceSession::CudaDeviceSession(std::unique_ptr<detail::Session> session)
    : session_(std::move(session)) {}
CudaDeviceSession::~CudaDeviceSession() = default;

std::unique_ptr<CudaDeviceSession> CudaDeviceSession::open(int device, Measurement& failed) {
  const auto refused = [&](MeasureStatus status, std::string why) {
    failed = failed_measurement(status, "device", std::move(why));
    return nullptr;
  };
  const auto driver = open_cuda_driver();
  if (!driver.ok()) return refused(MeasureStatus::kUnsupportedTarget, driver.reason());
  const auto devices = cuda_devices(*driver);
  if (!devices.ok()) return refused(MeasureStatus::kUnsupportedTarget, devices.reason());
  if (static_cast<std::size_t>(device) >= devices->size()) {
    return refused(MeasureStatus::kUnsupportedTarget, "there is no CUDA device " + std::to_string(device) +
                                                          "; this machine has " +
                                                          std::to_string(devices->size()));
  }
  try {
    return std::unique_ptr<CudaDeviceSession>(new CudaDeviceSession(
        std::make_unique<detail::Session>(*driver, (*devices)[static_cast<std::size_t>(device)])));
  } catch (const CudaFailure& f) {
    return refused(status_of_cuda(f.code), f.message);
  }
}

Measurement CudaDeviceSession::measure(const KernelImage& image, const MappedDataSet* data,
                                       const CudaMeasureOptions& options,
                                       const std::function<void(std::string_view)>& stage) {
  Candidate candidate(*session_, image, options, stage);
  Measurement out;
  auto failed = candidate.guarded([&] {
    if (options.verify && data != nullptr) candidate.verify(*data);
    candidate.begin_timing(data);
    candidate.sample();
    if (candidate.hopeless()) {
      candidate.give_up_early();
    } else {
      for (int i = 1; i < options.samples; ++i) candidate.sample();
    }
    out = candidate.finish(data);
  });
  return failed ? *std::move(failed) : std::move(out);
}

std::vector<Measurement> CudaDeviceSession::measure_interleaved(
    const std::vector<KernelImage>& images, const MappedDataSet* data, const CudaMeasureOptions& options,
    const std::function<void(std::string_view)>& stage) {
  std::vector<std::unique_ptr<Candidate>> candidates;
  for (std::size_t i = 0; i < images.size(); ++i) {
    candidates.push_back(
        std::make_unique<Candidate>(*session_, images[i], options, stage, std::to_string(i) + ":"));
  }
  std::vector<Measurement> out(images.size());
  std::vector<bool> dead(images.size());
  bool gone = false;
  const auto each = [&](auto work) {
    for (std::size_t i = 0; i < images.size() && !gone; ++i) {
      if (dead[i]) continue;
      if (auto failed = candidates[i]->guarded([&] { work(*candidates[i], out[i]); })) {
        out[i] = *std::move(failed);
        dead[i] = true;
        gone = is_context_lost(out[i]);
      }
    }
  };
  each([&](Candidate& c, Measurement&) { c.begin_timing(data); });
  for (int s = 0; s < options.samples; ++s) each([&](Candidate& c, Measurement&) { c.sample(); });
  each([&](Candidate& c, Measurement& m) { m = c.finish(data); });
  for (std::size_t i = 0; i < images.size() && gone; ++i) {
    if (!dead[i])
      out[i] = failed_measurement(MeasureStatus::kInternal, "timing",
                                  "not timed: another image ended the device's context");
  }
  return out;
}

}  // namespace tessera::runtime
