#include "lower/detail/thread_sets.h"

#include <algorithm>

#include "ir/arith.h"
#include "ir/rewrite.h"

namespace tessera::lower {

using ir::Expr;

void ThreadSets::start(const ir::For& threads) {
  std::int64_t count = 0;
  TESSERA_CHECK(is_const_int(threads.extent, &count) && count <= kMostThreads) << "a block has no constant number of threads";
  for (std::int64_t t = 0; t < count; ++t) all_.set(static_cast<std::size_t>(t));
  thread_ = threads.var;
  for (ir::Stmt s = threads.body; s.as<ir::LetStmt>() != nullptr; s = s.as<ir::LetStmt>()->body) {
    coordinates_.emplace_back(s.as<ir::LetStmt>()->var, s.as<ir::LetStmt>()->value);
  }
}

ThreadSet ThreadSets::under(const Expr& condition, const ThreadSet& set) {
  if (const auto* n = condition.as<ir::And>()) return under(n->b, under(n->a, set));
  const auto known = std::find_if(known_.begin(), known_.end(), [&](const auto& k) { return ir::equal(k.first, condition); });
  if (known != known_.end()) return set & known->second;
  ThreadSet out = all_;
  for (std::size_t t = 0; t < out.size(); ++t) {
    if (!all_[t]) continue;
    const auto holds = value(condition, static_cast<std::int64_t>(t));
    if (!holds) break;
    out[t] = *holds != 0;
  }
  known_.emplace_back(condition, out);
  return set & out;
}

/// Of an expression of the thread and its coordinates.
std::optional<std::int64_t> ThreadSets::value(const Expr& e, std::int64_t thread) const {
  std::int64_t constant = 0;
  if (is_const_int(e, &constant)) return constant;
  if (const auto* v = e.as<ir::VarNode>()) {
    if (v->id == thread_.id()) return thread;
    const auto c = std::find_if(coordinates_.begin(), coordinates_.end(), [&](const auto& k) { return k.first.id() == v->id; });
    return c == coordinates_.end() ? std::nullopt : value(c->second, thread);
  }
  if (const auto* n = e.as<ir::Not>()) {
    const auto a = value(n->a, thread);
    return a ? std::optional<std::int64_t>(*a == 0) : std::nullopt;
  }
  const ir::Binary* n = ir::as_binary(e);
  const auto a = n == nullptr ? std::nullopt : value(n->a, thread);
  const auto b = a ? value(n->b, thread) : std::nullopt;
  std::int64_t out = 0;
  if (!b || !ir::apply_int(n->kind, n->a.type(), *a, *b, out)) return std::nullopt;
  return out;
}

}  // namespace tessera::lower
