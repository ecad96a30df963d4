// The programs of bench/polybench as text, held against the C that we wrote from their definitions: the text
// means the same, and so do the kernels of its default plan.
#include <gtest/gtest.h>

#include <math.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <list>
#include <sstream>

#include "driver/compile.h"
#include "driver/reference.h"
#include "dsl/evaluate.h"
#include "dsl/inputs.h"
#include "dsl/text.h"

// The references at small odd sizes; a file takes its sizes from macros.
#define NI 7
#define NJ 9
#define NK 11
#define NL 5
#define NM 13
#include "bench/polybench/2mm.c"
#include "bench/polybench/3mm.c"
#include "bench/polybench/gemm.c"
#define M 7
#define N 11
#include "bench/polybench/atax.c"
#include "bench/polybench/bicg.c"
#include "bench/polybench/correlation.c"
#include "bench/polybench/covariance.c"
#include "bench/polybench/gemver.c"
#include "bench/polybench/gesummv.c"
#include "bench/polybench/heat-3d.c"
#include "bench/polybench/jacobi-2d.c"
#include "bench/polybench/mvt.c"
#include "bench/polybench/syr2k.c"
#include "bench/polybench/syrk.c"
#define NQ 5
#define NR 3
#define NP 9
#include "bench/polybench/doitgen.c"

namespace tessera::test {
namespace {

/// What a reference reads and writes, by the names of the text: `a("X")` is a copy of input X, `out("Y")` what
/// is compared with output Y.
class Arrays {
 public:
  explicit Arrays(const std::map<std::string, ir::Tensor>& inputs) : inputs_(inputs) {}

  template <class Row = double>
  Row* a(const std::string& input) {
    return reinterpret_cast<Row*>(copy(input).data());
  }
  double scalar(const std::string& input) { return copy(input)[0]; }
  /// An output that starts as a copy of `input`, or as zeros.
  template <class Row = double>
  Row* out(const std::string& name, const std::string& input = "") {
    std::vector<double>& v = outputs_[name];
    if (!input.empty()) v = values(input);
    v.resize(static_cast<std::size_t>(1) << 16);
    return reinterpret_cast<Row*>(v.data());
  }
  template <class Row = double>
  Row* temporary() {
    return reinterpret_cast<Row*>(copies_.emplace_back(1 << 16).data());
  }
  const std::map<std::string, std::vector<double>>& outputs() const { return outputs_; }

 private:
  std::vector<double> values(const std::string& input) const {
    const ir::Tensor& t = inputs_.at(input);
    std::vector<double> v(t.bytes.size() / sizeof(double));
    std::memcpy(v.data(), t.bytes.data(), t.bytes.size());
    return v;
  }
  std::vector<double>& copy(const std::string& input) { return copies_.emplace_back(values(input)); }

