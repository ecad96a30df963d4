// Evaluator: its construction, and what callers ask of it.
#include "dsl/evaluate.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "dsl/detail/evaluator_state.h"
#include "dsl/step_shape.h"
#include "ir/print.h"

namespace tessera::dsl {

namespace {

using detail::Failure;
using detail::Frame;
using detail::kPage;
using detail::Source;
using detail::Unit;
using detail::Values;
using ir::BoundedFloat;
using ir::Scalar;

constexpr std::int64_t kMaxElements = std::int64_t{1} << 34;

}  // namespace

// ---- construction -------------------------------------------------------------------------------

Evaluator::State::State(ComputeDag d, std::map<std::string, ir::Tensor> in, EvaluateMode m)
    : dag(std::move(d)), inputs(std::move(in)), mode(m) {
  TESSERA_USER_CHECK(!dag.is_symbolic()) << "program '" << dag.name() << "' has symbolic extents; give each symbol a number first";
  for (const auto& [name, t] : inputs) {
    const Stage* s = dag.find(name);
    TESSERA_USER_CHECK(s != nullptr && s->is_input()) << "'" << name << "' is no input of program '" << dag.name() << "'";
  }
  for (std::size_t i = 0; i < dag.stages().size(); ++i) {
    const Stage& s = dag.stages()[i];
    for (std::size_t v = 0; v < s.outputs.size(); ++v) where[s.outputs[v].get()] = Source{nullptr, i, v};
  }
  for (const Stage& s : dag.stages()) prepare(s);
  prepare_steps();
}

void Evaluator::State::prepare_steps() {
  for (std::size_t i = 0; i < units.size(); ++i) {
    if (!units[i].stage->scan) continue;
    std::vector<StepPart> parts;
    for (const Stage* s : dag.step_of(*units[i].stage)) {
      units[where.at(s->outputs[0].get()).stage].scan = static_cast<int>(i);
      StepPart p{s->outputs, {}, &s->body};
      for (const Axis& a : s->axes) p.coordinates.push_back(a.var);
      parts.push_back(std::move(p));
    }
    units[i].independent = independent_dimensions(parts, units[i].stage->scan->axis);
  }
}

void Evaluator::State::prepare(const Stage& s) {
  const auto extents = s.outputs[0].extents();
  units.emplace_back();
  Unit& u = units.back();
  u.stage = &s;
  u.extents = extents;
  if (s.is_input()) {
    const auto it = inputs.find(s.name);
    TESSERA_USER_CHECK(it != inputs.end()) << "input '" << s.name << "' of program '" << dag.name() << "' has no values";
    TESSERA_USER_CHECK(it->second.dtype == s.outputs[0]->dtype)
        << "input '" << s.name << "' is " << s.outputs[0]->dtype << ", its values are " << it->second.dtype;
    TESSERA_USER_CHECK(it->second.shape == extents) << "the values of input '" << s.name << "' have another shape than it";
    where[s.outputs[0].get()].input = &it->second;
    return;
  }
  std::int64_t size = 1;
  for (const std::int64_t n : extents) size *= n;  // dsl bounds it
  TESSERA_USER_CHECK(size <= kMaxElements) << "stage '" << s.name << "' is too large to evaluate";
  for (std::size_t v = 0; v < s.outputs.size(); ++v) u.values.emplace_back(size, bounded());
  if (s.code) return;
  std::vector<Var> vars;
  for (const Axis& a : s.axes) vars.push_back(a.var);
  for (const Axis& a : s.reduce_axes) {
    std::int64_t n = 0;
    TESSERA_CHECK(is_const_int(a.extent, &n)) << "extent " << a.extent;
    u.reduce_extents.push_back(n);
    TESSERA_USER_CHECK(!__builtin_mul_overflow(u.reduction, n, &u.reduction)) << "the reduction of '" << s.name << "' is too long to evaluate";
    vars.push_back(a.var);
  }
  const ir::Reduce* r = s.reduce();
  u.body.start(detail::compile(vars, r != nullptr ? r->sources : s.body), bounded());
  if (r != nullptr && r->combiner->op == ir::ReduceOp::kCustom) {
    std::vector<Var> tuple = r->combiner->lhs;
    tuple.insert(tuple.end(), r->combiner->rhs.begin(), r->combiner->rhs.end());
    u.combine.start(detail::compile(tuple, r->combiner->result), bounded());
    u.kinds = detail::classify(*r->combiner);
  }
  for (const detail::Access& a : u.body.code.accesses) u.body.sources.push_back(where.at(a.buffer));
}

// ---- refusals -----------------------------------------------------------------------------------

void Evaluator::State::fail(const Unit& u, const Frame& f, int lane, const std::string& what) const {
  std::ostringstream out;
  out << "stage '" << u.stage->name << "'";
  if (&f == &u.body) {
    std::size_t i = 0;
    for (const auto* axes : {&u.stage->axes, &u.stage->reduce_axes}) {
      for (const Axis& a : *axes) {
        out << (i ? ", " : " at ") << a.name() << "=" << f.values[f.code.arguments[i]][static_cast<std::size_t>(lane)].i;
        ++i;
      }
    }
  }
  out << ": " << what;
  throw Failure{out.str()};
}

void Evaluator::State::not_exact(const Unit& u, const Frame& f, int lane, const std::string& what,
                                 Type t) const {
  fail(u, f, lane, what + " is not exact in " + ir::to_string(t) + "; use bounded mode or smaller integers");
}

// ---- what callers ask ---------------------------------------------------------------------------

Result<Source> Evaluator::State::find(const std::string& buffer) const {
  std::string known;
  for (const Stage& s : dag.stages()) {
    for (const Buffer& b : s.outputs) {
      if (s.is_input()) continue;
      if (b->name == buffer) return where.at(b.get());
      known += (known.empty() ? "" : ", ") + b->name;
    }
  }
  return refuse("'", buffer, "' is not computed by program '", dag.name(), "'; computed are ", known);
}

std::int64_t Evaluator::State::size(const Source& s) const {
  std::int64_t n = 1;
  for (const std::int64_t x : units[s.stage].extents) n *= x;
  return n;
}

template <class F>
void Evaluator::State::visit(const Source& s, const std::vector<std::int64_t>* positions, const F& f) {
  const std::int64_t n = positions != nullptr ? static_cast<std::int64_t>(positions->size()) : size(s);
  const std::int64_t limit = size(s);
  Values& values = units[s.stage].values[s.value];
  std::vector<std::int64_t> missing;
  for (std::int64_t from = 0; from < n; from += kPage) {
    const std::int64_t to = std::min(n, from + kPage);
    const auto position = [&](std::int64_t i) { return positions != nullptr ? (*positions)[static_cast<std::size_t>(i)] : i; };
    missing.clear();
    for (std::int64_t i = from; i < to; ++i) {
      const std::int64_t p = position(i);
      if (p < 0 || p >= limit) throw Failure{"position " + std::to_string(p) + " is outside a buffer of " + std::to_string(limit) + " elements"};
      if (!values.known(p)) missing.push_back(p);
    }
    std::sort(missing.begin(), missing.end());
    missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
    if (!missing.empty()) ensure(s.stage, missing);
    for (std::int64_t i = from; i < to; ++i) f(i, position(i), values.get(position(i)), bounded() ? values.error(position(i)) : 0.0);
  }
}

Result<Evaluation> Evaluator::State::evaluate(const std::string& buffer, const std::vector<std::int64_t>* positions) {
  TESSERA_TRY(s, find(buffer));
  Evaluation out;
  out.dtype = dtype(s);
  try {
    visit(s, positions, [&](std::int64_t, std::int64_t, Scalar v, double e) {
      out.values.push_back(v);
      if (bounded()) out.errors.push_back(e);
    });
  } catch (const Failure& f) {
    return Refusal{f.reason};
  }
  return out;
}

namespace {

std::string value_text(Scalar v, Type t) {
  if (t.is_float()) return ir::float_text(v.f);
  return t == ir::u64 ? std::to_string(static_cast<std::uint64_t>(v.i)) : std::to_string(v.i);
}

bool is_right(Type t, Scalar expected, double error, Scalar got) {
  if (std::isinf(error)) return true;
  if (!t.is_float()) return expected.i == got.i;
  if (std::isnan(expected.f)) return std::isnan(got.f);
  return BoundedFloat{expected.f, error}.contains(got.f);
}

}  // namespace

Result<Comparison> Evaluator::State::compare(const std::string& buffer, const ir::Tensor& got,
                                             const std::vector<std::int64_t>* positions, double error_factor) {
  TESSERA_TRY(s, find(buffer));
  const Type t = dtype(s);
  if (got.dtype != t) return refuse("'", buffer, "' is ", t, ", the result is ", got.dtype);
  if (got.shape != units[s.stage].extents) return refuse("the result has another shape than '", buffer, "'");
  Comparison out;
  try {
    visit(s, positions, [&](std::int64_t, std::int64_t p, Scalar v, double bound) {
      const double e = bound * error_factor;
      ++out.checked;
      if (std::isinf(e)) ++out.do_not_care;
      const Scalar x = got.at(p);
      if (is_right(t, v, e, x)) return;
      if (out.wrong++ > 0) return;
      std::string index;
      for (std::size_t d = units[s.stage].extents.size(); d-- > 0;) {
        index = std::to_string(p % units[s.stage].extents[d]) + (index.empty() ? "" : ", ") + index;
        p /= units[s.stage].extents[d];
      }
      out.first = buffer + "[" + index + "] is " + value_text(x, t) + ", expected " + value_text(v, t) + (e > 0 ? " within " + ir::float_text(e) : "");
    });
  } catch (const Failure& f) {
    return Refusal{f.reason};
  }
  return out;
}

BoundedFloat Evaluation::bounded(std::size_t i) const {
  const double v = dtype.is_float() ? values[i].f : ir::convert(values[i], dtype, ir::f64, ir::CastMode::kWrap).f;
  return {v, errors.empty() ? 0 : errors[i]};
}

bool Evaluation::do_not_care(std::size_t i) const { return !errors.empty() && std::isinf(errors[i]); }

bool Evaluation::accepts(std::size_t i, Scalar got) const { return is_right(dtype, values[i], errors.empty() ? 0 : errors[i], got); }

Evaluator::Evaluator(ComputeDag dag, std::map<std::string, ir::Tensor> inputs, EvaluateMode mode)
    : state_(std::make_unique<State>(std::move(dag), std::move(inputs), mode)) {}
Evaluator::~Evaluator() = default;
Evaluator::Evaluator(Evaluator&&) noexcept = default;
Evaluator& Evaluator::operator=(Evaluator&&) noexcept = default;

const ComputeDag& Evaluator::dag() const { return state_->dag; }
EvaluateMode Evaluator::mode() const { return state_->mode; }

Result<Evaluation> Evaluator::all(const std::string& buffer) { return state_->evaluate(buffer, nullptr); }
Result<Evaluation> Evaluator::at(const std::string& buffer, const std::vector<std::int64_t>& positions) {
  return state_->evaluate(buffer, &positions);
}

Result<ir::Tensor> Evaluator::tensor(const std::string& buffer) {
  TESSERA_TRY(s, state_->find(buffer));
  ir::Tensor out(state_->dtype(s), state_->units[s.stage].extents);
  try {
    state_->visit(s, nullptr, [&](std::int64_t, std::int64_t p, Scalar v, double) {
      if (out.dtype.is_float()) v.f = ir::rounded(v.f, out.dtype);
      out.put(p, v);
    });
  } catch (const Failure& f) {
    return Refusal{f.reason};
  }
  return out;
}

Result<Comparison> Evaluator::compare(const std::string& buffer, const ir::Tensor& got) {
  return state_->compare(buffer, got, nullptr, 1);
}
Result<Comparison> Evaluator::compare(const std::string& buffer, const ir::Tensor& got,
                                      const std::vector<std::int64_t>& positions, double error_factor) {
  return state_->compare(buffer, got, &positions, error_factor);
}

}  // namespace tessera::dsl
