#include "polyhedral/detail/stage_reads.h"

#include <isl/map.h>
#include <isl/set.h>

#include <string>

namespace tessera::polyhedral::detail {

namespace {

/// `m` between the first coordinates of both statements, without their names.
isl::map between_elements(isl::map m, std::size_t source_rank, std::size_t sink_rank) {
  m = isl::manage(isl_map_reset_tuple_id(isl_map_reset_tuple_id(m.release(), isl_dim_in), isl_dim_out));
  const auto drop = [&](isl_dim_type side, std::size_t rank) {
    const auto all = static_cast<unsigned>(isl_map_dim(m.get(), side)), kept = static_cast<unsigned>(rank);
    m = isl::manage(isl_map_project_out(m.release(), side, kept, all - kept));
  };
  drop(isl_dim_in, source_rank);
  drop(isl_dim_out, sink_rank);
  return m;
}

}  // namespace

StageReads::StageReads(const ScopSets& sets) {
  std::map<std::string, const Statement*> by_name;
  for (const Statement& s : sets.statements) {
    by_name[s.name] = &s;
    if (s.phase != ir::Phase::kUpdate) elements_.emplace(s.stage, isl::manage(isl_set_reset_tuple_id(s.domain.copy())));
  }
  sets.dependences.strict.foreach_map([&](const isl::map& m) {
    const Statement &source = *by_name.at(isl_map_get_tuple_name(m.get(), isl_dim_in)), &sink = *by_name.at(isl_map_get_tuple_name(m.get(), isl_dim_out));
    const isl::map edge = between_elements(m, source.equation->data_rank(), sink.equation->data_rank());
    const auto [known, is_new] = edges_.emplace(std::pair{source.stage, sink.stage}, edge);
    if (!is_new) known->second = known->second.unite(edge);
  });
  for (auto& [ends, edge] : edges_) edge = edge.coalesce();
}

const isl::map* StageReads::between(int source, int sink) const {
  const auto known = edges_.find({source, sink});
  return known == edges_.end() ? nullptr : &known->second;
}

bool StageReads::keeps(int source, int from, int sink, int to) const {
  const isl::map* edge = between(source, sink);
  if (edge == nullptr) return true;
  const isl::map kept = isl::manage(isl_map_equate(edge->copy(), isl_dim_in, from, isl_dim_out, to));
  return edge->is_subset(kept);
}

std::vector<std::int64_t> box_extents(const isl::set& s) {
  std::vector<std::int64_t> out(s.tuple_dim(), 0);
  if (s.is_empty()) return out;
  for (int d = 0; d < static_cast<int>(out.size()); ++d) {
    const isl::val lo = isl::manage(isl_set_dim_min_val(s.copy(), d)), hi = isl::manage(isl_set_dim_max_val(s.copy(), d));
    out[static_cast<std::size_t>(d)] = hi.num_si() - lo.num_si() + 1;
  }
  return out;
}

double box_volume(const isl::set& s) {
  if (s.is_empty()) return 0;
  double out = 1;
  for (const std::int64_t e : box_extents(s)) out *= static_cast<double>(e);
  return out;
}

isl::map at_coordinates(const isl::set& elements, const std::vector<int>& coordinates) {
  const auto rank = static_cast<unsigned>(elements.tuple_dim()), loops = static_cast<unsigned>(coordinates.size());
  isl::map m = isl::manage(isl_map_universe(isl_space_alloc(elements.ctx().get(), 0, loops, rank))).intersect_range(elements);
  for (unsigned d = 0; d < loops; ++d) m = isl::manage(isl_map_equate(m.release(), isl_dim_in, static_cast<int>(d), isl_dim_out, coordinates[d]));
  return m;
}

isl::map between_points(const isl::map& need, int d, std::int64_t lo, std::int64_t hi) {
  const auto at = static_cast<unsigned>(d);
  return isl::manage(isl_map_upper_bound_si(isl_map_lower_bound_si(need.copy(), isl_dim_in, at, static_cast<int>(lo)), isl_dim_in, at, static_cast<int>(hi - 1)));
}

isl::map without_loop(const isl::map& need, int d) {
  return isl::manage(isl_map_project_out(need.copy(), isl_dim_in, static_cast<unsigned>(d), 1));
}

}  // namespace tessera::polyhedral::detail
