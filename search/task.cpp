#include "search/task.h"

#include "driver/compile.h"

namespace tessera::search {

Result<ir::Target> target_of_text(const std::string& text) {
  try {
    return driver::resolve_target(text);
  } catch (const UserError& e) {
    return refuse(e.what());
  }
}

}  // namespace tessera::search
