#include "dsl/dag.h"

#include <functional>
#include <set>

#include "ir/print.h"
#include "ir/rewrite.h"

namespace tessera::dsl {

namespace {

std::int64_t constant_extent(const Axis& a) {
  std::int64_t n = 0;
  TESSERA_USER_CHECK(is_const_int(a.extent, &n)) << "extent of axis '" << a.name() << "' is symbolic: " << a.extent;
  return n;
}

double volume(const std::vector<Axis>& axes) {
  double v = 1;
  for (const Axis& a : axes) v *= static_cast<double>(constant_extent(a));
  return v;
}

/// Operations of one evaluation of `e` on values, leaving out the arithmetic of indices.
double operations(const Expr& e) {
  if (e->kind == ir::ExprKind::kLoad) return 0;
  double n = 0;
  ir::for_each_child(e, [&](const Expr& c) { n += operations(c); });
  const ir::Binary* b = ir::as_binary(e);
  const bool counts = (b != nullptr && b->a.type() != ir::i64) || e->kind == ir::ExprKind::kCall;
  return n + (counts ? 1 : 0);
}

double stage_flops(const Stage& s) {
  if (s.is_input()) return 0;
  const ir::Reduce* r = s.reduce();
  if (r == nullptr) {
    double per_point = 0;
    for (const Expr& b : s.body) per_point += operations(b);
    return per_point * volume(s.axes);
  }
  double per_point = 0;
  for (const Expr& x : r->sources) per_point += operations(x);
  for (const Expr& x : r->combiner->result) per_point += operations(x);
  return per_point * volume(s.axes) * volume(s.reduce_axes);
}

class Collector {
 public:
  std::vector<Stage> stages;

  void visit(const Buffer& b) {
    const auto* op = static_cast<const Operation*>(b->origin.get());
    TESSERA_USER_CHECK(op != nullptr) << "tensor '" << b->name << "' was not made by placeholder, constant or compute";
    const auto [it, added] = index_.try_emplace(op, -1);
    if (!added) {
      if (it->second >= 0) stages[static_cast<std::size_t>(it->second)].outputs[static_cast<std::size_t>(b->origin_index)] = b;
      return;
    }
    for (const Expr& body : op->body) {
      ir::walk(body, [&](const Expr& e) {
        if (const auto* l = e.as<ir::Load>()) visit(Buffer(l->buffer));
        return true;
      });
    }
    Stage s;
    s.kind = op->kind;
    s.name = op->name;
    s.axes = op->axes;
    s.reduce_axes = op->reduce_axes;
    s.body = op->body;
    s.outputs.resize(std::max<std::size_t>(op->body.size(), 1));
    s.outputs[static_cast<std::size_t>(b->origin_index)] = b;
    index_[op] = static_cast<int>(stages.size());
    stages.push_back(std::move(s));
    shapes_.push_back(b->shape);
  }

  /// Outputs nobody reads still exist: a multi-output compute makes all of its values.
  void complete() {
    for (std::size_t i = 0; i < stages.size(); ++i) {
      Stage& s = stages[i];
      for (std::size_t v = 0; v < s.outputs.size(); ++v) {
        if (!s.outputs[v]) s.outputs[v] = Buffer::fresh(s.name + ".v" + std::to_string(v), s.body[v].type(), shapes_[i]);
      }
    }
  }

