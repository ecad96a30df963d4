// Own vector functions against those of double, over floats of every size and kind, through a
// compiled kernel.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "driver/compile.h"
#include "dsl/dsl.h"
#include "runtime/cpu/host.h"

namespace tessera::codegen {
namespace {

constexpr std::int64_t kValues = 1 << 20;

/// Every 4096th float by bits, the densest where functions bend, and special values.
std::vector<float> inputs() {
  std::vector<float> out{0.0F, -0.0F, 1.0F, -1.0F, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                         std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::denorm_min(),
                         -std::numeric_limits<float>::denorm_min(), std::numeric_limits<float>::min(),
                         std::numeric_limits<float>::max(), std::numeric_limits<float>::lowest(), 88.7228F, 88.7229F,
                         -87.3365F, -103.9F, -104.1F, 0x1.62e42ep+6F, 9.01F, -9.01F, 3.9F, -3.9F, 0.5F, 0.999999F, 1.000001F};
  const std::size_t half = kValues / 2;
  for (std::uint64_t i = 0; out.size() < half; ++i) out.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(i * 8191 + 77)));
  for (std::size_t i = 0; out.size() < kValues; ++i) {
    out.push_back(static_cast<float>(-20.0 + 40.0 * static_cast<double>(i) / static_cast<double>(half)));
  }
  return out;
}

std::vector<std::byte> bytes(const std::vector<float>& v) {
  std::vector<std::byte> out(v.size() * sizeof(float));
  std::memcpy(out.data(), v.data(), out.size());
  return out;
}

std::vector<float> run(const std::string& target_text, const std::vector<float>& x, const std::function<ir::Expr(const ir::Expr&)>& f) {
  const auto n = static_cast<std::int64_t>(x.size());
  auto a = dsl::placeholder({n}, ir::f32, "A");
  auto c = dsl::compute({n}, [&](dsl::Var i) { return f(a(i)); }, "C");
  const auto dag = dsl::ComputeDag::from_outputs({c}, "math");
  const ir::Target target = driver::resolve_target(target_text);
  const auto image = driver::compile(dag, driver::default_plan(dag, target), target).or_throw();
  runtime::CpuMeasurer measurer;
  runtime::DataSet data;
  data.exact.inputs.push_back({"A", bytes(x)});
  data.real = data.exact;
  measurer.install(data);
  const runtime::Capture got = measurer.capture(image, {});
  EXPECT_TRUE(got.result.ok()) << got.result.message;
  std::vector<float> out(x.size());
  if (got.result.ok()) std::memcpy(out.data(), got.exact[0].data(), out.size() * sizeof(float));
  return out;
}

/// |got - want| in units of the last place of the float nearest to `want`.
double ulps(float got, double want) {
  const auto near = static_cast<float>(want);
  if (std::isnan(want)) return std::isnan(got) ? 0 : HUGE_VAL;
  if (std::isinf(near)) {
    const bool largest = std::fabs(got) == std::numeric_limits<float>::max() && std::signbit(got) == std::signbit(near);
    return got == near ? 0 : largest && std::isfinite(want) ? 1 : HUGE_VAL;
  }
  if (!std::isfinite(got)) return HUGE_VAL;
  int exponent = 0;
  std::frexp(near, &exponent);
  const double unit = std::ldexp(1.0, std::max(exponent - 24, -149));
  return std::fabs(static_cast<double>(got) - want) / unit;
}

void expect_within(double most, const std::function<ir::Expr(const ir::Expr&)>& f, const std::function<double(double)>& reference) {
  const std::vector<float> x = inputs();
  const std::vector<float> got = run("cpu", x, f);
  double worst = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double e = ulps(got[i], reference(static_cast<double>(x[i])));
    if (e > worst) {
      worst = e;
      at = i;
    }
  }
  ::testing::Test::RecordProperty("worst_ulp", std::to_string(worst));
  EXPECT_LE(worst, most) << "at " << std::hexfloat << x[at] << ": " << got[at] << ", not " << reference(x[at]);
}

TEST(VectorMath, Exp) {
  expect_within(2, [](const ir::Expr& x) { return ir::exp(x); }, [](double x) { return std::exp(x); });
}
TEST(VectorMath, Log) {
  expect_within(2, [](const ir::Expr& x) { return ir::log(x); }, [](double x) { return std::log(x); });
}
TEST(VectorMath, Tanh) {
  expect_within(4, [](const ir::Expr& x) { return ir::tanh(x); }, [](double x) { return std::tanh(x); });
}
TEST(VectorMath, Erf) {
  expect_within(4, [](const ir::Expr& x) { return ir::erf(x); }, [](double x) { return std::erf(x); });
}
TEST(VectorMath, Sigmoid) {
  expect_within(4, [](const ir::Expr& x) { return ir::sigmoid(x); }, [](double x) { return 1 / (1 + std::exp(-x)); });
}

}  // namespace
}  // namespace tessera::codegen
