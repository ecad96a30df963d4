// The JSON of a program, and its reader. The text is canonical: equal programs give equal bytes
// whatever their variables' ids. Logs come from anybody, so what is read goes through the checks of
// `placeholder`, `constant` and `compute`, under caps; any input gives a program or a refusal.
//
//   {"name": "matmul",
//    "stages": [{"placeholder": "A", "dtype": "f32", "shape": [512, 512]},
//               {"constant": "B", "dtype": "f32", "shape": [512, 512]},
//               {"compute": "C", "dtype": ["f32"], "shape": [512, 512], "axes": ["i", "j"],
//                "reduce": [["k", 512]], "body": ["sum(A[i, k] * B[k, j], k)"]}],
//    "outputs": ["C"]}
//
// An extent is a number, or the text of an expression of the names in "symbols". A stage of several
// values lists the names of its buffers in "values".
#include <algorithm>
#include <set>

#include "dsl/dag.h"
#include "ir/parse.h"
#include "ir/print.h"
#include "ir/rewrite.h"

namespace tessera::dsl {

namespace {

constexpr std::size_t kMaxStages = 256;
constexpr std::size_t kMaxRank = 8;
constexpr std::size_t kMaxValues = 16;
constexpr std::size_t kMaxSymbols = 64;
constexpr std::size_t kMaxBodyText = 16 << 10;
constexpr std::size_t kMaxAllBodies = 1 << 20;
constexpr std::size_t kMaxExtentText = 256;
constexpr std::size_t kMaxName = 64;
constexpr const char* kCallSite = "stage";  // what a message names in place of a source file

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

Json stage_json(const Stage& s, ir::Names names) {
  static constexpr const char* kWords[] = {"placeholder", "constant", "compute"};
  Json j = Json::object();
  j[kWords[static_cast<std::size_t>(s.kind)]] = s.name;
  Json shape = Json::array();
  for (const Axis& a : s.axes) shape.push_back(extent_json(a.extent, names));
  if (s.is_input()) {
    j["dtype"] = ir::to_string(s.outputs[0]->dtype);
    j["shape"] = std::move(shape);
    return j;
  }
  Json dtypes = Json::array(), values = Json::array(), axes = Json::array(), reduce = Json::array(), body = Json::array();
  for (const Buffer& b : s.outputs) dtypes.push_back(ir::to_string(b->dtype));
  for (const Buffer& b : s.outputs) values.push_back(b->name);
  for (const Axis& a : s.axes) axes.push_back(names.of(a.var.node()));
  for (const Axis& a : s.reduce_axes) {
    // One after the other: the name comes before what its extent may print.
    const std::string name = names.of(a.var.node());
    reduce.push_back(Json::array({Json(name), extent_json(a.extent, names)}));
  }
  for (const Expr& b : s.body) body.push_back(ir::to_string(b, names));
  j["dtype"] = std::move(dtypes);
  if (s.outputs.size() > 1) j["values"] = std::move(values);
  j["shape"] = std::move(shape);
  j["axes"] = std::move(axes);
  if (!s.reduce_axes.empty()) j["reduce"] = std::move(reduce);
  j["body"] = std::move(body);
  return j;
}

/// One line of text, of what may have come from anywhere.
Refusal clean(std::string reason) {
  if (reason.size() > 600) reason = reason.substr(0, 600) + "...";
  for (char& c : reason) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
  }
  return {"program: " + reason};
}

/// Unwinds to from_json_value, which returns it as a refusal.
struct ReadFailure {
  std::string reason;
};

template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw ReadFailure{refuse(parts...).reason};
}

const Json& array_of(const Json& j, const char* key, std::size_t most) {
  const auto member = json_member(j, key);
  if (!member.ok()) fail(member.reason());
  if (!(*member)->is_array()) fail("field '", key, "' is not an array");
  if ((*member)->size() > most) fail("field '", key, "' has ", (*member)->size(), " elements; at most ", most, " are read");
  return **member;
}

std::string text_of(const Json& j, const char* what, std::size_t most) {
  const auto s = json_string(j);
  if (!s.ok()) fail(what, ": ", s.reason());
  if (s->size() > most) fail(what, " has ", s->size(), " characters; at most ", most, " are read");
  return *s;
}

std::string text_member(const Json& j, const char* key, std::size_t most) {
  const auto member = json_member(j, key);
  if (!member.ok()) fail(member.reason());
  return text_of(**member, key, most);
}

Type type_of(const Json& j) {
  const auto t = ir::parse_type(text_of(j, "dtype", 32));
  if (!t.ok()) fail(t.reason());
  return *t;
}

void only_fields(const Json& j, std::initializer_list<const char*> known) {
  for (const auto& [key, value] : j.items()) {
    if (std::none_of(known.begin(), known.end(), [&, k = key](const char* n) { return k == n; })) {
      fail("unknown field '", key.substr(0, 40), "'");
    }
  }
}

}  // namespace

