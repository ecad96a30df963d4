#include "polyhedral/detail/cuda_rows.h"

#include <algorithm>
#include <bit>
#include <map>
#include <set>

#include "ir/cuda_arch.h"
#include "polyhedral/detail/cuda_threads.h"
#include "polyhedral/detail/reads.h"

namespace tessera::polyhedral::detail {

namespace {

using schedule::AxisKind;
using schedule::Stage;

constexpr std::int64_t kKept = 64;          // elements of a row that a thread keeps at most
constexpr std::int64_t kUsual = 8;          // elements of a row for which a thread is worth it
constexpr std::int64_t kThreads = 128;      // of a block, where rows are short
constexpr std::int64_t kMostThreads = 1024;

/// The one reduction axis; empty: none, "*": several.
std::string reduce_axis(const Stage& s) {
  std::string out;
  for (const schedule::RootAxis& r : s.roots) {
    if (r.kind == AxisKind::kReduce) out = out.empty() ? r.axis : "*";
  }
  return out;
}

class RowChain {
 public:
  RowChain(Draft& d, std::string output, const Names& chain, bool kept) : d_(d), name_(std::move(output)), chain_(chain), kept_(kept) {}

  Status run() {
    TESSERA_TRY_DONE(check());
    const Names data = d_.stage(name_).data_axes();
    TESSERA_TRY_DONE(choose(d_.extent(name_, data.back())));
    TESSERA_TRY(row, fused(d_, name_, {data.begin(), data.end() - 1}, "row"));
    TESSERA_TRY_DONE(d_.step(schedule::Split{name_, row, {row + ".b", row + ".y"}, {rows_}, ir::Tail::kPartition}));
    block_ = row + ".b";
    TESSERA_TRY_DONE(share_row(name_, data.back(), {block_, row + ".y"}));
    TESSERA_TRY_DONE(d_.step(schedule::Vectorize{name_, data.back() + ".v"}));
    TESSERA_TRY_DONE(d_.step(schedule::Bind{name_, block_, ir::ForKind::kBlockX}));
    TESSERA_TRY_DONE(d_.step(schedule::Bind{name_, row + ".y", ir::ForKind::kThreadY}));
    for (const std::string& q : chain_) {
      const bool again = !kept_ && has_elements(q);
      TESSERA_TRY_DONE(again ? d_.step(schedule::ComputeInline{q}) : place(q));
    }
    if (kept_) TESSERA_TRY_DONE(keep_operands());
    return vector_ > 1 ? read_reductions() : Done{};
  }

 private:
  Status check() const {
    const std::size_t rank = d_.stage(name_).data_axes().size();
    if (d_.stage(name_).is_reduction() || rank < 2 || chain_.empty()) return refuse("no chain over rows");
    const std::int64_t width = d_.stage(name_).roots[rank - 1].extent;
    for (const std::string& q : chain_) {
      const Stage& s = d_.stage(q);
      const std::string along = reduce_axis(s);
      const std::size_t own = s.data_axes().size();
      const bool of_rows = own + 1 == rank, of_elements = own == rank && along.empty() && s.roots[rank - 1].extent == width;
      if (s.outputs.size() > 1 || along == "*" || (!of_rows && !of_elements)) return refuse("stage '", q, "' is none of a row");
    }
    return Done{};
  }

  /// A thread for each vector of a row, or for several where there are many; whole warps.
  Status choose(std::int64_t width) {
    const std::int64_t least = kept_ ? (width + kKept - 1) / kKept : 1;
    if (least > kMostThreads) return refuse("a row of ", width, " does not fit the registers of a block");
    vector_ = vector_length(width, widest());
    const std::int64_t wanted = std::max({least, std::min<std::int64_t>(ir::kWarp, width / vector_), width / std::max(vector_, kUsual)});
    threads_ = std::min(kMostThreads, static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(std::max<std::int64_t>(1, wanted)))));
    double rows = 1;
    for (std::size_t i = 0; i + 1 < d_.stage(name_).roots.size(); ++i) rows *= static_cast<double>(d_.stage(name_).roots[i].extent);
    rows_ = std::clamp<std::int64_t>(kThreads / threads_, 1, power_below(rows));
    return Done{};
  }

