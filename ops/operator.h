// What every operator of the catalogue is made of. One family a file builds the programs; ops/catalog.cpp
// is the ordered list.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "dsl/dsl.h"

namespace tessera::ops {

using dsl::Tensor;
using ir::Type;

using Shape = std::map<std::string, std::int64_t>;  // parameters by name

struct Parameter {
  std::string name;
  std::int64_t fallback;  // when it is not given
  std::int64_t min, max;
  std::string doc;
};

/// An extent from 1 up to what 32 bits index.
Parameter extent(std::string name, std::int64_t fallback, std::string doc);

struct Operand {
  std::string name;
  std::string doc;
  bool constant = false;  // by default: weights are, what changes at every run is not
};

struct Preset {
  std::string name;         // "C2D.2"
  Shape shape;              // what differs from the defaults
  std::string layout = "";  // empty: the operator's default
  std::string dtype = "";
};

/// What a builder gets: every parameter, in range, and a layout and dtype that the operator has.
struct Arguments {
  Shape shape;
  std::string layout;
  Type dtype;
  std::int64_t operator[](const char* name) const { return shape.at(name); }
};

struct Operator {
  std::string name;
  std::string doc;
  std::vector<Parameter> parameters;
  std::vector<Operand> operands;
  std::vector<std::string> layouts;  // the first is the default; empty: it has none to choose
  std::vector<Type> dtypes;          // the first is the default
  std::vector<Preset> presets;
  Tensor (*build)(const Arguments&);  // UserError for parameters that do not go together
};

/// The type that one element is computed in: f32 for f16 and bf16, which round once at the end, else `t`.
Type compute_type(Type t);
/// The type that sums are kept in: i32 for 8-bit integers, f32 for f16 and bf16, else `t`. Products and
/// sums give it as their result; what maps elements to elements gives the dtype of its operands.
Type accumulator(Type t);
/// The type of weights beside activations of `t`: i8 beside u8, as in quantised networks, else `t`.
Type weight_type(Type t);

/// Dtypes of what has arithmetic beyond + - * min max, and of products of two operands.
std::vector<Type> float_types();
std::vector<Type> product_types();

/// An operand: `dsl::constant` where the operator says so, else a placeholder.
Tensor operand(const Operator& op, const char* name, ir::Exprs shape, Type t);

}  // namespace tessera::ops
