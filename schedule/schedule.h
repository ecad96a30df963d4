// The fluent door for people: the same steps, applied at once; a refusal is thrown as a UserError.
//
//   Schedule s(dag);
//   s.split("C", "i", {"i0", "i1"}, {16}).reorder("C", {"i0", "k", "i1"}).vectorize("C", "i1");
//   std::cout << s.state().print_loops();
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "schedule/step.h"

namespace tessera::schedule {

class Schedule {
 public:
  using Names = std::vector<std::string>;

  explicit Schedule(dsl::ComputeDag dag)
      : state_(State::initial(std::make_shared<const dsl::ComputeDag>(std::move(dag))).or_throw()) {}

  Schedule& apply(Step step) {
    state_ = apply_step(state_, step).or_throw();
    steps_.push_back(std::move(step));
    return *this;
  }
  Schedule& use_algorithm(std::string stage, std::string algorithm, std::map<std::string, Param> params = {}) {
    return apply(UseAlgorithm{std::move(stage), std::move(algorithm), std::move(params)});
  }
  Schedule& split(std::string stage, std::string axis, Names into, std::vector<Param> factors,
                  ir::Tail tail = ir::Tail::kPartition) {
    return apply(Split{std::move(stage), std::move(axis), std::move(into), std::move(factors), tail});
  }
  Schedule& fuse(std::string stage, Names axes, std::string into) {
    return apply(Fuse{std::move(stage), std::move(axes), std::move(into)});
  }
  Schedule& reorder(std::string stage, Names order) { return apply(Reorder{std::move(stage), std::move(order)}); }
  Schedule& tile(std::string stage, Names axes, Names into, std::vector<Param> factors,
                 ir::Tail tail = ir::Tail::kPartition) {
    return apply(Tile{std::move(stage), std::move(axes), std::move(into), std::move(factors), tail});
  }
  Schedule& unroll(std::string stage, std::string axis) { return apply(Unroll{std::move(stage), std::move(axis)}); }
  Schedule& vectorize(std::string stage, std::string axis) { return apply(Vectorize{std::move(stage), std::move(axis)}); }
  Schedule& parallel(std::string stage, std::string axis) { return apply(Parallel{std::move(stage), std::move(axis)}); }
  Schedule& bind(std::string stage, std::string axis, ir::ForKind to) { return apply(Bind{std::move(stage), std::move(axis), to}); }
  Schedule& spread(std::string stage, std::string axis, Names into, std::string like) {
    return apply(Spread{std::move(stage), std::move(axis), std::move(into), std::move(like)});
  }
  Schedule& pad_box(std::string stage) { return apply(PadBox{std::move(stage)}); }
  Schedule& pipeline(std::string stage, Param slots) { return apply(Pipeline{std::move(stage), std::move(slots)}); }
  Schedule& compute_at(std::string stage, std::string at, std::string axis) {
    return apply(ComputeAt{std::move(stage), std::move(at), std::move(axis)});
  }
  Schedule& store_at(std::string stage, std::string at, std::string axis) {
    return apply(StoreAt{std::move(stage), std::move(at), std::move(axis)});
  }
  Schedule& compute_inline(std::string stage) { return apply(ComputeInline{std::move(stage)}); }
  Schedule& compute_root(std::string stage) { return apply(ComputeRoot{std::move(stage)}); }
  Schedule& cache_read(std::string stage, Names readers, std::string into, ir::Scope scope = ir::Scope::kGlobal) {
    return apply(CacheRead{std::move(stage), std::move(readers), std::move(into), scope});
  }
  Schedule& cache_write(std::string stage, std::string into, ir::Scope scope = ir::Scope::kGlobal) {
    return apply(CacheWrite{std::move(stage), std::move(into), scope});
  }
  Schedule& rfactor(std::string stage, std::string axis, std::string into) {
    return apply(Rfactor{std::move(stage), std::move(axis), std::move(into)});
  }
  Schedule& finish_in_last_block(std::string stage) { return apply(FinishInLastBlock{std::move(stage)}); }
  Schedule& decompose_reduction(std::string stage, std::string axis) {
    return apply(DecomposeReduction{std::move(stage), std::move(axis)});
  }
  Schedule& set_scope(std::string stage, ir::Scope scope) { return apply(SetScope{std::move(stage), scope}); }
  Schedule& transform_layout(std::string stage, std::vector<LayoutPiece> order) {
    return apply(TransformLayout{std::move(stage), std::move(order)});
  }
  Schedule& pack(std::string stage, Names readers, std::string into, std::vector<LayoutPiece> order) {
    return apply(Pack{std::move(stage), std::move(readers), std::move(into), std::move(order)});
  }
  Schedule& tensorize(std::string stage, Names axes, std::string intrinsic) {
    return apply(Tensorize{std::move(stage), std::move(axes), std::move(intrinsic), ir::Tail::kPartition});
  }
  Schedule& outline(std::string stage, std::string axis) { return apply(Outline{std::move(stage), std::move(axis)}); }
  Schedule& prefetch(std::string stage, std::string axis, std::string tensor, Param distance, int locality = 3, bool write = false) {
    return apply(Prefetch{std::move(stage), std::move(axis), std::move(tensor), std::move(distance), locality, write});
  }
  Schedule& streaming_store(std::string stage) { return apply(StreamingStore{std::move(stage)}); }
  Schedule& storage_align(std::string stage, std::string axis, Param factor, Param offset = 0) {
    return apply(StorageAlign{std::move(stage), std::move(axis), std::move(factor), std::move(offset)});
  }
  Schedule& swizzle(std::string stage, Param chunk) { return apply(Swizzle{std::move(stage), std::move(chunk)}); }
  Schedule& rolling_window(std::string stage) { return apply(RollingWindow{std::move(stage)}); }
  Schedule& annotate(std::string stage, std::string axis, std::string key, std::int64_t value) {
    return apply(Annotate{std::move(stage), std::move(axis), std::move(key), value});
  }

  const State& state() const { return state_; }
  const StepList& steps() const { return steps_; }

 private:
  State state_;
  StepList steps_;
};

}  // namespace tessera::schedule
