// A sketch in the making: steps with holes, and the state they lead to for one representative choice
// (names of loops do not depend on the choice, so rules can look things up in it).
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "search/sketch.h"

namespace tessera::search {

class SketchBuilder {
 public:
  explicit SketchBuilder(const Task& task);

  const Task& task() const { return *task_; }
  const schedule::State& state() const { return state_; }
  const schedule::Stage& stage(const std::string& name) const { return *state_.find(name); }

  const schedule::StepList& steps() const { return steps_; }
  /// Appends a step. A refusal means that the rule does not fit: the caller drops the alternative.
  Status step(schedule::Step s);
  /// Declares a hole and gives the parameter for it. The representative value is the first of `domain`.
  schedule::Param hole(const std::string& name, std::vector<std::int64_t> domain);
  bool has_hole(const std::string& name) const { return representative_.count(name) != 0; }
  /// A representative value for a hole that a later step declares.
  void preset(const std::string& name, std::int64_t value) { representative_[name] = value; }
  void require(Constraint c) { constraints_.push_back(std::move(c)); }

  /// Stages that a rule has taken care of.
  bool done(const std::string& stage) const { return done_.count(stage) != 0; }
  void finish(const std::string& stage) { done_.insert(stage); }
  void add_name(const std::string& part) { name_ += (name_.empty() ? "" : "+") + part; }

  Sketch build() const;

 private:
  const Task* task_;
  schedule::State state_;
  schedule::StepList steps_;
  std::vector<Hole> holes_;
  std::vector<Constraint> constraints_;
  Decisions representative_;
  std::set<std::string> done_;
  std::string name_;
};

enum class Verdict : std::uint8_t {
  kPass,              // not for this stage
  kApply,             // gives alternatives; later rules may give more
  kApplyAndSkipRest,  // gives alternatives; no later rule is asked
};

/// All stages are asked by the rules of one row before those of the next.
enum class When : std::uint8_t {
  kAlgorithms,  // other algorithms: use_algorithm stands before all other steps
  kEarly,       // inlining: the others then see true epilogues
  kUsual,
};

/// One way to schedule a stage, with its condition. Stages are visited consumers first. Each rule in
/// turn is asked about a stage; all alternatives that its rules give are followed. A rule that applies
/// but gives none has not been asked.
struct Rule {
  std::string name;
  std::function<Verdict(const SketchBuilder&, const std::string& stage)> meets;
  std::function<std::vector<SketchBuilder>(const SketchBuilder&, const std::string& stage)> expand;
  When when = When::kUsual;
};

/// The ordered list; order matters, later rules catch what earlier ones leave.
const std::vector<Rule>& builtin_rules();
/// The list for CUDA (search/rules/cuda/).
const std::vector<Rule>& cuda_rules();

// Shared by rules.
/// Scratch memory that a sketch may take of a thread: some of its stack (codegen grants 512 KiB) stays for
/// what the kernel itself keeps there.
constexpr std::int64_t kThreadScratchBytes = 448 << 10;
/// 1, 2, 4, ... up to n, and n's own divisors below `limit` of them.
std::vector<std::int64_t> powers_up_to(std::int64_t n);
/// Fuses the given outer loops (those that exist) and makes them parallel when the task has threads.
Status parallelize(SketchBuilder& b, const std::string& stage, const std::vector<std::string>& loops);
/// Change of the flat row-major position of a read when `v` grows by one; nullopt when not affine.
std::optional<std::int64_t> stride_of(const ir::Load& load, const ir::Var& v);
/// All reads in the body of a stage.
std::vector<const ir::Load*> reads_of(const schedule::Stage& s);
/// Product of extents, which need not fit an integer.
double volume(const std::vector<std::int64_t>& extents);
/// Of the axes of one kind that the stage began with.
double volume(const schedule::Stage& s, schedule::AxisKind kind);
int lanes_for(const Task& task, const schedule::Stage& s, std::int64_t extent);

}  // namespace tessera::search
