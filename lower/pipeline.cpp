#include "lower/pipeline.h"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>

#include "ir/check.h"
#include "ir/print.h"
#include "lower/passes/bind_threads.h"
#include "lower/passes/distribute_registers.h"
#include "lower/passes/flatten_buffers.h"
#include "lower/passes/insert_barriers.h"
#include "lower/passes/outline_functions.h"
#include "lower/passes/partition_tails.h"
#include "lower/passes/pipeline_loops.h"
#include "lower/passes/strip_instances.h"
#include "lower/passes/tensorize_loops.h"
#include "lower/passes/unroll_loops.h"
#include "lower/passes/vectorize_loops.h"
#include "support/env.h"

namespace tessera::lower {

namespace {

/// What the environment asks to see of every pass.
struct Watch {
  std::optional<std::string> dump = env(EnvVar::kDump);
  std::optional<std::string> filter = env(EnvVar::kDumpFilter);
  bool time = env_flag(EnvVar::kTime);
  bool check = env_flag(EnvVar::kCheck);

  void write(int number, const std::string& pass, const std::string& text) const {
    if (!dump || (filter && !std::regex_search(pass, std::regex(*filter)))) return;
    std::error_code ignored;
    std::filesystem::create_directories(*dump, ignored);
    char name[16];
    std::snprintf(name, sizeof(name), "%02d_", number);
    std::ofstream out(std::filesystem::path(*dump) / (name + pass + ".txt"));
    out << text;
    TESSERA_ENVIRONMENT_CHECK(out.good()) << "cannot write the dump of pass " << pass << " to '" << *dump << "'";
  }
};

}  // namespace

const std::vector<Pass>& finish_passes(ir::TargetKind target) {
  static const std::vector<Pass> kCpu{
      {"strip_instances", strip_instances, false},     {"partition_tails", partition_tails, false},
      {"unroll_loops", unroll_loops, false},           {"flatten_buffers", flatten_buffers, true},
      {"vectorize_loops", vectorize_loops, true},      {"outline_functions", outline_functions, true},
  };
  static const std::vector<Pass> kCuda{
      {"pipeline_loops", pipeline_loops, false},       {"insert_barriers", insert_barriers, false},
      {"tensorize_loops", tensorize_loops, false},     {"bind_threads", bind_threads, false},
      {"distribute_registers", distribute_registers, false}, {"flatten_buffers", flatten_buffers, true},
      {"vectorize_loops", vectorize_loops, true},
  };
  return target == ir::TargetKind::kCuda ? kCuda : kCpu;
}

Result<ir::Program> map_functions(const ir::Program& p, const std::function<Result<ir::Stmt>(const ir::Stmt&)>& f) {
  ir::Program out = p;
  for (ir::Function& fn : out.functions) {
    TESSERA_TRY(body, f(fn.body));
    fn.body = body;
  }
  return out;
}

Result<ir::Program> finish(const ir::Program& structured, const Options& options) {
  const Watch watch;
  ir::Program p = structured;
  std::string text = watch.dump ? ir::to_string(p) : "";
  if (watch.dump) watch.write(0, "build", text);
  int number = 0;
  for (const Pass& pass : finish_passes(options.target)) {
    ++number;
    const auto start = std::chrono::steady_clock::now();
    TESSERA_TRY(next, pass.run(p, options));
    p = std::move(next);
    if (watch.time) {
      const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - start;
      std::fprintf(stderr, "pass %-20s %8.3f ms\n", pass.name, ms.count());
    }
    if (watch.dump) {
      std::string now = ir::to_string(p);
      if (now != text) watch.write(number, pass.name, now);
      text = std::move(now);
    }
    if (watch.check) {
      const Status ok = ir::check_well_formed(p, {.flat = pass.flat});
      TESSERA_CHECK(ok.ok()) << "pass " << pass.name << " broke the program: " << ok.reason();
    }
  }
  return p;
}

Result<ir::Program> lower(const schedule::State& state, const Options& options) {
  TESSERA_TRY(structured, build(state, options));
  return finish(structured, options);
}

}  // namespace tessera::lower
