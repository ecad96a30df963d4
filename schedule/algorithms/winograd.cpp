#include <cmath>

#include "ir/analysis/affine.h"
#include "ir/rewrite.h"
#include "schedule/algorithms/rewrites.h"

namespace tessera::schedule {

namespace {

using ir::int_imm;
using Row = std::vector<double>;
using Matrix = std::vector<Row>;

constexpr std::int64_t kTaps = 3;

/// The matrices of tiles of `outputs` outputs. `scale` is what G is multiplied by.
struct Transforms {
  std::int64_t outputs;
  Matrix g, bt, at;
  double scale;
  std::int64_t inputs() const { return outputs + kTaps - 1; }
};

const Transforms& transforms(std::int64_t outputs) {
  static const Transforms kTwo{2,
                               {{2, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 2}},
                               {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}},
                               {{1, 1, 1, 0}, {0, 1, -1, -1}},
                               2};
  static const Transforms kFour{4,
                                {{6, 0, 0}, {-4, -4, -4}, {-4, 4, -4}, {1, 2, 4}, {1, -2, 4}, {0, 0, 24}},
                                {{4, 0, -5, 0, 1, 0}, {0, -4, -4, 1, 1, 0}, {0, 4, -4, -1, 1, 0}, {0, -2, -1, 2, 1, 0}, {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1}},
                                {{1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 1}},
                                24};
  return outputs == 2 ? kTwo : kFour;
}

double size_of(const Row& row) {
  double out = 0;
  for (const double x : row) out += std::fabs(x);
  return out;
}

/// How much larger rounding errors may get than those of the definition, for operands whose sizes are
/// alike all over a tile. In one dimension a result passes through terms of |AT| |G| |BT| where the
/// definition has 3; it is squared for two. A corner may have 4 of the 9 taps the others have. The
/// longest chain of operations is `channels` products and the transforms, not 9 * channels products.
double error_factor(const Transforms& t, std::int64_t channels) {
  double worst = 0;
  for (const Row& out : t.at) {
    double sum = 0;
    for (std::size_t a = 0; a < out.size(); ++a) sum += std::fabs(out[a]) * size_of(t.g[a]) / t.scale * size_of(t.bt[a]);
    worst = std::max(worst, sum);
  }
  const double growth = worst / kTaps, chain = 2.0 * static_cast<double>(kTaps + 2 * t.inputs());
  const auto c = static_cast<double>(channels);
  return growth * growth * (9.0 / 4.0) * (c + chain) / (9 * c);
}

/// sum(row[i] * terms[i]). Terms that rows share up to a factor stay together, with a leading
/// coefficient of 1, so that code generation computes them once: even and odd ones (BT, G), or
/// neighbours 1 2 and 3 4 (AT).
Expr combination(const Row& row, const Exprs& terms, bool pairs) {
  std::vector<std::vector<std::size_t>> groups(2);
  if (pairs) groups = {{0}, {1, 2}, {3, 4}, {5}};
  for (std::size_t i = 0; i < row.size() && !pairs; ++i) groups[i % 2].push_back(i);
  Expr out;
  for (const std::vector<std::size_t>& group : groups) {
    double lead = 0;
    Expr sum;
    for (const std::size_t i : group) {
      if (i >= row.size() || row[i] == 0) continue;
      if (lead == 0) lead = row[i];
      const double k = row[i] / lead;
      const Expr term = std::fabs(k) == 1 ? terms[i] : terms[i] * ir::float_imm(std::fabs(k));
      sum = !sum.defined() ? term : k < 0 ? sum - term : sum + term;
    }
    if (!sum.defined()) continue;
    const double size = std::fabs(lead);
    const Expr part = size == 1 ? sum : sum * ir::float_imm(size);
    out = out.defined() ? (lead < 0 ? out - part : out + part) : lead < 0 ? ir::float_imm(0) - part : part;
  }
  return out;
}

/// Row `index` of matrix * terms, as a choice that disappears where the index is a constant.
Expr transformed(const Matrix& m, const Expr& index, const Exprs& terms, bool pairs = false) {
  Expr out = combination(m.back(), terms, pairs);
  for (std::size_t i = m.size() - 1; i-- > 0;) {
    out = ir::select(index == int_imm(static_cast<std::int64_t>(i)), combination(m[i], terms, pairs), out);
  }
  return out;
}

/// A 3x3 convolution: which axis of the stage, and which dimension of the image, is what.
struct Convolution {
  const ir::Load* image = nullptr;
  const ir::Load* filter = nullptr;
  const RootAxis *row = nullptr, *column = nullptr, *row_tap = nullptr, *column_tap = nullptr;
  const RootAxis *channel = nullptr, *features = nullptr;
  std::vector<const RootAxis*> batch;
  std::size_t row_dim = 0, column_dim = 0;
  bool pixels_inner = false;  // the output's last axis is one of its pixels
};

const RootAxis* axis_of(const Stage& s, const Expr& e) {
  const auto* v = e.as<ir::VarNode>();
  for (const RootAxis& r : s.roots) {
    if (v != nullptr && r.coordinate.id() == v->id) return &r;
  }
  return nullptr;
}

/// index = output coordinate + tap; false when it has another form.
bool match_window(const Stage& s, const Expr& index, const RootAxis*& output, const RootAxis*& tap) {
  const ir::AffineSum sum = ir::affine_sum(index);
  if (sum.constant != 0 || sum.terms.size() != 2) return false;
  output = tap = nullptr;
  for (const ir::Term& t : sum.terms) {
    const RootAxis* r = axis_of(s, t.atom);
    if (r != nullptr && t.coefficient == 1) (r->kind == AxisKind::kData ? output : tap) = r;
  }
  return output != nullptr && tap != nullptr && tap->extent == kTaps;
}

/// True when `load` is an image with two windows of three taps; fills the image's side.
bool match_image(const Stage& s, const ir::Load& load, Convolution& c) {
  int windows = 0;
  for (std::size_t d = 0; d < load.indices.size(); ++d) {
    const RootAxis *output = nullptr, *tap = nullptr;
    if (const RootAxis* r = axis_of(s, load.indices[d])) {
      if (r->kind == AxisKind::kReduce && c.channel != nullptr) return false;
      if (r->kind == AxisKind::kReduce) c.channel = r;
      if (r->kind == AxisKind::kData) c.batch.push_back(r);
    } else if (match_window(s, load.indices[d], output, tap) && ++windows <= 2) {
      (windows == 1 ? c.row : c.column) = output;
      (windows == 1 ? c.row_tap : c.column_tap) = tap;
      (windows == 1 ? c.row_dim : c.column_dim) = d;
    } else {
      return false;
    }
  }
  c.image = &load;
  return windows == 2 && c.channel != nullptr;
}

/// The filter's indices must be its two taps, the channel and one axis of the output.
bool match_filter(const Stage& s, const ir::Load& load, Convolution& c) {
  int found = 0;
  for (const Expr& index : load.indices) {
    const RootAxis* r = axis_of(s, index);
    if (r == nullptr) return false;
    if (r == c.row_tap || r == c.column_tap || r == c.channel) {
      ++found;
    } else if (r->kind == AxisKind::kData && c.features == nullptr) {
      c.features = r;
    } else {
      return false;
    }
  }
  c.filter = &load;
  return found == 3 && load.indices.size() == 4 && c.features != nullptr;
}

Result<Convolution> match_convolution(const Stage& s) {
  TESSERA_TRY(product, match_product(s));
  for (const Factor* f : {&product.a, &product.b}) {
    if (f->value.type() != ir::f32 || f->load != f->value.as<ir::Load>()) {
      return refuse("stage '", s.name, "' multiplies '", f->load->buffer->name, "' of ", f->load->buffer->dtype, "; winograd takes f32");
    }
  }
  for (const bool swapped : {false, true}) {
    Convolution c;
    const ir::Load &x = swapped ? *product.b.load : *product.a.load, &w = swapped ? *product.a.load : *product.b.load;
    if (!match_image(s, x, c) || !match_filter(s, w, c)) continue;
    const RootAxis* last = nullptr;
    std::size_t axes = 0;
    for (const RootAxis& r : s.roots) {
      ++axes;
      last = r.kind == AxisKind::kData ? &r : last;
    }
    c.pixels_inner = last != c.features;
    if (axes == 6 + c.batch.size()) return c;
  }
  return refuse("stage '", s.name, "' is no 3x3 convolution with stride 1, dilation 1 and one group; im2col and direct take others");
}

class Rewriting {
 public:
  Rewriting(const Stage& s, const Convolution& c, const Transforms& t) : s_(s), c_(c), t_(t), a_(t.inputs()) {
    rows_ = (c.row->extent + t.outputs - 1) / t.outputs;
    columns_ = (c.column->extent + t.outputs - 1) / t.outputs;
    for (const RootAxis* b : c.batch) tile_extents_.push_back(b->extent);
    tile_extents_.push_back(rows_);
    tile_extents_.push_back(columns_);
    for (const std::int64_t n : tile_extents_) tiles_ *= n;
  }

