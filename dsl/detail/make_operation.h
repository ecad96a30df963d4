// What placeholder, compute, scan and extern_stage have in common: checks of names, shapes and bodies.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "dsl/tensor.h"
#include "ir/simplify.h"

namespace tessera::dsl::detail {

inline constexpr std::size_t kMostDimensions = 8;

// Each throws a UserError that starts with the place of the call.
void check_name(const std::string& name, CallSite site);
void check_shape(const Exprs& shape, Type dtype, const std::string& name, CallSite site);
/// Variables of a body are axes of its operation or symbols of its extents.
void check_known_axes(const Operation& op, const Expr& body);
/// Indices stay inside what they index while the axes run over `bounds`. Reads of a scan's state are left
/// out unless `states`: only the scan knows where its step starts.
void check_reads(const Operation& op, const Expr& body, const ir::Bounds& bounds, bool states);
/// The axes of an operation over their whole extents, where those are known.
ir::Bounds axis_bounds(const Operation& op);

/// An operation with one axis a dimension and nothing else yet; default names where none are given.
std::shared_ptr<Operation> new_operation(OperationKind kind, const Exprs& shape, const std::vector<std::string>& axis_names,
                                         const std::string& name, CallSite site);
std::vector<Var> axis_vars(const Operation& op);
/// What `body` gives for the axes, defined scalars; what it throws starts with the place and the name.
Exprs call_body(const Operation& op, const BodyFn& body);
/// One tensor an output: `types` has one entry for each.
std::vector<Tensor> outputs_of(const std::shared_ptr<Operation>& op, const Exprs& shape, const std::vector<Type>& types);

}  // namespace tessera::dsl::detail
