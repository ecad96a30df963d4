// The three ways a request can go wrong inside the library (docs/reference/errors.md):
//
//   UserError      the program, schedule or command is wrong; thrown; says what would work
//   InternalError  our bug; thrown; carries file, line and condition
//   Result<T>      an expected refusal, returned (support/result.h)
//
// The library never prints, aborts or exits. Messages start in lower case, name the thing and end
// without a full stop.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace tessera {

/// Where in the user's own source a DSL call was made. Filled by default arguments.
struct CallSite {
  const char* file = "";
  int line = 0;
  static CallSite here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

/// What a user asked cannot be done. `exit_code` is what a command line returns for it:
/// 2 for a wrong request (flag, operator, shape, dtype, target, expression), 1 for the world
/// around it (file, log, disk, permission), 4 for a device or compiler that is absent.
class UserError : public std::runtime_error {
 public:
  explicit UserError(const std::string& message, int exit_code = 2)
      : std::runtime_error(message), exit_code_(exit_code) {}
  int exit_code() const { return exit_code_; }

 private:
  int exit_code_;
};

/// A broken invariant of this library. Never the user's fault.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

namespace detail {

/// Collects a message with `<<` and throws when the full expression ends.
template <class Thrower>
class ErrorStream {
 public:
  ErrorStream() = default;
  explicit ErrorStream(std::string prefix) { out_ << prefix; }
  ErrorStream(const ErrorStream&) = delete;
  ErrorStream& operator=(const ErrorStream&) = delete;
  ~ErrorStream() noexcept(false) { Thrower::raise(out_.str()); }
  template <class T>
  ErrorStream& operator<<(const T& x) {
    out_ << x;
    return *this;
  }

 private:
  std::ostringstream out_;
};

struct ThrowUser {
  [[noreturn]] static void raise(const std::string& m) { throw UserError(m); }
};
struct ThrowEnvironment {
  [[noreturn]] static void raise(const std::string& m) { throw UserError(m, 1); }
};
struct ThrowInternal {
  [[noreturn]] static void raise(const std::string& m) { throw InternalError(m); }
};

std::string internal_prefix(const char* file, int line, const char* condition);

// A string literal is always true: a check of one could never fail.
template <class T>
constexpr bool condition(const T& x) {
  return static_cast<bool>(x);
}
template <std::size_t N>
constexpr bool condition(const char (&)[N]) = delete;

}  // namespace detail

/// "file:line: " for messages about a DSL call; nothing where the file is not known.
std::ostream& operator<<(std::ostream& os, const CallSite& site);

}  // namespace tessera

#define TESSERA_USER_CHECK(cond)             \
  if (::tessera::detail::condition(cond)) {  \
  } else                                     \
    ::tessera::detail::ErrorStream<::tessera::detail::ThrowUser>()

/// As TESSERA_USER_CHECK, for files, logs, disks and permissions (exit code 1).
#define TESSERA_ENVIRONMENT_CHECK(cond)      \
  if (::tessera::detail::condition(cond)) {  \
  } else                                     \
    ::tessera::detail::ErrorStream<::tessera::detail::ThrowEnvironment>()

#define TESSERA_CHECK(cond)                                                \
  if (::tessera::detail::condition(cond)) {                                \
  } else                                                                   \
    ::tessera::detail::ErrorStream<::tessera::detail::ThrowInternal>(      \
        ::tessera::detail::internal_prefix(__FILE__, __LINE__, #cond))

#define TESSERA_UNREACHABLE()                                       \
  ::tessera::detail::ThrowInternal::raise(                          \
      ::tessera::detail::internal_prefix(__FILE__, __LINE__, "unreachable"))
