// The interpreter: right values for every node, and every planted fault found.
#include "ir/interpret.h"

#include <chrono>
#include <cmath>

#include <gtest/gtest.h>

#include "ir/check.h"
#include "ir/parse.h"
#include "ir/print.h"

namespace tessera::ir {
namespace {

Program program(const std::string& buffers, const std::string& parameters,
                const std::string& body) {
  const std::string text = "program p {\n" + buffers + "\nfunc f(" + parameters + "; ) {\n" + body +
                           "\n}\nrun f(" + parameters + ")\n}\n";
  Program p = parse_program(text).or_throw();
  const Status s = check_well_formed(p);
  EXPECT_TRUE(s.ok()) << s.reason();
  return p;
}

/// A program over A: f32[8] (input, 0 1 2 ...), C: f32[8] (output), T: i64[8] (workspace).
Result<std::vector<Tensor>> run(const std::string& body, const InterpretOptions& options = {}) {
  Tensor a(f32, {8});
  for (int i = 0; i < 8; ++i) a.set(i, i);
  return interpret(
      program("buffer A: f32[8] input\nbuffer C: f32[8] output\nbuffer T: i64[8] workspace",
              "A, C, T", body),
      {{"A", a}}, options);
}

void expect_values(const std::string& body, const std::vector<double>& want) {
  const auto out = run(body);
  ASSERT_TRUE(out.ok()) << out.reason();
  for (std::size_t i = 0; i < want.size(); ++i)
    EXPECT_EQ((*out)[0].get(static_cast<std::int64_t>(i)), want[i]) << body << " at " << i;
}

void expect_fault(const std::string& body, const std::string& word) {
  const auto out = run(body);
  ASSERT_FALSE(out.ok()) << body;
  EXPECT_NE(out.reason().find(word), std::string::npos) << out.reason();
}

constexpr const char* kFill = "for z in 0..8 {\nC[z] = 0.0\n}\n";

TEST(Interpret, LoopsBranchesAndScopes) {
  expect_values("for i in 0..8 {\nC[i] = A[7 - i] * 2.0\n}", {14, 12, 10, 8, 6, 4, 2, 0});
  expect_values(
      "for i in 0..8 {\nif i < 3 {\nC[i] = 1.0\n}\nelse {\nlet t: f32 = A[i] + 0.5\nC[i] = t * "
      "t\n}\n}",
      {1, 1, 1, 12.25, 20.25});
  expect_values(
      "for i in 2..10 {\nalloc R: f32[2] register\nR[i % 2] = A[i - 2]\nC[i - 2] = R[i % 2]\n}",
      {0, 1, 2, 3, 4, 5, 6, 7});
  expect_values(std::string(kFill) + "for i in 0..4 {\nfor j in 0..i {\nC[i] = C[i] + A[j]\n}\n}",
                {0, 0, 1, 3, 0});
  expect_values(
      "for i in 0..8 {\nC[i] = if_then_else(i < 7, A[i + 1], -1.0) + f32((let q: i64 = i * i in q "
      "+ q))\n}",
      {1, 4, 11, 22, 37, 56, 79, 97});
}

TEST(Interpret, Vectors) {
  expect_values("C[ramp(0, 1, 8)] = A[ramp(7, -1, 8)] + broadcast(1.0, 8)",
                {8, 7, 6, 5, 4, 3, 2, 1});
  expect_values(std::string(kFill) +
                    "C[ramp(0, 2, 4)] = broadcast(A[3], 4) if ramp(0, 1, 4) < broadcast(3, 4)",
                {3, 0, 3, 0, 3, 0, 0, 0});
  expect_values("C[ramp(0, 1, 8)] = masked(A[ramp(4, 1, 8)], ramp(4, 1, 8) < broadcast(8, 8))",
                {4, 5, 6, 7, 0, 0, 0, 0});
  expect_values(
      "C[ramp(0, 1, 8)] = shuffle([A[ramp(0, 1, 4)], A[ramp(4, 1, 4)]], [0, 4, 1, 5, 2, 6, 3, 7])",
      {0, 4, 1, 5, 2, 6, 3, 7});
  expect_values(std::string(kFill) +
                    "C[0] = vector_sum(A[ramp(0, 1, 8)], 1)\nC[ramp(1, 1, 4)] = "
                    "vector_max(A[ramp(0, 1, 8)], 4)",
                {28, 1, 3, 5, 7, 0});
  // Lanes that are not chosen do not read, and do not divide.
  expect_values(
      "C[ramp(0, 1, 8)] = if_then_else(ramp(0, 1, 8) < broadcast(6, 8), A[ramp(2, 1, 8)], "
      "broadcast(-1.0, 8))",
      {2, 3, 4, 5, 6, 7, -1, -1});
  expect_values(
      "C[ramp(0, 1, 8)] = if_then_else(ramp(0, 1, 8) == broadcast(0, 8), broadcast(-1.0, 8), "
      "f32(broadcast(12, 8) // ramp(0, 1, 8)))",
      {-1, 12, 6, 4, 3, 2, 2, 1});
}

TEST(Interpret, FindsAccessesOutside) {
  expect_fault("for i in 0..9 {\nC[i] = 1.0\n}", "C[8] is outside of C, which has [8]");
  expect_fault("for i in 0..8 {\nC[i] = A[i - 1]\n}",
               "A[-1] is outside of A, which has [8], in `C[i] = A[i - 1]` at i=0");
  expect_fault("C[ramp(1, 1, 8)] = broadcast(1.0, 8)", "C[8] is outside");
  expect_fault("for i in 0..8 {\nC[i] = select(i < 7, A[i + 1], 0.0)\n}", "A[8] is outside");
}

TEST(Interpret, FindsReadsOfNothing) {
  expect_fault("for i in 0..8 {\nC[i] = C[i] + 1.0\n}", "reads C[0], which nothing has written");
  expect_fault("for i in 0..7 {\nC[i] = 1.0\n}", "output C[7] was never written");
  expect_fault("for i in 0..8 {\nalloc R: f32[1] local\nif i == 0 {\nR[0] = 1.0\n}\nC[i] = R[0]\n}",
               "reads R[0], which nothing has written, in `C[i] = R[0]` at i=1");
  EXPECT_TRUE(run("for i in 0..8 {\nC[i] = C[i] + 1.0\n}", {.check_initialised = false}).ok());
}

TEST(Interpret, FindsRaces) {
  expect_fault(std::string(kFill) + "for i in 0..8 parallel {\nC[i // 2] = A[i]\n}", "race");
  expect_fault(std::string(kFill) + "for i in 0..4 parallel {\nC[0] = C[0] + A[i]\n}", "race");
  expect_fault(std::string(kFill) + "for i in 0..7 parallel {\nC[i] = C[i + 1]\n}",
               "race");  // reads before it is written
  expect_fault(std::string(kFill) + "for i in 0..8 parallel {\nC[i] = C[0]\n}",
               "race");  // many readers, the first one writes
  expect_fault(std::string(kFill) + "for i in 1..9 parallel {\nC[i % 8] = C[7]\n}", "race");
  expect_fault("alloc R: f32[1] local\nfor i in 0..8 parallel {\nR[0] = A[i]\nC[i] = R[0]\n}",
               "race: two iterations of a parallel loop touch R[0]");
  expect_fault(
      std::string(kFill) + "for i in 0..2 parallel {\nfor j in 0..4 parallel {\nC[j] = A[i]\n}\n}",
      "race");
  expect_fault(
      std::string(kFill) + "for i in 0..2 parallel {\nfor j in 0..4 parallel {\nC[i] = A[j]\n}\n}",
      "race");
  expect_fault(std::string(kFill) + "for i in 0..2 parallel {\nfor j in 0..4 {\nC[j] = A[i]\n}\n}",
               "race");
  expect_fault(std::string(kFill) + "for i in 0..4 thread.x {\nC[0] = A[i]\n}", "race");
}

TEST(Interpret, AcceptsWhatIsNoRace) {
  EXPECT_TRUE(run(std::string(kFill) + "for i in 0..8 parallel {\nC[i] = C[i] + A[0]\n}\nfor i in "
                                       "0..8 parallel {\nC[i] = C[i] * 2.0\n}")
                  .ok());
  EXPECT_TRUE(
      run("for i in 0..8 parallel {\nalloc R: f32[1] local\nR[0] = A[i]\nC[i] = R[0]\n}").ok());
  EXPECT_TRUE(run("for i in 0..2 parallel {\nfor k in 0..3 {\nfor j in 0..4 parallel {\nC[i * 4 + "
                  "j] = A[j]\n}\n}\n}")
                  .ok());
  EXPECT_TRUE(run("for k in 0..3 {\nfor i in 0..8 parallel {\nC[(i + k) % 8] = A[i]\n}\n}").ok());
  EXPECT_TRUE(
      run(std::string(kFill) + "for i in 0..8 parallel {\nC[0] = 1.0\n}", {.check_races = false})
          .ok());
  EXPECT_TRUE(run("for i in 0..8 {\nbarrier block\nrole r {\nC[i] = 1.0\n}\nchannel c wait "
                  "i\nprefetch A[99] locality 0\n}")
                  .ok());
}

TEST(Interpret, OtherRefusals) {
  expect_fault(std::string(kFill) + "for i in 0..4 {\nT[i] = 4 // (i - 2)\n}",
               "a division by zero, in `T[i] = 4 // (i - 2)` at i=2");
  expect_fault(std::string(kFill) + "for i in 0..4 {\nT[i] = shift_left(1, i * 64)\n}",
               "a shift by 64");
  expect_fault(std::string(kFill) + "assert A[0] == 1.0, \"first is one\"",
               "assertion failed: first is one");
  expect_fault("copy sync C[0 +: 8] = A[0 +: 8]", "Copy is not supported by the interpreter");
  expect_fault("tile mma(C[0 +: 8])", "TileOp is not supported");
  expect_fault("atomic sum C[0], 1.0", "Atomic is not supported");
}

TEST(Interpret, StepsAreLimited) {
  const auto out = run("for i in 0..1000000000 {\nC[0] = 1.0\n}", {.max_steps = 10000});
  ASSERT_FALSE(out.ok());
  EXPECT_NE(out.reason().find("more than 10000 steps"), std::string::npos);
}

TEST(Interpret, InputsAreChecked) {
  const Program p = program("buffer A: f32[8] input\nbuffer C: f32[8] output", "A, C", kFill);
  EXPECT_NE(interpret(p, {}).reason().find("no tensor given for input A"), std::string::npos);
  EXPECT_NE(interpret(p, {{"A", Tensor(f32, {7})}})
                .reason()
                .find("input A is f32[7], the program takes f32[8]"),
            std::string::npos);
  EXPECT_FALSE(interpret(p, {{"A", Tensor(f64, {8})}}).ok());
}

TEST(Interpret, CallsPhasesAndLayouts) {
  const char* text = R"(program gemv {
  buffer A: f32[4] input
  buffer W: f32[6, 4] constant
  buffer P: f32[6, 4] layout(d0/4:16 d1:4 d0%4:1) prepared
  buffer C: f32[6] output
  func dot(x: f32[4], w: f32[6, 4] layout(d0/4:16 d1:4 d0%4:1), y: f32[6]; row) {
    y[row] = 0.0
    for k in 0..4 {
      y[row] = y[row] + x[k] * w[row, k]
    }
  }
  func pack(W, P; ) {
    for i in 0..6 {
      for j in 0..4 {
        P[i, j] = W[i, j]
      }
    }
  }
  func main(A, P, C; ) {
    for i in 0..6 parallel {
      call dot(A, P, C; i)
    }
  }
  prepare pack(W, P)
  run main(A, P, C)
}
)";
  const Program p = parse_program(text).or_throw();
  ASSERT_TRUE(check_well_formed(p).ok()) << check_well_formed(p).reason();
  EXPECT_EQ(to_string(p), text);
  Tensor a(f32, {4}), w(f32, {6, 4});
  fill_small_integers(a, 1, 8);
  fill_small_integers(w, 2, 8);
  const auto out = interpret(p, {{"A", a}, {"W", w}});
  ASSERT_TRUE(out.ok()) << out.reason();
  for (int i = 0; i < 6; ++i) {
    double sum = 0;
    for (int k = 0; k < 4; ++k) sum += a.get(k) * w.get(i * 4 + k);
    EXPECT_EQ((*out)[0].get(i), sum);
  }
}

