#include "cost_model/features.h"

#include <algorithm>

#include "cost_model/detail/draft_terms.h"
#include "cost_model/features/group.h"
#include "support/hash.h"

namespace tessera::cost_model {

namespace {

// In the order of the columns. A change of names or order makes stored priors unreadable, on purpose.
constexpr std::array<StatementGroup, 7> kStatementGroups{{
    {"loops", loop_columns, fill_loops},
    {"operations", operation_columns, fill_operations},
    {"access", access_columns, fill_accesses},
    {"footprint", footprint_columns, fill_footprints},
    {"registers", register_columns, fill_registers},
    {"parallel", parallelism_columns, fill_parallelism},
    {"ratios", ratio_columns, fill_ratios},
}};
constexpr ProgramGroup kProgramGroup{"program", program_columns, fill_program};

struct Columns {
  std::vector<std::string> names;
  std::array<std::size_t, kStatementGroups.size() + 1> first{};  // of each group; the program's is the last
  std::uint64_t hash = 0;
};

Columns make_columns() {
  Columns out;
  const auto append = [&](const char* group, const std::vector<std::string>& columns) {
    const bool numbered = std::string_view(group) == "access";  // "access0.bytes"
    for (const std::string& c : columns) out.names.push_back(group + std::string(numbered ? "" : ".") + c);
  };
  for (std::size_t g = 0; g < kStatementGroups.size(); ++g) {
    out.first[g] = out.names.size();
    append(kStatementGroups[g].name, kStatementGroups[g].columns());
  }
  out.first.back() = out.names.size();
  append(kProgramGroup.name, kProgramGroup.columns());
  for (const std::string& n : out.names) out.hash = hash_combine(out.hash, hash_bytes(n));
  return out;
}

const Columns& columns() {
  static const Columns kColumns = make_columns();
  return kColumns;
}

}  // namespace

const std::vector<std::string>& feature_names() { return columns().names; }
std::size_t feature_count() { return columns().names.size(); }
std::uint64_t feature_hash() { return columns().hash; }

std::size_t Features::rows() const { return values.size() / feature_count(); }

std::span<const float> Features::row(std::size_t i) const {
  return std::span(values).subspan(i * feature_count(), feature_count());
}

void extract(const ir::NestSummary& nest, const Machine& machine, Features& out) {
  // Views are large: one a thread, reused.
  thread_local detail::NestView view;
  detail::analyze(nest, machine, view);
  detail::draft_terms(view, machine, out.terms, out.parts);
  const Columns& c = columns();
  const std::size_t width = c.names.size();
  out.values.assign((view.count + 1) * width, 0.0F);
  float* row = out.values.data();
  for (std::size_t i = 0; i < view.count; ++i, row += width) {
    for (std::size_t g = 0; g < kStatementGroups.size(); ++g) kStatementGroups[g].fill(view.statements[i], machine, row + c.first[g]);
  }
  kProgramGroup.fill(view, machine, out.terms, row + c.first.back());
}

Features extract(const ir::NestSummary& nest, const Machine& machine) {
  Features out;
  extract(nest, machine, out);
  return out;
}

}  // namespace tessera::cost_model
