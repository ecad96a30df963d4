// A chain of rowwise stages (softmax, norms) in one kernel: a block has a few rows, the threads of a row
// share its elements in the same way in every stage, so that what one stage leaves in registers the next
// one finds there. A row is read from memory once where its part of a thread fits registers (`kept`), in vectors
// of up to 16 bytes.
//
//   row.b (block.x): X.row = X (registers), M = max X.row (joined), S = sum exp(X.row - M) (joined)
//   row.y (thread.y), c.w.x (thread.x), c.w.0, c.v (vector): Y = exp(X.row - M) / S
//
// Few long rows leave most of a device without work: each reduction of the chain is cut across blocks instead
// (`cut`), a kernel for the chunks of each, one for their sum, and one for the elements:
//
//   M.part = max of a chunk of X; M = max M.part; S.part = sum of a chunk of exp(X - M); S = sum S.part; Y
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

/// Whether a stage of the chain that reduces nothing has a value for each element, not one for each row.
bool has_elements(const SketchBuilder& b, const std::string& output, const std::string& stage) {
  const schedule::Stage& s = b.stage(stage);
  return !s.is_reduction() && s.data_axes().size() == b.stage(output).data_axes().size();
}

/// Whether registers save the chain some of its reads, or its elements from being computed twice.
bool can_keep(const SketchBuilder& b, const std::string& output) {
  const std::vector<std::string> chain = intermediates(b, output);
  return !row_operands(b, output, chain).empty() || std::any_of(chain.begin(), chain.end(), [&](const std::string& q) { return has_elements(b, output, q); });
}

class RowNest {
 public:
  RowNest(SketchBuilder& b, std::string output, bool kept) : b_(b), name_(std::move(output)), kept_(kept) {}

  Status run() {
    const std::vector<std::string> data = b_.stage(name_).data_axes();
    TESSERA_TRY_DONE(declare_holes(b_.stage(name_).find_axis(data.back())->extent));
    const std::vector<std::string> chain = intermediates(b_, name_);
    TESSERA_TRY(row, fused(b_, name_, {data.begin(), data.end() - 1}, "row"));
    TESSERA_TRY_DONE(b_.step(schedule::Split{name_, row, {row + ".b", row + ".y"}, {rows_}, ir::Tail::kPartition}));
    block_ = row + ".b";
    TESSERA_TRY_DONE(share_row(name_, data.back(), {block_, row + ".y"}));
    TESSERA_TRY_DONE(b_.step(schedule::Vectorize{name_, data.back() + ".v"}));
    TESSERA_TRY_DONE(b_.step(schedule::Bind{name_, block_, ir::ForKind::kBlockX}));
    TESSERA_TRY_DONE(b_.step(schedule::Bind{name_, row + ".y", ir::ForKind::kThreadY}));
    for (const std::string& q : chain) {
      // A row that is too long to be kept is computed again where it is read.
      const bool again = !kept_ && has_elements(b_, name_, q);
      TESSERA_TRY_DONE(again ? b_.step(schedule::ComputeInline{q}) : place(q));
      b_.finish(q);
    }
    if (kept_) TESSERA_TRY_DONE(keep_operands(chain));
    return vectors_ ? read_reductions(chain) : Done{};
  }

 private:
  Status declare_holes(std::int64_t width) {
    const std::int64_t least = kept_ ? (width + kKept - 1) / kKept : 1, most = std::min<std::int64_t>(1024, width);
    if (least > 1024) return refuse("a row does not fit the registers of a block");
    std::vector<std::int64_t> threads;
    for (const std::int64_t t : powers_between(1, 1024)) {
      if (t >= least && (t <= most || threads.empty())) threads.push_back(t);
    }
    const std::vector<std::int64_t> lengths = vector_lengths(width, widest());
    vectors_ = lengths.size() > 1;
    x_ = b_.hole(name_ + ".threads", threads);
    v_ = b_.hole(name_ + ".vector", lengths);
    rows_ = b_.hole(name_ + ".rows", powers_up_to(16));
    b_.require({"elements of a row", {{1, {name_ + ".threads", name_ + ".vector"}}}, 1, std::max(width, threads.front())});
    b_.require({"threads of a block", {{1, {name_ + ".threads", name_ + ".rows"}}}, 32, 1024});
    return Done{};
  }

  /// What several stages read of a row, once, into registers.
  Status keep_operands(const std::vector<std::string>& chain) {
    for (const auto& [tensor, readers] : row_operands(b_, name_, chain)) {
      TESSERA_TRY_DONE(b_.step(schedule::CacheRead{tensor, readers, tensor + ".row", ir::Scope::kGlobal}));
      TESSERA_TRY_DONE(place(tensor + ".row"));
      b_.finish(tensor + ".row");
    }
    return Done{};
  }

