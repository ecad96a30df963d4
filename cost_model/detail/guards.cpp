#include "cost_model/detail/guards.h"

#include <algorithm>
#include <cmath>

#include "ir/partition.h"

namespace tessera::cost_model::detail {

namespace {

constexpr int kMaxDimensions = 8;
constexpr double kMaxWindow = 16, kMaxStep = 4;  // of a window: its size, its stride or dilation

// One dimension of the result or of the sums: positions 0 .. size - 1, taken `tile` at a time.
struct Dimension {
  double size = 1, tile = 1;
  double border = 0;            // positions at either end whose operands may lie outside
  double low = 0, high = 0;     // where tiles of the range at hand begin, outer loops alone
};

struct Loop {
  int dimension = -1;
  double extent = 1, step = 1;
};

class Cutter {
 public:
  std::array<Dimension, kMaxDimensions> dimension;
  int dimensions = 0;
  std::array<Loop, kMaxLoops> loop;
  int loops = 0;

  Guards run() {
    cut(0, 1, 1);
    const double all = std::max(1e-9, work_);
    return {border_ / all, tail_ / all};
  }

 private:
  // Positions at which the answer to a question about a tile's beginning changes.
  static std::array<double, 4> thresholds(const Dimension& d) {
    return {d.size - d.tile + 1, d.size, d.border > 0 ? d.border : -1, d.border > 0 ? d.size - d.border - d.tile + 1 : -1};
  }

  void cut(int l, int copies, double work) {
    if (l == loops) return leaf(work);
    const Loop& n = loop[static_cast<std::size_t>(l)];
    if (n.dimension < 0) return cut(l + 1, copies, work);
    Dimension& d = dimension[static_cast<std::size_t>(n.dimension)];
    const Dimension outer = d;
    const double inner = n.step - d.tile;  // how far the loops inside move
    std::array<double, 10> cuts{0};
    std::size_t count = 1;
    for (const double t : thresholds(d)) {
      if (t <= 0) continue;
      for (const double c : {std::floor((t - 1 - outer.high - inner) / n.step) + 1, std::ceil((t - outer.low) / n.step)}) {
        if (c > 0 && c < n.extent && std::find(cuts.begin(), cuts.begin() + static_cast<std::ptrdiff_t>(count), c) == cuts.begin() + static_cast<std::ptrdiff_t>(count)) cuts[count++] = c;
      }
    }
    std::sort(cuts.begin(), cuts.begin() + static_cast<std::ptrdiff_t>(count));
    const auto piece = [&](double from, double to, int of, double share) {
      d.low = outer.low + from * n.step;
      d.high = outer.high + (to - 1) * n.step;
      if (d.low < d.size) cut(l + 1, of, work * share);
      d = outer;
    };
    const auto end_of = [&](std::size_t k) { return k + 1 < count ? cuts[k + 1] : n.extent; };
    if (copies * static_cast<int>(count) <= ir::kMaxCopies) {
      for (std::size_t k = 0; k < count; ++k) piece(cuts[k], end_of(k), copies * static_cast<int>(count), end_of(k) - cuts[k]);
      return;
    }
    const auto widest = ir::widest_piece(std::span<const double>(cuts.data(), count), n.extent);
    if (copies > ir::kMaxCopies || !widest) return piece(0, n.extent, copies, n.extent);
    const double most = end_of(*widest) - cuts[*widest];
    piece(cuts[*widest], end_of(*widest), copies, most);
    piece(0, n.extent, ir::kMaxCopies + 1, n.extent - most);
  }

  void leaf(double work) {
    bool border = false, tail = false;
    for (int k = 0; k < dimensions; ++k) {
      const Dimension& d = dimension[static_cast<std::size_t>(k)];
      const auto open = [&](double t) { return t > 0 && d.low < t && d.high >= t; };
      const auto t = thresholds(d);
      tail |= open(t[0]) || open(t[1]);
      border |= open(t[2]) || open(t[3]);
    }
    work_ += work;
    if (border) border_ += work;
    if (tail) tail_ += work;
  }

