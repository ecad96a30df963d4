// Lesson 04: pack, tile, epilogue
//
// A fast kernel by hand: relu(A * B + bias) with constant weights B, as one layer of a network
// computes it. Three things make it fast: weights in the order in which they are used, a tile of
// results that never leaves registers, and an epilogue on that tile.
//
// Build and run:   cmake --build build/release --target lesson_04_pack_tile_epilogue
//                  build/release/lessons/04_pack_tile_epilogue

#include <algorithm>

#include "docs/lessons/lesson.h"
#include "driver/compile.h"
#include "driver/reference.h"
#include "dsl/dsl.h"
#include "ir/print.h"
#include "runtime/cpu/host.h"
#include "schedule/schedule.h"

using namespace tessera;
using namespace tessera::dsl;
using lesson::require;
using lesson::show;
using schedule::Schedule;

constexpr int M = 240, N = 256, K = 256;

ComputeDag layer() {
  auto A = placeholder({M, K}, f32, "A"), B = constant({K, N}, f32, "B"),
       bias = constant({N}, f32, "bias");
  auto k = reduce_axis(K, "k");
  auto C = compute(
      {M, N}, [&](Var i, Var j) { return sum(A(i, k) * B(k, j), k); }, "C");
  auto D = compute(
      {M, N}, [&](Var i, Var j) { return max(C(i, j) + bias(j), 0.0f); }, "D");
  return ComputeDag::from_outputs({D}, "layer");
}

// 1. Registers decide the tile.
//
// Each step of k multiplies a column of A's tile by a row of B's. With r rows and v vectors of
// columns that is r * v multiply-adds for r + v reads, and it takes r * v accumulators. With 32
// registers of 16 floats, 6 x 4 leaves room for the four vectors of B. With 16 registers of 8
// floats 6 x 2 is what fits.
struct Tile {
  int rows, vectors, lanes;
};

Tile tile_for(const ir::Target& target) {
  return target.vector_bytes == 64 ? Tile{6, 4, 16} : Tile{6, 2, target.lanes(4)};
}

// 2. The schedule.
//
// `pack` copies B into panels as wide as the tile: the tile then reads B from its first to its last
// byte. B is constant, so the copy is made once, before all runs. C is computed where D needs a
// tile of it, in registers; the loop over k runs outside the tile's own loops, which are unrolled
// and vectorised. The epilogue, D, reads the accumulators: C is never stored.
schedule::StepList by_hand(const Tile& t) {
  Schedule s(layer());
  s.pack("B", {"C"}, "B.panels", {{"d1", 0}, {"d0", 0}, {"d1", t.vectors * t.lanes}});
  s.split("D", "i", {"i0", "i1"}, {t.rows}).split("D", "j", {"j0", "j1", "j2"}, {t.vectors, t.lanes});
  s.reorder("D", {"j0", "i0", "i1", "j1", "j2"});
  s.unroll("D", "i1").unroll("D", "j1").vectorize("D", "j2");
  s.compute_at("C", "D", "i0").set_scope("C", ir::Scope::kRegister);
  s.split("C", "j", {"j1", "j2"}, {t.lanes}).reorder("C", {"k", "i", "j1", "j2"});
  s.unroll("C", "i").unroll("C", "j1").vectorize("C", "j2");
  if (t.rows == 6 && t.vectors == 4 && t.lanes == 16) {
    show("the schedule", s.state().print_loops(), R"(
for B.panels.d0 in 0..256
  for B.panels.d1 in 0..256
    B.panels = ...
for D.j0 in 0..4
  for D.i0 in 0..40
    for C.k in 0..256 reduce
      for C.i in 0..6 unroll
        for C.j1 in 0..4 unroll
          for C.j2 in 0..16 vector
            C = ...  (register)
    for D.i1 in 0..6 unroll
      for D.j1 in 0..4 unroll
        for D.j2 in 0..16 vector
          D = ...
)");
  } else {
    show("the schedule", s.state().print_loops());
  }
  return s.steps();
}

// 3. What is prepared ahead.
//
// The copy runs in a function of its own, which a caller runs once for its weights.
void prepared(const schedule::StepList& steps) {
  const auto program =
      driver::structured_loops(layer(), steps, driver::resolve_target("cpu")).or_throw();
  require(program.launches[0].phase == ir::RunPhase::kPrepare &&
              program.launches[0].function == "tessera_layer_prepare",
          "the panels are made before the runs");
  require(ir::to_string(program).find("alloc C: f32[6, ") != std::string::npos,
          "C is a tile");
}

// 4. How fast.
//
// The share is of what this core does in a loop of multiply-adds in registers, measured between the
// samples. Above 80 % little is left to win.
void measure(const schedule::StepList& hand) {
  const ComputeDag dag = layer();
  const ir::Target target = driver::resolve_target("cpu");
  driver::Builder builder;
  runtime::CpuMeasurer runner;
  runner.install(driver::make_reference(dag, target, 1, builder, runner).data);
  const auto share_of = [&](const char* name, const schedule::StepList& steps) {
    const driver::BuildResult built = builder.build(dag, steps, target);
    require(built.image.has_value(), "it builds: " + built.message);
    const runtime::Measurement m = runner.measure(*built.image, {});
    require(m.ok(), "it is right: " + m.message);
    const double rate = 2 * dag.multiply_adds() / static_cast<double>(m.min_ns());
    const double peak = *std::max_element(m.probe_gflops.begin(), m.probe_gflops.end());
    std::printf("%-14s %8.1f us  %6.1f GFLOP/s  %3.0f %% of the peak\n", name,
                static_cast<double>(m.min_ns()) * 1e-3, rate, 100 * rate / peak);
    return rate / peak;
  };
  share_of("default plan", driver::default_plan(dag, target));
  // A busy machine may spoil one measurement.
  double share = 0;
  for (int i = 0; i < 5 && share < 0.8; ++i) share = share_of("by hand", hand);
  require(share >= 0.8, "80 % of the peak are reached");
}

int main() {
  const schedule::StepList hand = by_hand(tile_for(driver::resolve_target("cpu")));
  prepared(hand);
  measure(hand);
}
