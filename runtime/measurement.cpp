#include "runtime/measurement.h"

#include <algorithm>
#include <array>

#include "runtime/wire.h"

namespace tessera::runtime {

namespace {

constexpr std::array<std::string_view, kMeasureStatusCount> kNames = {"ok",
                                                                      "compile_error",
                                                                      "compile_crash",
                                                                      "compile_timeout",
                                                                      "resource",
                                                                      "unsupported_target",
                                                                      "crash",
                                                                      "timeout",
                                                                      "out_of_bounds",
                                                                      "input_modified",
                                                                      "uninitialised",
                                                                      "wrong_answer",
                                                                      "implausible",
                                                                      "gpu_fault",
                                                                      "gpu_timeout",
                                                                      "flaky",
                                                                      "illegal",
                                                                      "internal"};

template <class T>
T median(std::vector<T> v) {
  if (v.empty()) return T{};
  const auto middle = v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2);
  std::nth_element(v.begin(), middle, v.end());
  return *middle;
}

void put(WireWriter& w, const Measurement& m) {
  w.put(m.status);
  w.text(m.phase);
  w.text(m.message);
  w.numbers(m.samples_ns);
  w.put(m.runs_per_sample);
  w.put<std::uint8_t>(m.stopped_early ? 1 : 0);
  w.put(m.prepare_ns);
  w.numbers(m.probe_gflops);
  w.put(m.disturbed_samples);
  w.put(m.wall_ns);
}

Measurement get_measurement(WireReader& r) {
  Measurement m;
  m.status = r.choice(MeasureStatus::kInternal);
  m.phase = r.text(256);
  m.message = r.text(1 << 16);
  m.samples_ns = r.numbers<std::int64_t>();
  m.runs_per_sample = r.get<std::int64_t>();
  m.stopped_early = r.flag();
  m.prepare_ns = r.get<std::int64_t>();
  m.probe_gflops = r.numbers<double>();
  m.disturbed_samples = r.get<std::int32_t>();
  m.wall_ns = r.get<std::int64_t>();
  if (m.ok() == m.samples_ns.empty()) r.fail();
  return m;
}

}  // namespace

std::string_view to_string(MeasureStatus status) {
  return kNames[static_cast<std::size_t>(status)];
}

Result<MeasureStatus> parse_measure_status(std::string_view text) {
  const auto it = std::find(kNames.begin(), kNames.end(), text);
  if (it != kNames.end()) return static_cast<MeasureStatus>(it - kNames.begin());
  std::string known;
  for (const std::string_view n : kNames) known.append(known.empty() ? "" : ", ").append(n);
  return refuse("unknown status '", text, "'; there are: ", known);
}

std::int64_t Measurement::min_ns() const {
  return samples_ns.empty() ? 0 : *std::min_element(samples_ns.begin(), samples_ns.end());
}
std::int64_t Measurement::median_ns() const { return median(samples_ns); }
double Measurement::median_probe_gflops() const { return median(probe_gflops); }

Measurement failed_measurement(MeasureStatus status, std::string phase, std::string message) {
  Measurement m;
  m.status = status;
  m.phase = std::move(phase);
  m.message = std::move(message);
  return m;
}

std::vector<std::byte> encode(const std::vector<Measurement>& measurements) {
  WireWriter w;
  w.list(measurements, [&](const Measurement& m) { put(w, m); });
  return w.take();
}

Result<std::vector<Measurement>> decode_measurements(std::span<const std::byte> bytes) {
  WireReader r(bytes);
  std::vector<Measurement> out;
  r.list(16, [&] { out.push_back(get_measurement(r)); });
  if (!r.done()) return refuse("damaged measurement of ", bytes.size(), " bytes");
  return out;
}

}  // namespace tessera::runtime
