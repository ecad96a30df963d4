#include "polyhedral/scop.h"

#include <isl/map.h>
#include <isl/set.h>
#include <isl/union_map.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "ir/rewrite.h"
#include "polyhedral/detail/affine.h"
#include "polyhedral/detail/scop.h"

namespace tessera::polyhedral {

namespace detail {

namespace {

using ir::Expr;
using ir::Phase;

isl::set named(isl::set s, const std::string& name) { return isl::manage(isl_set_set_tuple_name(s.release(), name.c_str())); }
isl::map named(isl::map m, isl_dim_type side, const std::string& name) { return isl::manage(isl_map_set_tuple_name(m.release(), side, name.c_str())); }

/// Names that ISL can read back, a different one for every key.
class Names {
 public:
  const std::string& of(const void* key, const std::string& wanted) {
    const auto known = names_.find({key, wanted});
    if (known != names_.end()) return known->second;
    std::string name = wanted;
    for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
    while (!taken_.insert(name).second) name += "_";
    return names_[{key, wanted}] = name;
  }

 private:
  std::map<std::pair<const void*, std::string>, std::string> names_;
  std::set<std::string> taken_;
};

/// Reads of one statement, each with the part of the domain that it is executed in.
class References {
 public:
  References(Statement& statement, const Space& space, Names& names, Names& tensors) : statement_(statement), space_(space), names_(names), tensors_(tensors) {}

  void reads(const Expr& e, const isl::set& where) {
    if (where.is_empty()) return;
    if (const auto* load = e.as<ir::Load>()) add(*load, where);
    if (const auto* choice = e.as<ir::IfThenElseExpr>()) {
      reads(choice->condition, where);
      const auto holds = condition(choice->condition);
      reads(choice->yes, holds ? where.intersect(*holds) : where);
      return reads(choice->no, holds ? where.subtract(*holds) : where);
    }
    ir::for_each_child(e, [&](const Expr& c) { reads(c, where); });
  }

  void access(const ir::BufferNode& tensor, const ir::Exprs& index, const isl::set& where, bool write) {
    Reference r{statement_.name + "_" + std::to_string(statement_.references.size()), isl::map(), write, false};
    const auto rank = static_cast<unsigned>(index.size());
    isl::map m = isl::manage(isl_map_universe(isl_space_alloc(space_.ctx().get(), 0, static_cast<unsigned>(space_.size()), rank)));
    for (unsigned d = 0; d < rank; ++d) {
      try {
        m = m.intersect(equal_at(space_.value(index[d]), d, rank));
      } catch (const NotAffine&) {
        // Any element along this dimension.
        std::int64_t extent = 0;
        ir::is_const_int(tensor.shape[d], &extent);
        m = isl::manage(isl_map_upper_bound_si(isl_map_lower_bound_si(m.release(), isl_dim_out, d, 0), isl_dim_out, d, static_cast<int>(extent - 1)));
        r.may = true;
      }
    }
    m = named(named(m.intersect_domain(where), isl_dim_in, statement_.name), isl_dim_out, tensors_.of(&tensor, tensor.name));
    // statement[x] -> element becomes [statement[x] -> reference[]] -> element.
    r.name = names_.of(&statement_, r.name);
    const isl::set tag = named(isl::manage(isl_set_universe(isl_space_set_alloc(space_.ctx().get(), 0, 0))), r.name);
    const isl::map tagged = isl::manage(isl_map_from_domain_and_range(m.domain().release(), tag.copy()));
    r.relation = isl::manage(isl_map_domain_map(tagged.copy())).apply_range(m);
    statement_.references.push_back(std::move(r));
  }

 private:
  /// Maps to elements whose coordinate `d` is `value`.
  isl::map equal_at(const isl::pw_aff& value, unsigned d, unsigned rank) const {
    isl::map one = value.as_map();
    one = isl::manage(isl_map_insert_dims(one.release(), isl_dim_out, 0, d));
    return isl::manage(isl_map_add_dims(one.release(), isl_dim_out, rank - d - 1));
  }

