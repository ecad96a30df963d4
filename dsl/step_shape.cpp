#include "dsl/step_shape.h"

#include <algorithm>
#include <optional>

#include "ir/rewrite.h"

namespace tessera::dsl {

namespace {

bool writes(const StepPart& p, const ir::Load& l) {
  return std::any_of(p.outputs.begin(), p.outputs.end(), [&](const ir::Buffer& b) { return b.get() == l.buffer.get(); });
}

bool is(const ir::Expr& e, const ir::Var& v) {
  const auto* n = e.as<ir::VarNode>();
  return n != nullptr && n->id == v.id();
}

/// Follows one dimension of the scan from its own coordinate back to the rows it reads.
class Follow {
 public:
  Follow(const std::vector<StepPart>& parts, std::size_t dim) : parts_(parts), dim_(dim), carrier_(parts.size()) {}

  bool alone() {
    carrier_.back() = dim_;
    for (std::size_t p = parts_.size(); p-- > 0;) {
      if (p + 1 < parts_.size() && !find_carrier(p)) return false;
    }
    for (std::size_t reader = 0; reader < parts_.size(); ++reader) {
      if (!each_read(reader, parts_.back(), [&](const ir::Load& l) { return is(l.indices[dim_], coordinate(reader)); })) return false;
    }
    return true;
  }

 private:
  const ir::Var& coordinate(std::size_t p) const { return parts_[p].coordinates[*carrier_[p]]; }

  /// The dimension of a part that always equals that of the scan: where every reader has its own.
  bool find_carrier(std::size_t p) {
    for (std::size_t d = 0; d < parts_[p].coordinates.size(); ++d) {
      bool carries = true;
      for (std::size_t reader = p + 1; reader < parts_.size(); ++reader) {
        carries &= each_read(reader, parts_[p], [&](const ir::Load& l) { return is(l.indices[d], coordinate(reader)); });
      }
      if (!carries) continue;
      carrier_[p] = d;
      return true;
    }
    return false;
  }

  template <class F>
  bool each_read(std::size_t reader, const StepPart& of, const F& f) const {
    bool all = true;
    for (const ir::Expr& body : *parts_[reader].body) {
      ir::walk(body, [&](const ir::Expr& e) {
        const auto* l = e.as<ir::Load>();
        if (l != nullptr && writes(of, *l)) all &= f(*l);
        return all;
      });
    }
    return all;
  }

  const std::vector<StepPart>& parts_;
  std::size_t dim_;
  std::vector<std::optional<std::size_t>> carrier_;
};

}  // namespace

std::vector<bool> independent_dimensions(const std::vector<StepPart>& parts, int axis) {
  std::vector<bool> out(parts.back().coordinates.size(), false);
  for (std::size_t d = 0; d < out.size(); ++d) out[d] = static_cast<int>(d) != axis && Follow(parts, d).alone();
  return out;
}

}  // namespace tessera::dsl
