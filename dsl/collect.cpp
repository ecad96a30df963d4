#include "dsl/detail/collect.h"

#include <algorithm>
#include <functional>
#include <set>

#include "ir/print.h"
#include "ir/rewrite.h"

namespace tessera::dsl::detail {

namespace {

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
    if (op->kind == OperationKind::kState) return;  // its scan is found from elsewhere
    for (const Expr& body : op->body) {
      ir::walk(body, [&](const Expr& e) {
        if (const auto* l = e.as<ir::Load>()) visit(Buffer(l->buffer));
        return true;
      });
    }
    if (op->code) {
      for (const Buffer& read : op->code->reads) visit(read);
    }
    Stage s;
    s.kind = op->kind;
    s.name = op->name;
    s.axes = op->axes;
    s.reduce_axes = op->reduce_axes;
    s.body = op->body;
    s.scan = op->scan;
    s.values = op->values;
    s.code = op->code;
    types_.push_back({});
    for (const Expr& body : op->body) types_.back().push_back(body.type());
    if (op->code) {
      for (std::size_t i = op->code->reads.size(); i < op->code->code->buffers.size(); ++i) types_.back().push_back(op->code->code->buffers[i].buffer->dtype);
    }
    s.outputs.resize(std::max<std::size_t>(types_.back().size(), 1));
    s.outputs[static_cast<std::size_t>(b->origin_index)] = b;
    index_[op] = static_cast<int>(stages.size());
    stages.push_back(std::move(s));
    shapes_.push_back(b->shape);
    operations_.push_back(op);
  }

  /// Outputs nobody reads still exist: a multi-output compute makes all of its values.
  void complete() {
    for (std::size_t i = 0; i < stages.size(); ++i) {
      Stage& s = stages[i];
      for (std::size_t v = 0; v < s.outputs.size(); ++v) {
        if (!s.outputs[v]) s.outputs[v] = Buffer::fresh(s.name + ".v" + std::to_string(v), types_[i][v], shapes_[i]);
      }
    }
    bind_states();
  }

 private:
  /// Reads of a scan's state become reads of the scan.
  void bind_states() {
    std::map<std::uint64_t, Buffer> rows;
    for (std::size_t i = 0; i < stages.size(); ++i) {
      for (std::size_t v = 0; v < operations_[i]->states.size(); ++v) rows[operations_[i]->states[v]->id] = stages[i].outputs[v];
    }
    for (Stage& s : stages) {
      for (Expr& b : s.body) {
        if (!rows.empty()) b = ir::replace_buffers(b, rows);
        ir::walk(b, [&](const Expr& e) {
          const auto* l = e.as<ir::Load>();
          const auto* op = l == nullptr ? nullptr : static_cast<const Operation*>(l->buffer->origin.get());
          TESSERA_USER_CHECK(op == nullptr || op->kind != OperationKind::kState)
              << "'" << s.name << "' reads rows of scan '" << op->name << "', which no scan of the program computes";
          return true;
        });
      }
    }
  }

  std::map<const Operation*, int> index_;
  std::vector<Exprs> shapes_;
  std::vector<std::vector<Type>> types_;  // of the outputs
  std::vector<const Operation*> operations_;
};

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

}  // namespace

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

void replace_reads(Stage& s, const std::map<std::uint64_t, Buffer>& with) {
  if (!s.code) return;
  for (Buffer& b : s.code->reads) {
    if (const auto it = with.find(b->id); it != with.end()) b = it->second;
  }
}

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
      replace_reads(s, renamed);
    }
    make_axis_names_unique(s, names);
  }
  for (Buffer& b : outputs) {
    if (const auto it = renamed.find(b->id); it != renamed.end()) b = it->second;
  }
}

std::vector<Stage> collect(const std::vector<Buffer>& outputs) {
  Collector c;
  for (const Buffer& b : outputs) c.visit(b);
  c.complete();
  return std::move(c.stages);
}

}  // namespace tessera::dsl::detail
