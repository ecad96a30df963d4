// Programs and schedules that the tests of the verifier share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dsl/dsl.h"
#include "lower/lower.h"
#include "polyhedral/verify.h"
#include "schedule/schedule.h"

namespace tessera::polyhedral::test {

using dsl::compute;
using dsl::ComputeDag;
using dsl::placeholder;
using dsl::Var;
using ir::Expr;
using ir::f32;
using ir::ForKind;
using schedule::Schedule;

/// E = max(sum(A * B) + bias, 0) of n x n matrices, bias inlined.
inline Schedule matmul_bias_relu(std::int64_t n) {
  auto a = placeholder({n, n}, f32, "A"), b = placeholder({n, n}, f32, "B"), bias = placeholder({n}, f32, "bias");
  auto k = dsl::reduce_axis(n, "k");
  auto c = compute({n, n}, [&](Var i, Var j) { return dsl::sum(a(i, k) * b(k, j), k); }, "C");
  auto d = compute({n, n}, [&](Var i, Var j) { return c(i, j) + bias(j); }, "D");
  auto e = compute({n, n}, [&](Var i, Var j) { return ir::max(d(i, j), Expr(0.0)); }, "E");
  Schedule s(ComputeDag::from_outputs({e}));
  s.compute_inline("D");
  return s;
}

inline Schedule tiled_matmul(std::int64_t n, std::int64_t ti, std::int64_t tj, std::int64_t tk) {
  Schedule s = matmul_bias_relu(n);
  s.tile("E", {"i", "j"}, {"i0", "j0", "i1", "j1"}, {ti, tj}).compute_at("C", "E", "j0");
  s.split("C", "k", {"k0", "k1"}, {tk}).reorder("C", {"k0", "i", "k1", "j"});
  s.parallel("E", "i0").vectorize("C", "j");
  return s;
}

/// Padding, convolution, bias and relu: X of 4 x c x h x h, 3 x 3 windows, c filters.
inline ComputeDag padded_convolution(std::int64_t c, std::int64_t h) {
  auto x = placeholder({4, c, h, h}, f32, "X"), w = placeholder({c, c, 3, 3}, f32, "W"), bias = placeholder({c}, f32, "bias");
  auto p = compute({4, c, h + 2, h + 2},
                   [&](Var n, Var ci, Var y, Var u) {
                     return ir::if_then_else(Expr(y) >= 1 && Expr(y) < h + 1 && Expr(u) >= 1 && Expr(u) < h + 1, x(n, ci, y - 1, u - 1), Expr(0.0));
                   }, "P");
  auto rc = dsl::reduce_axis(c, "c"), r = dsl::reduce_axis(3, "r"), q = dsl::reduce_axis(3, "s");
  auto o = compute({4, c, h, h}, [&](Var n, Var f, Var y, Var u) { return dsl::sum(p(n, rc, y + r, u + q) * w(f, rc, r, q), rc, r, q); }, "O");
  auto e = compute({4, c, h, h}, [&](Var n, Var f, Var y, Var u) { return ir::max(o(n, f, y, u) + bias(f), Expr(0.0)); }, "E");
  return ComputeDag::from_outputs({e});
}

/// Three levels of tiles (f, y, x of the outer one), the padding computed for every tile.
inline Schedule tiled_convolution(std::int64_t c, std::int64_t h, std::int64_t tf, std::int64_t ty, std::int64_t tx) {
  Schedule s(padded_convolution(c, h));
  const auto e = s.state().find("E")->data_axes(), o = s.state().find("O")->data_axes();
  s.split("E", e[1], {"f0", "f1"}, {tf}).split("E", e[2], {"y0", "y1"}, {ty}).split("E", e[3], {"x0", "x1"}, {tx});
  s.reorder("E", {e[0], "f0", "y0", "x0", "f1", "y1", "x1"}).compute_at("O", "E", "x0");
  s.split("O", o[1], {"f0", "f1", "f2"}, {2, 4}).split("O", o[2], {"y0", "y1", "y2"}, {2, 2}).split("O", o[3], {"x0", "x1", "x2"}, {2, 7}).split("O", "c", {"c0", "c1", "c2"}, {4, 2});
  s.reorder("O", {o[0], "f0", "y0", "x0", "c0", "f1", "y1", "x1", "c1", "r", "s", "c2", "f2", "y2", "x2"});
  s.compute_at("P", "E", "x0").parallel("E", e[0]).vectorize("O", "x2");
  return s;
}

/// Blocks of 32 x 32, 8 x 8 threads of 4 x 4, tiles of A and B in shared memory, sums in registers.
inline Schedule gpu_matmul(std::int64_t n) {
  Schedule s = matmul_bias_relu(n);
  s.split("E", "i", {"bi", "ti", "ri"}, {8, 4}).split("E", "j", {"bj", "tj", "rj"}, {8, 4}).reorder("E", {"bi", "bj", "ti", "tj", "ri", "rj"});
  s.bind("E", "bi", ForKind::kBlockY).bind("E", "bj", ForKind::kBlockX).bind("E", "ti", ForKind::kThreadY).bind("E", "tj", ForKind::kThreadX);
  s.compute_at("C", "E", "bj").set_scope("C", ir::Scope::kRegister);
  s.split("C", "i", {"ti", "ri"}, {4}).split("C", "j", {"tj", "rj"}, {4}).split("C", "k", {"k0", "k1"}, {16});
  s.reorder("C", {"k0", "ti", "tj", "k1", "ri", "rj"}).bind("C", "ti", ForKind::kThreadY).bind("C", "tj", ForKind::kThreadX);
  s.cache_read("A", {"C"}, "As", ir::Scope::kShared).cache_read("B", {"C"}, "Bs", ir::Scope::kShared);
  s.compute_at("As", "C", "k0").compute_at("Bs", "C", "k0");
  for (const std::string tile : {"As", "Bs"}) {
    s.fuse(tile, s.state().find(tile)->data_axes(), "f").split(tile, "f", {"f0", "fy", "fx"}, {8, 8});
    s.bind(tile, "fy", ForKind::kThreadY).bind(tile, "fx", ForKind::kThreadX);
  }
  return s;
}

inline ir::Program loops_of(const Schedule& s, ir::TargetKind target = ir::TargetKind::kCpu) {
  lower::Options options;
  options.target = target;
  return lower::build(s.state(), options).or_throw();
}

inline Verdict verdict_of(const Schedule& s, ir::TargetKind target = ir::TargetKind::kCpu) {
  return verify(equations_of(s.state()).or_throw(), loops_of(s, target));
}

}  // namespace tessera::polyhedral::test