  std::optional<isl::set> condition(const Expr& e) const {
    try {
      return space_.where(e);
    } catch (const NotAffine&) {
      return std::nullopt;
    }
  }

  void add(const ir::Load& load, const isl::set& where) { access(*load.buffer, load.indices, where, false); }

  Statement& statement_;
  const Space& space_;
  Names& names_;
  Names& tensors_;
};

class Builder {
 public:
  Builder(const Equations& program, ScopSets& out) : program_(program), out_(out) {
    out_.domain = isl::union_set::empty(out_.isl);
    out_.reads = out_.writes = out_.order = isl::union_map::empty(out_.isl);
  }

  void run() {
    for (const Equation& e : program_.stages) longest_ = std::max(longest_, e.coordinates.size());
    for (std::size_t i = 0; i < program_.stages.size(); ++i) {
      const Equation& e = program_.stages[i];
      if (e.is_input()) continue;
      if (e.reduce() == nullptr) add(i, e, Phase::kWhole);
      if (e.reduce() != nullptr) add(i, e, Phase::kInit);
      if (e.reduce() != nullptr) add(i, e, Phase::kUpdate);
    }
    for (const Statement& s : out_.statements) {
      out_.domain = out_.domain.unite(isl::union_set(s.domain));
      for (const Reference& r : s.references) {
        isl::union_map& all = r.write ? out_.writes : out_.reads;
        all = all.unite(isl::union_map(r.relation.domain_factor_domain()));
      }
    }
    depend();
  }

 private:
  void add(std::size_t index, const Equation& e, Phase phase) {
    Statement s{statement_names_.of(&e, e.stage + (phase == Phase::kInit ? "_init" : phase == Phase::kUpdate ? "_update" : "")), &e, static_cast<int>(index), phase, isl::set(), {}};
    Space space(out_.isl);
    ir::Exprs element;
    std::vector<const Coordinate*> coordinates;
    for (const Coordinate& c : e.coordinates) {
      if (c.reduce && phase == Phase::kInit) continue;
      coordinates.push_back(&c);
      space.add_variable(c.var, {0, c.extent - 1});
      if (!c.reduce) element.push_back(c.var);
    }
    isl::set domain = space.universe();
    for (const Coordinate* c : coordinates) domain = domain.intersect(space.within(c->var, 0, c->extent));
    if (const auto [scan, row] = scan_around(e); scan != nullptr && scan != &e) {
      domain = domain.intersect(space.within(e.coordinates[static_cast<std::size_t>(row)].var, scan->given_rows, e.coordinates[static_cast<std::size_t>(row)].extent));
    }
    References references(s, space, statement_names_, tensor_names_);
    if (phase == Phase::kWhole) {
      for (const Expr& body : e.body) references.reads(body, domain);
    } else if (phase == Phase::kUpdate) {
      for (const Expr& source : e.reduce()->sources) references.reads(source, domain);
      for (const ir::Buffer& b : e.outputs) references.access(*b.get(), element, domain, false);
    }
    for (const ir::Buffer& b : e.outputs) references.access(*b.get(), element, domain, true);
    s.domain = named(domain, s.name);
    out_.order = out_.order.unite(isl::union_map(time_of(index, e, phase, space, s)));
    out_.statements.push_back(std::move(s));
  }

  /// The scan in whose step a stage takes part, itself included, and the dimension of its rows; nullptr: none.
  std::pair<const Equation*, int> scan_around(const Equation& e) const {
    for (const Equation& scan : program_.stages) {
      if (std::find(scan.step.begin(), scan.step.end(), e.stage) != scan.step.end()) return {&scan, scan.step_dimension};
    }
    return {nullptr, -1};
  }

