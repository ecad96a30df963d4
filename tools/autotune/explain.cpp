// What a log says about its search: what failed and why, which holes mattered, which sketches won.
#include <fmt/format.h>

#include "support/nearest.h"
#include "tools/autotune/commands.h"
#include "tools/autotune/insight_text.h"
#include "tools/autotune/terminal.h"

namespace tessera::autotune {

namespace {

using tuning_logs::FailureGroup;
using tuning_logs::HoleImportance;
using tuning_logs::HoleLevel;
using tuning_logs::Record;
using tuning_logs::SketchInsight;
using tuning_logs::TaskInsight;

double seconds_of(std::int64_t ns) { return static_cast<double>(ns) * 1e-9; }

double share_of(int part, std::size_t all) { return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all); }

Json json_of(const HoleImportance& h) {
  Json j;
  j["hole"] = h.hole;
  j["share"] = h.share ? Json(*h.share) : Json(nullptr);
  j["chance"] = h.chance;
  j["points"] = h.points;
  j["values"] = h.values;
  j["levels"] = Json::array();
  for (const HoleLevel& l : h.levels) {
    Json level;
    level["low"] = l.low;
    level["high"] = l.high;
    level["points"] = l.points;
    level["penalty"] = l.penalty;
    level["best_seconds"] = seconds_of(l.best_ns);
    j["levels"].push_back(std::move(level));
  }
  j["note"] = doubt_text(h);
  return j;
}

Json json_of(const std::vector<HoleImportance>& holes) {
  Json j = Json::array();
  for (const HoleImportance& h : holes) j.push_back(json_of(h));
  return j;
}

Json json_of(const FailureGroup& g, std::size_t trials) {
  Json j;
  j["status"] = std::string(runtime::to_string(g.status));
  j["phase"] = g.phase;
  j["cause"] = g.cause;
  j["count"] = g.count;
  j["share"] = share_of(g.count, trials);
  j["examples"] = Json::array();
  for (const Record* r : g.examples) {
    Json e;
    e["trial"] = r->trial;
    e["sketch"] = r->sketch;
    e["decisions"] = r->decisions;
    e["message"] = r->message;
    e["steps"] = plan_lines(r->plan);
    j["examples"].push_back(std::move(e));
  }
  return j;
}

Json json_of(const SketchInsight& s) {
  Json j;
  j["name"] = s.name;
  j["trials"] = s.trials;
  j["ok"] = s.ok;
  j["best_seconds"] = s.best != nullptr ? Json(seconds_of(s.best->median_ns())) : Json(nullptr);
  j["holes"] = json_of(s.holes);
  return j;
}

Json json_of(const TaskInsight& t) {
  Json j;
  j["op"] = t.first->task.name;
  j["hash"] = t.first->task.hash;
  j["target"] = t.first->target;
  j["threads"] = t.first->threads;
  j["trials"] = t.trials.size();
  j["ok"] = t.ok;
  j["best"] = nullptr;
  if (t.best) {
    j["best"] = Json::object();
    j["best"]["seconds"] = seconds_of(t.best->median_ns());
    j["best"]["sketch"] = t.best->sketch;
    j["best"]["trial"] = t.best->trial;
    j["best"]["decisions"] = t.best->decisions;
  }
  j["failures"] = Json::array();
  for (const FailureGroup& g : t.failures) j["failures"].push_back(json_of(g, t.trials.size()));
  j["sketches"] = Json::array();
  for (const SketchInsight& s : t.sketches) j["sketches"].push_back(json_of(s));
  j["holes"] = json_of(t.together);
  return j;
}

void print_hole(const HoleImportance& h, std::size_t width) {
  std::string best, rest;
  for (const HoleLevel& l : h.levels) {
    if (l.penalty <= 0) best = fmt::format("best {} ({} points)", level_text(l), l.points);
    else rest += fmt::format(";  {} {:+.1f} % ({})", level_text(l), l.penalty * 100, l.points);
  }
  fmt::print("    {:>3.0f} %  {:<{}}  {}{}\n", *h.share * 100, printable(h.hole), width, best, rest);
}

/// A line for each hole that mattered, and one for those that nothing can be said about, by reason.
void print_holes(const std::string& of, const std::vector<HoleImportance>& holes) {
  std::size_t width = 0;
  std::map<std::string, std::vector<std::string>> doubtful;
  for (const HoleImportance& h : holes) {
    const std::string doubt = doubt_text(h);
    if (doubt.empty()) width = std::max(width, h.hole.size());
    else doubtful[doubt].push_back(fmt::format("{} ({})", printable(h.hole), h.points));
  }
  fmt::print("  holes of {}: part of the spread of times that goes with each\n", of);
  for (const HoleImportance& h : holes) {
    if (doubt_text(h).empty()) print_hole(h, width);
  }
  for (const auto& [doubt, names] : doubtful) fmt::print("    {}: {}\n", doubt, joined(names));
}

void print_all_holes(const TaskInsight& t) {
  if (!t.together.empty()) print_holes("all sketches, each against its own mean", t.together);
  std::vector<std::string> thin;
  for (const SketchInsight& s : t.sketches) {
    if (stands(s.holes)) print_holes(sketch_text(s.name), s.holes);
    else if (!s.holes.empty()) thin.push_back(fmt::format("{} ({})", sketch_text(s.name), s.ok));
  }
  if (!thin.empty()) fmt::print("  other sketches: nothing beyond chance, or not enough points, in the holes of {}\n", joined(thin));
}

void print_failures(const TaskInsight& t) {
  if (t.failures.empty()) return;
  fmt::print("  failures: {} of {} trials\n", t.trials.size() - static_cast<std::size_t>(t.ok), t.trials.size());
  for (const FailureGroup& g : t.failures) {
    fmt::print("    {} ({:.1f} %)  {}\n", g.count, share_of(g.count, t.trials.size()) * 100, cause_text(g));
    for (const Record* r : g.examples) {
      fmt::print("      trial {} of {}: {}\n", r->trial, sketch_text(r->sketch), printable(r->message));
      if (!r->decisions.empty()) fmt::print("        {}\n", decisions_text(r->decisions));
      for (const std::string& step : plan_lines(r->plan)) fmt::print("        {}\n", step);
    }
  }
}

void print_task(const TaskInsight& t) {
  fmt::print("{}\n  {}, {} thread{}\n", task_title(*t.first), short_target(t.first->target), t.first->threads, t.first->threads == 1 ? "" : "s");
  fmt::print("  {} trial{}, {} ok\n", t.trials.size(), t.trials.size() == 1 ? "" : "s", t.ok);
  if (t.best) {
    const char* final = t.best->kind == tuning_logs::RecordKind::kFinal ? ", timed again at the end" : "";
    fmt::print("  best {}  ({}, trial {}{})\n", duration_text(seconds_of(t.best->median_ns())), sketch_text(t.best->sketch), t.best->trial, final);
  } else {
    fmt::print("  {}\n", nothing_ran_text(t));
  }
  std::size_t width = 0;
  for (const SketchInsight& s : t.sketches) width = std::max(width, sketch_text(s.name).size());
  if (!t.sketches.empty()) fmt::print("  sketches\n");
  for (const SketchInsight& s : t.sketches) {
    const std::string best = s.best != nullptr ? "best " + duration_text(seconds_of(s.best->median_ns())) : "none ran correctly";
    fmt::print("    {:<{}}  trials {:>4}  ok {:>4}  {}\n", sketch_text(s.name), width, s.trials, s.ok, best);
  }
  print_all_holes(t);
  print_failures(t);
}

}  // namespace

int run_explain(const ExplainArgs& args) {
  const tuning_logs::LogContents log = read_with_damage(args.log);
  const std::vector<TaskInsight> tasks = tuning_logs::insights(log);
  if (!args.json) {
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      if (i > 0) fmt::print("\n");
      print_task(tasks[i]);
    }
    return 0;
  }
  Json j;
  j["log"] = args.log;
  j["damaged"] = log.scan.damaged;
  j["newer_schema"] = log.scan.newer_schema;
  j["tasks"] = Json::array();
  for (const TaskInsight& t : tasks) j["tasks"].push_back(json_of(t));
  fmt::print("{}\n", dump_json(j));
  return 0;
}

}  // namespace tessera::autotune
