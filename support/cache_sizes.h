// Data caches of the processor this runs on.
#pragma once

#include <cstdint>

namespace tessera {

/// Bytes one core sees; 0 where the system does not say.
struct CacheSizes {
  std::int64_t l1 = 0, l2 = 0, l3 = 0;
};

/// From /sys; from sysconf where that says nothing (some hypervisors report an L3 there that no core has).
/// Read once: every record of a log asks for them.
CacheSizes read_cache_sizes();

}  // namespace tessera
