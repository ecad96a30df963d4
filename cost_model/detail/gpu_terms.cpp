#include "cost_model/detail/gpu_terms.h"

#include <algorithm>
#include <cmath>

#include "cost_model/detail/gpu_kernel.h"
#include "ir/mma.h"

namespace tessera::cost_model::detail {

namespace {

constexpr double kLaunchNs = 2500, kTicketNs = 1000;  // a launch; blocks that draw tickets, and the last one that goes on
constexpr double kMemoryNs = 500, kBarrierNs = 25, kJoinNs = 60;  // a load from memory, a barrier, threads that meet
constexpr double kRoundInstructions = 24;  // of a warp for a round of a tile: barriers, waits, the places of its slots
constexpr double kCompilerUnroll = 4;  // rounds of a plain loop that the compiler has in flight at once
constexpr double kMmaLatency = 33;  // cycles until the next product can add to the same sums
constexpr double kSectorBytes = 32, kSectorsACycle = 1;  // that an SM gets from L2, all of them asking

/// Rates of one SM, in nanoseconds.
struct Rates {
  double cycle, issue;  // a cycle; an instruction of a warp
  double sms, memory_bytes, l1_bytes, l2_bytes;

  double tensor_flops;  // of f16, by mma.sync

  /// Of one SM in a nanosecond. Bytes run twice as fast as f16, tf32 half.
  double mma_flops(const ir::Mma& m) const { return tensor_flops * 2 / m.operand.bytes(); }

  explicit Rates(const ir::CudaArch& a) {
    const double lanes = a.capability == 80 ? 64 : 128;  // FMA units of an SM
    const double flops = a.f32_tflops * 1e3 / 2 / a.sms;
    cycle = lanes / flops;
    issue = ir::kWarp / flops;
    sms = a.sms;
    // From Hopper on mma.sync does not reach what wgmma does.
    tensor_flops = a.f16_tensor_tflops * 1e3 / a.sms * (a.capability >= 90 ? 0.62 : 1);
    memory_bytes = a.memory_gb_s;
    l1_bytes = a.shared_per_sm;
    l2_bytes = static_cast<double>(a.l2_bytes);
  }
};

/// Of one kernel.
struct Occupancy {
  int resident = 1;       // blocks on an SM at a time
  double busy_sms = 1;    // on average: the last wave leaves some without work
  double waves = 1;
  double spilled = 0;     // registers of a thread beyond what it can have
};

Occupancy occupancy_of(const GpuKernel& k, const ir::CudaArch& arch) {
  Occupancy o;
  const double most = std::min<double>(arch.registers_per_thread, std::floor(arch.registers_per_sm / std::max(32.0, k.threads) / 8) * 8);
  o.spilled = std::max(0.0, k.registers - most);
  const auto registers = static_cast<int>(std::min(k.registers, most));
  const int fit = ir::blocks_per_sm(arch, static_cast<std::int64_t>(k.threads), registers, static_cast<std::int64_t>(k.shared_bytes));
  const double rounds = std::ceil(k.blocks / arch.sms);
  o.resident = static_cast<int>(std::max(1.0, std::min<double>(fit, rounds)));
  o.busy_sms = k.blocks / rounds;
  o.waves = std::ceil(rounds / o.resident);
  return o;
}

double instructions_of(const ir::OpCounts& o) {
  // A product and a sum are one instruction.
  return std::max(o.float_mul, o.float_add) + o.float_compare + o.integer + o.select + 8.0 * o.float_div + 12.0 * o.float_call;
}

/// What a statement asks of its kernel.
struct Demand {
  double issue = 0;    // instructions of warps on an SM's schedulers, in all
  double shared = 0;   // cycles of shared memory and of private arrays
  double sectors = 0, wasted = 0;  // between SMs and L2; of them, bytes nobody asked for, in sectors
  double bytes = 0;    // from memory, after reuse in L2
  double wait = 0;     // nanoseconds a block waits for memory, barriers and sums
  double chain = 0;    // of one thread's sums, one after the other
};

class StatementDemand {
 public:
  StatementDemand(const GpuKernel& k, const Occupancy& o, const Rates& rates, StatementView& v)
      : kernel_(k), occupancy_(o), rates_(rates), v_(v), s_(*v.summary), loops_(thread_loops(s_)) {}

