#include "support/json/json.h"

#include <cmath>
#include <set>
#include <vector>

namespace tessera {

namespace {

using Number = nlohmann::ordered_json;

/// Builds the document while counting depth, values and sizes; stops at the first cap that is broken.
class LimitedSax {
 public:
  using number_integer_t = Number::number_integer_t;
  using number_unsigned_t = Number::number_unsigned_t;
  using number_float_t = Number::number_float_t;
  using string_t = Number::string_t;
  using binary_t = Number::binary_t;

  explicit LimitedSax(const JsonLimits& limits) : limits_(limits) {}

  bool null() { return put(nullptr); }
  bool boolean(bool v) { return put(v); }
  bool number_integer(number_integer_t v) { return put(v); }
  bool number_unsigned(number_unsigned_t v) { return put(v); }
  bool number_float(number_float_t v, const string_t&) {
    if (!std::isfinite(v)) return fail("a number is not finite");
    return put(v);
  }
  bool string(string_t& v) {
    if (v.size() > limits_.string_bytes) return fail("a string is too long");
    return put(std::move(v));
  }
  bool binary(binary_t&) { return fail("binary values are not JSON"); }
  bool start_object(std::size_t) { return open(Json::object()); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(string_t& k) {
    if (k.size() > limits_.string_bytes) return fail("a key is too long");
    if (!keys_.back().insert(k).second) return fail("key '" + k.substr(0, 64) + "' appears twice");
    key_ = std::move(k);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) {
    return fail("syntax error near byte " + std::to_string(position));
  }

  Json take() { return std::move(root_); }
  const std::string& error() const { return error_; }

 private:
  bool fail(const std::string& why) {
    if (error_.empty()) error_ = why;
    return false;
  }
  Json* attach(Json v) {
    if (stack_.empty()) {
      root_ = std::move(v);
      return &root_;
    }
    Json& top = *stack_.back();
    if (top.is_array()) {
      top.push_back(std::move(v));
      return &top.back();
    }
    // Keys were checked for duplicates, so appending keeps the object well formed without a search.
    auto& object = top.get_ref<Json::object_t&>();
    object.push_back({key_, std::move(v)});
    return &object.back().second;
  }
  bool put(Json v) {
    if (++values_ > limits_.values) return fail("more than " + std::to_string(limits_.values) + " values");
    attach(std::move(v));
    return true;
  }
  bool open(Json v) {
    if (static_cast<int>(stack_.size()) >= limits_.depth) {
      return fail("nested deeper than " + std::to_string(limits_.depth));
    }
    if (++values_ > limits_.values) return fail("more than " + std::to_string(limits_.values) + " values");
    stack_.push_back(attach(std::move(v)));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    stack_.pop_back();
    keys_.pop_back();
    return true;
  }

  const JsonLimits& limits_;
  Json root_;
  std::vector<Json*> stack_;  // parents only grow at their end, and only the last child is open
  std::vector<std::set<std::string>> keys_;
  std::string key_;
  std::string error_;
  std::int64_t values_ = 0;
};

const char* type_word(const Json& j) { return j.type_name(); }

}  // namespace

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.text_bytes) return refuse("JSON text of ", text.size(), " bytes is too long");
  LimitedSax sax(limits);
  const bool ok = Json::sax_parse(text.begin(), text.end(), &sax);
  if (!ok) return refuse("not valid JSON: ", sax.error().empty() ? "syntax error" : sax.error());
  return sax.take();
}

std::string dump_json(const Json& j) {
  return j.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::int64_t> json_int(const Json& j, std::int64_t lo, std::int64_t hi) {
  if (!j.is_number_integer()) return refuse("expected an integer, found ", type_word(j));
  if (j.is_number_unsigned() && j.get_ref<const Json::number_unsigned_t&>() > INT64_MAX) {
    return refuse("integer is larger than 2^63-1");
  }
  const std::int64_t v = j.is_number_unsigned()
                             ? static_cast<std::int64_t>(j.get_ref<const Json::number_unsigned_t&>())
                             : j.get_ref<const Json::number_integer_t&>();
  if (v < lo || v > hi) return refuse("integer ", v, " is outside [", lo, ", ", hi, "]");
  return v;
}

Result<double> json_double(const Json& j) {
  if (j.is_number_float()) return j.get_ref<const Json::number_float_t&>();
  if (j.is_number_unsigned()) return static_cast<double>(j.get_ref<const Json::number_unsigned_t&>());
  if (j.is_number_integer()) return static_cast<double>(j.get_ref<const Json::number_integer_t&>());
  return refuse("expected a number, found ", type_word(j));
}

Result<std::string> json_string(const Json& j) {
  if (!j.is_string()) return refuse("expected a string, found ", type_word(j));
  return j.get_ref<const std::string&>();
}

Result<const Json*> json_member(const Json& j, const char* key) {
  if (!j.is_object()) return refuse("expected an object with '", key, "', found ", type_word(j));
  const auto it = j.find(key);
  if (it == j.end()) return refuse("field '", key, "' is missing");
  return &*it;
}

}  // namespace tessera
