#include "cost_model/machine.h"

#include <unistd.h>

#include <algorithm>

namespace tessera::cost_model {

CacheSizes read_cache_sizes() {
  CacheSizes out;
#ifdef _SC_LEVEL1_DCACHE_SIZE
  const auto size = [](int name) { return std::max<std::int64_t>(0, ::sysconf(name)); };
  out = {size(_SC_LEVEL1_DCACHE_SIZE), size(_SC_LEVEL2_CACHE_SIZE), size(_SC_LEVEL3_CACHE_SIZE)};
#endif
  return out;
}

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
