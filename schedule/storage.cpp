#include "schedule/storage.h"

#include <algorithm>

#include "ir/rewrite.h"
#include "schedule/geometry.h"
#include "schedule/rolling.h"

namespace tessera::schedule {

namespace {

/// Splits with tail `pad` write whole tiles. Where the box is stored around several places of
/// computation, their tiles start anywhere inside it.
std::vector<std::int64_t> stored_extents(const Stage& s, const Box& box) {
  const bool aligned = !s.store_at || *s.store_at == s.at;
  std::vector<std::int64_t> out = box.bound;
  for (const Relation& r : s.relations) {
    if (r.kind != Relation::Kind::kSplit || r.tail != ir::Tail::kPad) continue;
    for (std::size_t d = 0; d < out.size(); ++d) {
      if (s.roots[d].axis != r.whole) continue;
      out[d] = aligned ? (out[d] + r.factor - 1) / r.factor * r.factor : out[d] + r.factor - 1;
    }
  }
  return out;
}

/// Strides grow until they are what the alignments ask for; inner ones first, as outer ones follow.
Result<ir::Layout> aligned(const Stage& s, ir::Layout layout) {
  for (std::size_t i = layout.digits().size(); i-- > 0;) {
    const ir::LayoutDigit& digit = layout.digits()[i];
    const auto outermost = std::find_if(layout.digits().begin(), layout.digits().end(), [&](const ir::LayoutDigit& d) { return d.dim == digit.dim; });
    for (const StrideAlignment& a : s.alignments) {
      if (a.dim != digit.dim || &*outermost != &digit) continue;
      if (i + 1 == layout.digits().size()) {
        // Only because all inside it have one element here: neighbours are whole rows then.
        if (a.dim != (s.layout.empty() ? static_cast<int>(s.data_axes().size()) - 1 : s.layout.back().dim)) break;
        return refuse("dimension '", s.data_axes()[static_cast<std::size_t>(a.dim)], "' of stage '", s.name,
                      "' is the innermost of its storage; its elements stay neighbours, align a dimension further out");
      }
      const std::int64_t missing = ((a.offset - digit.stride) % a.factor + a.factor) % a.factor;
      TESSERA_TRY(wider, layout.padded(i, digit.stride + missing));
      layout = std::move(wider);
      break;
    }
  }
  return layout;
}

int bits_of(std::int64_t power_of_two) { return __builtin_ctzll(static_cast<unsigned long long>(power_of_two)); }

/// Chunk c of row r lies at c ^ (r mod chunks of 128 bytes); of rows that several make 128 bytes, r counts those.
Result<ir::Layout> swizzled(const Stage& s, ir::Layout layout) {
  constexpr std::int64_t kBankBytes = 128;  // 32 banks of 4
  std::int64_t row = 1;
  for (const ir::LayoutDigit& d : layout.digits()) row = d.extent > 1 ? d.extent : row;
  const std::int64_t chunks = row / s.swizzle;
  if (chunks == 0 || row % s.swizzle != 0 || (chunks & (chunks - 1)) != 0) {
    return refuse("the rows of stage '", s.name, "' have ", row, " elements, which is no power of two of chunks of ", s.swizzle,
                  "; take other tiles, or keep rows apart by storage_align");
  }
  const std::int64_t period = kBankBytes / (s.swizzle * s.outputs[0]->dtype.bytes());
  const int to = bits_of(s.swizzle), from = to + bits_of(std::max(chunks, period));
  std::vector<ir::SwizzleBit> bits;
  for (int i = 0; i < bits_of(std::min(chunks, period)); ++i) bits.push_back({to + i, from + i});
  return layout.swizzled(std::move(bits));
}

Result<ir::Layout> arranged(const Stage& s, ir::Layout layout) {
  return s.swizzle != 0 ? swizzled(s, std::move(layout)) : aligned(s, std::move(layout));
}

Result<ir::Layout> stored_layout(const Stage& s, const std::vector<std::int64_t>& extents) {
  if (s.layout.empty()) return arranged(s, ir::Layout::row_major(extents));
  // Innermost pieces first, so that each divisor is the product of the blocks inside.
  std::vector<ir::LayoutDigit> digits(s.layout.size());
  std::vector<std::int64_t> inside(extents.size(), 1);
  for (std::size_t i = s.layout.size(); i-- > 0;) {
    const LayoutPart& p = s.layout[i];
    const auto d = static_cast<std::size_t>(p.dim);
    const std::int64_t rest = (extents[d] + inside[d] - 1) / inside[d];
    const std::int64_t n = p.factor == 0 ? rest : p.factor;
    digits[i] = {p.dim, inside[d], n, 1};
    inside[d] *= n;
  }
  TESSERA_TRY(layout, ir::Layout::tiled(extents, std::move(digits)));
  return arranged(s, std::move(layout));
}

bool depends_on_constants_alone(const State& state, const Stage& s, const std::vector<std::string>& prepared) {
  bool constant = true, reads = false;
  for (const Expr& body : s.body) {
    ir::walk(body, [&](const Expr& e) {
      const auto* l = e.as<ir::Load>();
      if (l == nullptr) return true;
      reads = true;
      const Stage* p = state.producer(l->buffer.get());
      const bool ahead = p != nullptr && std::find(prepared.begin(), prepared.end(), p->name) != prepared.end();
      constant &= p != nullptr && (p->kind == dsl::OperationKind::kConstant || ahead);
      return true;
    });
  }
  return constant && reads;
}

}  // namespace

Exprs StoredBox::index(const Exprs& logical) const {
  Exprs out;
  for (std::size_t d = 0; d < logical.size(); ++d) {
    const bool rolls = d < window.size() && window[d] > 0;
    out.push_back(rolls ? ir::floormod(logical[d], ir::int_imm(window[d])) : logical[d] - base[d]);
    if (d == 0 && slot.defined()) out.back() = out.back() + slot;
  }
  return out;
}

Result<StoredBox> stored_box(const State& state, const Stage& s) {
  Box box = s.region;
  if (s.store_at || s.rolling) {
    TESSERA_TRY(kept, required_region(state, s, fixed_at(state, s.rolling ? s.at : *s.store_at)));
    box = std::move(kept);
  }
  StoredBox out;
  out.base = box.lo;
  if (s.rolling) {
    TESSERA_TRY(d, rolling_dimension(state, s, box));
    out.window.assign(box.lo.size(), 0);
    out.window[d] = box.bound[d];
  }
  out.extents = stored_extents(s, box);
  if (s.slots > 1) {
    const Var loop = state.find(s.at.stage)->find_axis(s.at.axis)->var;
    out.slot = ir::floormod(loop, ir::int_imm(s.slots)) * ir::int_imm(out.extents[0]);
    out.extents[0] *= s.slots;
  }
  TESSERA_TRY(layout, stored_layout(s, out.extents));
  out.layout = std::move(layout);
  return out;
}

int slots_at(const State& state, const Stage& s, const std::string& leaf) {
  int slots = 1;
  for (std::size_t i = 0; i < state.size(); ++i) {
    const Stage& q = state.stage(i);
    if (q.placement == Placement::kAt && q.at == Attach{s.name, leaf}) slots = std::max(slots, q.slots);
  }
  return slots;
}

std::int64_t PrefetchedLines::count() const {
  std::int64_t n = 1;
  for (const std::int64_t c : counts) n = std::min(n * c, std::int64_t{1} << 40);
  return n;
}

Result<PrefetchedLines> prefetched_lines(const State& state, const Stage& s, const PrefetchMark& mark) {
  constexpr std::int64_t kLineBytes = 64;
  const Stage& tensor = *state.find(mark.tensor);
  TESSERA_TRY(box, touched_box(state, s, mark.axis, tensor, mark.write));
  const Buffer& b = tensor.outputs[0];
  const bool own = !tensor.is_input() && !tensor.is_output;
  ir::Layout layout = b->layout;
  if (own) {
    TESSERA_TRY(stored, stored_box(state, tensor));
    layout = stored.layout;
  }
  const Var v = s.find_axis(mark.axis)->var;
  PrefetchedLines out;
  std::size_t widest = 0;
  for (std::size_t d = 0; d < box.lo.size(); ++d) {
    out.lo.push_back(ir::substitute(box.lo[d], v, v + mark.distance));
    if (layout.vector_width(static_cast<int>(d)) > layout.vector_width(static_cast<int>(widest))) widest = d;
  }
  for (std::size_t d = 0; d < box.lo.size(); ++d) {
    const std::int64_t neighbours = std::min(kLineBytes / std::max(1, b->dtype.bytes()), layout.vector_width(static_cast<int>(d)));
    const std::int64_t step = d == widest ? std::max<std::int64_t>(1, neighbours) : 1;
    out.step.push_back(step);
    out.counts.push_back((box.bound[d] + step - 1) / step);
  }
  return out;
}

std::vector<std::string> prepared_stages(const State& state) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < state.size(); ++i) {
    const Stage& s = state.stage(i);
    if (s.is_input() || s.is_output || s.placement != Placement::kRoot) continue;
    // What is computed inside the stage would have to run ahead with it.
    bool alone = true;
    for (std::size_t q = 0; q < state.size(); ++q) {
      alone &= !(state.stage(q).placement == Placement::kAt && state.stage(q).at.stage == s.name);
    }
    if (alone && depends_on_constants_alone(state, s, out)) out.push_back(s.name);
  }
  return out;
}

}  // namespace tessera::schedule
