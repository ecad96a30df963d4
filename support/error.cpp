#include "support/error.h"

namespace tessera {

namespace detail {

std::string internal_prefix(const char* file, int line, const char* condition) {
  std::ostringstream out;
  const std::string path = file;
  const std::size_t slash = path.rfind('/');
  out << "internal error at " << (slash == std::string::npos ? path : path.substr(slash + 1)) << ":"
      << line << ": " << condition << " does not hold: ";
  return out.str();
}

}  // namespace detail

std::ostream& operator<<(std::ostream& os, const CallSite& site) {
  return *site.file == '\0' ? os : os << site.file << ":" << site.line << ": ";
}

}  // namespace tessera
