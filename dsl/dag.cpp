#include "dsl/dag.h"

#include <algorithm>
#include <functional>
#include <set>

#include "dsl/detail/collect.h"
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
  if (s.code) return s.code->operations;
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

bool reads(const Stage& s, const Stage& of) {
  const auto is = [&](const ir::BufferNode* b) {
    return std::any_of(of.outputs.begin(), of.outputs.end(), [&](const Buffer& o) { return o.get() == b; });
  };
  bool found = false;
  for (const Expr& body : s.body) {
    ir::walk(body, [&](const Expr& e) {
      const auto* l = e.as<ir::Load>();
      found |= l != nullptr && is(l->buffer.get());
      return !found;
    });
  }
  if (s.code) {
    for (const Buffer& b : s.code->reads) found |= is(b.get());
  }
  return found;
}

/// What a step computes stays in it: row by row, before the next.
void check_steps(const ComputeDag& dag) {
  for (const Stage& scan : dag.stages()) {
    if (!scan.scan) continue;
    const std::vector<const Stage*> step = dag.step_of(scan);
    for (const Stage* part : step) {
      if (part == &scan) continue;
      for (const Buffer& b : dag.outputs()) {
        TESSERA_USER_CHECK(dag.producer(b) != part) << "'" << part->name << "' belongs to the step of scan '" << scan.name
                                                    << "' and cannot be an output; compute it again from the scan's rows";
      }
      bool read = false;
      for (const Stage& q : dag.stages()) {
        if (!reads(q, *part)) continue;
        read = true;
        TESSERA_USER_CHECK(std::find(step.begin(), step.end(), &q) != step.end())
            << "'" << q.name << "' reads '" << part->name << "', which belongs to the step of scan '" << scan.name
            << "'; compute it again from the scan's rows";
      }
      TESSERA_CHECK(read) << "stage " << part->name << " is read by nothing";
    }
  }
}

}  // namespace

ComputeDag ComputeDag::from_outputs(const std::vector<Tensor>& outputs, std::string name) {
  TESSERA_USER_CHECK(!outputs.empty()) << "a program needs at least one output";
  ComputeDag dag;
  dag.name_ = std::move(name);
  for (const Tensor& t : outputs) {
    TESSERA_USER_CHECK(static_cast<bool>(t.buffer())) << "an output of the program is undefined";
    const OperationKind kind = t.operation().kind;
    TESSERA_USER_CHECK(kind != OperationKind::kState) << "output '" << t.name() << "' is the state of a scan; the output is what scan gives";
    TESSERA_USER_CHECK(kind != OperationKind::kPlaceholder && kind != OperationKind::kConstant)
        << "output '" << t.name() << "' is an input of the program; outputs come from compute, scan or extern";
    dag.outputs_.push_back(t.buffer());
  }
  dag.stages_ = detail::collect(dag.outputs_);
  detail::make_names_unique(dag.stages_, dag.outputs_);
  check_steps(dag);
  return dag;
}

std::vector<const Stage*> ComputeDag::step_of(const Stage& scan) const {
  std::vector<const Stage*> out;
  for (const Stage& s : stages_) {
    if (&s == &scan) break;
    bool part = reads(s, scan);
    for (const Stage* p : out) part |= reads(s, *p);
    if (part) out.push_back(&s);
  }
  out.push_back(&scan);
  return out;
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

std::vector<Var> ComputeDag::symbols() const { return detail::symbols_of(stages_); }

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
  }
  // A step reads rows of a scan that comes after it.
  for (Stage& s : out.stages_) {
    for (Expr& e : s.body) e = ir::replace_buffers(ir::substitute(e, with), replaced);
    detail::replace_reads(s, replaced);
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

namespace {

std::string promise_text(const ValueRule& v) {
  switch (v.kind) {
    case ValueRule::Kind::kAny: return "";
    case ValueRule::Kind::kBelow: return ", from 0 below " + std::to_string(v.limit);
    case ValueRule::Kind::kOffsets: return ", offsets from 0 to " + std::to_string(v.limit);
    case ValueRule::Kind::kWithin: return ", within " + ir::to_string(ir::float_imm(v.size, ir::f64));
  }
  TESSERA_UNREACHABLE();
}

}  // namespace

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
      out << "]" << (s.kind == OperationKind::kConstant ? " constant" : "") << promise_text(s.values) << "\n";
      continue;
    }
    for (std::size_t v = 0; v < s.outputs.size(); ++v) {
      out << s.outputs[v]->name << "[";
      for (std::size_t d = 0; d < s.axes.size(); ++d) {
        out << (d ? ", " : "") << names.of(s.axes[d].var.node()) << "<" << ir::to_string(s.axes[d].extent, names);
      }
      out << "] = " << (s.code ? "extern" : ir::to_string(s.body[v], names));
      if (s.scan) out << ", scan along " << names.of(s.axes[static_cast<std::size_t>(s.scan->axis)].var.node());
      for (std::size_t i = 0; s.code && i < s.code->reads.size(); ++i) out << (i ? ", " : "(") << s.code->reads[i]->name;
      if (s.code) out << (s.code->reads.empty() ? "()" : ")");
      for (const Axis& a : s.reduce_axes) out << ", " << names.of(a.var.node()) << "<" << ir::to_string(a.extent, names);
      out << "\n";
    }
  }
  return out.str();
}

std::uint64_t ComputeDag::hash() const { return hash_bytes(dump_json(to_json_value(*this))); }

}  // namespace tessera::dsl
