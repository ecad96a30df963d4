#include "driver/reference.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "dsl/inputs.h"
#include "support/rng.h"

namespace tessera::driver {

namespace {

using dsl::EvaluateMode;
using Inputs = std::map<std::string, ir::Tensor>;

constexpr double kEveryPoint = 4 << 20;  // operations up to which every point is evaluated
constexpr int kRandomPoints = 4096;
// Terms of a sum from which the bound of its rounding, 2^-24 of all of them for each, hides a wrong element.
constexpr std::int64_t kLongSum = 1 << 16;

std::vector<std::byte> to_bytes(const ir::Tensor& t) {
  std::vector<std::byte> out(t.bytes.size());
  std::memcpy(out.data(), t.bytes.data(), t.bytes.size());
  return out;
}

std::vector<runtime::Operand> operands(const Inputs& inputs) {
  std::vector<runtime::Operand> out;
  for (const auto& [name, tensor] : inputs) out.push_back({name, to_bytes(tensor)});
  return out;
}

/// Values of an evaluation as the dtype stores them, and how far from them a right answer may lie.
runtime::ExpectedOutput expected(const std::string& name, const dsl::Evaluation& e, std::vector<std::int64_t> points) {
  runtime::ExpectedOutput out;
  out.name = name;
  out.points = std::move(points);
  ir::Tensor stored(e.dtype, {static_cast<std::int64_t>(e.values.size())});
  const bool f = e.dtype.is_float();
  bool loose = false;
  for (std::size_t i = 0; i < e.values.size(); ++i) {
    ir::Scalar v = e.values[i];
    if (f) v.f = ir::rounded(v.f, e.dtype);
    stored.put(static_cast<std::int64_t>(i), v);
    if (e.errors.empty()) continue;
    double bound = e.errors[i];
    if (f && std::isfinite(e.values[i].f)) bound += std::fabs(v.f - e.values[i].f);
    const float up = std::nextafter(static_cast<float>(bound), HUGE_VALF);
    out.bounds.push_back(bound == 0 ? 0.0F : up);
    loose |= bound != 0;
  }
  out.values = to_bytes(stored);
  out.comparison = loose ? runtime::Comparison::kBounded : runtime::Comparison::kExact;
  if (!loose) out.bounds.clear();
  return out;
}

/// All corners of the box and random points, as sorted row-major positions.
std::vector<std::int64_t> sample_points(const std::vector<std::int64_t>& shape, std::uint64_t seed) {
  std::vector<std::int64_t> out;
  std::int64_t total = 1;
  for (const std::int64_t n : shape) total *= n;
  for (std::uint32_t corner = 0; corner < (1U << shape.size()); ++corner) {
    std::int64_t p = 0;
    for (std::size_t d = 0; d < shape.size(); ++d) p = p * shape[d] + ((corner >> d & 1U) != 0 ? shape[d] - 1 : 0);
    out.push_back(p);
  }
  Rng rng(seed, {0x9017});
  for (int i = 0; i < kRandomPoints; ++i) out.push_back(rng.below(total));
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

class Maker {
 public:
  Maker(const dsl::ComputeDag& dag, const ir::Target& target, std::uint64_t seed, Builder& builder,
        runtime::CpuMeasurer& measurer)
      : dag_(dag), target_(target), seed_(seed), builder_(builder), measurer_(measurer) {}

  Reference make() {
    out_.exact = dsl::supports_exact(dag_);
    const dsl::InputKind otherwise = dsl::longest_sum(dag_) >= kLongSum ? dsl::InputKind::kSigns : dsl::InputKind::kRandom;
    const Inputs first = dsl::make_inputs(dag_, seed_, out_.exact ? dsl::InputKind::kExact : otherwise);
    const Inputs second = dsl::make_inputs(dag_, seed_ + 1, dsl::InputKind::kRandom);
    out_.data.exact.inputs = operands(first);
    out_.data.real.inputs = operands(second);
    out_.every_point = dag_.flops() <= kEveryPoint;
    runtime::Capture whole;
    if (!out_.every_point) whole = run_default_plan();
    fill(out_.data.exact, first, out_.exact ? EvaluateMode::kExact : EvaluateMode::kBounded, whole.exact);
    fill(out_.data.real, second, EvaluateMode::kBounded, whole.real);
    return std::move(out_);
  }

 private:
  runtime::Capture run_default_plan() {
    const BuildResult built = builder_.build(dag_, default_plan(dag_, target_), target_);
    TESSERA_CHECK(built.status == runtime::MeasureStatus::kOk) << "the default plan does not build: " << built.message;
    measurer_.install(out_.data);
    runtime::MeasureOptions options;
    options.limits.wall_ns = 600'000'000'000;
    runtime::Capture c = measurer_.capture(*built.image, options);
    TESSERA_CHECK(c.result.ok()) << "the default plan does not run: " << runtime::to_string(c.result.status) << " "
                                 << c.result.message;
    return c;
  }

  void fill(runtime::OperandSet& set, const Inputs& inputs, EvaluateMode mode,
            const std::vector<std::vector<std::byte>>& whole) {
    dsl::Evaluator evaluator(dag_, inputs, mode);
    for (std::size_t i = 0; i < dag_.outputs().size(); ++i) {
      const ir::Buffer& b = dag_.outputs()[i];
      if (out_.every_point) {
        set.outputs.push_back(expected(b->name, evaluator.all(b->name).or_throw(), {}));
        continue;
      }
      std::vector<std::int64_t> points = sample_points(b.extents(), seed_ + i);
      const dsl::Evaluation at = evaluator.at(b->name, points).or_throw();
      set.outputs.push_back(certified(b, at, points, whole[i]));
      if (mode == EvaluateMode::kBounded) set.outputs.push_back(expected(b->name, at, std::move(points)));
    }
  }

  /// The default plan's whole output, after it has stood the test at the points.
  runtime::ExpectedOutput certified(const ir::Buffer& b, const dsl::Evaluation& at, const std::vector<std::int64_t>& points,
                                    const std::vector<std::byte>& whole) {
    ir::Tensor got(b->dtype, b.extents());
    TESSERA_CHECK(got.bytes.size() == whole.size()) << "output '" << b->name << "' has the wrong size";
    std::memcpy(got.bytes.data(), whole.data(), whole.size());
    double worst = 0;
    bool loose = false;
    for (std::size_t i = 0; i < points.size(); ++i) {
      TESSERA_CHECK(at.accepts(i, got.at(points[i]))) << "the default plan of '" << dag_.name() << "' is wrong at element "
                                                      << points[i] << " of '" << b->name << "'";
      if (at.errors.empty()) continue;
      loose |= at.errors[i] > 0;
      if (std::isfinite(at.errors[i])) worst = std::max(worst, at.errors[i]);
    }
    runtime::ExpectedOutput out;
    out.name = b->name;
    out.values = whole;
    if (loose) {
      // Both answers lie within the bound of the true value; elements between the points may have a
      // somewhat larger one. Where no point has a bound, there is none between them either.
      out.comparison = runtime::Comparison::kBounded;
      out.absolute = worst > 0 ? 4 * worst : HUGE_VAL;
    }
    return out;
  }

  const dsl::ComputeDag& dag_;
  const ir::Target& target_;
  std::uint64_t seed_;
  Builder& builder_;
  runtime::CpuMeasurer& measurer_;
  Reference out_;
};

}  // namespace

Reference make_reference(const dsl::ComputeDag& dag, const ir::Target& target, std::uint64_t seed, Builder& builder,
                         runtime::CpuMeasurer& measurer) {
  return Maker(dag, target, seed, builder, measurer).make();
}

}  // namespace tessera::driver
