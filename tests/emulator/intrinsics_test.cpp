// The emulated functions mean what ir/arith.h says and what the PTX ISA says of fragments.
#include <array>
#include <bit>

#include "ir/arith.h"
#include "ir/intrinsics.h"
#include "tests/emulator/fixture.h"

namespace tessera::test {
namespace {

/// Runs one block of 32 threads over `arguments`; the outputs.
std::vector<std::vector<std::byte>> run(const std::string& parameters, const std::string& body,
                                        std::vector<EmulatedArgument> arguments) {
  EmulationRequest q;
  q.text = "extern \"C\" __global__ void __launch_bounds__(32) kernel(" + parameters + ") {\n" +
           body + "\n}\n";
  q.entry = "kernel";
  q.block = {32, 1, 1};
  q.shared_bytes = 4096;
  q.arguments = std::move(arguments);
  auto report = runtime::emulator::emulate(q);
  EXPECT_TRUE(report.ok()) << report.reason();
  if (!report.ok()) return {};
  EXPECT_EQ(all_findings(*report), "");
  return report->outputs;
}

constexpr ir::Type kTypes[] = {ir::i8,  ir::u8,  ir::i16, ir::u16,  ir::i32, ir::u32,
                               ir::i64, ir::u64, ir::f16, ir::bf16, ir::f32, ir::f64};

ir::Scalar scalar(double f) {
  ir::Scalar s;
  s.f = f;
  return s;
}

/// Edges and random values of a type, as it stores them.
std::vector<std::uint64_t> samples(ir::Type t) {
  std::vector<std::uint64_t> bits;
  Rng rng(9, {t.hash()});
  if (t.is_integral()) {
    for (const std::int64_t v : {0, 1, -1, 127, 128, -128, -129, 255, 256, 32767, 65535, 65536})
      bits.push_back(ir::to_bits({ir::wrapped(v, t)}, t));
    for (int i = 0; i < 52; ++i)
      bits.push_back(
          ir::to_bits({ir::wrapped(static_cast<std::int64_t>(rng.next() >> rng.below(64)), t)}, t));
    return bits;
  }
  for (const double v :
       {0.0,    -0.0,   0.5,   1.5,     2.5,       -0.5,       -1.5,         127.5,
        128.0,  -128.5, 255.5, 65504.0, 65520.0,   1e-8,       2147483648.0, -2147483649.0,
        9.3e18, 1.9e19, 1e30,  -1e30,   1.0000001, 1.00390625, 1.01171875})
    bits.push_back(ir::to_bits(scalar(ir::rounded(v, t)), t));
  for (const double v :
       {std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(),
        std::numeric_limits<double>::quiet_NaN()})
    bits.push_back(ir::to_bits(scalar(v), t));
  while (bits.size() < 64)
    bits.push_back(ir::to_bits(
        scalar(ir::rounded(
            (rng.uniform() - 0.5) * std::ldexp(1.0, static_cast<int>(rng.below(40)) - 8), t)),
        t));
  return bits;
}

EmulatedArgument packed(const std::vector<std::uint64_t>& bits, ir::Type t) {
  EmulatedArgument a;
  for (const std::uint64_t b : bits)
    for (int i = 0; i < t.bytes(); ++i) a.bytes.push_back(static_cast<std::byte>(b >> (8 * i)));
  return a;
}

std::uint64_t element(const std::vector<std::byte>& bytes, std::size_t i, ir::Type t) {
  std::uint64_t b = 0;
  std::memcpy(&b, bytes.data() + i * static_cast<std::size_t>(t.bytes()),
              static_cast<std::size_t>(t.bytes()));
  return b;
}

bool is_nan(std::uint64_t bits, ir::Type t) {
  return t.is_float() && std::isnan(ir::from_bits(bits, t).f);
}

void expect_same(std::uint64_t got, std::uint64_t want, ir::Type t, const std::string& what) {
  if (is_nan(got, t) && is_nan(want, t)) return;
  EXPECT_EQ(got, want) << what << " in " << to_string(t);
}

/// y = expression of `x` (and `w`) for every sample, against `meaning`.
void check_elementwise(ir::Type from, ir::Type to, const std::string& expression,
                       const std::vector<std::uint64_t>& x, const std::vector<std::uint64_t>& w,
                       const std::function<std::uint64_t(std::size_t)>& meaning) {
  const std::string T = to_string(from), R = to_string(to);
  const std::string parameters = "const " + T + "* X, const " + T + "* W, " + R + "* Y";
  const std::string body = "for (i32 i = ts_thread_x(); i < " + std::to_string(x.size()) +
                           "; i += 32) {\n  const " + T + " x = ts_load_global<" + T +
                           ">(X + i);\n  const " + T + " w = ts_load_global<" + T +
                           ">(W + i);\n  ts_store_global(Y + i, " + expression + ");\n}";
  const auto outputs = run(
      parameters, body,
      {packed(x, from), packed(w, from), output(x.size() * static_cast<std::size_t>(to.bytes()))});
  if (outputs.empty()) return;
  for (std::size_t i = 0; i < x.size(); ++i)
    expect_same(element(outputs[2], i, to), meaning(i), to,
                expression + " of " + std::to_string(ir::from_bits(x[i], from).f) + " (bits " +
                    std::to_string(x[i]) + ")");
}

TEST(EmulatedIntrinsics, CastsBetweenAllTypes) {
  for (const ir::Type from : kTypes) {
    const auto x = samples(from);
    std::string parameters = "const " + to_string(from) + "* X";
    std::string body = "for (i32 i = ts_thread_x(); i < 64; i += 32) {\n  const " +
                       to_string(from) + " x = ts_load_global<" + to_string(from) + ">(X + i);\n";
    std::vector<EmulatedArgument> arguments{packed(x, from)};
    struct Column {
      ir::Type to;
      ir::CastMode mode;
    };
    std::vector<Column> columns;
    for (const ir::Type to : kTypes) {
      columns.push_back({to, ir::CastMode::kWrap});
      if (!to.is_integral() || from == ir::f16 || from == ir::bf16) continue;
      columns.push_back({to, ir::CastMode::kSaturate});
      if (from.is_float()) columns.push_back({to, ir::CastMode::kRound});
    }
    for (std::size_t c = 0; c < columns.size(); ++c) {
      const std::string to = to_string(columns[c].to), y = "Y" + std::to_string(c);
      const char* name = columns[c].mode == ir::CastMode::kWrap       ? "ts_cast"
                         : columns[c].mode == ir::CastMode::kSaturate ? "ts_cast_saturate"
                                                                      : "ts_cast_round";
      parameters += ", " + to + "* " + y;
      body += "  ts_store_global(" + y + " + i, " + name + "<" + to + ">(x));\n";
      arguments.push_back(output(64 * static_cast<std::size_t>(columns[c].to.bytes())));
    }
    const auto outputs = run(parameters, body + "}", arguments);
    ASSERT_FALSE(outputs.empty());
    for (std::size_t c = 0; c < columns.size(); ++c)
      for (std::size_t i = 0; i < 64; ++i)
        expect_same(element(outputs[c + 1], i, columns[c].to),
                    ir::to_bits(ir::convert(ir::from_bits(x[i], from), from, columns[c].to,
                                            columns[c].mode),
                                columns[c].to),
                    columns[c].to,
                    to_string(from) + " bits " + std::to_string(x[i]) + " mode " +
                        std::to_string(static_cast<int>(columns[c].mode)));
  }
}

TEST(EmulatedIntrinsics, FunctionsOfTheIr) {
  for (const ir::Type t : {ir::f32, ir::f64}) {
    const auto x = samples(t);
    auto w = x;
    std::reverse(w.begin(), w.end());
    for (int f = 0; f < static_cast<int>(ir::Intrinsic::kCount); ++f) {
      const ir::IntrinsicInfo& info = ir::intrinsic_info(static_cast<ir::Intrinsic>(f));
      if (info.id == ir::Intrinsic::kPopcount) continue;
      const std::string call = std::string("ts_") + info.name +
                               (info.arity == 1   ? "(x)"
                                : info.arity == 2 ? "(x, w)"
                                                  : "(x, w, x)");
      check_elementwise(t, info.gives_bool ? ir::u8 : t, info.gives_bool ? "(u8)" + call : call, x,
                        w, [&](std::size_t i) {
                          const ir::Scalar a = ir::from_bits(x[i], t), b = ir::from_bits(w[i], t);
                          const ir::Scalar r = ir::apply_intrinsic(info.id, t, a, b, a);
                          return info.gives_bool ? static_cast<std::uint64_t>(r.i)
                                                 : ir::to_bits(r, t);
                        });
    }
  }
}

TEST(EmulatedIntrinsics, MinimumMaximumAndSmallFloats) {
  for (const ir::Type t : {ir::f16, ir::bf16, ir::f32, ir::f64}) {
    const auto x = samples(t);
    auto w = x;
    std::rotate(w.begin(), w.begin() + 5, w.end());
    const std::pair<const char*, ir::ExprKind> operations[] = {
        {"ts_min(x, w)", ir::ExprKind::kMin}, {"ts_max(x, w)", ir::ExprKind::kMax},
        {"x + w", ir::ExprKind::kAdd},        {"x - w", ir::ExprKind::kSub},
        {"x * w", ir::ExprKind::kMul},        {"x / w", ir::ExprKind::kDiv}};
    for (const auto& [text, op] : operations)
      check_elementwise(t, t, text, x, w, [&, op = op](std::size_t i) {
        return ir::to_bits(
            scalar(ir::apply_float(op, t, ir::from_bits(x[i], t).f, ir::from_bits(w[i], t).f)), t);
      });
  }
}

TEST(EmulatedIntrinsics, Integers) {
  for (const ir::Type t : {ir::i32, ir::u32, ir::i64, ir::u64}) {
    auto x = samples(t), w = x;
    std::rotate(w.begin(), w.begin() + 7, w.end());
    for (std::uint64_t& b : w)
      b = b == 0 || b == ir::to_bits({-1}, t) ? 3 : b;  // no division by 0, no wrap
    const std::pair<const char*, ir::ExprKind> operations[] = {
        {"ts_floor_div(x, w)", ir::ExprKind::kFloorDiv},
        {"ts_floor_mod(x, w)", ir::ExprKind::kFloorMod},
        {"ts_min(x, w)", ir::ExprKind::kMin},
        {"ts_max(x, w)", ir::ExprKind::kMax}};
    for (const auto& [text, op] : operations)
      check_elementwise(t, t, text, x, w, [&, op = op](std::size_t i) {
        std::int64_t out = 0;
        EXPECT_TRUE(ir::apply_int(op, t, ir::from_bits(x[i], t).i, ir::from_bits(w[i], t).i, out));
        return ir::to_bits({out}, t);
      });
    check_elementwise(t, ir::i32, "ts_popcount(x)", x, w, [&](std::size_t i) {
      return static_cast<std::uint64_t>(std::popcount(x[i]));
    });
  }
}

TEST(EmulatedIntrinsics, PackedAndTf32) {
  const auto x = samples(ir::f32);
  auto w = x;
  std::rotate(w.begin(), w.begin() + 11, w.end());
  const auto as = [&](std::uint64_t bits, ir::Type t) {
    return ir::to_bits(ir::convert(ir::from_bits(bits, ir::f32), ir::f32, t, ir::CastMode::kWrap),
                       t);
  };
  for (const ir::Type t : {ir::f16, ir::bf16})
    check_elementwise(
        ir::f32, ir::u32,
        "ts_pack_" + to_string(t) + "(ts_is_nan(x) ? 1.f : x, ts_is_nan(w) ? 1.f : w)", x, w,
        [&](std::size_t i) {
          const auto one = std::bit_cast<std::uint32_t>(1.f);
          return as(is_nan(x[i], ir::f32) ? one : x[i], t) |
                 as(is_nan(w[i], ir::f32) ? one : w[i], t) << 16;
        });
  check_elementwise(ir::f32, ir::u32, "ts_round_tf32(x)",
                    {0x3f801000, 0x3f800fff, 0x3f803000, 0xbf801000, 0x7f800000}, {0, 0, 0, 0, 0},
                    [&](std::size_t i) {
                      return std::array<std::uint64_t, 5>{0x3f802000, 0x3f800000, 0x3f804000,
                                                          0xbf802000, 0x7f800000}[i];
                    });
}

TEST(EmulatedIntrinsics, Shuffles) {
  const auto outputs = run("i32* Y, f64* D, u32* V",
                           "const i32 t = ts_thread_x();\n"
                           "ts_store_global(Y + t, ts_shuffle(~0u, t * 10, t + 3));\n"
                           "ts_store_global(Y + 32 + t, ts_shuffle_xor(~0u, t * 10, 5));\n"
                           "ts_store_global(Y + 64 + t, ts_shuffle_down(~0u, t * 10, 4));\n"
                           "ts_store_global(Y + 96 + t, ts_shuffle_up(~0u, t * 10, 4));\n"
                           "ts_store_global(D + t, ts_shuffle_xor(~0u, t * 0.5, 1));\n"
                           "ts_store_global(V + t, ts_ballot(~0u, t % 3 == 0));",
                           {output(512), output(256), output(128)});
  ASSERT_FALSE(outputs.empty());
  const auto y = values_of<int>(outputs[0]);
  const auto d = values_of<double>(outputs[1]);
  std::uint32_t votes = 0;
  for (int t = 0; t < 32; t += 3) votes |= 1u << t;
  for (int t = 0; t < 32; ++t) {
    const auto i = static_cast<std::size_t>(t);
    EXPECT_EQ(y[i], (t + 3) % 32 * 10);
    EXPECT_EQ(y[32 + i], (t ^ 5) * 10);
    EXPECT_EQ(y[64 + i], (t + 4 > 31 ? t : t + 4) * 10);
    EXPECT_EQ(y[96 + i], (t - 4 < 0 ? t : t - 4) * 10);
    EXPECT_EQ(d[i], (t ^ 1) * 0.5);
    EXPECT_EQ(values_of<std::uint32_t>(outputs[2])[i], votes);
  }
}

TEST(EmulatedIntrinsics, Ldmatrix) {
  for (const int matrices : {1, 2, 4}) {
    for (const bool transposed : {false, true}) {
      const std::string m = std::to_string(matrices);
      const auto outputs = run("u32* Y",
                               "const i32 t = ts_thread_x();\nu16* s = ts_shared<u16>(0);\n"
                               "for (i32 i = t; i < 256; i += 32) ts_store_shared(s + i, "
                               "(u16)i);\nts_sync_block();\nts_local<u32, " +
                                   m + "> r;\nts_ldmatrix_x" + m + (transposed ? "_trans" : "") +
                                   "(r, 0, s + t * 8);\nfor (i32 i = 0; i < " + m +
                                   "; ++i) ts_store_global(Y + t * " + m + " + i, r[i]);",
                               {output(static_cast<std::size_t>(128 * matrices))});
      ASSERT_FALSE(outputs.empty());
      const auto y = values_of<std::uint32_t>(outputs[0]);
      for (int lane = 0; lane < 32; ++lane)
        for (int i = 0; i < matrices; ++i)
          for (int h = 0; h < 2; ++h) {
            const int row = transposed ? lane % 4 * 2 + h : lane / 4,
                      column = transposed ? lane / 4 : lane % 4 * 2 + h;
            EXPECT_EQ(y[static_cast<std::size_t>(lane * matrices + i)] >> (16 * h) & 0xffff,
                      static_cast<std::uint32_t>(i * 64 + row * 8 + column));
          }
    }
  }
}

/// Fragments as the PTX ISA words them ("Matrix Fragments for mma.m16n8k16" and its like), written
/// element by element: g = lane / 4, q = lane % 4, i the index of an element among those of a lane.
struct Fragments {
  const char* name;
  int depth, per;  // k; elements a register
  const char *a_row, *a_column, *b_row;
  ir::Type type;
};

TEST(EmulatedIntrinsics, MmaFragments) {
  const Fragments all[] = {
      {"ts_mma_m16n8k16_f16", 16, 2, "i < 2 || (4 <= i && i < 6) ? g : g + 8",
       "q * 2 + i % 2 + (i >= 4 ? 8 : 0)", "q * 2 + i % 2 + (i >= 2 ? 8 : 0)", ir::f16},
      {"ts_mma_m16n8k16_bf16", 16, 2, "i < 2 || (4 <= i && i < 6) ? g : g + 8",
       "q * 2 + i % 2 + (i >= 4 ? 8 : 0)", "q * 2 + i % 2 + (i >= 2 ? 8 : 0)", ir::bf16},
      {"ts_mma_m16n8k16_f16_f16", 16, 2, "i < 2 || (4 <= i && i < 6) ? g : g + 8",
       "q * 2 + i % 2 + (i >= 4 ? 8 : 0)", "q * 2 + i % 2 + (i >= 2 ? 8 : 0)", ir::f16},
      {"ts_mma_m16n8k8_tf32", 8, 1, "i == 0 || i == 2 ? g : g + 8", "i < 2 ? q : q + 4",
       "i == 0 ? q : q + 4", ir::f32},
      {"ts_mma_m16n8k32_s8", 32, 4, "i < 4 || (8 <= i && i < 12) ? g : g + 8",
       "q * 4 + i % 4 + (i >= 8 ? 16 : 0)", "q * 4 + i % 4 + (i >= 4 ? 16 : 0)", ir::i8}};
  for (const Fragments& f : all) {
    const std::string T = to_string(f.type), K = std::to_string(f.depth), P = std::to_string(f.per),
                      bits = f.per == 1   ? "u32"
                             : f.per == 2 ? "u16"
                                          : "u8",
                      width = std::to_string(32 / f.per);
    const bool half_sums = std::string(f.name).ends_with("f16_f16");
    const std::string C = f.type == ir::i8 ? "i32" : half_sums ? "u32" : "f32";
    const auto gather = [&](const char* array, const char* from, int count,
                            const std::string& index) {
      return "for (i32 i = 0; i < " + std::to_string(count) + "; ++i) " + array + "[i / " + P +
             "] = (i % " + P + " == 0 ? 0u : " + array + "[i / " + P + "]) | (u32)ts_load_global<" +
             bits + ">(" + from + " + " + index + ") << (i % " + P + " * " + width + ");\n";
    };
    const std::string body =
        "const i32 lane = ts_thread_x(); const i32 g = lane / 4; const i32 q = lane % "
        "4;\nts_local<u32, 4> a; ts_local<u32, 2> b; ts_local<" +
        C + ", 4> c;\n" +
        gather("a", "A", 4 * f.per,
               "(" + std::string(f.a_row) + ") * " + K + " + (" + f.a_column + ")") +
        gather("b", "B", 2 * f.per, "g * " + K + " + (" + f.b_row + ")") +
        (half_sums ? "for (i32 i = 0; i < 2; ++i) c[i] = ts_pack_f16(1.f, 1.f);\n"
                   : "for (i32 i = 0; i < 4; ++i) c[i] = (" + C + ")1;\n") +
        f.name + "(c, 0, a, 0, b, 0);\n" +
        (half_sums ? "for (i32 i = 0; i < 4; ++i) ts_store_global(Y + (i < 2 ? g : g + 8) * 8 + q "
                     "* 2 + i % 2, "
                     "ts_cast<f32>(f16{(u16)(c[i / 2] >> (i % 2 * 16))}));"
                   : "for (i32 i = 0; i < 4; ++i) ts_store_global(Y + (i < 2 ? g : g + 8) * 8 + q "
                     "* 2 + i % 2, (f32)c[i]);");
    const auto a = small_integers(static_cast<std::size_t>(16 * f.depth), 1),
               b = small_integers(static_cast<std::size_t>(8 * f.depth), 2);
    const auto as_bits = [&](const std::vector<float>& v) {
      std::vector<std::uint64_t> out;
      for (const float x : v)
        out.push_back(
            ir::to_bits(ir::convert(scalar(x), ir::f32, f.type, ir::CastMode::kWrap), f.type));
      return packed(out, f.type);
    };
    const auto outputs = run("const " + bits + "* A, const " + bits + "* B, f32* Y", body,
                             {as_bits(a), as_bits(b), output(512)});
    ASSERT_FALSE(outputs.empty()) << f.name;
    const auto want = plain_matmul(a, b, 16, 8, f.depth, true);
    const auto got = values_of<float>(outputs[2]);
    for (std::size_t i = 0; i < want.size(); ++i)
      EXPECT_EQ(got[i], want[i] + 1) << f.name << " element " << i;
  }
}

TEST(EmulatedIntrinsics, Atomics) {
  const auto outputs =
      run("f32* F, u32* U, i32* I, f64* D, u64* L",
          "const i32 t = ts_thread_x();\n"
          "ts_atomic_add_global(F, (f32)t); ts_atomic_max_global(F + 1, (f32)(t - 40)); "
          "ts_atomic_min_global(F + 2, (f32)(t - 4));\n"
          "ts_atomic_add_global(U, 2u); ts_atomic_max_global(U + 1, (u32)t); "
          "ts_atomic_inc_global(U + 2, 9);\n"
          "ts_atomic_add_global(I, -t); ts_atomic_min_global(I + 1, -t); "
          "ts_atomic_exchange_global(I + 2, 7);\n"
          "ts_atomic_add_global(D, 0.5); ts_atomic_add_global(L, (u64)1 << 40);\n",
          {{ArgumentUse::kReadWrite, bytes_of(std::vector<float>{1, -100, 5}), {}},
           {ArgumentUse::kReadWrite, bytes_of(std::vector<std::uint32_t>{1, 3, 0}), {}},
           {ArgumentUse::kReadWrite, bytes_of(std::vector<int>{1, 3, 0}), {}},
           {ArgumentUse::kReadWrite, bytes_of(std::vector<double>{1}), {}},
           {ArgumentUse::kReadWrite, bytes_of(std::vector<std::uint64_t>{1}), {}}});
  ASSERT_FALSE(outputs.empty());
  EXPECT_EQ(values_of<float>(outputs[0]), (std::vector<float>{497, -9, -4}));
  EXPECT_EQ(values_of<std::uint32_t>(outputs[1]), (std::vector<std::uint32_t>{65, 31, 2}));
  EXPECT_EQ(values_of<int>(outputs[2]), (std::vector<int>{-495, -31, 7}));
  EXPECT_EQ(values_of<double>(outputs[3]), (std::vector<double>{17}));
  EXPECT_EQ(values_of<std::uint64_t>(outputs[4]),
            (std::vector<std::uint64_t>{(std::uint64_t{32} << 40) + 1}));
}

}  // namespace
}  // namespace tessera::test
