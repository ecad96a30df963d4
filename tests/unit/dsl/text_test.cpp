#include "dsl/text.h"

#include <gtest/gtest.h>

#include "dsl/dsl.h"
#include "dsl/evaluate.h"
#include "dsl/inputs.h"

namespace tessera::dsl {
namespace {

#define EXPECT_HAS(text, words) EXPECT_NE((text).find(words), std::string::npos) << (text)

using Index = std::vector<std::int64_t>;

std::string lines(const std::string& text, const std::string& extents, const StatementOptions& o = {}) {
  const auto dag = parse_statement(text, extents, o);
  return dag.ok() ? dag->to_string() : "refused: " + dag.reason();
}

std::string refusal(const std::string& text, const std::string& extents, const StatementOptions& o = {}) {
  const auto dag = parse_statement(text, extents, o);
  EXPECT_FALSE(dag.ok()) << text;
  if (dag.ok()) return "";
  EXPECT_EQ(dag.reason().find('\n'), std::string::npos);
  return dag.reason();
}

TEST(Statement, ReadsAsMathematics) {
  EXPECT_EQ(lines("C[m,n] += A[m,k] * B[k,n]", "m=5,n=6,k=3"), "A: f32[5, 3]\nB: f32[3, 6]\nC[m<5, n<6] = sum(A[m, k] * B[k, n], k), k<3\n");
  EXPECT_EQ(lines("Y[i] max= X[2*i + r, 3]", "i=5,r=3"), "X: f32[11, 4]\nY[i<5] = max(X[2 * i + r, 3], r), r<3\n");
  EXPECT_EQ(lines("S[] += A[i]", "i=9"), "A: f32[9]\nS[] = sum(A[i], i), i<9\n");
  EXPECT_EQ(lines("C[i] *= A[i]", "i=9"), "A: f32[9]\nC[i<9] = A[i]\n");  // over nothing
  EXPECT_EQ(lines("C[i] = A[i] - 2 * B[8 - i]", "i=9"), "A: f32[9]\nB: f32[9]\nC[i<9] = A[i] - 2.0 * B[8 - i]\n");
}

TEST(Statement, ReductionsInOrderOfFirstUse) {
  const auto dag = parse_statement("C[i] += A[r,i] * B[q,r] * D[s]", "i=2,q=3,r=4,s=5").or_throw();
  const Stage* s = dag.find("C");
  ASSERT_EQ(s->reduce_axes.size(), 3U);
  EXPECT_EQ(s->reduce_axes[0].name(), "r");
  EXPECT_EQ(s->reduce_axes[1].name(), "q");
  EXPECT_EQ(s->reduce_axes[2].name(), "s");
}

TEST(Statement, GuardsBoundTheShapes) {
  EXPECT_EQ(lines("Y[i] += if_then_else(i + r >= 1 && i + r < 8, X[i + r - 1], 0.0) * W[r]", "i=7,r=3").substr(0, 10), "X: f32[7]\n");
  EXPECT_EQ(lines("Y[i] = if_then_else(i < 2, 0.0, X[i - 2])", "i=7").substr(0, 10), "X: f32[5]\n");
  EXPECT_EQ(lines("Y[i] = if_then_else(!(i < 2), X[i - 2], 0.0)", "i=7").substr(0, 10), "X: f32[5]\n");
}

TEST(Statement, TypesAndConstants) {
  StatementOptions o;
  o.dtypes = {{"A", i8}, {"B", i8}};
  o.constants = {"B"};
  EXPECT_EQ(lines("C[m,n] += i32(A[m,k]) * i32(B[k,n])", "m=5,n=6,k=3", o),
            "A: i8[5, 3]\nB: i8[3, 6] constant\nC[m<5, n<6] = sum(i32(A[m, k]) * i32(B[k, n]), k), k<3\n");
  o = {};
  o.dtype = f64;
  EXPECT_EQ(lines("C[i] = A[i] * 0.1", "i=2", o), "A: f64[2]\nC[i<2] = A[i] * f64(0.1)\n");  // all its digits
  o.dtypes = {{"P", i32}};
  EXPECT_HAS(refusal("C[i] = A[P[i]]", "i=2", o), "no known range");
}

TEST(Statement, Refusals) {
  EXPECT_HAS(refusal("C[m,n] += A[m,k] * B[k,n]", "m=5,n=6"), "column 15: unknown name 'k'");
  EXPECT_HAS(refusal("C[m,n] += A[m,k] * B[k,n]", "m=5,k=6"), "axis 'n' has no extent; add n=...");
  EXPECT_HAS(refusal("C[m] = A[m]", "m=5,mm=6"), "extent 'mm' is given, but the expression has no axis of that name; near it: m");
  EXPECT_HAS(refusal("C[i] = A[i,k]", "i=5,k=6"), "= does not reduce");
  EXPECT_HAS(refusal("C[i] = A[i - 1]", "i=5"), "runs from -1; shift it, or guard");
  EXPECT_HAS(refusal("C[i] += C[i]", "i=5"), "never read");
  EXPECT_HAS(refusal("C[i] += A[i] + A[i,i]", "i=5"), "with 2 indices here and with 1 before");
  EXPECT_HAS(refusal("C[i] = A[f32(i) / 2.0]", "i=5"), "not an integer");
  EXPECT_HAS(refusal("C[i] = A[i] * i", "i=5"), "different types");
  EXPECT_HAS(refusal("C[i] = sum(A[i,k], k)", "i=5,k=3"), "reductions are written by += *= max= or min=");
  EXPECT_HAS(refusal("C[i] = sqrtt(A[i])", "i=5"), "near it: sqrt");
  EXPECT_HAS(refusal("C[i] == A[i]", "i=5"), "column 6: expected one of = += *= max= min=");
  EXPECT_HAS(refusal("C[i] + = A[i]", "i=5"), "expected one of");
  EXPECT_HAS(refusal("C[i] -= A[i]", "i=5"), "expected one of");
  EXPECT_HAS(refusal("C[i] =", "i=5"), "expected an expression");
  EXPECT_HAS(refusal("C[2*i] = A[i]", "i=5"), "expected the name of an axis");
  EXPECT_HAS(refusal("C[i,i] = A[i]", "i=5"), "stands twice");
  EXPECT_HAS(refusal("C = A[i]", "i=5"), "expected '['");
  EXPECT_HAS(refusal("", "i=5"), "expected the name of the output");
  EXPECT_HAS(refusal("C[i] = A[i] $", "i=5"), "column 13");
  EXPECT_HAS(refusal("C[i] = A[]", "i=5"), "0 indices");
  EXPECT_HAS(refusal("C[i] = A[1000000000 * i] + A[i]", "i=2000000000"), "too large");
  StatementOptions o;
  o.constants = {"Q"};
  EXPECT_HAS(refusal("C[i] = A[i]", "i=5", o), "constant 'Q' is not an input");
  o = {};
  o.dtypes = {{"AA", i8}};
  EXPECT_HAS(refusal("C[i] = A[i]", "i=5", o), "the dtype of 'AA' is not an input of the expression; near it: A");
}

TEST(Statement, Extents) {
  EXPECT_EQ(parse_extents("m=5, n=6").or_throw(), (std::map<std::string, std::int64_t>{{"m", 5}, {"n", 6}}));
  EXPECT_TRUE(parse_extents("").or_throw().empty());
  EXPECT_HAS(parse_extents("m").reason(), "'m' is not name=number");
  EXPECT_HAS(parse_extents("m=").reason(), "not a whole number");
  EXPECT_HAS(parse_extents("m=5x").reason(), "'5x' of 'm' is not a whole number");
  EXPECT_HAS(parse_extents("m=1.5").reason(), "not a whole number");
  EXPECT_HAS(parse_extents("m=0").reason(), "numbers from 1");
  EXPECT_HAS(parse_extents("m=-3").reason(), "'m' is -3; numbers from 1");
  EXPECT_HAS(parse_extents("m=99999999999999999999").reason(), "numbers from 1");
  EXPECT_HAS(parse_extents("m=1,m=2").reason(), "given twice");
  EXPECT_HAS(parse_extents("m=1,").reason(), "not name=number");
}

// The programs that no catalogue holds, against loops.
struct Program {
  const char* text;
  const char* extents;
  StatementOptions options;
  double (*at)(const std::map<std::string, ir::Tensor>& in, const Index& i);
};

double get(const std::map<std::string, ir::Tensor>& in, const char* name, const Index& i) {
  return in.at(name).get(in.at(name).position(i));
}

StatementOptions typed(Type t, std::map<std::string, Type> dtypes = {}) {
  StatementOptions o;
  o.dtype = t;
  o.dtypes = std::move(dtypes);
  return o;
}

const Program kPrograms[] = {
    {"O[i,l] += A[i,j] * B[j,k] * D[k,l]", "i=5,j=7,k=3,l=4", {},
     [](const auto& in, const Index& i) {
       double s = 0;
       for (std::int64_t j = 0; j < 7; ++j) {
         for (std::int64_t k = 0; k < 3; ++k) s += get(in, "A", {i[0], j}) * get(in, "B", {j, k}) * get(in, "D", {k, i[1]});
       }
       return s;
     }},
    {"O[i,j] max= A[i,k] + B[k,j]", "i=5,j=6,k=13", {},
     [](const auto& in, const Index& i) {
       double s = -1e9;
       for (std::int64_t k = 0; k < 13; ++k) s = std::max(s, get(in, "A", {i[0], k}) + get(in, "B", {k, i[1]}));
       return s;
     }},
    {"O[a,b,c] += X[a,d,e,b] * Y[d,c,e]", "a=3,b=2,c=5,d=7,e=3", {},
     [](const auto& in, const Index& i) {
       double s = 0;
       for (std::int64_t d = 0; d < 7; ++d) {
         for (std::int64_t e = 0; e < 3; ++e) s += get(in, "X", {i[0], d, e, i[1]}) * get(in, "Y", {d, i[2], e});
       }
       return s;
     }},
    {"O[m,n] += i32(A[m,k]) * i32(B[k,n])", "m=7,n=5,k=31", typed(i8),
     [](const auto& in, const Index& i) {
       double s = 0;
       for (std::int64_t k = 0; k < 31; ++k) s += get(in, "A", {i[0], k}) * get(in, "B", {k, i[1]});
       return s;
     }},
    {"O[m,n] += A[m,k] * B[n,k]", "m=3,n=5,k=17", typed(f64),
     [](const auto& in, const Index& i) {
       double s = 0;
       for (std::int64_t k = 0; k < 17; ++k) s += get(in, "A", {i[0], k}) * get(in, "B", {i[1], k});
       return s;
     }},
    {"O[y,x,o] += X[y + r, x + s, c] * W[r,s,c,o]", "y=11,x=13,o=7,r=3,s=5,c=3", {},
     [](const auto& in, const Index& i) {
       double s = 0;
       for (std::int64_t r = 0; r < 3; ++r) {
         for (std::int64_t t = 0; t < 5; ++t) {
           for (std::int64_t c = 0; c < 3; ++c) s += get(in, "X", {i[0] + r, i[1] + t, c}) * get(in, "W", {r, t, c, i[2]});
         }
       }
       return s;
     }},
    {"O[y,x] min= X[2*y + 3*r, x] - W[r]", "y=5,x=7,r=3", {},
     [](const auto& in, const Index& i) {
       double s = 1e9;
       for (std::int64_t r = 0; r < 3; ++r) s = std::min(s, get(in, "X", {2 * i[0] + 3 * r, i[1]}) - get(in, "W", {r}));
       return s;
     }},
    {"O[i,j] = select(A[i,j] < B[j], A[i,j] * 2, max(A[i,j], 0)) + f32(i * 10 + j)", "i=5,j=7", {},
     [](const auto& in, const Index& i) {
       const double a = get(in, "A", i);
       return (a < get(in, "B", {i[1]}) ? a * 2 : std::max(a, 0.0)) + static_cast<double>(i[0] * 10 + i[1]);
     }},
    {"O[i] += if_then_else(i + r >= 2 && i + r < 13, X[i + r - 2], 0.0) * W[r]", "i=11,r=5", {},
     [](const auto& in, const Index& i) {
       double s = 0;
       for (std::int64_t r = 0; r < 5; ++r) s += i[0] + r >= 2 && i[0] + r < 13 ? get(in, "X", {i[0] + r - 2}) * get(in, "W", {r}) : 0;
       return s;
     }},
    {"O[b,i,j] += abs(A[b,i,k] - B[b,j,k])", "b=2,i=5,j=3,k=7", {},
     [](const auto& in, const Index& i) {
       double s = 0;
       for (std::int64_t k = 0; k < 7; ++k) s += std::abs(get(in, "A", {i[0], i[1], k}) - get(in, "B", {i[0], i[2], k}));
       return s;
     }},
};

TEST(Statement, ProgramsThatNoCatalogueHolds) {
  for (const Program& p : kPrograms) {
    SCOPED_TRACE(p.text);
    const auto parsed = parse_statement(p.text, p.extents, p.options);
    ASSERT_TRUE(parsed.ok()) << parsed.reason();
    const auto in = make_inputs(*parsed, 5, InputKind::kExact);
    Evaluator e(*parsed, in);
    const auto got = e.tensor("O");
    ASSERT_TRUE(got.ok()) << got.reason();
    Index index(got->shape.size());
    for (std::int64_t i = 0; i < got->size(); ++i) {
      std::int64_t rest = i;
      for (std::size_t d = index.size(); d-- > 0;) {
        index[d] = rest % got->shape[d];
        rest /= got->shape[d];
      }
      ASSERT_EQ(got->get(i), p.at(in, index)) << i;
    }
  }
}

}  // namespace
}  // namespace tessera::dsl
