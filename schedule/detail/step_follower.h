// Follows the steps of a sketch and keeps where the numbers of the state come from: which split factor,
// layout block or extent is which hole, and what rfactor makes of the coordinates of a reduction.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "schedule/detail/nest_shape.h"

namespace tessera::schedule::detail {

class StepFollower {
 public:
  StepFollower(NestShape& shape, const std::vector<std::string>& holes);

  /// `step` may have holes; it led from one state to the other. Refuses holes that change more than
  /// numbers.
  Status follow(const Step& step, const State& before, const State& after);

  Number constant(std::int64_t v);
  Number root_extent(const Stage& s, const RootAxis& r);
  Number factor(const Stage& s, const Relation& r);
  /// Copies of the body that an annotation of `a` asks for.
  Number unroll(const Stage& s, const Axis& a);
  /// Copies of a stage's buffer.
  Number slots(const Stage& s);
  /// Of each LayoutPart.
  std::vector<Number> layout(const Stage& s);
  /// The sources of a reduction, else the body, with virtual coordinates where rfactor put sums of others.
  Exprs work(const Stage& s) const;

  /// An axis of a frame over the coordinates that stand for its leaves.
  struct Definition {
    int frame = 0, axis = 0;
    std::map<int, Var> leaves;
  };
  /// nullptr when `v` is no virtual coordinate, no guard.
  const Definition* virtual_of(ir::VarId v) const;
  const Definition* guard_of(ir::VarId v) const;

 private:
  using Key = std::pair<std::string, std::string>;  // stage, axis

  Result<Number> product(const std::vector<Param>& params, std::size_t first);
  Status split(const Split& step);
  Status fused(const Fuse& step, const State& before);
  Status spread(const Spread& step, const State& before);
  /// The extent of a loop of `s`, by holes where they decide it.
  Number loop_extent(const Stage& s, const Axis& a);
  Number product_of(std::vector<Number> factors);
  Status pieces(const std::string& stage, const std::vector<LayoutPiece>& order);
  void copied(const std::string& from, const std::string& into, const State& after);
  void moved(const CacheWrite& step, const State& after);
  Status factored(const Rfactor& step, const State& before, const State& after);
  int frame_of(const Stage& s, const Stage& part, const std::string& axis, std::map<std::string, int>& positions);
  Status check_bodies(const State& before, const State& after) const;

  NestShape& shape_;
  std::map<std::string, Number> holes_;
  std::map<std::int64_t, Number> constants_;
  std::map<Key, Number> roots_, factors_, unrolls_;
  std::map<Key, Number> extents_;      // of loops that a factor makes as long as itself
  std::map<std::string, Number> slots_;
  std::map<std::string, std::vector<Number>> layouts_;
  std::map<std::string, Exprs> work_;  // of stages with virtual coordinates
  std::set<std::string> touched_;      // of those, whose work_ has followed the step
  std::map<ir::VarId, Definition> virtuals_, guards_;
};

}  // namespace tessera::schedule::detail
