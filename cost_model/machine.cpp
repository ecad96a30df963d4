#include "cost_model/machine.h"

#include <algorithm>

namespace tessera::cost_model {

Machine make_machine(const ir::Target& target, int threads, const CacheSizes& caches) {
  Machine m;
  m.vector_bytes = target.vector_bytes;
  m.vector_registers = target.vector_registers;
  m.threads = std::max(1, threads);
  if (caches.l1 > 0) m.l1_bytes = caches.l1;
  if (caches.l2 > 0) m.l2_bytes = caches.l2;
  if (caches.l3 > 0) m.l3_bytes = caches.l3;
  return m;
}

}  // namespace tessera::cost_model
