// autotune report: one HTML page about a log that needs nothing else, neither a network nor us.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "runtime/cpu/peak_probe.h"
#include "support/version.h"
#include "tools/autotune/commands.h"
#include "tools/autotune/insight_text.h"
#include "tools/autotune/page.h"
#include "tools/autotune/page_chart.h"
#include "tools/autotune/terminal.h"

namespace tessera::autotune {

namespace {

using tuning_logs::Record;
using tuning_logs::TaskInsight;

// A page stays under 2 MB: what all tasks together may take is divided among them, and a page that is
// full all the same takes no more of them.
constexpr std::size_t kFullPage = 1'400'000;
constexpr std::size_t kMostTasks = 60;
constexpr std::size_t kMostKernels = 12;
constexpr std::size_t kAllDots = 2400, kDots = 1200;
constexpr std::size_t kAllCodeLines = 4200, kCodeLines = 700;
constexpr std::size_t kAllCauses = 60, kCauses = 20, kFewestCauses = 2;
constexpr std::string_view kDoctype = "<!doctype html>";

PageLimits limits_of(std::size_t index, std::size_t tasks) {
  const std::size_t kernels = std::min(tasks, kMostKernels);
  return {std::min(kDots, kAllDots / tasks), std::min(kCodeLines, kAllCodeLines / kernels), std::clamp(kAllCauses / tasks, kFewestCauses, kCauses), index < kMostKernels};
}

/// Median over the records of the task of what the probe between the samples said.
double peak_of(const TaskInsight& t) {
  std::vector<double> probes;
  for (const auto* records : {&t.trials, &t.finals}) {
    for (const Record* r : *records) {
      if (const double p = tuning_logs::measurement(*r).median_probe_gflops(); p > 0) probes.push_back(p);
    }
  }
  if (probes.empty()) return 0;
  std::sort(probes.begin(), probes.end());
  return probes[probes.size() / 2];
}

/// What this machine's memory delivers, for the tasks that were measured on it; a probe for each
/// number of threads.
class MemoryProbe {
 public:
  double gb_s(const Record& r) {
    if (r.machine.cpu != here_.cpu || r.threads > here_.cores) return 0;
    double& best = known_[r.threads];
    if (best > 0) return best;
    const std::int64_t bytes_a_thread = std::int64_t{64} << 20;
    // The best of several: another process can only take bandwidth away.
    for (int i = 0; i < 3; ++i) best = std::max(best, runtime::probe_read_gb_s(r.threads, bytes_a_thread));
    return best;
  }

