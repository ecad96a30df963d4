// A schedule's program in the interpreter and as machine code, against the evaluator.
#pragma once

#include <string>

#include "driver/fuzz/check_pair.h"

namespace tessera::test {

/// What is wrong with `dag` under `steps`, on exact operands; empty when nothing is.
std::string wrong(const dsl::ComputeDag& dag, const schedule::StepList& steps, driver::NativeCheck& native);

}  // namespace tessera::test
