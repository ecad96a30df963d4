// What this machine's processor is and has.
#pragma once

#include <string>
#include <vector>

namespace tessera::runtime {

struct IsaFeatures {
  bool fma = false, avx2 = false, avx512f = false, avx512bw = false;
  bool avx512_vnni = false, avx_vnni = false, avx512_bf16 = false;
};
/// Of this processor and operating system; all false off x86-64.
const IsaFeatures& isa_features();

struct CpuInfo {
  std::string name;  // the vendor's, "unknown" when the system does not say
  std::string isa;   // "avx512+vnni+bf16", "avx2+fma", "sse2", "generic": for people
  int cores = 1;     // that this process may run on
};
CpuInfo cpu_info();

/// The processors this process may run on, ascending; never empty.
std::vector<int> allowed_processors();

}  // namespace tessera::runtime
