// Programs that are not well formed, and the words their refusals promise.
#include "ir/check.h"

#include <gtest/gtest.h>

#include "ir/parse.h"
#include "ir/print.h"
#include "ir/rewrite.h"
#include "tests/unit/ir/sample.h"

namespace tessera::ir {
namespace {

const Buffer a = Buffer::fresh("A", f32, {4, 6}), c = Buffer::fresh("C", f32, {4});
const Var i = Var::fresh("i");

Program with(const Stmt& body, std::vector<Buffer> parameters = {a, c}) {
  Program p;
  p.name = "p";
  p.buffers = {{a, BufferRole::kInput}, {c, BufferRole::kOutput}};
  p.functions = {{"f", std::move(parameters), {}, body}};
  p.launches = {{RunPhase::kRun, "f", {a, c}}};
  return p;
}

Stmt loop(const Stmt& body, const Var& v = i, const Expr& n = int_imm(4)) {
  return make_stmt<For>(v, int_imm(0), n, ForKind::kSerial, body);
}
Stmt store(const Expr& value) { return make_stmt<Store>(c, Exprs{i}, value); }

void expect_refused(const Program& p, const std::string& word, const CheckOptions& options = {}) {
  const Status s = check_well_formed(p, options);
  ASSERT_FALSE(s.ok()) << to_string(p);
  EXPECT_NE(s.reason().find(word), std::string::npos) << s.reason();
  EXPECT_EQ(s.reason().find('\n'), std::string::npos) << s.reason();
}

TEST(Check, AcceptsEveryKindOfNode) {
  const Status s = check_well_formed(testing::program_of_every_kind());
  EXPECT_TRUE(s.ok()) << s.reason();
}

TEST(Check, NamesFunctionAndStatement) {
  const Status s = check_well_formed(with(loop(store(a.load({i})))));
  EXPECT_EQ(s.reason(), "function f: buffer A takes 2 indices, 1 given, in `C[i] = A[i]`");
}

TEST(Check, Scopes) {
  const Buffer t = Buffer::fresh("T", f32, {4});
  expect_refused(with(store(1.0)), "variable i is used outside of its scope");
  expect_refused(with(loop(loop(store(1.0)))), "bound inside of its own scope");
  expect_refused(with(block({loop(store(1.0)), store(1.0)})), "outside of its scope");
  EXPECT_TRUE(check_well_formed(with(block({loop(store(1.0)), loop(store(2.0))}))).ok());
  expect_refused(with(block({loop(store(1.0)), loop(store(2.0))})), "bound twice",
                 {.flat = false, .bound_once = true});
  expect_refused(with(loop(store(t.load({i})))), "buffer T is used outside of its scope");
  expect_refused(with(block({make_stmt<Allocate>(t, loop(make_stmt<Store>(t, Exprs{i}, Expr(1.0)))),
                             loop(store(t.load({i})))})),
                 "outside of its scope");
  expect_refused(with(make_stmt<Allocate>(t, make_stmt<Allocate>(t, block({})))),
                 "inside of its own scope");
}

TEST(Check, Types) {
  const Var x = Var::fresh("x", i32);
  expect_refused(with(loop(store(Expr(int_imm(1))))), "takes f32, the value is i64");
  expect_refused(with(loop(make_stmt<Store>(c, Exprs{i}, Expr(1.0), i))), "predicate");
  expect_refused(with(loop(make_stmt<Store>(c, Exprs{ramp(i, 1, 4)}, Expr(1.0)))), "takes f32x4");
  expect_refused(with(loop(make_stmt<Store>(c, Exprs{ramp(i, 1, 4)}, broadcast(1.0, 4), i < 3))),
                 "not boolx4");
  expect_refused(with(loop(make_stmt<IfThenElse>(i, store(1.0)))), "condition i is i64");
  expect_refused(with(loop(store(make<Add>(f32, Expr(1.0), i)))), "Add of f32 and i64");
  expect_refused(with(loop(make_stmt<LetStmt>(x, i, store(1.0)))), "let x is i32");
  expect_refused(with(loop(store(1.0), x)), "loop variable x is i32");
  expect_refused(with(loop(store(1.0), i, int_imm(4, i32))), "extent of the loop");
  expect_refused(with(loop(store(1.0), i, ramp(int_imm(1), 1, 4))), "extent of the loop");
  expect_refused(with(loop(store(make<Select>(i, Expr(1.0), Expr(2.0))))), "condition i");
  expect_refused(with(loop(store(Expr()))), "undefined");
  expect_refused(with(loop(store(make<Shuffle>(Exprs{broadcast(1.0, 2)}, std::vector<int>{2})))),
                 "lane 2 of 2");
}

TEST(Check, NoReduceIsLeft) {
  const Var k = Var::fresh("k");
  expect_refused(
      with(loop(store(make<Reduce>(make_combiner(ReduceOp::kSum, f32), Exprs{a.load({i, k})},
                                   std::vector<ReduceAxis>{{k, int_imm(6)}}, 0)))),
      "a Reduce is left");
}

TEST(Check, FlatAccesses) {
  const Program p = with(loop(store(make<Load>(a, Exprs{i * 6}, Expr(), 1))));
  EXPECT_TRUE(check_well_formed(p, {.flat = true, .bound_once = false}).ok());
  expect_refused(p, "takes 2 indices");
  expect_refused(with(loop(store(a.load({i, i})))), "takes 1 index",
                 {.flat = true, .bound_once = false});
}

TEST(Check, BuffersAndRoles) {
  const Var n = Var::fresh("n");
  const Buffer r = Buffer::fresh("R", f32, {n}, Scope::kRegister);
  expect_refused(with(make_stmt<Allocate>(r, block({}))), "symbolic shape");
  expect_refused(with(make_stmt<Store>(a, Exprs{int_imm(0), int_imm(0)}, Expr(1.0))),
                 "stores into input buffer A");
  Program p = with(block({}));
  p.buffers[0].buffer = a.with_layout(Layout::row_major({6, 4}));
  expect_refused(p, "layout of buffer A is of another shape");
}

TEST(Check, CallsAndLaunches) {
  const auto call = [](const std::string& f, std::vector<Buffer> b, Exprs s = {}) {
    return make_stmt<CallFunction>(f, std::move(b), std::move(s));
  };
  Program p = with(call("g", {a, c}));
  expect_refused(p, "no function g stands above f");
  const Buffer x = Buffer::fresh("x", f32, {4, 6}), y = Buffer::fresh("y", f32, {4});
  const auto with_g = [&](const Stmt& body, const Stmt& g_body, std::vector<Var> scalars = {}) {
    Program q = with(body);
    q.functions.insert(q.functions.begin(), {"g", {x, y}, std::move(scalars), g_body});
    return q;
  };
  EXPECT_TRUE(check_well_formed(with_g(call("g", {a, c}), block({}))).ok());
  expect_refused(with_g(call("g", {a}), block({})), "g takes 2 buffers, 1 given");
  expect_refused(with_g(call("g", {c, c}), block({})), "differ in shape");
  expect_refused(with_g(call("g", {a, c}, {int_imm(1)}), block({})), "takes 0 scalars");
  expect_refused(with_g(call("g", {a, c}, {Expr(1.0)}), block({}), {Var::fresh("n")}),
                 "is i64, f32 given");
  // A store into the parameter of a callee is one into the input that is passed.
  expect_refused(
      with_g(call("g", {a, c}), make_stmt<Store>(x, Exprs{int_imm(0), int_imm(0)}, Expr(1.0))),
      "stores into input buffer A");
  p = with(block({}));
  p.launches[0].function = "h";
  expect_refused(p, "launch of h");
  p = with(block({}));
  p.launches[0].arguments.pop_back();
  expect_refused(p, "takes 2 buffers, 1 given");
  p = with(block({}));
  p.launches.push_back({RunPhase::kPrepare, "f", {a, c}});
  expect_refused(p, "after a run launch");
  p = with(block({}));
  p.functions.push_back(p.functions[0]);
  expect_refused(p, "a second function");
}

TEST(Check, PreparedBuffersAreWrittenInPrepare) {
  Program p = with(loop(store(1.0)));
  p.buffers[1].role = BufferRole::kPrepared;
  expect_refused(p, "outside of the prepare phase");
  p.launches[0].phase = RunPhase::kPrepare;
  EXPECT_TRUE(check_well_formed(p).ok());
}

}  // namespace
}  // namespace tessera::ir
