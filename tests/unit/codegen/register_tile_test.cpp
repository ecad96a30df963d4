// The inner loop of a register tile is its multiply-adds and their operands, nothing else.
#include <gtest/gtest.h>

#include <sstream>

#include "codegen/llvm/compile.h"
#include "codegen/llvm/target.h"
#include "dsl/dsl.h"
#include "lower/lower.h"
#include "schedule/schedule.h"

namespace tessera::codegen {
namespace {

#if defined(__x86_64__)

int count(const std::string& text, const std::string& word) {
  int n = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++n;
  return n;
}

/// The block that jumps back to its own label with the most multiply-adds.
std::string hot_loop(const std::string& assembly) {
  std::istringstream lines(assembly);
  std::string line, label, block, hot;
  while (std::getline(lines, line)) {
    if (!line.empty() && line[0] != '\t' && line.find(':') != std::string::npos) {
      label = line.substr(0, line.find(':'));
      block.clear();
      continue;
    }
    block += line + "\n";
    const bool back = line.find("\tj") == 0 && !label.empty() && line.find(label) != std::string::npos;
    if (back && count(block, "vfmadd") > count(hot, "vfmadd")) hot = block;
  }
  return hot;
}

std::string tile_assembly(const std::string& target_text, std::int64_t rows, std::int64_t vectors, std::int64_t lanes) {
  const ir::Target target = resolve_cpu_target(ir::parse_target(target_text).or_throw()).or_throw();
  const std::int64_t m = rows * 3, n = vectors * lanes * 2, depth = 96;
  auto a = dsl::placeholder({m, depth}, ir::f32, "A"), b = dsl::placeholder({depth, n}, ir::f32, "B");
  auto k = dsl::reduce_axis(depth, "k");
  auto c = dsl::compute({m, n}, [&](dsl::Var i, dsl::Var j) { return dsl::sum(a(i, k) * b(k, j), k); }, "C");
  schedule::Schedule s(dsl::ComputeDag::from_outputs({c}, "tile"));
  s.cache_write("C", "Cw")
      .tile("C", {"i", "j"}, {"i0", "j0", "i1", "j1"}, {rows, vectors * lanes})
      .split("C", "j1", {"jv", "jl"}, {lanes})
      .unroll("C", "i1")
      .unroll("C", "jv")
      .vectorize("C", "jl")
      .compute_at("Cw", "C", "j0")
      .set_scope("Cw", ir::Scope::kRegister)
      .reorder("Cw", {"k", "i", "j"})
      .tensorize("Cw", {"i", "j"}, "cpu.fma.f32x" + std::to_string(lanes));
  lower::Options options;
  options.vector_bytes = target.vector_bytes;
  return code_text(lower::lower(s.state(), options).or_throw(), target, CodeText::kAssembly).or_throw();
}

void expect_tight(const std::string& target, std::int64_t rows, std::int64_t vectors, std::int64_t lanes) {
  const std::string hot = hot_loop(tile_assembly(target, rows, vectors, lanes));
  EXPECT_EQ(count(hot, "vfmadd"), rows * vectors) << target << "\n" << hot;
  EXPECT_EQ(count(hot, "(%rsp"), 0) << target << "\n" << hot;
  EXPECT_EQ(count(hot, "(%rbp"), 0) << target << "\n" << hot;
  EXPECT_EQ(count(hot, "call"), 0) << target << "\n" << hot;
}

TEST(RegisterTile, Avx512) {
  expect_tight("cpu -mcpu=x86-64-v4", 6, 4, 16);
  expect_tight("cpu -mcpu=x86-64-v4", 14, 2, 16);
}

TEST(RegisterTile, Avx2) { expect_tight("cpu -mcpu=x86-64-v3", 6, 2, 8); }

#endif

}  // namespace
}  // namespace tessera::codegen
