// The environment variables of the project, listed once in support/env.def.
#pragma once

#include <optional>
#include <span>
#include <string>

namespace tessera {

enum class EnvVar {
#define X(identifier, name, value, help) identifier,
#include "support/env.def"
#undef X
};

struct EnvInfo {
  EnvVar var;
  const char* name;
  const char* value;  // what to set it to: "1", or a word for what is expected
  const char* help;
};

/// The whole list, in the order of support/env.def.
std::span<const EnvInfo> env_list();

/// The value of a variable; one set to the empty string counts as unset.
std::optional<std::string> env(EnvVar var);

/// Is the variable set, and to something other than 0, off, false or no?
bool env_flag(EnvVar var);

}  // namespace tessera
