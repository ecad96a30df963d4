// The loops of a register-tiled reduction, shared by the rules that build one: holes and their limits,
// the splits and the order of the stage that writes memory, and the accumulators inside it.
#pragma once

#include <string>
#include <vector>

#include "search/rules/reduction_shape.h"

namespace tessera::search {

class TileNest {
 public:
  /// For the reduction `stage` as it is now; holes are named `prefix`.rows and so on.
  TileNest(SketchBuilder& b, const std::string& stage, const std::string& prefix, bool columns_outer);

  const ReductionShape& shape() const { return shape_; }
  int lanes() const { return lanes_; }

  /// Declares the holes, with the limits of the register file and of a cache block:
  ///   width (columns of the tile), <axis>.rows (rows), <axis>.mid (tiles of a cache block).
  void declare();
  /// Splits rows and columns of `stage`, whose data axes agree with the reduction's one by one. With
  /// `blocks`:  a -> a.0 (cache blocks) a.1 (tiles of the block) a.2 (rows of the tile); without: a.1 a.2.
  /// Loops `between` stand outside the tiles of a block. Unrolls the tile, vectorises its columns.
  Status tile(const std::string& stage, bool blocks, const std::vector<std::string>& between);
  /// Loops of `stage` over cache blocks, outermost first, once it is tiled with `blocks`.
  std::vector<std::string> block_loops(const std::string& stage) const;
  /// The innermost loop outside the tile.
  std::string tile_loop(const std::string& stage) const;
  /// Computes `accumulator` (data axes as the reduction's, `fixed` ones after them) at a loop of `stage`,
  /// in registers: reduction loops outermost, the tile unrolled inside.
  Status accumulate(const std::string& accumulator, const std::string& stage, const std::string& loop,
                    const std::vector<std::string>& reduce, const std::vector<std::string>& fixed = {});
  /// Axis names of the reduction axes, outermost first.
  std::vector<std::string> reduce_axes() const;

 private:
  std::string axis_of(const std::string& stage, const schedule::RootAxis& r) const;
  std::string hole(const schedule::RootAxis& r, const char* what) const { return prefix_ + "." + r.axis + "." + what; }

  SketchBuilder* b_;
  ReductionShape shape_;
  std::vector<std::string> positions_;  // names of the reduction's data axes, by position
  std::string prefix_;
  bool columns_outer_;
  int lanes_;
};

}  // namespace tessera::search