 private:
  tuning_logs::Machine here_ = tuning_logs::this_machine("");
  std::map<int, double> known_;
};

PageTask page_task(const TaskInsight& insight, std::size_t index, std::size_t tasks, MemoryProbe& memory) {
  PageTask page;
  page.insight = &insight;
  page.id = fmt::format("task-{}", index + 1);
  page.limits = limits_of(index, tasks);
  page.peak_gflops = peak_of(insight);
  if (insight.best) page.memory_gb_s = memory.gb_s(*insight.best);
  Result<dsl::ComputeDag> dag = tuning_logs::dag(*insight.first);
  if (dag.ok()) page.dag = std::move(*dag);
  else page.dag_problem = dag.reason();
  return page;
}

std::string contents(const std::vector<PageTask>& tasks) {
  std::string out = "<nav aria-label=\"Tasks\"><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Tasks\"><table><thead><tr><th>Task<th class=\"n\">Best<th class=\"n\">GFLOP/s<th class=\"n\">Trials<th class=\"n\">Failed</tr></thead><tbody>\n";
  for (const PageTask& p : tasks) {
    const TaskInsight& t = *p.insight;
    const std::string best = t.best ? duration_text(static_cast<double>(t.best->median_ns()) * 1e-9) : "none";
    const std::string rate = t.best && p.readable() ? short_number(p.gflops(*t.best)) : "–";
    out += fmt::format("<tr><td><a href=\"#{}\">{}</a><td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}</tr>\n", p.id, escaped(task_title(*t.first)), best, rate, t.trials.size(),
                       t.trials.size() - static_cast<std::size_t>(t.ok));
  }
  return out + "</tbody></table></div></nav>\n";
}

std::string head(const std::string& title) {
  return fmt::format("{}\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
                     "<title>{}</title>\n<style>{}</style></head>\n<body>\n", kDoctype, escaped(title), kPageStyle);
}

std::string page_text(const std::string& name, const tuning_logs::LogContents& log, const std::vector<TaskInsight>& insights) {
  const std::size_t shown = std::min(insights.size(), kMostTasks);
  MemoryProbe memory;
  std::vector<PageTask> tasks;
  for (std::size_t i = 0; i < shown; ++i) tasks.push_back(page_task(insights[i], i, shown, memory));
  std::string out = head("Tuning report: " + name);
  out += fmt::format("<header class=\"page\"><div><h1>Tuning report</h1><p>{}</p></div><button type=\"button\" id=\"theme\">Dark</button></header>\n<main>\n", escaped(name));
  if (const std::string damage = tuning_logs::describe_damage(log.scan); !damage.empty()) out += "<p class=\"problem\">Not all of the log could be read: " + escaped(damage) + ".</p>\n";
  if (shown > 1) out += contents(tasks);
  if (shown < insights.size()) out += fmt::format("<p class=\"note\">The first {} of {} tasks.</p>\n", shown, insights.size());
  std::size_t written = 0;
  while (written < tasks.size() && out.size() < kFullPage) out += task_section(tasks[written++]);
  if (written < tasks.size()) out += fmt::format("<p class=\"problem\">The page is full: {} of its tasks have no section; split the log.</p>\n", tasks.size() - written);
  return out + fmt::format("</main>\n<footer>Written by {}</footer>\n<div id=\"tip\" role=\"status\" hidden></div>\n<script>{}</script>\n</body></html>\n", escaped(kToolVersion), kPageScript);
}

/// A page may replace a page; anything else of that name stays, the log itself above all.
void check_replaceable(const std::string& path) {
  std::error_code ec;
  TESSERA_ENVIRONMENT_CHECK(!std::filesystem::is_directory(path, ec)) << "'" << path << "' is a directory; name a file";
  std::ifstream in(path, std::ios::binary);
  if (!in) return;
  std::string start(kDoctype.size(), '\0');
  in.read(start.data(), static_cast<std::streamsize>(start.size()));
  TESSERA_ENVIRONMENT_CHECK(in.gcount() == 0 || start == kDoctype) << "'" << path << "' exists and is no page; name another file";
}

void write_page(const std::string& path, const std::string& text) {
  errno = 0;
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text << std::flush;
  TESSERA_ENVIRONMENT_CHECK(out.good()) << "cannot write '" << path << "': " << std::strerror(errno);
}

}  // namespace

std::string escaped(const std::string& text, std::size_t most) {
  std::string shown = printable(text), out;
  if (shown.size() > most) {
    while (most > 0 && (static_cast<unsigned char>(shown[most]) & 0xc0) == 0x80) --most;  // not inside a character
    shown = shown.substr(0, most) + "…";
  }
  for (const char c : shown) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

int run_report(const ReportArgs& args) {
  const tuning_logs::LogContents log = read_with_damage(args.log);
  check_replaceable(args.output);
  const std::vector<TaskInsight> tasks = tuning_logs::insights(log);
  const std::string name = std::filesystem::path(args.log).filename().string();
  const std::string text = page_text(name, log, tasks);
  write_page(args.output, text);
  fmt::print("{}: {} task{}, {} records, {} kB\n", args.output, tasks.size(), tasks.size() == 1 ? "" : "s", log.records.size(), (text.size() + 1023) / 1024);
  return 0;
}

}  // namespace tessera::autotune