 private:
  std::map<const Operation*, int> index_;
  std::vector<Exprs> shapes_;
};

std::vector<Var> symbols_of(const std::vector<Stage>& stages) {
  std::vector<Var> out;
  std::set<ir::VarId> seen;
  const auto add = [&](const Expr& e) {
    for (const Var& v : ir::free_vars(e)) {
      if (seen.insert(v.id()).second) out.push_back(v);
    }
  };
  for (const Stage& s : stages) {
    for (const Axis& a : s.axes) add(a.extent);
    for (const Axis& a : s.reduce_axes) add(a.extent);
  }
  return out;
}

/// Gives every axis the name under which it prints, so that text and schedules name it alike.
void make_axis_names_unique(Stage& s, ir::Names names) {
  ir::VarMap renamed;
  const auto rename = [&](Axis& a) {
    const std::string name = names.of(a.var.node());
    if (name == a.name()) return;
    const Var fresh = Var::fresh(name, a.var.type());
    renamed[a.var.id()] = fresh;
    a.var = fresh;
  };
  for (Axis& a : s.axes) rename(a);
  for (Axis& a : s.reduce_axes) rename(a);
  if (renamed.empty()) return;
  for (Expr& b : s.body) {
    b = ir::substitute(b, renamed);
    const auto* r = b.as<ir::Reduce>();
    if (r == nullptr) continue;
    std::vector<ir::ReduceAxis> axes;
    for (const Axis& a : s.reduce_axes) axes.push_back({a.var, a.extent});
    b = ir::make<ir::Reduce>(r->combiner, r->sources, std::move(axes), r->index);
  }
}

/// Numbers clashing names and rewrites the bodies to the renamed buffers.
void make_names_unique(std::vector<Stage>& stages, std::vector<Buffer>& outputs) {
  std::set<std::string> used{"true", "false", "let", "in", "if"};  // words of the printed text
  const std::vector<Var> symbols = symbols_of(stages);
  for (const Var& v : symbols) {
    TESSERA_USER_CHECK(used.insert(v.name()).second)
        << "the symbol '" << v.name() << "' has the name of another symbol or of a word of the language";
  }
  std::map<std::uint64_t, Buffer> renamed;
  const auto unique = [&](const std::string& base) {
    std::string name = base;
    for (int n = 1; !used.insert(name).second; ++n) name = base + "_" + std::to_string(n);
    return name;
  };
  for (Stage& s : stages) {
    s.name = unique(s.name);
    for (std::size_t v = 0; v < s.outputs.size(); ++v) {
      const std::string name = s.outputs.size() == 1 ? s.name : unique(s.name + ".v" + std::to_string(v));
      if (s.outputs[v]->name == name) continue;
      const Buffer fresh = s.outputs[v].with_name(name);
      renamed[s.outputs[v]->id] = fresh;
      s.outputs[v] = fresh;
    }
  }
  ir::Names names;
  for (const Var& v : symbols) names.of(v.node());
  for (const Stage& s : stages) {
    if (s.outputs.size() > 1) names.reserve(s.name);
    for (const Buffer& b : s.outputs) names.of(b.get());
  }
  for (Stage& s : stages) {
    if (!renamed.empty()) {
      for (Expr& b : s.body) b = ir::replace_buffers(b, renamed);
    }
    make_axis_names_unique(s, names);
  }
  for (Buffer& b : outputs) {
    if (const auto it = renamed.find(b->id); it != renamed.end()) b = it->second;
  }
}

}  // namespace

ComputeDag ComputeDag::from_outputs(const std::vector<Tensor>& outputs, std::string name) {
  TESSERA_USER_CHECK(!outputs.empty()) << "a program needs at least one output";
  Collector c;
  ComputeDag dag;
  dag.name_ = std::move(name);
  for (const Tensor& t : outputs) {
    TESSERA_USER_CHECK(static_cast<bool>(t.buffer())) << "an output of the program is undefined";
    TESSERA_USER_CHECK(t.operation().kind == OperationKind::kCompute)
        << "output '" << t.name() << "' is an input of the program; outputs come from compute";
    c.visit(t.buffer());
    dag.outputs_.push_back(t.buffer());
  }
  c.complete();
  dag.stages_ = std::move(c.stages);
  make_names_unique(dag.stages_, dag.outputs_);
  return dag;
}

std::vector<const Stage*> ComputeDag::inputs() const {
  std::vector<const Stage*> out;
  for (const Stage& s : stages_) {
    if (s.is_input()) out.push_back(&s);
  }
  return out;
}

const Stage* ComputeDag::find(const std::string& stage) const {
  for (const Stage& s : stages_) {
    if (s.name == stage) return &s;
  }
  return nullptr;
}

const Stage* ComputeDag::producer(const ir::BufferNode* b) const {
  for (const Stage& s : stages_) {
    for (const Buffer& o : s.outputs) {
      if (o.get() == b) return &s;
    }
  }
  return nullptr;
}

const Stage* ComputeDag::producer(const Buffer& b) const { return producer(b.get()); }

std::vector<Var> ComputeDag::symbols() const { return symbols_of(stages_); }

bool ComputeDag::is_symbolic() const { return !symbols().empty(); }

Result<ComputeDag> ComputeDag::with_symbols(const std::map<std::string, std::int64_t>& values) const {
  ir::VarMap with;
  for (const Var& v : symbols()) {
    const auto it = values.find(v.name());
    if (it == values.end()) return refuse("symbol '", v.name(), "' of program '", name_, "' has no value");
    if (it->second < 1) return refuse("symbol '", v.name(), "' is ", it->second, "; an extent is at least 1");
    with[v.id()] = ir::int_imm(it->second);
  }
  ComputeDag out = *this;
  std::map<std::uint64_t, Buffer> replaced;
  for (const Stage& s : stages_) {
    for (const auto* axes : {&s.axes, &s.reduce_axes}) {
      for (const Axis& a : *axes) {
        std::int64_t n = 0;
        const Expr e = ir::substitute(a.extent, with);
        if (!is_const_int(e, &n)) return refuse("an extent of '", s.name, "' has no value: ", ir::to_string(e));
        if (n < 1) return refuse("an extent of '", s.name, "', ", ir::to_string(a.extent), ", is ", n, "; it must be at least 1");
      }
    }
  }
  for (Stage& s : out.stages_) {
    for (Axis& a : s.axes) a.extent = ir::substitute(a.extent, with);
    for (Axis& a : s.reduce_axes) a.extent = ir::substitute(a.extent, with);
    for (Buffer& b : s.outputs) {
      Exprs shape;
      for (const Expr& e : b->shape) shape.push_back(ir::substitute(e, with));
      const Buffer fresh = Buffer::fresh(b->name, b->dtype, shape);
      replaced[b->id] = fresh;
      b = fresh;
    }
    for (Expr& e : s.body) e = ir::replace_buffers(ir::substitute(e, with), replaced);
  }
  for (Buffer& b : out.outputs_) b = replaced.at(b->id);
  return out;
}

Result<ComputeDag> ComputeDag::with_constants(const std::vector<std::string>& names) const {
  ComputeDag out = *this;
  for (const std::string& n : names) {
    const Stage* s = find(n);
    if (s != nullptr && s->is_input()) continue;
    std::string known;
    for (const Stage* i : inputs()) known += (known.empty() ? "" : ", ") + i->name;
    return refuse("'", n, "' is not an operand of '", name_, "'; operands are ", known);
  }
  for (Stage& s : out.stages_) {
    if (!s.is_input()) continue;
    const bool fixed = std::find(names.begin(), names.end(), s.name) != names.end();
    s.kind = fixed ? OperationKind::kConstant : OperationKind::kPlaceholder;
  }
  return out;
}

double ComputeDag::flops() const {
  double n = 0;
  for (const Stage& s : stages_) n += stage_flops(s);
  return n;
}

double ComputeDag::multiply_adds() const {
  double n = 0;
  for (const Stage& s : stages_) {
    const ir::Reduce* r = s.reduce();
    if (r == nullptr || r->combiner->op != ir::ReduceOp::kSum) continue;
    if (r->sources[0].as<ir::Mul>() != nullptr) n += volume(s.axes) * volume(s.reduce_axes);
  }
  return n;
}

double ComputeDag::bytes() const {
  double n = 0;
  for (const Stage& s : stages_) {
    if (s.is_input()) n += volume(s.axes) * s.outputs[0]->dtype.bytes();
  }
  for (const Buffer& b : outputs_) n += volume(producer(b)->axes) * b->dtype.bytes();
  return n;
}

std::string ComputeDag::to_string() const {
  std::ostringstream out;
  for (const Stage& s : stages_) {
    ir::Names names;
    for (const Stage& t : stages_) {
      for (const Buffer& b : t.outputs) names.of(b.get());
    }
    if (s.is_input()) {
      out << s.name << ": " << s.outputs[0]->dtype << "[";
      for (std::size_t d = 0; d < s.axes.size(); ++d) out << (d ? ", " : "") << ir::to_string(s.axes[d].extent, names);
      out << "]" << (s.kind == OperationKind::kConstant ? " constant" : "") << "\n";
      continue;
    }
    for (std::size_t v = 0; v < s.outputs.size(); ++v) {
      out << s.outputs[v]->name << "[";
      for (std::size_t d = 0; d < s.axes.size(); ++d) {
        out << (d ? ", " : "") << names.of(s.axes[d].var.node()) << "<" << ir::to_string(s.axes[d].extent, names);
      }
      out << "] = " << ir::to_string(s.body[v], names);
      for (const Axis& a : s.reduce_axes) out << ", " << names.of(a.var.node()) << "<" << ir::to_string(a.extent, names);
      out << "\n";
    }
  }
  return out.str();
}

std::uint64_t ComputeDag::hash() const { return hash_bytes(dump_json(to_json_value(*this))); }

}  // namespace tessera::dsl
