// The JSON of a program: dsl/dag_json.cpp says how it looks, and reads it.
#include "dsl/dag.h"
#include "dsl/detail/stage_word.h"
#include "ir/print.h"

namespace tessera::dsl {

namespace {

/// Names as they are printed in every stage: symbols first, then buffers, both under their own names.
ir::Names base_names(const std::vector<Stage>& stages, const std::vector<Var>& symbols) {
  ir::Names names;
  for (const Var& v : symbols) names.of(v.node());
  for (const Stage& s : stages) {
    if (s.outputs.size() > 1) names.reserve(s.name);
    for (const Buffer& b : s.outputs) names.of(b.get());
  }
  return names;
}

Json extent_json(const Expr& e, ir::Names& names) {
  std::int64_t n = 0;
  if (is_const_int(e, &n)) return n;
  return ir::to_string(e, names);
}

Json input_json(const Stage& s, Json shape) {
  Json j = Json::object();
  j[detail::stage_word(s.kind)] = s.name;
  j["dtype"] = ir::to_string(s.outputs[0]->dtype);
  j["shape"] = std::move(shape);
  Json promise = Json::object();
  switch (s.values.kind) {
    case ValueRule::Kind::kAny: return j;
    case ValueRule::Kind::kBelow: promise["below"] = s.values.limit; break;
    case ValueRule::Kind::kOffsets: promise["offsets"] = s.values.limit; break;
    case ValueRule::Kind::kWithin: promise["within"] = s.values.size; break;
  }
  j["values"] = std::move(promise);
  return j;
}

Json extern_json(const Stage& s, Json j) {
  Json reads = Json::array();
  for (const Buffer& b : s.code->reads) reads.push_back(b->name);
  j["reads"] = std::move(reads);
  j["operations"] = static_cast<std::int64_t>(s.code->operations);
  j["code"] = ir::to_string(*s.code->code);
  return j;
}

Json stage_json(const Stage& s, ir::Names names) {
  Json shape = Json::array();
  for (const Axis& a : s.axes) shape.push_back(extent_json(a.extent, names));
  if (s.is_input()) return input_json(s, std::move(shape));
  Json j = Json::object();
  j[detail::stage_word(s.kind)] = s.name;
  Json dtypes = Json::array(), values = Json::array(), axes = Json::array(), reduce = Json::array(), body = Json::array();
  for (const Buffer& b : s.outputs) dtypes.push_back(ir::to_string(b->dtype));
  for (const Buffer& b : s.outputs) values.push_back(b->name);
  for (const Axis& a : s.axes) axes.push_back(names.of(a.var.node()));
  for (const Axis& a : s.reduce_axes) {
    // One after the other: the name comes before what its extent may print.
    const std::string name = names.of(a.var.node());
    reduce.push_back(Json::array({Json(name), extent_json(a.extent, names)}));
  }
  j["dtype"] = std::move(dtypes);
  if (s.outputs.size() > 1) j["values"] = std::move(values);
  j["shape"] = std::move(shape);
  if (s.code) return extern_json(s, std::move(j));
  j["axes"] = std::move(axes);
  if (!s.reduce_axes.empty()) j["reduce"] = std::move(reduce);
  if (s.scan) {
    Json first = Json::array(), step = Json::array();
    for (const Expr& b : s.body) {
      first.push_back(ir::to_string(b.as<ir::IfThenElseExpr>()->yes, names));
      step.push_back(ir::to_string(b.as<ir::IfThenElseExpr>()->no, names));
    }
    j["along"] = s.scan->axis;
    j["rows"] = s.scan->rows;
    j["first"] = std::move(first);
    j["step"] = std::move(step);
    return j;
  }
  for (const Expr& b : s.body) body.push_back(ir::to_string(b, names));
  j["body"] = std::move(body);
  return j;
}

}  // namespace

Json to_json_value(const ComputeDag& dag) {
  Json j = Json::object();
  j["name"] = dag.name();
  const std::vector<Var> symbols = dag.symbols();
  if (!symbols.empty()) {
    Json names = Json::array();
    for (const Var& v : symbols) names.push_back(v.name());
    j["symbols"] = std::move(names);
  }
  const ir::Names names = base_names(dag.stages(), symbols);
  Json stages = Json::array(), outputs = Json::array();
  for (const Stage& s : dag.stages()) stages.push_back(stage_json(s, names));
  for (const Buffer& b : dag.outputs()) outputs.push_back(b->name);
  j["stages"] = std::move(stages);
  j["outputs"] = std::move(outputs);
  return j;
}

}  // namespace tessera::dsl
