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

/// What the polyhedral path decides (polyhedral/): the loop structure comes from ISL's dependences,
/// so these few numbers and words rebuild it exactly.
struct GroupDecision {
  std::vector<std::string> stages;             // fused into one nest, producers first
  std::vector<std::int64_t> tile_sizes;        // one a band dimension, outermost level first
  std::vector<std::string> parallel_axes;
  std::string vector_axis;
  static constexpr auto fields() {
    return std::tuple{field("stages", &GroupDecision::stages), defaulted("tile_sizes", &GroupDecision::tile_sizes),
                      defaulted("parallel_axes", &GroupDecision::parallel_axes),
                      defaulted("vector_axis", &GroupDecision::vector_axis)};
  }
  bool operator==(const GroupDecision&) const = default;
};

struct PolyhedralDecisions {
  std::string strategy = "max";  // grouping: max | keep-parallel | min
  std::vector<GroupDecision> groups;
  static constexpr auto fields() {
    return std::tuple{field("strategy", &PolyhedralDecisions::strategy), field("groups", &PolyhedralDecisions::groups)};
  }
  bool operator==(const PolyhedralDecisions&) const = default;
};

}  // namespace tessera::schedule
