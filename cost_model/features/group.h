// A feature group: some columns and the function that fills them. The list of groups is in
// cost_model/features.cpp; docs/how_to/add_a_feature.md says how to add one.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "cost_model/detail/nest_analysis.h"
#include "cost_model/draft.h"

namespace tessera::cost_model {

struct StatementGroup {
  const char* name;
  std::vector<std::string> (*columns)();  // without the group's name
  void (*fill)(const detail::StatementView& v, const Machine& m, float* out);
};

struct ProgramGroup {
  const char* name;
  std::vector<std::string> (*columns)();
  void (*fill)(const detail::NestView& nest, const Machine& m, const DraftTerms& terms, float* out);
};

std::vector<std::string> loop_columns();
void fill_loops(const detail::StatementView& v, const Machine& m, float* out);
std::vector<std::string> operation_columns();
void fill_operations(const detail::StatementView& v, const Machine& m, float* out);
std::vector<std::string> access_columns();
void fill_accesses(const detail::StatementView& v, const Machine& m, float* out);
std::vector<std::string> footprint_columns();
void fill_footprints(const detail::StatementView& v, const Machine& m, float* out);
std::vector<std::string> register_columns();
void fill_registers(const detail::StatementView& v, const Machine& m, float* out);
std::vector<std::string> parallelism_columns();
void fill_parallelism(const detail::StatementView& v, const Machine& m, float* out);
std::vector<std::string> ratio_columns();
void fill_ratios(const detail::StatementView& v, const Machine& m, float* out);
std::vector<std::string> program_columns();
void fill_program(const detail::NestView& nest, const Machine& m, const DraftTerms& terms, float* out);

/// sign(x) * log2(1 + |x|): sizes from bytes to gigabytes within one range.
inline float scaled(double x) {
  const float y = std::log2(1 + std::abs(static_cast<float>(x)));
  return x < 0 ? -y : y;
}
inline float flag(bool x) { return x ? 1.0F : 0.0F; }

}  // namespace tessera::cost_model
