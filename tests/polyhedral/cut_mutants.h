// Structured loops with one deliberate defect: what the verifier is to refuse and the interpreter to see.
//
//   for (int site = 0;; ++site) {
//     const auto wrong = mutated(program, CutMutant::kStoreNext, site);
//     if (!wrong) break;                       // no such place any more
//     ...
//   }
// A mutant of a place may happen to be a correct program; the interpreter decides.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "ir/analysis/affine.h"
#include "ir/program.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"

namespace tessera::polyhedral::test {

enum class CutMutant {
  kExtentShort,        // a loop runs one time less
  kExtentLong,         // and one time more
  kStartsLate,         // a loop leaves its first iteration out
  kMinFirst,           // of the minimum of two counts, the first alone
  kMinSecond,          // and the second
  kGuardDropped,       // a guard is dropped
  kGuardLooser,        // `<` becomes `<=`
  kGuardTighter,       // a < b becomes a + 1 < b
  kParallel,           // a serial loop runs in parallel
  kVector,             // and as a vector
  kBlocks,             // and over blocks
  kThreads,            // and over threads
  kSwapped,            // neighbouring statements change places
  kDropped,            // a statement is dropped
  kTwice,              // a statement runs twice
  kHoisted,            // the first statement of a loop's body stands before the loop, for its first iteration
  kSunk,               // a statement before a loop stands inside of it
  kLastIntoLoop,       // a statement after a loop stands inside of it
  kOutOfLoop,          // the last statement of a loop's body stands after the loop, for its last iteration
  kStoreNext,          // a store goes to the next element of its last dimension
  kStoreBefore,        // and to the one before in its first
  kStoreSwapped,       // two indices of a store are exchanged
  kLoadNext,           // a read takes the next element of its last dimension
  kLoadBefore,         // and the one before in its first
  kLoadSwapped,        // two indices of a read are exchanged
  kLoadFixed,          // a read takes element 0 of its last dimension
  kBufferSmall,        // a buffer has one element less in its last dimension
  kAllocatedInside,    // a buffer lives for one iteration of the loop inside of its place
  kAllocatedOutside,   // and around the loop around it
  kTilesOverlap,       // a tile begins one element early for each tile before it
  kTilesApart,         // and one late
  kCoordinateNext,     // an instance claims the next element
  kStageTwice,         // an instance runs once more at the end of the program
  kStartDropped,       // a reduction is not initialised
  kStartInside,        // it is initialised in every iteration of its loop
  kStartOther,         // it starts from the wrong value
  kLaunchesSwapped,    // launches change places
  kLaunchDropped,      // one is missing
  kWindowSmall,        // a window of a buffer is one element shorter
  kJoinForgotten,      // threads that add up parts of a result do not join
  kJoinClaimed,        // threads claim to
  kInterchanged,       // a loop and the one directly inside of it change places
  kChoiceDropped,      // a lazy choice always takes its first side
  kChoiceTurned,       // its condition is turned round
  kCount,
};

inline const char* to_string(CutMutant m) {
  static constexpr const char* kNames[] = {
      "extent_short", "extent_long", "starts_late", "min_first", "min_second", "guard_dropped", "guard_looser", "guard_tighter", "parallel", "vector",
      "blocks", "threads", "swapped", "dropped", "twice", "hoisted", "sunk", "last_into_loop", "out_of_loop", "store_next",
      "store_before", "store_swapped", "load_next", "load_before", "load_swapped", "load_fixed", "buffer_small", "allocated_inside", "allocated_outside", "tiles_overlap",
      "tiles_apart", "coordinate_next", "stage_twice", "start_dropped", "start_inside", "start_other", "launches_swapped", "launch_dropped", "window_small", "join_forgotten",
      "join_claimed", "interchanged", "choice_dropped", "choice_turned"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(CutMutant::kCount));
  return kNames[static_cast<std::size_t>(m)];
}

namespace detail {

using ir::Expr;
using ir::Exprs;
using ir::make_stmt;
using ir::Stmt;
using ir::Stmts;

/// Applies one rewrite at the n-th place that takes it.
class Mutation {
 public:
  Mutation(CutMutant m, int site) : m_(m), left_(site) {}

  bool done() const { return left_ < 0; }

