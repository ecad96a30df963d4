// Sketches of rows in vectors of up to 16 bytes: the printed text reads and writes memory so, and is right in the
// emulator on rows that vectors and threads divide, that they do not, and that are cut across blocks.
#include <gtest/gtest.h>

#include "codegen/cuda/print.h"
#include "driver/compile.h"
#include "driver/fuzz/emulated_check.h"
#include "ops/catalog.h"
#include "search/sketch.h"
#include "tests/support/options.h"

namespace tessera::driver {
namespace {

search::Task task_of(const std::string& op, const ops::Shape& shape, const std::string& dtype) {
  search::Task t;
  t.op = op;
  t.dag = ops::build({op, shape, "", dtype}).or_throw();
  t.target = resolve_target("cuda -arch=sm_90a");
  return t;
}

bool ends_with(const std::string& s, const std::string& end) { return s.size() >= end.size() && s.compare(s.size() - end.size(), end.size(), end) == 0; }

/// A point with the longest vectors, and no more threads than the rest of a row is for.
search::Decisions widest(const search::Sketch& s, Rng& rng) {
  std::vector<std::vector<std::int64_t>> domains;
  for (const search::Hole& h : s.space.holes()) domains.push_back(ends_with(h.name, ".vector") ? std::vector{h.domain.back()} : h.domain);
  const auto point = s.space.solve(domains, rng);
  if (!point) throw std::logic_error("no point of " + s.name);
  return s.space.decisions(*point);
}

/// Emulates every sketch whose name begins with `prefix`; how many there were.
int expect_right(const search::Task& task, const std::string& prefix) {
  EmulationOracle oracle(task.dag, test::options().seed);
  int sketches = 0;
  for (const search::Sketch& s : search::generate_sketches(task)) {
    if (!s.name.starts_with(prefix)) continue;
    ++sketches;
    Rng rng(test::options().seed, {hash_bytes(s.name)});
    const schedule::StepList steps = schedule::fill_holes(s.steps, widest(s, rng)).or_throw();
    SCOPED_TRACE(s.name + " " + dump_json(write_json(steps)));
    const auto finished = finished_program(task.dag, steps, task.target);
    EXPECT_TRUE(finished.ok()) << finished.reason();
    if (finished.ok()) {
      EXPECT_EQ(oracle.check(*finished, {.late = true, .seed = 1}).why, "");
    }
  }
  return sketches;
}

std::string text_of(const search::Task& task, const std::string& sketch) {
  for (const search::Sketch& s : search::generate_sketches(task)) {
    if (s.name != sketch) continue;
    Rng rng(1);
    const schedule::StepList steps = schedule::fill_holes(s.steps, widest(s, rng)).or_throw();
    std::string out;
    for (const codegen::CudaKernel& k : codegen::print_cuda(finished_program(task.dag, steps, task.target).or_throw()).or_throw()) out += k.text;
    return out;
  }
  throw std::logic_error("no sketch " + sketch);
}

int count(const std::string& text, const std::string& what) {
  int n = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

struct Case {
  const char* op;
  const char* dtype;
  std::int64_t m, n;
};

class CudaRowShapes : public ::testing::TestWithParam<Case> {};

TEST_P(CudaRowShapes, AreRightInVectors) {
  const Case& c = GetParam();
  EXPECT_GE(expect_right(task_of(c.op, {{"m", c.m}, {"n", c.n}}, c.dtype), "rows"), 2);
}

INSTANTIATE_TEST_SUITE_P(Rows, CudaRowShapes,
                         ::testing::Values(Case{"softmax", "f32", 8, 256}, Case{"softmax", "f32", 5, 100}, Case{"softmax", "f32", 3, 37}, Case{"softmax", "f32", 1, 64},
                                           Case{"softmax", "f16", 5, 136}, Case{"softmax", "bf16", 5, 102}, Case{"layer_norm", "f32", 5, 100},
                                           Case{"rms_norm", "f32", 3, 92}, Case{"softmax", "f32", 2, 8192}),
                         [](const auto& info) {
                           const Case& c = info.param;
                           return std::string(c.op) + "_" + c.dtype + "_" + std::to_string(c.m) + "x" + std::to_string(c.n);
                         });

/// A load and a store of 16 bytes each, and none of one element, whatever the element.
TEST(CudaRows, ReadAndWriteSixteenBytes) {
  for (const auto& [dtype, vector] : {std::pair{"f32", "f32x4"}, {"f16", "f16x8"}, {"bf16", "bf16x8"}}) {
    for (const char* op : {"softmax", "rms_norm", "layer_norm"}) {
      const search::Task task = task_of(op, {{"m", 4096}, {"n", 4096}}, dtype);
      for (const char* sketch : {"rows.kept", "rows"}) {
        SCOPED_TRACE(std::string(op) + " " + dtype + " " + sketch);
        const std::string text = text_of(task, sketch), load = std::string("ts_load_global_nc<") + vector + ">";
        EXPECT_GE(count(text, load + "(X"), 1);
        EXPECT_EQ(count(text, "ts_load_global"), count(text, load)) << text;
        EXPECT_EQ(count(text, "ts_store_global"), 1);
        EXPECT_EQ(count(text, std::string(", ") + vector + "{"), 1) << text;
      }
    }
  }
}

TEST(CudaRows, ReductionsReadSixteenBytes) {
  const search::Task many = task_of("reduce_sum", {{"m", 4096}, {"n", 4096}}, "f32"), few = task_of("argmax", {{"m", 4}, {"n", 1048576}}, "f32");
  for (const std::string& text : {text_of(many, "Y.joined"), text_of(few, "Y.threads+rfactor+best.joined+best.part.joined")}) {
    EXPECT_EQ(count(text, "ts_load_global_nc<f32x4>(X"), 1) << text;
    EXPECT_EQ(count(text, "(X +"), 1) << text;
  }
}

/// A row read once where it is kept, and as often as there are stages that read it where it is not.
TEST(CudaRows, AreReadOnceWhereTheyAreKept) {
  const search::Task task = task_of("softmax", {{"m", 4096}, {"n", 4096}}, "f32");
  EXPECT_EQ(count(text_of(task, "rows.kept"), "ts_load_global_nc<f32x4>(X"), 1);
  EXPECT_EQ(count(text_of(task, "rows"), "ts_load_global_nc<f32x4>(X"), 3);
}

/// Rows of a length that no vector divides are read one element at a time.
TEST(CudaRows, OfOddLengthsHaveNoVectors) {
  for (const search::Sketch& s : search::generate_sketches(task_of("softmax", {{"m", 64}, {"n", 1023}}, "f32"))) {
    for (const search::Hole& h : s.space.holes()) {
      EXPECT_TRUE(!ends_with(h.name, ".vector") || h.domain == std::vector<std::int64_t>{1}) << s.name;
    }
  }
}

/// Few long rows: a kernel for the chunks of each reduction and one for their sum, unless its last block adds them
/// up, then one for the elements.
TEST(CudaRows, FewLongOnesAreCutAcrossBlocks) {
  const search::Task task = task_of("softmax", {{"m", 2}, {"n", 8192}}, "f32");
  std::set<std::size_t> kernels;
  for (const search::Sketch& s : search::generate_sketches(task)) {
    if (!s.name.starts_with("rows.cut")) continue;
    Rng rng(1);
    const ir::Program p = finished_program(task.dag, schedule::fill_holes(s.steps, widest(s, rng)).or_throw(), task.target).or_throw();
    kernels.insert(p.launches.size());
    EXPECT_EQ(p.launches.size(), 5U - static_cast<std::size_t>(count(s.name, ".last_block"))) << s.name;
  }
  EXPECT_EQ(kernels, (std::set<std::size_t>{3, 4, 5}));
  for (const search::Sketch& s : search::generate_sketches(task_of("softmax", {{"m", 4096}, {"n", 8192}}, "f32"))) EXPECT_FALSE(s.name.starts_with("rows.cut"));
}

/// Sums and the place of the largest: along the memory, in vectors, and cut into chunks.
TEST(CudaRows, ReductionsReadVectors) {
  for (const char* op : {"reduce_sum", "argmax"}) {
    for (const std::int64_t n : {64, 100, 37, 8192}) {
      SCOPED_TRACE(std::string(op) + " " + std::to_string(n));
      EXPECT_GE(expect_right(task_of(op, {{"m", 6}, {"n", n}}, "f32"), ""), 1);
    }
  }
}

}  // namespace
}  // namespace tessera::driver
