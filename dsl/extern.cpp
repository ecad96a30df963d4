// Stages of hand-written statements. What they may do is a short list, checked here for programs and logs
// alike: a log is data, so its statements reach nothing but the stage's own operands and scratch.
#include <set>

#include "dsl/detail/make_operation.h"
#include "ir/check.h"
#include "ir/print.h"
#include "ir/rewrite.h"

namespace tessera::dsl {

namespace {

constexpr std::int64_t kMostScratchBytes = 1 << 20;
constexpr int kMostLanes = 64;

/// Statements an extern is made of, in the loops that they may stand in.
class CodeCheck {
 public:
  Status visit(const ir::Stmt& s, int depth, bool lanes) {
    if (!s) return Done{};
    if (const auto* n = s.as<ir::For>()) return loop(*n, depth, lanes);
    if (const auto* n = s.as<ir::Allocate>()) {
      std::int64_t bytes = n->buffer->dtype.bytes();
      for (const Expr& e : n->buffer->shape) {
        std::int64_t extent = 0;
        if (!is_const_int(e, &extent) || extent < 1) return refuse("scratch buffer '", n->buffer->name, "' has no constant shape");
        if (__builtin_mul_overflow(bytes, extent, &bytes) || bytes > kMostScratchBytes) {
          return refuse("scratch buffer '", n->buffer->name, "' takes more than ", kMostScratchBytes, " bytes");
        }
      }
      if (lanes) return refuse("scratch buffer '", n->buffer->name, "' stands in a vector loop; allocate it outside");
      if (n->buffer->scope != ir::Scope::kGlobal) return refuse("scratch buffer '", n->buffer->name, "' is in ", ir::to_string(n->buffer->scope), " scope; 'global' works");
      if ((scratch_ += bytes) > kMostScratchBytes) return refuse("its scratch buffers take more than ", kMostScratchBytes, " bytes");
      return visit(n->body, depth, lanes);
    }
    if (s.as<ir::Store>() != nullptr) return Done{};
    if (s.as<ir::Block>() == nullptr && s.as<ir::IfThenElse>() == nullptr && s.as<ir::LetStmt>() == nullptr) {
      return refuse("it holds the statement '", ir::to_string(s).substr(0, 60), "'; loops, if, let, allocate and stores work");
    }
    Status done = Done{};
    ir::for_each_child(s, {}, [&](const ir::Stmt& x) {
      if (done.ok()) done = visit(x, depth, lanes);
    });
    return done;
  }

 private:
  Status loop(const ir::For& n, int depth, bool lanes) {
    const std::string& name = n.var.name();
    std::int64_t extent = 0;
    switch (n.loop) {
      case ir::ForKind::kSerial:
        if (lanes) return refuse("loop '", name, "' stands in a vector loop; lanes hold no loops");
        break;
      case ir::ForKind::kParallel:
        if (depth > 0) return refuse("loop '", name, "' is parallel inside another loop; only an outermost loop may be");
        break;
      case ir::ForKind::kVector:
        if (lanes || !is_const_int(n.extent, &extent) || extent < 1 || extent > kMostLanes) {
          return refuse("vector loop '", name, "' needs a constant count of 1 to ", kMostLanes, " and no other around it");
        }
        break;
      default: return refuse("loop '", name, "' is ", ir::to_string(n.loop), "; serial, parallel and vector loops work");
    }
    return visit(n.body, depth + 1, lanes || n.loop == ir::ForKind::kVector);
  }

