// One section of the page: a task from its program to its best kernel.
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "tools/autotune/insight_text.h"
#include "tools/autotune/page.h"
#include "tools/autotune/page_chart.h"
#include "tools/autotune/terminal.h"

namespace tessera::autotune {

namespace {

using tuning_logs::Record;
using tuning_logs::TaskInsight;

std::string date_text(std::int64_t ns) {
  const std::time_t seconds = ns / 1'000'000'000;
  std::tm parts{};
  char text[32] = "";
  if (ns <= 0 || gmtime_r(&seconds, &parts) == nullptr) return "unknown";
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts);
  return text;
}

std::string figure(const std::string& value, const std::string& name) { return fmt::format("<li><strong>{}</strong>{}</li>", value, name); }

std::string figures(const PageTask& page) {
  const TaskInsight& t = *page.insight;
  std::string out = "<ul class=\"figures\">";
  if (t.best) {
    out += figure(duration_text(static_cast<double>(t.best->median_ns()) * 1e-9), "best");
    if (page.readable()) out += figure(short_number(page.gflops(*t.best)), "GFLOP/s");
    if (page.readable() && page.peak_share(*t.best) > 0) out += figure(fmt::format("{:.1f} %", page.peak_share(*t.best) * 100), "of peak");
    if (const Record* plain = page.default_plan(); plain != nullptr) {
      out += figure(fmt::format("{:.2f}×", static_cast<double>(plain->median_ns()) / static_cast<double>(t.best->median_ns())), "as fast as the default plan");
    }
  }
  out += figure(std::to_string(t.trials.size()), t.trials.size() == 1 ? "trial" : "trials");
  out += figure(std::to_string(t.trials.size() - static_cast<std::size_t>(t.ok)), "failed");
  return out + "</ul>\n";
}

std::string fact(const char* name, const std::string& value) { return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", name, escaped(value)); }

std::string facts(const TaskInsight& t) {
  const Record& r = *t.first;
  std::int64_t from = r.time_ns, to = r.time_ns;
  for (const Record* other : t.trials) {
    from = std::min(from, other->time_ns);
    to = std::max(to, other->time_ns);
  }
  const std::string begun = date_text(from), ended = date_text(to);
  std::string out = "<dl class=\"facts\">" + fact("Target", short_target(r.target)) + fact("Threads", std::to_string(r.threads));
  out += fact("Machine", fmt::format("{} ({}), {} core{}", r.machine.cpu, r.machine.isa, r.machine.cores, r.machine.cores == 1 ? "" : "s"));
  out += fact("Measured", begun == ended ? begun : begun + " to " + ended) + fact("Seed", std::to_string(r.seed)) + fact("Written by", r.machine.tool) + "</dl>\n";
  return out + fmt::format("<details class=\"target\"><summary>Whole target</summary><p><code>{}</code></p></details>\n", escaped(r.target, 4096));
}

}  // namespace

const Record* PageTask::default_plan() const {
  for (const tuning_logs::SketchInsight& s : insight->sketches) {
    if (s.name == "default") return s.best;
  }
  return nullptr;
}

std::string colour_of(const TaskInsight& task, const std::string& sketch) {
  constexpr std::size_t kColours = 7;
  for (std::size_t i = 0; i < std::min(task.sketches.size(), kColours); ++i) {
    if (task.sketches[i].name == sketch) return fmt::format("s{}", i);
  }
  return "sx";
}

std::string task_section(const PageTask& page) {
  constexpr std::size_t kProgramBytes = 6000;
  const TaskInsight& t = *page.insight;
  std::string out = fmt::format("<section class=\"task\" id=\"{0}\" aria-labelledby=\"{0}-title\">\n<h2 id=\"{0}-title\">{1}</h2>\n", page.id, escaped(task_title(*t.first)));
  out += "<pre class=\"program\" tabindex=\"0\">" + escaped(page.readable() ? page.dag.to_string() : "the program cannot be read: " + page.dag_problem, kProgramBytes) + "</pre>\n";
  if (!t.best) out += "<p class=\"problem\">" + escaped(nothing_ran_text(t)) + "</p>\n";
  out += figures(page) + facts(t);
  out += "<div class=\"charts\"><section><h3>Search</h3>" + progress_chart(page) + "</section><section><h3>Roofline</h3>" + roofline_chart(page) + "</section></div>\n";
  return out + best_trials_table(page) + holes_part(page) + sketches_table(page) + failures_part(page) + kernel_part(page) + "</section>\n";
}

}  // namespace tessera::autotune
