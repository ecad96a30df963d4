// Small programs for the tests of steps.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "dsl/dsl.h"
#include "schedule/step.h"

namespace tessera::schedule::test {

using dsl::compute;
using dsl::placeholder;
using ir::f32;

inline State start(const dsl::ComputeDag& dag) {
  return State::initial(std::make_shared<const dsl::ComputeDag>(dag)).or_throw();
}

/// C[i, j] = sum(A[i, k] * B[k, j], k)
inline State matmul(std::int64_t m, std::int64_t n, std::int64_t k) {
  auto a = placeholder({m, k}, f32, "A"), b = placeholder({k, n}, f32, "B");
  auto r = dsl::reduce_axis(k, "k");
  auto c = compute({m, n}, [&](dsl::Var i, dsl::Var j) { return dsl::sum(a(i, r) * b(r, j), r); }, "C");
  return start(dsl::ComputeDag::from_outputs({c}));
}

/// B[i] = A[i] * 2;  C[i] = B[i] + 1
inline State chain(std::int64_t n) {
  auto a = placeholder({n}, f32, "A");
  auto b = compute({n}, [&](dsl::Var i) { return a(i) * 2.0; }, "B");
  auto c = compute({n}, [&](dsl::Var i) { return b(i) + 1.0; }, "C");
  return start(dsl::ComputeDag::from_outputs({c}));
}

/// B[i] = A[i] * 2;  C[i] = B[i] + B[i + 1] + B[i + 2]
inline State stencil(std::int64_t n) {
  auto a = placeholder({n + 2}, f32, "A");
  auto b = compute({n + 2}, [&](dsl::Var i) { return a(i) * 2.0; }, "B");
  auto c = compute({n}, [&](dsl::Var i) { return b(i) + b(i + 1) + b(i + 2); }, "C");
  return start(dsl::ComputeDag::from_outputs({c}));
}

/// B feeds C and D; E = C + D.
inline State diamond(std::int64_t n) {
  auto a = placeholder({n}, f32, "A");
  auto b = compute({n}, [&](dsl::Var i) { return a(i) * 2.0; }, "B");
  auto c = compute({n}, [&](dsl::Var i) { return b(i) + 1.0; }, "C");
  auto d = compute({n}, [&](dsl::Var i) { return b(i) - 1.0; }, "D");
  auto e = compute({n}, [&](dsl::Var i) { return c(i) * d(i); }, "E");
  return start(dsl::ComputeDag::from_outputs({e}));
}

/// Two outputs of one stage, read by C.
inline State two_outputs(std::int64_t n) {
  auto a = placeholder({n}, f32, "A");
  auto b = dsl::compute_many({n}, [&](dsl::Var i) { return dsl::Exprs{a(i) * 2.0, a(i) + 3.0}; }, "B");
  auto c = compute({n}, [&](dsl::Var i) { return b[0](i) + b[1](i); }, "C");
  return start(dsl::ComputeDag::from_outputs({c}));
}

inline State after(const State& s, const StepList& steps) { return replay(s, steps).or_throw(); }

/// The loops after `steps`, as print_loops gives them.
inline std::string loops(const State& s, const StepList& steps) { return after(s, steps).print_loops(); }

/// `step` is refused, and the reason holds every one of `words`.
inline void expect_refused(const State& s, const Step& step, const std::vector<std::string>& words) {
  const auto r = apply_step(s, step);
  ASSERT_FALSE(r.ok()) << to_string(step) << " was accepted:\n" << r->print_loops();
  for (const std::string& w : words) {
    EXPECT_NE(r.reason().find(w), std::string::npos) << "'" << w << "' is not in: " << r.reason();
  }
  EXPECT_EQ(r.reason().find('\n'), std::string::npos) << "a reason is one line: " << r.reason();
}

}  // namespace tessera::schedule::test
