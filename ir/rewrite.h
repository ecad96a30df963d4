// Walking and rebuilding trees.
//
//   Expr folded = rewrite(e, [](const Add& n, const Expr& e, auto& self) -> Expr { ... });
//
// `rewrite` calls the handler whose first parameter matches the node's kind, and otherwise rebuilds
// the node from its rewritten children; `e` itself comes back when nothing changed. `Rewriter<Pass>`
// is the same for passes with state. A handler must take its node by const reference: one that takes
// `Add&` would compile and never fire, so it is refused at compile time.
#pragma once

#include <functional>
#include <map>
#include <type_traits>

#include "ir/stmt.h"

namespace tessera::ir {

using ExprFn = std::function<Expr(const Expr&)>;
using StmtFn = std::function<Stmt(const Stmt&)>;

/// Rebuilds `e` with each child replaced by f(child); `e` itself when nothing changed.
Expr map_children(const Expr& e, const ExprFn& f);
/// The same for a statement: expressions by `fe`, statements by `fs`.
Stmt map_children(const Stmt& s, const ExprFn& fe, const StmtFn& fs);

/// Calls f on every direct child.
void for_each_child(const Expr& e, const std::function<void(const Expr&)>& f);
void for_each_child(const Stmt& s, const std::function<void(const Expr&)>& fe,
                    const std::function<void(const Stmt&)>& fs);

/// Pre-order over all nodes, itself included. Returning false skips the children.
void walk(const Expr& e, const std::function<bool(const Expr&)>& f);
/// Over a statement's whole tree; `fe` may be empty.
void walk(const Stmt& s, const std::function<bool(const Stmt&)>& fs,
          const std::function<bool(const Expr&)>& fe = {});

using VarMap = std::map<VarId, Expr>;
Expr substitute(const Expr& e, const VarMap& with);
Stmt substitute(const Stmt& s, const VarMap& with);
Expr substitute(const Expr& e, const Var& var, const Expr& with);
Stmt substitute(const Stmt& s, const Var& var, const Expr& with);

/// Every access to a buffer whose id is a key goes to the other buffer instead (equal dtype).
Expr replace_buffers(const Expr& e, const std::map<std::uint64_t, Buffer>& with);
Stmt replace_buffers(const Stmt& s, const std::map<std::uint64_t, Buffer>& with);

/// Structural equality; variables and buffers compare by identity.
bool equal(const Expr& a, const Expr& b);
bool equal(const Stmt& a, const Stmt& b);
/// Equality up to a one-to-one renaming of variables and buffers; a pair of buffers must agree in
/// dtype, shape, scope, layout and alignment.
bool alpha_equal(const Expr& a, const Expr& b);
bool alpha_equal(const Stmt& a, const Stmt& b);
/// Equal for alpha-equal trees, the same on every run and machine.
std::uint64_t alpha_hash(const Expr& e);
std::uint64_t alpha_hash(const Stmt& s);

bool uses_var(const Expr& e, VarId id);
/// Ids of all variables in `e`, in order of first use.
std::vector<Var> free_vars(const Expr& e);

namespace detail {

template <class F, class N>
constexpr bool handles = std::is_invocable_v<F, const N&, const Expr&, const ExprFn&>;

template <class F>
constexpr bool handles_any = false
#define TESSERA_OR(name) || std::is_invocable_v<F, const name&, const Expr&, const ExprFn&>
    TESSERA_BINARY_KINDS(TESSERA_OR) TESSERA_OR(IntImm) TESSERA_OR(FloatImm) TESSERA_OR(VarNode)
        TESSERA_OR(Cast) TESSERA_OR(Reinterpret) TESSERA_OR(Not) TESSERA_OR(Select)
            TESSERA_OR(IfThenElseExpr) TESSERA_OR(Ramp) TESSERA_OR(Broadcast) TESSERA_OR(Shuffle)
                TESSERA_OR(VectorReduce) TESSERA_OR(Let) TESSERA_OR(Call) TESSERA_OR(Load)
                    TESSERA_OR(Reduce);
#undef TESSERA_OR

template <class N, class F>
bool try_handler(const Expr& e, const ExprFn& self, F& f, Expr& out) {
  if constexpr (std::is_invocable_v<F, const N&, const Expr&, const ExprFn&>) {
    if (const N* n = e.as<N>()) {
      out = f(*n, e, self);
      return true;
    }
  }
  return false;
}

template <class F>
bool dispatch(const Expr& e, const ExprFn& self, F& f, Expr& out) {
  bool done = false;
#define TESSERA_TRY_KIND(name) done = done || try_handler<name>(e, self, f, out);
  TESSERA_BINARY_KINDS(TESSERA_TRY_KIND)
  TESSERA_TRY_KIND(IntImm) TESSERA_TRY_KIND(FloatImm) TESSERA_TRY_KIND(VarNode) TESSERA_TRY_KIND(Cast)
  TESSERA_TRY_KIND(Reinterpret) TESSERA_TRY_KIND(Not) TESSERA_TRY_KIND(Select)
  TESSERA_TRY_KIND(IfThenElseExpr) TESSERA_TRY_KIND(Ramp) TESSERA_TRY_KIND(Broadcast)
  TESSERA_TRY_KIND(Shuffle) TESSERA_TRY_KIND(VectorReduce) TESSERA_TRY_KIND(Let) TESSERA_TRY_KIND(Call)
  TESSERA_TRY_KIND(Load) TESSERA_TRY_KIND(Reduce)
#undef TESSERA_TRY_KIND
  return done;
}

}  // namespace detail

template <class... Handlers>
Expr rewrite(const Expr& e, Handlers... handlers) {
  static_assert((detail::handles_any<Handlers> && ...), "a handler takes (const Node&, const Expr&, self)");
  ExprFn self = [&](const Expr& x) -> Expr {
    if (!x.defined()) return x;
    Expr out;
    if ((detail::dispatch(x, self, handlers, out) || ...)) return out;
    return map_children(x, self);
  };
  return self(e);
}

/// Applies an expression function to every top-level expression of a statement tree.
Stmt rewrite_exprs(const Stmt& s, const ExprFn& f);

/// Base of passes over statements: override `visit_*` by defining `Stmt stmt(const Stmt&)` and/or
/// `Expr expr(const Expr&)` in Derived and calling `this->rebuild(...)` for the default.
template <class Derived>
struct Rewriter {
  Expr rebuild(const Expr& e) {
    return e.defined() ? map_children(e, [this](const Expr& x) { return self().expr(x); }) : e;
  }
  Stmt rebuild(const Stmt& s) {
    return s ? map_children(
                   s, [this](const Expr& x) { return x.defined() ? self().expr(x) : x; },
                   [this](const Stmt& x) { return x ? self().stmt(x) : x; })
             : s;
  }
  Expr expr(const Expr& e) { return rebuild(e); }
  Stmt stmt(const Stmt& s) { return rebuild(s); }

 private:
  Derived& self() { return static_cast<Derived&>(*this); }
};

}  // namespace tessera::ir
