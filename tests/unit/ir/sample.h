// Programs that hold every node kind.
#pragma once

#include <cmath>

#include "ir/intrinsics.h"
#include "ir/program.h"

namespace tessera::ir::testing {

inline Expr expr_of_every_kind(const Buffer& a, const Var& i, const Var& x) {
  const Expr lane = ramp(i, int_imm(1), 4);
  const Expr wide = make<Load>(a, Exprs{lane}, Expr(lane < broadcast(int_imm(7), 4)), 4);
  const Var v = Var::fresh("v", f32);
  Expr e = make<VectorReduce>(
      ReduceOp::kSum, make<Shuffle>(Exprs{wide, broadcast(x, 4)}, std::vector<int>{0, 5, 2, 7}), 1);
  e = e + make<Let>(v, a.load({i}), min(Expr(v), x) * Expr(v));
  e = e + select(i < 3 && !(i == 2), x, cast(f32, saturating_cast(i8, i))) -
      if_then_else(i != 1 || i <= 0, a.load({i}), float_imm(0.5));
  e = e / max(exp(x), float_imm(1e-20)) + fma(x, x, cast(f32, reinterpret(i32, x)));
  const Expr n =
      make_binary(ExprKind::kBitAnd, floordiv(i, int_imm(3)), int_imm(7)) +
      truncmod(i, int_imm(5)) - floormod(i - 4, int_imm(3)) +
      make_binary(ExprKind::kShiftLeft, i, int_imm(2)) +
      make_binary(ExprKind::kShiftRight, i, int_imm(1)) + i / int_imm(2) +
      make_binary(ExprKind::kBitOr, i, int_imm(-5)) * make_binary(ExprKind::kBitXor, i, int_imm(3));
  const Expr typed =
      cast(f32, cast(i32, i) + int_imm(-7, i32)) + cast(f32, cast(f64, x) * float_imm(0.1, f64)) +
      cast(f32, rounding_cast(u8, x)) + cast(f32, cast(bf16, x) + float_imm(1.5, bf16));
  return e + cast(f32, n) * typed + select(cast(boolean, i), float_imm(-HUGE_VAL), x);
}

/// Every statement kind and scope, two functions, both phases; `hint` colours the names.
inline Program program_of_every_kind(const std::string& hint = "") {
  Program p;
  p.name = "sample";
  const Buffer a = Buffer::fresh("A" + hint, f32, {64}), w = Buffer::fresh("W" + hint, f32, {8, 8});
  const Buffer packed =
      Buffer::fresh("P", f32, {8, 8})
          .with_layout(*Layout::tiled({8, 8}, {{1, 4, 2, 1}, {0, 1, 8, 1}, {1, 1, 4, 1}}));
  const Buffer c = Buffer::fresh("C" + hint, f32, {64}),
               scratch = Buffer::fresh("A" + hint, i32, {4, 6});
  p.buffers = {{a, BufferRole::kInput},
               {w, BufferRole::kConstant},
               {packed, BufferRole::kPrepared},
               {c, BufferRole::kOutput},
               {scratch, BufferRole::kWorkspace}};

  const Var i = Var::fresh("i" + hint), j = Var::fresh("j"), n = Var::fresh("n"),
            alpha = Var::fresh("alpha", f32);
  const Buffer from = Buffer::fresh("from", f32, {64}), to = Buffer::fresh("to", f32, {64});
  const auto loop = [](const Var& v, const Expr& lo, const Expr& ext, ForKind kind,
                       const Stmt& body, std::map<std::string, std::int64_t> notes = {}) {
    return make_stmt<For>(v, lo, ext, kind, body, std::move(notes));
  };
  p.functions.push_back({"kernel",
                         {from, to},
                         {n, alpha},
                         loop(i, int_imm(0), n, ForKind::kSerial,
                              make_stmt<Store>(to, Exprs{i}, expr_of_every_kind(from, i, alpha)))});

  const Buffer shared = Buffer::fresh("S", f32, {8, 8}, Scope::kShared)
                            .with_layout(Layout::row_major({8, 8}).swizzled({{0, 3}, {1, 4}}));
  const Buffer reg = Buffer::fresh("R", f32, {16}, Scope::kRegister),
               local = Buffer::fresh("L", boolean, {3}, Scope::kLocal);
  const Buffer frag = Buffer::fresh("F", f16, {8}, Scope::kFragment)
                          .with_layout(*Layout::row_major({8}).padded(0, 2));
  const Var t = Var::fresh("t"), b = Var::fresh("b"), x = Var::fresh("x", f32);
  const Region tile{shared, {int_imm(0), t}, {int_imm(8), int_imm(4)}},
      source{w, {t + 1, int_imm(0)}, {int_imm(8), int_imm(4)}};
  const Stmt gpu = block({make_stmt<Copy>(tile, source, "async"),
                          make_stmt<TileOp>("mma.m16n8k8", std::vector<Region>{tile, source}),
                          make_stmt<ChannelOp>("ring", ChannelAction::kAcquire, t),
                          make_stmt<Role>("producer", make_stmt<Barrier>(BarrierScope::kWarpGroup)),
                          make_stmt<Atomic>(ReduceOp::kMax, c, Exprs{t}, float_imm(3))});
  const Var v = Var::fresh("v");
  const Expr lanes = ramp(v * 4, int_imm(1), 4);
  const Stmt vectors = make_stmt<Store>(
      c, Exprs{lanes}, make<Load>(a, Exprs{lanes}, Expr(), 4) * broadcast(float_imm(2), 4),
      lanes < broadcast(int_imm(13), 4));
  const Stmt body = block({
      make_stmt<Allocate>(
          shared,
          make_stmt<Allocate>(frag, loop(b, int_imm(2), int_imm(3), ForKind::kBlockX,
                                         loop(t, b * 2, int_imm(4), ForKind::kThreadY, gpu)))),
      make_stmt<Allocate>(
          reg, make_stmt<LetStmt>(x, a.load({int_imm(0)}),
                                  block({
                                      make_stmt<Store>(reg, Exprs{int_imm(0)}, Expr(x)),
                                      make_stmt<Instance>("stage one", Phase::kUpdate,
                                                          Exprs{int_imm(3), int_imm(4)},
                                                          make_stmt<Evaluate>(Expr(x) + 1.0)),
                                  }))),
      make_stmt<Assert>(int_imm(3) < j, "bad \"n\" \\ here\nand there"),
      make_stmt<Prefetch>(a, Exprs{int_imm(5)}, 3),
      make_stmt<Prefetch>(a, Exprs{int_imm(6)}, 0, true),
      make_stmt<Store>(c, Exprs{int_imm(0)}, float_imm(1), Expr(), true),
      make_stmt<CallFunction>("kernel", std::vector<Buffer>{a, c}, Exprs{j, float_imm(2.5)}),
      make_stmt<IfThenElse>(j < 5,
                            loop(v, int_imm(0), int_imm(4), ForKind::kParallel, vectors,
                                 {{"grain", 4}, {"odd note", -1}}),
                            make_stmt<Barrier>(BarrierScope::kGrid)),
      make_stmt<IfThenElse>(
          j == 7,
          make_stmt<Allocate>(local, make_stmt<Store>(local, Exprs{int_imm(0)}, bool_imm(true)))),
  });
  p.functions.push_back({"main", {a, w, c}, {}, make_stmt<LetStmt>(j, int_imm(6), body)});
  const Var r = Var::fresh("i"), q = Var::fresh("i");
  p.functions.push_back({"pack",
                         {w, packed},
                         {},
                         loop(r, int_imm(0), int_imm(8), ForKind::kUnroll,
                              loop(q, int_imm(0), int_imm(8), ForKind::kVector,
                                   make_stmt<Store>(packed, Exprs{r, q}, w.load({r, q}))))});
  p.launches = {{RunPhase::kPrepare, "pack", {w, packed}}, {RunPhase::kRun, "main", {a, w, c}}};
  return p;
}

}  // namespace tessera::ir::testing
