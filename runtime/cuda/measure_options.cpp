#include "runtime/cuda/measure_options.h"

#include <cmath>

#include "runtime/wire.h"

namespace tessera::runtime {

namespace {

constexpr int kMostSamples = 100'000, kMostDevices = 1024;

void put(WireWriter& w, const CudaMeasureOptions& o) {
  w.put(o.device);
  w.put<std::uint8_t>(o.verify ? 1 : 0);
  w.put<std::uint8_t>(o.own_operands ? 1 : 0);
  w.put(o.sample_ns);
  w.put(o.warm_ups);
  w.put(o.samples);
  w.put(o.rotate_over_l2);
  w.put(o.incumbent_ns);
  w.put(o.give_up_ratio);
  w.put(o.fewest_operations);
  w.put(o.peak_gflops);
  w.put(o.implausible_ratio);
  w.put(o.wall_ns);
}

CudaMeasureOptions get_options(WireReader& r) {
  CudaMeasureOptions o;
  o.device = r.get<int>();
  o.verify = r.flag();
  o.own_operands = r.flag();
  o.sample_ns = r.get<std::int64_t>();
  o.warm_ups = r.get<int>();
  o.samples = r.get<int>();
  o.rotate_over_l2 = r.get<double>();
  o.incumbent_ns = r.get<std::int64_t>();
  o.give_up_ratio = r.get<double>();
  o.fewest_operations = r.get<double>();
  o.peak_gflops = r.get<double>();
  o.implausible_ratio = r.get<double>();
  o.wall_ns = r.get<std::int64_t>();
  const bool sane = o.device >= 0 && o.device < kMostDevices && o.sample_ns >= 0 && o.warm_ups >= 0 &&
                    o.warm_ups <= kMostSamples && o.samples >= 1 && o.samples <= kMostSamples &&
                    o.rotate_over_l2 >= 0 && o.rotate_over_l2 <= 100 && o.incumbent_ns >= 0 &&
                    o.give_up_ratio >= 1 && o.fewest_operations >= 0 && o.peak_gflops >= 0 &&
                    std::isfinite(o.implausible_ratio) && o.wall_ns > 0;
  if (!sane) r.fail();
  return o;
}

}  // namespace

std::vector<std::byte> encode(const CudaRequest& request) {
  WireWriter w;
  w.list(request.images, [&](const KernelImage& image) { w.blob(encode(image)); });
  put(w, request.options);
  return w.take();
}

Result<CudaRequest> decode_cuda_request(std::span<const std::byte> bytes) {
  WireReader r(bytes);
  CudaRequest request;
  std::vector<std::span<const std::byte>> images;
  r.list(8, [&] { images.push_back(r.blob()); });
  request.options = get_options(r);
  if (!r.done() || images.empty()) return refuse("damaged measuring request of ", bytes.size(), " bytes");
  for (const auto& b : images) {
    TESSERA_TRY(image, decode_image(b));
    request.images.push_back(std::move(image));
  }
  return request;
}

}  // namespace tessera::runtime
