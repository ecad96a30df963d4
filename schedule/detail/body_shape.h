// The bodies of a nest's stages as tables: index forms, conditions, reads and operations.
#pragma once

#include <map>
#include <vector>

#include "schedule/detail/nest_shape.h"
#include "schedule/detail/step_follower.h"

namespace tessera::schedule::detail {

class BodyShapes {
 public:
  BodyShapes(NestShape& shape, const State& state, const StepFollower& numbers)
      : shape_(shape), state_(state), numbers_(numbers) {}

  void add_coordinates(const Stage& s);
  /// Of a coordinate added before.
  Slot slot(const Var& coordinate) const { return slots_.at(coordinate.id()); }
  /// Fills reads and virtuals; needs the coordinates of all stages. Refuses indices that are no
  /// arithmetic on coordinates.
  Status read(const Stage& s, StageShape& out);
  /// Fills in what the statement does besides its writes.
  Status work(const Stage& s, StatementShape& out);

 private:
  Result<Form> form(const Expr& e);
  Result<int> atom(const Expr& e);
  Result<int> composite(const Expr& e);
  Slot virtual_slot(const StepFollower::Definition& d, ir::VarId id);
  FrameValue frame_value(const StepFollower::Definition& d);
  int condition(const Expr& e);
  Status items(const Expr& e, std::vector<WorkItem>& out);
  Status branch(const Expr& condition, const Expr& yes, const Expr& no, std::vector<WorkItem>& out);
  Result<int> add_read(const ir::Load& load);

  NestShape& shape_;
  const State& state_;
  const StepFollower& numbers_;
  std::map<ir::VarId, Slot> slots_;
  std::map<Slot, int> atom_of_slot_;
  std::map<ir::VarId, int> guards_;
  std::vector<Slot>* virtuals_ = nullptr;  // of the stage that is read
};

}  // namespace tessera::schedule::detail
