// Whole programs as text: dsl/definition.cpp.
#include <gtest/gtest.h>

#include <cmath>

#include "dsl/dsl.h"
#include "dsl/evaluate.h"
#include "dsl/inputs.h"
#include "dsl/text.h"

namespace tessera::dsl {
namespace {

#define EXPECT_HAS(text, words) EXPECT_NE((text).find(words), std::string::npos) << (text)

std::string lines(const std::string& text, const std::string& sizes) {
  const auto dag = parse_definition(text, sizes);
  return dag.ok() ? dag->to_string() : "refused: " + dag.reason();
}

std::string refusal(const std::string& text, const std::string& sizes) {
  const auto dag = parse_definition(text, sizes);
  EXPECT_FALSE(dag.ok()) << text;
  if (dag.ok()) return "";
  EXPECT_EQ(dag.reason().find('\n'), std::string::npos) << dag.reason();
  return dag.reason();
}

TEST(Definition, ReadsTheNotation) {
  EXPECT_EQ(lines("def f(float(M,K) A, float(K,N) B) -> (C) { C(m,n) +=! A(m,k) * B(k,n) }", "M=5,N=6,K=3"),
            "A: f32[5, 3]\nB: f32[3, 6]\nC[m<5, n<6] = sum(A[m, k] * B[k, n], k), k<3\n");
  // Brackets, our types, numbers for sizes, a temporary, comments.
  EXPECT_EQ(lines("def g(i8[0] x) -> (y) { }", "").substr(0, 8), "refused:");
  EXPECT_EQ(lines("def g(f16(4) A) -> (Y) {  # half\n  T[i] = A[i] * 2.0\n  Y[i] = T(i) + T(3 - i)  # and back\n}", ""),
            "A: f16[4]\nT[i<4] = A[i] * f16(2.0)\nY[i<4] = T[i] + T[3 - i]\n");
  // Several outputs; a scalar; sizes as values.
  EXPECT_EQ(lines("def h(float(N) A, float alpha) -> (S, Y) { S() +=! A(i)\n Y(i) = alpha * A(i) / N }", "N=8"),
            "A: f32[8]\nS[] = sum(A[i], i), i<8\nalpha: f32[]\nY[i<8] = alpha[] * A[i] / 8.0\n");
}

TEST(Definition, ReadsTextOfAnyEditor) {
  const std::string text = "def f(float(N) A) -> (B) {  # one\n  B(i) = A(i) * 2\n}\n", program = lines(text, "N=4");
  for (const char* end : {"\r\n", "\r"}) {
    std::string other = "\xef\xbb\xbf";
    for (const char c : text) other += c == '\n' ? std::string(end) : std::string(1, c);
    EXPECT_EQ(lines(other, "N=4"), program) << other;
  }
}

TEST(Definition, ConvertsByTheNamesOfC) {
  EXPECT_EQ(lines("def f(int8(N) A, double(N) D) -> (B, C) { B(i) = float(A(i)) * 2 + cast(float, D(i))\n C() +=! int32(A(i)) }", "N=4"),
            "A: i8[4]\nD: f64[4]\nB[i<4] = f32(A[i]) * 2.0 + f32(D[i])\nC[] = sum(i32(A[i]), i), i<4\n");
}

/// Words of our printed text, of C and of functions may be names; names that are made do not take one of the text's.
TEST(Definition, AnyNameOfATensor) {
  EXPECT_HAS(lines("def f(float(N) in, float(N) if) -> (max) { max(i) = in(i) * if(i) }", "N=4"), "max[i<4] = in_1[i] * if_1[i]");
  EXPECT_HAS(lines("def f(float(N) exp) -> (return) { return(where) = exp(where) }", "N=4"), "return[where<4] = exp[where]");
  EXPECT_HAS(lines("def f(float(N) B.1) -> (B) { B(i) = B.1(i)\n B(i) = B(i) * B.1(i) }", "N=4"), "B[i<4] = B.1_[i] * B.1[i]");
}

TEST(Definition, DefinitionsGoOnFromEarlierOnes) {
  EXPECT_EQ(lines("def fc(float(B,M) I, float(N,M) W, float(N) b) -> (O) {\n O(b0,n) +=! I(b0,m) * W(n,m)\n O(b0,n) = O(b0,n) + b(n)\n O(b0,n) = fmax(O(b0,n), 0) }",
                  "B=2,M=3,N=4"),
            "I: f32[2, 3]\nW: f32[4, 3]\nO.1[b0<2, n<4] = sum(I[b0, m] * W[n, m], m), m<3\nb: f32[4]\n"
            "O.2[b0<2, n<4] = O.1[b0, n] + b[n]\nO[b0<2, n<4] = max(O.2[b0, n], 0.0)\n");
  EXPECT_EQ(lines("def gemm(double(M,K) A, double(K,N) B, double(M,N) D) -> (C) { C(i,j) = 1.2 * D(i,j)\n C(i,j) += 1.5 * A(i,k) * B(k,j) }", "M=2,N=3,K=4"),
            "D: f64[2, 3]\nC.1[i<2, j<3] = f64(1.2) * D[i, j]\nA: f64[2, 4]\nB: f64[4, 3]\n"
            "C.part[i<2, j<3] = sum(f64(1.5) * A[i, k] * B[k, j], k), k<4\nC[i<2, j<3] = C.1[i, j] + C.part[i, j]\n");
}

TEST(Definition, InfersRanges) {
  // k from W alone, then x beside it.
  EXPECT_HAS(lines("def f(float(N) I, float(K) W) -> (O) { O(x) +=! I(x + k) * W(k) }", "N=10,K=3"), "O[x<8] = sum(I[x + k] * W[k], k), k<3");
  EXPECT_HAS(lines("def f(float(N) I, float(K) W) -> (O) { O(x) +=! I(2 * x + k) * W(k) }", "N=11,K=3"), "O[x<5]");
  EXPECT_HAS(lines("def f(float(N) I) -> (O) { O(x) = I(9 - x) }", "N=10"), "O[x<10]");
  EXPECT_HAS(lines("def f(float(N) I, float(M) J) -> (O) { O(x) = I(x) + J(x) }", "N=10,M=7"), "O[x<7]");
  // What where says comes first; reductions may start above zero.
  EXPECT_HAS(lines("def f(float(N) I) -> (O) { O(x) max=! I(2 * x + k) where k in 0:2 }", "N=10"), "O[x<5]");
  EXPECT_HAS(lines("def f(float(N) I) -> (S) { S() +=! I(i) where i in 1:N-1 }", "N=10"), "S[] = sum(I[i + 1], i), i<8");
  // Reads that do not always happen say nothing.
  EXPECT_HAS(lines("def f(float(N) A) -> (B) { B(i) = i >= 1 && i < N - 1 ? A(i - 1) + A(i + 1) : A(i) }", "N=10"), "B[i<10]");
}

TEST(Definition, Computes) {
  const ComputeDag dag = parse_definition("def f(float(N,M) X) -> (Y) {\n m(i) max=! X(i,j)\n e(i,j) = exp(X(i,j) - m(i))\n s(i) +=! e(i,j)\n Y(i,j) = e(i,j) / s(i)\n}", "N=3,M=5").or_throw();
  EXPECT_EQ(dag.stages().size(), 5U);
  EXPECT_EQ(dag.outputs().size(), 1U);
}

TEST(Definition, Refusals) {
  const std::string head = "def f(float(N) A) -> (B) { ";
  EXPECT_HAS(refusal(head + "B(i) = A(i) }", ""), "size 'N' has no value; add N=...");
  EXPECT_HAS(refusal(head + "B(i) = A(i) }", "N=4,M=3"), "extent 'M' is given, but the definition has no size of that name");
  EXPECT_HAS(refusal(head + "B(i) += A(i) }", "N=4"), "'B' has no earlier definition to go on from; with a !");
  EXPECT_HAS(refusal(head + "B(i) = B(i) + A(i) }", "N=4"), "'B' is defined only here or below");
  EXPECT_HAS(refusal(head + "B(i) = A(i) * s\n s() +=! A(i) }", "N=4"), "'s' is defined only here or below");
  EXPECT_HAS(refusal(head + "B(i) = A * A(i) }", "N=4"), "'A' has 1 dimensions, and is read with 0 indices");
  EXPECT_HAS(refusal(head + "B(A) = A(A) }", "N=4"), "'A' is a tensor, which cannot be an index of 'B'");
  EXPECT_HAS(refusal(head + "N(i) = A(i)\n B(i) = N(i) }", "N=4"), "'N' is a size already");
  EXPECT_HAS(refusal(head + "B(i) = A(i) where i in 0:N, i in 0:2 }", "N=4"), "index 'i' has a range already");
  EXPECT_HAS(refusal(head + "B(i) = A(i) where exists A(i) }", "N=4"), "'exists' is not known; give the range");
  EXPECT_HAS(refusal("def f(float(N) A, int32(M) I) -> (B) {\n B(i) = A(I(i)) }", "N=4,M=3"), "line 2 column 2: index 0 of 'A[i64(I[i])]' runs from -2147483648 to 2147483647, and 'A' has 4 there; clamp it: max(min(i64(I[i]), 3), 0)");
  EXPECT_HAS(refusal("def f(float(N,N) A) -> (B) { B(i) = A(i,0) }", "N=2147483647"), "column 18: 'A' is too large");
  EXPECT_HAS(refusal(head + "\n B(i) = A(0) where i in 0:N * N }", "N=2000000000"), "line 2 column 2: 'B' is too large");
  EXPECT_HAS(refusal(head + "B(i) = A(i - 1) }", "N=4"), "index 'i' starts at 1, and 'B' is defined from 0");
  EXPECT_HAS(refusal(head + "B(i) = A(i + 1) where i in 0:N }", "N=4"), "column 28: index 0 of 'A[i + 1]' runs from 1 to 4, and 'A' has 4 there");
  EXPECT_HAS(refusal(head + "B(i) = i > 0 ? A(i - 1) : 0 }", "N=4"), "index 'i' of 'B' has no range");
  EXPECT_HAS(refusal(head + "B(i) = A(j) }", "N=4"), "index 'i' of 'B' has no range");
  EXPECT_HAS(refusal(head + "B(i) = A(i) * A(j) }", "N=4"), "= does not reduce; use +=!");
  EXPECT_HAS(refusal(head + "B(i) = AA(i) }", "N=4"), "unknown function 'AA'");
  EXPECT_HAS(refusal(head + "B(i) = AA[i] }", "N=4"), "'AA' is neither an input nor defined above; near it: A");
  EXPECT_HAS(refusal(head + "B(i) = A(i, i) }", "N=4"), "'A' has 1 dimensions, and is read with 2 indices");
  EXPECT_HAS(refusal(head + "A(i) = A(i) }", "N=4"), "'A' is an input, and inputs are not written");
  EXPECT_HAS(refusal("def f(float(N) A) -> (A) { A(i) = A(i) }", "N=4"), "'A' is an input, and inputs are not written");
  EXPECT_HAS(refusal(head + "T(i) = A(i) }", "N=4"), "column 23: output 'B' is not defined");
  EXPECT_HAS(refusal(head + "B(i) = A(i)\n T(i) = A(i) }", "N=4"), "line 2 column 2: 'T' has no part in any output");
  EXPECT_HAS(refusal(head + "B(i) = A(i)", "N=4"), "expected a statement or '}'");
  EXPECT_HAS(refusal(head + "B(i) = A(i) } def g", "N=4"), "one definition a file");
  EXPECT_HAS(refusal(head + "B(i) = A(i) where j in 0:4 }", "N=4"), "'j' is no index of the statement");
  EXPECT_HAS(refusal(head + "B(i) = A(i) where i in 3:2 }", "N=4"), "runs from 3 to before 2");
  EXPECT_HAS(refusal(head + "B(N) = A(N) }", "N=4"), "'N' is a size");
  EXPECT_HAS(refusal(head + "B(i) = A(i)\n B(i) = B(i) + 1 where i in 0:2 }", "N=4"), "does not cover dimension 0");
  EXPECT_HAS(refusal("def f(flaot(N) A) -> (B) { B(i) = A(i) }", "N=4"), "'flaot' is no type");
  EXPECT_HAS(refusal("fed f", ""), "expected 'def NAME");
  EXPECT_HAS(refusal("", ""), "expected 'def NAME");
  EXPECT_HAS(refusal(std::string(70000, ' '), ""), "70000 characters");
  EXPECT_HAS(refusal("def f(float(N) A) -> (B) {\n  B(i) = A(i)\n  B(i) ! 3\n}", "N=4"), "line 3 column 8: expected one of = +=");
}

/// Whatever the text is, the answer is a program or one line.
TEST(Definition, CutsAndGarbageAreRefused) {
  const std::string text = "def f(float(M,K) A, double(K) B) -> (C, D) {\n C(m) +=! A(m,k) * 2 # c\n C(m) *= m > 1 ? A(m,0) : 1.5\n D() max=! B(k) where k in 1:K-1 }";
  ASSERT_TRUE(parse_definition(text, "M=5,K=3").ok()) << parse_definition(text, "M=5,K=3").reason();
  for (std::size_t n = 0; n < text.size(); ++n) {
    EXPECT_FALSE(parse_definition(text.substr(0, n), "M=5,K=3").ok()) << n;
    std::string other = text;
    for (const char c : {'(', ')', '=', '!', ':', '?', 'Z', '9', '{', '-'}) {
      other[n] = c;
      const auto dag = parse_definition(other, "M=5,K=3");
      if (!dag.ok()) {
        EXPECT_EQ(dag.reason().find('\n'), std::string::npos) << other;
      }
    }
  }
}

}  // namespace
}  // namespace tessera::dsl
