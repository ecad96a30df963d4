// A plan says how to compute a DAG. It is data: a list of steps (from a person or the search) or the
// decisions of the polyhedral path; logs hold it, replay rebuilds from it, tools compare it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "support/fields.h"

namespace tessera::schedule {

/// A searchable integer of a step: a value, or a hole with a name that a sketch leaves open.
struct Param {
  std::int64_t value = 1;
  std::string hole;

  Param() = default;
  Param(std::int64_t v) : value(v) {}  // NOLINT: implicit, `{16, 4}` is a list of factors
  Param(int v) : value(v) {}           // NOLINT
  static Param open(std::string name) {
    Param p;
    p.hole = std::move(name);
    return p;
  }
  bool is_open() const { return !hole.empty(); }
  bool operator==(const Param&) const = default;
};

inline Json to_json_value(const Param& p) {
  if (!p.is_open()) return Json(p.value);
  Json j = Json::object();
  j["hole"] = p.hole;
  return j;
}

inline Status from_json_value(const Json& j, Param& out) {
  out = Param();
  if (!j.is_object()) {
    TESSERA_TRY(v, json_int(j));
    out.value = v;
    return Done{};
  }
  TESSERA_TRY(name, json_member(j, "hole"));
  TESSERA_TRY(hole, json_string(*name));
  if (hole.empty() || j.size() != 1) return refuse("a hole is written {\"hole\":\"name\"}");
  out.hole = hole;
  return Done{};
}

/// A stage of a nest: for every shared loop its own axis that the loop is, kSliding or kEach.
struct MemberDecision {
  std::string stage;
  std::vector<std::string> along;

  static constexpr const char* kSliding = "~";   // what a point of the loop needs slides along it
  static constexpr const char* kEach = "each";   // every point of the loop needs the same
  static constexpr auto fields() { return std::tuple{field("stage", &MemberDecision::stage), defaulted("along", &MemberDecision::along)}; }
  bool operator==(const MemberDecision&) const = default;
};

/// Stages that one nest computes.
struct GroupDecision {
  std::vector<std::string> shared;      // axes of the last stage: the loops outside of all, outermost first
  std::vector<MemberDecision> stages;   // producers first; others read the last
  static constexpr auto fields() { return std::tuple{defaulted("shared", &GroupDecision::shared), field("stages", &GroupDecision::stages)}; }
  bool operator==(const GroupDecision&) const = default;
};

/// What the polyhedral path decides (polyhedral/decisions.h): steps follow from it and the program alone.
struct PolyhedralDecisions {
  std::string target;            // ir::Target::text()
  std::string strategy = "max";  // how stages were grouped: max | keep-parallel | min | ilp; a person's: any word
  std::vector<GroupDecision> groups;  // in an order in which they can run
  /// Of tiles, vectors and the like, by name ("C.rows"); those that are missing follow from rules.
  std::map<std::string, std::int64_t> sizes;
  static constexpr auto fields() {
    return std::tuple{field("target", &PolyhedralDecisions::target), defaulted("strategy", &PolyhedralDecisions::strategy),
                      field("groups", &PolyhedralDecisions::groups), defaulted("sizes", &PolyhedralDecisions::sizes)};
  }
  bool operator==(const PolyhedralDecisions&) const = default;
};

}  // namespace tessera::schedule