  std::vector<Stage> run(Expr& body) {
    const Buffer image = covering_image();
    const Buffer filter = transformed_filter(), tiles = transformed_tiles(image);
    body = outputs(multiplied(tiles, filter));
    return std::move(stages_);
  }

  double multiply_adds() const {
    return static_cast<double>(a_ * a_ * tiles_) * static_cast<double>(c_.channel->extent) * static_cast<double>(c_.features->extent);
  }

 private:
  Buffer add(Stage s) {
    stages_.push_back(std::move(s));
    return stages_.back().outputs[0];
  }

  /// Dimensions of the matrices: the ones that are neighbours in the output come last.
  template <class T>
  std::vector<T> ordered(const T& pixels, const T& channels) const {
    return c_.pixels_inner ? std::vector<T>{channels, pixels} : std::vector<T>{pixels, channels};
  }
  static Exprs in_front(Exprs first, const Exprs& rest) {
    first.insert(first.end(), rest.begin(), rest.end());
    return first;
  }

  /// The image, with zeros after it where the last tiles reach past it.
  Buffer covering_image() {
    const Buffer image(c_.image->buffer);
    std::vector<std::int64_t> have = image.extents(), want = have;
    want[c_.row_dim] = std::max(have[c_.row_dim], rows_ * t_.outputs + kTaps - 1);
    want[c_.column_dim] = std::max(have[c_.column_dim], columns_ * t_.outputs + kTaps - 1);
    if (want == have) return image;
    StageMaker maker(s_.name + ".image");
    Exprs at;
    for (std::size_t d = 0; d < have.size(); ++d) {
      at.push_back(maker.data(d == c_.row_dim ? "y" : d == c_.column_dim ? "x" : "d" + std::to_string(d), want[d]));
    }
    Expr inside;
    for (const std::size_t d : {c_.row_dim, c_.column_dim}) {
      if (want[d] == have[d]) continue;
      const Expr e = at[d] < int_imm(have[d]);
      inside = inside.defined() ? inside && e : e;
    }
    return add(maker.finish(ir::if_then_else(inside, image.load(at), ir::float_imm(0))));
  }