  Demand get() {
    inner_ = 1;
    for (std::size_t l = loops_.last_thread; l < s_.loops.size(); ++l) {
      if (!ir::is_block_level(s_.loops[l].kind)) inner_ *= static_cast<double>(s_.loops[l].extent);
    }
    // Without threads of its own every thread computes it, or, in memory that all see, one.
    const bool everybody = loops_.threads == 1 && !v_.summary->accesses.empty() && s_.accesses[0].scope == ir::Scope::kRegister;
    warps_ = kernel_.blocks * std::ceil((everybody ? kernel_.threads : loops_.threads) / ir::kWarp);
    if (const ir::Mma* mma = ir::find_mma(s_.intrinsic)) {
      product(*mma);
      return out_;
    }
    out_.issue = warps_ * loops_.outer * inner_ * instructions_of(s_.ops);
    for (int k = 0; k < v_.accesses; ++k) access(v_.access[static_cast<std::size_t>(k)]);
    rounds();
    sums();
    return out_;
  }

 private:
  /// mma.sync and the ldmatrix that feed it: 512 bytes a fragment of the first factor, half as much one of the
  /// second, from rows that lie apart.
  void product(const ir::Mma& mma) {
    const double pieces = fragments(s_, 1) * fragments(s_, 2), steps = loops_.outer / pieces;
    const double flops = 2.0 * mma.m * mma.n * mma.k;
    out_.issue = warps_ * loops_.outer * std::max(1.0, flops / rates_.mma_flops(mma) / rates_.issue);
    out_.shared = warps_ * steps * (4 * fragments(s_, 1) + 2 * fragments(s_, 2));
    out_.chain = steps * kMmaLatency * rates_.cycle;
  }

  void access(const AccessView& view) {
    const ir::AccessSummary& a = *view.summary;
    if (view.repeated || a.scope == ir::Scope::kRegister) return;
    const bool copy = a.scope == ir::Scope::kGlobal && s_.accesses[0].scope == ir::Scope::kShared;
    const WarpAccess w = warp_access(s_, a, copy ? &s_.accesses[0] : nullptr);
    const double count = warps_ * w.instructions;
    if (kernel_.is_private(a.buffer)) {
      out_.shared += count * 4;
      return;
    }
    // An irregular address takes divisions by constants.
    out_.issue += count * (a.regular || a.scope == ir::Scope::kShared ? 1.5 : 12);
    out_.shared += count * std::max(a.scope == ir::Scope::kShared ? w.conflicts : w.sectors / 4, 1.0);
    if (a.scope == ir::Scope::kGlobal) memory(view, a, w, count);
  }

  void memory(const AccessView& view, const ir::AccessSummary& a, const WarpAccess& w, double count) {
    const double lanes = std::min<double>(loops_.threads, ir::kWarp), element = a.element_bytes;
    const double asked = count * w.sectors, useful = count * lanes * w.width / kSectorBytes;
    double sectors = asked;
    if (a.regular) {
      // The first cache serves what a block asks for again, if what is asked for in between stays in it.
      const Footprint block = footprint(a, view.order, static_cast<int>(loops_.last_block));
      const double own = kernel_.blocks * std::max(block.elements * element, block.lines * kSectorBytes) / kSectorBytes;
      const double between = w.sectors * kSectorBytes * std::ceil(kernel_.threads / ir::kWarp) * occupancy_.resident;
      if (between < rates_.l1_bytes / 2) sectors = std::min(asked, own);
    }
    out_.sectors += sectors;
    out_.wasted += std::max(0.0, std::min(asked - useful, sectors));
    const double all = std::max(1.0, static_cast<double>(a.elements) * element);
    const double distinct = a.regular ? std::min(all, std::max(1.0, view.whole.elements) * element) : all;
    const double moved = sectors * kSectorBytes;
    // Blocks in flight together lie in a square, more or less: each row and column of it is read once.
    const double together = std::sqrt(std::min(kernel_.blocks, occupancy_.resident * occupancy_.busy_sms));
    const bool stays = all < rates_.l2_bytes / 2;
    out_.bytes += stays ? std::min(distinct, moved) : std::max(std::min(distinct, moved), moved / std::max(1.0, together));
  }

  /// Loads that wait for the ones before: iterations outside the threads (a barrier each), then those of
  /// plain loops inside.
  void rounds() {
    const bool to_shared = s_.accesses[0].scope == ir::Scope::kShared;
    bool from_memory = false;
    for (std::size_t k = 1; k < s_.accesses.size(); ++k) {
      from_memory |= s_.accesses[k].scope == ir::Scope::kGlobal && !kernel_.is_private(s_.accesses[k].buffer);
    }
    double slots = 1, plain = 1;
    for (std::size_t l = 0; l < s_.loops.size(); ++l) {
      slots = std::max(slots, static_cast<double>(s_.loops[l].slots));
      const bool serial = l >= loops_.last_thread && s_.loops[l].kind == ir::ForKind::kSerial;
      if (serial && !indexes_registers(s_, l)) plain *= static_cast<double>(s_.loops[l].extent);
    }
    if (to_shared) {
      out_.wait += loops_.outer * kBarrierNs * (slots > 1 ? 1 : 2);
      out_.issue += warps_ * loops_.outer * kRoundInstructions;
    }
    if (!from_memory) return;
    // What is filled ahead waits only as long as its slots do not cover.
    const double covered = slots > 1 && to_shared ? 1 / (2 * slots * (slots - 1)) : 1;
    const double deep = to_shared ? std::max(1.0, plain / 8) : std::max(1.0, plain / kCompilerUnroll);
    out_.wait += loops_.outer * deep * kMemoryNs * covered;
    // A border is tested element by element, and its tile passes through registers.
    if (v_.guarded > 0) out_.issue += warps_ * loops_.outer * inner_ * 2;
  }

