#include "tools/autotune/open_pack.h"

#include <fmt/format.h>

#include <cstdio>

namespace tessera::autotune {

OpenPack open_pack(const std::string& path) {
  std::int64_t damaged = 0;
  OpenPack out{tuning_logs::read_pack(path, damaged), {}};
  if (damaged > 0) fmt::print(stderr, "autotune: {}: {} of its lines {} damaged and left out\n", path, damaged, damaged == 1 ? "is" : "are");
  auto task = search::task_of(out.pack.header);
  TESSERA_ENVIRONMENT_CHECK(task.ok()) << "pack '" << path << "': " << task.reason();
  out.task = std::move(*task);
  return out;
}

}  // namespace tessera::autotune
