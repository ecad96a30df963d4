// The regions of a point's stages: what geometry.cpp does for a state. Spans are built as if nothing
// were known of loop variables, and a box simplified under their ranges at the end, there as here.
#include <algorithm>

#include "schedule/detail/point_geometry.h"

namespace tessera::schedule::detail {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

}  // namespace

IndexSum PointGeometry::span_extent(Atom axis, const PlaceShape& place) {
  IndexSum e = axis_extent(axis);
  VariableSet moving = stage_of(axis).leaves;
  for (std::size_t w = 0; w < moving.size(); ++w) moving[w] &= ~place.fixed[w];
  return algebra_.uses(e, moving) ? IndexSum(extent(axis)) : e;
}

PointGeometry::Span PointGeometry::full(Atom axis, const PlaceShape& place) {
  Span out;
  out.hi = span_extent(axis, place);
  out.hi.constant -= 1;
  out.whole = true;
  return out;
}

PointGeometry::Span PointGeometry::span(Atom axis, const PlaceShape& place) {
  const AxisShape& a = shape_of(axis);
  if (a.used_by >= 0) {
    const RelationShape& r = stage_of(axis).relations[at(a.used_by)];
    return r.kind == Relation::Kind::kSplit ? split_span(r, axis, place) : fuse_span(r, axis, place);
  }
  if ((place.fixed[at(axis) / 64] >> (axis % 64) & 1) == 0) return full(axis, place);
  Span out;
  out.lo = out.hi = algebra_.variable(axis);
  out.point = true;
  return out;
}

PointGeometry::Span PointGeometry::split_span(const RelationShape& r, Atom axis, const PlaceShape& place) {
  const Span o = span(r.outer, place), i = span(r.inner, place);
  if (o.whole && i.whole) return full(axis, place);
  const std::int64_t factor = number(r.factor);
  Span out;
  out.point = o.point && i.point;
  out.lo = algebra_.sum(i.lo, o.lo, factor);
  if (out.point) {
    out.hi = out.lo;
    return out;
  }
  if (o.point && i.whole && !r.guarded) {
    out.hi = algebra_.sum(span_extent(r.inner, place), o.lo, factor);
    out.hi.constant -= 1;
  } else {
    out.hi = algebra_.sum(i.hi, o.hi, factor);
  }
  IndexSum last = span_extent(axis, place);
  last.constant -= 1;
  out.hi = algebra_.least(out.hi, last);
  return out;
}

PointGeometry::Span PointGeometry::fuse_span(const RelationShape& r, Atom axis, const PlaceShape& place) {
  const Span p = span(r.whole, place);
  if (p.whole) return full(axis, place);
  const std::int64_t n = extent(r.inner);
  Span out;
  out.point = p.point;
  if (axis == r.outer) {
    out.lo = algebra_.divide(p.lo, n);
    out.hi = algebra_.divide(p.hi, n);
    return out;
  }
  if (p.point) {
    out.lo = out.hi = algebra_.modulo(p.lo, n);
    return out;
  }
  // A run inside one row of the inner axis keeps its place; any other may wrap around.
  const IndexSum row = algebra_.sum(algebra_.divide(p.hi, n), algebra_.divide(p.lo, n), -1);
  if (!row.is_constant() || row.constant != 0) return full(axis, place);
  out.lo = algebra_.modulo(p.lo, n);
  out.hi = algebra_.sum(out.lo, algebra_.sum(p.hi, p.lo, -1));
  return out;
}

void PointGeometry::atom_range(Atom atom, const PlaceShape& place, IndexSum& lo, IndexSum& hi) {
  const int first = static_cast<int>(shape_->axes.size());
  if (algebra_.is_variable(atom)) {
    const Span& s = atom < first ? span(atom, place) : coordinate_span(atom - first, place);
    lo = s.lo;
    hi = s.hi;
    return;
  }
  const IndexAlgebra::Parts p = algebra_.parts(atom);
  IndexSum a, b, x, y;
  index_range(p.first, place, a, b);
  switch (p.kind) {
    case IndexAlgebra::Kind::kDiv:
      lo = algebra_.divide(a, p.divisor);
      hi = algebra_.divide(b, p.divisor);
      break;
    case IndexAlgebra::Kind::kMod: {
      const IndexSum row = algebra_.sum(algebra_.divide(b, p.divisor), algebra_.divide(a, p.divisor), -1);
      if (row.is_constant() && row.constant == 0) {
        lo = algebra_.modulo(a, p.divisor);
        hi = algebra_.sum(lo, algebra_.sum(b, a, -1));
      } else {
        lo = IndexSum(0);
        hi = IndexSum(p.divisor - 1);
      }
      break;
    }
    case IndexAlgebra::Kind::kMin:
      index_range(p.second, place, x, y);
      lo = algebra_.least(a, x);
      hi = algebra_.least(b, y);
      break;
    default:
      index_range(p.second, place, x, y);
      lo = algebra_.greatest(a, x);
      hi = algebra_.greatest(b, y);
      break;
  }
}

