#include "schedule/steps/tile.h"

#include "schedule/steps/reorder.h"
#include "schedule/steps/split.h"

namespace tessera::schedule {

Result<State> Tile::apply(const State& state) const {
  if (axes.size() != 2 || into.size() != 4 || factors.size() != 2) {
    return refuse("tile takes 2 loops, 2 factors and 4 names, not ", axes.size(), ", ", factors.size(), " and ", into.size());
  }
  TESSERA_TRY(first, (Split{stage, axes[0], {into[0], into[2]}, {factors[0]}, tail}.apply(state)));
  TESSERA_TRY(second, (Split{stage, axes[1], {into[1], into[3]}, {factors[1]}, tail}.apply(first)));
  return Reorder{stage, into}.apply(second);
}

}  // namespace tessera::schedule
