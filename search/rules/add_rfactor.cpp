// Ansor's AddRfactor, for the outer part of a reduction: where there are too few results to keep all
// threads busy, the reduction is cut into chunks that are summed in parallel, and their sums are added.
//
//   y = sum(x[r, k], r, k)   ->   p[c] = sum(x[c*N + r1, k], r1, k) in parallel over c;   y = sum(p[c], c)
//
// Condition: at most 16 results a thread, and fewer results than terms. The other part (partial results
// in a vector) is vector_reduction, which the stage of chunks gets next.
#include "search/rules/rules.h"

namespace tessera::search {

namespace {

/// The longest reduction axis, the outermost of equals: chunks of it are whole runs of memory.
const schedule::RootAxis* longest(const schedule::Stage& s) {
  const schedule::RootAxis* best = nullptr;
  for (const schedule::RootAxis& r : s.roots) {
    if (r.kind == schedule::AxisKind::kReduce && (best == nullptr || r.extent > best->extent)) best = &r;
  }
  return best;
}

}  // namespace

Verdict add_rfactor_meets(const SketchBuilder& b, const std::string& name) {
  const schedule::Stage& s = b.stage(name);
  const int threads = b.task().threads;
  if (threads == 1 || !s.is_reduction() || s.placement != schedule::Placement::kRoot || s.outputs.size() != 1) return Verdict::kPass;
  if (name.ends_with(".chunks")) return Verdict::kPass;
  const double results = volume(s, schedule::AxisKind::kData);
  const bool few = results <= 16.0 * threads && results < volume(s, schedule::AxisKind::kReduce);
  return few && longest(s)->extent >= 2 * threads ? Verdict::kApply : Verdict::kPass;
}

std::vector<SketchBuilder> add_rfactor_expand(const SketchBuilder& b, const std::string& name) {
  SketchBuilder next = b;
  const schedule::RootAxis axis = *longest(b.stage(name));
  std::vector<std::int64_t> lengths;
  for (const std::int64_t each : {1, 2, 4, 8}) {
    const std::int64_t chunks = each * b.task().threads;
    if (chunks <= axis.extent) lengths.push_back((axis.extent + chunks - 1) / chunks);
  }
  const std::string chunks = name + ".chunks", outer = axis.axis + ".c", inner = axis.axis + ".i";
  const auto run = [&]() -> Status {
    const schedule::Param length = next.hole(name + "." + axis.axis + ".chunk", lengths);
    TESSERA_TRY_DONE(next.step(schedule::Split{name, axis.axis, {outer, inner}, {length}, ir::Tail::kPartition}));
    return next.step(schedule::Rfactor{name, outer, chunks});
  };
  if (!run().ok()) return {};
  next.add_name("add_rfactor");
  next.finish(name);
  return {std::move(next)};
}

}  // namespace tessera::search
