#include "polyhedral/cuda_steps.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "lower/lower.h"
#include "polyhedral/detail/cuda_kernel.h"
#include "polyhedral/detail/cuda_nest.h"
#include "polyhedral/detail/cuda_product.h"
#include "polyhedral/detail/cuda_rows.h"
#include "polyhedral/detail/cuda_threads.h"
#include "schedule/costly.h"
#include "schedule/storage.h"
#include "support/large_stack.h"

namespace tessera::polyhedral {

namespace {

using detail::Draft;
using detail::KernelNest;
using detail::Names;
using schedule::AxisKind;
using schedule::Stage;

constexpr std::int64_t kSharedAlignment = 128;  // of buffers, in bytes

/// One nest after the other.
class Writer {
 public:
  Writer(Draft draft, const ir::CudaArch& arch, const CudaStepsOptions& options) : d_(std::move(draft)), arch_(arch), options_(options) {}

  /// `again`: a nest that does not make a kernel may be aligned again.
  void add(const AlignedNest& nest, bool again = true) {
    const std::string last = nest.members.back().stage;
    if (d_.stage(last).is_extern()) return;
    inline_members(nest);
    KernelNest kernel{{}, std::vector<bool>(d_.stage(last).data_axes().size())};
    for (const Member& m : nest.members) {
      if (d_.stage(m.stage).placement == schedule::Placement::kRoot) kernel.stages.push_back(m.stage);
    }
    for (const SharedAxis& a : nest.shared) kernel.shared[static_cast<std::size_t>(a.coordinate)] = true;
    if (d_.stage(last).is_scan() && kernel.stages.size() > 1) refused_.push_back("threads for the steps of " + last + ": the elements of a row read those of the row before, which threads cannot wait for in memory");
    if (d_.stage(last).is_scan() || kernel.stages.size() == 1) {
      for (const std::string& s : kernel.stages) alone(s);
    } else if (!together(kernel)) {
      if (again) align_again(kernel);
      apart(kernel);
    }
  }

  PlannedSteps done() && { return {d_.steps, std::move(refused_), {}, d_.steps, {}, {}}; }

 private:
  /// All steps of `f`, if the program then lowers within the limits of the architecture; else none of them, and why.
  Status attempt(const std::function<Status()>& f) {
    Draft before = d_;
    Status s = f();
    if (s.ok()) s = lowers();
    if (!s.ok()) d_ = std::move(before);
    return s;
  }

  Status lowers() const {
    TESSERA_TRY_DONE(fits());
    lower::Options options;
    options.target = ir::TargetKind::kCuda;
    const auto program = lower::lower(d_.state, options);
    return program.ok() ? Status(Done{}) : Status(program.refusal());
  }

  /// Shared memory of every kernel, before the steps are lowered, which takes longer.
  Status fits() const {
    std::map<std::string, std::int64_t> bytes;  // by the stage at root
    for (std::size_t i = 0; i < d_.state.size(); ++i) {
      const Stage& s = d_.state.stage(i);
      if (s.scope != ir::Scope::kShared) continue;
      TESSERA_TRY(box, schedule::stored_box(d_.state, s));
      const std::vector<schedule::Attach> around = schedule::attach_chain(d_.state, s);
      std::int64_t& sum = bytes.try_emplace(around.empty() ? s.name : around.back().stage, ir::kReservedSharedPerBlock).first->second;
      for (const ir::Buffer& out : s.outputs) sum += (box.layout.size() * out->dtype.bytes() + kSharedAlignment - 1) / kSharedAlignment * kSharedAlignment;
      if (sum > arch_.shared_per_block) return refuse(sum, " bytes of shared memory a block; ", arch_.name, " has ", arch_.shared_per_block);
    }
    return Done{};
  }

  /// Elementwise stages that are cheap where they are read.
  void inline_members(const AlignedNest& nest) {
    for (const Member& m : nest.members) {
      const Stage& s = d_.stage(m.stage);
      if (m.stage == nest.members.back().stage || s.is_output || s.is_reduction() || s.is_scan() || s.is_extern() || s.outputs.size() > 1) continue;
      const auto readers = d_.state.consumers(s);
      const double own = detail::volume(s, AxisKind::kData);
      // What every point of a shared loop needs again may as well be computed for every point.
      const bool repeated = std::find(m.coordinates.begin(), m.coordinates.end(), Member::kRepeated) != m.coordinates.end();
      const bool dear = std::any_of(readers.begin(), readers.end(), [&](const Stage* r) {
        const double uses = detail::volume(*r, AxisKind::kData) * detail::volume(*r, AxisKind::kReduce);
        if (repeated && !r->is_reduction()) return false;
        return schedule::is_costly(s, detail::product_shape(*r).has_value()) && (uses > 1.5 * own || readers.size() > 1);
      });
      if (dear) continue;
      Draft before = d_;
      if (!d_.step(schedule::ComputeInline{m.stage}).ok()) d_ = std::move(before);
    }
  }

