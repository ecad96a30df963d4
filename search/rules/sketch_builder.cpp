#include "search/rules/sketch_builder.h"

#include <algorithm>
#include <bit>

#include "ir/analysis/affine.h"
#include "ir/rewrite.h"

namespace tessera::search {

SketchBuilder::SketchBuilder(const Task& task)
    : task_(&task), state_(schedule::State::initial(std::make_shared<const dsl::ComputeDag>(task.dag)).or_throw()) {}

Status SketchBuilder::step(schedule::Step s) {
  TESSERA_TRY(filled, schedule::fill_holes({s}, representative_));
  TESSERA_TRY(next, schedule::apply_step(state_, filled[0]));
  state_ = std::move(next);
  steps_.push_back(std::move(s));
  return Done{};
}

schedule::Param SketchBuilder::hole(const std::string& name, std::vector<std::int64_t> domain) {
  std::sort(domain.begin(), domain.end());
  domain.erase(std::unique(domain.begin(), domain.end()), domain.end());
  representative_[name] = domain.front();
  holes_.push_back({name, std::move(domain)});
  return schedule::Param::open(name);
}

Sketch SketchBuilder::build() const {
  return {name_.empty() ? "elementwise" : name_, steps_, Space(holes_, constraints_)};
}

std::vector<std::int64_t> powers_up_to(std::int64_t n) {
  std::vector<std::int64_t> out;
  for (std::int64_t p = 1; p <= std::max<std::int64_t>(n, 1); p *= 2) out.push_back(p);
  return out;
}

Status parallelize(SketchBuilder& b, const std::string& stage, const std::vector<std::string>& loops) {
  if (b.task().threads == 1 || loops.empty()) return Done{};
  std::string target = loops[0];
  if (loops.size() > 1) {
    target = "par";
    TESSERA_TRY_DONE(b.step(schedule::Fuse{stage, loops, target}));
  }
  return b.step(schedule::Parallel{stage, target});
}

std::optional<std::int64_t> stride_of(const ir::Load& load, const ir::Var& v) {
  const std::vector<std::int64_t> extents = ir::Buffer(load.buffer).extents();
  std::int64_t stride = 0, weight = 1;
  for (std::size_t d = extents.size(); d-- > 0;) {
    std::int64_t k = 0;
    ir::Expr rest;
    if (!ir::split_linear(load.indices[d], v.id(), k, rest)) return std::nullopt;
    stride += k * weight;
    weight *= extents[d];
  }
  return stride;
}

std::vector<const ir::Load*> reads_of(const schedule::Stage& s) {
  std::vector<const ir::Load*> out;
  for (const ir::Expr& body : s.body) {
    ir::walk(body, [&](const ir::Expr& e) {
      if (const auto* l = e.as<ir::Load>()) out.push_back(l);
      return true;
    });
  }
  return out;
}

double volume(const std::vector<std::int64_t>& extents) {
  double v = 1;
  for (const std::int64_t n : extents) v *= static_cast<double>(n);
  return v;
}

double volume(const schedule::Stage& s, schedule::AxisKind kind) {
  std::vector<std::int64_t> extents;
  for (const schedule::RootAxis& r : s.roots) {
    if (r.kind == kind) extents.push_back(r.extent);
  }
  return volume(extents);
}

int lanes_for(const Task& task, const schedule::Stage& s, std::int64_t extent) {
  const int native = task.target.lanes(std::max(1, s.outputs[0]->dtype.bytes()));
  const auto fits = static_cast<int>(std::bit_ceil(static_cast<std::uint64_t>(std::max<std::int64_t>(extent, 1))));
  return std::min({native, fits, 64});
}

}  // namespace tessera::search
