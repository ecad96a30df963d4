// The header of a prior's file: one line of JSON after the line that says what the file is.
#pragma once

#include <string>
#include <vector>

#include "cost_model/prior.h"

namespace tessera::cost_model::detail {

struct PriorHeader {
  int format = 0;
  std::string features;  // feature_hash(), hexadecimal
  PriorInfo info;
  std::vector<double> draft;
  static constexpr auto fields() {
    return std::tuple{field("format", &PriorHeader::format), field("features", &PriorHeader::features),
                      field("info", &PriorHeader::info),     field("draft", &PriorHeader::draft)};
  }
};

}  // namespace tessera::cost_model::detail