  Stmt stmt(const Stmt& s) {
    if (!s || done()) return s;
    if (const Stmt out = changed(s); out) return out;
    return ir::map_children(s, [&](const Expr& e) { return e.defined() ? expr(e) : e; }, [&](const Stmt& x) { return stmt(x); });
  }

  bool here() { return left_-- == 0; }

 private:
  static Stmt with_body(const ir::For& n, Stmt body) { return make_stmt<ir::For>(n.var, n.min, n.extent, n.loop, std::move(body), n.notes); }
  static Stmt loop(const ir::For& n, Expr min, Expr extent) { return make_stmt<ir::For>(n.var, min, extent, n.loop, n.body, n.notes); }
  static Stmt kind(const ir::For& n, ir::ForKind k) { return make_stmt<ir::For>(n.var, n.min, n.extent, k, n.body, n.notes); }

  static bool has_init(const Stmt& s) {
    bool found = false;
    ir::walk(s, [&](const Stmt& x) {
      const auto* n = x.as<ir::Instance>();
      found |= n != nullptr && n->phase == ir::Phase::kInit;
      return true;
    });
    return found;
  }

  static Exprs moved(Exprs index, bool next) {
    Expr& i = next ? index.back() : index.front();
    i = next ? i + 1 : i - 1;
    return index;
  }

  static std::optional<Exprs> exchanged(const Exprs& index) {
    for (std::size_t d = 1; d < index.size(); ++d) {
      if (ir::equal(index[d - 1], index[d])) continue;
      Exprs out = index;
      std::swap(out[d - 1], out[d]);
      return out;
    }
    return std::nullopt;
  }

  Stmt changed(const Stmt& s) {
    if (const auto* n = s.as<ir::For>()) return loop_changed(*n);
    if (const auto* n = s.as<ir::Block>()) return block_changed(*n);
    if (const auto* n = s.as<ir::IfThenElse>()) {
      if (m_ == CutMutant::kGuardDropped && !n->no && here()) return n->yes;
      const auto* less = n->condition.as<ir::LT>();
      if (less == nullptr) return {};
      if (m_ == CutMutant::kGuardLooser && here()) return make_stmt<ir::IfThenElse>(less->a <= less->b, n->yes, n->no);
      if (m_ == CutMutant::kGuardTighter && here()) return make_stmt<ir::IfThenElse>(less->a + 1 < less->b, n->yes, n->no);
    }
    if (const auto* n = s.as<ir::Instance>()) return instance_changed(*n);
    if (const auto* n = s.as<ir::Store>()) return store_changed(*n);
    if (const auto* n = s.as<ir::Allocate>()) {
      if (m_ == CutMutant::kBufferSmall && n->buffer->shape.size() > 0 && !ir::is_one(n->buffer->shape.back()) && here()) {
        Exprs shape = n->buffer->shape;
        shape.back() = shape.back() - 1;
        const ir::Buffer small = ir::Buffer::fresh(n->buffer->name, n->buffer->dtype, shape, n->buffer->scope);
        return make_stmt<ir::Allocate>(small, ir::replace_buffers(n->body, {{n->buffer->id, small}}));
      }
      const auto* inner = n->body.as<ir::For>();
      if (m_ == CutMutant::kAllocatedInside && inner != nullptr && here()) return with_body(*inner, make_stmt<ir::Allocate>(n->buffer, inner->body));
    }
    return {};
  }

