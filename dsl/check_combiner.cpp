#include "dsl/detail/check_combiner.h"

#include "dsl/evaluate.h"
#include "ir/rewrite.h"
#include "support/rng.h"

namespace tessera::dsl::detail {

namespace {

constexpr std::int64_t kPoints = 128;

Exprs combine(const ir::CombinerNode& c, const Exprs& a, const Exprs& b) {
  ir::VarMap with;
  for (std::size_t i = 0; i < a.size(); ++i) {
    with[c.lhs[i].id()] = a[i];
    with[c.rhs[i].id()] = b[i];
  }
  Exprs out;
  for (const Expr& e : c.result) out.push_back(ir::substitute(e, with));
  return out;
}

}  // namespace

Status check_combiner(const ir::Combiner& combiner) {
  const ir::CombinerNode& c = *combiner;
  std::map<std::string, ir::Tensor> inputs;
  std::vector<Tensor> tuples[3];
  for (int t = 0; t < 3; ++t) {
    for (std::size_t i = 0; i < c.lhs.size(); ++i) {
      const Type type = c.lhs[i].type();
      const std::string name = std::string(1, static_cast<char>('a' + t)) + std::to_string(i);
      tuples[t].push_back(placeholder({kPoints}, type, name));
      ir::Tensor values(type, {kPoints});
      Rng rng(hash_bytes(name));
      for (std::int64_t p = 0; p < kPoints; ++p) values.set(p, static_cast<double>(rng.below(type.is_bool() ? 2 : 4)));
      inputs.emplace(name, std::move(values));
    }
  }
  const auto values = [&](const auto& make) -> Result<std::vector<Evaluation>> {
    const auto body = [&](const std::vector<Var>& v) {
      Exprs x[3];
      for (int t = 0; t < 3; ++t) {
        for (const Tensor& e : tuples[t]) x[t].push_back(e(v[0]));
      }
      return make(x);
    };
    const ComputeDag dag = ComputeDag::from_outputs(compute_tensors({kPoints}, {}, body, "r", {}));
    std::map<std::string, ir::Tensor> used;
    for (const Stage* s : dag.inputs()) used.emplace(s->name, inputs.at(s->name));
    Evaluator evaluator(dag, std::move(used));
    std::vector<Evaluation> out;
    for (const Buffer& b : dag.outputs()) {
      TESSERA_TRY(e, evaluator.all(b->name));
      out.push_back(std::move(e));
    }
    return out;
  };
  const auto same = [&](const auto& f, const auto& g, const std::string& what) -> Status {
    const auto x = values(f), y = values(g);
    if (!x.ok() || !y.ok()) return Done{};  // it rounds, or faults on these values
    for (std::size_t i = 0; i < x->size(); ++i) {
      for (std::size_t p = 0; p < static_cast<std::size_t>(kPoints); ++p) {
        if (!(*x)[i].accepts(p, (*y)[i].values[p])) return refuse("reducer '", c.name, "' ", what, " in its value ", i);
      }
    }
    return Done{};
  };
  TESSERA_TRY_DONE(same([&](const Exprs* x) { return combine(c, x[0], x[1]); },
                        [&](const Exprs* x) { return combine(c, x[1], x[0]); },
                        "is not commutative: f(a, b) and f(b, a) differ (a tie that is not broken, for example)"));
  TESSERA_TRY_DONE(same([&](const Exprs* x) { return combine(c, combine(c, x[0], x[1]), x[2]); },
                        [&](const Exprs* x) { return combine(c, x[0], combine(c, x[1], x[2])); },
                        "is not associative: f(f(a, b), c) and f(a, f(b, c)) differ"));
  return same([&](const Exprs* x) { return combine(c, c.identity, x[0]); }, [&](const Exprs* x) { return x[0]; },
              "has an identity that changes what it is combined with");
}

}  // namespace tessera::dsl::detail
