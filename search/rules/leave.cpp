// What no other rule takes stays as it is: serial loops at root.
#include "search/rules/rules.h"

namespace tessera::search {

Verdict leave_meets(const SketchBuilder&, const std::string&) { return Verdict::kApplyAndSkipRest; }

std::vector<SketchBuilder> leave_expand(const SketchBuilder& b, const std::string& stage) {
  SketchBuilder next = b;
  next.finish(stage);
  return {std::move(next)};
}

}  // namespace tessera::search
