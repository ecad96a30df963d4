#include "runtime/cpu/cpu_info.h"

#include <sched.h>

#include <fstream>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace tessera::runtime {

namespace {

#if defined(__x86_64__)
IsaFeatures detect() {
  IsaFeatures f;
  // __builtin_cpu_supports also asks whether the operating system saves the registers.
  f.fma = __builtin_cpu_supports("fma") != 0;
  f.avx2 = __builtin_cpu_supports("avx2") != 0;
  f.avx512f = __builtin_cpu_supports("avx512f") != 0;
  f.avx512bw = __builtin_cpu_supports("avx512bw") != 0;
  f.avx512_vnni = __builtin_cpu_supports("avx512vnni") != 0;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d) != 0) {
    f.avx_vnni = f.avx2 && (a & (1U << 4)) != 0;
    f.avx512_bf16 = f.avx512f && (a & (1U << 5)) != 0;
  }
  return f;
}
#else
IsaFeatures detect() { return {}; }
#endif

std::string model_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos)
      return line.substr(colon + 2);
  }
  return "unknown";
}

std::string isa_name(const IsaFeatures& f) {
#if defined(__x86_64__)
  std::string name = f.avx512f ? "avx512" : f.avx2 ? "avx2" : "sse2";
  if (f.fma && !f.avx512f) name += "+fma";
  if (f.avx512_vnni || f.avx_vnni) name += "+vnni";
  if (f.avx512_bf16) name += "+bf16";
  return name;
#else
  (void)f;
  return "generic";
#endif
}

}  // namespace

const IsaFeatures& isa_features() {
  static const IsaFeatures features = detect();
  return features;
}

CpuInfo cpu_info() {
  static const std::string name = model_name();  // every record of a log asks for it
  return {name, isa_name(isa_features()), static_cast<int>(allowed_processors().size())};
}

std::vector<int> allowed_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> out;
  if (::sched_getaffinity(0, sizeof set, &set) == 0)
    for (int i = 0; i < CPU_SETSIZE; ++i)
      if (CPU_ISSET(i, &set)) out.push_back(i);
  if (out.empty()) out.push_back(0);
  return out;
}

}  // namespace tessera::runtime