void PointGeometry::index_range(const IndexSum& index, const PlaceShape& place, IndexSum& lo, IndexSum& hi) {
  lo = hi = IndexSum(index.constant);
  for (const IndexTerm& t : index) {
    IndexSum a, b;
    atom_range(t.atom, place, a, b);
    const bool up = t.coefficient > 0;
    algebra_.add(lo, up ? a : b, t.coefficient);
    algebra_.add(hi, up ? b : a, t.coefficient);
  }
}

Atom PointGeometry::joined_atom(const StageShape& s, Atom axis) const {
  const AxisShape& a = shape_of(axis);
  if (a.root >= 0) {
    const IndexSum& lo = regions_[at(a.stage)][at(a.root)].lo;
    const bool shifted = at(a.root) < s.rank && (!lo.is_constant() || lo.constant != 0);
    return shifted ? -1 : static_cast<Atom>(shape_->axes.size()) + s.roots[at(a.root)].slot;
  }
  const RelationShape& r = s.relations[at(a.made_by)];
  return r.kind == Relation::Kind::kFuse && joined_atom(s, r.outer) >= 0 && joined_atom(s, r.inner) >= 0 ? axis : -1;
}

IndexSum PointGeometry::joined(const StageShape& reader, IndexSum index) {
  bool changed = false;
  for (const RelationShape& r : reader.relations) {
    if (r.kind != Relation::Kind::kFuse || joined_atom(reader, r.whole) < 0) continue;
    const Atom outer = joined_atom(reader, r.outer), inner = joined_atom(reader, r.inner);
    const auto coefficient = [&](Atom a) {
      const auto t = std::find_if(index.begin(), index.end(), [&](const IndexTerm& x) { return x.atom == a; });
      return t == index.end() ? 0 : t->coefficient;
    };
    const std::int64_t k = coefficient(inner);
    if (k == 0 || coefficient(outer) != k * extent(r.inner)) continue;
    algebra_.add(index, algebra_.variable(outer), -k * extent(r.inner));
    algebra_.add(index, algebra_.variable(inner), -k);
    algebra_.add(index, algebra_.variable(r.whole), k);
    changed = true;
  }
  return changed ? IndexAlgebra::ordered(index) : index;
}

void PointGeometry::form_range(int reader, const Form& f, const PlaceShape& place, IndexSum& lo, IndexSum& hi) {
  const StageShape& s = shape_->stages[at(reader)];
  const bool fuses = std::any_of(s.relations.begin(), s.relations.end(), [](const RelationShape& r) { return r.kind == Relation::Kind::kFuse; });
  if (fuses && place.chain[at(reader)] != 0) return index_range(joined(s, evaluate(f, coordinates_)), place, lo, hi);
  if (!f.plain) return index_range(evaluate(f, coordinates_), place, lo, hi);
  lo = hi = IndexSum(f.constant);
  for (const auto& [coefficient, atom] : f.terms) {
    const Span& s = coordinate_span(shape_->atoms[at(atom)].slot, place);
    algebra_.add(lo, coefficient > 0 ? s.lo : s.hi, coefficient);
    algebra_.add(hi, coefficient > 0 ? s.hi : s.lo, coefficient);
  }
}

const PointGeometry::Span& PointGeometry::coordinate_span(Slot slot, const PlaceShape& place) {
  Span& out = spans_[at(slot)];
  if (span_place_[at(slot)] == place.id) return out;
  const auto [stage, d] = shape_->owners[at(slot)];
  const StageShape& q = shape_->stages[at(stage)];
  if (place.chain[at(stage)] == 0) {
    outside_spans(stage, place);
    return out;
  }
  out = span(q.roots[at(d)].axis, place);
  if (at(d) < q.rank) {
    const IndexSum& base = regions_[at(stage)][at(d)].lo;
    out.lo = algebra_.sum(base, out.lo);
    out.hi = algebra_.sum(base, out.hi);
  }
  span_place_[at(slot)] = place.id;
  return out;
}

