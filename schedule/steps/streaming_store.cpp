#include "schedule/steps/streaming_store.h"

#include "schedule/steps/common.h"

namespace tessera::schedule {

Result<State> StreamingStore::apply(const State& state) const {
  TESSERA_TRY(s, require_compute(state, stage, "streaming_store"));
  if (s->is_reduction()) {
    return refuse("stage '", stage, "' is a reduction: it reads back what it stores; cache_write it and stream the copy");
  }
  State next = state;
  next.edit(stage).streaming = true;
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