  Buffer transformed_filter() {
    const std::int64_t channels = c_.channel->extent, features = c_.features->extent;
    const auto channel_axes = [&](StageMaker& m, Var& c, Var& k) {
      // [c, k] beside [t, c] gives [t, k]; the transposed order gives [k, t].
      if (c_.pixels_inner) k = m.data("k", features);
      c = m.data("c", channels);
      if (!c_.pixels_inner) k = m.data("k", features);
    };
    Var c, k;
    StageMaker half(s_.name + ".filter_rows");
    const Var a = half.data("a", a_), s = half.data("s", kTaps);
    channel_axes(half, c, k);
    Exprs taps;
    for (std::int64_t r = 0; r < kTaps; ++r) {
      const ir::VarMap at{{c_.row_tap->coordinate.id(), int_imm(r)}, {c_.column_tap->coordinate.id(), s}, {c_.channel->coordinate.id(), c}, {c_.features->coordinate.id(), k}};
      Exprs index;
      for (const Expr& e : c_.filter->indices) index.push_back(ir::substitute(e, at));
      taps.push_back(Buffer(c_.filter->buffer).load(index));
    }
    const Buffer rows = add(half.finish(transformed(t_.g, a, taps)));

    StageMaker whole(s_.name + ".filter");
    const Var a2 = whole.data("a", a_), b = whole.data("b", a_);
    channel_axes(whole, c, k);
    Exprs columns;
    for (std::int64_t i = 0; i < kTaps; ++i) columns.push_back(rows.load(in_front({a2, int_imm(i)}, c_.pixels_inner ? Exprs{k, c} : Exprs{c, k})));
    return add(whole.finish(transformed(t_.g, b, columns) / ir::float_imm(t_.scale * t_.scale)));
  }

  void tile_axes(StageMaker& m, const std::string& channel, std::int64_t channels, Var& t, Var& c) const {
    if (c_.pixels_inner) c = m.data(channel, channels);
    t = m.data("t", tiles_);
    if (!c_.pixels_inner) c = m.data(channel, channels);
  }