  Stmt loop_changed(const ir::For& n) {
    const auto* min = n.extent.as<ir::Min>();
    switch (m_) {
      case CutMutant::kExtentShort: return here() ? loop(n, n.min, n.extent - 1) : Stmt();
      case CutMutant::kExtentLong: return here() ? loop(n, n.min, n.extent + 1) : Stmt();
      case CutMutant::kStartsLate: return here() ? loop(n, n.min + 1, n.extent - 1) : Stmt();
      case CutMutant::kMinFirst: return min != nullptr && here() ? loop(n, n.min, min->a) : Stmt();
      case CutMutant::kMinSecond: return min != nullptr && here() ? loop(n, n.min, min->b) : Stmt();
      case CutMutant::kParallel: return n.loop == ir::ForKind::kSerial && here() ? kind(n, ir::ForKind::kParallel) : Stmt();
      case CutMutant::kVector: return n.loop == ir::ForKind::kSerial && here() ? kind(n, ir::ForKind::kVector) : Stmt();
      case CutMutant::kBlocks: return n.loop == ir::ForKind::kSerial && here() ? kind(n, ir::ForKind::kBlockX) : Stmt();
      case CutMutant::kThreads: return n.loop == ir::ForKind::kSerial && here() ? kind(n, ir::ForKind::kThreadX) : Stmt();
      case CutMutant::kJoinForgotten:
      case CutMutant::kJoinClaimed: {
        const bool joins = n.notes.count("reduce") != 0;
        if (joins != (m_ == CutMutant::kJoinForgotten) || (!joins && n.loop != ir::ForKind::kSerial) || !here()) return {};
        auto notes = n.notes;
        if (joins) notes.erase("reduce");
        if (!joins) notes["reduce"] = 1;
        return make_stmt<ir::For>(n.var, n.min, n.extent, joins ? n.loop : ir::ForKind::kThreadX, n.body, notes);
      }
      case CutMutant::kInterchanged: {
        const auto* in = n.body.as<ir::For>();
        if (in == nullptr || ir::uses_var(in->extent, n.var.id()) || !here()) return {};
        return with_body(*in, with_body(n, in->body));
      }
      case CutMutant::kHoisted:
      case CutMutant::kOutOfLoop: {
        const auto* body = n.body.as<ir::Block>();
        if (body == nullptr || !here()) return {};
        Stmts rest = body->stmts;
        const bool first = m_ == CutMutant::kHoisted;
        const Stmt moved = first ? rest.front() : rest.back();
        rest.erase(first ? rest.begin() : rest.end() - 1);
        const Stmt around = with_body(n, ir::block(rest));
        const Stmt at = ir::substitute(moved, n.var, first ? n.min : n.min + n.extent - 1);
        return first ? ir::block({at, around}) : ir::block({around, at});
      }
      case CutMutant::kAllocatedOutside: {
        const auto* inner = n.body.as<ir::Allocate>();
        return inner != nullptr && here() ? make_stmt<ir::Allocate>(inner->buffer, with_body(n, inner->body)) : Stmt();
      }
      default: return {};
    }
  }

  Stmt block_changed(const ir::Block& n) {
    for (std::size_t i = 0; i < n.stmts.size(); ++i) {
      Stmts out = n.stmts;
      const auto at = out.begin() + static_cast<std::ptrdiff_t>(i);
      const bool last = i + 1 == out.size();
      const auto* next = last ? nullptr : out[i + 1].as<ir::For>();
      const auto* self = out[i].as<ir::For>();
      if (m_ == CutMutant::kSwapped && !last && here()) {
        std::swap(out[i], out[i + 1]);
        return ir::block(out);
      }
      if ((m_ == CutMutant::kDropped || (m_ == CutMutant::kStartDropped && has_init(out[i]) && out[i].as<ir::For>() == nullptr)) && here()) {
        out.erase(at);
        return ir::block(out);
      }
      if (m_ == CutMutant::kTwice && here()) {
        out.insert(at, out[i]);
        return ir::block(out);
      }
      if ((m_ == CutMutant::kSunk || (m_ == CutMutant::kStartInside && has_init(out[i]))) && next != nullptr && here()) {
        out[i + 1] = with_body(*next, ir::block({out[i], next->body}));
        out.erase(at);
        return ir::block(out);
      }
      if (m_ == CutMutant::kLastIntoLoop && !last && self != nullptr && here()) {
        out[i] = with_body(*self, ir::block({self->body, out[i + 1]}));
        out.erase(at + 1);
        return ir::block(out);
      }
    }
    return {};
  }

  Stmt instance_changed(const ir::Instance& n) {
    if (m_ == CutMutant::kCoordinateNext && !n.coordinates.empty() && here()) {
      Exprs c = n.coordinates;
      c.back() = c.back() + 1;
      return make_stmt<ir::Instance>(n.stage, n.phase, c, n.body);
    }
    if (m_ == CutMutant::kStartOther && n.phase == ir::Phase::kInit && here()) {
      const Stmt body = ir::rewrite_exprs(n.body, [&](const Expr& e) -> Expr {
        const bool value = e.as<ir::FloatImm>() != nullptr || (e.as<ir::IntImm>() != nullptr && !(e.type() == ir::i64));
        return value && !e.type().is_bool() ? ir::constant_of(e.type(), 3) : e;
      });
      return make_stmt<ir::Instance>(n.stage, n.phase, n.coordinates, body);
    }
    return {};
  }

