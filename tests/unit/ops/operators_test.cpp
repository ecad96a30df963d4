// Every operator of the catalogue against plain loops, on small odd shapes.
#include <gtest/gtest.h>

#include <cmath>

#include "dsl/evaluate.h"
#include "dsl/inputs.h"
#include "ops/catalog.h"

namespace tessera::ops {
namespace {

using Index = std::vector<std::int64_t>;

/// Inputs and parameters of one case, read as mathematics.
struct Case {
  Shape p;
  std::string layout;
  std::map<std::string, ir::Tensor> in;

  std::int64_t operator[](const char* name) const { return p.at(name); }
  double get(const char* name, const Index& i) const { return in.at(name).get(in.at(name).position(i)); }
  bool last() const { return layout == "NHWC"; }
  /// An element of an image by meaning, `outside` in the padding.
  double image(std::int64_t n, std::int64_t y, std::int64_t x, std::int64_t c, double outside = 0) const {
    y -= (*this)["pad"];
    x -= (*this)["pad"];
    if (y < 0 || x < 0 || y >= (*this)["h"] || x >= (*this)["w"]) return outside;
    return get("X", last() ? Index{n, y, x, c} : Index{n, c, y, x});
  }
};

double convolution(const Case& c, const Index& o) {
  const Index i = c.last() ? o : Index{o[0], o[2], o[3], o[1]};
  const auto ci = c["ci"] / c["groups"], co = c["co"] / c["groups"], group = i[3] / co;
  double s = 0;
  for (std::int64_t r = 0; r < c["kh"]; ++r) {
    for (std::int64_t t = 0; t < c["kw"]; ++t) {
      for (std::int64_t k = 0; k < ci; ++k) {
        const double x = c.image(i[0], i[1] * c["stride"] + r * c["dilation"], i[2] * c["stride"] + t * c["dilation"], group * ci + k);
        s += x * c.get("W", c.last() ? Index{r, t, k, i[3]} : Index{i[3], k, r, t});
      }
    }
  }
  return s;
}

double depthwise(const Case& c, const Index& o) {
  const Index i = c.last() ? o : Index{o[0], o[2], o[3], o[1]};
  double s = 0;
  for (std::int64_t r = 0; r < c["kh"]; ++r) {
    for (std::int64_t t = 0; t < c["kw"]; ++t) {
      const double x = c.image(i[0], i[1] * c["stride"] + r * c["dilation"], i[2] * c["stride"] + t * c["dilation"], i[3]);
      s += x * c.get("W", c.last() ? Index{r, t, i[3]} : Index{i[3], r, t});
    }
  }
  return s;
}

template <class F>
double window(const Case& c, const Index& o, double start, double outside, const F& f) {
  const Index i = c.last() ? o : Index{o[0], o[2], o[3], o[1]};
  for (std::int64_t r = 0; r < c["kh"]; ++r) {
    for (std::int64_t t = 0; t < c["kw"]; ++t) start = f(start, c.image(i[0], i[1] * c["stride"] + r, i[2] * c["stride"] + t, i[3], outside));
  }
  return start;
}

template <class F>
double over(std::int64_t n, const F& f, double start = 0) {
  for (std::int64_t k = 0; k < n; ++k) start += f(k);
  return start;
}

double product(const Case& c, const Index& i) {
  return over(c["k"], [&](std::int64_t k) { return c.get("X", {i[0], k}) * c.get("W", {i[1], k}); });
}

double gelu(double x) { return x / 2 * (1 + std::erf(x / std::sqrt(2.0))); }

double largest_of_row(const Case& c, std::int64_t i) {
  double m = -HUGE_VAL;
  for (std::int64_t k = 0; k < c["n"]; ++k) m = std::max(m, c.get("X", {i, k}));
  return m;
}

const std::map<std::string, double (*)(const Case&, const Index&)> kLoops{
    {"matmul", [](const Case& c, const Index& i) { return over(c["k"], [&](std::int64_t k) { return c.get("A", {i[0], k}) * c.get("B", {k, i[1]}); }); }},
    {"batch_matmul", [](const Case& c, const Index& i) { return over(c["k"], [&](std::int64_t k) { return c.get("A", {i[0], i[1], k}) * c.get("B", {i[0], k, i[2]}); }); }},
    {"dense", product},
    {"conv2d", convolution},
    {"depthwise_conv2d", depthwise},
    {"max_pool2d", [](const Case& c, const Index& i) { return window(c, i, -HUGE_VAL, -HUGE_VAL, [](double a, double b) { return std::max(a, b); }); }},
    {"avg_pool2d", [](const Case& c, const Index& i) { return window(c, i, 0, 0, [](double a, double b) { return a + b; }) / static_cast<double>(c["kh"] * c["kw"]); }},
    {"reduce_sum", [](const Case& c, const Index& i) { return over(c["n"], [&](std::int64_t k) { return c.get("X", {i[0], k}); }); }},
    {"reduce_max", [](const Case& c, const Index& i) { return largest_of_row(c, i[0]); }},
    {"reduce_mean", [](const Case& c, const Index& i) { return over(c["n"], [&](std::int64_t k) { return c.get("X", {i[0], k}); }) / static_cast<double>(c["n"]); }},
    {"column_sum", [](const Case& c, const Index& i) { return over(c["m"], [&](std::int64_t k) { return c.get("X", {k, i[0]}); }); }},
    {"norm", [](const Case& c, const Index& i) {
       return std::sqrt(over(c["m"], [&](std::int64_t m) { return over(c["n"], [&](std::int64_t n) { return c.get("X", {i[0], m, n}) * c.get("X", {i[0], m, n}); }); }));
     }},
    {"softmax", [](const Case& c, const Index& i) {
       const double m = largest_of_row(c, i[0]);
       return std::exp(c.get("X", i) - m) / over(c["n"], [&](std::int64_t k) { return std::exp(c.get("X", {i[0], k}) - m); });
     }},
    {"relu", [](const Case& c, const Index& i) { return std::max(c.get("X", i), 0.0); }},
    {"gelu", [](const Case& c, const Index& i) { return gelu(c.get("X", i)); }},
    {"sigmoid", [](const Case& c, const Index& i) { return 1 / (1 + std::exp(-c.get("X", i))); }},
    {"tanh", [](const Case& c, const Index& i) { return std::tanh(c.get("X", i)); }},
    {"exp", [](const Case& c, const Index& i) { return std::exp(c.get("X", i)); }},
    {"add", [](const Case& c, const Index& i) { return c.get("A", i) + c.get("B", i); }},
    {"mul", [](const Case& c, const Index& i) { return c.get("A", i) * c.get("B", i); }},
    {"bias_add", [](const Case& c, const Index& i) { return c.get("X", i) + c.get("bias", {i[1]}); }},
    {"conv2d_bias_relu", [](const Case& c, const Index& i) { return std::max(convolution(c, i) + c.get("bias", {c.last() ? i[3] : i[1]}), 0.0); }},
    {"dense_bias_gelu", [](const Case& c, const Index& i) { return gelu(product(c, i) + c.get("bias", {i[1]})); }},
};

std::vector<Shape> shapes(const Operator& op) {
  const auto has = [&](const char* name) {
    return std::any_of(op.parameters.begin(), op.parameters.end(), [&](const Parameter& p) { return p.name == name; });
  };
  if (!has("h")) {
    std::vector<Shape> out;
    for (const auto& sizes : {std::vector<std::int64_t>{5, 7, 11, 3}, {1, 1, 1, 1}, {3, 13, 2, 2}}) {
      Shape s;
      std::size_t i = 0;
      for (const char* name : {"m", "n", "k", "b"}) {
        if (has(name)) s[name] = sizes[i];
        ++i;
      }
      out.push_back(s);
    }
    return out;
  }
  std::vector<Shape> out;
  const auto add = [&](Shape s) {
    for (auto it = s.begin(); it != s.end();) it = has(it->first.c_str()) ? std::next(it) : s.erase(it);
    out.push_back(s);
  };
  add({{"n", 2}, {"h", 7}, {"w", 5}, {"c", 3}, {"ci", 6}, {"co", 4}, {"kh", 3}, {"kw", 2}, {"stride", 1}, {"pad", 1}, {"dilation", 1}, {"groups", 1}});
  add({{"n", 1}, {"h", 9}, {"w", 11}, {"c", 5}, {"ci", 6}, {"co", 4}, {"kh", 2}, {"kw", 3}, {"stride", 2}, {"pad", 0}, {"dilation", 2}, {"groups", 2}});
  add({{"n", 1}, {"h", 5}, {"w", 6}, {"c", 1}, {"ci", 3}, {"co", 9}, {"kh", 3}, {"kw", 3}, {"stride", 3}, {"pad", 2}, {"dilation", 1}, {"groups", 3}});
  add({{"n", 1}, {"h", 1}, {"w", 1}, {"c", 1}, {"ci", 1}, {"co", 1}, {"kh", 1}, {"kw", 1}, {"stride", 1}, {"pad", 0}, {"dilation", 1}, {"groups", 1}});
  return out;
}

TEST(Operators, AgreeWithLoops) {
  for (const Operator* op : catalog()) {
    ASSERT_TRUE(kLoops.count(op->name)) << op->name << " has no loops in this test";
    const auto layouts = op->layouts.empty() ? std::vector<std::string>{""} : op->layouts;
    for (const std::string& layout : layouts) {
      for (const Type t : op->dtypes) {
        for (const Shape& s : shapes(*op)) {
          SCOPED_TRACE(op->name + " " + layout + " " + ir::to_string(t));
          const auto built = build({op->name, s, layout, ir::to_string(t)});
          ASSERT_TRUE(built.ok()) << built.reason();
          const bool exact = dsl::supports_exact(*built);
          Case c;
          c.layout = layout;
          for (const Parameter& p : op->parameters) c.p[p.name] = s.count(p.name) ? s.at(p.name) : p.fallback;
          c.in = dsl::make_inputs(*built, 11, exact ? dsl::InputKind::kExact : dsl::InputKind::kRandom);
          dsl::Evaluator e(*built, c.in, exact ? dsl::EvaluateMode::kExact : dsl::EvaluateMode::kBounded);
          const std::string output = built->outputs()[0]->name;
          const auto got = e.all(output);
          ASSERT_TRUE(got.ok()) << got.reason();
          const auto extents = built->outputs()[0].extents();
          Index index(extents.size());
          for (std::size_t i = 0; i < got->values.size(); ++i) {
            auto rest = static_cast<std::int64_t>(i);
            for (std::size_t d = index.size(); d-- > 0;) {
              index[d] = rest % extents[d];
              rest /= extents[d];
            }
            const double want = kLoops.at(op->name)(c, index);
            const ir::BoundedFloat value = got->bounded(i);
            if (exact) {
              const Type out = got->dtype;
              ASSERT_EQ(value.value, out.is_integral() ? static_cast<double>(ir::wrap_int(static_cast<std::int64_t>(want), out)) : want) << i;
            } else {
              ASSERT_TRUE(std::isfinite(value.error)) << i;
              // The loops are in double, and use 1/sqrt 2 as double where an f32 program has it as f32.
              ASSERT_LE(std::abs(value.value - want), value.error + 1e-15 + (t == ir::f32 ? 1e-7 : 0)) << i << ": " << value.value << " " << want;
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace tessera::ops