  bool has_elements(const std::string& stage) const {
    const Stage& s = d_.stage(stage);
    return !s.is_reduction() && s.data_axes().size() == d_.stage(name_).data_axes().size();
  }

  /// Tensors that several stages of the chain read along its rows, and who reads them.
  std::map<std::string, Names> row_operands() const {
    std::map<std::string, Names> out;
    Names readers = chain_;
    readers.push_back(name_);
    for (const std::string& r : readers) {
      std::set<std::string> seen;
      for (const ir::Load* l : reads_of(d_.stage(r))) {
        const Stage& p = *d_.state.producer(l->buffer.get());
        const bool rows = p.placement == schedule::Placement::kRoot && p.outputs[0].rank() == d_.stage(name_).data_axes().size();
        if (rows && p.name != name_ && seen.insert(p.name).second) out[p.name].push_back(r);
      }
    }
    std::erase_if(out, [](const auto& x) { return x.second.size() < 2; });
    return out;
  }

  /// What several stages read of a row, once, into registers.
  Status keep_operands() {
    for (const auto& [tensor, readers] : row_operands()) {
      TESSERA_TRY_DONE(d_.step(schedule::CacheRead{tensor, readers, tensor + ".row", ir::Scope::kGlobal}));
      TESSERA_TRY_DONE(place(tensor + ".row"));
    }
    return Done{};
  }

  /// What reductions still read of memory.
  Status read_reductions() {
    for (const std::string& q : chain_) {
      if (d_.state.find(q) == nullptr || !d_.stage(q).is_reduction()) continue;
      TESSERA_TRY_DONE(read_in_vectors(d_, q, last_reduced(d_.stage(q)).coordinate, reduce_axis(d_.stage(q)) + ".w.0"));
    }
    return Done{};
  }

  /// Bytes of the widest element of a row in memory.
  int widest() const {
    int out = d_.stage(name_).outputs[0]->dtype.bytes();
    for (const dsl::Stage* in : d_.state.dag().inputs()) out = std::max(out, in->outputs[0]->dtype.bytes());
    return out;
  }

  /// The last axis of a stage over the threads of a row; `outer` stand outside.
  Status share_row(const std::string& stage, const std::string& axis, Names outer) {
    const std::string w = axis + ".w", v = axis + ".v";
    TESSERA_TRY_DONE(d_.step(schedule::Split{stage, axis, {w, v}, {vector_}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(d_.step(schedule::Split{stage, w, {w + ".0", w + ".x"}, {threads_}, ir::Tail::kPartition}));
    outer.insert(outer.end(), {w + ".x", w + ".0", v});
    TESSERA_TRY_DONE(d_.step(schedule::Reorder{stage, outer}));
    return d_.step(schedule::Bind{stage, w + ".x", ir::ForKind::kThreadX});
  }

  /// A stage of the chain, at the block of rows, in registers.
  Status place(const std::string& q) {
    TESSERA_TRY_DONE(d_.step(schedule::ComputeAt{q, name_, block_}));
    TESSERA_TRY_DONE(d_.step(schedule::PadBox{q}));
    Names data = d_.stage(q).data_axes(), outer;
    std::string along = reduce_axis(d_.stage(q));
    const bool elements = has_elements(q);
    if (elements) {
      along = data.back();
      data.pop_back();
    }
    if (!data.empty()) {
      TESSERA_TRY(row, fused(d_, q, data, "row"));
      TESSERA_TRY_DONE(d_.step(schedule::Bind{q, row, ir::ForKind::kThreadY}));
      outer.push_back(row);
    }
    if (!along.empty()) TESSERA_TRY_DONE(share_row(q, along, outer));
    if (elements) TESSERA_TRY_DONE(d_.step(schedule::Vectorize{q, along + ".v"}));
    return d_.step(schedule::SetScope{q, ir::Scope::kRegister});
  }

  Draft& d_;
  std::string name_, block_;
  const Names& chain_;
  bool kept_;
  std::int64_t vector_ = 1, threads_ = 1, rows_ = 1;
};

}  // namespace

Status row_chain(Draft& d, const std::string& output, const Names& chain, bool kept) { return RowChain(d, output, chain, kept).run(); }

}  // namespace tessera::polyhedral::detail
