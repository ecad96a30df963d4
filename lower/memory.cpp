#include "lower/detail/memory.h"

#include <algorithm>

#include "ir/rewrite.h"

namespace tessera::lower {

using ir::Expr;
using ir::Exprs;
using ir::int_imm;
using schedule::Stage;

schedule::StoredBox Memory::whole_box(const Stage& s) {
  return {Exprs(s.outputs[0].rank(), int_imm(0)), {}, s.outputs[0].extents(), s.outputs[0]->layout};
}

const ir::Buffer& Memory::stored(const ir::Buffer& tensor) const {
  const Stage* s = state_.producer(tensor.get());
  TESSERA_CHECK(s != nullptr) << tensor->name << " is made by no stage";
  const auto v = std::find(s->outputs.begin(), s->outputs.end(), tensor) - s->outputs.begin();
  return of(s->name).buffers[static_cast<std::size_t>(v)];
}

Expr Memory::stored_reads(const Expr& e) const {
  return ir::rewrite(e, [&](const ir::Load&, const Expr& self, const ir::ExprFn& recurse) -> Expr {
    const Expr r = ir::map_children(self, recurse);
    const auto* load = r.as<ir::Load>();
    const Stage* s = state_.producer(load->buffer.get());
    TESSERA_CHECK(s != nullptr) << "read of " << load->buffer->name << ", which no stage makes";
    const Storage& st = of(s->name);
    for (std::size_t v = 0; v < s->outputs.size(); ++v) {
      if (s->outputs[v].get() == load->buffer.get()) return st.buffers[v].load(st.box.index(load->indices));
    }
    TESSERA_UNREACHABLE();
  });
}

ir::Stmt Memory::prefetch(const Stage& s, const schedule::PrefetchMark& mark) const {
  const schedule::PrefetchedLines lines = schedule::prefetched_lines(state_, s, mark).or_throw();
  const Storage& st = of(mark.tensor);
  Exprs at;
  std::vector<ir::Var> vars;
  for (std::size_t d = 0; d < lines.lo.size(); ++d) {
    vars.push_back(ir::Var::fresh("line"));
    at.push_back(lines.counts[d] > 1 ? lines.lo[d] + Expr(vars[d]) * int_imm(lines.step[d]) : lines.lo[d]);
  }
  ir::Stmt out = ir::make_stmt<ir::Prefetch>(st.buffers[0], st.box.index(at), mark.locality, mark.write);
  for (std::size_t d = vars.size(); d-- > 0;) {
    if (lines.counts[d] > 1) out = ir::make_stmt<ir::For>(vars[d], int_imm(0), int_imm(lines.counts[d]), ir::ForKind::kUnroll, std::move(out));
  }
  return out;
}

}  // namespace tessera::lower