  /// What reductions still read of memory.
  Status read_reductions(const std::vector<std::string>& chain) {
    for (const std::string& q : chain) {
      if (!b_.stage(q).is_reduction()) continue;
      const std::string along = reduce_axis(b_.stage(q));
      TESSERA_TRY_DONE(read_in_vectors(b_, q, coordinate_of(q, along), along + ".w.0"));
    }
    return Done{};
  }

  ir::Var coordinate_of(const std::string& stage, const std::string& axis) const {
    const std::vector<schedule::RootAxis>& roots = b_.stage(stage).roots;
    return std::find_if(roots.begin(), roots.end(), [&](const schedule::RootAxis& r) { return r.axis == axis; })->coordinate;
  }

  /// Bytes of the widest element of a row in memory: of the output and of the inputs, which all chains begin with.
  int widest() const {
    int out = b_.stage(name_).outputs[0]->dtype.bytes();
    for (const dsl::Stage* in : b_.state().dag().inputs()) out = std::max(out, in->outputs[0]->dtype.bytes());
    return out;
  }

  /// The last axis of a stage over the threads of a row; `outer` stand outside.
  Status share_row(const std::string& stage, const std::string& axis, std::vector<std::string> outer) {
    const std::string w = axis + ".w", v = axis + ".v";
    TESSERA_TRY_DONE(b_.step(schedule::Split{stage, axis, {w, v}, {v_}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(b_.step(schedule::Split{stage, w, {w + ".0", w + ".x"}, {x_}, ir::Tail::kPartition}));
    outer.insert(outer.end(), {w + ".x", w + ".0", v});
    TESSERA_TRY_DONE(b_.step(schedule::Reorder{stage, outer}));
    return b_.step(schedule::Bind{stage, w + ".x", ir::ForKind::kThreadX});
  }

  /// A stage of the chain, at the block of rows, in registers.
  Status place(const std::string& q) {
    TESSERA_TRY_DONE(b_.step(schedule::ComputeAt{q, name_, block_}));
    TESSERA_TRY_DONE(b_.step(schedule::PadBox{q}));
    std::vector<std::string> data = b_.stage(q).data_axes();
    std::string along = reduce_axis(b_.stage(q));
    const bool elements = has_elements(b_, name_, q);
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
    if (elements) TESSERA_TRY_DONE(b_.step(schedule::Vectorize{q, along + ".v"}));
    return b_.step(schedule::SetScope{q, ir::Scope::kRegister});
  }

  SketchBuilder& b_;
  std::string name_, block_;
  bool kept_, vectors_ = false;
  schedule::Param x_, v_, rows_;
};

constexpr double kLongRow = 8192;  // that gives several blocks their chunks

/// Whether rows are fewer than multiprocessors, and long.
bool leaves_device_empty(const SketchBuilder& b, const std::string& name) {
  const schedule::Stage& s = b.stage(name);
  const auto width = static_cast<double>(s.find_axis(s.data_axes().back())->extent);
  return width >= kLongRow && volume(s, schedule::AxisKind::kData) / width < arch_of(b.task()).sms;
}

/// Every reduction of the chain in chunks of its own blocks; the rules for reductions take chunks and sums.
std::vector<SketchBuilder> cut_chain(const SketchBuilder& b, const std::string& name) {
  SketchBuilder next = b;
  next.add_name("rows.cut");
  for (const std::string& q : intermediates(b, name)) {  // of a row or of an element: no kernel is worth it
    if (b.stage(q).is_reduction()) continue;
    if (!next.step(schedule::ComputeInline{q}).ok()) return {};
    next.finish(q);
  }
  for (const std::string& q : intermediates(next, name)) {
    std::vector<SketchBuilder> cut = cuda_rfactor_expand(next, q);
    if (cut.empty()) return {};
    next = std::move(cut.front());
  }
  return cuda_threads_expand(next, name);
}

}  // namespace

Verdict cuda_rows_meets(const SketchBuilder& b, const std::string& name) {
  return fits(b, name) ? Verdict::kApplyAndSkipRest : Verdict::kPass;
}

std::vector<SketchBuilder> cuda_rows_expand(const SketchBuilder& b, const std::string& name) {
  std::vector<SketchBuilder> out;
  for (const bool kept : {true, false}) {
    if (kept && !can_keep(b, name)) continue;
    SketchBuilder next = b;
    if (!RowNest(next, name, kept).run().ok()) continue;
    next.add_name(kept ? "rows.kept" : "rows");
    next.finish(name);
    out.push_back(std::move(next));
  }
  if (!leaves_device_empty(b, name)) return out;
  for (SketchBuilder& cut : cut_chain(b, name)) out.push_back(std::move(cut));
  return out;
}

}  // namespace tessera::search