class DagReader {
 public:
  ComputeDag read(const Json& j) {
    if (!j.is_object()) fail("a program is an object, found ", j.type_name());
    only_fields(j, {"name", "symbols", "stages", "outputs"});
    const std::string name = text_member(j, "name", kMaxName);
    if (j.contains("symbols")) symbols(array_of(j, "symbols", kMaxSymbols));
    const Json& stages = array_of(j, "stages", kMaxStages);
    for (std::size_t i = 0; i < stages.size(); ++i) {
      try {
        stage(stages[i], CallSite{kCallSite, static_cast<int>(i)});
      } catch (const ReadFailure& f) {
        fail("stage ", i, ": ", f.reason);
      }
    }
    std::vector<Tensor> outputs;
    std::set<std::string> seen;
    for (const Json& o : array_of(j, "outputs", kMaxStages)) {
      const std::string output = text_of(o, "outputs", kMaxName + 16);
      const auto it = tensors_.find(output);
      if (it == tensors_.end()) fail("output '", output, "' is not computed");
      if (!seen.insert(output).second) fail("output '", output, "' is named twice");
      outputs.push_back(it->second);
    }
    ComputeDag dag = ComputeDag::from_outputs(outputs, name);
    // A name that changed, or a stage that nobody reads, is not what was written.
    std::set<std::string> kept;
    for (const Stage& s : dag.stages()) {
      if (names_.count(s.name) == 0) fail("the name of stage '", s.name, "' is not free");
      kept.insert(s.name);
    }
    for (const std::string& n : names_) {
      if (kept.count(n) == 0) fail("stage '", n, "' is not read by any output");
    }
    return dag;
  }

 private:
  void symbols(const Json& list) {
    for (const Json& j : list) {
      const std::string name = text_of(j, "symbols", kMaxName);
      if (!symbols_.emplace(name, symbol(name)).second) fail("symbol '", name, "' is named twice");
    }
  }

  Expr extent(const Json& j) {
    if (!j.is_string()) {
      const auto n = json_int(j, 1);
      if (!n.ok()) fail("an extent: ", n.reason());
      return ir::int_imm(*n);
    }
    ir::ExprScope scope;
    scope.variable = [this](const std::string& n) {
      const auto it = symbols_.find(n);
      return it == symbols_.end() ? Expr() : static_cast<Expr>(it->second);
    };
    auto e = ir::parse_expr(text_of(j, "an extent", kMaxExtentText), scope);
    if (!e.ok()) fail("an extent: ", e.reason());
    if (e->type() != ir::i64) fail("an extent is ", e->type(), ", not i64");
    ir::walk(*e, [](const Expr& x) {
      const bool plain = ir::as_binary(x) != nullptr || x.as<ir::IntImm>() != nullptr || x.as<ir::VarNode>() != nullptr;
      if (!plain) fail("an extent is made of symbols, numbers and arithmetic, not of ", to_string(x));
      return true;
    });
    return *e;
  }

  Exprs shape(const Json& j) {
    Exprs out;
    for (const Json& x : array_of(j, "shape", kMaxRank)) out.push_back(extent(x));
    return out;
  }

  void define(const std::string& name, const Tensor& t) {
    if (!tensors_.emplace(name, t).second) fail("the name '", name, "' is given twice");
  }

  void stage(const Json& j, CallSite site) {
    if (!j.is_object()) fail("expected an object, found ", j.type_name());
    const bool placeholder_word = j.contains("placeholder"), constant_word = j.contains("constant");
    const char* word = placeholder_word ? "placeholder" : constant_word ? "constant" : "compute";
    const std::string name = text_member(j, word, kMaxName);
    if (!names_.insert(name).second) fail("the name '", name, "' is given twice");
    if (placeholder_word || constant_word) {
      only_fields(j, {word, "dtype", "shape"});
      const auto dtype = json_member(j, "dtype");
      if (!dtype.ok()) fail(dtype.reason());
      const Type t = type_of(**dtype);
      define(name, placeholder_word ? placeholder(shape(j), t, name, site) : constant(shape(j), t, name, site));
      return;
    }
    only_fields(j, {word, "dtype", "values", "shape", "axes", "reduce", "body"});
    compute_stage(j, name, site);
  }