  double work_ = 0, border_ = 0, tail_ = 0;
};

// The dimensions of the result; loops of `writer` outside its block are the first of any statement of the nest.
void add_results(Cutter& c, const AccessView& out, const StatementView& writer) {
  double base = 1, reach = 1, tile = 1;
  int first = 0;
  const auto close = [&](int end, double next) {
    if (reach > base && c.dimensions < kMaxDimensions) {
      for (int k = first; k < end; ++k) {
        const int l = out.order.loop[static_cast<std::size_t>(k)];
        if (l < writer.block) c.loop[static_cast<std::size_t>(l)] = {c.dimensions, writer.extent[static_cast<std::size_t>(l)], out.order.stride[static_cast<std::size_t>(k)] / base};
      }
      c.dimension[static_cast<std::size_t>(c.dimensions++)] = {.size = std::max(1.0, std::floor(next / base)), .tile = tile};
    }
    first = end;
  };
  for (int k = 0; k < out.order.count; ++k) {
    const auto i = static_cast<std::size_t>(k);
    if (begins_dimension(out.order, k, reach, writer.block)) {
      close(k, out.order.stride[i]);
      base = reach = out.order.stride[i];
      tile = 1;
    }
    reach *= out.order.extent[i];
    if (out.order.loop[i] >= writer.block) tile = reach / base;
  }
  close(out.order.count, static_cast<double>(out.summary->elements));
}

double stride_at(const AccessView& a, const StatementView& v, int loop) {
  const auto& s = a.summary->strides;
  return std::abs(static_cast<double>(s[s.size() - static_cast<std::size_t>(v.loops - loop)]));
}

// Sums over blocks of an operand's dimension that blocks do not divide.
void add_sums(Cutter& c, const StatementView& v, const AccessView& read) {
  const StrideOrder& o = read.order;
  for (int k = 1; k < o.count && c.dimensions < kMaxDimensions; ++k) {
    const auto i = static_cast<std::size_t>(k);
    const auto in = static_cast<std::size_t>(o.loop[i - 1]), out = static_cast<std::size_t>(o.loop[i]);
    const bool sums = o.loop[i] < o.loop[i - 1] && o.loop[i - 1] < v.block && c.loop[in].dimension < 0 && c.loop[out].dimension < 0;
    if (!sums || o.stride[i] != o.stride[i - 1] * o.extent[i - 1]) continue;
    const double next = k + 1 < o.count ? o.stride[i + 1] : static_cast<double>(read.summary->elements);
    const double size = std::floor(next / o.stride[i - 1]);
    if (size >= o.extent[i] * o.extent[i - 1] || size <= o.stride[i] / o.stride[i - 1]) continue;
    c.loop[in] = {c.dimensions, o.extent[i - 1], 1};
    c.loop[out] = {c.dimensions, o.extent[i], o.extent[i - 1]};
    c.dimension[static_cast<std::size_t>(c.dimensions++)] = {.size = size};
  }
}

// Windows: a loop over sums that moves the operand as a dimension of the result does, or nearly.
void add_borders(Cutter& c, const StatementView& v, const AccessView& read) {
  for (int l = 0; l < v.block; ++l) {
    const double window = stride_at(read, v, l), extent = v.extent[static_cast<std::size_t>(l)];
    if (c.loop[static_cast<std::size_t>(l)].dimension >= 0 || window == 0 || extent > kMaxWindow) continue;
    for (int k = 0; k < v.block; ++k) {
      const Loop& n = c.loop[static_cast<std::size_t>(k)];
      if (n.dimension < 0) continue;
      const double step = stride_at(read, v, k) / n.step;
      if (step == 0 || std::max(step, window) > kMaxStep * std::min(step, window)) continue;
      Dimension& d = c.dimension[static_cast<std::size_t>(n.dimension)];
      d.border = std::max(d.border, std::ceil((extent - 1) * window / (2 * step)));
    }
  }
}

}  // namespace

Guards guards_of(const StatementView& v, const AccessView& out, const StatementView& writer) {
  Cutter c;
  c.loops = v.block;
  add_results(c, out, writer);
  for (int k = 1; k < v.accesses; ++k) {
    const AccessView& read = v.access[static_cast<std::size_t>(k)];
    if (read.repeated || read.register_scope || read.summary->write) continue;
    add_sums(c, v, read);
    if (v.summary->ops.select > 0) add_borders(c, v, read);
    break;  // the operand that conditions guard is the first
  }
  return c.run();
}

}  // namespace tessera::cost_model::detail
