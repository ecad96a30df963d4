// The tile of results that a product sums up in registers.
#pragma once

#include <optional>

#include "ir/target.h"
#include "polyhedral/detail/draft.h"

namespace tessera::polyhedral::detail {

/// Of the stage that stores the results: how many elements of its last axes a tile has.
struct ProductTile {
  Names rows;                              // axes with several elements, outermost first
  std::vector<schedule::Param> row_sizes;  // of those
  schedule::Param width;                   // of the last axis

  bool is_row(const std::string& axis) const;
  const schedule::Param& size_of(const std::string& row) const;
};

/// Vectors of a stage's elements.
int lanes_of(const ir::Target& target, const schedule::Stage& s);

/// The axes of `host`, all but the last, along which something that `product` reads for its columns is the same.
Names rows_of(const Draft& draft, const std::string& product, const std::string& host);

/// For `product`, whose results `host` stores at the same coordinates: rows are one or two axes, along which what is read
/// for the columns is the same.
ProductTile choose_product_tile(Draft& draft, const std::string& product, const std::string& host, const ir::Target& target, std::vector<SizeBound>& bounds);

/// Whether tiles read less from memory with the loop over columns outside of those over rows: an operand that does not stay in
/// the cache is read again in every iteration of a loop that it does not depend on, when that is outside. `parts` of the
/// rows are done at once.
bool reads_less_by_columns(const Draft& draft, const std::string& product, const std::string& host, const ProductTile& tile, double parts);

/// Blocks of tiles, so that what they read stays in the cache.
struct ProductBlocks {
  std::vector<std::int64_t> sizes;  // by data axis; multiples of the tile, or the axis
  bool columns_outside = false;     // the loop over blocks of columns is outside of those over rows
};
/// By what tiles touch (tiles.h), at least `least` of them; nothing where one block is best, or none fits.
std::optional<ProductBlocks> choose_product_blocks(const Draft& draft, const std::string& product, const std::string& host, const ProductTile& tile, double least);

/// `product` in registers, inside of loop `at` of `host`, whose axes are cut for the tile: rows into .r, the last axis into
/// .u and .v.
///
///   for at, i.r, j.u, j.v: host    ->    for at { for k, i, j.u, j.v: product += ...;  for i.r, j.u, j.v: host = product }
Status accumulate(Draft& draft, const std::string& product, const std::string& host, const std::string& at, const ProductTile& tile, int lanes);

}  // namespace tessera::polyhedral::detail