  /// [stage or scan, row, stage of the step, phase, coordinates]: stages one after the other, but the rows of a
  /// scan with the stages of its step.
  isl::map time_of(std::size_t index, const Equation& e, Phase phase, const Space& space, const Statement& s) const {
    const auto [scan, row] = scan_around(e);
    const std::size_t outer = scan == nullptr ? index : static_cast<std::size_t>(scan - program_.stages.data());
    isl::pw_aff_list list = isl::manage(isl_pw_aff_list_alloc(out_.isl.get(), 8));
    list = list.add(space.constant(static_cast<std::int64_t>(outer)));
    list = list.add(row >= 0 ? isl::pw_aff(space.dimension(row)) : space.constant(0));
    list = list.add(space.constant(static_cast<std::int64_t>(index)));
    list = list.add(space.constant(phase == Phase::kUpdate ? 1 : 0));
    for (std::size_t c = 0; c < longest_; ++c) list = list.add(static_cast<int>(c) < space.size() ? isl::pw_aff(space.dimension(static_cast<int>(c))) : space.constant(0));
    const isl::space shape = isl::manage(isl_space_alloc(out_.isl.get(), 0, static_cast<unsigned>(space.size()), static_cast<unsigned>(longest_ + 4)));
    return named(isl::multi_pw_aff(shape, list).as_map(), isl_dim_in, s.name).intersect_domain(s.domain);
  }

  isl::union_map before(const isl::union_map& source, const isl::union_map& sink) const {
    return isl::union_access_info(sink).set_may_source(source).set_schedule_map(out_.order).compute_flow().may_dependence();
  }

  void depend() {
    isl::union_map updates = isl::union_map::empty(out_.isl);
    for (const Statement& s : out_.statements) {
      if (s.phase != Phase::kUpdate) continue;
      isl::map same = isl::manage(isl_map_universe(isl_space_map_from_set(isl_set_get_space(s.domain.get()))));
      for (std::size_t d = 0; d < s.equation->data_rank(); ++d) same = isl::manage(isl_map_equate(same.release(), isl_dim_in, static_cast<int>(d), isl_dim_out, static_cast<int>(d)));
      updates = updates.unite(isl::union_map(same));
    }
    Dependences& d = out_.dependences;
    d.flow = before(out_.writes, out_.reads).coalesce();
    const isl::union_map all = d.flow.unite(before(out_.writes.unite(out_.reads), out_.writes)).coalesce();
    d.strict = all.subtract(updates).coalesce();
    d.reduction = all.intersect(updates).coalesce();
  }

  const Equations& program_;
  ScopSets& out_;
  Names statement_names_, tensor_names_;  // apart: a stage and its tensor share theirs
  std::size_t longest_ = 0;
};

}  // namespace
}  // namespace detail

namespace {

std::string text_of(const isl::union_map& m) {
  char* s = isl_union_map_to_str(m.get());
  std::string out(s);
  free(s);
  return out;
}

}  // namespace

Scop::Scop() = default;
Scop::~Scop() = default;
Scop::Scop(Scop&&) noexcept = default;
Scop& Scop::operator=(Scop&&) noexcept = default;

Result<Scop> Scop::of(Equations program, const ScopOptions& options) {
  for (const Equation& e : program.stages) {
    if (e.code) return refuse("stage '", e.stage, "' is an extern: what its statements touch is not known");
  }
  Scop out;
  out.program_ = std::make_unique<Equations>(std::move(program));
  out.sets_ = std::make_unique<detail::ScopSets>();
  TESSERA_TRY_DONE(out.sets_->isl.within(options.limit, [&] { detail::Builder(*out.program_, *out.sets_).run(); }));
  return out;
}

std::vector<std::string> Scop::statements() const {
  std::vector<std::string> out;
  for (const detail::Statement& s : sets_->statements) out.push_back(s.name);
  return out;
}

std::string Scop::to_string() const {
  std::string out;
  for (const detail::Statement& s : sets_->statements) {
    char* domain = isl_set_to_str(s.domain.get());
    out += s.name + ": " + domain + "\n";
    free(domain);
    for (const detail::Reference& r : s.references) {
      out += std::string(r.write ? "  writes " : r.may ? "  may read " : "  reads ") + text_of(isl::union_map(r.relation.domain_factor_domain())) + "\n";
    }
  }
  out += "strict: " + text_of(sets_->dependences.strict) + "\nreduction: " + text_of(sets_->dependences.reduction) + "\n";
  return out;
}

}  // namespace tessera::polyhedral
