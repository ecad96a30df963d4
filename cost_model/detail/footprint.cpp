#include "cost_model/detail/footprint.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tessera::cost_model::detail {

namespace {

// Distinct elements as nested dimensions: `count` steps of `stride`, times what lies further out.
struct Dimension {
  double stride = 1, count = 1;
};

// Blocks of `unit` bytes that are entered: neighbouring steps that share a block are one.
double blocks(double steps, double step_bytes, double unit) {
  return step_bytes >= unit ? steps : std::max(1.0, steps * step_bytes / unit);
}

// Places within 4 KiB, one way of the first cache, where steps of a stride begin.
double places(double steps, double step_bytes) {
  const auto step = static_cast<std::int64_t>(step_bytes), page = static_cast<std::int64_t>(kPageBytes);
  return std::min(steps, static_cast<double>(page / std::gcd(step, page)));
}

}  // namespace

StrideOrder order_strides(const ir::AccessSummary& a, int first, int loops, const double* extents) {
  StrideOrder out;
  for (int l = 0; l < loops; ++l) {
    const double stride = std::abs(static_cast<double>(a.strides[static_cast<std::size_t>(first + l)]));
    if (stride == 0 || extents[l] <= 1) continue;
    int at = out.count++;
    for (; at > 0 && out.stride[static_cast<std::size_t>(at - 1)] > stride; --at) {
      const auto i = static_cast<std::size_t>(at);
      out.loop[i] = out.loop[i - 1];
      out.stride[i] = out.stride[i - 1];
      out.extent[i] = out.extent[i - 1];
    }
    const auto i = static_cast<std::size_t>(at);
    out.loop[i] = l;
    out.stride[i] = stride;
    out.extent[i] = extents[l];
  }
  return out;
}

bool begins_dimension(const StrideOrder& order, int k, double reach, int block) {
  const auto i = static_cast<std::size_t>(k);
  return order.stride[i] != reach || (k > 0 && order.loop[i] >= block && order.loop[i - 1] < block);
}

Footprint footprint(const ir::AccessSummary& a, const StrideOrder& order, int from) {
  const double bytes = a.element_bytes;
  Dimension d;
  bool innermost = true;
  Footprint f{.elements = 1, .run = 1, .lines = 1, .pages = 1, .sets = 1};
  const auto close = [&] {  // the dimension is complete
    f.elements *= d.count;
    if (innermost) f.run = d.count;
    f.sets *= d.stride == 1 ? blocks(d.count, bytes, kLineBytes) : places(d.count, d.stride * bytes);
    f.lines *= blocks(d.count, d.stride * bytes, kLineBytes);
    f.pages *= blocks(d.count, d.stride * bytes, kPageBytes);
    innermost = false;
  };
  for (int k = 0; k < order.count; ++k) {
    const auto i = static_cast<std::size_t>(k);
    if (order.loop[i] < from) continue;
    const double stride = order.stride[i], extent = order.extent[i];
    if (stride <= d.stride * d.count) {
      d.count += (extent - 1) * stride / d.stride;
      continue;
    }
    close();
    d = {stride, extent};
  }
  close();
  const double held = static_cast<double>(a.elements);
  f.elements = std::min(f.elements, held);
  f.run = std::min(f.run, held);
  f.lines = std::min(f.lines, std::max(1.0, std::ceil(held * bytes / kLineBytes)));
  f.pages = std::min(f.pages, std::max(1.0, std::ceil(held * bytes / kPageBytes)));
  f.sets = std::min({f.sets, f.lines, kPageBytes / kLineBytes});
  return f;
}

}  // namespace tessera::cost_model::detail
