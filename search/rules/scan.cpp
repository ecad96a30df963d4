// A scan: the loop along which it steps stays serial; what never meets another element runs in parallel
// around it, vectors lie along the last dimension, and the stages of its step follow it.
//
//   for others.0, c.0 (parallel)             independent dimensions, in blocks where a step has products
//     for t
//       for the stages of the step: a row of each; products in register tiles
//       for others.1, c.m, c.u (unrolled): vector c.v
//
// Where the elements of a row meet (a recurrent network), c stands inside t as a whole. Where the scan steps
// along the last dimension, several rows step together instead, unrolled: their chains are independent.
#include <algorithm>

#include "schedule/scan.h"
#include "search/rules/rules.h"
#include "search/rules/tile_nest.h"

namespace tessera::search {

namespace {

struct Variant {
  bool blocks = false;  // cuts of the other independent dimensions step together
  bool pack = false;    // the products of the step read packed panels
};

bool is_product(const schedule::Stage& s) {
  return s.is_reduction() && s.outputs.size() == 1 && s.data_axes().size() > 1 && shape_of(s).column.extent > 1;
}

class ScanNest {
 public:
  ScanNest(SketchBuilder b, std::string stage, Variant v) : b_(std::move(b)), s_(std::move(stage)), variant_(v) {}

  Result<SketchBuilder> run() {
    const std::vector<std::string> parts = schedule::step_parts(b_.state(), b_.stage(s_));
    TESSERA_TRY_DONE(own_loops());
    for (const std::string& p : parts) TESSERA_TRY_DONE(part(p));
    TESSERA_TRY_DONE(parallelize(b_, s_, outside_));
    b_.finish(s_);
    b_.add_name(std::string("scan") + (variant_.blocks ? ".blocks" : "") + (variant_.pack ? ".pack" : ""));
    return b_;
  }

 private:
  Status split(const std::string& stage, const std::string& axis, std::vector<std::string> into, std::vector<schedule::Param> factors) {
    return b_.step(schedule::Split{stage, axis, std::move(into), std::move(factors), ir::Tail::kPartition});
  }

  Status own_loops() {
    const schedule::Stage& s = b_.stage(s_);
    const std::string step = s.step_axis;
    const std::vector<std::string> data = s.data_axes();
    const std::vector<bool> independent = schedule::independent_dimensions(b_.state(), s);
    const bool rows = data.back() == step;  // the scan steps along contiguous memory
    std::string column = data.back();
    for (std::size_t d = 0; rows && d < data.size(); ++d) column = independent[d] ? data[d] : column;
    std::vector<std::string> inside, vectors;
    for (std::size_t d = 0; d < data.size(); ++d) {
      if (data[d] == step || data[d] == column) continue;
      if (!independent[d]) {
        inside.push_back(data[d]);
      } else if (variant_.blocks) {
        TESSERA_TRY_DONE(block(data[d], inside));
      } else {
        outside_.push_back(data[d]);
      }
    }
    if (column != step) {
      const bool alone = independent[static_cast<std::size_t>(std::find(data.begin(), data.end(), column) - data.begin())];
      TESSERA_TRY_DONE(rows ? chains(column, vectors) : columns(column, alone, inside, vectors));
    }
    std::vector<std::string> order = outside_;
    order.push_back(step);
    order.insert(order.end(), inside.begin(), inside.end());
    order.insert(order.end(), vectors.begin(), vectors.end());
    TESSERA_TRY_DONE(b_.step(schedule::Reorder{s_, order}));
    for (std::size_t i = 0; i < vectors.size(); ++i) {
      const bool lanes = !rows && i + 1 == vectors.size();
      TESSERA_TRY_DONE(lanes ? b_.step(schedule::Vectorize{s_, vectors[i]}) : b_.step(schedule::Unroll{s_, vectors[i]}));
    }
    return Done{};
  }

  /// b -> b.0 outside, b.1 inside of the steps.
  Status block(const std::string& axis, std::vector<std::string>& inside) {
    const std::int64_t n = b_.stage(s_).find_axis(axis)->extent;
    std::vector<std::int64_t> sizes = powers_up_to(std::min<std::int64_t>(64, n));
    if (sizes.size() > 1) sizes.erase(sizes.begin());
    TESSERA_TRY_DONE(split(s_, axis, {axis + ".0", axis + ".1"}, {b_.hole(s_ + "." + axis + ".block", sizes)}));
    outside_.push_back(axis + ".0");
    inside.push_back(axis + ".1");
    return Done{};
  }

