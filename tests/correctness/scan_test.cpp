// Scans and externs under chosen and random schedules: interpreted, and as machine code, against the
// evaluator, bit for bit.
#include <gtest/gtest.h>

#include <cstring>

#include "driver/compile.h"
#include "driver/fuzz/check_pair.h"
#include "driver/fuzz/random_schedule.h"
#include "driver/reference.h"
#include "dsl/dsl.h"
#include "dsl/inputs.h"
#include "ops/catalog.h"
#include "runtime/cpu/host.h"
#include "tests/support/native_pair.h"
#include "tests/support/options.h"

namespace tessera::driver {
namespace {

using namespace tessera::dsl;       // NOLINT: programs
using namespace tessera::schedule;  // NOLINT: steps
using dsl::ComputeDag;
using dsl::Tensor;
using test::wrong;

/// P = X * 2;  S[t, j] = S[t - 1, j] + P[t, j];  Y = S[t, j] + S[t, j + 1]
ComputeDag sums() {
  auto x = placeholder({9, 14}, f32, "X");
  auto p = compute({9, 14}, [&](Var i, Var j) { return x(i, j) * 2.0f; }, "P");
  auto s = scan_state({9, 14}, f32, "S");
  auto sum = scan(s, {}, [&](Var t, Var j) { return p(t, j); }, [&](Var t, Var j) { return s(t - 1, j) + p(t, j); });
  return ComputeDag::from_outputs({compute({9, 13}, [&](Var i, Var j) { return sum(i, j) + sum(i, j + 1); }, "Y")}, "sums");
}

/// Along the last dimension, from the two elements before, of which the last row alone is used.
ComputeDag filter() {
  auto x = placeholder({5, 17}, f64, "X");
  auto s = scan_state({5, 17}, f64, "S");
  auto y = scan(s, {1, 2}, [&](Var i, Var t) { return x(i, t); }, [&](Var i, Var t) { return x(i, t) + s(i, t - 1) - s(i, t - 2); });
  return ComputeDag::from_outputs({compute({5}, [&](Var i) { return y(i, 16) * 2.0; }, "Y")}, "filter");
}

/// Elements meet: each takes the larger of its neighbours of the row before.
ComputeDag neighbours() {
  auto x = placeholder({7, 11}, i32, "X");
  auto s = scan_state({7, 11}, i32, "S");
  const auto step = [&](Var t, Var j) { return x(t, j) + ir::max(s(t - 1, ir::max(j - 1, 0)), s(t - 1, ir::min(j + 1, 10))); };
  return ComputeDag::from_outputs({scan(s, {}, [&](Var t, Var j) { return x(t, j); }, step)}, "neighbours");
}

/// A linear recurrent network: integers stay exact.
ComputeDag network() {
  auto x = placeholder({4, 5, 6}, i32, "X"), w = constant({6, 6}, i32, "W");
  auto h = scan_state({4, 5, 6}, i32, "H");
  auto k = reduce_axis(6, "k");
  auto past = compute({4, 5, 6}, [&](Var t, Var b, Var i) { return dsl::sum(h(t - 1, b, k) * w(k, i), k); }, "past");
  auto gate = compute({4, 5, 6}, [&](Var t, Var b, Var i) { return past(t, b, i) + x(t, b, i); }, "gate");
  auto y = scan(h, {}, [&](Var t, Var b, Var i) { return x(t, b, i); }, [&](Var t, Var b, Var i) { return ir::max(gate(t, b, i), h(t - 1, b, i)); });
  return ComputeDag::from_outputs({y}, "network");
}

/// Two states, one of which is read across.
ComputeDag two_states() {
  auto x = placeholder({6, 8}, i32, "X");
  auto a = scan_state({6, 8}, i32, "A"), b = scan_state({6, 8}, i32, "A");
  auto s = scan_many({a, b}, {}, [&](Var t, Var j) { return Exprs{x(t, j), x(t, 7 - j)}; },
                     [&](Var t, Var j) { return Exprs{b(t - 1, j) + x(t, j), a(t - 1, 7 - j) - b(t - 1, j)}; });
  return ComputeDag::from_outputs({compute({6, 8}, [&](Var t, Var j) { return s[0](t, j) * s[1](t, j); }, "Y")}, "two_states");
}

/// Segments of a producer are summed by hand, with a scratch buffer; a consumer doubles them.
ComputeDag segments() {
  auto rows = with_values(placeholder({8}, i32, "rows"), offsets(20));
  auto x = placeholder({20}, f32, "X");
  auto p = compute({20}, [&](Var i) { return x(i) + 1.0f; }, "P");
  auto y = extern_stage({7}, {f32, i32}, {rows, p}, [](const std::vector<Buffer>& in, const std::vector<Buffer>& out) {
    const Var i = Var::fresh("i"), k = Var::fresh("k");
    const Buffer total = Buffer::fresh("total", f32, {1});
    const auto row = [&](const Expr& e) { return cast(i64, in[0].load({e})); };
    const auto put = [](const Buffer& b, const Exprs& at, const Expr& v) { return ir::make_stmt<ir::Store>(b, at, v); };
    const ir::Stmt add = ir::make_stmt<ir::For>(k, row(i), row(i + 1) - row(i), ir::ForKind::kSerial, put(total, {Expr(0)}, total.load({Expr(0)}) + in[1].load({k})));
    const ir::Stmt body = ir::block({put(total, {Expr(0)}, Expr(0.0f)), add, put(out[0], {i}, total.load({Expr(0)})), put(out[1], {i}, cast(i32, row(i + 1) - row(i)))});
    return ir::make_stmt<ir::For>(i, Expr(0), Expr(7), ir::ForKind::kParallel, ir::make_stmt<ir::Allocate>(total, body));
  }, "S", 20);
  return ComputeDag::from_outputs({compute({7}, [&](Var i) { return y[0](i) * 2.0f + cast(f32, y[1](i)); }, "Y")}, "segments");
}

TEST(Scans, ChosenSchedules) {
  NativeCheck native("cpu");
  const std::vector<std::pair<ComputeDag, StepList>> pairs{
      {sums(), {Split{"S", "i", {"a", "b"}, {4}}, Reorder{"S", {"a", "t", "b"}}, Parallel{"S", "a"}, Vectorize{"S", "b"}}},
      {sums(), {ComputeInline{"P"}, Split{"S", "t", {"t0", "t1"}, {4}, ir::Tail::kGuard}, Unroll{"S", "t1"}}},
      {sums(), {ComputeAt{"P", "S", "t"}, Split{"Y", "j", {"j0", "j1"}, {5}}, Reorder{"Y", {"j0", "i", "j1"}}, ComputeAt{"S", "Y", "j0"}, Parallel{"Y", "j0"}}},
      {sums(), {TransformLayout{"S", {{"i", 0}, {"t", 0}, {"i", 4}}}, StorageAlign{"S", "t", 16, 3}}},
      {filter(), {ComputeAt{"S", "Y", "i"}, Parallel{"Y", "i"}}},
      {filter(), {Reorder{"S", {"t", "i"}}, Vectorize{"S", "i"}}},
      {neighbours(), {Parallel{"S", "i"}}},
      {neighbours(), {Split{"S", "i", {"a", "b"}, {4}}, Vectorize{"S", "b"}}},
      {network(), {ComputeInline{"gate"}, Reorder{"H", {"i", "t"}}, Parallel{"H", "i"}, Vectorize{"H", "j"}}},
      {network(), {CacheWrite{"past", "acc"}, ComputeAt{"past", "gate", "j"}, SetScope{"gate", ir::Scope::kLocal}}},
      {network(), {Split{"H", "i", {"b0", "b1"}, {2}}, Reorder{"H", {"b0", "t", "b1"}}, Split{"past", "k_1", {"k0", "k1"}, {4}}, Rfactor{"past", "k1", "part"}, Vectorize{"part", "k1"}}},
      {network(), {Reorder{"H", {"i", "t"}}, Split{"H", "i", {"b0", "b1"}, {3}, ir::Tail::kGuard}, Reorder{"H", {"b0", "t", "b1"}}, Parallel{"H", "b0"}}},
      {two_states(), {Parallel{"A", "i"}}},
      {segments(), {Vectorize{"Y", "i"}, CacheRead{"P", {"S"}, "Pc"}, Parallel{"P", "i"}}},
  };
  for (const auto& [dag, steps] : pairs) {
    EXPECT_EQ(wrong(dag, steps, native), "") << dag.name() << " " << dump_json(write_json(steps));
  }
}

TEST(Scans, RandomSchedules) {
  const std::uint64_t seed = test::options().seed;
  RecordProperty("seed", std::to_string(seed));
  constexpr int kWalks = 40;
  NativeCheck native("cpu");
  for (const ComputeDag& dag : {sums(), filter(), neighbours(), network(), two_states(), segments()}) {
    const State initial = State::initial(std::make_shared<const ComputeDag>(dag)).or_throw();
    for (int i = 0; i < kWalks; ++i) {
      Rng rng(seed, {hash_bytes(dag.name()), static_cast<std::uint64_t>(i)});
      WalkStatistics met;
      const Walk walk = random_schedule(initial, rng, i == 0 ? 0 : 20, met);
      EXPECT_TRUE(met.illegal_accepted.empty()) << (met.illegal_accepted.empty() ? "" : met.illegal_accepted[0]);
      ASSERT_EQ(wrong(dag, walk.steps, native), "") << dag.name() << " " << i << " " << dump_json(write_json(walk.steps));
    }
  }
}

/// Rows that lead out of the values, as nobody promised: the kernel is stopped, the tuner is not.
TEST(Scans, AnExternOnBadDataIsStopped) {
  const ComputeDag dag = segments();
  const ir::Target target = resolve_target("cpu");
  Builder builder;
  runtime::CpuMeasurer measurer;
  runtime::DataSet data = make_reference(dag, target, 1, builder, measurer).data;
  const BuildResult built = builder.build(dag, default_plan(dag, target), target);
  ASSERT_TRUE(built.image.has_value()) << built.message;
  measurer.install(data);
  EXPECT_TRUE(measurer.measure(*built.image, {}).ok());
  for (runtime::OperandSet* set : {&data.exact, &data.real}) {
    for (runtime::Operand& o : set->inputs) {
      if (o.name != "rows") continue;
      const std::int32_t far = 1 << 30;
      std::memcpy(o.bytes.data() + 7 * sizeof(far), &far, sizeof(far));
    }
  }
  measurer.install(data);
  const runtime::Measurement m = measurer.measure(*built.image, {});
  EXPECT_EQ(m.status, runtime::MeasureStatus::kOutOfBounds) << m.message;
  const ops::Operator& spmm = *ops::find_operator("csr_spmm").or_throw();
  EXPECT_TRUE(dsl::supports_exact(ops::build({spmm.name, {}, "", ""}).or_throw()));
}

}  // namespace
}  // namespace tessera::driver