  void sums() {
    if (v_.chains > 0) {
      double independent = 1, plain = 1;
      for (std::size_t l = loops_.last_thread; l < s_.loops.size(); ++l) {
        (indexes_registers(s_, l) ? independent : plain) *= static_cast<double>(s_.loops[l].extent);
      }
      out_.chain = loops_.outer * plain * independent * 4 * rates_.cycle / std::min(independent, 4.0);
    }
    double joined = 0;
    for (std::size_t l = 0; l < s_.loops.size(); ++l) {
      const bool thread = ir::is_thread_level(s_.loops[l].kind);
      if (thread && s_.accesses[0].strides[l] == 0 && s_.accesses[0].regular && s_.phase == ir::Phase::kUpdate) joined = static_cast<double>(s_.loops[l].extent);
    }
    if (joined > 1) out_.wait += loops_.outer * kJoinNs * (joined > ir::kWarp ? 2 : 1);
  }

  const GpuKernel& kernel_;
  const Occupancy& occupancy_;
  const Rates& rates_;
  StatementView& v_;
  const ir::StatementSummary& s_;
  ThreadLoops loops_;
  double inner_ = 1, warps_ = 1;
  Demand out_;
};

/// Fills in the statements of a kernel; together they take as long as it is bound to.
void kernel_terms(NestView& nest, const GpuKernel& k, const ir::CudaArch& arch, const Rates& rates, DraftTerms& program) {
  const Occupancy o = occupancy_of(k, arch);
  double issue = 0, shared = 0, l2 = 0, dram = 0, wait = 0, chain = 0, bounds = 0;
  for (std::size_t i = k.first; i < k.last; ++i) {
    StatementView& v = nest.statements[i];
    v.terms = {};
    if (v.accesses == 0) continue;
    const Demand d = StatementDemand(k, o, rates, v).get();
    DraftTerms& t = v.terms;
    const double sm = 1 / o.busy_sms;
    t[kArithmetic] = d.issue * rates.issue * sm;
    t[kLoadStore] = d.shared * rates.cycle * sm;
    t[kL2] = d.sectors / kSectorsACycle * rates.cycle * sm;
    t[kDram] = d.bytes / rates.memory_bytes;
    t[kStrided] = d.wasted / kSectorsACycle * rates.cycle * sm;
    t[kChain] = o.waves * (d.wait + d.chain);
    t[kSpill] = o.spilled * v.trips / std::max(1.0, k.threads) * rates.cycle * sm / 8;
    t[kBound] = std::max({t[kArithmetic], t[kLoadStore], t[kL2], t[kDram]});
    issue += t[kArithmetic];
    shared += t[kLoadStore];
    l2 += t[kL2];
    dram += t[kDram];
    wait += o.waves * d.wait;
    chain += o.waves * d.chain;
    bounds += t[kBound];
  }
  // Blocks on one SM fill each other's waits; a block alone waits and works in turns.
  const double busy = std::max({issue, shared, l2, dram});
  const double bound = std::max({busy, chain, wait + busy / o.resident});
  for (std::size_t i = k.first; i < k.last && bounds > 0; ++i) nest.statements[i].terms[kBound] *= bound / bounds;
  program[kStart] += k.in_last_block ? kTicketNs : kLaunchNs;
}

}  // namespace

void gpu_terms(NestView& nest, const Machine& machine, DraftTerms& program) {
  const ir::CudaArch arch = ir::cuda_arch(machine.gpu).or_throw();
  const Rates rates(arch);
  for (std::size_t i = 0; i < nest.count;) {
    if (nest.statements[i].summary->prepared) {
      nest.statements[i++].terms = {};
      continue;
    }
    GpuKernel k = kernel_at(nest, i);
    if (k.last < nest.count && nest.statements[k.last].summary->last_block) {  // one launch holds what both parts need
      const GpuKernel rest = kernel_at(nest, k.last);
      k.threads = std::max(k.threads, rest.threads);
      k.registers = std::max(k.registers, rest.registers);
      k.shared_bytes += rest.shared_bytes;
    }
    kernel_terms(nest, k, arch, rates, program);
    i = k.last;
  }
}

}  // namespace tessera::cost_model::detail
