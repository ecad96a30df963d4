// Operators of the catalogue as plain loops over doubles: what they must compute, written without the DSL.
#pragma once

#include <array>
#include <cmath>
#include <map>
#include <string>

#include "ir/tensor.h"
#include "ops/operator.h"

namespace tessera::ops::plain {

using Index = std::vector<std::int64_t>;
using Point = std::array<std::int64_t, 3>;  // z, y, x; those that a layout does not have are 0

/// Inputs and parameters of one case, read as mathematics.
struct Case {
  Shape p;
  std::string layout;
  std::map<std::string, ir::Tensor> in;

  std::int64_t operator[](const char* name) const { return p.at(name); }
  std::int64_t or_one(const char* name) const { return p.count(name) != 0 ? p.at(name) : 1; }
  double get(const char* name, const Index& i) const { return in.at(name).get(in.at(name).position(i)); }

  bool last() const { return layout.back() == 'C'; }
  std::size_t spatial() const { return layout.size() - 2; }
  std::int64_t channel(const Index& o) const { return o[last() ? o.size() - 1 : 1]; }
  Point point(const Index& o) const {
    Point out{};
    for (std::size_t d = 0; d < spatial(); ++d) out[3 - spatial() + d] = o[d + (last() ? 1 : 2)];
    return out;
  }
  Index image_index(std::int64_t n, const Point& at, std::int64_t c) const {
    Index out{n};
    if (!last()) out.push_back(c);
    out.insert(out.end(), at.end() - static_cast<std::ptrdiff_t>(spatial()), at.end());
    if (last()) out.push_back(c);
    return out;
  }
  /// An element of X at a place in the padded image, `outside` in the padding.
  double image(std::int64_t n, Point at, std::int64_t c, double outside = 0) const {
    static constexpr const char* kExtents[] = {"d", "h", "w"};
    for (std::size_t d = 3 - spatial(); d < 3; ++d) {
      at[d] -= p.at("pad");
      if (at[d] < 0 || at[d] >= p.at(kExtents[d])) return outside;
    }
    return get("X", image_index(n, at, c));
  }
  /// f(r, place in the padded image) for every element r of the window of output `o`.
  template <class F>
  void window(const Index& o, const F& f) const {
    const Point base = point(o);
    const auto step = p.at("stride"), dilation = or_one("dilation");
    Point r{};
    for (r[0] = 0; r[0] < or_one("kd"); ++r[0]) {
      for (r[1] = 0; r[1] < or_one("kh"); ++r[1]) {
        for (r[2] = 0; r[2] < or_one("kw"); ++r[2]) {
          Point at{};
          for (std::size_t d = 0; d < 3; ++d) at[d] = base[d] * step + r[d] * dilation;
          f(r, at);
        }
      }
    }
  }
  /// Index of a weight: the window, then (or, channels first: after) the channels.
  Index weight(const Point& r, const Index& channels) const {
    Index out(r.end() - static_cast<std::ptrdiff_t>(spatial()), r.end());
    out.insert(last() ? out.end() : out.begin(), channels.begin(), channels.end());
    return out;
  }
};

/// start + f(0) + .. + f(n - 1).
template <class F>
double over(std::int64_t n, const F& f, double start = 0) {
  for (std::int64_t k = 0; k < n; ++k) start += f(k);
  return start;
}

template <class F>
double largest(std::int64_t n, const F& f) {
  double m = -HUGE_VAL;
  for (std::int64_t k = 0; k < n; ++k) m = std::max(m, f(k));
  return m;
}

inline double convolution(const Case& c, const Index& o) {
  const auto ci = c["ci"] / c["groups"], out = c.channel(o), group = out / (c["co"] / c["groups"]);
  double s = 0;
  c.window(o, [&](const Point& r, const Point& at) {
    for (std::int64_t k = 0; k < ci; ++k) {
      s += c.image(o[0], at, group * ci + k) * c.get("W", c.last() ? c.weight(r, {k, out}) : c.weight(r, {out, k}));
    }
  });
  return s;
}

inline double depthwise(const Case& c, const Index& o, const char* weight = "W") {
  double s = 0;
  c.window(o, [&](const Point& r, const Point& at) { s += c.image(o[0], at, c.channel(o)) * c.get(weight, c.weight(r, {c.channel(o)})); });
  return s;
}

inline double depthwise_pointwise(const Case& c, const Index& o) {
  return over(c["c"], [&](std::int64_t k) {
    return depthwise(c, c.image_index(o[0], c.point(o), k), "D") * c.get("W", c.last() ? Index{k, c.channel(o)} : Index{c.channel(o), k});
  });
}

/// By its definition: every input pixel that reaches this output.
inline double transposed(const Case& c, const Index& o) {
  const Point at = c.point(o);
  double s = 0;
  for (std::int64_t iy = 0; iy < c["h"]; ++iy) {
    for (std::int64_t ix = 0; ix < c["w"]; ++ix) {
      const auto r = at[1] + c["pad"] - iy * c["stride"], t = at[2] + c["pad"] - ix * c["stride"];
      if (r < 0 || t < 0 || r >= c["kh"] || t >= c["kw"]) continue;
      for (std::int64_t k = 0; k < c["ci"]; ++k) {
        s += c.get("X", c.image_index(o[0], {0, iy, ix}, k)) *
             c.get("W", c.last() ? Index{r, t, k, c.channel(o)} : Index{k, c.channel(o), r, t});
      }
    }
  }
  return s;
}

inline double capsule(const Case& c, const Index& o) {
  double s = 0;
  for (std::int64_t r = 0; r < c["kh"]; ++r) {
    for (std::int64_t t = 0; t < c["kw"]; ++t) {
      const auto y = o[1] * c["stride"] + r - c["pad"], x = o[2] * c["stride"] + t - c["pad"];
      if (y < 0 || x < 0 || y >= c["h"] || x >= c["w"]) continue;
      for (std::int64_t k = 0; k < c["capsule"]; ++k) {
        for (std::int64_t q = 0; q < c["ci"]; ++q) s += c.get("X", {o[0], y, x, o[3], k, q}) * c.get("W", {r, t, k, o[4], q, o[5]});
      }
    }
  }
  return s;
}

template <class F>
double pooled(const Case& c, const Index& o, double start, double outside, const F& f) {
  c.window(o, [&](const Point&, const Point& at) { start = f(start, c.image(o[0], at, c.channel(o), outside)); });
  return start;
}

inline double gelu(double x) { return x / 2 * (1 + std::erf(x / std::sqrt(2.0))); }

/// Row i of X and what is known of it.
struct Row {
  const Case& c;
  std::int64_t i;
  double operator[](std::int64_t k) const { return c.get("X", {i, k}); }
  std::int64_t size() const { return c["n"]; }
  double top() const { return largest(size(), *this); }
  double operator()(std::int64_t k) const { return (*this)[k]; }
  double powers() const {
    const double m = top();
    return over(size(), [&](std::int64_t k) { return std::exp((*this)[k] - m); });
  }
  double squares(double less = 0) const { return over(size(), [&](std::int64_t k) { return ((*this)[k] - less) * ((*this)[k] - less); }); }
  double mean() const { return over(size(), *this) / static_cast<double>(size()); }
};

inline double layer_norm(const Case& c, const Index& i) {
  const Row x{c, i[0]};
  const double variance = x.squares(x.mean()) / static_cast<double>(x.size());
  return (x[i[1]] - x.mean()) / std::sqrt(variance + 1e-5) * c.get("gamma", {i[1]}) + c.get("beta", {i[1]});
}

inline double batch_norm(const Case& c, std::int64_t channel, double x) {
  return (x - c.get("mean", {channel})) / std::sqrt(c.get("var", {channel}) + 1e-5) * c.get("gamma", {channel}) + c.get("beta", {channel});
}

/// exp(score(j)) over the sum of those of all n.
template <class F>
double share(std::int64_t n, std::int64_t j, const F& score) {
  const double m = largest(n, score);
  return std::exp(score(j) - m) / over(n, [&](std::int64_t k) { return std::exp(score(k) - m); });
}

inline double attention(const Case& c, const Index& o) {
  const auto seen = c["causal"] != 0 ? o[2] + 1 : c["seq"];
  const auto score = [&](std::int64_t j) {
    return over(c["dim"], [&](std::int64_t d) { return c.get("Q", {o[0], o[1], o[2], d}) * c.get("K", {o[0], o[1], j, d}); }) /
           std::sqrt(static_cast<double>(c["dim"]));
  };
  return over(seen, [&](std::int64_t j) { return share(seen, j, score) * c.get("V", {o[0], o[1], j, o[3]}); });
}

inline double score(const Case& c, const Index& o, std::int64_t key) {
  return over(c["hidden"], [&](std::int64_t d) { return c.get("query", {o[0], o[2], o[1], d}) * c.get("key", {o[0], key, o[1], d}); });
}

/// The operand B of a binary operator.
inline double second(const Case& c, const Index& i) {
  return c["broadcast"] == 0 ? c.get("B", i) : c.get("B", {c["broadcast"] == 1 ? i[1] : i[0]});
}

/// The state of a recurrent network, from the first step on.
inline double recurrent(const Case& c, const Index& at) {
  std::vector<double> h(static_cast<std::size_t>(c["hidden"]), 0.0), past = h;
  for (std::int64_t t = 0; t <= at[0]; ++t) {
    past = h;
    for (std::int64_t i = 0; i < c["hidden"]; ++i) {
      const double sum = over(c["hidden"], [&](std::int64_t k) { return past[static_cast<std::size_t>(k)] * c.get("W", {k, i}); });
      h[static_cast<std::size_t>(i)] = std::tanh(c.get("X", {t, at[1], i}) + c.get("bias", {i}) + sum);
    }
  }
  return h[static_cast<std::size_t>(at[2])];
}

}  // namespace tessera::ops::plain
