#include "schedule/steps/swizzle.h"

#include "schedule/steps/common.h"

namespace tessera::schedule {

Result<State> Swizzle::apply(const State& state) const {
  constexpr std::int64_t kMostBytes = 64;  // two chunks to the 128 bytes that all banks have together
  TESSERA_TRY(s, require_compute(state, stage, "swizzle"));
  if (s->scope != ir::Scope::kShared) {
    return refuse("stage '", stage, "' is in ", ir::to_string(s->scope), " memory; only shared memory has banks, set its scope first");
  }
  if (s->swizzle != 0) return refuse("stage '", stage, "' has its chunks of ", s->swizzle, " swizzled already");
  TESSERA_TRY(n, value_of(chunk, "swizzle chunk", 1, kMostBytes / s->outputs[0]->dtype.bytes()));
  if ((n & (n - 1)) != 0) return refuse("swizzle chunk ", n, " is no power of two");
  State next = state;
  next.edit(stage).swizzle = n;
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
