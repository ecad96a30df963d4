#include "support/env.h"

#include <cstdlib>

namespace tessera {

std::span<const EnvInfo> env_list() {
  static constexpr EnvInfo kList[] = {
#define X(identifier, name, value, help) {EnvVar::identifier, name, value, help},
#include "support/env.def"
#undef X
  };
  return kList;
}

std::optional<std::string> env(EnvVar var) {
  const char* value = std::getenv(env_list()[static_cast<std::size_t>(var)].name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

bool env_flag(EnvVar var) {
  const std::optional<std::string> value = env(var);
  return value && *value != "0" && *value != "off" && *value != "false" && *value != "no";
}

}  // namespace tessera
