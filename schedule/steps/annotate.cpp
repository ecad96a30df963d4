#include "schedule/steps/annotate.h"

#include <array>

#include "schedule/steps/common.h"

namespace tessera::schedule {

namespace {

// A closed list: a log is data, so nothing in it may ask for behaviour we did not name.
struct Row {
  const char* key;
  std::int64_t lo, hi;
};
constexpr std::array<Row, 2> kKeys{{
    {"grain", 1, 1 << 20},   // parallel loops: iterations a task takes at least
    {"unroll", 1, 64},       // serial loops: copies of the body an iteration
}};

}  // namespace

Result<State> Annotate::apply(const State& state) const {
  TESSERA_TRY(s, require_compute(state, stage, "annotate"));
  TESSERA_TRY(index, require_leaf(*s, axis));
  (void)index;
  for (const Row& row : kKeys) {
    if (key != row.key) continue;
    TESSERA_TRY(v, value_of(value, row.key, row.lo, row.hi));
    State next = state;
    next.edit(stage).find_axis(axis)->notes[key] = v;
    return finish_step(std::move(next));
  }
  return refuse("unknown annotation '", key, "'; annotations are grain, unroll");
}

}  // namespace tessera::schedule
