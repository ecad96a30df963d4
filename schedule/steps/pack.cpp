#include "schedule/steps/pack.h"

#include "schedule/steps/cache_read.h"
#include "schedule/steps/transform_layout.h"

namespace tessera::schedule {

Result<State> Pack::apply(const State& state) const {
  TESSERA_TRY(copied, (CacheRead{stage, readers, into, ir::Scope::kGlobal}.apply(state)));
  return TransformLayout{into, order}.apply(copied);
}

}  // namespace tessera::schedule
