#include "polyhedral/detail/bands.h"

#include <isl/aff.h>
#include <isl/map.h>
#include <isl/schedule.h>
#include <isl/set.h>

#include <map>
#include <optional>
#include <string>

namespace tessera::polyhedral::detail {

namespace {

/// Coordinate `coordinate` plus `offset`.
struct Row {
  int coordinate = 0;
  std::int64_t offset = 0;
};

std::string name_of(int stage) { return "s" + std::to_string(stage); }

class Bands {
 public:
  Bands(const IslContext& isl, const StageReads& reads, const std::vector<int>& stages) : domain(isl::union_set::empty(isl)), edges(isl::union_map::empty(isl)) {
    for (const int s : stages) {
      const isl::set named = isl::manage(isl_set_set_tuple_name(reads.elements(s).copy(), name_of(s).c_str()));
      elements_.emplace(s, named);
      domain = domain.unite(isl::union_set(named));
    }
    for (const int a : stages) {
      for (const int b : stages) {
        const isl::map* between = reads.between(a, b);
        if (between == nullptr) continue;
        isl::map edge = *between;
        // An element waits for its own initialisation, which is no matter of order between elements.
        if (a == b) edge = edge.subtract(isl::manage(isl_map_identity(isl_map_get_space(edge.get()))));
        edge = isl::manage(isl_map_set_tuple_name(edge.release(), isl_dim_in, name_of(a).c_str()));
        edges = edges.unite(isl::union_map(isl::manage(isl_map_set_tuple_name(edge.release(), isl_dim_out, name_of(b).c_str()))));
      }
    }
  }

  void walk(const isl::schedule_node& node) {
    if (node.isa<isl::schedule_node_band>() || node.isa<isl::schedule_node_leaf>()) return group(node);
    for (unsigned i = 0; i < node.n_children(); ++i) walk(node.child(static_cast<int>(i)));
  }

  isl::union_set domain;
  isl::union_map edges;  // all of them strict, all of them flow
  std::vector<BandGroup> groups;

 private:
  void group(isl::schedule_node node) {
    BandGroup out;
    const isl::union_set reached = isl::manage(isl_schedule_node_get_domain(node.get()));
    for (const auto& [stage, elements] : elements_) {
      if (!reached.intersect(isl::union_set(elements)).is_empty()) out.stages.push_back(stage);
    }
    for (; node.isa<isl::schedule_node_band>(); node = node.child(0)) {
      const auto band = node.as<isl::schedule_node_band>();
      for (int m = 0; m < static_cast<int>(band.n_member()); ++m) {
        if (!band.member_get_coincident(m)) continue;
        if (auto coordinates = shared(isl::manage(isl_multi_union_pw_aff_get_union_pw_aff(band.partial_schedule().get(), m)), out.stages)) {
          out.rows.push_back(std::move(*coordinates));
        } else {
          ++out.left_out;
        }
      }
    }
    groups.push_back(std::move(out));
  }

  /// The coordinates that a row is, when it is one of every stage.
  std::optional<std::vector<int>> shared(const isl::union_pw_aff& row, const std::vector<int>& stages) const {
    std::vector<int> out;
    std::optional<std::int64_t> offset;
    for (const int s : stages) {
      const auto one = row_of(row, elements_.at(s));
      if (!one || (offset && *offset != one->offset)) return std::nullopt;
      offset = one->offset;
      out.push_back(one->coordinate);
    }
    return out;
  }

  /// What a row is to a stage; nothing when it is no coordinate.
  static std::optional<Row> row_of(const isl::union_pw_aff& row, const isl::set& elements) {
    isl_space* space = isl_space_add_dims(isl_space_from_domain(isl_set_get_space(elements.get())), isl_dim_out, 1);
    const isl::pw_aff value = isl::manage(isl_union_pw_aff_extract_pw_aff(row.get(), space)).gist(elements);
    if (isl_pw_aff_isa_aff(value.get()) != isl_bool_true) return std::nullopt;
    const isl::aff sum = isl::manage(isl_pw_aff_as_aff(value.copy()));
    if (isl_aff_dim(sum.get(), isl_dim_div) != 0) return std::nullopt;
    std::optional<Row> out;
    for (int d = 0; d < static_cast<int>(elements.tuple_dim()); ++d) {
      const isl::val c = isl::manage(isl_aff_get_coefficient_val(sum.get(), isl_dim_in, d));
      if (c.is_zero()) continue;
      if (out || !c.is_one()) return std::nullopt;
      out = Row{d, isl::manage(isl_aff_get_constant_val(sum.get())).num_si()};
    }
    return out;
  }

  std::map<int, isl::set> elements_;
};

}  // namespace

std::vector<BandGroup> scheduled_bands(const IslContext& isl, const StageReads& reads, const std::vector<int>& stages, Grouping grouping) {
  const ScopedOption coefficients(isl, isl_options_get_schedule_max_coefficient, isl_options_set_schedule_max_coefficient, 1);
  const ScopedOption constants(isl, isl_options_get_schedule_max_constant_term, isl_options_set_schedule_max_constant_term, 0);
  const ScopedOption whole(isl, isl_options_get_schedule_whole_component, isl_options_set_schedule_whole_component, grouping == Grouping::kMax ? 1 : 0);
  const ScopedOption parallel(isl, isl_options_get_schedule_maximize_coincidence, isl_options_set_schedule_maximize_coincidence, grouping == Grouping::kKeepParallel ? 1 : 0);
  const ScopedOption serial(isl, isl_options_get_schedule_serialize_sccs, isl_options_set_schedule_serialize_sccs, grouping == Grouping::kMin ? 1 : 0);
  Bands bands(isl, reads, stages);
  auto problem = isl::schedule_constraints::on_domain(bands.domain).set_validity(bands.edges).set_coincidence(bands.edges);
  // What is near decides which stages join one after the other. In one program for all of them parallel rows bring
  // them together by themselves, and to ask for the nearest too takes long (attention: 20 ms without, 5 s with it).
  if (grouping != Grouping::kMax) problem = problem.set_proximity(bands.edges);
  bands.walk(problem.compute_schedule().root());
  return std::move(bands.groups);
}

}  // namespace tessera::polyhedral::detail
