#include <fmt/format.h>

#include "ops/catalog.h"
#include "tools/autotune/commands.h"

namespace tessera::autotune {

int run_ops(const std::string& name) {
  fmt::print("{}", name.empty() ? ops::list_text() : ops::describe_text(name).or_throw());
  return 0;
}

}  // namespace tessera::autotune
