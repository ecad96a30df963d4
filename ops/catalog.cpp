#include "ops/catalog.h"

#include <algorithm>

#include "ops/attention.h"
#include "ops/capsule.h"
#include "ops/conv.h"
#include "ops/conv_transposed.h"
#include "ops/depthwise.h"
#include "ops/elementwise.h"
#include "ops/fused.h"
#include "ops/matmul.h"
#include "ops/norm.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/scan.h"
#include "ops/softmax.h"
#include "ops/sparse.h"
#include "ops/transpose.h"
#include "support/nearest.h"

namespace tessera::ops {

namespace {

constexpr std::size_t kShownNames = 8;  // of the operators, in a refusal of one line

template <class T>
std::vector<std::string> names_of(const std::vector<T>& rows) {
  std::vector<std::string> out;
  for (const T& r : rows) out.push_back(r.name);
  return out;
}

std::vector<std::string> operator_names() {
  std::vector<std::string> out;
  for (const Operator* op : catalog()) out.push_back(op->name);
  return out;
}

std::vector<std::string> dtype_names(const Operator& op) {
  std::vector<std::string> out;
  for (const Type t : op.dtypes) out.push_back(ir::to_string(t));
  return out;
}

std::string shown(const std::string& word) { return word.size() > 40 ? word.substr(0, 40) + "..." : word; }

Result<Shape> full_shape(const Operator& op, const Shape& given) {
  Shape out;
  for (const Parameter& p : op.parameters) out[p.name] = p.fallback;
  for (const auto& [name, value] : given) {
    const auto p = std::find_if(op.parameters.begin(), op.parameters.end(), [&, n = name](const Parameter& x) { return x.name == n; });
    if (p == op.parameters.end()) {
      return refuse(op.name, " has no parameter '", shown(name), "'; its parameters are ", joined(names_of(op.parameters)));
    }
    if (value < p->min || value > p->max) {
      return refuse("parameter '", name, "' of ", op.name, " is ", value, "; ", p->min, " to ", p->max, " works");
    }
    out[name] = value;
  }
  return out;
}

std::string padded_to(std::string s, std::size_t width) {
  s.resize(std::max(width, s.size()), ' ');
  return s;
}

std::string preset_text(const Preset& preset, const std::vector<Parameter>& order) {
  std::vector<std::string> out;
  for (const Parameter& p : order) {
    const auto it = preset.shape.find(p.name);
    if (it != preset.shape.end() && it->second != p.fallback) out.push_back(p.name + "=" + std::to_string(it->second));
  }
  std::string text = out.empty() ? "the defaults" : joined(out, ",");
  for (const std::string& choice : {preset.layout, preset.dtype}) {
    if (!choice.empty()) text += " in " + choice;
  }
  return text;
}

}  // namespace

const std::vector<const Operator*>& catalog() {
  static const std::vector<const Operator*> all{
      // products
      &matmul(), &batch_matmul(), &dense(), &conv1d(), &conv2d(), &conv3d(), &conv2d_transposed(), &depthwise_conv2d(), &capsule_conv2d(),
      // windows and reductions
      &max_pool2d(), &avg_pool2d(), &global_avg_pool2d(), &reduce_sum(), &reduce_max(), &reduce_mean(), &column_sum(), &argmax(), &norm(),
      // rows
      &softmax(), &log_softmax(), &layer_norm(), &rms_norm(), &l2_normalize(), &batch_norm(), &transpose(), &transpose_heads(),
      // recurrences and sparse operands
      &cumsum(), &cumsum_rows(), &rnn(), &csr_spmm(),
      // elements
      &relu(), &leaky_relu(), &gelu(), &silu(), &sigmoid(), &tanh(), &exp(), &log(), &sqrt(), &rsqrt(), &erf(), &abs(), &neg(),
      &add(), &sub(), &mul(), &div(), &maximum(), &minimum(), &bias_add(),
      // several in one
      &conv2d_bias_relu(), &conv2d_bn_relu(), &dense_bias_gelu(), &matmul_bias_gelu(), &depthwise_pointwise(),
      &transpose_batch_matmul(), &transpose_batch_matmul_softmax(), &attention(),
  };
  return all;
}

Result<const Operator*> find_operator(const std::string& name) {
  for (const Operator* op : catalog()) {
    if (op->name == name) return op;
  }
  const auto near = nearest_names(name, operator_names());
  if (!near.empty()) return refuse("unknown operator '", shown(name), "'; near it: ", joined(near));
  std::vector<std::string> some = operator_names();
  const std::size_t more = some.size() - kShownNames;
  some.resize(kShownNames);
  return refuse("unknown operator '", shown(name), "'; known are ", joined(some), " and ", more, " more ('autotune ops' lists them)");
}

Result<Request> find_preset(const std::string& name) {
  std::vector<std::string> all;
  for (const Operator* op : catalog()) {
    for (const Preset& p : op->presets) {
      if (p.name == name) return Request{op->name, p.shape, p.layout, p.dtype};
      all.push_back(p.name);
    }
  }
  const auto near = nearest_names(name, all);
  return refuse("unknown preset '", shown(name), "'; ", near.empty() ? "'autotune ops' names the operators and 'autotune ops NAME' their presets" : "near it: " + joined(near));
}

Result<dsl::ComputeDag> build(const Request& request) {
  TESSERA_TRY(op, find_operator(request.op));
  Arguments a;
  TESSERA_TRY(shape, full_shape(*op, request.shape));
  a.shape = std::move(shape);
  if (!op->layouts.empty()) a.layout = op->layouts[0];
  if (!request.layout.empty()) {
    if (op->layouts.empty()) return refuse(op->name, " has no layout to choose, '", shown(request.layout), "' was given");
    if (std::find(op->layouts.begin(), op->layouts.end(), request.layout) == op->layouts.end()) {
      return refuse(op->name, " has no layout '", shown(request.layout), "'; ", joined(op->layouts, " and "), " work");
    }
    a.layout = request.layout;
  }
  a.dtype = op->dtypes[0];
  if (!request.dtype.empty()) {
    const auto t = ir::parse_type(request.dtype);
    if (!t.ok() || std::find(op->dtypes.begin(), op->dtypes.end(), *t) == op->dtypes.end()) {
      return refuse(op->name, " has no dtype '", shown(request.dtype), "'; ", joined(dtype_names(*op)), " work");
    }
    a.dtype = *t;
  }
  try {
    return dsl::ComputeDag::from_outputs({op->build(a)}, op->name);
  } catch (const UserError& e) {
    std::string why = e.what();
    // The place in this library where a builder stands says nothing to its user.
    if (const std::size_t at = why.rfind(".cpp:"); at != std::string::npos) {
      if (const std::size_t end = why.find(": ", at); end != std::string::npos) why = why.substr(end + 2);
    }
    return refuse(why.find(op->name) == std::string::npos ? op->name + ": " : "", why);
  }
}

std::string list_text() {
  std::size_t width = 0;
  for (const Operator* op : catalog()) width = std::max(width, op->name.size());
  std::string out;
  for (const Operator* op : catalog()) {
    out += padded_to(op->name, width) + "  " + op->doc + "\n";
    out += std::string(width, ' ') + "  " + joined(names_of(op->parameters), ",") + "\n";
  }
  return out;
}

Result<std::string> describe_text(const std::string& name) {
  TESSERA_TRY(op, find_operator(name));
  std::string out = op->name + ": " + op->doc + "\n\nparameters\n";
  for (const Parameter& p : op->parameters) {
    const std::string range = p.max == INT32_MAX ? "from " + std::to_string(p.min) : std::to_string(p.min) + " to " + std::to_string(p.max);
    out += "  " + padded_to(p.name, 10) + padded_to(std::to_string(p.fallback), 6) + p.doc + ", " + range + "\n";
  }
  out += "operands\n";
  for (const Operand& o : op->operands) out += "  " + padded_to(o.name, 10) + o.doc + (o.constant ? "; constant by default" : "") + "\n";
  if (!op->layouts.empty()) out += "layouts\n  " + joined(op->layouts) + "\n";
  out += "dtypes\n  " + joined(dtype_names(*op)) + "\n";
  if (!op->presets.empty()) out += "presets\n";
  for (const Preset& p : op->presets) out += "  " + padded_to(p.name, 10) + preset_text(p, op->parameters) + "\n";
  return out;
}

}  // namespace tessera::ops
