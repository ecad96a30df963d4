#include "ir/rewrite.h"
#include "schedule/algorithms/rewrites.h"
#include "schedule/steps/common.h"

namespace tessera::schedule {

namespace {

const RootAxis* longest_reduction(const Stage& s) {
  const RootAxis* out = nullptr;
  for (const RootAxis& r : s.roots) {
    if (r.kind == AxisKind::kReduce && (out == nullptr || r.extent > out->extent)) out = &r;
  }
  return out;
}

/// `s` with only the axis `chunk` to reduce over, from the results of the chunks.
void reduce_chunks(Stage& s, const Buffer& partial, std::int64_t chunks) {
  const ir::Combiner combiner = s.reduce()->combiner;
  Exprs index;
  for (const RootAxis& r : s.roots) index.push_back(r.coordinate);
  const std::string name = s.find_axis("chunk") == nullptr ? "chunk" : "chunk_1";
  const Var chunk = Var::fresh(name);
  s.roots.push_back({name, chunk, AxisKind::kReduce, chunks, false});
  s.axes.push_back({name, Var::fresh(name), AxisKind::kReduce, chunks, ForKind::kSerial, false, {}});
  s.leaves.push_back(name);
  index.insert(index.begin(), chunk);
  s.body = {ir::make<ir::Reduce>(combiner, Exprs{partial.load(index)}, std::vector<ir::ReduceAxis>{{chunk, ir::int_imm(chunks)}}, 0)};
}

}  // namespace

Result<State> split_k(const State& state, const Stage& s, const AlgorithmValues& values) {
  const ir::Reduce* r = s.reduce();
  if (r == nullptr) return refuse("stage '", s.name, "' does not reduce; split_k takes a reduction");
  if (r->sources.size() > 1) {
    return refuse("stage '", s.name, "' reduces a tuple of ", r->sources.size(), " values; split its loop and rfactor it");
  }
  const RootAxis& longest = *longest_reduction(s);
  const std::int64_t wanted = values.at("chunks");
  if (wanted > longest.extent) {
    return refuse("stage '", s.name, "' reduces over ", longest.extent, " values of '", longest.axis, "'; there cannot be ", wanted, " chunks of them");
  }
  const std::int64_t size = (longest.extent + wanted - 1) / wanted, chunks = (longest.extent + size - 1) / size;
  StageMaker maker(s.name + ".partial");
  const Var chunk = maker.data("chunk", chunks);
  ir::VarMap at;
  for (const RootAxis& axis : s.roots) {
    if (axis.kind == AxisKind::kData) {
      at[axis.coordinate.id()] = maker.data(axis.axis, axis.extent);
      continue;
    }
    const bool split = &axis == &longest;
    const Expr k = maker.reduce(axis.axis, split ? size : axis.extent);
    at[axis.coordinate.id()] = split ? Expr(chunk) * ir::int_imm(size) + k : k;
  }
  Expr source = ir::substitute(r->sources[0], at);
  if (chunks * size > longest.extent) {
    source = ir::if_then_else(at.at(longest.coordinate.id()) < ir::int_imm(longest.extent), source, r->combiner->identity[0]);
  }
  Stage partial = maker.finish(source, r->combiner);
  const Buffer results = partial.outputs[0];
  const ir::Expr body = s.body[0];
  TESSERA_TRY(next, with_stages_before(state, s, {std::move(partial)}, body));
  reduce_chunks(next.edit(s.name), results, chunks);
  return next;
}

}  // namespace tessera::schedule
