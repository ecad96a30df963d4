#include "schedule/steps/use_algorithm.h"

#include <algorithm>

#include "schedule/algorithms.h"
#include "schedule/steps/common.h"

namespace tessera::schedule {

namespace {

Result<const Algorithm*> require_algorithm(const std::string& name) {
  std::string known;
  for (const Algorithm& a : algorithms()) {
    if (a.name == name) return &a;
    known += (known.empty() ? "" : ", ") + std::string(a.name);
  }
  return refuse("there is no algorithm '", name.substr(0, 40), "'; algorithms are ", known);
}

Result<AlgorithmValues> values_of(const Algorithm& a, const std::map<std::string, Param>& params) {
  AlgorithmValues out;
  for (const AlgorithmParameter& p : a.parameters) {
    const auto it = params.find(p.name);
    if (it == params.end()) return refuse("algorithm '", a.name, "' needs the parameter '", p.name, "': ", p.meaning);
    TESSERA_TRY(v, value_of(it->second, p.name, p.lo, p.hi));
    if ((v - p.lo) % p.step != 0) {
      return refuse("parameter '", p.name, "' of algorithm '", a.name, "' is ", v, "; it is ", p.lo, " to ", p.hi, " in steps of ", p.step);
    }
    out[p.name] = v;
  }
  for (const auto& [name, value] : params) {
    if (out.count(name) == 0) return refuse("algorithm '", a.name, "' has no parameter '", name.substr(0, 40), "'");
  }
  return out;
}

}  // namespace

Result<State> UseAlgorithm::apply(const State& state) const {
  TESSERA_TRY(s, require_compute(state, stage, "use_algorithm"));
  TESSERA_TRY(row, require_algorithm(algorithm));
  TESSERA_TRY(values, values_of(*row, params));
  if (state.is_scheduled()) {
    return refuse("stage '", stage, "' gets another algorithm after other steps; use_algorithm comes first");
  }
  TESSERA_TRY(next, row->rewrite(state, *s, values));
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
