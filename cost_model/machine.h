// What the cost model knows of a processor or a GPU. Features and the draft are pure functions of a nest and
// of one of these, so a model gives the same answers wherever it is read.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>

#include "ir/target.h"
#include "support/cache_sizes.h"
#include "support/fields.h"

namespace tessera::cost_model {

struct Machine {
  int vector_bytes = 32;
  int vector_registers = 16;
  int threads = 1;  // that a program may use
  std::int64_t l1_bytes = 32 << 10, l2_bytes = 1 << 20, l3_bytes = 32 << 20;
  std::string gpu = {};  // its architecture (ir/cuda_arch.h), "sm_90a"; empty: a processor
  static constexpr auto fields() {
    return std::tuple{field("vector_bytes", &Machine::vector_bytes), field("vector_registers", &Machine::vector_registers),
                      field("threads", &Machine::threads),           field("l1_bytes", &Machine::l1_bytes),
                      field("l2_bytes", &Machine::l2_bytes),         field("l3_bytes", &Machine::l3_bytes),
                      defaulted("gpu", &Machine::gpu)};
  }
  bool operator==(const Machine&) const = default;
};

/// Vectors from the target, caches as given; the defaults of `Machine` for sizes that are not known. Of a
/// CUDA target the device that stands for its architecture: an SM is a thread, its shared memory the first
/// cache, a register holds a number of 32 bits.
Machine make_machine(const ir::Target& target, int threads, const CacheSizes& caches);

}  // namespace tessera::cost_model
