// Which loops stages can share: for every output the outer loops that its producers can be computed inside of,
// found from the dependences alone, without ISL's scheduler.
//
// Backwards from an output, an axis of it is *shared* by a producer when every strict dependence between them
// keeps it (element i of the producer is read by row i alone): the loops over it become one, parallel over all
// stages of the nest. Where the elements that a point needs slide along an axis (padding, pooling, stencils), tiles
// of the producer are computed for tiles of the output, and those where windows meet are computed again. An
// axis along which every point needs the same elements is no loop of the nest, or, where that is cheap (the scale
// of a channel), they are computed again for every tile.
//
//   Alignment a = align(Scop::of(equations_of(dag).or_throw()).or_throw()).or_throw();
//   std::cout << to_string(a);    // nest Y: i (512) ...
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "polyhedral/scop.h"

namespace tessera::polyhedral {

/// How many stages share a nest: as many as can; as long as `parallelism` iterations of shared loops are left
/// (or as many as there were); none.
enum class Grouping : std::uint8_t { kMax, kKeepParallel, kMin };
/// "max", "keep-parallel", "min": the words of schedule::PolyhedralDecisions::strategy.
const char* to_string(Grouping g);

struct AlignOptions {
  Grouping grouping = Grouping::kMax;
  std::int64_t parallelism = 64;         // of kKeepParallel
  std::int64_t tile = 16;                // points of an axis that share one computation of what they need together
  double most_recompute = 1.5;           // by windows of one producer
  double cheap = 0.05;                   // share of the work of a nest that may be spent on any recompute of one producer
  std::chrono::milliseconds limit{1'000};  // of wall-clock time
};

struct Member {
  std::string stage;
  /// For every shared loop the coordinate of the stage that it is; kWindow where what a point needs slides along
  /// it, kRepeated where every point needs the same.
  std::vector<int> coordinates;
  /// Elements computed in tiles of AlignOptions::tile over elements there are.
  double recompute = 1;

  static constexpr int kWindow = -1, kRepeated = -2;
  /// Whether every shared loop is a coordinate.
  bool is_aligned() const;
  bool operator==(const Member&) const = default;
};

struct SharedAxis {
  std::string name;
  int coordinate = 0;  // of the last stage of the nest
  std::int64_t extent = 1;
  bool operator==(const SharedAxis&) const = default;
};

/// Stages that one nest computes.
struct AlignedNest {
  std::vector<SharedAxis> shared;  // the outer loops, all parallel
  std::vector<Member> members;     // producers first; the last is the one that the nest stores for others
  std::string apart;               // why the last is not computed with its readers; empty for outputs

  std::int64_t parallelism() const;
  bool operator==(const AlignedNest&) const = default;
};

struct Alignment {
  std::vector<AlignedNest> nests;  // in an order in which they can run
  bool operator==(const Alignment&) const = default;
};

/// Refuses what ISL does not finish within the limit.
Result<Alignment> align(const Scop& scop, const AlignOptions& options = {});

/// A nest a line, then a stage a line:
///
///   nest E: n 4, y 56, x 56, f 64
///     P  n, ~y, ~x, each f  recompute 4.71
///     O  n, y, x, f
///     E  n, y, x, f
std::string to_string(const Alignment& alignment);

}  // namespace tessera::polyhedral
