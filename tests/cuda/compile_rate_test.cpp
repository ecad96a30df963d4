// How fast our texts compile beside a text that a person wrote for the same tile. A measurement: by name only
// (docs/proofs.md).
#include <algorithm>
#include <chrono>
#include <iostream>

#include "bench/nvrtc_texts.h"
#include "codegen/cuda/source.h"
#include "driver/compile.h"
#include "ops/catalog.h"
#include "search/point.h"
#include "tests/cuda/nvrtc_fixture.h"

namespace tessera::codegen {
namespace {

class DISABLED_CompileRate : public NvrtcTest {};

/// The sketch of products with tiles of 128 x 128 x 8 and 8 x 8 sums a thread, 1024 cubed.
std::string our_text() {
  search::Task task;
  task.op = "matmul";
  task.dag = ops::build({"matmul", {{"m", 1024}, {"n", 1024}, {"k", 1024}}, "", ""}).or_throw();
  task.target = driver::resolve_target("cuda -arch=sm_90a");
  const std::vector<search::Sketch> sketches = search::generate_sketches(task);
  const search::Decisions d{{"A.s.vector", 4}, {"B.s.vector", 4}, {"C.i.w", 4}, {"C.i.v", 2}, {"C.i.x", 4}, {"C.i.r", 4}, {"C.j.w", 2}, {"C.j.v", 2}, {"C.j.x", 8}, {"C.j.r", 4}, {"C.k.block", 8}, {"C.slots", 1}};
  const schedule::StepList steps = search::steps_of(sketches, search::point_of(sketches, "C.tile", d).value()).or_throw();
  return cuda_source(driver::finished_program(task.dag, steps, task.target).or_throw()).or_throw().text;
}

double seconds_of(const std::string& text, int number) {
  const auto start = std::chrono::steady_clock::now();
  compile_cuda(*nvrtc(), text + "//" + std::to_string(number), "k", "sm_90a").or_throw();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// In turns; medians.
TEST_F(DISABLED_CompileRate, OfATileIsNearThatOfAPersonsText) {
  constexpr int kRounds = 15;
  const std::string ours = our_text();
  std::vector<double> own, persons;
  for (int i = 0; i < kRounds; ++i) {
    persons.push_back(seconds_of(bench::kSimtGemm, i));
    own.push_back(seconds_of(ours, i));
  }
  const auto median = [](std::vector<double>& v) {
    std::nth_element(v.begin(), v.begin() + kRounds / 2, v.end());
    return v[kRounds / 2];
  };
  const double rate = median(persons) / median(own);
  std::cout << "rate: " << rate << " of a person's text, " << 1e3 * median(own) << " ms beside " << 1e3 * median(persons) << " ms" << std::endl;
  EXPECT_GE(rate, 0.7);
}

}  // namespace
}  // namespace tessera::codegen
