#include "schedule/steps/split.h"

#include "schedule/steps/common.h"

namespace tessera::schedule {

namespace {

Status check_pad(const Stage& s, const std::string& axis) {
  if ((s.is_output || s.is_reduction()) && !s.padded) {
    return refuse("stage '", s.name, "' ", s.is_output ? "is an output of the program" : "is a reduction",
                  "; tail 'pad' needs an intermediate copy", s.is_output ? "" : ", or a box that is padded (pad_box)", "; use 'partition' or 'guard'");
  }
  for (const RootAxis& r : s.roots) {
    if (r.axis == axis && r.kind == AxisKind::kData) return Done{};
  }
  return refuse("'", axis, "' of stage '", s.name, "' is not one of its dimensions; tail 'pad' splits a whole dimension");
}

}  // namespace

Result<State> Split::apply(const State& state) const {
  TESSERA_TRY(ref, require_plain_loop(state, stage, axis, "split"));
  if (factors.empty() || into.size() != factors.size() + 1) {
    return refuse("split of '", axis, "' into ", into.size(), " loops needs ", into.size(), " - 1 factors, ",
                  factors.size(), " given");
  }
  for (std::size_t i = 0; i < into.size(); ++i) {
    TESSERA_TRY_DONE(require_new_axis(*ref.stage, into[i]));
    for (std::size_t j = 0; j < i; ++j) {
      if (into[i] == into[j]) return refuse("split names two loops '", into[i], "'");
    }
  }
  if (tail == ir::Tail::kPad) TESSERA_TRY_DONE(check_pad(*ref.stage, axis));
  std::vector<std::int64_t> values;
  for (const Param& p : factors) {
    TESSERA_TRY(v, value_of(p, "split factor"));
    values.push_back(v);
  }
  State next = state;
  Stage& s = next.edit(stage);
  // Nested binary splits: (whole) -> into[0] x rest, rest -> into[1] x rest, ...
  std::string whole = axis;
  for (std::size_t i = 0; i + 1 < into.size(); ++i) {
    std::int64_t inner_size = 1;
    for (std::size_t j = i; j < values.size(); ++j) {
      if (__builtin_mul_overflow(inner_size, values[j], &inner_size) || inner_size > (std::int64_t{1} << 40)) {
        return refuse("the factors of split '", axis, "' multiply to more than 2^40");
      }
    }
    const bool last = i + 2 == into.size();
    const std::string rest = last ? into.back() : into[i] + ".rest";
    if (!last) TESSERA_TRY_DONE(require_new_axis(s, rest));
    split_axis(s, whole, into[i], rest, inner_size, tail);
    whole = rest;
  }
  guard_reordered(s);
  move_attachments(next, stage, axis, into.back());
  // An initialisation outside the loop stays outside all of its pieces.
  if (next.find(stage)->init_axis == into.back()) next.edit(stage).init_axis = into.front();
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
