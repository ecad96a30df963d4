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
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "ir/buffer.h"
#include "ir/expr.h"
#include "ir/intrinsics.h"
#include "ir/program.h"

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

/// kState: rows of a scan that is still to be defined; programs hold none.
enum class OperationKind : std::uint8_t { kPlaceholder, kConstant, kCompute, kScan, kExtern, kState };

/// How a scan steps: along dimension `axis`, one row after the other; its first `rows` rows are given.
struct Recurrence {
  int axis = 0;
  std::int64_t rows = 1;
};

/// What the values of an input are promised to be; whoever makes inputs keeps to it.
struct ValueRule {
  enum class Kind : std::uint8_t {
    kAny,
    kBelow,    // integers from 0 to limit - 1
    kOffsets,  // integers that never fall, the first 0 and the last `limit`
    kWithin,   // floats from -size to size
  } kind = Kind::kAny;
  std::int64_t limit = 0;
  double size = 0;
  bool operator==(const ValueRule&) const = default;
};

/// Statements in place of an expression. `code` is one function and one launch; its inputs stand for
/// `reads`, its outputs for the outputs of the operation, in order and under names of their own.
struct ExternCode {
  std::vector<Buffer> reads;
  std::shared_ptr<const ir::Program> code;
  double operations = 0;  // of one run, as ComputeDag::flops counts them
};

/// What defines one tensor, or the several of a multi-output compute.
struct Operation {
  OperationKind kind = OperationKind::kPlaceholder;
  std::string name;
  std::vector<Axis> axes;         // one a dimension of every output
  std::vector<Axis> reduce_axes;  // empty without a reduction
  Exprs body;                     // one an output; with a reduction, all share its Reduce
  std::optional<Recurrence> scan;  // body: if_then_else(axis < rows, first rows, step)
  std::vector<Buffer> states;      // of a scan: what stands for its own earlier rows in bodies
  ValueRule values;                // of an input
  std::optional<ExternCode> code;  // of an extern
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
/// The same input with a promise about its values. UserError when the dtype cannot keep it.
///
///   auto indptr = with_values(placeholder({m + 1}, i32, "indptr"), offsets(nnz));
Tensor with_values(const Tensor& input, ValueRule rule, CallSite site = CallSite::here());
ValueRule below(std::int64_t limit);
ValueRule offsets(std::int64_t last);
ValueRule within(double size);
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

/// The rows of a scan, to be read while its step is written: at constant distances before the row that is
/// computed. Every tensor that reads it belongs to the step and takes part in it row by row.
Tensor scan_state(Exprs shape, Type dtype, std::string name, CallSite site = CallSite::here());

namespace detail {
std::vector<Tensor> scan_tensors(const std::vector<Tensor>& states, Recurrence how, std::vector<std::string> axis_names,
                                 const BodyFn& first, const BodyFn& step, CallSite site);
}  // namespace detail

/// A recurrence along one dimension: `first` gives rows 0 .. rows-1, `step` every later row from earlier
/// ones. The result has the name and shape of the state. UserError when the step reads a row that is not
/// earlier, further back than `rows`, or when a tensor of the step has another length along the dimension.
///
///   auto s = scan_state({n, m}, f32, "S");
///   auto S = scan(s, {}, [&](Var t, Var j) { return X(t, j); },
///                        [&](Var t, Var j) { return s(t - 1, j) + X(t, j); });
template <class First, class Step>
Tensor scan(const Tensor& state, Recurrence how, const First& first, const Step& step, CallSite site = CallSite::here()) {
  const auto f = [&](const std::vector<Var>& v) { return detail::call_body<0>(first, v); };
  const auto g = [&](const std::vector<Var>& v) { return detail::call_body<0>(step, v); };
  return detail::scan_tensors({state}, how, {}, f, g, site).front();
}

/// Several states that step together (the two of an LSTM); `first` and `step` give one expression each.
template <class First, class Step>
std::vector<Tensor> scan_many(const std::vector<Tensor>& states, Recurrence how, const First& first, const Step& step,
                              CallSite site = CallSite::here()) {
  const auto f = [&](const std::vector<Var>& v) { return detail::call_body<0>(first, v); };
  const auto g = [&](const std::vector<Var>& v) { return detail::call_body<0>(step, v); };
  return detail::scan_tensors(states, how, {}, f, g, site);
}

/// Statements that compute `outputs` from `inputs`: buffers of the same shapes and dtypes, in order.
using ExternFn = std::function<ir::Stmt(const std::vector<Buffer>& inputs, const std::vector<Buffer>& outputs)>;

/// Tensors that hand-written statements compute, all of one shape. What they do is opaque to schedules:
/// the loops stay as written, and what they read is computed before. `operations` is what one run counts
/// for. UserError when the statements touch a buffer that is neither an input, an output nor allocated by
/// them, store into an input, or hold anything but loops, choices, lets, allocations and stores.
std::vector<Tensor> extern_stage(Exprs shape, const std::vector<Type>& dtypes, const std::vector<Tensor>& inputs,
                                 const ExternFn& statements, std::string name, double operations = 0,
                                 CallSite site = CallSite::here());
/// The same from a program: one function, one launch, its inputs and outputs as `inputs` and the result.
std::vector<Tensor> extern_program(Exprs shape, const std::vector<Tensor>& inputs, ir::Program code, std::string name,
                                   double operations = 0, CallSite site = CallSite::here());

/// `compute` with the names of the axes given (text front ends; names show in schedules).
Tensor compute_named(Exprs shape, std::vector<std::string> axis_names, const detail::BodyFn& body, std::string name,
                     CallSite site = CallSite::here());

}  // namespace tessera::dsl
