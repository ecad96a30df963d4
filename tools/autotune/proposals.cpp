#include <fmt/format.h>

#include <mutex>

#include "driver/compile.h"
#include "ops/catalog.h"
#include "search/proposal_check.h"
#include "search/sketch.h"
#include "support/on_threads.h"
#include "tools/autotune/commands.h"

namespace tessera::autotune {

namespace {

constexpr std::int64_t kPiece = 100;  // points drawn at a time: dearer than the sketches they are drawn from

/// A run of points of one operator.
struct Piece {
  std::size_t op = 0;
  std::uint64_t seed = 0;
  search::ProposalCount count;
};

search::Task task_of(const ops::Operator& op, const ProposalsArgs& args) {
  search::Task task;
  task.op = op.name;
  task.dag = ops::build({op.name, {}, "", ""}).or_throw();
  task.target = driver::resolve_target(args.target);
  task.threads = task.target.kind == ir::TargetKind::kCpu ? args.threads : 1;
  return task;
}

/// Every operator by the number of its sketches. An operator's points are drawn in pieces: the last operators
/// are the dearest, and one thread would be left with them.
std::vector<Piece> pieces_of(const ProposalsArgs& args) {
  const auto& catalog = ops::catalog();
  std::vector<std::int64_t> until{0};  // sketches of the operators before
  for (const ops::Operator* op : catalog) until.push_back(until.back() + static_cast<std::int64_t>(search::generate_sketches(task_of(*op, args)).size()));
  const std::int64_t all = until.back();
  std::vector<Piece> out;
  for (std::size_t i = 0; i < catalog.size(); ++i) {
    const std::int64_t points = args.count * until[i + 1] / all - args.count * until[i] / all;
    const std::int64_t pieces = std::max<std::int64_t>(1, points / kPiece);
    for (std::int64_t p = 0; p < pieces; ++p) {
      const auto share = [&](std::int64_t n) {
        const auto before = [&](std::int64_t at) { return n * (until[i] * pieces + (until[i + 1] - until[i]) * at) / (all * pieces); };
        return before(p + 1) - before(p);
      };
      out.push_back({i, args.seed + static_cast<std::uint64_t>(p), {share(args.count), share(args.lowered), share(args.compiled)}});
    }
  }
  return out;
}

Json json_of(const search::ProposalCheck& c) {
  Json j;
  j["proposals"] = c.proposals;
  j["lowered"] = c.lowered;
  j["failed"] = c.failed;
  j["compiled"] = c.compiled;
  j["accepted"] = c.accepted;
  return j;
}

Json json_of(const search::ProposalCheck& total, std::size_t operators, Json rows) {
  Json j = json_of(total);
  j["operators"] = operators;
  j["sketches"] = Json::object();
  for (const auto& [name, n] : total.sketches) {
    j["sketches"][name] = Json{{"proposals", n.proposals}, {"failed", n.failed}, {"compiled", n.compiled}, {"accepted", n.accepted}};
  }
  j["reasons"] = Json::object();
  for (const auto& [reason, n] : total.reasons) j["reasons"][reason] = n;
  j["rows"] = std::move(rows);
  return j;
}

}  // namespace

int run_proposals(const ProposalsArgs& args) {
  const auto& catalog = ops::catalog();
  const std::vector<Piece> pieces = pieces_of(args);
  struct Row {
    search::ProposalCheck sum;
    std::int64_t left = 0;
  };
  std::vector<Row> found(catalog.size());
  for (const Piece& p : pieces) ++found[p.op].left;
  std::mutex print;
  search::ProposalCheck total;
  Json rows = Json::array();
  const auto check = [&](std::size_t i) {
    const Piece& piece = pieces[i];
    const search::ProposalCheck part = search::check_proposals(task_of(*catalog[piece.op], args), piece.count, piece.seed);
    const std::lock_guard lock(print);
    search::ProposalCheck& r = found[piece.op].sum;
    r += part;
    if (--found[piece.op].left > 0) return;
    const std::string& op = catalog[piece.op]->name;
    if (args.json) {
      Json row = json_of(r);
      row["op"] = op;
      row["failures"] = r.failures;
      rows.push_back(std::move(row));
    } else {
      fmt::print("{:<32} {:>8} proposals, {:>6} lowered, {} failed", op, r.proposals, r.lowered, r.failed);
      fmt::print("{}\n", r.compiled > 0 ? fmt::format(", {} of {} compiled accepted", r.accepted, r.compiled) : "");
      for (const std::string& f : r.failures) fmt::print("  {}\n", f);
      std::fflush(stdout);
    }
    total += r;
  };
  on_threads(pieces.size(), args.jobs, [] { return false; }, check);
  if (args.json) {
    fmt::print("{}\n", dump_json(json_of(total, catalog.size(), std::move(rows))));
  } else {
    fmt::print("proposals: {} lowered: {} failed: {}\n", total.proposals, total.lowered, total.failed);
    if (total.compiled > 0) fmt::print("compiled: {} accepted: {}\n", total.compiled, total.accepted);
    for (const auto& [reason, n] : total.reasons) fmt::print("  {:>8} {}\n", n, reason);
  }
  return total.failed == 0 ? 0 : 5;
}

}  // namespace tessera::autotune
