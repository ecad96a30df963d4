// A scan whose elements meet (a recurrent network): a block for what never meets, its threads for the elements of a
// row, the stages of a step one after the other in shared memory.
//
//   block: independent dimensions (block.x)
//     t
//       for the stages of the step: f.0, f.x (thread.x); sums in registers
//       f.0, f.x (thread.x): the row
//
// Condition: threads share out a row, and what a step computes fits the shared memory of a block.
#include <algorithm>

#include "schedule/scan.h"
#include "search/rules/cuda/rules.h"

namespace tessera::search {

namespace {

class BlockScan {
 public:
  BlockScan(SketchBuilder& b, std::string scan) : b_(b), scan_(std::move(scan)) {}

  Status run() {
    const std::string step = b_.stage(scan_).step_axis;
    const std::vector<std::string> parts = schedule::step_parts(b_.state(), b_.stage(scan_));
    std::vector<std::string> blocks, row;
    const std::vector<bool> independent = schedule::independent_dimensions(b_.state(), b_.stage(scan_));
    const std::vector<std::string> data = b_.stage(scan_).data_axes();
    for (std::size_t d = 0; d < data.size(); ++d) {
      if (data[d] != step) (independent[d] ? blocks : row).push_back(data[d]);
    }
    if (row.empty()) return refuse("no two elements of a row of '", scan_, "' meet");
    std::vector<std::string> order = blocks;
    order.push_back(step);
    order.insert(order.end(), row.begin(), row.end());
    TESSERA_TRY_DONE(b_.step(schedule::Reorder{scan_, order}));
    if (!blocks.empty()) {
      TESSERA_TRY(block, fused(b_, scan_, blocks, "block"));
      TESSERA_TRY_DONE(b_.step(schedule::Bind{scan_, block, ir::ForKind::kBlockX}));
    }
    for (const std::string& p : parts) TESSERA_TRY_DONE(part(p, step));
    TESSERA_TRY(thread, share_out(scan_, row));
    b_.finish(scan_);
    return fits();
  }

 private:
  /// The loop over threads.
  Result<std::string> share_out(const std::string& stage, const std::vector<std::string>& axes) {
    TESSERA_TRY(f, fused(b_, stage, axes, "f"));
    const std::int64_t n = b_.stage(stage).find_axis(f)->extent;
    const schedule::Param x = b_.hole(stage + ".threads", powers_between(std::min<std::int64_t>(32, n), std::min<std::int64_t>(1024, n)));
    TESSERA_TRY_DONE(b_.step(schedule::Split{stage, f, {f + ".0", f + ".x"}, {x}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(b_.step(schedule::Bind{stage, f + ".x", ir::ForKind::kThreadX}));
    return f + ".x";
  }

  Status part(const std::string& name, const std::string& step) {
    const bool sums = b_.stage(name).is_reduction() && b_.stage(name).outputs.size() == 1;
    if (sums) TESSERA_TRY_DONE(b_.step(schedule::CacheWrite{name, name + ".acc"}));
    TESSERA_TRY_DONE(b_.step(schedule::ComputeAt{name, scan_, step}));
    TESSERA_TRY_DONE(b_.step(schedule::SetScope{name, ir::Scope::kShared}));
    TESSERA_TRY(thread, share_out(name, b_.stage(name).data_axes()));
    b_.finish(name);
    double bytes = 0;
    for (const ir::Buffer& o : b_.stage(name).outputs) bytes += o->dtype.bytes();
    for (const std::int64_t n : b_.stage(name).region.bound) bytes *= static_cast<double>(n);
    shared_bytes_ += bytes;
    if (!sums) return Done{};
    TESSERA_TRY_DONE(b_.step(schedule::ComputeAt{name + ".acc", name, thread}));
    TESSERA_TRY_DONE(b_.step(schedule::PadBox{name + ".acc"}));
    TESSERA_TRY_DONE(b_.step(schedule::SetScope{name + ".acc", ir::Scope::kRegister}));
    b_.finish(name + ".acc");
    return Done{};
  }

  Status fits() const {
    const std::int64_t most = arch_of(b_.task()).shared_per_block - ir::kReservedSharedPerBlock;
    return shared_bytes_ <= static_cast<double>(most) ? Status(Done{}) : refuse("a step of '", scan_, "' takes ", shared_bytes_, " bytes of shared memory");
  }

  SketchBuilder& b_;
  std::string scan_;
  double shared_bytes_ = 0;
};

}  // namespace

Verdict cuda_scan_meets(const SketchBuilder& b, const std::string& name) {
  return b.stage(name).is_scan() && b.stage(name).placement == schedule::Placement::kRoot ? Verdict::kApplyAndSkipRest : Verdict::kPass;
}

std::vector<SketchBuilder> cuda_scan_expand(const SketchBuilder& b, const std::string& name) {
  SketchBuilder next = b;
  if (!BlockScan(next, name).run().ok()) return {};
  next.add_name(name + ".scan");
  return {std::move(next)};
}

}  // namespace tessera::search
