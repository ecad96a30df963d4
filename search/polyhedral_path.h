// The polyhedral path among the sketches: its plans with their numbers open, so that measuring goes on from where
// planning without it ends. The name of a sketch tells later where a record comes from.
#pragma once

#include "driver/polyhedral.h"
#include "search/sketch.h"

namespace tessera::search {

/// Where the sketches of a search come from.
enum class Path : std::uint8_t {
  kSearch,      // the rules (search/rules)
  kPolyhedral,  // integer sets (driver/polyhedral.h)
  kBoth,
};
inline std::vector<const char*> enum_names(Path) { return {"search", "polyhedral", "both"}; }

struct PlannedSketch {
  Sketch sketch;     // "polyhedral.max"
  Decisions chosen;  // the point that was planned
};

/// "polyhedral." and the name.
PlannedSketch sketch_of(const driver::PolyhedralPlan& plan, const std::string& name);

/// One for each way to group the stages, those that come to the same once; refuses programs that the path cannot plan.
Result<std::vector<PlannedSketch>> polyhedral_sketches(const Task& task);

/// A person's plans, then what a path adds to the rules' sketches. UserError (exit code 3) where the polyhedral path is asked
/// for alone and cannot plan the program.
std::vector<PlannedSketch> planned_sketches(const Task& task, Path path, std::vector<PlannedSketch> given);
/// Those of the rules, if the path has them, then the planned ones.
std::vector<Sketch> sketches_of(const Task& task, Path path, const std::vector<PlannedSketch>& planned, const std::vector<Rule>& user_rules);

/// Whether a record's sketch is of that path.
bool is_polyhedral(const std::string& sketch);

}  // namespace tessera::search
