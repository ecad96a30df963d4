#include "runtime/cpu/measure_options.h"

#include <cmath>

#include "runtime/wire.h"

namespace tessera::runtime {

namespace {

constexpr int kMostThreads = 4096, kMostSamples = 100'000;

void put(WireWriter& w, const MeasureOptions& o) {
  w.put(o.threads);
  w.put<std::uint8_t>(o.verify ? 1 : 0);
  w.put(o.sample_ns);
  w.put(o.fewest_samples);
  w.put(o.most_samples);
  w.put(o.incumbent_ns);
  w.put(o.give_up_ratio);
  w.put(o.probe_dtype.code);
  w.put(o.probe_dtype.bits);
  w.put(o.fewest_operations);
  w.put(o.implausible_ratio);
}

MeasureOptions get_options(WireReader& r) {
  MeasureOptions o;
  o.threads = r.get<int>();
  o.verify = r.flag();
  o.sample_ns = r.get<std::int64_t>();
  o.fewest_samples = r.get<int>();
  o.most_samples = r.get<int>();
  o.incumbent_ns = r.get<std::int64_t>();
  o.give_up_ratio = r.get<double>();
  o.probe_dtype.code = r.choice(ir::TypeCode::kHandle);
  o.probe_dtype.bits = r.get<std::uint8_t>();
  o.fewest_operations = r.get<double>();
  o.implausible_ratio = r.get<double>();
  const bool sane = o.threads >= 1 && o.threads <= kMostThreads && o.sample_ns >= 0 &&
                    o.incumbent_ns >= 0 && o.fewest_samples >= 1 &&
                    o.most_samples >= o.fewest_samples && o.most_samples <= kMostSamples &&
                    o.give_up_ratio >= 1 && o.fewest_operations >= 0 &&
                    std::isfinite(o.implausible_ratio);
  if (!sane) r.fail();
  return o;
}

}  // namespace

std::vector<std::byte> encode(const MeasureRequest& request) {
  WireWriter w;
  w.put(request.kind);
  w.list(request.images, [&](const KernelImage& image) { w.blob(encode(image)); });
  put(w, request.options);
  return w.take();
}

Result<MeasureRequest> decode_measure_request(std::span<const std::byte> bytes) {
  WireReader r(bytes);
  MeasureRequest request;
  request.kind = r.choice(RequestKind::kCapture);
  std::vector<std::span<const std::byte>> images;
  r.list(8, [&] { images.push_back(r.blob()); });
  request.options = get_options(r);
  if (!r.done() || images.empty() || (images.size() > 1 && request.kind != RequestKind::kInterleaved))
    return refuse("damaged measuring request of ", bytes.size(), " bytes");
  for (const auto& b : images) {
    TESSERA_TRY(image, decode_image(b));
    request.images.push_back(std::move(image));
  }
  return request;
}

}  // namespace tessera::runtime
