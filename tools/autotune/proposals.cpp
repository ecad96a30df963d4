#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "driver/compile.h"
#include "ops/catalog.h"
#include "search/proposal_check.h"
#include "tools/autotune/commands.h"

namespace tessera::autotune {

namespace {

constexpr std::int64_t kPiece = 100;  // points drawn at a time: dearer than the sketches they are drawn from

}  // namespace

int run_proposals(const ProposalsArgs& args) {
  const auto& catalog = ops::catalog();
  const auto operators = static_cast<std::int64_t>(catalog.size());
  // An operator's points are drawn in pieces: the last operators are the dearest, and one thread would be
  // left with them.
  const std::int64_t pieces = std::max<std::int64_t>(1, args.count / operators / kPiece);
  struct Row {
    search::ProposalCheck sum;
    std::int64_t left = 0;
  };
  std::vector<Row> found(catalog.size(), Row{{}, pieces});
  std::atomic<std::int64_t> next{0};
  std::mutex print;
  search::ProposalCheck total;
  Json rows = Json::array();
  const auto work = [&] {
    for (std::int64_t i = next++; i < operators * pieces; i = next++) {
      const std::size_t at = static_cast<std::size_t>(i / pieces);
      search::Task task;
      task.op = catalog[at]->name;
      task.dag = ops::build({catalog[at]->name, {}, "", ""}).or_throw();
      task.target = driver::resolve_target(args.target);
      task.threads = task.target.kind == ir::TargetKind::kCpu ? args.threads : 1;
      const auto share = [&](std::int64_t n) { return n * (i + 1) / (operators * pieces) - n * i / (operators * pieces); };
      const auto seed = args.seed + static_cast<std::uint64_t>(i % pieces);
      const search::ProposalCheck part = search::check_proposals(task, share(args.count), share(args.lowered), seed);
      const std::lock_guard lock(print);
      search::ProposalCheck& r = found[at].sum;
      r += part;
      if (--found[at].left > 0) continue;
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
      total += r;
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
