#include "polyhedral/detail/cuda_kernel.h"

#include <algorithm>
#include <bit>

#include "polyhedral/detail/cuda_elements.h"
#include "polyhedral/detail/cuda_product.h"
#include "polyhedral/detail/cuda_threads.h"
#include "polyhedral/detail/reads.h"
#include "schedule/scan.h"

namespace tessera::polyhedral::detail {

namespace {

using schedule::AxisKind;
using schedule::Stage;

constexpr double kLongRow = 32;     // terms from which on threads share a sum
constexpr double kFewRows = 65536;  // results that leave threads idle when each has one

Status product_kernel_of(Draft& d, const std::string& name, const ir::CudaArch& arch) {
  TESSERA_TRY(sums, sums_of(d, name));
  const std::size_t rank = d.stage(name).data_axes().size();
  const ProductShape shape = *product_shape(d.stage(sums));
  const BlockTile tile = choose_tile(d.stage(sums), shape, arch, std::nullopt, std::vector<bool>(rank));
  const auto block = tile_product(d, {name, sums, std::vector<bool>(rank, true), {}}, shape, tile, arch);
  return block.ok() ? Status(Done{}) : Status(block.refusal());
}

/// Data axes in the order of neighbouring threads: of a reduction last the one along which it reads neighbours.
Names axes_for_threads(const Draft& d, const std::string& name, const std::string& sums) {
  const Stage& s = d.stage(name);
  if (s.is_scan()) {
    Names out;
    const std::vector<bool> independent = schedule::independent_dimensions(d.state, s);
    for (std::size_t i = 0; i < independent.size(); ++i) {
      if (independent[i]) out.push_back(s.roots[i].axis);
    }
    return out;
  }
  Names out = s.data_axes();
  if (sums.empty() || out.empty() || contiguity(d.stage(sums), d.stage(sums).roots[out.size() - 1].coordinate).moves) return out;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!contiguity(d.stage(sums), d.stage(sums).roots[i].coordinate).moves) continue;
    std::rotate(out.begin() + static_cast<std::ptrdiff_t>(i), out.begin() + static_cast<std::ptrdiff_t>(i) + 1, out.end());
    break;
  }
  return out;
}

/// `count` elements of the data axes beside each other a block; `lanes` threads a result, 0: one.
Status elements_kernel_of(Draft& d, const std::string& name, const std::string& sums, std::int64_t count, std::int64_t lanes) {
  const Names axes = axes_for_threads(d, name, sums);
  BlockStage s{name, {}, {}};
  if (!axes.empty()) {
    Names order = axes;
    for (const std::string& leaf : d.stage(name).leaves) {
      if (std::find(axes.begin(), axes.end(), leaf) == axes.end()) order.push_back(leaf);
    }
    if (order != d.stage(name).leaves) TESSERA_TRY_DONE(d.step(schedule::Reorder{name, order}));
    TESSERA_TRY(f, fused(d, name, axes, "f"));
    TESSERA_TRY_DONE(d.step(schedule::Split{name, f, {f + ".b", f + ".t"}, {count}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(d.step(schedule::Bind{name, f + ".b", ir::ForKind::kBlockX}));
    s.grid = {f + ".b"};
    s.tile = {f + ".t"};
  }
  return lanes > 0 ? join_threads(d, s, sums, lanes, kThreadsOfBlock) : spread_elements(d, s, sums, count);
}

/// A long reduction of few results: chunks of its outermost axis are a stage of their own.
Status cut_reduction(Draft& d, const std::string& name, std::int64_t chunks) {
  const Stage& s = d.stage(name);
  const schedule::RootAxis k = s.roots[s.data_axes().size()];
  const std::int64_t chunk = (k.extent + chunks - 1) / chunks;
  TESSERA_TRY_DONE(d.step(schedule::Split{name, k.axis, {k.axis + ".o", k.axis + ".i"}, {chunk}, ir::Tail::kPartition}));
  return d.step(schedule::Rfactor{name, k.axis + ".o", name + ".part"});
}

/// Chunks of a reduction that give all threads something to do; 1: they are not worth a kernel.
std::int64_t chunks_of(const Stage& s, const ir::CudaArch& arch) {
  constexpr double kLong = 1024, kShortest = 64;
  const double results = volume(s, AxisKind::kData), length = volume(s, AxisKind::kReduce);
  const bool joined = joins_threads(s);
  const double wanted = joined ? 2.0 * arch.sms / results : kFewRows / results, shortest = joined ? kLong : kShortest;
  if (length < (joined ? 8 * kLong : kLong)) return 1;
  return power_below(std::min({wanted, length / shortest, static_cast<double>(s.roots[s.data_axes().size()].extent)}));
}

/// Threads that add up a result of a kernel's: a warp, more of long rows, all where results are few.
std::int64_t lanes_for(const Stage& sums, const ir::CudaArch& arch) {
  constexpr double kOfThread = 32;  // terms
  if (volume(sums, AxisKind::kData) < 2 * arch.sms) return kThreadsOfBlock;
  return std::clamp<std::int64_t>(power_below(volume(sums, AxisKind::kReduce) / kOfThread), ir::kWarp, kThreadsOfBlock);
}

}  // namespace

bool joins_threads(const Stage& s) {
  return s.is_reduction() && !s.is_scan() && volume(s, AxisKind::kReduce) >= kLongRow && lies_along(s);
}

std::int64_t threads_for(double elements) {
  return std::min<std::int64_t>(kThreadsOfBlock, static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(std::max(1.0, elements)))));
}

