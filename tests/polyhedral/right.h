// Whether a plan that the polyhedral path made is legal, and right in the interpreter.
#pragma once

#include <gtest/gtest.h>

#include "driver/compile.h"
#include "driver/fuzz/check_pair.h"
#include "dsl/inputs.h"
#include "ir/interpret.h"
#include "ops/catalog.h"
#include "polyhedral/verify.h"

namespace tessera::polyhedral::test {

/// Primes in place of large extents; strides, windows and the like as they are.
inline dsl::ComputeDag small(const ops::Operator& op, const std::string& layout = "") {
  static constexpr std::int64_t kPrimes[] = {7, 5, 19, 3};
  ops::Request r{op.name, {}, layout, ""};
  std::size_t i = 0;
  for (const ops::Parameter& p : op.parameters) {
    if (p.fallback > 8) r.shape[p.name] = std::max(p.min, kPrimes[i++ % 4]);
  }
  return ops::build(r).or_throw();
}

inline void expect_legal(const dsl::ComputeDag& dag, const schedule::StepList& steps, const ir::Target& target) {
  const auto state = driver::scheduled(dag, steps);
  ASSERT_TRUE(state.ok()) << state.reason();
  const auto loops = driver::structured_loops(dag, steps, target);
  ASSERT_TRUE(loops.ok()) << loops.reason();
  EXPECT_EQ(to_string(verify(equations_of(*state).or_throw(), *loops)), "ok");
}

/// In exact numbers where the program has them, else within its bounds.
inline void expect_right(const dsl::ComputeDag& dag, const schedule::StepList& steps, std::uint64_t seed) {
  if (dsl::supports_exact(dag)) {
    lower::Options options;
    options.vector_bytes = 32;
    EXPECT_EQ(driver::check_pair(driver::CheckedProgram::make(dag, seed).or_throw(), steps, options).why, "");
    return;
  }
  const auto inputs = dsl::make_inputs(dag, seed, dsl::InputKind::kRandom);
  const auto program = driver::finished_program(dag, steps, driver::resolve_target("cpu -mcpu=x86-64-v3"));
  ASSERT_TRUE(program.ok()) << program.reason();
  ir::InterpretOptions options;
  options.flat = true;
  const auto got = ir::interpret(*program, inputs, options);
  ASSERT_TRUE(got.ok()) << got.reason();
  dsl::Evaluator reference(dag, inputs, dsl::EvaluateMode::kBounded);
  for (std::size_t i = 0; i < got->size(); ++i) {
    const auto verdict = reference.compare(dag.outputs()[i]->name, (*got)[i]);
    ASSERT_TRUE(verdict.ok()) << verdict.reason();
    EXPECT_TRUE(verdict->ok()) << verdict->first;
  }
}

}  // namespace tessera::polyhedral::test
