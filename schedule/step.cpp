#include "schedule/step.h"

#include <algorithm>
#include <optional>

namespace tessera::schedule {

namespace {

/// Calls f on every Param of a step, wherever its fields hold one.
template <class F>
void each_param(Param& p, F& f) {
  f(p);
}
template <class F>
void each_param(std::vector<Param>& ps, F& f) {
  for (Param& p : ps) f(p);
}
template <class F>
void each_param(std::vector<LayoutPiece>& ps, F& f) {
  for (LayoutPiece& p : ps) f(p.factor);
}
template <class F>
void each_param(std::map<std::string, Param>& ps, F& f) {
  for (auto& [name, p] : ps) f(p);
}
template <class F, class T>
void each_param(T&, F&) {}

template <class F>
void each_param_of(Step& step, F f) {
  std::visit(
      [&](auto& s) {
        std::apply([&](const auto&... field) { (each_param(s.*field.member, f), ...); }, std::decay_t<decltype(s)>::fields());
      },
      step);
}

std::string text_of(const Json& j) {
  if (j.is_string()) return j.get_ref<const std::string&>();
  if (j.is_array()) {
    std::string out = "[";
    for (std::size_t i = 0; i < j.size(); ++i) out += (i ? " " : "") + text_of(j[i]);
    return out + "]";
  }
  if (j.is_object() && j.contains("hole")) return "?" + text_of(j["hole"]);
  if (j.is_object()) {
    std::string out;
    for (const auto& [k, v] : j.items()) out += (out.empty() ? "" : "/") + text_of(v);
    return out;
  }
  return dump_json(j);
}

template <std::size_t I = 0>
Status read_step(const std::string& word, const Json& fields, Step& out) {
  if constexpr (I == std::variant_size_v<Step>) {
    return refuse("unknown step '", word.substr(0, 40), "'");
  } else {
    using S = std::variant_alternative_t<I, Step>;
    if (word != S::kName) return read_step<I + 1>(word, fields, out);
    S s{};
    if (auto st = read_json(fields, s); !st.ok()) return refuse("step ", word, ": ", st.reason());
    out = std::move(s);
    return Done{};
  }
}

}  // namespace

const char* step_name(const Step& step) {
  return std::visit([](const auto& s) { return std::decay_t<decltype(s)>::kName; }, step);
}

Result<State> apply_step(const State& state, const Step& step) {
  auto r = std::visit([&](const auto& s) { return s.apply(state); }, step);
  if (!r.ok()) return refuse(step_name(step), ": ", r.reason());
  if (!std::holds_alternative<UseAlgorithm>(step)) r->mark_scheduled();
  return r;
}

Result<State> replay(const State& initial, const StepList& steps) {
  State state = initial;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    auto r = apply_step(state, steps[i]);
    if (!r.ok()) return refuse("step ", i, ": ", r.reason());
    state = std::move(*r);
  }
  return state;
}

Json to_json_value(const Step& step) {
  Json j = Json::object();
  std::visit([&](const auto& s) { j[std::decay_t<decltype(s)>::kName] = write_json(s); }, step);
  return j;
}

Status from_json_value(const Json& j, Step& out) {
  if (!j.is_object() || j.size() != 1) return refuse("a step is an object with one member, its name");
  return read_step(j.items().begin().key(), j.items().begin().value(), out);
}

Json to_json_value(const Plan& plan) {
  Json j = Json::object();
  if (const auto* steps = std::get_if<StepList>(&plan)) {
    j["steps"] = write_json(*steps);
  } else {
    j["polyhedral"] = write_json(std::get<PolyhedralDecisions>(plan));
  }
  return j;
}

Status from_json_value(const Json& j, Plan& out) {
  if (!j.is_object() || j.size() != 1) return refuse("a plan is {\"steps\": [...]} or {\"polyhedral\": {...}}");
  const std::string word = j.items().begin().key();
  const Json& value = j.items().begin().value();
  if (word == "polyhedral") {
    PolyhedralDecisions d;
    TESSERA_TRY_DONE(read_json(value, d));
    out = std::move(d);
    return Done{};
  }
  if (word != "steps") return refuse("unknown kind of plan '", word.substr(0, 40), "'");
  if (value.is_array() && value.size() > 512) return refuse("a plan has at most 512 steps, not ", value.size());
  StepList steps;
  TESSERA_TRY_DONE(read_json(value, steps));
  out = std::move(steps);
  return Done{};
}

std::string to_string(const Step& step) {
  std::string out = std::string(step_name(step)) + "(";
  const Json j = to_json_value(step);
  bool first = true;
  for (const auto& [key, value] : j.begin().value().items()) {
    if (key == "params") {
      for (const auto& [name, v] : value.items()) out += ", " + name + " " + text_of(v);
      continue;
    }
    out += (first ? "" : ", ") + (first ? text_of(value) : key + " " + text_of(value));
    first = false;
  }
  return out + ")";
}

Result<StepList> fill_holes(const StepList& steps, const std::map<std::string, std::int64_t>& values) {
  StepList out = steps;
  std::string missing;
  for (Step& s : out) {
    each_param_of(s, [&](Param& p) {
      if (!p.is_open()) return;
      const auto it = values.find(p.hole);
      if (it == values.end()) {
        missing = p.hole;
      } else {
        p = Param(it->second);
      }
    });
  }
  if (!missing.empty()) return refuse("hole '", missing, "' has no value");
  return out;
}

std::vector<std::string> open_holes(const StepList& steps) {
  std::vector<std::string> out;
  for (Step s : steps) {
    each_param_of(s, [&](Param& p) {
      if (p.is_open() && std::find(out.begin(), out.end(), p.hole) == out.end()) out.push_back(p.hole);
    });
  }
  return out;
}

}  // namespace tessera::schedule
