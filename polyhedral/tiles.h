// How much a tile of a stage touches, as a function of the sizes of the tile, and the sizes that move least
// between a cache and what is below it.
//
// ISL gives the extents once a stage, as affine functions of the sizes (a window of a convolution: 2*y + r - 2 rows
// for y rows of the result and r of the filter); after that a tile costs some multiplications.
//
//   TileFootprints f = TileFootprints::of(*equations.find("C")).or_throw();
//   TileChoice t = choose_tiles(f, {.capacity = 256 << 10, .steps = {4, 16, 1}}).or_throw();
//   t.sizes    // {60, 1024, 64}: of the coordinates of the stage, those of its reduction last
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "polyhedral/equations.h"

namespace tessera::polyhedral {

/// constant + sum of coefficients[a] * size of axis a + sum of `divisions`.
struct TileExtent {
  /// factor * floor((constant + sum of coefficients[a] * size of axis a) / divisor)
  struct Division {
    std::int64_t factor = 1, divisor = 1, constant = 0;
    std::vector<std::int64_t> coefficients;
  };
  std::int64_t constant = 1;
  std::vector<std::int64_t> coefficients;
  std::vector<Division> divisions;

  std::int64_t of(const std::vector<std::int64_t>& sizes) const;
};

/// Accesses of one tensor whose indices differ by constants are one.
struct TileAccess {
  std::string tensor;
  bool write = false;
  int element_bytes = 4;
  std::vector<std::int64_t> shape;
  std::vector<TileExtent> extents;  // by dimension: of the box around the elements, far from borders
  std::vector<bool> moved;          // by axis: whether another tile along it has other elements
};

class TileFootprints {
 public:
  struct Axis {
    std::string name;
    std::int64_t extent = 1;
    bool reduce = false;
  };

  /// Conditions of reads are left out of account (padding counts as read); an index that is no single affine
  /// function, with floors, of the coordinates may be anywhere in its dimension. Refuses inputs and externs, and what
  /// ISL does not finish within the limit.
  static Result<TileFootprints> of(const Equation& stage, std::chrono::milliseconds limit = std::chrono::seconds(1));

  /// Of the stage, data axes first. Everywhere here `sizes` has one entry an axis, from 1 to its extent.
  const std::vector<Axis>& axes() const { return axes_; }
  /// Stores first.
  const std::vector<TileAccess>& accesses() const { return accesses_; }

  /// By access and dimension, never more than the tensor has.
  std::vector<std::vector<std::int64_t>> extents(const std::vector<std::int64_t>& sizes) const;
  /// Of all boxes.
  double bytes(const std::vector<std::int64_t>& sizes) const;
  /// Lines of 64 bytes that hold the boxes, when each row of a box starts with a line.
  double lines(const std::vector<std::int64_t>& sizes) const;
  /// Bytes of lines that are fetched or stored, in all, when a tile stays where it is used until the next: every box
  /// as often as the tile before had another one. The loops over tiles are those of the axes in `order`, the last
  /// innermost; empty: of all axes as they come.
  double traffic(const std::vector<std::int64_t>& sizes, const std::vector<std::size_t>& order = {}) const;

 private:
  double lines(const TileAccess& a, const std::vector<std::int64_t>& sizes) const;
  double visits(const TileAccess& a, const std::vector<std::int64_t>& sizes, const std::vector<std::size_t>& order) const;

  std::vector<Axis> axes_;
  std::vector<TileAccess> accesses_;
};

struct TileLimits {
  double capacity = 256 << 10;      // bytes of lines that the boxes of a tile may take
  std::vector<std::int64_t> steps;  // by axis: sizes are multiples, or all of the axis; empty: 1
  double least_tiles = 1;           // of the data axes, so many can run in parallel
  std::vector<std::size_t> order;   // of the loops over tiles, as in TileFootprints::traffic
};

struct TileChoice {
  std::vector<std::int64_t> sizes;  // by axis
  double traffic = 0;               // bytes
  double footprint = 0;             // bytes of lines
};

/// The sizes with the least traffic within the limits: the best of all candidates (powers of two times the step, and
/// even parts of the axis) where these are few, else what changes of two sizes at a time do not improve. The last
/// data axis has a line or more where that is possible. Refuses stages of a single element, and limits that no
/// candidate meets.
Result<TileChoice> choose_tiles(const TileFootprints& footprints, const TileLimits& limits = {});

}  // namespace tessera::polyhedral
