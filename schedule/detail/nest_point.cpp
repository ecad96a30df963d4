#include "schedule/detail/nest_point.h"

namespace tessera::schedule::detail {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

}  // namespace

bool NestPoint::summarize(const NestShape& shape, std::span<const std::int64_t> holes, ir::NestSummary& out) {
  shape_ = &shape;
  geometry_.begin(shape, holes);
  out.statements.resize(shape.statements.size());
  for (std::size_t i = 0; i < shape.statements.size(); ++i) statement(shape.statements[i], out.statements[i]);
  return geometry_.told();
}

void NestPoint::statement(const StatementShape& s, ir::StatementSummary& out) {
  geometry_.enter(s.stage);
  out.stage = shape_->stages[at(s.stage)].name;
  out.phase = s.phase;
  out.prepared = s.prepared;
  out.last_block = s.last_block;
  out.intrinsic = s.intrinsic;
  out.ops = s.ops;
  loops(s, out);
  accesses_ = 0;
  const std::size_t values = shape_->stages[at(s.stage)].buffers.size();
  for (std::size_t v = 0; v < values; ++v) own(s, v, true, out);
  for (const StatementShape::Part& p : s.parts) {
    for (const std::size_t v : p.accumulated) own(s, v, false, out);
    items(p.items.data(), p.items.data() + p.items.size(), out);
  }
  out.accesses.resize(accesses_);
}

void NestPoint::loops(const StatementShape& s, ir::StatementSummary& out) {
  loops_.clear();
  out.loops.clear();
  for (std::size_t l = 0; l < s.loops.size(); ++l) {
    const Atom a = s.loops[l];
    const ir::ForKind kind = shape_->axes[at(a)].loop;
    // Loops that run once disappear when lowering simplifies, unless they are lanes.
    if (geometry_.extent(a) == 1 && kind != ir::ForKind::kVector) continue;
    loops_.push_back(a);
    const Number unroll = shape_->axes[at(a)].unroll;
    out.loops.push_back({geometry_.extent(a), kind, ir::copies_of(kind, geometry_.extent(a), unroll < 0 ? 1 : geometry_.number(unroll)), l < s.plain_from ? slots_of(a) : 1});
  }
}

std::int64_t NestPoint::slots_of(Atom loop) const {
  std::int64_t out = 1;
  for (const Number n : shape_->axes[at(loop)].slots) out = std::max(out, geometry_.number(n));
  return out;
}

void NestPoint::own(const StatementShape& s, std::size_t value, bool write, ir::StatementSummary& out) {
  for (std::size_t d = 0; d < s.own.size(); ++d) index_[d] = geometry_.value(s.own[d]);
  access(s.stage, value, write, out);
}

void NestPoint::items(const WorkItem* i, const WorkItem* last, ir::StatementSummary& out) {
  while (i != last) {
    const WorkItem& item = *i++;
    if (item.kind == WorkItem::Kind::kOps) {
      out.ops += item.ops;
      continue;
    }
    if (item.kind == WorkItem::Kind::kRead) {
      const ReadShape& read = shape_->reads[at(item.index)];
      for (std::size_t d = 0; d < read.index.size(); ++d) index_[d] = geometry_.form(read.index[d]);
      access(read.stage, read.value, false, out);
      continue;
    }
    // A branch that this place always or never takes is none once lowering has simplified it.
    const WorkItem *yes = i + item.lengths[0], *no = yes + item.lengths[1], *end = no + item.lengths[2];
    const Truth t = decide(item.index);
    if (t == Truth::kOpen) {
      ++out.ops.select;
      items(i, end, out);
    } else {
      items(t == Truth::kTrue ? yes : no, t == Truth::kTrue ? no : end, out);
    }
    i = end;
  }
}

