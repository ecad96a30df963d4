// One description of a plain struct gives JSON both ways, equality, hashing and printing:
//
//   struct Split {
//     std::string stage;
//     std::vector<std::int64_t> factors;
//     static constexpr auto fields() {
//       return std::tuple{field("stage", &Split::stage), field("factors", &Split::factors)};
//     }
//   };
//
// Reading is strict: a missing field, an unknown one or a wrong type is a refusal that names it.
// A `defaulted` field is left out of the JSON while it holds its default value.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/hash.h"
#include "support/json/json.h"

namespace tessera {

template <class S, class T>
struct Field {
  const char* name;
  T S::*member;
  bool optional;
};

template <class S, class T>
constexpr Field<S, T> field(const char* name, T S::*member) {
  return {name, member, false};
}
template <class S, class T>
constexpr Field<S, T> defaulted(const char* name, T S::*member) {
  return {name, member, true};
}

template <class T>
concept HasFields = requires { T::fields(); };

/// Enums give `enum_names(T)`: an array of all their words in the order of their values.
template <class T>
concept NamedEnum = std::is_enum_v<T> && requires { enum_names(T{}); };

template <NamedEnum T>
std::string enum_name(T v) {
  return enum_names(v)[static_cast<std::size_t>(v)];
}

/// A type may give its own pair instead: `Json to_json(const T&)` and `Status from_json(const Json&, T&)`.
template <class T>
concept CustomJson = requires(const T& t, T& out, const Json& j) {
  { to_json_value(t) } -> std::same_as<Json>;
  { from_json_value(j, out) } -> std::same_as<Status>;
};

template <class T>
Json write_json(const T& v);
template <class T>
Status read_json(const Json& j, T& out);

namespace detail {

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsStringMap : std::false_type {};
template <class T>
struct IsStringMap<std::map<std::string, T>> : std::true_type {};

template <HasFields S>
Json write_fields(const S& s) {
  Json j = Json::object();
  const S plain{};
  std::apply(
      [&](const auto&... f) {
        ((f.optional && s.*f.member == plain.*f.member ? void() : void(j[f.name] = write_json(s.*f.member))),
         ...);
      },
      S::fields());
  return j;
}

template <HasFields S>
Status read_fields(const Json& j, S& out) {
  if (!j.is_object()) return refuse("expected an object, found ", j.type_name());
  std::string why;
  std::size_t seen = 0;
  const auto one = [&](const auto& f) {
    if (!why.empty()) return;
    const auto it = j.find(f.name);
    if (it == j.end()) {
      if (!f.optional) why = std::string("field '") + f.name + "' is missing";
      return;
    }
    ++seen;
    if (auto st = read_json(*it, out.*f.member); !st.ok()) {
      why = std::string("field '") + f.name + "': " + st.reason();
    }
  };
  std::apply([&](const auto&... f) { (one(f), ...); }, S::fields());
  if (!why.empty()) return Refusal{why};
  if (seen == j.size()) return Done{};
  for (const auto& [key, value] : j.items()) {
    const bool known =
        std::apply([&](const auto&... f) { return ((key == f.name) || ...); }, S::fields());
    if (!known) return refuse("unknown field '", key, "'");
  }
  return Done{};
}

}  // namespace detail

template <class T>
Json write_json(const T& v) {
  if constexpr (CustomJson<T>) {
    return to_json_value(v);
  } else if constexpr (HasFields<T>) {
    return detail::write_fields(v);
  } else if constexpr (NamedEnum<T>) {
    return enum_name(v);
  } else if constexpr (detail::IsVector<T>::value) {
    Json j = Json::array();
    for (const auto& x : v) j.push_back(write_json(x));
    return j;
  } else if constexpr (detail::IsOptional<T>::value) {
    return v ? write_json(*v) : Json(nullptr);
  } else if constexpr (detail::IsStringMap<T>::value) {
    Json j = Json::object();
    for (const auto& [k, x] : v) j[k] = write_json(x);
    return j;
  } else {
    return Json(v);
  }
}

template <class T>
Status read_json(const Json& j, T& out) {
  if constexpr (CustomJson<T>) {
    return from_json_value(j, out);
  } else if constexpr (HasFields<T>) {
    return detail::read_fields(j, out);
  } else if constexpr (NamedEnum<T>) {
    TESSERA_TRY(word, json_string(j));
    const auto names = enum_names(T{});
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (word == names[i]) {
        out = static_cast<T>(i);
        return Done{};
      }
    }
    return refuse("'", word.substr(0, 40), "' is not one of its words");
  } else if constexpr (detail::IsVector<T>::value) {
    if (!j.is_array()) return refuse("expected an array, found ", j.type_name());
    out.clear();
    for (std::size_t i = 0; i < j.size(); ++i) {
      typename T::value_type x{};
      if (auto st = read_json(j[i], x); !st.ok()) return refuse("element ", i, ": ", st.reason());
      out.push_back(std::move(x));
    }
    return Done{};
  } else if constexpr (detail::IsOptional<T>::value) {
    out.reset();
    if (j.is_null()) return Done{};
    out.emplace();
    return read_json(j, *out);
  } else if constexpr (detail::IsStringMap<T>::value) {
    if (!j.is_object()) return refuse("expected an object, found ", j.type_name());
    out.clear();
    for (const auto& [k, x] : j.items()) {
      if (auto st = read_json(x, out[k]); !st.ok()) return refuse("'", k, "': ", st.reason());
    }
    return Done{};
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!j.is_boolean()) return refuse("expected true or false, found ", j.type_name());
    out = j.get_ref<const bool&>();
    return Done{};
  } else if constexpr (std::is_integral_v<T>) {
    constexpr std::int64_t lo = std::is_signed_v<T> ? static_cast<std::int64_t>(std::numeric_limits<T>::min()) : 0;
    constexpr std::int64_t hi = sizeof(T) == 8 ? INT64_MAX : static_cast<std::int64_t>(std::numeric_limits<T>::max());
    TESSERA_TRY(n, json_int(j, lo, hi));
    out = static_cast<T>(n);
    return Done{};
  } else if constexpr (std::is_floating_point_v<T>) {
    TESSERA_TRY(d, json_double(j));
    out = static_cast<T>(d);
    return Done{};
  } else {
    static_assert(std::is_same_v<T, std::string>, "type has no JSON form");
    TESSERA_TRY(s, json_string(j));
    out = std::move(s);
    return Done{};
  }
}

/// A stable hash of the JSON form: equal values hash equal on every machine.
template <class T>
std::uint64_t hash_fields(const T& v) {
  return hash_bytes(dump_json(write_json(v)));
}

}  // namespace tessera
