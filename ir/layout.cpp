#include "ir/layout.h"

#include <algorithm>
#include <numeric>
#include <set>

namespace tessera::ir {

namespace {

std::int64_t digit_value(const LayoutDigit& d, std::int64_t x) { return x / d.divisor % d.extent; }

std::int64_t apply_swizzle(const std::vector<SwizzleBit>& bits, std::int64_t offset) {
  for (const SwizzleBit& b : bits) offset ^= ((offset >> b.from) & 1) << b.to;
  return offset;
}

/// Bits of a swizzle that change together: to + i with from + i, none of which is read after it has changed.
struct BitRun {
  int to = 0, from = 0, count = 0;
};

std::vector<BitRun> runs_of(const std::vector<SwizzleBit>& bits) {
  std::vector<BitRun> out;
  for (const SwizzleBit& b : bits) {
    const bool next = !out.empty() && b.to == out.back().to + out.back().count && b.from == out.back().from + out.back().count;
    if (next && out.back().from > b.to) {
      ++out.back().count;
    } else {
      out.push_back({b.to, b.from, 1});
    }
  }
  return out;
}

Expr power(int bits) { return int_imm(std::int64_t{1} << bits); }

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// The digits of one dimension, innermost first, must chain: divisor 1, then the product of the ones
/// inside, and the outermost must reach the extent.
Status check_cover(const std::vector<std::int64_t>& shape, const std::vector<LayoutDigit>& digits) {
  for (std::size_t dim = 0; dim < shape.size(); ++dim) {
    std::vector<LayoutDigit> mine;
    for (const LayoutDigit& d : digits) {
      if (d.dim == static_cast<int>(dim)) mine.push_back(d);
    }
    // Of those with one divisor, digits of a single value come first.
    std::sort(mine.begin(), mine.end(), [](const auto& a, const auto& b) { return std::pair(a.divisor, a.extent) < std::pair(b.divisor, b.extent); });
    std::int64_t reach = 1;
    for (const LayoutDigit& d : mine) {
      if (d.extent < 1 || d.divisor != reach) {
        return refuse("layout digits of dimension ", dim, " do not chain at divisor ", d.divisor, "; expected ", reach);
      }
      if (__builtin_mul_overflow(reach, d.extent, &reach)) return refuse("layout of dimension ", dim, " overflows");
    }
    if (reach < shape[dim]) {
      return refuse("layout digits of dimension ", dim, " reach ", reach, " of extent ", shape[dim]);
    }
  }
  for (const LayoutDigit& d : digits) {
    if (d.dim < 0 || d.dim >= static_cast<int>(shape.size())) return refuse("layout digit of dimension ", d.dim, " of ", shape.size());
  }
  return Done{};
}

}  // namespace

Layout Layout::row_major(const std::vector<std::int64_t>& shape) {
  std::vector<LayoutDigit> order;
  for (std::size_t d = 0; d < shape.size(); ++d) order.push_back({static_cast<int>(d), 1, std::max<std::int64_t>(shape[d], 1), 1});
  return *tiled(shape, std::move(order));
}

Result<Layout> Layout::strided(const std::vector<std::int64_t>& shape, std::vector<LayoutDigit> digits,
                               std::vector<SwizzleBit> swizzle) {
  Layout l;
  for (const std::int64_t n : shape) {
    if (n < 0) return refuse("layout extent ", n, " is negative");
  }
  TESSERA_TRY_DONE(check_cover(shape, digits));
  l.shape_ = shape;
  l.digits_ = std::move(digits);
  l.swizzle_ = std::move(swizzle);
  TESSERA_TRY_DONE(l.measure());
  return l;
}

Status Layout::measure() {
  std::int64_t last = 0;
  for (const LayoutDigit& d : digits_) {
    std::int64_t span = 0;
    if (d.stride < 1 || __builtin_mul_overflow(d.extent - 1, d.stride, &span) || __builtin_add_overflow(last, span, &last)) {
      return refuse("layout stride ", d.stride, " is out of range");
    }
  }
  for (const SwizzleBit& b : swizzle_) {
    if (b.to < 0 || b.from <= b.to || b.from > 30) return refuse("swizzle bit ", b.to, "<-", b.from, " is out of range");
    last |= (std::int64_t{2} << b.to) - 1;  // the XOR changes no bit above `to`
  }
  if (__builtin_add_overflow(last, 1, &size_)) return refuse("layout size overflows 64 bits");
  if (std::find(shape_.begin(), shape_.end(), 0) != shape_.end()) size_ = 0;
  return Done{};
}

Result<Layout> Layout::tiled(const std::vector<std::int64_t>& shape, std::vector<LayoutDigit> order) {
  TESSERA_TRY_DONE(check_cover(shape, order));
  Layout l;
  l.shape_ = shape;
  std::int64_t stride = 1;
  for (auto d = order.rbegin(); d != order.rend(); ++d) {
    d->stride = stride;
    if (__builtin_mul_overflow(stride, d->extent, &stride)) return refuse("layout size overflows 64 bits");
  }
  l.digits_ = std::move(order);
  TESSERA_TRY_DONE(l.measure());
  return l;
}

bool Layout::is_row_major() const { return *this == row_major(shape_); }

std::int64_t Layout::offset(const std::vector<std::int64_t>& index) const {
  std::int64_t o = 0;
  for (const LayoutDigit& d : digits_) o += digit_value(d, index[static_cast<std::size_t>(d.dim)]) * d.stride;
  return apply_swizzle(swizzle_, o);
}

Expr Layout::offset(const Exprs& index) const {
  Expr o = int_imm(0);
  for (const LayoutDigit& d : digits_) {
    const Expr& x = index[static_cast<std::size_t>(d.dim)];
    Expr v = floordiv(x, int_imm(d.divisor));
    // The outermost digit of a dimension never wraps: the index is inside the extent.
    if (d.divisor * d.extent < shape_[static_cast<std::size_t>(d.dim)]) v = floormod(v, int_imm(d.extent));
    o = o + v * int_imm(d.stride);
  }
  // As a sum, so that the parts can be told apart: what is above and below keeps its divisors and its neighbours.
  for (const BitRun& r : runs_of(swizzle_)) {
    const auto field = [&](int first) { return floormod(floordiv(o, power(first)), power(r.count)); };
    o = floordiv(o, power(r.to + r.count)) * power(r.to + r.count) + make_binary(ExprKind::kBitXor, field(r.to), field(r.from)) * power(r.to) +
        floormod(o, power(r.to));
  }
  return o;
}

Result<std::vector<std::int64_t>> Layout::index_at(std::int64_t offset) const {
  if (offset < 0 || offset >= size_) return refuse("offset ", offset, " is outside the layout of ", size_, " elements");
  for (auto b = swizzle_.rbegin(); b != swizzle_.rend(); ++b) offset ^= ((offset >> b->from) & 1) << b->to;
  std::vector<std::size_t> order(digits_.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return digits_[a].stride > digits_[b].stride; });
  std::vector<std::int64_t> index(shape_.size(), 0);
  for (const std::size_t i : order) {
    const LayoutDigit& d = digits_[i];
    const std::int64_t v = d.extent == 1 ? 0 : offset / d.stride;
    if (v >= d.extent) return refuse("offset lies in padding");
    offset -= v * d.stride;
    index[static_cast<std::size_t>(d.dim)] += v * d.divisor;
  }
  if (offset != 0) return refuse("offset lies in padding");
  for (std::size_t d = 0; d < shape_.size(); ++d) {
    if (index[d] >= shape_[d]) return refuse("offset lies in padding");
  }
  return index;
}

