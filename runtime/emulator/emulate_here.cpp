#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <tuple>

#include "runtime/emulator/detail/machine.h"
#include "runtime/emulator/emulator.h"
#include "runtime/emulator/host_compiler.h"
#include "runtime/emulator/prelude.h"

namespace tessera::runtime::emulator {

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Status check_request(const EmulationRequest& r) {
  const std::int64_t threads = r.block.count();
  for (const Extent3* e : {&r.grid, &r.block})
    if (e->x < 1 || e->y < 1 || e->z < 1) return refuse("an extent of the launch is below 1");
  if (threads > 1024) return refuse("a block of ", threads, " threads; at most 1024");
  if (r.shared_bytes < 0 || r.shared_bytes > (std::int64_t{228} << 10))
    return refuse(r.shared_bytes, " bytes of shared memory; at most 228 KiB");
  for (const Extent3& b : r.blocks)
    if (b.x < 0 || b.y < 0 || b.z < 0 || b.x >= r.grid.x || b.y >= r.grid.y || b.z >= r.grid.z)
      return refuse("block (", b.x, ",", b.y, ",", b.z, ") is not in the grid");
  for (const EmulatedArgument& a : r.arguments) {
    if (a.use == ArgumentUse::kScalar && a.bytes.size() > 8)
      return refuse("a scalar argument of more than 8 bytes");
    for (const ByteRange& d : a.defined)
      if (a.use != ArgumentUse::kReadWrite || d.begin < 0 || d.end < d.begin ||
          d.end > static_cast<std::int64_t>(a.bytes.size()))
        return refuse("a defined range that is not in an argument that is read and written");
    for (const ByteRange& z : a.zeroed)
      if (a.use != ArgumentUse::kWrite || z.begin < 0 || z.end < z.begin ||
          z.end > static_cast<std::int64_t>(a.bytes.size()))
        return refuse("a zeroed range that is not in a written argument");
  }
  if (r.entry.empty()) return refuse("no entry is named");
  return Done{};
}

/// A loaded object with its entry.
struct LoadedKernel {
  std::unique_ptr<void, int (*)(void*)> library{nullptr, &::dlclose};
  void (*entry)(void**) = nullptr;
  int arguments = 0;
  std::vector<std::byte*> counters;
};

Result<LoadedKernel> load_kernel(const std::string& path) {
  LoadedKernel k;
  k.library.reset(::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (!k.library) return refuse("cannot load the emulated kernel: ", ::dlerror());
  const auto symbol = [&](const char* name) { return ::dlsym(k.library.get(), name); };
  const auto attach = reinterpret_cast<void (*)(const Abi*)>(symbol("ts_attach"));
  const auto arguments = reinterpret_cast<int (*)()>(symbol("ts_arguments"));
  k.entry = reinterpret_cast<void (*)(void**)>(symbol("ts_emulated_entry"));
  const auto counter = reinterpret_cast<unsigned* (*)(int)>(symbol("ts_counter_at"));
  if (attach == nullptr || arguments == nullptr || k.entry == nullptr || counter == nullptr)
    return refuse("the emulated kernel lacks its entry");
  attach(&abi());
  k.arguments = arguments();
  for (int i = 0; unsigned* c = counter(i); ++i) k.counters.push_back(reinterpret_cast<std::byte*>(c));
  return k;
}

}  // namespace

std::vector<Extent3> sample_blocks(const Extent3& grid, int random, std::uint64_t seed) {
  std::vector<Extent3> all;
  const auto add = [&](const Extent3& b) {
    if (std::find(all.begin(), all.end(), b) == all.end()) all.push_back(b);
  };
  for (const int z : {0, grid.z - 1})
    for (const int y : {0, grid.y - 1})
      for (const int x : {0, grid.x - 1}) add({x, y, z});
  Rng rng(seed, {static_cast<std::uint64_t>(grid.count())});
  const auto one = [&](int extent) { return static_cast<std::int32_t>(rng.below(extent)); };
  for (int i = 0; i < random; ++i) add({one(grid.x), one(grid.y), one(grid.z)});
  // In the order in which a GPU starts them.
  std::sort(all.begin(), all.end(), [](const Extent3& a, const Extent3& b) {
    return std::tie(a.z, a.y, a.x) < std::tie(b.z, b.y, b.x);
  });
  return all;
}

Result<EmulationReport> emulate_here(const EmulationRequest& request) {
  TESSERA_TRY_DONE(check_request(request));
  const auto start = std::chrono::steady_clock::now();
  TESSERA_TRY(object, shared_object_of(emulation_prelude() + request.text +
                                       emulation_epilogue(request.entry)));
  TESSERA_TRY(kernel, load_kernel(object));
  if (kernel.arguments != static_cast<int>(request.arguments.size()))
    return refuse("'", request.entry, "' takes ", kernel.arguments, " arguments, ",
                  request.arguments.size(), " given");
  const double compile_seconds = seconds_since(start);
  const auto run_start = std::chrono::steady_clock::now();
  Machine::Granules granules;
  for (;;) {
    Machine machine(request, kernel.entry, kernel.counters);
    machine.granules = granules;
    machine.run();
    granules = machine.granules;
    if (machine.too_coarse()) continue;
    EmulationReport report = machine.report();
    report.compile_seconds = compile_seconds;
    report.run_seconds = seconds_since(run_start);
    return report;
  }
}

}  // namespace tessera::runtime::emulator