  const std::map<std::string, ir::Tensor>& inputs_;
  std::map<std::string, std::vector<double>> outputs_;
  std::list<std::vector<double>> copies_;
};

struct Case {
  const char* name;
  const char* sizes;
  void (*reference)(Arrays&);
  bool triangle = false;  // only the lower one is an output
};

const Case kCases[] = {
    {"gemm", "NI=7,NJ=9,NK=11",
     [](Arrays& x) { gemm(x.scalar("alpha"), x.scalar("beta"), x.out<double[NJ]>("C", "C0"), x.a<double[NK]>("A"), x.a<double[NJ]>("B")); }},
    {"2mm", "NI=7,NJ=9,NK=11,NL=5",
     [](Arrays& x) {
       mm2(x.scalar("alpha"), x.scalar("beta"), x.temporary<double[NJ]>(), x.a<double[NK]>("A"), x.a<double[NJ]>("B"), x.a<double[NL]>("C"), x.out<double[NL]>("D", "D0"));
     }},
    {"3mm", "NI=7,NJ=9,NK=11,NL=5,NM=13",
     [](Arrays& x) {
       mm3(x.temporary<double[NJ]>(), x.a<double[NK]>("A"), x.a<double[NJ]>("B"), x.temporary<double[NL]>(), x.a<double[NM]>("C"), x.a<double[NL]>("D"), x.out<double[NL]>("G"));
     }},
    {"syrk", "M=7,N=11", [](Arrays& x) { syrk(x.scalar("alpha"), x.scalar("beta"), x.out<double[N]>("C", "C0"), x.a<double[M]>("A")); }, true},
    {"syr2k", "M=7,N=11", [](Arrays& x) { syr2k(x.scalar("alpha"), x.scalar("beta"), x.out<double[N]>("C", "C0"), x.a<double[M]>("A"), x.a<double[M]>("B")); }, true},
    {"gemver", "N=11",
     [](Arrays& x) {
       gemver(x.scalar("alpha"), x.scalar("beta"), x.out<double[N]>("A", "A0"), x.a("u1"), x.a("v1"), x.a("u2"), x.a("v2"), x.out("w"), x.out("x"), x.a("y"), x.a("z"));
     }},
    {"gesummv", "N=11", [](Arrays& x) { gesummv(x.scalar("alpha"), x.scalar("beta"), x.a<double[N]>("A"), x.a<double[N]>("B"), x.temporary(), x.a("x"), x.out("y")); }},
    {"atax", "M=7,N=11", [](Arrays& x) { atax(x.a<double[N]>("A"), x.a("x"), x.out("y"), x.temporary()); }},
    {"bicg", "M=7,N=11", [](Arrays& x) { bicg(x.a<double[M]>("A"), x.out("s"), x.out("q"), x.a("p"), x.a("r")); }},
    {"mvt", "N=11", [](Arrays& x) { mvt(x.out("x1", "x10"), x.out("x2", "x20"), x.a("y1"), x.a("y2"), x.a<double[N]>("A")); }},
    {"doitgen", "NQ=5,NR=3,NP=9", [](Arrays& x) { doitgen(x.out<double[NQ][NP]>("A", "A0"), x.a<double[NP]>("C4"), x.temporary()); }},
    {"covariance", "M=7,N=11", [](Arrays& x) { covariance(x.a<double[M]>("data"), x.out<double[M]>("cov"), x.temporary()); }},
    {"correlation", "M=7,N=11", [](Arrays& x) { correlation(x.a<double[M]>("data"), x.out<double[M]>("corr"), x.temporary(), x.temporary()); }},
    {"jacobi-2d", "N=11", [](Arrays& x) { jacobi_2d(x.out<double[N]>("A", "A0"), x.out<double[N]>("B", "B0")); }},
    {"heat-3d", "N=11", [](Arrays& x) { heat_3d(x.out<double[N][N]>("A", "A0"), x.out<double[N][N]>("B", "B0")); }},
};

class PolyBench : public ::testing::TestWithParam<Case> {};

dsl::ComputeDag program_of(const Case& c) {
  std::ifstream in(std::string(TESSERA_SOURCE_DIR "/bench/polybench/") + c.name + ".tc");
  std::ostringstream text;
  text << in.rdbuf();
  return dsl::parse_definition(text.str(), c.sizes).or_throw();
}

TEST_P(PolyBench, TheTextMeansWhatTheReferenceDoes) {
  const Case& c = GetParam();
  const dsl::ComputeDag dag = program_of(c);
  const auto inputs = dsl::make_inputs(dag, 1, dsl::InputKind::kRandom);
  Arrays arrays(inputs);
  c.reference(arrays);
  dsl::Evaluator ours(dag, inputs, dsl::EvaluateMode::kBounded);
  ASSERT_EQ(arrays.outputs().size(), dag.outputs().size());
  for (const ir::Buffer& o : dag.outputs()) {
    const dsl::Evaluation e = ours.all(o->name).or_throw();
    const std::vector<double>& wanted = arrays.outputs().at(o->name);
    int compared = 0;
    for (std::size_t i = 0; i < e.values.size(); ++i) {
      if (c.triangle && i % N > i / N) continue;
      EXPECT_NEAR(e.values[i].f, wanted[i], 1e-12 * std::max(1.0, std::abs(wanted[i]))) << o->name << " at " << i;
      ++compared;
    }
    EXPECT_GT(compared, 4);
  }
}

TEST_P(PolyBench, TheDefaultPlanIsRight) {
  const dsl::ComputeDag dag = program_of(GetParam());
  const ir::Target target = driver::resolve_target("cpu");
  driver::Builder builder;
  runtime::CpuMeasurer runner;
  runner.install(driver::make_reference(dag, target, 1, builder, runner).data);
  runtime::MeasureOptions once;
  once.sample_ns = 1;
  const auto image = driver::compile(dag, driver::default_plan(dag, target), target);
  ASSERT_TRUE(image.ok()) << image.reason();
  const runtime::Measurement m = runner.measure(*image, once);
  EXPECT_TRUE(m.ok()) << m.phase << ": " << m.message;
}

std::string name_of(const ::testing::TestParamInfo<Case>& info) {
  std::string out = info.param.name;
  std::replace(out.begin(), out.end(), '-', '_');
  return "program_" + out;
}

INSTANTIATE_TEST_SUITE_P(Programs, PolyBench, ::testing::ValuesIn(kCases), name_of);

}  // namespace
}  // namespace tessera::test
