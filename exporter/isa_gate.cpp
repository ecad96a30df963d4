// The question an exported kernel asks before it runs: does this processor have what the kernel was
// compiled for? By cpuid and not by __builtin_cpu_supports, whose list of names depends on the
// compiler that the user happens to have.
#include <algorithm>
#include <array>
#include <sstream>

#include "exporter/detail/bundle.h"

namespace tessera::exporter {

namespace {

struct GateRow {
  const char* feature;  // LLVM's name
  unsigned leaf, subleaf;
  int word;             // 0 eax, 1 ebx, 2 ecx, 3 edx
  int bit;
  unsigned state;       // bits of XCR0: registers that the operating system must save
};

constexpr unsigned kAvx = 0x6, kAvx512 = 0xe6, kAmx = 0x60000;

// Instruction sets that only intrinsics reach (aes, sha, ...) are not asked for: the compiler never
// uses them by itself.
constexpr GateRow kRows[] = {
    {"sse3", 1, 0, 2, 0, 0},
    {"ssse3", 1, 0, 2, 9, 0},
    {"sse4.1", 1, 0, 2, 19, 0},
    {"sse4.2", 1, 0, 2, 20, 0},
    {"popcnt", 1, 0, 2, 23, 0},
    {"movbe", 1, 0, 2, 22, 0},
    {"lzcnt", 0x80000001U, 0, 2, 5, 0},
    {"tbm", 0x80000001U, 0, 2, 21, 0},
    {"fma4", 0x80000001U, 0, 2, 16, kAvx},
    {"xop", 0x80000001U, 0, 2, 11, kAvx},
    {"bmi", 7, 0, 1, 3, 0},
    {"bmi2", 7, 0, 1, 8, 0},
    {"avx", 1, 0, 2, 28, kAvx},
    {"f16c", 1, 0, 2, 29, kAvx},
    {"fma", 1, 0, 2, 12, kAvx},
    {"avx2", 7, 0, 1, 5, kAvx},
    {"avxvnni", 7, 1, 0, 4, kAvx},
    {"gfni", 7, 0, 2, 8, 0},
    {"avx512f", 7, 0, 1, 16, kAvx512},
    {"avx512dq", 7, 0, 1, 17, kAvx512},
    {"avx512ifma", 7, 0, 1, 21, kAvx512},
    {"avx512cd", 7, 0, 1, 28, kAvx512},
    {"avx512bw", 7, 0, 1, 30, kAvx512},
    {"avx512vl", 7, 0, 1, 31, kAvx512},
    {"avx512vbmi", 7, 0, 2, 1, kAvx512},
    {"avx512vbmi2", 7, 0, 2, 6, kAvx512},
    {"avx512vnni", 7, 0, 2, 11, kAvx512},
    {"avx512bitalg", 7, 0, 2, 12, kAvx512},
    {"avx512vpopcntdq", 7, 0, 2, 14, kAvx512},
    {"avx512fp16", 7, 0, 3, 23, kAvx512},
    {"avx512bf16", 7, 1, 0, 5, kAvx512},
    {"amx-tile", 7, 0, 3, 24, kAmx},
    {"amx-int8", 7, 0, 3, 25, kAmx},
    {"amx-bf16", 7, 0, 3, 22, kAmx},
};

bool wants(const std::vector<std::string>& features, const GateRow& row) {
  return std::find(features.begin(), features.end(), row.feature) != features.end();
}

}  // namespace

std::vector<std::string> gated_features(const std::vector<std::string>& instruction_sets) {
  std::vector<std::string> out;
  for (const GateRow& row : kRows) {
    if (wants(instruction_sets, row)) out.emplace_back(row.feature);
  }
  return out;
}

std::string isa_gate_text(const Bundle& b) {
  std::ostringstream out;
  if (b.features.empty()) {
    out << "/* Compiled for every processor of its architecture. */\n"
           "static int supported(void) { return 1; }\n";
    return out.str();
  }
  out << R"(#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

static int has(unsigned leaf, unsigned subleaf, int word, int bit) {
  unsigned r[4] = {0, 0, 0, 0};
  if ((unsigned)__get_cpuid_max(leaf & 0x80000000U, NULL) < leaf) return 0;
  __cpuid_count(leaf, subleaf, r[0], r[1], r[2], r[3]);
  return (int)((r[word] >> bit) & 1U);
}

/* Whether the operating system saves these registers (bits of XCR0). */
static int saves(unsigned state) {
  unsigned low = 0, high = 0;
  if (!has(1, 0, 2, 27)) return 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & state) == state;
}

static int supported(void) {
  /* 0: not asked yet; 1: no; 2: yes. Threads that ask at once find the same. */
  static atomic_int known;
  const int before = atomic_load_explicit(&known, memory_order_relaxed);
  if (before == 0) {
    int all = 1;
)";
  unsigned state = 0;
  for (const GateRow& row : kRows) {
    if (!wants(b.features, row)) continue;
    state |= row.state;
    out << "    all &= has(0x" << std::hex << row.leaf << std::dec << "U, " << row.subleaf << "U, " << row.word << ", " << row.bit
        << "); /* " << row.feature << " */\n";
  }
  if (state != 0) out << "    all &= saves(0x" << std::hex << state << std::dec << "U);\n";
  else out << "    (void)&saves;\n";
  out << R"(    atomic_store_explicit(&known, all + 1, memory_order_relaxed);
    return all;
  }
  return before == 2;
}
#else
static int supported(void) { return 0; } /* compiled for another architecture */
#endif
)";
  return out.str();
}

}  // namespace tessera::exporter