  void compute_stage(const Json& j, const std::string& name, CallSite site) {
    const Exprs extents = shape(j);
    std::vector<std::string> axes;
    std::set<std::string> used;
    for (const Json& a : array_of(j, "axes", kMaxRank)) axes.push_back(axis_name(a, used));
    if (axes.size() != extents.size()) fail("'", name, "' has ", extents.size(), " dimensions and ", axes.size(), " axes");
    std::map<std::string, ReduceVar> reduced;
    if (j.contains("reduce")) {
      for (const Json& r : array_of(j, "reduce", kMaxRank)) {
        if (!r.is_array() || r.size() != 2) fail("a reduction axis is [name, extent]");
        const std::string n = axis_name(r[0], used);
        reduced.emplace(n, reduce_axis(extent(r[1]), n, site));
      }
    }
    const Json& texts = array_of(j, "body", kMaxValues);
    const auto body = [&](const std::vector<Var>& vars) {
      std::map<std::string, Expr> known(symbols_.begin(), symbols_.end());
      for (std::size_t d = 0; d < axes.size(); ++d) known[axes[d]] = vars[d];
      for (const auto& [n, v] : reduced) known[n] = v;
      Exprs out;
      for (const Json& t : texts) {
        const std::string one = text_of(t, "body", kMaxBodyText);
        if ((body_bytes_ += one.size()) > kMaxAllBodies) fail("its bodies have more than ", kMaxAllBodies, " characters");
        out.push_back(parse(one, known, reduced));
      }
      share_reduction(out);
      return out;
    };
    const std::vector<Tensor> made = detail::compute_tensors(extents, axes, body, name, site);
    check_same_axes(made[0].operation(), reduced);
    const Json& dtypes = array_of(j, "dtype", kMaxValues);
    if (dtypes.size() != made.size()) fail("'", name, "' has ", made.size(), " values and ", dtypes.size(), " dtypes");
    for (std::size_t v = 0; v < made.size(); ++v) {
      if (type_of(dtypes[v]) != made[v].dtype()) fail("value ", v, " of '", name, "' is ", made[v].dtype());
    }
    if (made.size() == 1) return define(name, made[0]);
    const Json& values = array_of(j, "values", kMaxValues);
    if (values.size() != made.size()) fail("'", name, "' has ", made.size(), " values and ", values.size(), " names");
    for (std::size_t v = 0; v < made.size(); ++v) define(text_of(values[v], "values", kMaxName + 16), made[v]);
  }

  std::string axis_name(const Json& j, std::set<std::string>& used) {
    std::string name = text_of(j, "axes", kMaxName);
    if (!used.insert(name).second || symbols_.count(name) != 0) fail("the name '", name, "' is given twice");
    return name;
  }

  Expr parse(const std::string& text, const std::map<std::string, Expr>& known,
             const std::map<std::string, ReduceVar>& reduced) {
    ir::ExprScope scope;
    scope.variable = [&](const std::string& n) {
      const auto it = known.find(n);
      return it == known.end() ? Expr() : it->second;
    };
    scope.axis = [&](const std::string& n) -> std::optional<ir::ReduceAxis> {
      const auto it = reduced.find(n);
      if (it == reduced.end()) return std::nullopt;
      return ir::ReduceAxis{it->second, it->second.extent()};
    };
    scope.read = [this](const std::string& n, const Exprs& indices) -> Result<Expr> {
      const auto it = tensors_.find(n);
      if (it == tensors_.end()) return refuse("'", n.substr(0, kMaxName), "' is not a tensor of an earlier stage");
      return it->second.at(indices);  // a UserError of it is a refusal of parse_expr
    };
    scope.names = [&] {
      std::vector<std::string> out;
      for (const auto& [n, e] : known) out.push_back(n);
      return out;
    };
    auto e = ir::parse_expr(text, scope);
    if (!e.ok()) fail("body: ", e.reason());
    return *e;
  }

  /// The values of one reduction print it once each; in memory they share it.
  static void share_reduction(Exprs& body) {
    const ir::Reduce* first = body.empty() ? nullptr : body[0].as<ir::Reduce>();
    if (first == nullptr) return;
    const auto whole = [](const ir::Reduce& r) { return ir::to_string(ir::make<ir::Reduce>(r.combiner, r.sources, r.axes, 0)); };
    const std::string text = whole(*first);
    for (std::size_t v = 1; v < body.size(); ++v) {
      const ir::Reduce* r = body[v].as<ir::Reduce>();
      if (r == nullptr || r->sources.size() != first->sources.size() || whole(*r) != text) continue;
      body[v] = ir::make<ir::Reduce>(first->combiner, first->sources, first->axes, r->index);
    }
  }

  static void check_same_axes(const Operation& op, const std::map<std::string, ReduceVar>& reduced) {
    if (op.reduce_axes.size() == reduced.size()) return;
    fail("'", op.name, "' lists ", reduced.size(), " reduction axes and reduces over ", op.reduce_axes.size());
  }

  std::map<std::string, Var> symbols_;
  std::map<std::string, Tensor> tensors_;  // by buffer name
  std::set<std::string> names_;            // of stages
  std::size_t body_bytes_ = 0;
};

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

Status from_json_value(const Json& j, ComputeDag& out) {
  try {
    out = DagReader().read(j);
    return Done{};
  } catch (const ReadFailure& f) {
    return clean(f.reason);
  } catch (const UserError& e) {
    return clean(e.what());
  }
}

}  // namespace tessera::dsl
