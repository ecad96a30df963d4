#include "cost_model/detail/nest_analysis.h"

#include <algorithm>
#include <cmath>

#include "cost_model/detail/guards.h"
#include "cost_model/detail/traffic.h"

namespace tessera::cost_model::detail {

namespace {

using ir::ForKind;

double flag_of(bool x) { return x ? 1 : 0; }
bool in_block(ForKind k) { return k == ForKind::kUnroll || k == ForKind::kVector; }

double vectors_of(double elements, double element_bytes, const Machine& m) {
  return std::max(1.0, std::ceil(elements * element_bytes / m.vector_bytes));
}

void analyze_loops(StatementView& v, const Machine& m) {
  const std::vector<ir::LoopSummary>& loops = v.summary->loops;
  v.loops = std::min(static_cast<int>(loops.size()), kMaxLoops);
  const std::size_t first = loops.size() - static_cast<std::size_t>(v.loops);
  double product = 1;
  for (std::size_t l = 0; l < first; ++l) product *= static_cast<double>(loops[l].extent);
  for (int l = 0; l < v.loops; ++l) {
    const auto i = static_cast<std::size_t>(l);
    v.extent[i] = static_cast<double>(loops[first + i].extent);
    v.kind[i] = loops[first + i].kind;
    v.outside[i] = product;
    product *= v.extent[i];
    if (v.kind[i] == ForKind::kParallel) v.parallel_extent *= v.extent[i];
    if (!in_block(v.kind[i])) v.serial_iterations += product / static_cast<double>(loops[first + i].copies);
    if (v.kind[i] == ForKind::kVector) v.vector_extent = v.extent[i];
  }
  v.trips = product;
  v.outside[static_cast<std::size_t>(v.loops)] = product;
  v.block = v.loops;
  while (v.block > 0 && in_block(v.kind[static_cast<std::size_t>(v.block - 1)])) --v.block;
  v.block_trips = product / v.outside[static_cast<std::size_t>(v.block)];
  if (v.block > 0) v.unroll = static_cast<double>(loops[first + static_cast<std::size_t>(v.block) - 1].copies);
  const double threads = std::min<double>(m.threads, v.parallel_extent);
  v.speedup = v.parallel_extent / std::ceil(v.parallel_extent / threads);
}

void analyze_operations(StatementView& v, const Machine& m) {
  const ir::OpCounts& o = v.summary->ops;
  v.flops = v.trips * (o.float_mul + o.float_add + o.float_div + o.float_compare + o.float_call + o.integer + o.select);
  for (const ir::AccessSummary& a : v.summary->accesses) v.element_bytes = std::max(v.element_bytes, double(a.element_bytes));
  v.instructions = v.trips / v.vector_extent * vectors_of(v.vector_extent, v.element_bytes, m);
  v.copies = v.flops == 0 && v.summary->accesses.size() == 2;
}

// Panels of packed operands are written at (column / width, row, column % width), which no vector store
// can do: cycles for the place of an element, by masks where the width is a power of two, else by division.
double place_cycles(const ir::AccessSummary& a) {
  std::int64_t width = 0;
  for (const std::int64_t s : a.strides) {
    if (s > 0) width = width == 0 ? s : std::min(width, s);
  }
  return (width & (width - 1)) == 0 ? 1.25 : 4;
}

// Loads and stores of one access. Within the block an element that is used several times is in a
// register: only loops that move the access count there.
void count_instructions(AccessView& a, const StatementView& v, const Machine& m) {
  const std::vector<std::int64_t>& strides = a.summary->strides;
  const std::size_t first = strides.size() - static_cast<std::size_t>(v.loops);
  double in_block = 1, vector = 1;
  for (int l = v.block; l < v.loops; ++l) {
    const auto i = static_cast<std::size_t>(l);
    const double stride = static_cast<double>(strides[first + i]);
    if (v.kind[i] == ForKind::kVector) {
      a.vector_stride = stride;
      if (stride == 1) {
        vector = vectors_of(v.extent[i], a.summary->element_bytes, m);
      } else if (stride != 0 || (a.summary->write && !a.summary->regular)) {
        vector = v.extent[i];
        a.strided = stride != 0 ? 1 : place_cycles(*a.summary);
      } else {
        vector = 1;
      }
    } else {
      a.inner_stride = stride;
      if (stride != 0) in_block *= v.extent[i];
    }
  }
  if (v.block > 0) a.inner_stride = static_cast<double>(strides[first + static_cast<std::size_t>(v.block) - 1]);
  a.instructions = a.register_scope || a.repeated ? 0 : v.outside[static_cast<std::size_t>(v.block)] * in_block * vector;
  a.strided *= a.instructions;
}

bool same_address(const ir::AccessSummary& a, const ir::AccessSummary& b) {
  return a.strides == b.strides && a.regular && b.regular && a.buffer == b.buffer;
}

void analyze_access(AccessView& a, const ir::AccessSummary& s, const StatementView& v, const Machine& m) {
  a.summary = &s;
  a.register_scope = s.scope == ir::Scope::kRegister;
  for (int o = 0; o < v.accesses; ++o) a.repeated |= same_address(*v.access[static_cast<std::size_t>(o)].summary, s);
  a.order = order_strides(s, static_cast<int>(s.strides.size()) - v.loops, v.loops, v.extent.data());
  a.bytes = v.trips * s.element_bytes;
  a.whole = footprint(s, a.order, 0);
  count_instructions(a, v, m);
  for (int k = 0; k < a.order.count; ++k) {
    const auto i = static_cast<std::size_t>(k);
    a.conflict |= a.order.extent[i] >= 8 && std::fmod(a.order.stride[i] * s.element_bytes, kPageBytes) == 0;
  }
}

// Conditions guard the operand that is read first: a border, a remainder.
void analyze_guards(StatementView& v) {
  const AccessView& out = v.access[0];
  const std::size_t first = out.summary->strides.size() - static_cast<std::size_t>(v.loops);
  for (std::size_t l = 0; l < static_cast<std::size_t>(v.loops); ++l) v.reductions += out.summary->strides[first + l] == 0 ? 1 : 0;
  if (v.summary->ops.select == 0) return;
  for (int k = 1; k < v.accesses; ++k) {
    const AccessView& a = v.access[static_cast<std::size_t>(k)];
    if (a.repeated || a.register_scope || a.summary->write) continue;
    v.guarded = a.instructions * v.summary->ops.select;
    return;
  }
}

// A sum waits for its predecessor. Chains are what lies inside the innermost loop that does not move
// the accumulator.
void analyze_chains(StatementView& v, const Machine& m) {
  const AccessView& out = v.access[0];
  bool sums = false;
  for (int a = 1; a < v.accesses; ++a) {
    const AccessView& read = v.access[static_cast<std::size_t>(a)];
    sums |= read.repeated && same_address(*out.summary, *read.summary);
  }
  if (!sums) return;
  const std::size_t first = out.summary->strides.size() - static_cast<std::size_t>(v.loops);
  int l = v.loops - 1;
  double chains = 1;
  for (; l >= 0; --l) {
    const auto i = static_cast<std::size_t>(l);
    if (out.summary->strides[first + i] == 0 && v.kind[i] != ForKind::kVector) break;
    chains *= v.kind[i] == ForKind::kVector ? vectors_of(v.extent[i], out.summary->element_bytes, m) : v.extent[i];
  }
  if (l < 0) return;
  v.chains = chains;
  v.chain_steps = v.instructions / chains;
  v.chain_in_memory = !out.register_scope;
}

void analyze_registers(StatementView& v, const Machine& m) {
  for (int k = 0; k < v.accesses; ++k) {
    const AccessView& a = v.access[static_cast<std::size_t>(k)];
    if (a.repeated) continue;
    if (a.register_scope) {
      const double vectors = vectors_of(static_cast<double>(a.summary->elements), a.summary->element_bytes, m);
      if (a.summary->write) v.accumulators += vectors;
      v.registers += vectors;
    } else if (!a.summary->write) {
      // Operands of the block stay until its innermost unrolled loop has used them; the others pass by.
      const double all = a.instructions / v.outside[static_cast<std::size_t>(v.block)];
      v.registers += a.inner_stride == 0 || a.vector_stride == 0 ? std::min(all, 1.0) : all;
    }
  }
}

// Whether the block by itself covers more than one row of what it writes, so that there is no full tile
// (where a loop outside the block covers the row, full tiles and the last one are separate code), and
// the row ends inside a vector at a place that is no power of two.
bool is_ragged(const AccessView& out, const StatementView& v) {
  double reach = 1;
  for (int k = 0; k < out.order.count; ++k) {
    const auto i = static_cast<std::size_t>(k);
    const double row = out.order.stride[i];
    if (row < reach) {
      const auto tail = static_cast<std::int64_t>(std::fmod(row, v.vector_extent));
      return (tail & (tail - 1)) != 0;
    }
    if (out.order.loop[i] < v.block) return false;
    reach = row * out.order.extent[i];
  }
  return false;
}

// What the tiles of a result leave over. The tile is what the block writes; each dimension of the result
// is a chain of loops whose strides are products of the extents inside.
struct Tails {
  double waste = 1;     // of tiles that have some work
  double variants = 1;  // copies of the loop body: full tiles and, in each dimension, what is left of two levels
  bool column = false;  // in the dimension of the vectors
};

Tails tails_of(const AccessView& out, const StatementView& v) {
  Tails tails;
  double base = 1, reach = 1, tile = 1;
  const auto close = [&](double next) {
    const double size = std::max(1.0, next / base), full = std::ceil(size / tile) * tile;
    if (reach > base) {
      tails.waste *= full / size;
      tails.variants *= 1 + flag_of(full > size) + flag_of(reach / base > full);
      if (base == 1) tails.column = full > size;
    }
  };
  for (int k = 0; k < out.order.count; ++k) {
    const auto i = static_cast<std::size_t>(k);
    const double stride = out.order.stride[i];
    if (begins_dimension(out.order, k, reach, v.block)) {
      close(stride);
      base = reach = stride;
      tile = 1;
    }
    reach *= out.order.extent[i];
    if (out.order.loop[i] >= v.block) tile = reach / base;
  }
  close(static_cast<double>(out.summary->elements));
  tails.waste = std::max(1.0, tails.waste);
  return tails;
}

// Whole tiles reach past the end of what they fill: trips of the statement that writes memory over the
// elements it writes. A register tile has the waste of the statement that reads it.
void analyze_waste(NestView& nest) {
  for (std::size_t i = nest.count; i-- > 0;) {
    StatementView& v = nest.statements[i];
    if (v.accesses == 0) continue;
    const AccessView& out = v.access[0];
    if (!out.register_scope) {
      double written = 1;
      for (int k = 0; k < out.order.count; ++k) written *= out.order.extent[static_cast<std::size_t>(k)];
      if (out.summary->regular) {
        v.waste = std::max(1.0, written / std::max(1.0, out.whole.elements));
        const Tails tails = tails_of(out, v);
        v.tile_waste = std::min(v.waste, tails.waste);
        v.variants = tails.variants;
        v.column_tail = tails.column;
        v.guards = guards_of(v, out, v);
      }
      v.ragged = is_ragged(out, v);
      continue;
    }
    const StatementView* reader = nullptr;
    for (std::size_t j = i + 1; j < nest.count && reader == nullptr; ++j) {
      const StatementView& w = nest.statements[j];
      for (int k = 1; k < w.accesses; ++k) {
        const AccessView& read = w.access[static_cast<std::size_t>(k)];
        if (!read.repeated && read.summary->buffer == out.summary->buffer) reader = &w;
      }
    }
    if (reader == nullptr) continue;
    v.waste = reader->waste;
    v.tile_waste = reader->tile_waste;
    v.variants = reader->variants;
    v.column_tail = reader->column_tail;
    // Loops outside the writer's block are the first of this statement too.
    const auto same = static_cast<std::size_t>(reader->block);
    if (reader->block <= v.block && std::equal(v.extent.begin(), v.extent.begin() + static_cast<std::ptrdiff_t>(same), reader->extent.begin()) && !reader->access[0].register_scope) {
      v.guards = guards_of(v, reader->access[0], *reader);
    }
    v.ragged = reader->ragged;
  }
}

void analyze_statement(const ir::StatementSummary& s, const Machine& m, StatementView& v) {
  v = StatementView{};
  v.summary = &s;
  analyze_loops(v, m);
  analyze_operations(v, m);
  for (const ir::AccessSummary& a : s.accesses) {
    if (v.accesses == kMaxAccesses) break;
    analyze_access(v.access[static_cast<std::size_t>(v.accesses)], a, v, m);
    ++v.accesses;
  }
  if (v.accesses == 0) return;
  analyze_guards(v);
  analyze_chains(v, m);
  analyze_registers(v, m);
  analyze_levels(v, m);
}

}  // namespace

void analyze(const ir::NestSummary& nest, const Machine& machine, NestView& out) {
  out.count = nest.statements.size();
  if (out.statements.size() < out.count) out.statements.resize(out.count);
  for (std::size_t i = 0; i < out.count; ++i) analyze_statement(nest.statements[i], machine, out.statements[i]);
  analyze_waste(out);
  analyze_traffic(out, machine);
}

}  // namespace tessera::cost_model::detail
