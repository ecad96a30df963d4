// Where our helper programs are.
#pragma once

#include <string>
#include <string_view>

namespace tessera::runtime {

/// The path of `name`: in the directory TESSERA_LIBEXEC names, else beside the running program,
/// else in ../libexec/tessera or ../bin of it, so that an installed library and a build tree both
/// work, also for a user's own program. UserError (exit code 1) saying where it looked.
std::string find_tool(std::string_view name);

}  // namespace tessera::runtime
