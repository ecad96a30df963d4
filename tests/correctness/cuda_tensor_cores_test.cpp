// Products on tensor cores: schedules written by hand and those the search makes, the printed text in the
// emulator, exactly. M24 of what tensor programs must do: products, batched products and convolutions get them
// without being asked, padded where shapes are odd.
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "driver/compile.h"
#include "dsl/evaluate.h"
#include "dsl/inputs.h"
#include "ir/mma.h"
#include "ir/print.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "lower/pipeline.h"
#include "ops/catalog.h"
#include "search/sketch.h"
#include "tests/correctness/cuda_kernels.h"

namespace tessera::test {
namespace {

enum class Rows { kPlain, kApart, kSwizzled };  // of shared tiles

struct MmaPlan {
  bool a_transposed = false, b_transposed = false;
  int slots = 1, rows = 2, columns = 2;  // fragments of a warp
  Rows tiles = Rows::kApart;
  bool round = false;                    // a program of f32, whose factors a step rounds
};

ComputeDag product(const Shape& mnk, ir::Type operand, const MmaPlan& plan) {
  const auto [m, n, k] = mnk;
  const ir::Type sums = operand == ir::i8 ? ir::i32 : ir::f32, stored = operand == ir::tf32 ? ir::f32 : operand;
  auto A = placeholder(plan.a_transposed ? Exprs{k, m} : Exprs{m, k}, stored, "A");
  auto B = placeholder(plan.b_transposed ? Exprs{n, k} : Exprs{k, n}, stored, "B");
  auto kk = reduce_axis(k, "k");
  auto C = compute({m, n}, [&](Var i, Var j) {
    const Expr a = plan.a_transposed ? A(kk, i) : A(i, kk), b = plan.b_transposed ? B(j, kk) : B(kk, j);
    return sum(cast(sums, cast(operand, a)) * cast(sums, cast(operand, b)), kk);
  }, "C");
  return ComputeDag::from_outputs({C}, "product");
}

/// Two warps, one above the other, two steps of an instruction a tile of the reduction.
Schedule mma_schedule(const Shape& mnk, ir::Type operand, const MmaPlan& plan) {
  const ir::Mma& mma = *ir::mma_of(operand, operand == ir::i8 ? ir::i32 : ir::f32);
  const std::int64_t deep = mma.k, chunk = mma.chunk();
  Schedule s(product(mnk, plan.round ? ir::f32 : operand, plan));
  if (plan.round) s.use_algorithm("C", "round_factors", {});
  std::vector<std::string> tiles{"A", "B"};
  if (mnk[2] % deep != 0) {
    s.use_algorithm("C", "pad_reduction", {{"multiple", deep}});
    tiles = {"C.A.zeros", "C.B.zeros"};
  }
  s.cache_write("C", "acc");
  s.split("C", "i", {"i.b", "i.w", "i.f", "half", "row"}, {2, plan.rows, 2, 8}).split("C", "j", {"j.b", "j.f", "pair", "one"}, {plan.columns, 4, 2});
  s.reorder("C", {"i.b", "j.b", "i.w", "row", "pair", "i.f", "half", "j.f", "one"}).fuse("C", {"row", "pair"}, "lane");
  s.bind("C", "i.b", ForKind::kBlockY).bind("C", "j.b", ForKind::kBlockX).bind("C", "i.w", ForKind::kWarp).bind("C", "lane", ForKind::kLane);
  s.vectorize("C", "one").compute_at("acc", "C", "j.b").pad_box("acc");
  s.split("acc", "i", {"i.w", "i.f", "i.m"}, {plan.rows, 16}, ir::Tail::kPad).split("acc", "j", {"j.w", "j.f", "j.n"}, {plan.columns, 8}, ir::Tail::kPad);
  s.split("acc", "k", {"steps", "k.m"}, {deep}).split("acc", "steps", {"k.0", "k.1"}, {2});
  s.reorder("acc", {"k.0", "i.w", "j.w", "k.1", "i.f", "j.f", "i.m", "j.n", "k.m"}).bind("acc", "i.w", ForKind::kWarp);
  s.unroll("acc", "i.f").unroll("acc", "j.f").tensorize("acc", {"i.m", "j.n", "k.m"}, mma.name).set_scope("acc", Scope::kRegister);
  for (std::string tile : tiles) {
    if (tile.size() == 1) {
      s.cache_read(tile, {"acc"}, tile + ".s", Scope::kShared);
      tile += ".s";
    } else {
      s.set_scope(tile, Scope::kShared);
    }
    s.compute_at(tile, "acc", "k.0").pad_box(tile);
    const std::vector<std::string> axes = s.state().find(tile)->data_axes();
    if (plan.tiles == Rows::kApart) s.storage_align(tile, axes[0], 2 * chunk, chunk);
    if (plan.tiles == Rows::kSwizzled) s.swizzle(tile, chunk);
    s.fuse(tile, axes, "t").split(tile, "t", {"v", "lanes"}, {chunk}).vectorize(tile, "lanes").spread(tile, "v", {"step", "thread"}, "acc");
    if (plan.slots > 1) s.pipeline(tile, plan.slots);
  }
  return s;
}

class TensorCores : public ::testing::TestWithParam<const char*> {};

TEST_P(TensorCores, ProductsAreRight) {
  const ir::Type operand = ir::parse_type(GetParam()).or_throw();
  int i = 0;
  for (const Shape& mnk : {Shape{64, 32, 64}, {100, 72, operand == ir::tf32 ? 40 : 96}, {37, 51, 29}}) {
    for (const bool a : {false, true}) {
      for (const bool b : {false, true}) {
        const MmaPlan plan{a, b, 1 + i % 3, i % 5 == 2 ? 1 : 2, i % 5 == 2 ? 3 : 2, i % 4 != 1 ? Rows::kApart : Rows::kPlain};
        SCOPED_TRACE(std::to_string(mnk[0]) + (a ? " transposed A" : "") + (b ? " transposed B" : "") + ", slots " + std::to_string(plan.slots));
        const std::string text = expect_right(mma_schedule(mnk, operand, plan));
        EXPECT_NE(text.find(ir::mma_of(operand, operand == ir::i8 ? ir::i32 : ir::f32)->call), std::string::npos);
        ++i;
      }
    }
  }
}

TEST_P(TensorCores, SwizzledTilesAreRight) {
  const ir::Type operand = ir::parse_type(GetParam()).or_throw();
  for (const Shape& mnk : {Shape{64, 32, 64}, {37, 51, 29}}) {
    for (int i = 0; i < 8; ++i) {
      const MmaPlan plan{i % 2 != 0, i % 4 >= 2, i < 4 ? 1 : 3, 2, 2, Rows::kSwizzled};
      SCOPED_TRACE(std::to_string(mnk[0]) + (plan.a_transposed ? " transposed A" : "") + (plan.b_transposed ? " transposed B" : "") + ", slots " + std::to_string(plan.slots));
      const std::string text = expect_right(mma_schedule(mnk, operand, plan));
      EXPECT_NE(text.find(" ^ "), std::string::npos);
      // Fragments come by ldmatrix as from any other rows, chunks by copies of 16 bytes.
      EXPECT_EQ(text.find("ts_ldmatrix_x4" + std::string(plan.a_transposed ? "_trans" : "") + "(") != std::string::npos, operand.bytes() == 2 || !plan.a_transposed);
      EXPECT_TRUE(plan.slots == 1 || mnk[0] != 64 || text.find("ts_async_copy<16>(A_s") != std::string::npos) << text;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Operands, TensorCores, ::testing::Values("f16", "bf16", "i8", "tf32"), [](const auto& info) { return info.param; });

TEST(TensorCoresText, FragmentsAreLoadedOnceAndTogether) {
  const std::string text = expect_right(mma_schedule({64, 64, 64}, ir::f16, {false, true, 3, 2, 4, Rows::kApart}));
  // A once for each of its two fragments in a loop, B two neighbours at a time; never inside the products.
  EXPECT_TRUE(std::regex_search(text, std::regex("i_f_\\d < 2; .*\\n *ts_ldmatrix_x4\\(A_s_fragments")));
  EXPECT_TRUE(std::regex_search(text, std::regex("j_f_\\d < 2; .*\\n *ts_ldmatrix_x4\\(B_s_fragments")));
  EXPECT_TRUE(std::regex_search(text, std::regex("j_f_\\d < 4; .*\\n *ts_mma_m16n8k16_f16\\(acc")));
  EXPECT_EQ(text.find(".trans"), std::string::npos);
  // The other order of B needs transposing on the way.
  EXPECT_NE(expect_right(mma_schedule({64, 64, 64}, ir::f16, {false, false, 1, 2, 4, Rows::kApart})).find("ts_ldmatrix_x4_trans(B_s"), std::string::npos);
}

/// Elements of one byte that lie across cannot be transposed by ldmatrix: lanes load them.
TEST(TensorCoresText, BytesAcrossAreLoadedOneByOne) {
  const std::string text = expect_right(mma_schedule({64, 32, 64}, ir::i8, {false, false, 1, 2, 2, Rows::kApart}));
  EXPECT_NE(text.find("ts_ldmatrix_x4(A_s"), std::string::npos);
  EXPECT_EQ(text.find("ts_ldmatrix_x4_trans"), std::string::npos);
  EXPECT_EQ(text.find("ts_ldmatrix_x2(B_s"), std::string::npos);
}

/// Words are rounded where they lie in registers: ldmatrix loads f32 as it is.
TEST(TensorCoresText, FactorsAreRoundedInRegisters) {
  const std::string text = expect_right(mma_schedule({64, 32, 64}, ir::tf32, {false, true, 3, 2, 2, Rows::kApart}));
  EXPECT_TRUE(std::regex_search(text, std::regex("ts_ldmatrix_x4\\(A_s_fragments")));
  EXPECT_TRUE(std::regex_search(text, std::regex("A_s_fragments\\[word\\] = .*ts_round_tf32\\(ts_bits<f32>\\(A_s_fragments\\[word\\]")));
  EXPECT_NE(text.find("ts_async_copy<16>"), std::string::npos);
}

/// Rows that are not 16 bytes apart cannot be loaded by ldmatrix either.
TEST(TensorCoresText, UnalignedRowsAreLoadedOneByOne) {
  Schedule s = mma_schedule({64, 32, 64}, ir::f16, {false, true, 1, 2, 2, Rows::kPlain});
  s.storage_align("A.s", "d0", 2, 1);
  EXPECT_EQ(expect_right(s).find("ts_ldmatrix_x4(A_s"), std::string::npos);
}

/// Of the matrices that ldmatrix loads: the fewest banks that the eight rows of one lie in.
std::size_t fewest_banks(const ir::Program& finished) {
  std::size_t fewest = 32;
  int matrices = 0;
  const auto address = [](const ir::Expr& at, const ir::VarMap& lets, const ir::Var& thread, int t) {
    ir::Expr e = ir::substitute(at, lets);
    for (const ir::Var& v : ir::free_vars(e)) e = ir::substitute(e, v, ir::int_imm(v.id() == thread.id() ? t : 0));
    std::int64_t out = 0;
    EXPECT_TRUE(ir::is_const_int(ir::simplify(e), &out)) << ir::to_string(e);
    return out;
  };
  for (const ir::Function& f : finished.functions) {
    ir::VarMap lets;
    ir::Var thread = ir::Var::fresh("none");
    ir::walk(f.body, [&](const ir::Stmt& s) {
      if (const auto* n = s.as<ir::For>(); n != nullptr && n->loop == ForKind::kThreadX) thread = n->var;
      if (const auto* n = s.as<ir::LetStmt>()) lets[n->var.id()] = ir::substitute(n->value, lets);
      const auto* n = s.as<ir::TileOp>();
      if (n == nullptr || n->intrinsic.rfind("ldmatrix.", 0) != 0) return true;
      for (int matrix = 0; matrix < (n->intrinsic.find("x4") != std::string::npos ? 4 : 2); ++matrix, ++matrices) {
        std::set<std::int64_t> banks;
        for (int row = 0; row < 8; ++row) {
          const std::int64_t byte = address(n->regions[1].min[0], lets, thread, 8 * matrix + row) * n->regions[1].buffer->dtype.bytes();
          for (int word = 0; word < 4; ++word) banks.insert((byte / 4 + word) % 32);
        }
        fewest = std::min(fewest, banks.size());
      }
      return true;
    });
  }
  EXPECT_GT(matrices, 0);
  return fewest;
}

TEST(TensorCoresText, EightRowsLieInAllBanks) {
  for (const ir::Type operand : {ir::f16, ir::i8}) {
    for (const bool across : {false, true}) {
      const auto banks = [&](Rows tiles) {
        return fewest_banks(lower::lower(mma_schedule({64, 64, 64}, operand, {across, !across, 2, 2, 4, tiles}).state(), cuda_options()).or_throw());
      };
      if (operand == ir::i8 && across) continue;  // lanes load them one by one
      EXPECT_EQ(banks(Rows::kSwizzled), 32u) << operand << across;
      EXPECT_EQ(banks(Rows::kApart), 32u) << operand << across;
      EXPECT_LT(banks(Rows::kPlain), 32u) << operand << across;
    }
  }
}

/// A planted bug: chunks change places where they are written, or where they are read, and not on the other side.
ir::Program swizzled_on_one_side(const ir::Program& finished, bool reads) {
  const std::function<ir::Expr(const ir::Expr&)> straight = [&](const ir::Expr& e) {
    const ir::Expr x = ir::map_children(e, straight);
    const ir::Binary* n = ir::as_binary(x);
    return n != nullptr && n->kind == ir::ExprKind::kBitXor ? n->a : x;
  };
  const std::function<ir::Stmt(const ir::Stmt&)> damaged = [&](const ir::Stmt& s) -> ir::Stmt {
    if (!s) return s;
    if (const auto* n = s.as<ir::TileOp>(); n != nullptr && !reads && n->intrinsic.rfind("ldmatrix.", 0) == 0) {
      std::vector<ir::Region> regions = n->regions;
      regions[1].min[0] = straight(regions[1].min[0]);
      return ir::make_stmt<ir::TileOp>(n->intrinsic, std::move(regions));
    }
    if (const auto* n = s.as<ir::Store>(); n != nullptr && reads && n->buffer->scope == Scope::kShared) {
      return ir::make_stmt<ir::Store>(n->buffer, ir::Exprs{straight(n->indices[0])}, n->value, n->predicate, n->streaming);
    }
    return ir::map_children(
        s, [](const ir::Expr& e) { return e; }, damaged);
  };
  return lower::map_functions(finished, [&](const ir::Stmt& s) -> Result<ir::Stmt> { return damaged(s); }).or_throw();
}

TEST(PlantedBugs, SwizzleOnOneSideOfAPrintedKernel) {
  const Schedule s = mma_schedule({64, 32, 64}, ir::f16, {false, true, 2, 2, 2, Rows::kSwizzled});
  const auto program = driver::CheckedProgram::make(s.state().dag(), options().seed).or_throw();
  const ir::Program right = lower::lower(s.state(), cuda_options()).or_throw();
  EXPECT_EQ(driver::check_emulated(program, right, {}).why, "");
  for (const bool reads : {false, true}) {
    const ir::Program wrong = swizzled_on_one_side(right, reads);
    EXPECT_NE(text_of(wrong), text_of(right));
    EXPECT_NE(driver::check_emulated(program, wrong, {}).why, "") << reads;
  }
}

void expect_refusal(const std::function<void()>& f, const std::vector<std::string>& words) {
  try {
    f();
    ADD_FAILURE() << "was taken";
  } catch (const UserError& e) {
    for (const std::string& w : words) EXPECT_NE(std::string(e.what()).find(w), std::string::npos) << w << " in: " << e.what();
  }
}

TEST(TensorCoresRefuse, LoopsThatAreNoInstruction) {
  const auto start = [](const Shape& mnk, ir::Type t) {
    Schedule s(product(mnk, t, {}));
    s.split("C", "i", {"i0", "i1"}, {16}).split("C", "j", {"j0", "j1"}, {8}).split("C", "k", {"k0", "k1"}, {16});
    s.reorder("C", {"i0", "j0", "k0", "i1", "j1", "k1"});
    return s;
  };
  const char* f16 = "cuda.mma.m16n8k16.f16";
  Schedule even = start({64, 32, 64}, ir::f16), odd = start({40, 32, 64}, ir::f16), bytes = start({64, 32, 64}, ir::i8);
  expect_refusal([&] { even.tensorize("C", {"i1", "j1"}, f16); }, {"2 loops", "a reduction loop"});
  expect_refusal([&] { even.tensorize("C", {"j1", "i1", "k1"}, f16); }, {"innermost"});
  expect_refusal([&] { odd.tensorize("C", {"i1", "j1", "k1"}, f16); }, {"'i1'", "16 x 8 x 16", "pad_box"});
  expect_refusal([&] { even.tensorize("C", {"i1", "j1", "k1"}, "cuda.mma.m16n8k16.bf16"); }, {"f16", "takes bf16"});
  expect_refusal([&] { bytes.tensorize("C", {"i1", "j1", "k1"}, "cuda.mma.m16n8k32.s8"); }, {"'k1'", "16 x 8 x 32"});
  expect_refusal([&] { even.tensorize("C", {"i1", "j1", "k1"}, "cuda.mma"); }, {"'cuda.mma'", f16});
  Schedule singles(product({64, 32, 64}, ir::f32, {}));
  singles.split("C", "i", {"i0", "i1"}, {16}).split("C", "j", {"j0", "j1"}, {8}).split("C", "k", {"k0", "k1"}, {8});
  singles.reorder("C", {"i0", "j0", "k0", "i1", "j1", "k1"});
  expect_refusal([&] { singles.tensorize("C", {"i1", "j1", "k1"}, "cuda.mma.m16n8k8.tf32"); }, {"values of f32", "takes tf32", "round_factors"});
}

TEST(RoundFactors, TakesProductsOfSinglePrecisionAlone) {
  Schedule halves(product({16, 16, 16}, ir::f16, {}));
  expect_refusal([&] { halves.use_algorithm("C", "round_factors", {}); }, {"'C'", "factors of f32"});
  Schedule twice(product({16, 16, 16}, ir::f32, {}));
  twice.use_algorithm("C", "round_factors", {});
  expect_refusal([&] { twice.use_algorithm("C", "round_factors", {}); }, {"factors of f32"});
}

/// Ordinary numbers: within the bounds of the definition times the factor, and outside of them without it.
TEST(RoundFactors, RoundsWithinTheFactor) {
  MmaPlan plan;
  plan.round = true;
  const Schedule s = mma_schedule({40, 24, 100}, ir::tf32, plan);
  EXPECT_NEAR(s.state().error_factor(), 1 + 16384.0 / 100, 1);
  const auto inputs = dsl::make_inputs(s.state().dag(), options().seed, dsl::InputKind::kRandom);
  dsl::Evaluator reference(s.state().dag(), inputs, dsl::EvaluateMode::kBounded);
  const dsl::Evaluation expected = reference.all("C").or_throw();
  const auto got = driver::emulated(lower::lower(s.state(), cuda_options()).or_throw(), inputs, {}).or_throw();
  double worst = 0;
  for (std::size_t i = 0; i < expected.values.size(); ++i) {
    worst = std::max(worst, std::fabs(got.at("C").values.get(static_cast<std::int64_t>(i)) - expected.values[i].f) / expected.errors[i]);
  }
  EXPECT_GT(worst, 1);
  EXPECT_LT(worst, s.state().error_factor());
  driver::EmulationOracle oracle(s.state().dag(), options().seed);
  const ir::Program finished = lower::lower(s.state(), cuda_options()).or_throw();
  EXPECT_EQ(oracle.check(finished, {}, s.state().error_factor()).why, "");
  EXPECT_TRUE(oracle.check(finished, {}, std::nextafter(1.0, 2.0)).failed());
}

// ---- what the search makes of operators ---------------------------------------------------------------

search::Task task_of(const ops::Request& r, bool allow_tf32 = false) {
  search::Task task;
  task.op = r.op;
  task.dag = ops::build(r).or_throw();
  task.target.kind = ir::TargetKind::kCuda;
  task.target.arch = "sm_90a";
  task.target.allow_tf32 = allow_tf32;
  task.threads = 1;
  return task;
}

/// The names of the sketches with `part` in them; they are right at `points` points each.
std::vector<std::string> right_sketches(const ops::Request& r, const std::string& part, int points, bool allow_tf32 = false) {
  const search::Task task = task_of(r, allow_tf32);
  const bool exact = dsl::supports_exact(task.dag);
  const auto inputs = dsl::make_inputs(task.dag, options().seed, exact ? dsl::InputKind::kExact : dsl::InputKind::kRandom);
  dsl::Evaluator reference(task.dag, inputs, exact ? dsl::EvaluateMode::kExact : dsl::EvaluateMode::kBounded);
  std::vector<std::string> out;
  for (const search::Sketch& s : search::generate_sketches(task)) {
    if (s.name.find(part) == std::string::npos) continue;
    out.push_back(s.name);
    Rng rng(options().seed, {hash_bytes(s.name)});
    for (int p = 0; p < points; ++p) {
      const auto point = s.space.sample(rng);
      EXPECT_TRUE(point.has_value());
      if (!point) break;
      const auto finished = lower::lower(driver::scheduled(task.dag, schedule::fill_holes(s.steps, s.space.decisions(*point)).or_throw()).or_throw(), cuda_options()).or_throw();
      EXPECT_EQ(text_of(finished).find("ts_mma_") != std::string::npos, s.name.find(".mma") != std::string::npos);
      const auto got = driver::emulated(finished, inputs, {p % 2 == 1, static_cast<std::uint64_t>(p)});
      EXPECT_TRUE(got.ok()) << got.reason();
      if (!got.ok()) continue;
      for (const auto& [name, t] : *got) {
        if (exact) {
          EXPECT_EQ(driver::difference(name, reference.tensor(name).or_throw(), t.values), "") << s.name;
        } else {
          const auto compared = reference.compare(name, t.values);
          EXPECT_TRUE(compared.ok() && compared->ok()) << s.name << ": " << (compared.ok() ? compared->first : compared.reason());
        }
      }
    }
  }
  return out;
}

/// Those on tensor cores.
std::vector<std::string> tensor_core_sketches(const ops::Request& r, int points, bool allow_tf32 = false) {
  return right_sketches(r, ".mma", points, allow_tf32);
}

TEST(M24, ProductsGetTensorCores) {
  EXPECT_EQ(tensor_core_sketches({"matmul", {{"m", 70}, {"n", 52}, {"k", 41}}, "", "f16"}, 3).size(), 1u);
  EXPECT_EQ(tensor_core_sketches({"dense", {{"m", 33}, {"n", 40}, {"k", 64}}, "", "bf16"}, 3).size(), 1u);
  EXPECT_EQ(tensor_core_sketches({"matmul", {{"m", 48}, {"n", 35}, {"k", 70}}, "", "i8"}, 3).size(), 1u);
}

TEST(M24, BatchedProductsGetTensorCores) {
  EXPECT_EQ(tensor_core_sketches({"batch_matmul", {{"b", 3}, {"m", 37}, {"n", 24}, {"k", 48}}, "", "f16"}, 3).size(), 1u);
}

TEST(M24, ConvolutionsGetTensorCores) {
  EXPECT_EQ(tensor_core_sketches({"conv2d", {{"n", 2}, {"h", 9}, {"w", 7}, {"ci", 16}, {"co", 20}, {"pad", 1}}, "", "f16"}, 3).size(), 1u);
  EXPECT_EQ(tensor_core_sketches({"conv2d", {{"n", 1}, {"h", 11}, {"w", 13}, {"ci", 3}, {"co", 17}, {"stride", 2}, {"pad", 1}}, "", "bf16"}, 3).size(), 1u);
  EXPECT_EQ(tensor_core_sketches({"conv2d_bias_relu", {{"h", 8}, {"w", 8}, {"ci", 8}, {"co", 24}}, "", "f16"}, 3).size(), 1u);
}

/// Few results of a long reduction: products of chunks, and a kernel that adds them up.
TEST(L21, LongReductionsOfFewResultsAreSplit) {
  for (const char* dtype : {"f32", "f16"}) {
    EXPECT_FALSE(right_sketches({"matmul", {{"m", 24}, {"n", 40}, {"k", 512}}, "", dtype}, ".partial.", 4).empty()) << dtype;
  }
  EXPECT_FALSE(right_sketches({"matmul", {{"m", 24}, {"n", 40}, {"k", 512}}, "", "f32"}, ".partial.mma", 4, true).empty());
  EXPECT_TRUE(right_sketches({"matmul", {{"m", 24}, {"n", 40}, {"k", 100}}, "", "f32"}, ".partial.", 1).empty());
}

/// Single precision is not rounded to fewer bits behind the user's back: the target has to say so.
TEST(M24, SinglePrecisionIsRoundedOnlyWhereAllowed) {
  const ops::Request product{"matmul", {{"m", 64}, {"n", 64}, {"k", 64}}, "", "f32"};
  EXPECT_TRUE(tensor_core_sketches(product, 1).empty());
  EXPECT_EQ(tensor_core_sketches(product, 3, true).size(), 1u);
  EXPECT_EQ(tensor_core_sketches({"batch_matmul", {{"b", 2}, {"m", 37}, {"n", 24}, {"k", 45}}, "", "f32"}, 3, true).size(), 1u);
  EXPECT_EQ(tensor_core_sketches({"conv2d", {{"n", 1}, {"h", 9}, {"w", 7}, {"ci", 5}, {"co", 20}, {"pad", 1}}, "", "f32"}, 3, true).size(), 1u);
  EXPECT_EQ(tensor_core_sketches({"conv2d_bias_relu", {{"h", 8}, {"w", 8}, {"ci", 8}, {"co", 24}}, "", "f32"}, 3, true).size(), 1u);
}

}  // namespace
}  // namespace tessera::test
