// A chain of rowwise stages (softmax, norms) in one kernel: a block has a few rows, the threads of a row
// share its elements in the same way in every stage, so that what one stage leaves in registers the next
// one finds there. A row is read from memory once where its part of a thread fits registers (`kept`).
//
//   row.b (block.x): X.row = X (registers), M = max X.row (joined), S = sum exp(X.row - M) (joined)
//   row.y (thread.y), c.0, c.x (thread.x): Y = exp(X.row - M) / S
#include <algorithm>
#include <map>
#include <set>

#include "search/rules/cuda/rules.h"

namespace tessera::search {

namespace {

constexpr std::int64_t kKept = 64;  // elements of a row that a thread keeps at most

std::string reduce_axis(const schedule::Stage& s) {
  std::string out;
  for (const schedule::RootAxis& r : s.roots) {
    if (r.kind == schedule::AxisKind::kReduce) out = out.empty() ? r.axis : "*";
  }
  return out;
}

bool fits(const SketchBuilder& b, const std::string& name) {
  const schedule::Stage& s = b.stage(name);
  if (!s.is_output || s.is_reduction() || s.is_scan() || s.is_extern() || s.data_axes().size() < 2) return false;
  const std::vector<std::string> inner = intermediates(b, name);
  if (inner.empty()) return false;
  SketchBuilder trial = b;
  const std::string row = s.data_axes()[s.data_axes().size() - 2];
  double rows = 1;
  for (const std::string& a : s.data_axes()) {
    if (a != s.data_axes().back()) rows *= static_cast<double>(s.find_axis(a)->extent);
  }
  for (const std::string& q : inner) {
    const schedule::Stage& stage = b.stage(q);
    if (stage.is_scan() || stage.is_extern() || has_row_reuse(b, q) || reduce_axis(stage) == "*") return false;
    if (!trial.step(schedule::ComputeAt{q, name, row}).ok()) return false;
    const schedule::Stage& placed = trial.stage(q);
    if (volume(placed.region.bound) * rows > volume(placed, schedule::AxisKind::kData) * 1.001) return false;
    if (!stage.is_reduction() && volume(placed.region.bound) > 1 && placed.region.bound.back() != s.find_axis(s.data_axes().back())->extent) return false;
  }
  return true;
}

/// Tensors that the chain reads along its rows, and who reads them.
std::map<std::string, std::vector<std::string>> row_operands(const SketchBuilder& b, const std::string& output, const std::vector<std::string>& chain) {
  std::map<std::string, std::vector<std::string>> out;
  std::vector<std::string> readers = chain;
  readers.push_back(output);
  for (const std::string& r : readers) {
    std::set<std::string> seen;
    for (const ir::Load* l : reads_of(b.stage(r))) {
      const schedule::Stage* p = b.state().producer(l->buffer.get());
      const bool rows = p->is_input() && p->outputs[0].rank() == b.stage(output).data_axes().size();
      if (rows && seen.insert(p->name).second) out[p->name].push_back(r);
    }
  }
  std::erase_if(out, [](const auto& x) { return x.second.size() < 2; });
  return out;
}

class RowNest {
 public:
  RowNest(SketchBuilder& b, std::string output, bool kept) : b_(b), name_(std::move(output)), kept_(kept) {}

