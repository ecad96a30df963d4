// Little-endian bytes for structs that travel between our own processes. The reader trusts nothing:
// every length is checked against what is left, and after the first error all reads give zero, so
// that a decoder checks `ok()` once at the end. No versioning: both ends are the same build.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace tessera::runtime {

static_assert(std::endian::native == std::endian::little, "the wire format is little-endian");

class WireWriter {
 public:
  template <class T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void put(T x) {
    const auto* p = reinterpret_cast<const std::byte*>(&x);
    bytes_.insert(bytes_.end(), p, p + sizeof x);
  }
  void blob(std::span<const std::byte> b) {
    put<std::uint64_t>(b.size());
    bytes_.insert(bytes_.end(), b.begin(), b.end());
  }
  void text(std::string_view s) { blob(std::as_bytes(std::span(s.data(), s.size()))); }
  /// Any container of plain numbers, or of things that `each(item)` writes.
  template <class Container, class Each>
  void list(const Container& items, Each&& each) {
    put<std::uint64_t>(items.size());
    for (const auto& item : items) each(item);
  }
  template <class T>
  void numbers(const std::vector<T>& items) {
    list(items, [this](T x) { put(x); });
  }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

class WireReader {
 public:
  explicit WireReader(std::span<const std::byte> bytes) : rest_(bytes) {}

  template <class T>
  requires std::is_arithmetic_v<T> T get() {
    T x{};
    const auto b = take(sizeof x);
    if (ok_) std::memcpy(&x, b.data(), sizeof x);
    return x;
  }
  bool flag() {
    const auto x = get<std::uint8_t>();
    if (x > 1) fail();
    return x == 1;
  }
  /// A value of an enum whose enumerators are 0 .. last.
  template <class E>
  E choice(E last) {
    using U = std::underlying_type_t<E>;
    const U x = get<U>();
    if (x > static_cast<U>(last)) fail();
    return ok_ ? static_cast<E>(x) : E{};
  }
  /// Borrowed from the buffer being read.
  std::span<const std::byte> blob() { return take(get<std::uint64_t>()); }
  std::string text(std::size_t longest) {
    const auto b = blob();
    if (b.size() > longest) fail();
    return ok_ ? std::string(reinterpret_cast<const char*>(b.data()), b.size()) : std::string();
  }
  /// `item_bytes`: the fewest bytes one item takes; a count that cannot fit is refused unread.
  template <class Each>
  void list(std::size_t item_bytes, Each&& each) {
    const auto n = get<std::uint64_t>();
    if (n > rest_.size() / item_bytes) return fail();
    for (std::uint64_t i = 0; i < n && ok_; ++i) each();
  }
  template <class T>
  std::vector<T> numbers() {
    std::vector<T> out;
    list(sizeof(T), [&] { out.push_back(get<T>()); });
    return out;
  }

  void fail() { ok_ = false; }
  bool ok() const { return ok_; }
  /// True when everything was read and nothing was wrong.
  bool done() const { return ok_ && rest_.empty(); }

 private:
  std::span<const std::byte> take(std::uint64_t n) {
    if (!ok_ || n > rest_.size()) {
      fail();
      return {};
    }
    const auto out = rest_.first(static_cast<std::size_t>(n));
    rest_ = rest_.subspan(static_cast<std::size_t>(n));
    return out;
  }
  std::span<const std::byte> rest_;
  bool ok_ = true;
};

}  // namespace tessera::runtime
