// Lesson 02: the default loops
//
// Between a program and machine code stand loops. Without a schedule every stage gets a nest of its
// own, one loop a dimension, in the order of the definition. This lesson shows these loops three
// times: as a schedule sees them, as the compiler does, and as C.
//
// Build and run:   cmake --build build/release --target lesson_02_the_default_loops
//                  build/release/lessons/02_the_default_loops

#include <algorithm>
#include <vector>

#include "docs/lessons/lesson.h"
#include "driver/compile.h"
#include "dsl/dsl.h"
#include "dsl/evaluate.h"
#include "dsl/inputs.h"
#include "ir/print.h"
#include "schedule/schedule.h"

using namespace tessera;
using namespace tessera::dsl;
using lesson::require;
using lesson::show;

constexpr int M = 64, N = 48, K = 40;

ComputeDag matmul_relu() {
  auto A = placeholder({M, K}, f32, "A"), B = placeholder({K, N}, f32, "B");
  auto k = reduce_axis(K, "k");
  auto C = compute(
      {M, N}, [&](Var i, Var j) { return sum(A(i, k) * B(k, j), k); }, "C");
  auto D = compute(
      {M, N}, [&](Var i, Var j) { return max(C(i, j), 0.0f); }, "D");
  return ComputeDag::from_outputs({D}, "matmul_relu");
}

// 1. The loops of a schedule.
//
// `print_loops` shows every stage with its loops, outermost first: the extent of each, whether it
// reduces, and (in lesson 03) how it is executed. Reading these few lines is how one works with
// schedules; `autotune show --op matmul --print steps` prints them as well.
void loops_of_the_schedule(const ComputeDag& dag) {
  const schedule::Schedule s(dag);
  show("the schedule without a step", s.state().print_loops(), R"(
for C.i in 0..64
  for C.j in 0..48
    for C.k in 0..40 reduce
      C = ...
for D.i in 0..64
  for D.j in 0..48
    D = ...
)");
}

// 2. The loops of the compiler.
//
// Lowering makes structured loops of a schedule. What was one line above, `C = ...`, is now two
// statements: a reduction starts from its identity and then adds. An `instance` says which point of
// the program its statement computes; the judge of legality and the polyhedral path work with these
// coordinates. `C` is an intermediate tensor, so it lives in the workspace that the caller lends.
void loops_of_the_compiler(const ComputeDag& dag) {
  const auto target = driver::resolve_target("cpu");
  const ir::Program loops = driver::structured_loops(dag, schedule::StepList{}, target).or_throw();
  show("structured loops", ir::to_string(loops), R"(
program tessera_matmul_relu {
  buffer A: f32[64, 40] input
  buffer B: f32[40, 48] input
  buffer D: f32[64, 48] output
  buffer C: f32[64, 48] workspace
  func tessera_matmul_relu(A, B, D, C; ) {
    for i in 0..64 {
      for j in 0..48 {
        instance C init [i, j] {
          C[i, j] = 0.0
        }
        for k in 0..40 {
          instance C update [i, j, k] {
            C[i, j] = C[i, j] + A[i, k] * B[k, j]
          }
        }
      }
    }
    for i_1 in 0..64 {
      for j_1 in 0..48 {
        instance D whole [i_1, j_1] {
          D[i_1, j_1] = max(C[i_1, j_1], 0.0)
        }
      }
    }
  }
  run tessera_matmul_relu(A, B, D, C)
}
)");
}

// 3. The same in C.
//
// Nothing is hidden: these are the loops above, written by hand.
std::vector<float> in_c(const std::vector<float>& A, const std::vector<float>& B) {
  std::vector<float> C(M * N), D(M * N);
  for (int i = 0; i < M; ++i) {
    for (int j = 0; j < N; ++j) {
      C[i * N + j] = 0;
      for (int k = 0; k < K; ++k) C[i * N + j] = C[i * N + j] + A[i * K + k] * B[k * N + j];
    }
  }
  for (int i = 0; i < M; ++i) {
    for (int j = 0; j < N; ++j) D[i * N + j] = std::max(C[i * N + j], 0.0f);
  }
  return D;
}

// 4. Equal, bit for bit.
//
// Inputs are small integers, so no sum is rounded and the order of additions does not matter: what
// the definition says and what the C loops give must be the same bits. The tests of Tessera hold
// every schedule against the definition in this way.
void equal_bit_for_bit(const ComputeDag& dag) {
  const auto inputs = make_inputs(dag, 7, InputKind::kExact);
  const auto floats = [](const ir::Tensor& t) {
    std::vector<float> out;
    for (std::int64_t i = 0; i < t.size(); ++i) out.push_back(static_cast<float>(t.get(i)));
    return out;
  };
  const std::vector<float> d = in_c(floats(inputs.at("A")), floats(inputs.at("B")));
  ir::Tensor got(f32, {M, N});
  for (std::int64_t i = 0; i < got.size(); ++i) got.set(i, d[static_cast<std::size_t>(i)]);
  Evaluator reference(dag, inputs, EvaluateMode::kExact);
  const Comparison c = reference.compare("D", got).or_throw();
  std::printf("%lld elements compared, %lld differ\n", static_cast<long long>(c.checked),
              static_cast<long long>(c.wrong));
  require(c.ok() && c.checked == M * N, "the C loops compute what the program says: " + c.first);
}

// 5. What the kernel becomes without any step.
//
// After the cut, `finish` flattens indices. No step asked for vectors, so there are none.
void finished(const ComputeDag& dag) {
  const auto target = driver::resolve_target("cpu");
  const std::string text =
      ir::to_string(driver::finished_program(dag, schedule::StepList{}, target).or_throw());
  show("finished", text);
  require(text.find("C[i * 48 + j] = C[i * 48 + j] + A[i * 40 + k] * B[k * 48 + j]") !=
              std::string::npos,
          "indices are flat after lowering");
  require(text.find("ramp(") == std::string::npos,
          "there are no vectors without a step that asks for them");
}

int main() {
  const ComputeDag dag = matmul_relu();
  loops_of_the_schedule(dag);
  loops_of_the_compiler(dag);
  equal_bit_for_bit(dag);
  finished(dag);
}
