// Tensors, axes and `compute`: a program as mathematics, apart from any schedule.
//
//   auto A = placeholder({M, K}, f32, "A"), B = constant({K, N}, f32, "B");
//   auto k = reduce_axis(K, "k");
//   auto C = compute({M, N}, [&](Var i, Var j) { return sum(A(i, k) * B(k, j), k); }, "C");
//
// A wrong program (rank, dtype, extent, nested reduction, unknown axis) is a UserError that starts
// with the place of the call and prints the fragment.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "ir/buffer.h"
#include "ir/expr.h"
#include "ir/intrinsics.h"

namespace tessera::dsl {

using ir::Buffer;
using ir::Expr;
using ir::Exprs;
using ir::Type;
using ir::Var;

/// One loop of an operation: it runs over [0, extent). An extent is a constant, or an expression of
/// symbols (`symbol("n")`) for shapes that are not known yet.
struct Axis {
  Var var;
  Expr extent;
  const std::string& name() const { return var.name(); }
};

enum class OperationKind : std::uint8_t { kPlaceholder, kConstant, kCompute };

/// What defines one tensor, or the several of a multi-output compute.
struct Operation {
  OperationKind kind = OperationKind::kPlaceholder;
  std::string name;
  std::vector<Axis> axes;         // one a dimension of every output
  std::vector<Axis> reduce_axes;  // empty without a reduction
  Exprs body;                     // one an output; with a reduction, all share its Reduce
  CallSite site;
};

class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Buffer b) : buffer_(std::move(b)) {}

  const Buffer& buffer() const { return buffer_; }
  const std::string& name() const { return buffer_->name; }
  Type dtype() const { return buffer_->dtype; }
  const Exprs& shape() const { return buffer_->shape; }
  const Operation& operation() const { return *static_cast<const Operation*>(buffer_->origin.get()); }

  /// A read at one index a dimension.
  template <class... Index>
  Expr operator()(const Index&... index) const {
    return at({Expr(index)...});
  }
  Expr at(Exprs index) const;

 private:
  Buffer buffer_;
};

/// An axis to reduce over. It is an expression: use it as an index.
class ReduceVar : public Var {
 public:
  ReduceVar(Var v, Expr extent) : Var(v), extent_(std::move(extent)) {}
  const Expr& extent() const { return extent_; }

 private:
  Expr extent_;
};
using ReduceVars = std::vector<ReduceVar>;

/// An extent that is known only when the kernel runs.
Var symbol(std::string name);

/// An input that may change at every run.
Tensor placeholder(Exprs shape, Type dtype, std::string name, CallSite site = CallSite::here());
/// An input whose values are known before the first run (weights): it may be prepared ahead.
Tensor constant(Exprs shape, Type dtype, std::string name, CallSite site = CallSite::here());
ReduceVar reduce_axis(Expr extent, std::string name = "k", CallSite site = CallSite::here());

Expr sum(const Expr& e, const ReduceVars& axes);
Expr prod(const Expr& e, const ReduceVars& axes);
Expr min(const Expr& e, const ReduceVars& axes);
Expr max(const Expr& e, const ReduceVars& axes);
Expr any(const Expr& e, const ReduceVars& axes);
Expr all(const Expr& e, const ReduceVars& axes);

// `sum(e, r, s)` for `sum(e, {r, s})`.
#define TESSERA_REDUCTION(name)                                                  \
  template <class... More>                                                       \
    requires(std::is_same_v<More, ReduceVar> && ...)                             \
  Expr name(const Expr& e, const ReduceVar& first, const More&... more) {        \
    return name(e, ReduceVars{first, more...});                                  \
  }
TESSERA_REDUCTION(sum)
TESSERA_REDUCTION(prod)
TESSERA_REDUCTION(min)
TESSERA_REDUCTION(max)
TESSERA_REDUCTION(any)
TESSERA_REDUCTION(all)
#undef TESSERA_REDUCTION

/// A user's own combination of tuples. `combine` must be associative and commutative (random points
/// are tried when it is built), `identity` leaves the other side unchanged.
///
///   auto argmax = reducer("argmax", {f32, i64},
///       [](const Exprs& a, const Exprs& b) -> Exprs {
///         Expr take_a = a[0] > b[0] || (a[0] == b[0] && a[1] <= b[1]);
///         return {select(take_a, a[0], b[0]), select(take_a, a[1], b[1])};
///       },
///       {lowest(f32), int64_t(-1)});
using CombineFn = std::function<Exprs(const Exprs&, const Exprs&)>;
ir::Combiner reducer(std::string name, const std::vector<Type>& types, const CombineFn& combine, Exprs identity,
                     CallSite site = CallSite::here());
/// All values of the reduced tuple; return them from a multi-output compute.
Exprs reduce(const ir::Combiner& combiner, const Exprs& sources, const ReduceVars& axes);
/// The lowest and highest value of a type, as identities of max and min.
Expr lowest(Type t);
Expr highest(Type t);

namespace detail {

using BodyFn = std::function<Exprs(const std::vector<Var>&)>;
std::vector<Tensor> compute_tensors(Exprs shape, std::vector<std::string> axis_names, const BodyFn& body,
                                    std::string name, CallSite site);

template <class F, class Indices>
struct Arity;
template <std::size_t>
using VarAt = Var;
template <class F, std::size_t... I>
struct Arity<F, std::index_sequence<I...>> {
  static constexpr bool fits = std::is_invocable_v<F, VarAt<I>...>;
  static auto call(const F& f, const std::vector<Var>& v) { return f(v[I]...); }
};

template <std::size_t N, class F>
Exprs call_body(const F& f, const std::vector<Var>& v) {
  if constexpr (std::is_invocable_v<F, const std::vector<Var>&>) {
    return Exprs{f(v)};
  } else if constexpr (Arity<F, std::make_index_sequence<N>>::fits) {
    TESSERA_USER_CHECK(v.size() == N) << "the body takes " << N << " indices, the shape has " << v.size()
                                      << " dimensions";
    auto r = Arity<F, std::make_index_sequence<N>>::call(f, v);
    if constexpr (std::is_convertible_v<decltype(r), Exprs>) {
      return r;
    } else {
      return Exprs{Expr(r)};
    }
  } else {
    static_assert(N < 8, "the body of compute takes one Var a dimension, at most 8, or a vector of them");
    return call_body<N + 1>(f, v);
  }
}

}  // namespace detail

/// One element of the result as a function of its index.
template <class F>
Tensor compute(Exprs shape, const F& body, std::string name = "T", CallSite site = CallSite::here()) {
  const auto f = [&](const std::vector<Var>& v) { return detail::call_body<0>(body, v); };
  return detail::compute_tensors(std::move(shape), {}, f, std::move(name), site).front();
}

/// Several results over the same axes; the body returns one expression each. If they reduce, all
/// must be values of one `reduce`.
template <class F>
std::vector<Tensor> compute_many(Exprs shape, const F& body, std::string name = "T", CallSite site = CallSite::here()) {
  const auto f = [&](const std::vector<Var>& v) { return detail::call_body<0>(body, v); };
  return detail::compute_tensors(std::move(shape), {}, f, std::move(name), site);
}

/// `compute` with the names of the axes given (text front ends; names show in schedules).
Tensor compute_named(Exprs shape, std::vector<std::string> axis_names, const detail::BodyFn& body, std::string name,
                     CallSite site = CallSite::here());

}  // namespace tessera::dsl