  bool together(const KernelNest& nest) {
    const Names& stages = nest.stages;
    std::vector<std::string> why;
    const auto tried = [&](const std::string& what, const std::function<Status()>& f) {
      const Status s = attempt(f);
      if (!s.ok()) why.push_back(what + ": " + s.reason());
      if (s.ok()) done_.insert(stages.begin(), stages.end());
      return s.ok();
    };
    if (tried("in registers", [&] { return detail::reduction_nest(d_, nest, arch_); })) return true;
    if (is_row_chain(nest)) {
      const Names chain(stages.rbegin() + 1, stages.rend());
      for (const bool kept : {true, false}) {
        if (tried(kept ? "kept rows" : "rows", [&] { return detail::row_chain(d_, stages.back(), chain, kept); })) return true;
      }
    }
    const std::size_t others = why.size();
    for (const std::int64_t rows : detail::rows_of_block(d_, nest, arch_)) {
      const std::int64_t blocks = detail::blocks_of(d_, nest, rows);
      if (blocks * 4 < arch_.sms && points(nest) > options_.large) {
        why.push_back("blocks of " + std::to_string(rows) + " rows are " + std::to_string(blocks) + " for " + std::to_string(arch_.sms) + " multiprocessors");
      } else if (detail::shared_bytes(d_, nest, rows) > arch_.shared_per_block) {
        why.push_back("blocks of " + std::to_string(rows) + " rows would need more than the " + std::to_string(arch_.shared_per_block) + " bytes of shared memory of a block");
      } else if (tried("blocks of " + std::to_string(rows) + " rows", [&] { return detail::block_nest(d_, nest, rows, arch_); })) {
        return true;
      }
    }
    why.resize(std::min(why.size(), others + 1));  // of the best choice of rows
    std::string line = "one kernel for " + stages.back();
    for (const std::string& w : why) line += (&w == &why[0] ? ": " : "; ") + w;
    if (std::find(refused_.begin(), refused_.end(), line) == refused_.end()) refused_.push_back(line);
    return false;
  }

  /// What is left of a nest that makes no kernel: its last stage, the others together where they are a product and its
  /// operands, else one by one.
  void apart(const KernelNest& nest) {
    KernelNest rest;
    for (const std::string& s : nest.stages) {
      if (done_.count(s) == 0) rest.stages.push_back(s);
    }
    if (rest.stages.size() > 2) {
      alone(rest.stages.back());
      rest.stages.pop_back();
      rest.shared.assign(d_.stage(rest.stages.back()).data_axes().size(), false);
      if (attempt([&] { return detail::reduction_nest(d_, rest, arch_); }).ok()) done_.insert(rest.stages.begin(), rest.stages.end());
    }
    for (const std::string& s : rest.stages) alone(s);
  }

  /// Whether all loops but the innermost are shared.
  static bool is_row_chain(const KernelNest& nest) {
    return nest.shared.size() > 1 && !nest.shared.back() && std::all_of(nest.shared.begin(), nest.shared.end() - 1, [](bool s) { return s; });
  }

  double points(const KernelNest& nest) const {
    double out = 0;
    for (const std::string& s : nest.stages) out += detail::volume(d_.stage(s), AxisKind::kData) * detail::volume(d_.stage(s), AxisKind::kReduce);
    return out;
  }

  /// The nest's stages in nests that have a block for every multiprocessor, with what has been inlined.
  void align_again(const KernelNest& nest) {
    const auto equations = equations_of(d_.state);
    if (!equations.ok()) return;
    const auto scop = Scop::of(*equations);
    if (!scop.ok()) return;
    AlignOptions options;
    options.grouping = Grouping::kKeepParallel;
    options.parallelism = arch_.sms;
    const auto nests = align(*scop, options);
    if (!nests.ok()) return;
    for (const AlignedNest& n : nests->nests) {
      const bool own = std::all_of(n.members.begin(), n.members.end(), [&](const Member& m) { return std::find(nest.stages.begin(), nest.stages.end(), m.stage) != nest.stages.end(); });
      if (own) add(n, false);
    }
  }

  /// A kernel of its own, at worst one thread's, for a stage that has none.
  void alone(const std::string& stage) {
    if (d_.stage(stage).placement != schedule::Placement::kRoot || done_.count(stage) != 0) return;
    done_.insert(stage);
    const Status s = attempt([&] { return detail::kernel_of(d_, stage, arch_); });
    if (s.ok()) return;
    refused_.push_back("threads for " + stage + ": " + s.reason());
    const Status plain = attempt([&] { return detail::plain_kernel_of(d_, stage); });
    if (!plain.ok()) refused_.push_back("an element a thread for " + stage + ": " + plain.reason());
  }

  Draft d_;
  const ir::CudaArch arch_;
  const CudaStepsOptions& options_;
  std::vector<std::string> refused_;
  std::set<std::string> done_;  // stages that have their place
};

}  // namespace

Result<PlannedSteps> cuda_steps(const dsl::ComputeDag& dag, const Alignment& alignment, const ir::Target& target, const CudaStepsOptions& options) {
  if (target.kind != ir::TargetKind::kCuda) return refuse("'", target.text(), "' is no CUDA target");
  TESSERA_TRY(arch, ir::cuda_arch(target.arch));
  TESSERA_TRY(initial, schedule::State::initial(std::make_shared<const dsl::ComputeDag>(dag)));
  for (const AlignedNest& n : alignment.nests) {
    for (const Member& m : n.members) {
      if (initial.find(m.stage) == nullptr) return refuse("the program has no stage '", m.stage, "'");
    }
  }
  Writer writer({std::move(initial), {}}, arch, options);
  run_with_large_stack([&] {
    for (const AlignedNest& n : alignment.nests) writer.add(n);
  });
  return std::move(writer).done();
}

}  // namespace tessera::polyhedral
