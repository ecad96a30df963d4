#include "search/rules/rules.h"

namespace tessera::search {

const std::vector<Rule>& builtin_rules() {
  static const std::vector<Rule> kRules{
      {"winograd", winograd_meets, winograd_expand, When::kAlgorithms},
      {"inline_elementwise", inline_elementwise_meets, inline_elementwise_expand, When::kEarly},
      {"extern", extern_meets, extern_expand},
      {"scan", scan_meets, scan_expand},        // with all stages of its step
      {"row_fusion", row_fusion_meets, row_fusion_expand},  // before the rules that take its stages one by one
      {"add_rfactor", add_rfactor_meets, add_rfactor_expand},
      {"multi_level_tiling", multi_level_tiling_meets, multi_level_tiling_expand},
      {"register_tile", register_tile_meets, register_tile_expand},
      {"vector_reduction", vector_reduction_meets, vector_reduction_expand},
      {"compute_location", compute_location_meets, compute_location_expand},
      {"elementwise", elementwise_meets, elementwise_expand},
      {"leave", leave_meets, leave_expand},  // last: it always applies
  };
  return kRules;
}

}  // namespace tessera::search
