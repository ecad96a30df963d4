// Evaluator, what is not computed point by point: the rows of scans and the statements of externs.
#include <algorithm>
#include <cmath>
#include <set>

#include "dsl/detail/evaluator_state.h"
#include "ir/interpret.h"

namespace tessera::dsl {

namespace {

using detail::Failure;
using detail::Unit;
using ir::Scalar;

/// Right answers of an extern lie within this share of its largest value: statements have no proved bound,
/// and those of the compiled kernel round alike but for fused multiply-adds.
constexpr double kExternShare = 1.0 / 1024;

/// Logs come from anybody: what one asks for is computed in bounded time and memory.
constexpr std::int64_t kMostSteps = std::int64_t{1} << 31;
constexpr std::int64_t kMostElements = std::int64_t{1} << 27;

std::int64_t stride_of(const std::vector<std::int64_t>& extents, std::size_t axis) {
  std::int64_t stride = 1;
  for (std::size_t d = axis + 1; d < extents.size(); ++d) stride *= extents[d];
  return stride;
}

/// All positions that agree with one of `seeds` in the dimensions that are independent, at row 0.
std::vector<std::int64_t> spread(const Unit& u, const std::set<std::int64_t>& seeds) {
  std::set<std::int64_t> out = seeds;
  for (std::size_t d = 0; d < u.extents.size(); ++d) {
    if (u.independent[d] || static_cast<int>(d) == u.stage->scan->axis) continue;
    const std::int64_t stride = stride_of(u.extents, d);
    std::set<std::int64_t> wider;
    for (const std::int64_t p : out) {
      const std::int64_t base = p - p / stride % u.extents[d] * stride;
      for (std::int64_t i = 0; i < u.extents[d]; ++i) wider.insert(wider.end(), base + i * stride);
    }
    out = std::move(wider);
  }
  return {out.begin(), out.end()};
}

}  // namespace

void Evaluator::State::run_rows(Unit& u, const std::vector<std::int64_t>& positions) {
  const auto axis = static_cast<std::size_t>(u.stage->scan->axis);
  const std::int64_t stride = stride_of(u.extents, axis);
  std::int64_t last = 0;
  std::set<std::int64_t> seeds;
  for (const std::int64_t p : positions) {
    const std::int64_t row = p / stride % u.extents[axis];
    last = std::max(last, row);
    seeds.insert(p - row * stride);
  }
  const std::vector<std::int64_t> line = spread(u, seeds);
  if (static_cast<double>(last) * static_cast<double>(line.size()) > static_cast<double>(kMostSteps)) {
    throw Failure{"scan '" + u.stage->name + "' has more than 2^31 elements before those wanted, too many to evaluate"};
  }
  u.stepping = true;
  std::vector<std::int64_t> row;
  try {
    for (std::int64_t t = 0; t <= last; ++t) {
      row.clear();
      for (const std::int64_t p : line) {
        if (!u.values[0].known(p + t * stride)) row.push_back(p + t * stride);
      }
      run_points(u, row);
    }
  } catch (const Failure&) {
    u.stepping = false;
    throw;
  }
  u.stepping = false;
}

void Evaluator::State::run_rows_before(const Unit& part, const std::vector<std::int64_t>& positions) {
  Unit& scan = units[static_cast<std::size_t>(part.scan)];
  const auto axis = static_cast<std::size_t>(scan.stage->scan->axis);
  std::int64_t last = 0;
  for (const std::int64_t p : positions) last = std::max(last, p / stride_of(part.extents, axis) % part.extents[axis] - 1);
  if (last < 0) return;
  std::vector<std::int64_t> wanted;
  std::int64_t size = 1;
  for (const std::int64_t n : scan.extents) size *= n;
  const std::int64_t stride = stride_of(scan.extents, axis);
  for (std::int64_t p = 0; p < size; ++p) {
    if (p / stride % scan.extents[axis] == last && !scan.values[0].known(p)) wanted.push_back(p);
  }
  run_rows(scan, wanted);
}

ir::Tensor Evaluator::State::whole(const Buffer& b, double& error) {
  const detail::Source from = where.at(b.get());
  if (from.input != nullptr) return *from.input;
  ir::Tensor out(b->dtype, b.extents());
  detail::Values& values = units[from.stage].values[from.value];
  std::vector<std::int64_t> missing;
  for (std::int64_t p = 0; p < out.size(); ++p) {
    if (!values.known(p)) missing.push_back(p);
  }
  if (!missing.empty()) ensure(from.stage, missing);
  for (std::int64_t p = 0; p < out.size(); ++p) {
    Scalar v = values.get(p);
    if (b->dtype.is_float()) v.f = ir::rounded(v.f, b->dtype);
    if (bounded()) error = std::max(error, values.error(p));
    out.put(p, v);
  }
  return out;
}

void Evaluator::State::run_extern(Unit& u) {
  const ExternCode& code = *u.stage->code;
  std::map<std::string, ir::Tensor> in;
  double error = 0;
  std::int64_t elements = 0;
  for (const ir::ProgramBuffer& b : code.code->buffers) {
    std::int64_t n = 1;
    for (const std::int64_t e : b.buffer.extents()) n *= e;  // dsl bounds it
    elements += n;
  }
  if (elements > kMostElements) throw Failure{"extern stage '" + u.stage->name + "' has operands of more than 2^27 elements, too many to evaluate"};
  for (std::size_t i = 0; i < code.reads.size(); ++i) in.emplace(code.code->buffers[i].buffer->name, whole(code.reads[i], error));
  ir::InterpretOptions options;
  options.exact = !bounded();
  options.max_steps = kMostSteps;
  auto out = ir::interpret(*code.code, in, options);
  if (!out.ok()) throw Failure{"stage '" + u.stage->name + "': " + out.reason()};
  for (std::size_t v = 0; v < u.values.size(); ++v) {
    const ir::Tensor& t = (*out)[v];
    double largest = 0;
    for (std::int64_t p = 0; p < t.size() && t.dtype.is_float(); ++p) largest = std::max(largest, std::fabs(t.at(p).f));
    // What it makes of a value with an error, nobody knows.
    const double bound = error > 0 || !std::isfinite(largest) ? HUGE_VAL : largest * kExternShare;
    for (std::int64_t p = 0; p < t.size(); ++p) u.values[v].put(p, t.at(p), bound);
  }
}

}  // namespace tessera::dsl