  Status run() {
    const std::vector<std::string> data = b_.stage(name_).data_axes();
    const std::string last = data.back();
    const std::int64_t width = b_.stage(name_).find_axis(last)->extent;
    const std::int64_t least = kept_ ? (width + kKept - 1) / kKept : 1, most = std::min<std::int64_t>(1024, width);
    if (least > 1024) return refuse("a row does not fit the registers of a block");
    std::vector<std::int64_t> threads;
    for (const std::int64_t t : powers_between(1, 1024)) {
      if (t >= least && (t <= most || threads.empty())) threads.push_back(t);
    }
    x_ = b_.hole(name_ + ".threads", threads);
    const schedule::Param rows = b_.hole(name_ + ".rows", powers_up_to(16));
    b_.require({"threads of a block", {{1, {name_ + ".threads", name_ + ".rows"}}}, 32, 1024});
    const std::vector<std::string> chain = intermediates(b_, name_);
    TESSERA_TRY(row, fused(b_, name_, {data.begin(), data.end() - 1}, "row"));
    TESSERA_TRY_DONE(b_.step(schedule::Split{name_, row, {row + ".b", row + ".y"}, {rows}, ir::Tail::kPartition}));
    block_ = row + ".b";
    TESSERA_TRY_DONE(share_row(name_, last, {block_, row + ".y"}));
    TESSERA_TRY_DONE(b_.step(schedule::Bind{name_, block_, ir::ForKind::kBlockX}));
    TESSERA_TRY_DONE(b_.step(schedule::Bind{name_, row + ".y", ir::ForKind::kThreadY}));
    for (const std::string& q : chain) TESSERA_TRY_DONE(place(q));
    if (!kept_) return Done{};
    for (const auto& [tensor, readers] : row_operands(b_, name_, chain)) {
      TESSERA_TRY_DONE(b_.step(schedule::CacheRead{tensor, readers, tensor + ".row", ir::Scope::kGlobal}));
      TESSERA_TRY_DONE(place(tensor + ".row"));
    }
    return Done{};
  }

 private:
  /// The last axis of a stage over the threads of a row; `outer` stand outside.
  Status share_row(const std::string& stage, const std::string& axis, std::vector<std::string> outer) {
    TESSERA_TRY_DONE(b_.step(schedule::Split{stage, axis, {axis + ".0", axis + ".x"}, {x_}, ir::Tail::kPartition}));
    outer.push_back(axis + ".x");
    outer.push_back(axis + ".0");
    TESSERA_TRY_DONE(b_.step(schedule::Reorder{stage, outer}));
    return b_.step(schedule::Bind{stage, axis + ".x", ir::ForKind::kThreadX});
  }

  /// A stage of the chain, at the block of rows, in registers.
  Status place(const std::string& q) {
    TESSERA_TRY_DONE(b_.step(schedule::ComputeAt{q, name_, block_}));
    TESSERA_TRY_DONE(b_.step(schedule::PadBox{q}));
    std::vector<std::string> data = b_.stage(q).data_axes();
    std::string along = reduce_axis(b_.stage(q));
    const bool reduces = !along.empty();
    // Without a reduction, a value for each element or for each row.
    const bool elements = !reduces && data.size() == b_.stage(name_).data_axes().size();
    if (elements) {
      along = data.back();
      data.pop_back();
    }
    std::vector<std::string> outer;
    if (!data.empty()) {
      TESSERA_TRY(row, fused(b_, q, data, "row"));
      TESSERA_TRY_DONE(b_.step(schedule::Bind{q, row, ir::ForKind::kThreadY}));
      outer.push_back(row);
    }
    if (!along.empty()) TESSERA_TRY_DONE(share_row(q, along, outer));
    TESSERA_TRY_DONE(b_.step(schedule::SetScope{q, ir::Scope::kRegister}));
    b_.finish(q);
    return Done{};
  }

  SketchBuilder& b_;
  std::string name_, block_;
  bool kept_;
  schedule::Param x_;
};

}  // namespace

Verdict cuda_rows_meets(const SketchBuilder& b, const std::string& name) {
  return fits(b, name) ? Verdict::kApplyAndSkipRest : Verdict::kPass;
}

std::vector<SketchBuilder> cuda_rows_expand(const SketchBuilder& b, const std::string& name) {
  std::vector<SketchBuilder> out;
  for (const bool kept : {true, false}) {
    if (kept && row_operands(b, name, intermediates(b, name)).empty()) continue;
    SketchBuilder next = b;
    if (!RowNest(next, name, kept).run().ok()) continue;
    next.add_name(kept ? "rows.kept" : "rows");
    next.finish(name);
    out.push_back(std::move(next));
  }
  return out;
}

}  // namespace tessera::search
