#include "cost_model/detail/traffic.h"

#include <algorithm>
#include <string_view>

namespace tessera::cost_model::detail {

namespace {

constexpr double kCrowd = 2;            // lines of one access in each of its sets, harmless so far
constexpr double kTranslations = 1024;  // 4 KiB pages the translation buffers of a core hold, about

std::array<double, kCaches> capacities(const Machine& m) {
  return {static_cast<double>(m.l1_bytes), static_cast<double>(m.l2_bytes), static_cast<double>(m.l3_bytes)};
}

bool moves(const AccessView& a, int loop) {
  for (int k = 0; k < a.order.count; ++k) {
    if (a.order.loop[static_cast<std::size_t>(k)] == loop) return true;
  }
  return false;
}

void analyze_reuse(AccessView& a, const StatementView& v) {
  double inside = 1;
  for (int l = v.loops - 1; l >= 0; --l) {
    const auto i = static_cast<std::size_t>(l);
    if (v.extent[i] > 1 && !moves(a, l)) {
      a.reuse_count = v.extent[i];
      a.reuse_iterations = inside;
      a.reuse_bytes = l < v.block ? v.bytes_at[i + 1] : 0;
      return;
    }
    inside *= v.extent[i];
  }
}

// Distinct bytes of all buffers, each counted where it is touched most.
double program_bytes(const NestView& nest) {
  constexpr int kMost = 32;  // buffers beyond are counted at each of their accesses
  std::array<std::string_view, kMost> names;
  std::array<double, kMost> bytes{};
  int count = 0;
  double beyond = 0;
  for (std::size_t i = 0; i < nest.count; ++i) {
    const StatementView& v = nest.statements[i];
    for (int k = 0; k < v.accesses && !v.summary->prepared; ++k) {
      const AccessView& a = v.access[static_cast<std::size_t>(k)];
      if (a.register_scope) continue;
      const double touched = a.whole.lines * kLineBytes;
      const auto end = names.begin() + count;
      const auto it = std::find(names.begin(), end, a.summary->buffer);
      if (it != end) {
        double& known = bytes[static_cast<std::size_t>(it - names.begin())];
        known = std::max(known, touched);
      } else if (count < kMost) {
        names[static_cast<std::size_t>(count)] = a.summary->buffer;
        bytes[static_cast<std::size_t>(count++)] = touched;
      } else {
        beyond += touched;
      }
    }
  }
  for (int b = 0; b < count; ++b) beyond += bytes[static_cast<std::size_t>(b)];
  return beyond;
}

// The loop around those that fit: what its runs have in common, or share a line with, stays from one
// to the next.
std::size_t around(int level) { return static_cast<std::size_t>(std::max(0, level - 1)); }

}  // namespace

void analyze_levels(StatementView& v, const Machine& m) {
  const auto capacity = capacities(m);
  v.level.fill(v.block);
  std::array<std::array<double, kMaxAccesses>, kMaxLoops + 1> lines, pages;
  int page_level = v.block;
  for (int l = v.block; l >= 0; --l) {
    const auto i = static_cast<std::size_t>(l);
    double at = 0, crowded = 0, all_pages = 0;
    for (int k = 0; k < v.accesses; ++k) {
      const auto n = static_cast<std::size_t>(k);
      const AccessView& a = v.access[n];
      lines[i][n] = pages[i][n] = 0;
      if (a.register_scope || a.repeated) continue;
      const Footprint f = l == 0 ? a.whole : footprint(*a.summary, a.order, l);
      lines[i][n] = f.lines;
      pages[i][n] = f.pages;
      at += f.lines * kLineBytes;
      // Many lines in few sets crowd each other out as a larger footprint would.
      crowded += f.lines * (f.lines > kCrowd * f.sets ? kPageBytes / f.sets : kLineBytes);
      all_pages += f.pages;
    }
    v.bytes_at[i] = at;
    for (std::size_t c = 0; c < kCaches; ++c) {
      if ((c == 0 ? crowded : at) <= capacity[c]) v.level[c] = l;
    }
    if (all_pages <= kTranslations) page_level = l;
  }
  for (int k = 0; k < v.accesses; ++k) {
    const auto n = static_cast<std::size_t>(k);
    AccessView& a = v.access[n];
    analyze_reuse(a, v);
    if (a.register_scope || a.repeated) continue;
    for (std::size_t c = 0; c < kCaches; ++c) a.traffic[c] = lines[around(v.level[c])][n] * v.outside[around(v.level[c])];
    a.pages = page_level == 0 ? 0 : pages[around(page_level)][n] * v.outside[around(page_level)];
  }
}

void analyze_traffic(NestView& nest, const Machine& m) {
  nest.bytes = program_bytes(nest);
  const auto capacity = capacities(m);
  for (std::size_t i = 0; i < nest.count; ++i) {
    StatementView& v = nest.statements[i];
    for (int k = 0; k < v.accesses; ++k) {
      AccessView& a = v.access[static_cast<std::size_t>(k)];
      for (std::size_t c = 0; c < kCaches; ++c) {
        if (nest.bytes <= capacity[c]) a.traffic[c] = 0;
      }
    }
  }
}

}  // namespace tessera::cost_model::detail