void NestPoint::access(int stage, std::size_t value, bool write, ir::StatementSummary& out) {
  if (out.accesses.size() == accesses_) out.accesses.emplace_back();
  ir::AccessSummary& a = out.accesses[accesses_++];
  const StageShape& s = shape_->stages[at(stage)];
  const PointGeometry::Stored& stored = geometry_.stored(stage);
  IndexAlgebra& algebra = geometry_.algebra();
  a.buffer = s.buffers[value];
  a.write = write;
  a.scope = s.scope;
  a.element_bytes = s.element_bytes[value];
  a.elements = stored.elements;
  a.row = stored.row;
  const std::size_t rank = s.stored_whole ? s.shape.size() : s.rank;
  for (std::size_t d = 0; d < rank && stored.box != nullptr; ++d) algebra.add(index_[d], (*stored.box)[d].lo, -1);
  if (stored.slots > 1) algebra.add(index_[0], algebra.modulo(algebra.variable(s.slot_loop), stored.slots), stored.in_slot);
  IndexSum offset;
  for (const PointGeometry::Digit& d : stored.digits) {
    IndexSum v = algebra.divide(index_[d.dim], d.divisor);
    if (d.wraps) v = algebra.modulo(v, d.extent);
    algebra.add(offset, v, d.stride);
  }
  if (a.elements == 1) offset = IndexSum(0);  // wherever the box lies
  strides(offset, a);
}

void NestPoint::strides(const IndexSum& offset, ir::AccessSummary& out) {
  const IndexAlgebra& algebra = geometry_.algebra();
  out.regular = true;
  out.strides.clear();
  for (const Atom loop : loops_) {
    std::int64_t stride = 0;
    bool elsewhere = false;
    for (const IndexTerm& t : offset) {
      if (t.atom == loop) stride = t.coefficient;
      elsewhere |= !algebra.is_variable(t.atom) && algebra.uses(t.atom, loop);
    }
    out.regular &= !elsewhere;
    out.strides.push_back(elsewhere ? 0 : stride);
  }
}

NestPoint::Truth NestPoint::compare(ConditionShape::Kind kind, const IndexSum& a, const IndexSum& b) {
  using Kind = ConditionShape::Kind;
  const ir::Interval r = geometry_.algebra().difference(a, b);
  const auto known = [](bool yes, bool no) { return yes ? Truth::kTrue : no ? Truth::kFalse : Truth::kOpen; };
  const bool zero = r == ir::Interval::point(0), never = !r.contains(0);
  switch (kind) {
    case Kind::kLess: return known(r.hi < 0, r.lo >= 0);
    case Kind::kLessEqual: return known(r.hi <= 0, r.lo > 0);
    case Kind::kEqual: return known(zero, never);
    default: return known(never, zero);
  }
}

NestPoint::Truth NestPoint::decide(int condition) {
  using Kind = ConditionShape::Kind;
  const ConditionShape& c = shape_->conditions[at(condition)];
  switch (c.kind) {
    case Kind::kConstant: return c.value ? Truth::kTrue : Truth::kFalse;
    case Kind::kOpen: return Truth::kOpen;
    case Kind::kInside: {
      const Guard& g = shape_->guards[at(c.first)];
      if (!geometry_.open(g)) return Truth::kTrue;
      return compare(Kind::kLess, geometry_.guarded_value(g), IndexSum(geometry_.guarded_count(g)));
    }
    case Kind::kNot: {
      const Truth t = decide(c.first);
      return t == Truth::kOpen ? t : t == Truth::kTrue ? Truth::kFalse : Truth::kTrue;
    }
    case Kind::kAnd:
    case Kind::kOr: {
      const Truth settles = c.kind == Kind::kAnd ? Truth::kFalse : Truth::kTrue;
      const Truth x = decide(c.first), y = decide(c.second);
      if (x == settles || y == settles) return settles;
      return x == Truth::kOpen ? x : y;
    }
    default: return compare(c.kind, geometry_.form(c.a), geometry_.form(c.b));
  }
}

}  // namespace tessera::schedule::detail
