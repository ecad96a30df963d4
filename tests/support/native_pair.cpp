#include "tests/support/native_pair.h"

namespace tessera::test {

std::string wrong(const dsl::ComputeDag& dag, const schedule::StepList& steps, driver::NativeCheck& native) {
  const auto program = driver::CheckedProgram::make(dag, 1).or_throw();
  ir::Program finished;
  lower::Options options;
  options.vector_bytes = native.target().vector_bytes;
  driver::PairOutcome out = driver::check_pair(program, steps, options, &finished);
  if (out.why.empty()) out = native.run(program, finished, 2);
  return out.why;
}

}  // namespace tessera::test
