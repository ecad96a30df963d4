#include "tools/autotune/measure.h"

#include <fmt/format.h>

#include <algorithm>

#include "search/pack_emulation.h"
#include "tools/autotune/interrupt.h"
#include "tools/autotune/report.h"

namespace tessera::autotune {

namespace {

int run_emulated(const OpenPack& pack, const MeasureArgs& args) {
  const bool compiled = std::any_of(pack.pack.candidates.begin(), pack.pack.candidates.end(), [](const auto& c) { return c.image.has_value(); });
  TESSERA_ENVIRONMENT_CHECK(compiled) << "pack '" << args.pack << "' holds no kernel that compiled";
  check_memory(pack.task);
  catch_interrupts();
  const search::EmulationCounts counts = search::emulate_pack(
      pack.task, pack.pack, {.sample = args.sample, .jobs = args.jobs, .seed = args.seed, .verify = verify_when(args.verify)}, interrupted);
  if (args.json) {
    fmt::print("{}\n", dump_json(Json{{"op", pack.task.op}, {"target", pack.task.target.text()}, {"emulated", counts.ok + counts.wrong},
                                      {"ok", counts.ok}, {"wrong", counts.wrong}, {"illegal", counts.illegal}, {"refused", counts.refused},
                                      {"reasons", counts.reasons}}));
  } else {
    fmt::print("{}: {} kernels emulated, {} right, {} wrong", pack.task.op, counts.ok + counts.wrong, counts.ok, counts.wrong);
    if (counts.illegal > 0) fmt::print(", {} illegal", counts.illegal);
    if (counts.refused > 0) fmt::print(", {} could not be emulated", counts.refused);
    fmt::print("\n");
    for (const std::string& r : counts.reasons) fmt::print("  {}\n", r);
  }
  if (interrupted()) return 130;
  return counts.wrong + counts.illegal > 0 ? 5 : counts.ok == 0 ? 3 : 0;
}

}  // namespace

int run_measure(const MeasureArgs& args) {
  TESSERA_USER_CHECK(args.emulate || args.sample == 0) << "--sample is of --emulate";
  TESSERA_USER_CHECK(!args.emulate || args.log.empty()) << "--emulate takes no times, so it writes no --log";
  const OpenPack pack = open_pack(args.pack);
  return args.emulate ? run_emulated(pack, args) : run_on_device(pack, args);
}

}  // namespace tessera::autotune
