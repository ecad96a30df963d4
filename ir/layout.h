// Where the element at a logical index lives: one type for packing, transform_layout, padding,
// swizzles and fragments.
//
// A layout cuts every logical dimension into digits, orders the digits, gives each a stride, and may
// end with an XOR of offset bits (a bank-conflict swizzle):
//
//   digit value = (index[dim] / divisor) % extent        offset = xor(sum of value * stride)
//
//   row-major [4, 6]                  digits (0,/1,4,*6) (1,/1,6,*1)
//   panels of 2 columns [4, 6]        digits (1,/2,3,*8) (0,/1,4,*2) (1,/1,2,*1)
//                                       [k, j] -> (j/2)*8 + k*2 + j%2
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/expr.h"
#include "support/fields.h"

namespace tessera::ir {

struct LayoutDigit {
  int dim = 0;
  std::int64_t divisor = 1;
  std::int64_t extent = 1;
  std::int64_t stride = 1;
  static constexpr auto fields() {
    return std::tuple{field("dim", &LayoutDigit::dim), field("divisor", &LayoutDigit::divisor),
                      field("extent", &LayoutDigit::extent), field("stride", &LayoutDigit::stride)};
  }
  bool operator==(const LayoutDigit&) const = default;
};

/// Offset bit `to` is XORed with offset bit `from` (from > to, so the map is its own inverse order).
struct SwizzleBit {
  int to = 0;
  int from = 0;
  static constexpr auto fields() {
    return std::tuple{field("to", &SwizzleBit::to), field("from", &SwizzleBit::from)};
  }
  bool operator==(const SwizzleBit&) const = default;
};

class Layout {
 public:
  Layout() = default;
  /// Dense row-major over `shape`.
  static Layout row_major(const std::vector<std::int64_t>& shape);
  /// Row-major over the digits in the order given (outermost first); strides are computed dense.
  /// Refuses digits that do not cover each dimension exactly once.
  static Result<Layout> tiled(const std::vector<std::int64_t>& shape, std::vector<LayoutDigit> order);

  /// Digits with strides of their own, and a swizzle; what JSON and the parser read. Refuses digits
  /// that do not cover, and sizes past 64 bits. That no two elements share an offset is the caller's.
  static Result<Layout> strided(const std::vector<std::int64_t>& shape, std::vector<LayoutDigit> digits,
                                std::vector<SwizzleBit> swizzle);

  const std::vector<std::int64_t>& shape() const { return shape_; }
  const std::vector<LayoutDigit>& digits() const { return digits_; }
  /// Elements of storage, padding included: largest offset + 1, after a swizzle rounded up to what its
  /// bits can reach; 0 when an extent is.
  std::int64_t size() const { return size_; }
  bool is_row_major() const;

  std::int64_t offset(const std::vector<std::int64_t>& index) const;
  /// The offset as an index expression; digits become floordiv/floormod that simplify can remove.
  Expr offset(const Exprs& index) const;
  /// The logical index stored at `offset`; refuses padding.
  Result<std::vector<std::int64_t>> index_at(std::int64_t offset) const;

  /// The same layout with the stride of every digit outside position `digit` recomputed so that
  /// digit's stride is `stride` (padding of a leading dimension, storage_align).
  Result<Layout> padded(std::size_t digit, std::int64_t stride) const;
  /// Throws UserError for a bit that is out of range.
  Layout swizzled(std::vector<SwizzleBit> bits) const;
  /// `outer` after this one: the offset of this layout is the single logical index of `outer`.
  Result<Layout> then(const Layout& outer) const;

  /// The largest power of two w such that w consecutive elements along `dim`, from an index that is
  /// a multiple of w, are contiguous and in order.
  std::int64_t vector_width(int dim) const;
  /// How many of `lanes` neighbours along `dim` share one of `banks` banks of `bank_elements`
  /// elements at worst; 1 means conflict-free.
  int conflict_degree(int dim, int lanes, int banks, int bank_elements) const;

  std::string to_string() const;
  bool operator==(const Layout&) const = default;

  friend Json to_json_value(const Layout& l);
  friend Status from_json_value(const Json& j, Layout& out);

 private:
  /// Sets size_ from the other members; refuses what does not fit 64 bits.
  Status measure();

  std::vector<std::int64_t> shape_;
  std::vector<LayoutDigit> digits_;
  std::vector<SwizzleBit> swizzle_;
  std::int64_t size_ = 1;
};

}  // namespace tessera::ir
