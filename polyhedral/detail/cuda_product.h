// Products and convolutions in a block: tiles of operands in shared memory, tiles of results in the registers of threads.
//
//   W: grid (block.x)  .t (serial, where a block has several tiles)  ty tx (threads)  .v (strided parts)  .r (neighbours)
//     acc (registers): outer reduction, k.0: A.s, B.s = ... (all threads fetch, a tile ahead)
//                      ty tx  k.1  .v  .r: acc += A.s * B.s
//     W = f(acc)
#pragma once

#include <optional>

#include "ir/cuda_arch.h"
#include "polyhedral/detail/draft.h"

namespace tessera::polyhedral::detail {

constexpr std::int64_t kMostColumns = 128;  // of a tile

/// The axes of a reduction whose operands are read again: by neighbours of a row, and by those of a column.
struct ProductShape {
  schedule::RootAxis column;               // the last data axis
  std::vector<schedule::RootAxis> rows;    // at most two data axes, the innermost, along which the column's operand stands still
  std::vector<schedule::RootAxis> others;  // remaining data axes
  std::vector<schedule::RootAxis> reduce;
};
/// Nothing for stages that are no product.
std::optional<ProductShape> product_shape(const schedule::Stage& s);

/// What a block computes: powers of two, by data axis of the product. 1 of all axes but its rows and its column.
using BlockTile = std::vector<std::int64_t>;

/// Rows and columns of a block, from its architecture: of all tiles the one for which
///
///   waves of blocks * (rows * columns * max(1, 4 * (r + c) / (r * c)) + 8 * (rows + columns))
///
/// is least, in multiply-adds for each term of the reduction, where r x c are a thread's own: while a multiprocessor does
/// 128 of them 32 elements arrive from shared memory and 16 from the caches. Where `rows` is set it stands for the rows;
/// `whole`: by data axis, those that a block has all of.
BlockTile choose_tile(const schedule::Stage& product, const ProductShape& shape, const ir::CudaArch& arch, const std::optional<BlockTile>& rows, const std::vector<bool>& whole);

/// Where the results go: `host` takes those of `sums` one by one. `grid`: data axes (by position) whose tiles are blocks;
/// no others of a stage that is computed inside of a block. `near`: stages that the block keeps in shared memory.
struct ProductPlace {
  std::string host, sums;
  std::vector<bool> grid;
  Names near;
};

/// Both stages in their tiles. The loop over blocks, inside of which others can be computed; empty where there is none.
Result<std::string> tile_product(Draft& d, const ProductPlace& place, const ProductShape& shape, const BlockTile& tile, const ir::CudaArch& arch);

}  // namespace tessera::polyhedral::detail
