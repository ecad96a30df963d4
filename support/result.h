// `Result<T>`: a value, or the one-line reason why there is none. For refusals that are expected
// (an illegal step, a target without a feature); search counts them, the fluent API throws them.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "support/error.h"

namespace tessera {

/// The reason of a refusal: names the thing, says what would work.
struct Refusal {
  std::string reason;
};

/// `return refuse("axis 'k' of stage 'C' is a reduction", "; parallel needs a data axis");`
template <class... Parts>
Refusal refuse(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return {out.str()};
}

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit
  Result(Refusal r) : value_(std::in_place_index<1>, std::move(r)) {}    // NOLINT: implicit

  bool ok() const { return value_.index() == 0; }
  explicit operator bool() const { return ok(); }

  const T& operator*() const& { return get(); }
  T& operator*() & { return const_cast<T&>(get()); }
  T operator*() && { return std::move(const_cast<T&>(get())); }
  const T* operator->() const { return &get(); }
  T* operator->() { return &const_cast<T&>(get()); }

  /// Only valid when !ok().
  const std::string& reason() const { return std::get<1>(value_).reason; }
  Refusal refusal() const { return std::get<1>(value_); }

  /// The value, or the reason as a UserError.
  T or_throw() && {
    if (!ok()) throw UserError(reason());
    return std::move(std::get<0>(value_));
  }

 private:
  const T& get() const {
    if (!ok()) throw InternalError("value of a refused result taken: " + reason());
    return std::get<0>(value_);
  }
  std::variant<T, Refusal> value_;
};

/// Success without a value.
struct Done {};
using Status = Result<Done>;

}  // namespace tessera

/// Binds `name` to the value of `expr`, or returns its refusal from the enclosing function.
#define TESSERA_TRY(name, expr)                        \
  auto name##_result = (expr);                         \
  if (!name##_result.ok()) return name##_result.refusal(); \
  auto name = std::move(*name##_result)

/// The same where no value is wanted.
#define TESSERA_TRY_DONE(expr)                         \
  if (auto done_result = (expr); !done_result.ok()) return done_result.refusal()
