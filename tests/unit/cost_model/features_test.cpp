// Features of five kernels against numbers worked out by hand. The machine: vectors of 32 bytes,
// 16 registers, 32 KiB, 1 MiB, 32 MiB; one thread unless said.
#include "tests/support/options.h"
#include "tests/unit/cost_model/nests.h"

namespace tessera::cost_model {
namespace {

void expect_size(const Features& f, std::size_t row, const std::string& name, double want) {
  EXPECT_NEAR(size(f, row, name), want, 1e-4 * want + 1e-4) << name;
}

TEST(Features, NaiveMatmul) {
  const Features f = extract(naive_matmul(), {});
  ASSERT_EQ(f.rows(), 2U);  // a statement and the program
  expect_size(f, 0, "loops.trips", 262144);
  expect_size(f, 0, "loops.serial_inner0", 64);
  expect_size(f, 0, "loops.serial_iterations", 64 + 4096 + 262144);
  expect_size(f, 0, "operations.total", 524288);
  // One row of A and C and all of B, 4 + 4 + 256 lines, fit L1; with all rows it is 768 lines, 1.5
  // times L1, each of which comes once because B stays from row to row.
  expect_size(f, 0, "footprint.bytes", 768 * 64);
  expect_size(f, 0, "footprint.l1_runs", 64);
  expect_size(f, 0, "footprint.l1_bytes", 264 * 64);
  EXPECT_NEAR(column(f, 0, "footprint.l1_next_over"), 1.5, 1e-6);
  expect_size(f, 0, "footprint.l1_lines_below", 768);
  expect_size(f, 0, "footprint.l2_lines_below", 0);
  // All three have 256 lines, so they stand in their order: C, A, B. B moves by a row with k and is
  // used again by the next i, 4,096 iterations and 264 lines later.
  EXPECT_EQ(column(f, 0, "access0.write"), 1);
  expect_size(f, 0, "access2.lines", 256);
  expect_size(f, 0, "access2.inner_stride_bytes", 256);
  expect_size(f, 0, "access2.reuse_count", 64);
  expect_size(f, 0, "access2.reuse_iterations", 4096);
  expect_size(f, 0, "access2.reuse_bytes", 264 * 64);
  EXPECT_EQ(column(f, 0, "access3.read"), 0);  // the second C is the first
  // Every sum waits for the one before, through memory.
  EXPECT_EQ(column(f, 0, "registers.chains"), 1);
  expect_size(f, 0, "registers.chain_steps", 262144);
  EXPECT_EQ(column(f, 0, "registers.chain_in_memory"), 1);
  EXPECT_EQ(f.terms[kArithmetic], 262144 / 2.0);
  EXPECT_EQ(f.terms[kLoadStore], 262144);
  EXPECT_EQ(f.terms[kChain], 10 * 262144.0);
  EXPECT_EQ(f.terms[kL2], 2 * 768);
  EXPECT_EQ(f.terms[kBound], 10 * 262144.0);
  expect_size(f, 1, "program.flops", 524288);
  EXPECT_EQ(column(f, 1, "loops.is_statement"), 0);
}

TEST(Features, TiledMatmul) {
  const Features f = extract(tiled_matmul(), {});
  expect_size(f, 0, "loops.block_trips", 64);
  EXPECT_EQ(column(f, 0, "loops.vector_width"), 1);
  expect_size(f, 0, "operations.instructions", 32768);
  // Eight vectors of sums; beside them the two vectors of B and one element of A at a time.
  EXPECT_EQ(column(f, 0, "registers.accumulators"), 8);
  EXPECT_NEAR(column(f, 0, "registers.demand"), 11 / 16.0, 1e-6);
  EXPECT_EQ(column(f, 0, "registers.chains"), 8);
  expect_size(f, 0, "registers.chain_steps", 4096);
  // For each of the 4,096 runs of the tile four elements of A and two vectors of B are loaded.
  EXPECT_EQ(f.terms[kLoadStore], 4096 * (4 + 2) / 2);
  EXPECT_EQ(f.terms[kArithmetic], 16384);
  EXPECT_EQ(f.terms[kChain], 4 * 4096);
  EXPECT_EQ(f.terms[kLoops], 16 + 64 + 4096);
  EXPECT_EQ(f.terms[kL2], 0);  // A and B fill L1 to the last byte
  EXPECT_EQ(column(f, 1, "program.accumulators"), 8);
}

TEST(Features, RowSum) {
  const ir::NestSummary nest{{statement({{100}, {1000}}, 0, 1,
                                        {access("Y", true, 100, {1, 0}), access("Y", false, 100, {1, 0}), access("X", false, 100000, {1000, 1})})}};
  const Features f = extract(nest, {});
  // X is one run of 100,000 elements; Y is 100 elements, 6.25 lines.
  expect_size(f, 0, "access0.lines", 6250);
  expect_size(f, 0, "access0.run_bytes", 400000);
  expect_size(f, 0, "access0.reuse_count", 1);
  expect_size(f, 0, "access1.lines", 6.25);
  EXPECT_NEAR(column(f, 0, "footprint.l1_next_over"), 6256.25 * 64 / 32768, 1e-5);
  expect_size(f, 0, "footprint.l1_bytes", (62.5 + 1) * 64);
  expect_size(f, 0, "footprint.l1_lines_below", 6256.25);
}

TEST(Features, Depthwise) {
  // y 8, x 8, kernel 3 x 3, 16 channels in two vectors; X is padded to 10 x 10.
  const ir::NestSummary nest{{statement({{8}, {8}, {3}, {3}, {16, ForKind::kVector}}, 1, 1,
                                        {access("Y", true, 1024, {128, 16, 0, 0, 1}), access("Y", false, 1024, {128, 16, 0, 0, 1}),
                                         access("X", false, 1600, {160, 16, 160, 16, 1}), access("W", false, 144, {0, 0, 48, 16, 1})})}};
  const Features f = extract(nest, {});
  // The windows overlap: 10 x 10 x 16 elements, not 8 x 8 x 3 x 3 x 16.
  expect_size(f, 0, "access0.unique_bytes", 6400);
  expect_size(f, 0, "access0.lines", 100);
  expect_size(f, 0, "access0.instructions", 8 * 8 * 9 * 2);
  expect_size(f, 0, "access1.lines", 64);
  expect_size(f, 0, "access2.lines", 9);
  expect_size(f, 0, "access2.reuse_count", 8);
  expect_size(f, 0, "access2.reuse_iterations", 144);
  EXPECT_EQ(column(f, 0, "registers.chains"), 2);
}

TEST(Features, Transpose) {
  // Y[i, j] = X[j, i], 1024 x 64, j in vectors: X is read element by element, 4 KiB apart.
  const ir::NestSummary nest{{statement({{1024}, {64, ForKind::kVector}}, 0, 0,
                                        {access("Y", true, 65536, {64, 1}), access("X", false, 65536, {1, 1024})})}};
  const Features f = extract(nest, {});
  EXPECT_EQ(column(f, 0, "operations.copies"), 1);
  expect_size(f, 1, "program.copied_bytes", 262144);
  expect_size(f, 0, "access0.instructions", 65536);  // X
  expect_size(f, 0, "access0.vector_stride", 1024);
  EXPECT_EQ(column(f, 0, "access0.conflict"), 1);
  expect_size(f, 0, "access1.instructions", 1024 * 8);  // Y
  EXPECT_EQ(column(f, 0, "access1.conflict"), 0);
  EXPECT_EQ(f.terms[kStrided], 65536);
  EXPECT_EQ(f.terms[kLoadStore], 65536 / 2);
}

TEST(Features, ParallelLoopsAndPreparedStatements) {
  ir::NestSummary nest = naive_matmul();
  nest.statements[0].loops[0] = {64, ForKind::kParallel};
  Machine m;
  m.threads = 6;
  // Six threads take eleven rounds for 64 pieces.
  const Features f = extract(nest, m);
  EXPECT_NEAR(column(f, 0, "parallel.speedup"), 64 / 11.0, 1e-5);
  EXPECT_NEAR(column(f, 0, "parallel.idle_share"), 1 - 64 / 66.0, 1e-5);
  expect_size(f, 0, "parallel.grain", 524288 / 64);
  EXPECT_NEAR(f.terms[kChain], 2621440 * 11 / 64.0, 1);

  nest.statements[0].prepared = true;
  const Features ahead = extract(nest, m);
  EXPECT_EQ(column(ahead, 0, "loops.is_prepared"), 1);
  EXPECT_EQ(column(ahead, 1, "program.prepared"), 1);
  EXPECT_EQ(ahead.terms[kChain], 0);
}

TEST(Features, TilesThatReachPastTheEnd) {
  // Rows of 28 in tiles of two vectors of 16, two tiles or one: the waste is the same, but one tile by
  // itself is never full and ends within a vector.
  const auto write = [](std::int64_t outer, std::int64_t inner) {
    return ir::NestSummary{{statement({{10}, {outer}, {inner, ForKind::kUnroll}, {16, ForKind::kVector}}, 0, 1,
                                      {access("Y", true, 280, {28, 16 * inner, 16, 1})})}};
  };
  const Features two = extract(write(2, 1), {}), one = extract(write(1, 2), {});
  for (const Features* f : {&two, &one}) EXPECT_NEAR(column(*f, 0, "loops.waste"), 32 / 28.0, 1e-5);
  EXPECT_EQ(column(two, 0, "loops.ragged"), 0);
  EXPECT_EQ(column(one, 0, "loops.ragged"), 1);
  EXPECT_GT(one.terms[kStrided], two.terms[kStrided]);
}

TEST(Features, FewCacheSets) {
  // A panel of 128 rows, 2 lines each: side by side it stays in L1 from one row of A to the next; 4 KiB apart
  // its lines fall into two sets and come from L2 every time.
  const auto panel = [](std::int64_t row) {
    return ir::NestSummary{{statement({{64}, {128}, {2, ForKind::kUnroll}, {16, ForKind::kVector}}, 1, 1,
                                      {access("C", true, 2048, {32, 0, 16, 1}), access("A", false, 8192, {128, 1, 0, 0}),
                                       access("B", false, 128 * row, {0, row, 16, 1})})}};
  };
  EXPECT_EQ(extract(panel(32), {}).terms[kL2], 2 * (512 + 256 + 128));
  EXPECT_EQ(extract(panel(1024), {}).terms[kL2], 2 * 64 * (8 + 256 + 2));
}

TEST(Features, PackedPanels) {
  // 256 columns of 64 rows into panels: at (column / width, row, column % width), which no vector store can do.
  const auto pack = [](std::int64_t width) {
    ir::AccessSummary out = access("B.pack", true, 64 * 256, {0, width, 0});
    out.regular = false;
    return ir::NestSummary{{statement({{16}, {64}, {16, ForKind::kVector}}, 0, 0, {out, access("B", false, 64 * 256, {16, 256, 1})})}};
  };
  const double masked = extract(pack(32), {}).terms[kStrided], divided = extract(pack(48), {}).terms[kStrided];
  EXPECT_EQ(masked, 64 * 256 * 1.25);
  EXPECT_EQ(divided, 64 * 256 * 4);
  // Reads that follow a table or a phase load one element for all lanes.
  ir::NestSummary read = pack(32);
  std::swap(read.statements[0].accesses[0].regular, read.statements[0].accesses[1].regular);
  read.statements[0].accesses[0].strides = {16, 256, 1};
  read.statements[0].accesses[1].strides = {0, 32, 0};
  EXPECT_EQ(extract(read, {}).terms[kStrided], 0);
}

// A convolution of `size` x `size` x 31 with a border under a condition, in tiles of 2 x 2 x 16.
ir::NestSummary bordered(std::int64_t size, std::int64_t kernel) {
  const std::int64_t channels = 31, row = size * channels, x_row = size * 8, tiles = (size + 1) / 2;
  ir::StatementSummary s = statement({{2}, {tiles}, {tiles}, {kernel}, {kernel}, {8}, {2, ForKind::kUnroll}, {2, ForKind::kUnroll}, {16, ForKind::kVector}}, 1, 1,
                                     {access("Y", true, size * row, {16, 2 * row, 2 * channels, 0, 0, 0, row, channels, 1}),
                                      access("X", false, size * x_row, {0, 2 * x_row, 16, x_row, 8, 1, x_row, 8, 0})});
  s.ops.select = 1;
  return {{s}};
}

TEST(Features, BordersThatAreCutAway) {
  // Three ranges of rows, three of columns and two of channels are 18 copies: no condition stays inside.
  const Features cut = extract(bordered(28, 3), {});
  EXPECT_EQ(column(cut, 0, "ratios.border_guards"), 0);
  EXPECT_EQ(column(cut, 0, "ratios.tail_guards"), 0);
  EXPECT_EQ(column(cut, 0, "ratios.reductions"), 3);
  EXPECT_EQ(column(cut, 0, "ratios.column_tail"), 1);
  EXPECT_GT(column(cut, 0, "ratios.guarded"), 0);
  // A last tile that is cut where no border begins makes it four, four and two, which is too many: of the
  // columns' fifteen tiles, the three outside of the widest range share a body that asks.
  const Features left = extract(bordered(29, 5), {});
  EXPECT_NEAR(column(left, 0, "ratios.border_guards"), 3.0 / 15, 1e-6);
  ir::NestSummary plain = bordered(29, 5);
  plain.statements[0].ops.select = 0;
  EXPECT_EQ(column(extract(plain, {}), 0, "ratios.border_guards"), 0);
}

TEST(Features, CopiesOfABodyAreFewerIterations) {
  ir::NestSummary nest = tiled_matmul();
  const Features plain = extract(nest, {});
  nest.statements[0].loops[2].copies = 4;  // of the 64 steps of k
  const Features unrolled = extract(nest, {});
  expect_size(plain, 0, "loops.serial_iterations", 16 + 16 * 4 + 16 * 4 * 64);
  expect_size(unrolled, 0, "loops.serial_iterations", 16 + 16 * 4 + 16 * 4 * 16);
  EXPECT_EQ(column(plain, 0, "loops.unroll"), 1);
  EXPECT_EQ(column(unrolled, 0, "loops.unroll"), 4);
  EXPECT_EQ(ir::copies_of(ForKind::kSerial, 3, 8), 3);
  EXPECT_EQ(ir::copies_of(ForKind::kVector, 16, 8), 1);
}

TEST(Features, EveryColumnHasItsOwnName) {
  std::vector<std::string> names = feature_names();
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  EXPECT_EQ(names.size(), feature_count());
}

TEST(Features, TheReferencePageNamesEveryColumn) {
  const std::string page = test::read_source_file("docs/reference/cost_model.md");
  for (const std::string& name : feature_names()) {
    std::string word = name.substr(name.find('.') + 1);  // the groups are headings; caches and terms are listed once
    for (const char* prefix : {"l1_", "l2_", "l3_", "cycles_", "share_", "over_bound_"}) {
      if (word.starts_with(prefix)) word = word.substr(std::string(prefix).size());
    }
    EXPECT_NE(page.find("`" + word + "`"), std::string::npos) << "docs/reference/cost_model.md does not name `" << word << "`";
  }
  for (std::size_t t = 0; t < kDraftTerms; ++t) EXPECT_NE(page.find("`" + std::string(draft_term_name(t)) + "`"), std::string::npos);
}

TEST(Features, ReusedMemoryGivesTheSame) {
  Features f = extract(tiled_matmul(), {});
  extract(naive_matmul(), {}, f);
  EXPECT_EQ(f.values, extract(naive_matmul(), {}).values);
}

TEST(Features, LongNestsAreCut) {
  ir::StatementSummary s = statement(std::vector<ir::LoopSummary>(40, {2}), 0, 1, {});
  for (int a = 0; a < 40; ++a) s.accesses.push_back(access("X" + std::to_string(a), a == 0, 64, std::vector<std::int64_t>(40, 1)));
  const Features f = extract({{s}}, {});
  expect_size(f, 0, "loops.trips", std::exp2(40));
  for (const float x : f.values) EXPECT_TRUE(std::isfinite(x));
  EXPECT_EQ(extract({{statement({}, 0, 0, {})}}, {}).rows(), 2U);
  EXPECT_EQ(extract({}, {}).rows(), 1U);
}

TEST(MachineOf, TargetAndCaches) {
  ir::Target t;
  t.vector_bytes = 64;
  t.vector_registers = 32;
  const Machine m = make_machine(t, 3, {.l1 = 48 << 10, .l2 = 0, .l3 = 0});
  EXPECT_EQ(m.vector_bytes, 64);
  EXPECT_EQ(m.threads, 3);
  EXPECT_EQ(m.l1_bytes, 48 << 10);
  EXPECT_EQ(m.l2_bytes, Machine{}.l2_bytes);  // not known: the usual
  const CacheSizes here = read_cache_sizes();
  EXPECT_GE(here.l1, 0);
  EXPECT_LE(here.l1, here.l2 == 0 ? here.l1 : here.l2);
}

}  // namespace
}  // namespace tessera::cost_model
