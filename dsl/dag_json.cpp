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
//    {"placeholder": "P", "dtype": "i32", "shape": [9], "values": {"offsets": 100}}     below, within
//    {"scan": "S", "dtype": ["f32"], "shape": [8, 4], "axes": ["t", "j"], "along": 0, "rows": 1,
//     "first": ["X[t, j]"], "step": ["S[t - 1, j] + X[t, j]"]}
//    {"extern": "Y", "shape": [8], "reads": ["P", "V"], "operations": 200, "code": "program ..."}
//
// An extent is a number, or the text of an expression of the names in "symbols". A stage of several
// values lists the names of its buffers in "values".
#include <algorithm>
#include <set>

#include "dsl/dag.h"
#include "dsl/detail/stage_word.h"
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
constexpr std::size_t kMaxCodeText = 64 << 10;
constexpr std::int64_t kMostOperations = std::int64_t{1} << 53;
constexpr const char* kCallSite = "stage";  // what a message names in place of a source file

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
    for (const Json& s : stages) scan_states(s);
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

  /// The buffer of value `v` of a stage.
  static std::string value_name(const Json& j, const std::string& stage, std::size_t v) {
    const std::size_t count = array_of(j, "dtype", kMaxValues).size();
    if (count == 1) return stage;
    const Json& values = array_of(j, "values", kMaxValues);
    if (values.size() != count) fail("'", stage, "' has ", count, " dtypes and ", values.size(), " names of values");
    return text_of(values[v], "values", kMaxName + 16);
  }

  /// Steps read the rows of a scan before the scan itself is listed.
  void scan_states(const Json& j) {
    if (!j.is_object() || !j.contains("scan")) return;
    const std::string name = text_member(j, "scan", kMaxName);
    const Json& dtypes = array_of(j, "dtype", kMaxValues);
    const Exprs extents = shape(j);
    for (std::size_t v = 0; v < dtypes.size(); ++v) {
      const std::string buffer = value_name(j, name, v);
      const Tensor state = scan_state(extents, type_of(dtypes[v]), name);
      if (!states_.emplace(buffer, state).second) fail("the name '", buffer, "' is given twice");
    }
  }

  void stage(const Json& j, CallSite site) {
    if (!j.is_object()) fail("expected an object, found ", j.type_name());
    const char* word = "compute";
    for (const OperationKind k : {OperationKind::kPlaceholder, OperationKind::kConstant, OperationKind::kScan, OperationKind::kExtern}) {
      if (j.contains(detail::stage_word(k))) word = detail::stage_word(k);
    }
    const std::string name = text_member(j, word, kMaxName), kind = word;
    if (!names_.insert(name).second) fail("the name '", name, "' is given twice");
    if (kind == "placeholder" || kind == "constant") {
      only_fields(j, {word, "dtype", "shape", "values"});
      const auto dtype = json_member(j, "dtype");
      if (!dtype.ok()) fail(dtype.reason());
      const Type t = type_of(**dtype);
      const Tensor made = kind == "placeholder" ? placeholder(shape(j), t, name, site) : constant(shape(j), t, name, site);
      return define(name, j.contains("values") ? with_values(made, promise(**json_member(j, "values")), site) : made);
    }
    if (kind == "extern") {
      only_fields(j, {word, "dtype", "values", "shape", "reads", "operations", "code"});
      return extern_stage(j, name, site);
    }
    if (kind == "scan") {
      only_fields(j, {word, "dtype", "values", "shape", "axes", "along", "rows", "first", "step"});
      return scan_stage(j, name, site);
    }
    only_fields(j, {word, "dtype", "values", "shape", "axes", "reduce", "body"});
    compute_stage(j, name, site);
  }

  static ValueRule promise(const Json& j) {
    if (!j.is_object() || j.size() != 1) fail("promised values are {\"below\": n}, {\"offsets\": n} or {\"within\": x}");
    only_fields(j, {"below", "offsets", "within"});
    if (j.contains("within")) {
      const auto x = json_double(j.at("within"));
      if (!x.ok()) fail("within: ", x.reason());
      return within(*x);
    }
    const bool index = j.contains("below");
    const auto n = json_int(j.at(index ? "below" : "offsets"), 0);
    if (!n.ok()) fail("promised values: ", n.reason());
    return index ? below(*n) : offsets(*n);
  }

  std::int64_t number(const Json& j, const char* key, std::int64_t least) {
    const auto member = json_member(j, key);
    if (!member.ok()) fail(member.reason());
    const auto n = json_int(**member, least);
    if (!n.ok()) fail(key, ": ", n.reason());
    return *n;
  }

  void extern_stage(const Json& j, const std::string& name, CallSite site) {
    std::vector<Tensor> inputs;
    for (const Json& r : array_of(j, "reads", kMaxStages)) {
      const std::string read = text_of(r, "reads", kMaxName + 16);
      const auto it = tensors_.find(read);
      if (it == tensors_.end()) fail("'", read, "' is not a tensor of an earlier stage");
      inputs.push_back(it->second);
    }
    const std::int64_t operations = number(j, "operations", 0);
    if (operations > kMostOperations) fail("'", name, "' counts for more operations than any computer does");
    auto code = ir::parse_program(text_member(j, "code", kMaxCodeText));
    if (!code.ok()) fail("code: ", code.reason());
    define_all(j, name, extern_program(shape(j), inputs, std::move(*code), name, static_cast<double>(operations), site));
  }

  /// Variables of a body by name.
  std::map<std::string, Expr> known_axes(const std::vector<std::string>& axes, const std::vector<Var>& vars) const {
    std::map<std::string, Expr> known(symbols_.begin(), symbols_.end());
    for (std::size_t d = 0; d < axes.size(); ++d) known[axes[d]] = vars[d];
    return known;
  }

  void scan_stage(const Json& j, const std::string& name, CallSite site) {
    std::vector<std::string> axes;
    std::set<std::string> used;
    for (const Json& a : array_of(j, "axes", kMaxRank)) axes.push_back(axis_name(a, used));
    std::vector<Tensor> states;
    const std::size_t count = array_of(j, "dtype", kMaxValues).size();
    for (std::size_t v = 0; v < count; ++v) {
      states.push_back(states_.at(value_name(j, name, v)));
    }
    if (states.empty() || axes.size() != states[0].shape().size()) fail("'", name, "' has ", axes.size(), " axes");
    const auto part = [&](const char* key) {
      const Json& texts = array_of(j, key, kMaxValues);
      return [&, this](const std::vector<Var>& vars) {
        Exprs out;
        for (const Json& t : texts) out.push_back(parse(body_text(t), known_axes(axes, vars), {}));
        return out;
      };
    };
    const std::int64_t along = number(j, "along", 0);
    if (along >= static_cast<std::int64_t>(kMaxRank)) fail("'", name, "' has no dimension ", along);
    const Recurrence how{static_cast<int>(along), number(j, "rows", 1)};
    define_all(j, name, detail::scan_tensors(states, how, axes, part("first"), part("step"), site));
  }

  std::string body_text(const Json& t) {
    std::string one = text_of(t, "body", kMaxBodyText);
    if ((body_bytes_ += one.size()) > kMaxAllBodies) fail("its bodies have more than ", kMaxAllBodies, " characters");
    return one;
  }

  /// The outputs of a stage under their names, which are of the dtypes listed.
  void define_all(const Json& j, const std::string& name, const std::vector<Tensor>& made) {
    const Json& dtypes = array_of(j, "dtype", kMaxValues);
    if (dtypes.size() != made.size()) fail("'", name, "' has ", made.size(), " values and ", dtypes.size(), " dtypes");
    for (std::size_t v = 0; v < made.size(); ++v) {
      if (type_of(dtypes[v]) != made[v].dtype()) fail("value ", v, " of '", name, "' is ", made[v].dtype());
    }
    for (std::size_t v = 0; v < made.size(); ++v) define(value_name(j, name, v), made[v]);
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
      std::map<std::string, Expr> known = known_axes(axes, vars);
      for (const auto& [n, v] : reduced) known[n] = v;
      Exprs out;
      for (const Json& t : texts) out.push_back(parse(body_text(t), known, reduced));
      share_reduction(out);
      return out;
    };
    const std::vector<Tensor> made = detail::compute_tensors(extents, axes, body, name, site);
    check_same_axes(made[0].operation(), reduced);
    define_all(j, name, made);
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
      auto it = tensors_.find(n);
      if (it == tensors_.end() && (it = states_.find(n)) == states_.end()) {
        return refuse("'", n.substr(0, kMaxName), "' is not a tensor of an earlier stage");
      }
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
  std::map<std::string, Tensor> states_;   // of all scans, by the buffer names of these
  std::set<std::string> names_;            // of stages
  std::size_t body_bytes_ = 0;
};

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
