// Tables and bars of the page: the best trials, sketches, holes, causes of failure.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "support/nearest.h"
#include "tools/autotune/insight_text.h"
#include "tools/autotune/page.h"
#include "tools/autotune/page_chart.h"
#include "tools/autotune/terminal.h"

namespace tessera::autotune {

namespace {

using tuning_logs::FailureGroup;
using tuning_logs::HoleImportance;
using tuning_logs::HoleLevel;
using tuning_logs::Record;
using tuning_logs::SketchInsight;
using tuning_logs::TaskInsight;

constexpr std::size_t kBestTrials = 10;
constexpr std::size_t kMostSketches = 30;  // rows, and lists of holes

std::string time_text(std::int64_t ns) { return duration_text(static_cast<double>(ns) * 1e-9); }

std::string sketch_cell(const TaskInsight& t, const std::string& sketch) {
  return fmt::format("<i class=\"{}\"></i>{}", colour_of(t, sketch), escaped(sketch_text(sketch)));
}

/// The records that stand for the candidates, fastest first as best_record sees it: the final of a
/// trial instead of the trial itself.
std::vector<const Record*> ranked(const TaskInsight& t) {
  std::vector<const Record*> out;
  for (const Record* r : t.finals) {
    if (r->ok()) out.push_back(r);
  }
  for (const Record* r : t.trials) {
    const auto timed_again = [&](const Record* f) { return f->trial == r->trial && f->sketch == r->sketch && f->decisions == r->decisions; };
    if (r->ok() && std::none_of(t.finals.begin(), t.finals.end(), timed_again)) out.push_back(r);
  }
  const auto rank = [](const Record* r) { return std::pair(r->kind != tuning_logs::RecordKind::kFinal, r->median_ns()); };
  std::stable_sort(out.begin(), out.end(), [&](const Record* a, const Record* b) { return rank(a) < rank(b); });
  return out;
}

std::string hole_row(const HoleImportance& h) {
  const double percent = *h.share * 100;
  std::string out = fmt::format("<li><div class=\"hole\"><code>{}</code><span class=\"bar\"><b style=\"width:{:.1f}%\"></b></span><span class=\"share\">{:.0f} %</span></div><p>",
                                escaped(h.hole), percent, percent);
  for (const HoleLevel& l : h.levels) {
    const std::string penalty = l.penalty <= 0 ? "best" : fmt::format("{:+.1f} %", l.penalty * 100);
    out += fmt::format("<span class=\"level{}\">{} <em>{}</em> <small>{}</small></span> ", l.penalty <= 0 ? " won" : "", level_text(l), penalty, l.points);
  }
  return out + "</p></li>\n";
}

/// Holes with something to say as bars, the others in a line for each reason.
std::string hole_list(const std::string& title, const std::vector<HoleImportance>& holes) {
  std::string out = fmt::format("<div class=\"holes\"><h4>{}</h4><ul>", title);
  std::map<std::string, std::string> doubtful;
  for (const HoleImportance& h : holes) {
    const std::string doubt = doubt_text(h);
    if (doubt.empty()) out += hole_row(h);
    else doubtful[doubt] += fmt::format("{}<code>{}</code> <small>{}</small>", doubtful[doubt].empty() ? "" : ", ", escaped(h.hole), h.points);
  }
  out += "</ul>";
  for (const auto& [doubt, names] : doubtful) out += fmt::format("<p>{}{}: {}</p>", static_cast<char>(std::toupper(doubt[0])), doubt.substr(1), names);
  return out + "</div>\n";
}

std::string example(const Record& r) {
  std::string out = fmt::format("<details><summary>Trial {} of {}: {}</summary>", r.trial, escaped(sketch_text(r.sketch)), escaped(r.message, 300));
  if (!r.decisions.empty()) out += "<p><code>" + escaped(decisions_text(r.decisions)) + "</code></p>";
  constexpr std::size_t kMostBytes = 4000;
  return out + "<pre tabindex=\"0\">" + escaped(joined(plan_lines(r.plan), "\n"), kMostBytes) + "</pre></details>";
}

}  // namespace

std::string best_trials_table(const PageTask& page) {
  const TaskInsight& t = *page.insight;
  const std::vector<const Record*> best = ranked(t);
  if (best.empty()) return "";
  const bool share = page.readable() && page.peak_gflops > 0 && page.dag.multiply_adds() > 0;
  std::string out = "<h3>Best trials</h3>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Best trials\"><table><thead><tr><th class=\"n\">Trial<th>Sketch<th class=\"n\">Median<th class=\"n\">Fastest to slowest";
  out += page.readable() ? "<th class=\"n\">GFLOP/s" : "";
  out += share ? "<th class=\"n\">Of peak" : "";
  out += "<th>Holes</tr></thead><tbody>\n";
  for (std::size_t i = 0; i < std::min(best.size(), kBestTrials); ++i) {
    const Record& r = *best[i];
    const auto [low, high] = std::minmax_element(r.samples_ns.begin(), r.samples_ns.end());
    out += fmt::format("<tr><td class=\"n\">{}<td>{}<td class=\"n\">{}{}<td class=\"n\">{} – {}", r.trial, sketch_cell(t, r.sketch), time_text(r.median_ns()),
                       r.kind == tuning_logs::RecordKind::kFinal ? "<sup>*</sup>" : "", time_text(*low), time_text(*high));
    if (page.readable()) out += fmt::format("<td class=\"n\">{:.1f}", page.gflops(r));
    if (share) out += fmt::format("<td class=\"n\">{:.1f} %", page.peak_share(r) * 100);
    out += "<td class=\"wide\"><code>" + escaped(decisions_text(r.decisions)) + "</code></tr>\n";
  }
  out += "</tbody></table></div>\n";
  if (best[0]->kind == tuning_logs::RecordKind::kFinal) out += "<p class=\"note\">* Timed again at the end, in turns with the others; these come first.</p>\n";
  return out;
}

std::string sketches_table(const PageTask& page) {
  const TaskInsight& t = *page.insight;
  if (t.sketches.empty()) return "";
  std::string out = "<h3>Sketches</h3>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Sketches\"><table><thead><tr><th>Sketch<th class=\"n\">Trials<th class=\"n\">Ok<th class=\"n\">Best</tr></thead><tbody>\n";
  for (std::size_t i = 0; i < std::min(t.sketches.size(), kMostSketches); ++i) {
    const SketchInsight& s = t.sketches[i];
    out += fmt::format("<tr><td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}</tr>\n", sketch_cell(t, s.name), s.trials, s.ok, s.best != nullptr ? time_text(s.best->median_ns()) : "none");
  }
  out += "</tbody></table></div>\n";
  if (t.sketches.size() > kMostSketches) out += fmt::format("<p class=\"note\">And {} more.</p>\n", t.sketches.size() - kMostSketches);
  return out;
}

std::string holes_part(const PageTask& page) {
  const TaskInsight& t = *page.insight;
  std::string lists, thin;
  if (!t.together.empty()) lists += hole_list("All sketches <span>each against its own mean</span>", t.together);
  for (std::size_t i = 0; i < std::min(t.sketches.size(), kMostSketches); ++i) {
    const SketchInsight& s = t.sketches[i];
    if (stands(s.holes)) lists += hole_list(fmt::format("{} <span>{} points</span>", sketch_cell(t, s.name), s.ok), s.holes);
    else if (!s.holes.empty()) thin += fmt::format("{}{} ({})", thin.empty() ? "" : ", ", escaped(sketch_text(s.name)), s.ok);
  }
  if (lists.empty() && thin.empty()) return "";
  std::string out = "<h3>Which holes mattered</h3>\n<p class=\"note\">Part of the spread of times that goes with the value of a hole, and what the other values cost: "
                    "the median of the fastest quarter of their trials against that of the best value. The search did not choose its trials at random, so holes that moved together share the credit.</p>\n";
  if (!lists.empty()) out += "<div class=\"columns\">" + lists + "</div>\n";
  if (!thin.empty()) out += "<p class=\"note\">Nothing beyond chance, or not enough points, in the holes of " + thin + ".</p>\n";
  return out;
}

std::string failures_part(const PageTask& page) {
  const TaskInsight& t = *page.insight;
  if (t.failures.empty()) return "";
  const double all = static_cast<double>(t.trials.size());
  std::string out = fmt::format("<h3>Failures <span>{} of {} trials</span></h3>\n<ul class=\"failures\">", t.trials.size() - static_cast<std::size_t>(t.ok), t.trials.size());
  for (std::size_t i = 0; i < std::min(t.failures.size(), page.limits.causes); ++i) {
    const FailureGroup& g = t.failures[i];
    out += fmt::format("<li><div class=\"cause\"><strong>{}</strong><span>{:.1f} %</span><code>{}</code></div>", g.count, 100 * g.count / all, escaped(cause_text(g)));
    for (const Record* r : g.examples) out += example(*r);
    out += "</li>\n";
  }
  out += "</ul>\n";
  if (t.failures.size() > page.limits.causes) out += fmt::format("<p class=\"note\">And {} more causes; autotune explain lists all.</p>\n", t.failures.size() - page.limits.causes);
  return out;
}

}  // namespace tessera::autotune