Result<Layout> Layout::padded(std::size_t digit, std::int64_t stride) const {
  if (digit >= digits_.size()) return refuse("layout has ", digits_.size(), " digits, no digit ", digit);
  if (stride < digits_[digit].stride) return refuse("stride ", stride, " is smaller than the dense ", digits_[digit].stride);
  Layout l = *this;
  l.digits_[digit].stride = stride;
  for (std::size_t i = digit; i-- > 0;) {
    if (__builtin_mul_overflow(l.digits_[i + 1].stride, l.digits_[i + 1].extent, &l.digits_[i].stride)) {
      return refuse("layout size overflows 64 bits");
    }
  }
  TESSERA_TRY_DONE(l.measure());
  return l;
}

Layout Layout::swizzled(std::vector<SwizzleBit> bits) const {
  Layout l = *this;
  l.swizzle_ = std::move(bits);
  l.measure().or_throw();
  return l;
}

Result<Layout> Layout::then(const Layout& outer) const {
  if (outer.shape_.size() != 1 || outer.shape_[0] < size_) {
    return refuse("composition needs a layout of one dimension of at least ", size_, " elements");
  }
  if (!swizzle_.empty()) return refuse("a swizzle can only be last");
  Layout l;
  l.shape_ = shape_;
  l.swizzle_ = outer.swizzle_;
  // The digits must not carry into each other, and each must fall inside one digit of `outer` or be cut
  // where one of them ends.
  for (const LayoutDigit& d : digits_) {
    std::int64_t below = 0;
    for (const LayoutDigit& x : digits_) below += x.stride < d.stride ? (x.extent - 1) * x.stride : 0;
    if (d.extent > 1 && below >= d.stride) return refuse("the digits of this layout overlap at stride ", d.stride);
    std::int64_t done = 1;
    while (done < d.extent) {
      const std::int64_t stride = d.stride * done, left = ceil_div(d.extent, done);
      const LayoutDigit* host = nullptr;
      for (const LayoutDigit& o : outer.digits_) {
        if (o.divisor <= stride && stride < o.divisor * o.extent) host = &o;
      }
      if (host == nullptr || stride % host->divisor != 0) return refuse("the layouts do not compose at stride ", stride);
      const std::int64_t end = host->divisor * host->extent;
      const bool outermost = end >= outer.shape_[0];
      if (!outermost && end % stride != 0) return refuse("the layouts do not compose at stride ", stride);
      const std::int64_t take = outermost ? left : std::min(end / stride, left);
      if (take == 1 || (take < left && d.extent % (done * take) != 0)) return refuse("the layouts do not compose at stride ", stride);
      l.digits_.push_back({d.dim, d.divisor * done, take, host->stride * (stride / host->divisor)});
      done *= take;
    }
    if (d.extent == 1) l.digits_.push_back({d.dim, d.divisor, 1, 1});
  }
  TESSERA_TRY_DONE(l.measure());
  return l;
}

