#include "cost_model/detail/gpu_kernel.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "ir/mma.h"

namespace tessera::cost_model::detail {

namespace {

using ir::ForKind;

constexpr double kSector = 32, kBanks = 32, kWord = 4;

double extent_of(const ir::LoopSummary& l) { return static_cast<double>(l.extent); }

/// Whether every block, or every thread, has its own: the address does not move with it.
bool is_own(const ir::StatementSummary& s, const ir::AccessSummary& a) {
  if (!a.regular) return false;
  for (std::size_t l = 0; l < s.loops.size(); ++l) {
    const bool shared_out = ir::is_block_level(s.loops[l].kind) || ir::is_thread_level(s.loops[l].kind);
    if (shared_out && a.strides[l] != 0) return false;
  }
  return true;
}

/// Ends a kernel: writes a tensor in memory, which is shared by all blocks.
bool writes_tensor(const ir::StatementSummary& s) {
  if (s.phase == ir::Phase::kInit || s.accesses.empty() || s.accesses[0].scope != ir::Scope::kGlobal) return false;
  const bool alone = std::none_of(s.loops.begin(), s.loops.end(), [](const auto& l) { return ir::is_block_level(l.kind) || ir::is_thread_level(l.kind); });
  return alone || !is_own(s, s.accesses[0]);
}

/// Elements of a register tile that one thread has: the tile of a block is shared out along the loops over
/// threads that move it; in fragments, whose indices are not regular, along all of them.
double elements_of_thread(const ir::StatementSummary& s, const ir::AccessSummary& a) {
  double out = static_cast<double>(a.elements);
  for (std::size_t l = 0; l < s.loops.size(); ++l) {
    if (ir::is_thread_level(s.loops[l].kind) && (a.strides[l] != 0 || !a.regular)) out /= extent_of(s.loops[l]);
  }
  return std::max(1.0, std::ceil(out));
}

/// Registers of a thread for what it reads of memory to combine it with a tile of sums: all of one step.
double operands_of_thread(const ir::StatementSummary& s) {
  if (s.phase != ir::Phase::kUpdate || s.accesses[0].scope != ir::Scope::kRegister) return 0;
  double out = 0;
  if (!s.intrinsic.empty()) return ir::kMmaWordsA * fragments(s, 1) + ir::kMmaWordsB * fragments(s, 2);
  for (const ir::AccessSummary& a : s.accesses) {
    if (a.scope == ir::Scope::kRegister) continue;
    double elements = 1;
    for (std::size_t l = 0; l < s.loops.size(); ++l) {
      if (!ir::is_thread_level(s.loops[l].kind) && a.strides[l] != 0 && indexes_registers(s, l)) elements *= extent_of(s.loops[l]);
    }
    out += std::ceil(elements * a.element_bytes / kWord);
  }
  return out;
}

std::size_t dimension(ForKind k) { return k == ForKind::kThreadX || k == ForKind::kLane ? 0 : k == ForKind::kThreadY || k == ForKind::kWarp ? 1 : 2; }

/// Offsets in elements of the lanes of the first warp.
std::vector<std::int64_t> lane_offsets(const ir::StatementSummary& s, const ir::AccessSummary& a) {
  std::array<std::int64_t, 3> extent{1, 1, 1}, stride{};
  for (std::size_t l = 0; l < s.loops.size(); ++l) {
    if (!ir::is_thread_level(s.loops[l].kind)) continue;
    const std::size_t d = dimension(s.loops[l].kind);
    extent[d] *= s.loops[l].extent;
    stride[d] = a.strides[l];
  }
  std::vector<std::int64_t> out;
  const std::int64_t threads = extent[0] * extent[1] * extent[2];
  for (std::int64_t t = 0; t < std::min<std::int64_t>(threads, ir::kWarp); ++t) {
    out.push_back(t % extent[0] * stride[0] + t / extent[0] % extent[1] * stride[1] + t / (extent[0] * extent[1]) * stride[2]);
  }
  return out;
}

/// Cycles that shared memory takes for a warp: lanes go in groups that ask for 128 bytes, words of one bank
/// one after the other, equal words once.
double bank_cycles(const std::vector<std::int64_t>& offsets, double element, double width) {
  const auto group = static_cast<std::size_t>(std::max(1.0, std::min(kBanks, 128 / std::max(width, kWord))));
  double cycles = 0;
  for (std::size_t first = 0; first < offsets.size(); first += group) {
    std::array<int, 32> banks{};
    std::set<std::int64_t> words;
    for (std::size_t i = first; i < std::min(offsets.size(), first + group); ++i) {
      for (double b = 0; b < width; b += kWord) {
        const auto word = static_cast<std::int64_t>((static_cast<double>(offsets[i]) * element + b) / kWord);
        if (words.insert(word).second) ++banks[static_cast<std::size_t>(((word % 32) + 32) % 32)];
      }
    }
    cycles += *std::max_element(banks.begin(), banks.end());
  }
  return std::max(1.0, cycles);
}

double sectors_of(const std::vector<std::int64_t>& offsets, double element) {
  std::set<std::int64_t> sectors;
  for (const std::int64_t o : offsets) sectors.insert(static_cast<std::int64_t>(std::floor(static_cast<double>(o) * element / kSector)));
  return static_cast<double>(sectors.size());
}

}  // namespace

double fragments(const ir::StatementSummary& s, std::size_t operand) {
  // The reads in the order of the body: the sum, then the factors; of fragments only loops around a lane count.
  const ir::AccessSummary& a = s.accesses[s.accesses.size() - 3 + operand];
  double out = 1;
  for (std::size_t l = 0; l < s.loops.size(); ++l) {
    if (s.loops[l].kind == ForKind::kUnroll && a.strides[l] != 0) out *= extent_of(s.loops[l]);
  }
  return out;
}

ThreadLoops thread_loops(const ir::StatementSummary& s) {
  ThreadLoops out;
  for (std::size_t l = 0; l < s.loops.size(); ++l) {
    if (ir::is_block_level(s.loops[l].kind)) {
      out.blocks *= extent_of(s.loops[l]);
      out.last_block = l + 1;
    } else if (ir::is_thread_level(s.loops[l].kind)) {
      out.threads *= extent_of(s.loops[l]);
      out.last_thread = l + 1;
    }
  }
  for (std::size_t l = 0; l < out.last_thread; ++l) {
    if (!ir::is_block_level(s.loops[l].kind) && !ir::is_thread_level(s.loops[l].kind)) out.outer *= extent_of(s.loops[l]);
  }
  return out;
}

bool indexes_registers(const ir::StatementSummary& s, std::size_t loop) {
  return std::any_of(s.accesses.begin(), s.accesses.end(), [&](const auto& a) { return a.scope == ir::Scope::kRegister && a.strides[loop] != 0; });
}

bool GpuKernel::is_private(const std::string& buffer) const {
  return std::any_of(private_arrays.begin(), private_arrays.end(), [&](const std::string* p) { return *p == buffer; });
}

GpuKernel kernel_at(const NestView& nest, std::size_t first) {
  constexpr double kRegistersBeside = 28;  // addresses, loop counters
  GpuKernel k;
  k.first = first;
  k.registers = kRegistersBeside;
  k.in_last_block = nest.statements[first].summary->last_block;
  std::set<std::string> known;
  for (k.last = first; k.last < nest.count;) {
    const ir::StatementSummary& s = *nest.statements[k.last].summary;
    const ThreadLoops loops = thread_loops(s);
    if (k.last > first && k.blocks > 1 && loops.blocks > 1 && loops.blocks != k.blocks) break;
    k.blocks = std::max(k.blocks, loops.blocks);
    k.threads = std::max(k.threads, loops.threads);
    ++k.last;
    k.registers += operands_of_thread(s);
    for (const ir::AccessSummary& a : s.accesses) {
      if (!a.write || !known.insert(a.buffer).second) continue;
      const double bytes = a.element_bytes;
      if (a.scope == ir::Scope::kShared) k.shared_bytes += static_cast<double>(a.elements) * bytes;
      if (a.scope == ir::Scope::kRegister) k.registers += std::ceil(elements_of_thread(s, a) * bytes / kWord);
      if (a.scope == ir::Scope::kGlobal && !writes_tensor(s) && is_own(s, a)) k.private_arrays.push_back(&a.buffer);
    }
    if (writes_tensor(s)) break;
  }
  return k;
}

WarpAccess warp_access(const ir::StatementSummary& s, const ir::AccessSummary& a, const ir::AccessSummary* tile) {
  const ThreadLoops loops = thread_loops(s);
  const double element = a.element_bytes;
  // Slots of a pipeline make the index of a shared tile irregular, by a loop outside of the threads.
  const bool regular = a.regular || a.scope != ir::Scope::kGlobal;
  WarpAccess out;
  double vector = 1;
  out.instructions = 1;
  for (std::size_t l = loops.last_block; l < s.loops.size(); ++l) {
    const double n = extent_of(s.loops[l]);
    if (ir::is_thread_level(s.loops[l].kind)) continue;
    if (s.loops[l].kind == ForKind::kVector && a.strides[l] == 1) {
      vector *= n;
    } else if (l < loops.last_thread || a.strides[l] != 0 || !regular) {
      out.instructions *= n;  // else the value stays in a register
    }
  }
  out.width = std::min(16.0, vector * element);
  out.instructions *= std::ceil(vector * element / 16);
  const std::vector<std::int64_t> offsets = lane_offsets(s, a);
  const auto lanes = static_cast<double>(offsets.size());
  if (a.scope == ir::Scope::kShared) {
    out.conflicts = bank_cycles(offsets, element, out.width);
  } else if (regular) {
    out.sectors = sectors_of(offsets, element);
  } else {
    const double bytes = lanes * out.width, run = tile == nullptr ? bytes : std::min(bytes, static_cast<double>(tile->row) * element);
    out.sectors = std::ceil(run / kSector) * bytes / run;
  }
  return out;
}

}  // namespace tessera::cost_model::detail
