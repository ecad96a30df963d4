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

/// Whether something that is read for the columns of `product`, its last data axis, is the same all along data axis `i`.
bool columns_stay(const schedule::Stage& product, std::size_t i);

/// For `product`, whose results `host` stores at the same coordinates: rows are one or two axes, along which what is read
/// for the columns is the same.
ProductTile choose_product_tile(Draft& draft, const std::string& product, const std::string& host, const ir::Target& target, std::vector<SizeBound>& bounds);

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