  Stmt store_changed(const ir::Store& n) {
    const auto with = [&](Exprs index) { return make_stmt<ir::Store>(n.buffer, std::move(index), n.value, n.predicate); };
    if (n.indices.empty()) return {};
    if (m_ == CutMutant::kStoreNext && here()) return with(moved(n.indices, true));
    if (m_ == CutMutant::kStoreBefore && here()) return with(moved(n.indices, false));
    if (const auto swapped = exchanged(n.indices); m_ == CutMutant::kStoreSwapped && swapped && here()) return with(*swapped);
    return {};
  }

  Expr expr(const Expr& e) {
    if (done()) return e;
    if (const Expr out = expr_changed(e); out.defined()) return out;
    return ir::map_children(e, [&](const Expr& x) { return expr(x); });
  }

  Expr expr_changed(const Expr& e) {
    if (const auto* n = e.as<ir::Load>(); n != nullptr && !n->indices.empty()) {
      const auto with = [&](Exprs index) { return ir::Buffer(n->buffer).load(std::move(index)); };
      if (m_ == CutMutant::kLoadNext && here()) return with(moved(n->indices, true));
      if (m_ == CutMutant::kLoadBefore && here()) return with(moved(n->indices, false));
      if (const auto swapped = exchanged(n->indices); m_ == CutMutant::kLoadSwapped && swapped && here()) return with(*swapped);
      if (m_ == CutMutant::kLoadFixed && !ir::is_zero(n->indices.back()) && here()) {
        Exprs index = n->indices;
        index.back() = ir::int_imm(0);
        return with(index);
      }
    }
    if (const auto* n = e.as<ir::Mul>(); n != nullptr && e.type() == ir::i64 && (m_ == CutMutant::kTilesOverlap || m_ == CutMutant::kTilesApart)) {
      std::int64_t factor = 0;
      if (ir::is_const_int(n->b, &factor) && factor > 1 && here()) return n->a * ir::int_imm(factor + (m_ == CutMutant::kTilesApart ? 1 : -1));
    }
    if (const auto* n = e.as<ir::FloorMod>(); n != nullptr && m_ == CutMutant::kWindowSmall) {
      std::int64_t window = 0;
      if (ir::is_const_int(n->b, &window) && window > 1 && here()) return ir::floormod(n->a, ir::int_imm(window - 1));
    }
    if (const auto* n = e.as<ir::IfThenElseExpr>()) {
      if (m_ == CutMutant::kChoiceDropped && here()) return n->yes;
      if (m_ == CutMutant::kChoiceTurned && here()) return ir::if_then_else(!n->condition, n->yes, n->no);
    }
    return {};
  }

  CutMutant m_;
  int left_;
};

/// The statements of instance number `site`, with the loops around it, once more at the end.
inline std::optional<Stmt> repeated(const Stmt& body, int site) {
  const auto* block = body.as<ir::Block>();
  const Stmts stmts = block != nullptr ? block->stmts : Stmts{body};
  if (site >= static_cast<int>(stmts.size())) return std::nullopt;
  Stmts out = stmts;
  out.push_back(stmts[static_cast<std::size_t>(site)]);
  return ir::block(out);
}

}  // namespace detail

/// `p` with the defect at its `site`-th place; nothing when there are not so many places.
inline std::optional<ir::Program> mutated(const ir::Program& p, CutMutant m, int site) {
  ir::Program out = p;
  if (m == CutMutant::kLaunchesSwapped || m == CutMutant::kLaunchDropped) {
    const auto at = static_cast<std::size_t>(site);
    if (at + (m == CutMutant::kLaunchesSwapped ? 1 : 0) >= out.launches.size()) return std::nullopt;
    if (m == CutMutant::kLaunchesSwapped) std::swap(out.launches[at], out.launches[at + 1]);
    if (m == CutMutant::kLaunchDropped) out.launches.erase(out.launches.begin() + site);
    return out;
  }
  if (m == CutMutant::kStageTwice) {
    const auto body = detail::repeated(out.functions.back().body, site);
    if (!body) return std::nullopt;
    out.functions.back().body = *body;
    return out;
  }
  detail::Mutation mutation(m, site);
  for (ir::Function& f : out.functions) f.body = mutation.stmt(f.body);
  return mutation.done() ? std::optional(out) : std::nullopt;
}

}  // namespace tessera::polyhedral::test
