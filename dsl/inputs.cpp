#include "dsl/inputs.h"

#include <algorithm>
#include <set>

#include "ir/intrinsics.h"
#include "ir/print.h"
#include "ir/rewrite.h"
#include "support/rng.h"

namespace tessera::dsl {

namespace {

constexpr double kLeastPositive = 1.0 / 16;  // its reciprocal and logarithm are small numbers

/// Extents that the values of an input index, when it stands inside an index.
std::map<std::uint64_t, std::int64_t> index_inputs(const ComputeDag& dag) {
  std::map<std::uint64_t, std::int64_t> out;
  const auto look = [&](const Expr& root) {
    ir::walk(root, [&](const Expr& e) {
      const auto* l = e.as<ir::Load>();
      if (l == nullptr) return true;
      for (std::size_t d = 0; d < l->indices.size(); ++d) {
        std::int64_t n = 0;
        if (!is_const_int(l->buffer->shape[d], &n)) continue;
        ir::walk(l->indices[d], [&](const Expr& x) {
          const auto* inner = x.as<ir::Load>();
          if (inner == nullptr) return true;
          const auto [it, added] = out.try_emplace(inner->buffer->id, n);
          it->second = std::min(it->second, n);
          return true;
        });
      }
      return true;
    });
  };
  for (const Stage& s : dag.stages()) {
    for (const Expr& b : s.body) look(b);
  }
  return out;
}

/// Inputs that stand under a root or a logarithm, or below a division line: of both signs, they would leave
/// a program without numbers to check.
std::set<std::uint64_t> positive_inputs(const ComputeDag& dag) {
  std::set<std::uint64_t> out;
  const auto reads = [&](const Expr& root) {
    ir::walk(root, [&](const Expr& e) {
      if (const auto* l = e.as<ir::Load>()) out.insert(l->buffer->id);
      return true;
    });
  };
  for (const Stage& s : dag.stages()) {
    for (const Expr& b : s.body) {
      ir::walk(b, [&](const Expr& e) {
        if (const auto* d = e.as<ir::Div>(); d != nullptr && d->b.type().is_float()) reads(d->b);
        const auto* c = e.as<ir::Call>();
        if (c == nullptr) return true;
        switch (c->intrinsic) {
          case ir::Intrinsic::kSqrt:
          case ir::Intrinsic::kRsqrt:
          case ir::Intrinsic::kLog:
          case ir::Intrinsic::kLog2:
          case ir::Intrinsic::kPow: reads(c->args[0]); break;
          default: break;
        }
        return true;
      });
    }
  }
  return out;
}

/// Values as the input promises them; false where it promises nothing.
bool keep_promise(const ValueRule& rule, std::uint64_t key, InputKind kind, std::int64_t magnitude, ir::Tensor& out) {
  const std::int64_t n = out.size();
  const auto draw = [&](std::int64_t i, std::int64_t limit) { return Rng(key, {static_cast<std::uint64_t>(i)}).below(limit); };
  switch (rule.kind) {
    case ValueRule::Kind::kAny: return false;
    case ValueRule::Kind::kBelow:
      for (std::int64_t i = 0; i < n; ++i) out.set_int(i, draw(i, rule.limit));
      return true;
    case ValueRule::Kind::kOffsets: {
      std::vector<std::int64_t> at;
      for (std::int64_t i = 0; i < n; ++i) at.push_back(draw(i, rule.limit + 1));
      std::sort(at.begin(), at.end());
      at.front() = n > 1 ? 0 : rule.limit;
      at.back() = rule.limit;
      for (std::int64_t i = 0; i < n; ++i) out.set_int(i, at[static_cast<std::size_t>(i)]);
      return true;
    }
    case ValueRule::Kind::kWithin:
      if (kind == InputKind::kRandom) {
        ir::fill_uniform(out, key, -rule.size, rule.size);
      } else {
        ir::fill_small_integers(out, key, std::min(magnitude, static_cast<std::int64_t>(rule.size)));
      }
      return true;
  }
  TESSERA_UNREACHABLE();
}

}  // namespace

std::int64_t longest_sum(const ComputeDag& dag) {
  std::int64_t out = 0;
  for (const Stage& s : dag.stages()) {
    if (!s.is_reduction() || !s.outputs[0]->dtype.is_float()) continue;
    std::int64_t n = 1;
    for (const Axis& a : s.reduce_axes) {
      std::int64_t extent = 1;
      if (is_const_int(a.extent, &extent)) n *= extent;
    }
    out = std::max(out, n);
  }
  return out;
}

std::map<std::string, ir::Tensor> make_inputs(const ComputeDag& dag, std::uint64_t seed, InputKind kind) {
  TESSERA_USER_CHECK(!dag.is_symbolic()) << "program '" << dag.name() << "' has symbolic extents; give each symbol a number first";
  std::int64_t magnitude = 127;
  if (kind == InputKind::kExact) magnitude = exact_input_magnitude(dag).or_throw();
  if (kind == InputKind::kSigns) magnitude = 1;
  const auto indices = index_inputs(dag);
  const auto positive = positive_inputs(dag);
  std::map<std::string, ir::Tensor> out;
  for (const Stage* s : dag.inputs()) {
    const Buffer& b = s->outputs[0];
    ir::Tensor t(b->dtype, b.extents());
    const std::uint64_t key = hash_combine(seed, hash_bytes(s->name));
    if (keep_promise(s->values, key, kind, magnitude, t)) {
      out.emplace(s->name, std::move(t));
      continue;
    }
    const auto index = indices.find(b->id);
    if (index != indices.end()) {
      for (std::int64_t i = 0, n = t.size(); i < n; ++i) {
        t.set_int(i, Rng(key, {static_cast<std::uint64_t>(i)}).below(std::min(index->second, ir::max_value(b->dtype))));
      }
    } else if (const bool above = positive.count(b->id) != 0;
               b->dtype.is_float() && (kind == InputKind::kRandom || (kind == InputKind::kSigns && above))) {
      ir::fill_uniform(t, key, above ? kLeastPositive : -1, 1);
    } else {
      ir::fill_small_integers(t, key, b->dtype.is_float() ? magnitude : std::min(magnitude, ir::max_value(b->dtype)));
    }
    out.emplace(s->name, std::move(t));
  }
  return out;
}

}  // namespace tessera::dsl