std::int64_t Layout::vector_width(int dim) const {
  const std::int64_t n = shape_[static_cast<std::size_t>(dim)];
  // Steps along `dim` are contiguous as long as the stride of each digit is its divisor.
  std::int64_t run = 1;
  const LayoutDigit* next = nullptr;
  do {
    next = nullptr;
    for (const LayoutDigit& d : digits_) {
      if (d.dim == dim && d.extent > 1 && d.divisor == run && d.stride == run) next = &d;
    }
    if (next != nullptr) run *= next->extent;
  } while (next != nullptr);
  std::int64_t w = 1;
  while (w * 2 <= n && (run >= n ? w * 2 <= run : run % (w * 2) == 0)) w *= 2;
  if (swizzle_.empty()) return w;
  // A swizzle keeps a block together that does not cross a multiple of its lowest bit.
  for (const SwizzleBit& b : swizzle_) w = std::min(w, std::int64_t{1} << b.to);
  for (const LayoutDigit& d : digits_) {
    const bool inside = d.dim == dim && d.divisor < run;
    while (!inside && d.extent > 1 && d.stride % w != 0) w /= 2;
  }
  return w;
}

int Layout::conflict_degree(int dim, int lanes, int banks, int bank_elements) const {
  std::vector<std::set<std::int64_t>> words(static_cast<std::size_t>(banks));
  std::vector<std::int64_t> index(shape_.size(), 0);
  for (int i = 0; i < lanes && i < shape_[static_cast<std::size_t>(dim)]; ++i) {
    index[static_cast<std::size_t>(dim)] = i;
    const std::int64_t word = offset(index) / bank_elements;
    words[static_cast<std::size_t>(word % banks)].insert(word);
  }
  std::size_t worst = 1;
  for (const auto& w : words) worst = std::max(worst, w.size());
  return static_cast<int>(worst);
}

std::string Layout::to_string() const {
  std::ostringstream out;
  for (const LayoutDigit& d : digits_) {
    out << (out.tellp() > 0 ? " " : "") << "d" << d.dim;
    if (d.divisor != 1) out << "/" << d.divisor;
    // The extent of an outermost digit is what the shape leaves for it, unless it reaches further.
    if (d.extent != std::max<std::int64_t>(ceil_div(shape_[static_cast<std::size_t>(d.dim)], d.divisor), 1)) out << "%" << d.extent;
    out << ":" << d.stride;
  }
  for (const SwizzleBit& b : swizzle_) out << " ^" << b.to << "<-" << b.from;
  return out.str();
}

Json to_json_value(const Layout& l) {
  Json j = Json::object();
  j["shape"] = write_json(l.shape_);
  j["digits"] = write_json(l.digits_);
  if (!l.swizzle_.empty()) j["swizzle"] = write_json(l.swizzle_);
  return j;
}

Status from_json_value(const Json& j, Layout& out) {
  TESSERA_TRY(shape_json, json_member(j, "shape"));
  TESSERA_TRY(digits_json, json_member(j, "digits"));
  std::vector<std::int64_t> shape;
  std::vector<LayoutDigit> digits;
  std::vector<SwizzleBit> swizzle;
  TESSERA_TRY_DONE(read_json(*shape_json, shape));
  TESSERA_TRY_DONE(read_json(*digits_json, digits));
  if (j.contains("swizzle")) TESSERA_TRY_DONE(read_json(j["swizzle"], swizzle));
  TESSERA_TRY(l, Layout::strided(shape, std::move(digits), std::move(swizzle)));
  out = std::move(l);
  return Done{};
}

}  // namespace tessera::ir