TEST(Interpret, FlatAccessesSeePhysicalStorage) {
  const auto flat = [](const std::string& body) {
    const Program p = parse_program(
                          "program p {\nbuffer A: f32[3, 2] layout(d1:4 d0:1) input\nbuffer C: "
                          "f32[2] output\nfunc f(A, C; ) {\n" +
                          body + "\n}\nrun f(A, C)\n}")
                          .or_throw();
    Tensor a(f32, {3, 2});
    for (int i = 0; i < 6; ++i) a.set(i, i);
    return interpret(p, {{"A", a}}, {.flat = true});
  };
  const auto out = flat("C[0] = A[6]\nC[1] = A[2]");
  ASSERT_TRUE(out.ok()) << out.reason();
  EXPECT_EQ((*out)[0].get(0), 5);  // row 2, column 1
  EXPECT_EQ((*out)[0].get(1), 4);  // row 2, column 0
  EXPECT_NE(flat("C[0] = A[3]").reason().find("reads A[3], which nothing has written"),
            std::string::npos);
  EXPECT_NE(flat("C[0] = A[7]").reason().find("A[7] is outside of A, which has [7]"),
            std::string::npos);
}

TEST(Interpret, EveryDtype) {
  for (const Type t :
       {i4, i8, i16, i32, i64, u8, u16, u32, u64, f16, f32, f64, bf16, tf32, f8e4m3, f8e5m2}) {
    const std::string d = to_string(t);
    const Program p = program(
        "buffer A: " + d + "[4] input\nbuffer B: " + d + "[4] input\nbuffer C: " + d + "[4] output",
        "A, B, C",
        "for i in 0..4 {\nC[i] = max(A[i] + B[i] * A[i] - " + d + "(1), min(A[i], B[i]))\n}");
    Tensor a(t, {4}), b(t, {4});
    for (int i = 0; i < 4; ++i) {
      a.set(i, i + 1);
      b.set(i, i % 2);
    }
    const auto out = interpret(p, {{"A", a}, {"B", b}});
    ASSERT_TRUE(out.ok()) << d << ": " << out.reason();
    const double want[] = {0, 3, 2, 7};
    for (int i = 0; i < 4; ++i) EXPECT_EQ((*out)[0].get(i), want[i]) << d << " at " << i;
  }
  const Program p = program("buffer A: bool[4] input\nbuffer C: bool[4] output", "A, C",
                            "for i in 0..4 {\nC[i] = !A[i] || i == 2 && A[0]\n}");
  Tensor a(boolean, {4});
  a.set_int(0, 1);
  a.set_int(2, 1);
  const auto out = interpret(p, {{"A", a}});
  ASSERT_TRUE(out.ok()) << out.reason();
  for (int i = 0; i < 4; ++i) EXPECT_EQ((*out)[0].get_int(i), i != 0) << i;
}