  std::int64_t scratch_ = 0;
};

Status check_operand(const ir::ProgramBuffer& b, ir::BufferRole role, Type dtype, const Exprs& shape) {
  bool same = b.role == role && b.buffer->dtype == dtype && b.buffer->shape.size() == shape.size();
  for (std::size_t d = 0; same && d < shape.size(); ++d) same = ir::equal(b.buffer->shape[d], shape[d]);
  same = same && b.buffer->scope == ir::Scope::kGlobal && (shape.empty() || b.buffer->layout.is_row_major());
  if (same) return Done{};
  return refuse("its buffer '", b.buffer->name, "' is not the ", ir::to_string(role), " declared in its place");
}

Status check_code(const ir::Program& p, const std::vector<Tensor>& inputs, const Exprs& shape) {
  if (p.functions.size() != 1 || p.launches.size() != 1 || p.launches[0].phase != ir::RunPhase::kRun) {
    return refuse("its code is not one function and one launch of it");
  }
  if (p.buffers.size() <= inputs.size()) return refuse("its code has ", p.buffers.size(), " buffers for ", inputs.size(), " inputs and the outputs");
  TESSERA_TRY_DONE(ir::check_well_formed(p));
  std::set<std::string> names;
  for (std::size_t i = 0; i < p.buffers.size(); ++i) {
    const bool in = i < inputs.size();
    const ir::ProgramBuffer& b = p.buffers[i];
    if (!names.insert(b.buffer->name).second) return refuse("two buffers of its code are called '", b.buffer->name, "'");
    TESSERA_TRY_DONE(check_operand(b, in ? ir::BufferRole::kInput : ir::BufferRole::kOutput,
                                   in ? inputs[i].dtype() : b.buffer->dtype, in ? inputs[i].shape() : shape));
  }
  const ir::Function& f = p.functions[0];
  if (!f.scalars.empty()) return refuse("its function takes scalars");
  // What is passed is what is meant: no two parameters share memory.
  bool straight = f.buffers.size() == p.buffers.size() && p.launches[0].arguments.size() == p.buffers.size();
  for (std::size_t i = 0; straight && i < p.buffers.size(); ++i) {
    straight = f.buffers[i] == p.buffers[i].buffer && p.launches[0].arguments[i] == p.buffers[i].buffer;
  }
  if (!straight) return refuse("its function does not take the inputs and outputs in their order");
  return CodeCheck().visit(f.body, 0, false);
}

}  // namespace

std::vector<Tensor> extern_program(Exprs shape, const std::vector<Tensor>& inputs, ir::Program code, std::string name,
                                   double operations, CallSite site) {
  const auto op = detail::new_operation(OperationKind::kExtern, shape, {}, name, site);
  const auto constant = [&](const Exprs& extents, const std::string& of) {
    for (const Expr& e : extents) TESSERA_USER_CHECK(is_const_int(e)) << site << "'" << of << "' of extern '" << name << "' has the symbolic extent " << e;
  };
  constant(shape, name);
  std::set<const ir::BufferNode*> seen;
  for (const Tensor& t : inputs) {
    TESSERA_USER_CHECK(static_cast<bool>(t.buffer())) << site << "an input of extern '" << name << "' is undefined";
    TESSERA_USER_CHECK(seen.insert(t.buffer().get()).second) << site << "extern '" << name << "' is given '" << t.name() << "' twice";
    constant(t.shape(), t.name());
  }
  TESSERA_USER_CHECK(operations >= 0 && operations <= 1e18) << site << "extern '" << name << "' counts for " << operations << " operations";
  const Status fine = check_code(code, inputs, shape);
  TESSERA_USER_CHECK(fine.ok()) << site << "extern '" << name << "': " << fine.reason();
  std::vector<Type> types;
  for (std::size_t i = inputs.size(); i < code.buffers.size(); ++i) types.push_back(code.buffers[i].buffer->dtype);
  ExternCode parts;
  for (const Tensor& t : inputs) parts.reads.push_back(t.buffer());
  parts.code = std::make_shared<const ir::Program>(std::move(code));
  parts.operations = operations;
  op->code = std::move(parts);
  return detail::outputs_of(op, shape, types);
}

std::vector<Tensor> extern_stage(Exprs shape, const std::vector<Type>& dtypes, const std::vector<Tensor>& inputs,
                                 const ExternFn& statements, std::string name, double operations, CallSite site) {
  TESSERA_USER_CHECK(!dtypes.empty()) << site << "extern '" << name << "' has no output";
  std::vector<Buffer> in, out;
  ir::Program p;
  p.name = "code";
  for (const Tensor& t : inputs) {
    TESSERA_USER_CHECK(static_cast<bool>(t.buffer())) << site << "an input of extern '" << name << "' is undefined";
    in.push_back(t.buffer().detached());
    p.buffers.push_back({in.back(), ir::BufferRole::kInput});
  }
  for (std::size_t v = 0; v < dtypes.size(); ++v) {
    out.push_back(Buffer::fresh(dtypes.size() == 1 ? name : name + ".v" + std::to_string(v), dtypes[v], shape));
    p.buffers.push_back({out.back(), ir::BufferRole::kOutput});
  }
  ir::Function f;
  f.name = "code";
  f.body = statements(in, out);
  TESSERA_USER_CHECK(static_cast<bool>(f.body)) << site << "extern '" << name << "' has no statements";
  for (const ir::ProgramBuffer& b : p.buffers) f.buffers.push_back(b.buffer);
  p.launches.push_back({ir::RunPhase::kRun, f.name, f.buffers});
  p.functions.push_back(std::move(f));
  return extern_program(std::move(shape), inputs, std::move(p), std::move(name), operations, site);
}

}  // namespace tessera::dsl
