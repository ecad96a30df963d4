#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "driver/compile.h"
#include "ops/catalog.h"
#include "search/proposal_check.h"
#include "tools/autotune/commands.h"

namespace tessera::autotune {

int run_proposals(const ProposalsArgs& args) {
  const auto& catalog = ops::catalog();
  const auto operators = static_cast<std::int64_t>(catalog.size());
  std::atomic<std::size_t> next{0};
  std::mutex print;
  search::ProposalCheck total;
  Json rows = Json::array();
  const auto work = [&] {
    for (std::size_t i = next++; i < catalog.size(); i = next++) {
      search::Task task;
      task.op = catalog[i]->name;
      task.dag = ops::build({catalog[i]->name, {}, "", ""}).or_throw();
      task.target = driver::resolve_target(args.target);
      task.threads = args.threads;
      const auto at = static_cast<std::int64_t>(i);
      const auto share = [&](std::int64_t n) { return n * (at + 1) / operators - n * at / operators; };
      const search::ProposalCheck r = search::check_proposals(task, share(args.count), share(args.lowered), args.seed);
      const std::lock_guard lock(print);
      if (args.json) {
        Json row;
        row["op"] = task.op;
        row["proposals"] = r.proposals;
        row["lowered"] = r.lowered;
        row["failed"] = r.failed;
        row["failures"] = r.failures;
        rows.push_back(std::move(row));
      } else {
        fmt::print("{:<32} {:>8} proposals, {:>6} lowered, {} failed\n", task.op, r.proposals, r.lowered, r.failed);
        for (const std::string& f : r.failures) fmt::print("  {}\n", f);
        std::fflush(stdout);
      }
      total.proposals += r.proposals;
      total.lowered += r.lowered;
      total.failed += r.failed;
    }
  };
  std::vector<std::thread> others;
  for (int j = 1; j < args.jobs; ++j) others.emplace_back(work);
  work();
  for (std::thread& t : others) t.join();
  if (args.json) {
    Json j;
    j["operators"] = operators;
    j["proposals"] = total.proposals;
    j["lowered"] = total.lowered;
    j["failed"] = total.failed;
    j["rows"] = std::move(rows);
    fmt::print("{}\n", dump_json(j));
  } else {
    fmt::print("proposals: {} lowered: {} failed: {}\n", total.proposals, total.lowered, total.failed);
  }
  return total.failed == 0 ? 0 : 5;
}

}  // namespace tessera::autotune
