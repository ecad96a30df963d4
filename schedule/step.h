// All primitives as one closed set: JSON both ways, equality, printing and replay are generic. To add
// one: schedule/steps/<word>.h/.cpp, a line in the variant, a method of Schedule (schedule/schedule.h).
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"
#include "schedule/steps/annotate.h"
#include "schedule/steps/bind.h"
#include "schedule/steps/cache_read.h"
#include "schedule/steps/cache_write.h"
#include "schedule/steps/compute_at.h"
#include "schedule/steps/compute_inline.h"
#include "schedule/steps/compute_root.h"
#include "schedule/steps/decompose_reduction.h"
#include "schedule/steps/finish_in_last_block.h"
#include "schedule/steps/fuse.h"
#include "schedule/steps/outline.h"
#include "schedule/steps/pack.h"
#include "schedule/steps/pad_box.h"
#include "schedule/steps/parallel.h"
#include "schedule/steps/pipeline.h"
#include "schedule/steps/prefetch.h"
#include "schedule/steps/reorder.h"
#include "schedule/steps/rfactor.h"
#include "schedule/steps/rolling_window.h"
#include "schedule/steps/set_scope.h"
#include "schedule/steps/split.h"
#include "schedule/steps/spread.h"
#include "schedule/steps/storage_align.h"
#include "schedule/steps/store_at.h"
#include "schedule/steps/streaming_store.h"
#include "schedule/steps/swizzle.h"
#include "schedule/steps/tensorize.h"
#include "schedule/steps/tile.h"
#include "schedule/steps/transform_layout.h"
#include "schedule/steps/unroll.h"
#include "schedule/steps/use_algorithm.h"
#include "schedule/steps/vectorize.h"

namespace tessera::schedule {

using Step = std::variant<Annotate, Bind, CacheRead, CacheWrite, ComputeAt, ComputeInline, ComputeRoot, DecomposeReduction,
                          FinishInLastBlock, Fuse, Outline, Pack, PadBox, Parallel, Pipeline, Prefetch, Reorder, Rfactor, RollingWindow, SetScope, Split, Spread,
                          StorageAlign, StoreAt, StreamingStore, Swizzle, Tensorize, Tile, TransformLayout, Unroll, UseAlgorithm, Vectorize>;

using StepList = std::vector<Step>;
using Plan = std::variant<StepList, PolyhedralDecisions>;

const char* step_name(const Step& s);
Result<State> apply_step(const State& state, const Step& step);
/// Applies all in order; a refusal says which step it was.
Result<State> replay(const State& initial, const StepList& steps);

/// {"split": {"stage": "C", "axis": "i", "into": ["i0", "i1"], "factors": [16]}}
Json to_json_value(const Step& s);
Status from_json_value(const Json& j, Step& out);
/// {"steps": [...]} or {"polyhedral": {...}}
Json to_json_value(const Plan& p);
Status from_json_value(const Json& j, Plan& out);

/// split(C, i -> i0 i1, factors 16)  - one line, for people.
std::string to_string(const Step& s);

/// Every open hole of the list replaced by its value; refuses a hole without one.
Result<StepList> fill_holes(const StepList& steps, const std::map<std::string, std::int64_t>& values);
/// Names of the open holes in order of first use.
std::vector<std::string> open_holes(const StepList& steps);

}  // namespace tessera::schedule