/// Of all coordinates of a stage none of whose loops holds still.
void PointGeometry::outside_spans(int stage, const PlaceShape& place) {
  const StageShape& q = shape_->stages[at(stage)];
  Box inner;
  const Box* box = &regions_[at(stage)];
  const bool here = q.place.id == place.id && !q.stored_apart;  // its region is what it needs here
  if (q.placement == Placement::kAt && !here) {
    required_region(stage, place, inner);
    box = &inner;
    // A padded box begins inside of what is needed, and where that is less than the box it ends past it.
    for (std::size_t d = 0; d < q.rank; ++d) {
      if ((uneven_[at(stage)] >> d & 1) != 0) inner[d].extent.constant += regions_[at(stage)][d].bound;
    }
  }
  algebra_.use_bounds(false);
  for (std::size_t d = 0; d < q.roots.size(); ++d) {
    const RootShape& r = q.roots[d];
    const bool data = d < q.rank;
    Span& out = spans_[at(r.slot)];
    out.lo = data ? (*box)[d].lo : IndexSum(0);
    out.hi = algebra_.sum(out.lo, data ? (*box)[d].extent : IndexSum(number(r.extent)));
    out.hi.constant -= 1;
    span_place_[at(r.slot)] = place.id;
  }
}

void PointGeometry::required_region(int stage, const PlaceShape& place, Box& out) {
  const StageShape& s = shape_->stages[at(stage)];
  std::array<bool, kMostRank> seen{};
  std::array<IndexSum, kMostRank> lo, hi;
  algebra_.use_bounds(false);
  for (const int q : s.readers) {
    for (const int i : shape_->stages[at(q)].reads) {
      const ReadShape& read = shape_->reads[at(i)];
      if (read.stage != stage) continue;
      for (std::size_t d = 0; d < s.rank; ++d) {
        IndexSum a, b;
        form_range(q, read.index[d], place, a, b);
        lo[d] = seen[d] ? algebra_.least(lo[d], a) : a;
        hi[d] = seen[d] ? algebra_.greatest(hi[d], b) : b;
        seen[d] = true;
      }
    }
  }
  algebra_.use_bounds(true);
  if (s.padded && place.id == s.place.id) {
    uneven_[at(stage)] = 0;
    for (std::size_t d = 0; d < s.rank; ++d) uneven_[at(stage)] |= static_cast<std::uint8_t>((seen[d] && is_always_whole(lo[d], hi[d]) ? 0 : 1) << d);
  }
  const bool past = s.padded && is_read_past_end(s);
  for (std::size_t d = 0; d < s.rank; ++d) {
    const std::int64_t n = number(s.roots[d].extent);
    Dim& box = out[d];
    if (!seen[d]) {
      box.lo = IndexSum(0);
      box.extent = IndexSum(n);
      box.bound = n;
      continue;
    }
    box.lo = algebra_.greatest(algebra_.simplified(lo[d]), IndexSum(0));
    const IndexSum end = algebra_.simplified(hi[d]), last = past ? end : algebra_.least(end, IndexSum(n - 1));
    box.extent = algebra_.sum(last, box.lo, -1);
    box.extent.constant += 1;
    if (box.extent.composite) box.extent = IndexAlgebra::ordered(box.extent);
    const std::int64_t most = algebra_.range(box.extent).hi;
    box.bound = std::max<std::int64_t>(1, past ? most : std::min(n, most));
  }
  for (std::size_t d = 0; d < s.growth.size(); ++d) {
    if (s.growth[d] == Growth::kNone) continue;
    const std::int64_t n = number(s.roots[d].extent);
    Dim& box = out[d];
    box.extent = s.growth[d] == Growth::kFromFirst ? algebra_.sum(box.lo, box.extent) : IndexSum(n);
    box.bound = box.extent.is_constant() ? box.extent.constant : n;
    box.lo = IndexSum(0);
  }
}

bool PointGeometry::is_always_whole(const IndexSum& lo, const IndexSum& hi) { return algebra_.simplified(algebra_.sum(hi, lo, -1)).is_constant(); }

void PointGeometry::intersect(Box& a, const Box& b, std::size_t rank) {
  algebra_.use_bounds(true);
  for (std::size_t d = 0; d < rank; ++d) {
    const IndexSum lo = algebra_.greatest(a[d].lo, b[d].lo);
    const IndexSum end = algebra_.least(algebra_.sum(a[d].lo, a[d].extent), algebra_.sum(b[d].lo, b[d].extent));
    a[d].extent = algebra_.sum(end, lo, -1);
    a[d].lo = lo;
    a[d].bound = std::min(a[d].bound, b[d].bound);
  }
}

}  // namespace tessera::schedule::detail