TEST(Interpret, WrapsAndRoundsInTheType) {
  const Program p =
      program("buffer A: i8[2] input\nbuffer C: i8[2] output\nbuffer H: f16[1] output", "A, C, H",
              "C[0] = A[0] + A[1]\nC[1] = A[0] * A[1]\nH[0] = f16(2048.0) + f16(1.0)");
  Tensor a(i8, {2});
  a.set_int(0, 100);
  a.set_int(1, 29);
  const auto out = interpret(p, {{"A", a}});
  ASSERT_TRUE(out.ok()) << out.reason();
  EXPECT_EQ((*out)[0].get_int(0), -127);
  EXPECT_EQ((*out)[0].get_int(1), static_cast<std::int8_t>(2900));
  EXPECT_EQ((*out)[1].get(0), 2048);
}

TEST(Interpret, IsFastEnough) {
  const Program p = program(
      "buffer A: f32[128, 128] input\nbuffer B: f32[128, 128] input\nbuffer C: f32[128, 128] "
      "output",
      "A, B, C",
      "for i in 0..128 parallel {\nfor j in 0..128 {\nC[i, j] = 0.0\nfor k in 0..128 {\nC[i, j] = "
      "C[i, j] + A[i, k] * B[k, j]\n}\n}\n}");
  Tensor a(f32, {128, 128}), b(f32, {128, 128});
  fill_small_integers(a, 1, 4);
  fill_small_integers(b, 2, 4);
  const auto start = std::chrono::steady_clock::now();
  const auto out = interpret(p, {{"A", a}, {"B", b}});
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ASSERT_TRUE(out.ok()) << out.reason();
  // 7 operations a step: 3 reads, a write, multiply, add, loop.
  RecordProperty("operations_per_second", std::to_string(7.0 * 128 * 128 * 128 / seconds));
  EXPECT_LT(seconds, 20.0);
  double sum = 0;
  for (int k = 0; k < 128; ++k) sum += a.get(5 * 128 + k) * b.get(k * 128 + 7);
  EXPECT_EQ((*out)[0].get(5 * 128 + 7), sum);
}

}  // namespace
}  // namespace tessera::ir
