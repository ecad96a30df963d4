// One (program, schedule) pair through the whole road, against the oracle.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "dsl/dag.h"
#include "dsl/evaluate.h"
#include "ir/target.h"
#include "lower/lower.h"
#include "runtime/cpu/host.h"
#include "schedule/step.h"

namespace tessera::driver {

/// A program with exact inputs and what they must give.
struct CheckedProgram {
  std::uint64_t number = 0;  // of this process; 0: none
  dsl::ComputeDag dag;
  std::map<std::string, ir::Tensor> inputs;
  std::map<std::string, ir::Tensor> expected;  // by output name

  static Result<CheckedProgram> make(dsl::ComputeDag dag, std::uint64_t seed);
  runtime::DataSet data() const;
};

struct PairOutcome {
  bool refused = false;  // by lowering or code generation, with `why`
  std::string why;       // refused or failed; empty when all is right
  bool failed() const { return !refused && !why.empty(); }
};

/// JSON round trip, replay, build, every pass with its structural check, the interpreter before and, of
/// programs for a CPU, after. `finished`, where it is not null, gets the finished program for a native run.
PairOutcome check_pair(const CheckedProgram& program, const schedule::StepList& steps, const lower::Options& options,
                       ir::Program* finished = nullptr);

/// The first element of output `name` that differs, in words; -0 equals +0. Empty when none does.
std::string difference(const std::string& name, const ir::Tensor& expected, const ir::Tensor& got);

/// Compiles a finished program and runs it under the runner's guards.
class NativeCheck {
 public:
  explicit NativeCheck(const std::string& target);
  const ir::Target& target() const { return target_; }
  PairOutcome run(const CheckedProgram& program, const ir::Program& finished, int threads);

 private:
  ir::Target target_;
  runtime::CpuMeasurer measurer_;
  std::uint64_t installed_ = 0;  // number of the program whose operands the runner holds
};

}  // namespace tessera::driver