  /// Vectors along contiguous memory, several at a time, and runs of these in a block.
  Status columns(const std::string& c, bool alone, std::vector<std::string>& inside, std::vector<std::string>& vectors) {
    const std::int64_t n = b_.stage(s_).find_axis(c)->extent;
    const int lanes = lanes_for(b_.task(), b_.stage(s_), n);
    const std::int64_t groups = std::max<std::int64_t>(1, n / lanes);
    const schedule::Param unroll = b_.hole(s_ + "." + c + ".unroll", powers_up_to(std::min<std::int64_t>(8, groups)));
    if (alone) {
      const schedule::Param run = b_.hole(s_ + "." + c + ".run", powers_up_to(std::min<std::int64_t>(256, groups)));
      TESSERA_TRY_DONE(split(s_, c, {c + ".0", c + ".m", c + ".u", c + ".v"}, {run, unroll, lanes}));
      outside_.push_back(c + ".0");
    } else {
      TESSERA_TRY_DONE(split(s_, c, {c + ".m", c + ".u", c + ".v"}, {unroll, lanes}));
    }
    inside.push_back(c + ".m");
    vectors = {c + ".u", c + ".v"};
    return Done{};
  }

  /// Rows that step together.
  Status chains(const std::string& r, std::vector<std::string>& vectors) {
    const std::int64_t n = b_.stage(s_).find_axis(r)->extent;
    const schedule::Param together = b_.hole(s_ + "." + r + ".chains", powers_up_to(std::min<std::int64_t>(16, n)));
    TESSERA_TRY_DONE(split(s_, r, {r + ".0", r + ".u"}, {together}));
    outside_.push_back(r + ".0");
    vectors = {r + ".u"};
    return Done{};
  }

  Status part(const std::string& name) {
    b_.finish(name);
    const schedule::Stage& s = b_.stage(name);
    if (is_product(s) && (variant_.pack || reads_in_vectors(s))) return product(name);
    const std::string last = s.data_axes().back();
    const std::int64_t n = s.find_axis(last)->extent;
    const int lanes = lanes_for(b_.task(), s, n);
    if (s.is_reduction() || lanes < 2) return Done{};
    TESSERA_TRY_DONE(split(name, last, {last + ".0", last + ".v"}, {lanes}));
    return b_.step(schedule::Vectorize{name, last + ".v"});
  }

  Status product(const std::string& name) {
    const std::string acc = name + ".acc";
    if (variant_.pack) TESSERA_TRY_DONE(pack_panel(b_, name, acc + ".width"));
    TileNest nest(b_, name, acc, false);
    TESSERA_TRY_DONE(b_.step(schedule::CacheWrite{name, acc, ir::Scope::kGlobal}));
    nest.declare();
    TESSERA_TRY_DONE(nest.tile(name, true, {}));
    TESSERA_TRY_DONE(nest.accumulate(acc, name, nest.tile_loop(name), nest.reduce_axes()));
    b_.finish(acc);
    return Done{};
  }

  SketchBuilder b_;
  std::string s_;
  Variant variant_;
  std::vector<std::string> outside_;
};

}  // namespace

Verdict scan_meets(const SketchBuilder& b, const std::string& name) {
  const schedule::Stage& s = b.stage(name);
  return s.is_scan() && s.placement == schedule::Placement::kRoot ? Verdict::kApplyAndSkipRest : Verdict::kPass;
}

std::vector<SketchBuilder> scan_expand(const SketchBuilder& b, const std::string& name) {
  const std::vector<std::string> parts = schedule::step_parts(b.state(), b.stage(name));
  const bool products = std::any_of(parts.begin(), parts.end(), [&](const std::string& p) { return is_product(b.stage(p)); });
  std::vector<SketchBuilder> out;
  for (const bool blocks : {false, true}) {
    for (const bool pack : {false, true}) {
      if ((blocks || pack) && !products) continue;
      auto made = ScanNest(b, name, {blocks, pack}).run();
      if (made.ok()) out.push_back(std::move(*made));
    }
  }
  return out;
}

}  // namespace tessera::search
