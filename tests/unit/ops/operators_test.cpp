// Every operator of the catalogue against plain loops, on small odd shapes.
#include <gtest/gtest.h>

#include "dsl/evaluate.h"
#include "dsl/inputs.h"
#include "ops/catalog.h"
#include "tests/unit/ops/plain_loops.h"

namespace tessera::ops {
namespace {

using namespace plain;

template <class F>
double dot(const Case& c, const F& f) {
  return over(c["k"], f);
}

double dense_at(const Case& c, const Index& i) { return dot(c, [&](std::int64_t k) { return c.get("X", {i[0], k}) * c.get("W", {i[1], k}); }); }
double matmul_at(const Case& c, const Index& i) { return dot(c, [&](std::int64_t k) { return c.get("A", {i[0], k}) * c.get("B", {k, i[1]}); }); }

using Loops = double (*)(const Case&, const Index&);
#define LOOPS [](const Case& c, const Index& i) -> double

const std::map<std::string, Loops> kLoops{
    {"matmul", matmul_at},
    {"batch_matmul", LOOPS { return dot(c, [&](std::int64_t k) { return c.get("A", {i[0], i[1], k}) * c.get("B", {i[0], k, i[2]}); }); }},
    {"dense", dense_at},
    {"conv1d", convolution},
    {"conv2d", convolution},
    {"conv3d", convolution},
    {"conv2d_transposed", transposed},
    {"depthwise_conv2d", LOOPS { return depthwise(c, i); }},
    {"capsule_conv2d", capsule},
    {"max_pool2d", LOOPS { return pooled(c, i, -HUGE_VAL, -HUGE_VAL, [](double a, double b) { return std::max(a, b); }); }},
    {"avg_pool2d", LOOPS { return pooled(c, i, 0, 0, [](double a, double b) { return a + b; }) / static_cast<double>(c["kh"] * c["kw"]); }},
    {"global_avg_pool2d", LOOPS {
       const double s = over(c["h"], [&](std::int64_t y) { return over(c["w"], [&](std::int64_t x) { return c.get("X", c.image_index(i[0], {0, y, x}, i[1])); }); });
       return s / static_cast<double>(c["h"] * c["w"]);
     }},
    {"reduce_sum", LOOPS { return over(c["n"], Row{c, i[0]}); }},
    {"reduce_max", LOOPS { return Row{c, i[0]}.top(); }},
    {"reduce_mean", LOOPS { return Row{c, i[0]}.mean(); }},
    {"column_sum", LOOPS { return over(c["m"], [&](std::int64_t k) { return c.get("X", {k, i[0]}); }); }},
    {"argmax", LOOPS {
       const Row x{c, i[0]};
       std::int64_t k = 0;
       while (x[k] != x.top()) ++k;
       return static_cast<double>(k);
     }},
    {"norm", LOOPS {
       return std::sqrt(over(c["m"], [&](std::int64_t m) { return over(c["n"], [&](std::int64_t n) { return c.get("X", {i[0], m, n}) * c.get("X", {i[0], m, n}); }); }));
     }},
    {"cumsum", LOOPS { return over(i[0] + 1, [&](std::int64_t t) { return c.get("X", {t, i[1]}); }); }},
    {"cumsum_rows", LOOPS { return over(i[1] + 1, [&](std::int64_t t) { return c.get("X", {i[0], t}); }); }},
    {"rnn", recurrent},
    {"csr_spmm", LOOPS {
       const auto row = [&](std::int64_t r) { return static_cast<std::int64_t>(c.get("indptr", {r})); };
       return over(row(i[0] + 1) - row(i[0]), [&](std::int64_t e) {
         const std::int64_t p = row(i[0]) + e;
         return c.get("values", {p}) * c.get("B", {static_cast<std::int64_t>(c.get("indices", {p})), i[1]});
       });
     }},
    {"softmax", LOOPS { return share(c["n"], i[1], Row{c, i[0]}); }},
    {"log_softmax", LOOPS { return Row{c, i[0]}[i[1]] - Row{c, i[0]}.top() - std::log(Row{c, i[0]}.powers()); }},
    {"layer_norm", layer_norm},
    {"rms_norm", LOOPS {
       const Row x{c, i[0]};
       return x[i[1]] / std::sqrt(x.squares() / static_cast<double>(x.size()) + 1e-5) * c.get("gamma", {i[1]});
     }},
    {"l2_normalize", LOOPS { return Row{c, i[0]}[i[1]] / std::sqrt(Row{c, i[0]}.squares()); }},
    {"batch_norm", LOOPS { return batch_norm(c, c.channel(i), c.get("X", i)); }},
    {"transpose", LOOPS { return c.get("X", {i[1], i[0]}); }},
    {"transpose_heads", LOOPS { return c.get("X", {i[0], i[2], i[1], i[3]}); }},
    {"relu", LOOPS { return std::max(c.get("X", i), 0.0); }},
    {"leaky_relu", LOOPS {
       const double slope = c.in.at("X").dtype == ir::f64 ? 0.01 : static_cast<double>(0.01F);
       return c.get("X", i) * (c.get("X", i) < 0 ? slope : 1);
     }},
    {"gelu", LOOPS { return gelu(c.get("X", i)); }},
    {"silu", LOOPS { return c.get("X", i) / (1 + std::exp(-c.get("X", i))); }},
    {"sigmoid", LOOPS { return 1 / (1 + std::exp(-c.get("X", i))); }},
    {"tanh", LOOPS { return std::tanh(c.get("X", i)); }},
    {"exp", LOOPS { return std::exp(c.get("X", i)); }},
    {"log", LOOPS { return std::log(c.get("X", i)); }},
    {"sqrt", LOOPS { return std::sqrt(c.get("X", i)); }},
    {"rsqrt", LOOPS { return 1 / std::sqrt(c.get("X", i)); }},
    {"erf", LOOPS { return std::erf(c.get("X", i)); }},
    {"abs", LOOPS { return std::abs(c.get("X", i)); }},
    {"neg", LOOPS { return -c.get("X", i); }},
    {"add", LOOPS { return c.get("A", i) + second(c, i); }},
    {"sub", LOOPS { return c.get("A", i) - second(c, i); }},
    {"mul", LOOPS { return c.get("A", i) * second(c, i); }},
    {"div", LOOPS { return c.get("A", i) / second(c, i); }},
    {"maximum", LOOPS { return std::max(c.get("A", i), second(c, i)); }},
    {"minimum", LOOPS { return std::min(c.get("A", i), second(c, i)); }},
    {"bias_add", LOOPS { return c.get("X", i) + c.get("bias", {i[1]}); }},
    {"conv2d_bias_relu", LOOPS { return std::max(convolution(c, i) + c.get("bias", {c.channel(i)}), 0.0); }},
    {"conv2d_bn_relu", LOOPS { return std::max(batch_norm(c, c.channel(i), convolution(c, i)), 0.0); }},
    {"dense_bias_gelu", LOOPS { return gelu(dense_at(c, i) + c.get("bias", {i[1]})); }},
    {"matmul_bias_gelu", LOOPS { return gelu(matmul_at(c, i) + c.get("bias", {i[1]})); }},
    {"depthwise_pointwise", depthwise_pointwise},
    {"transpose_batch_matmul", LOOPS { return score(c, i, i[3]); }},
    {"transpose_batch_matmul_softmax", LOOPS { return share(c["seq"], i[3], [&](std::int64_t j) { return score(c, i, j); }); }},
    {"attention", attention},
};

/// Values for every parameter that some operator has; each operator takes those it knows.
std::vector<Shape> all_shapes(bool images) {
  if (!images) {
    const std::vector<const char*> names{"m", "n", "k", "b", "seq", "heads", "dim", "hidden", "causal", "broadcast", "batch", "nnz"};
    std::vector<Shape> out;
    for (const Index& sizes : {Index{5, 7, 11, 3, 5, 3, 7, 7, 0, 0, 2, 9}, Index{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
                               Index{3, 13, 2, 2, 6, 1, 3, 2, 1, 1, 3, 5}, Index{1, 17, 5, 1, 3, 2, 8, 4, 0, 2, 1, 4},
                               Index{9, 2, 1, 2, 4, 3, 1, 1, 1, 2, 4, 9}}) {
      Shape s;
      for (std::size_t i = 0; i < names.size(); ++i) s[names[i]] = sizes[i];
      out.push_back(s);
    }
    return out;
  }
  const std::vector<const char*> names{"n", "d", "h", "w", "c", "ci", "co", "kd", "kh", "kw", "stride", "pad", "dilation", "groups", "output_pad", "capsule"};
  std::vector<Shape> out;
  for (const Index& sizes : {
           Index{2, 3, 7, 5, 3, 6, 4, 2, 3, 2, 1, 1, 1, 1, 0, 2},
           Index{1, 5, 9, 11, 5, 6, 4, 3, 2, 3, 2, 0, 2, 2, 1, 3},
           Index{1, 4, 5, 6, 1, 3, 9, 3, 3, 3, 3, 2, 1, 3, 2, 1},
           Index{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 0, 4},
           Index{3, 3, 8, 7, 2, 4, 2, 2, 4, 5, 2, 1, 1, 2, 0, 2},   // of the two kernel extents stride divides one
           Index{2, 2, 6, 13, 7, 8, 8, 2, 2, 4, 4, 1, 1, 4, 3, 1},  // stride beyond the kernel
           Index{1, 6, 7, 6, 3, 3, 3, 3, 3, 4, 1, 2, 3, 1, 0, 2},   // more padding, wide dilation
       }) {
    Shape s;
    for (std::size_t i = 0; i < names.size(); ++i) s[names[i]] = sizes[i];
    out.push_back(s);
  }
  return out;
}

std::vector<Shape> shapes(const Operator& op) {
  const auto has = [&](const std::string& name) {
    return std::any_of(op.parameters.begin(), op.parameters.end(), [&](const Parameter& p) { return p.name == name; });
  };
  std::vector<Shape> out = all_shapes(has("w"));
  for (Shape& s : out) {
    for (auto it = s.begin(); it != s.end();) it = has(it->first) ? std::next(it) : s.erase(it);
    EXPECT_EQ(s.size(), op.parameters.size()) << op.name << " has a parameter that this test does not set";
  }
  return out;
}

void expect_as_loops(const Operator& op, const std::string& layout, Type t, const Shape& s) {
  const auto built = build({op.name, s, layout, ir::to_string(t)});
  ASSERT_TRUE(built.ok()) << built.reason();
  const bool exact = dsl::supports_exact(*built);
  Case c{s, layout, dsl::make_inputs(*built, 11, exact ? dsl::InputKind::kExact : dsl::InputKind::kRandom)};
  dsl::Evaluator e(*built, c.in, exact ? dsl::EvaluateMode::kExact : dsl::EvaluateMode::kBounded);
  const auto got = e.all(built->outputs()[0]->name);
  ASSERT_TRUE(got.ok()) << got.reason();
  const auto extents = built->outputs()[0].extents();
  Index index(extents.size());
  for (std::size_t i = 0; i < got->values.size(); ++i) {
    auto rest = static_cast<std::int64_t>(i);
    for (std::size_t d = index.size(); d-- > 0;) {
      index[d] = rest % extents[d];
      rest /= extents[d];
    }
    const double want = kLoops.at(op.name)(c, index);
    const ir::BoundedFloat value = got->bounded(i);
    if (exact) {
      const Type out = got->dtype;
      ASSERT_EQ(value.value, out.is_integral() ? static_cast<double>(ir::wrap_int(static_cast<std::int64_t>(want), out)) : want) << i;
    } else {
      ASSERT_TRUE(std::isfinite(value.error)) << i;
      // The loops are in double, and have constants as double that the program has in f32.
      ASSERT_LE(std::abs(value.value - want), value.error + 1e-15 + (t == ir::f64 ? 0 : 1e-7)) << i << ": " << value.value << " " << want;
    }
  }
}

class Operators : public testing::TestWithParam<std::string> {};

TEST_P(Operators, AgreeWithLoops) {
  const Operator& op = *find_operator(GetParam()).or_throw();
  ASSERT_TRUE(kLoops.count(op.name)) << op.name << " has no loops in this test";
  for (const std::string& layout : op.layouts.empty() ? std::vector<std::string>{""} : op.layouts) {
    for (const Type t : op.dtypes) {
      for (const Shape& s : shapes(op)) {
        SCOPED_TRACE(layout + " " + ir::to_string(t) + " n=" + std::to_string(s.count("n") != 0 ? s.at("n") : 0));
        expect_as_loops(op, layout, t, s);
      }
    }
  }
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const Operator* op : catalog()) out.push_back(op->name);
  return out;
}

INSTANTIATE_TEST_SUITE_P(Catalog, Operators, testing::ValuesIn(names()), [](const auto& info) { return info.param; });

TEST(Argmax, EqualElementsGiveTheFirst) {
  const auto dag = build({"argmax", {{"m", 2}, {"n", 5}}, "", ""}).or_throw();
  ir::Tensor x(ir::f32, {2, 5});
  for (const std::int64_t at : {1, 3, 5, 9}) x.put(at, ir::Scalar{.f = 7});
  dsl::Evaluator e(dag, {{"X", x}});
  const auto y = e.tensor("Y").or_throw();
  EXPECT_EQ(y.dtype, ir::i32);
  EXPECT_EQ(y.get_int(0), 1);
  EXPECT_EQ(y.get_int(1), 0);
}

}  // namespace
}  // namespace tessera::ops