  Buffer transformed_tiles(const Buffer& image) {
    Var t, c;
    StageMaker half(s_.name + ".tile_rows");
    const Var a = half.data("a", a_), x = half.data("x", a_);
    tile_axes(half, "c", c_.channel->extent, t, c);
    const Exprs place = unflatten(t, tile_extents_);
    ir::VarMap at{{c_.channel->coordinate.id(), c}};
    for (std::size_t i = 0; i < c_.batch.size(); ++i) at[c_.batch[i]->coordinate.id()] = place[i];
    Exprs pixels;
    for (std::int64_t y = 0; y < a_; ++y) {
      Exprs index;
      for (const Expr& e : c_.image->indices) index.push_back(ir::substitute(e, at));
      index[c_.row_dim] = place[c_.batch.size()] * int_imm(t_.outputs) + y;
      index[c_.column_dim] = place.back() * int_imm(t_.outputs) + x;
      pixels.push_back(image.load(index));
    }
    const Buffer rows = add(half.finish(transformed(t_.bt, a, pixels)));

    StageMaker whole(s_.name + ".tiles");
    const Var a2 = whole.data("a", a_), b = whole.data("b", a_);
    tile_axes(whole, "c", c_.channel->extent, t, c);
    Exprs columns;
    for (std::int64_t i = 0; i < a_; ++i) columns.push_back(rows.load(in_front({a2, int_imm(i)}, ordered<Expr>(t, c))));
    return add(whole.finish(transformed(t_.bt, b, columns)));
  }

  Buffer multiplied(const Buffer& tiles, const Buffer& filter) {
    Var t, k;
    StageMaker maker(s_.name + ".product");
    const Var a = maker.data("a", a_), b = maker.data("b", a_);
    tile_axes(maker, "k", c_.features->extent, t, k);
    const Var c = maker.reduce("c", c_.channel->extent);
    const Expr x = tiles.load(in_front({a, b}, ordered<Expr>(t, c)));
    const Expr w = filter.load(in_front({a, b}, c_.pixels_inner ? Exprs{k, c} : Exprs{c, k}));
    return add(maker.finish(x * w, s_.reduce()->combiner));
  }

  Expr outputs(const Buffer& product) {
    Var t, k;
    StageMaker half(s_.name + ".output_rows");
    const Var i = half.data("i", t_.outputs), b = half.data("b", a_);
    tile_axes(half, "k", c_.features->extent, t, k);
    Exprs terms;
    for (std::int64_t a = 0; a < a_; ++a) terms.push_back(product.load(in_front({int_imm(a), b}, ordered<Expr>(t, k))));
    const Buffer rows = add(half.finish(transformed(t_.at, i, terms, true)));

    const Expr m = int_imm(t_.outputs), y = c_.row->coordinate, x = c_.column->coordinate;
    Exprs place;
    for (const RootAxis* n : c_.batch) place.push_back(n->coordinate);
    place.push_back(ir::floordiv(y, m));
    place.push_back(ir::floordiv(x, m));
    const Exprs at = ordered<Expr>(flatten(place, tile_extents_), c_.features->coordinate);
    Exprs columns;
    for (std::int64_t j = 0; j < a_; ++j) columns.push_back(rows.load(in_front({ir::floormod(y, m), int_imm(j)}, at)));
    return transformed(t_.at, ir::floormod(x, m), columns, true);
  }

  const Stage& s_;
  const Convolution& c_;
  const Transforms& t_;
  const std::int64_t a_;  // rows and columns of an input tile
  std::int64_t rows_ = 1, columns_ = 1, tiles_ = 1;
  std::vector<std::int64_t> tile_extents_;  // batch axes, rows of tiles, columns of tiles
  std::vector<Stage> stages_;
};

}  // namespace

Result<State> winograd(const State& state, const Stage& s, const AlgorithmValues& values) {
  TESSERA_TRY(c, match_convolution(s));
  const Transforms& t = transforms(values.at("tile"));
  Rewriting rewriting(s, c, t);
  Expr body;
  std::vector<Stage> stages = rewriting.run(body);
  double defined = 1;
  for (const RootAxis& r : s.roots) defined *= static_cast<double>(r.extent);
  TESSERA_TRY(next, with_stages_before(state, s, std::move(stages), body));
  next.note_algorithm(error_factor(t, c.channel->extent), std::max(0.0, defined - rewriting.multiply_adds()));
  return next;
}

}  // namespace tessera::schedule