Result<std::string> sums_of(Draft& d, const std::string& name) {
  const Stage& s = d.stage(name);
  if (!s.is_reduction() || s.is_scan()) return std::string();
  if (s.outputs.size() > 1 || s.data_axes().empty()) return name;
  const std::string sums = name + ".acc";
  TESSERA_TRY_DONE(d.step(schedule::CacheWrite{name, sums, ir::Scope::kGlobal}));
  return sums;
}

Status reduction_kernel_of(Draft& d, const std::string& host, const std::string& reduction, const ir::CudaArch& arch) {
  if (const std::int64_t chunks = chunks_of(d.stage(reduction), arch); chunks > 1) {
    TESSERA_TRY_DONE(cut_reduction(d, reduction, chunks));
    TESSERA_TRY_DONE(kernel_of(d, reduction + ".part", arch));
  }
  std::string sums = reduction;
  if (host == reduction) {
    TESSERA_TRY(own, sums_of(d, host));
    sums = own;
  }
  const std::int64_t lanes = joins_threads(d.stage(sums)) ? lanes_for(d.stage(sums), arch) : 0;
  return elements_kernel_of(d, host, sums, lanes > 0 ? kThreadsOfBlock / lanes : threads_for(volume(d.stage(host), AxisKind::kData)), lanes);
}

Status kernel_of(Draft& d, const std::string& stage, const ir::CudaArch& arch) {
  const Stage& s = d.stage(stage);
  if (product_shape(s)) return product_kernel_of(d, stage, arch);
  if (s.is_reduction() && !s.is_scan()) return reduction_kernel_of(d, stage, stage, arch);
  const bool plain = !s.is_scan() && s.outputs.size() == 1 && !s.data_axes().empty();
  if (plain && crosses(d, stage)) return transposed_kernel_of(d, stage);
  return plain ? vectors_kernel_of(d, stage) : plain_kernel_of(d, stage);
}

Status plain_kernel_of(Draft& d, const std::string& stage) {
  TESSERA_TRY(sums, sums_of(d, stage));
  return elements_kernel_of(d, stage, sums, threads_for(volume(d.stage(stage), AxisKind::kData)), 0);
}

}  // namespace tessera::polyhedral::detail
