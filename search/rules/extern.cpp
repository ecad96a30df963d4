// An extern stage keeps the loops it was written with.
#include "search/rules/rules.h"

namespace tessera::search {

Verdict extern_meets(const SketchBuilder& b, const std::string& stage) {
  return b.stage(stage).is_extern() ? Verdict::kApplyAndSkipRest : Verdict::kPass;
}

std::vector<SketchBuilder> extern_expand(const SketchBuilder& b, const std::string& stage) {
  SketchBuilder next = b;
  next.finish(stage);
  next.add_name("extern");
  return {std::move(next)};
}

}  // namespace tessera::search
