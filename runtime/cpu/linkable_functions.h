// The closed list of functions that generated object code may call: all of the C library, none of
// ours. The loader resolves them; the exporter may check an object against the names.
#pragma once

#include <span>
#include <string_view>

namespace tessera::runtime {

struct LinkableFunction {
  std::string_view name;
  const void* address;
};
std::span<const LinkableFunction> linkable_functions();

/// Null when the name is not on the list.
const void* find_linkable_function(std::string_view name);

}  // namespace tessera::runtime
