// How a program is lowered for a target: the same for every road through the driver.
#pragma once

#include "driver/compile.h"

namespace tessera::driver::detail {

inline lower::Options options_for(const dsl::ComputeDag& dag, const ir::Target& target) {
  lower::Options o;
  o.name = kernel_name(dag);
  o.target = target.kind;
  o.vector_bytes = target.vector_bytes;
  return o;
}

}  // namespace tessera::driver::detail
