// How the search went: every trial as a dot, the best so far as a line, against trials and seconds.
#include <fmt/format.h>

#include <algorithm>

#include "tools/autotune/insight_text.h"
#include "tools/autotune/page.h"
#include "tools/autotune/page_chart.h"
#include "tools/autotune/terminal.h"

namespace tessera::autotune {

namespace {

using tuning_logs::Record;
using tuning_logs::TaskInsight;

constexpr double kLane = 14;  // height of the lane of failures, above the times

double seconds_of(const Record& r) { return static_cast<double>(r.median_ns()) * 1e-9; }

/// Indices of the trials to draw: all that improved, and of the others as many as fit, evenly.
std::vector<std::size_t> drawn(const TaskInsight& t, std::size_t most) {
  std::vector<std::size_t> out;
  const std::size_t every = (t.trials.size() + most - 1) / std::max<std::size_t>(most, 1);
  std::int64_t best = 0;
  for (std::size_t i = 0; i < t.trials.size(); ++i) {
    const std::int64_t ns = t.trials[i]->median_ns();
    const bool better = ns > 0 && (best == 0 || ns < best);
    if (better) best = ns;
    if (better || i % every == 0) out.push_back(i);
  }
  return out;
}

/// Without the slowest few, which would press all others to the ground: they stand at the upper edge.
Scale time_scale(const TaskInsight& t, bool& cut) {
  std::vector<double> times;
  for (const Record* r : t.trials) {
    if (r->ok()) times.push_back(seconds_of(*r));
  }
  std::sort(times.begin(), times.end());
  const double low = times.front(), most = times.back(), usual = times[(times.size() - 1) * 95 / 100];
  const double high = std::min(most, std::max(usual, low * 1.2) * 1.25);
  cut = most > high;
  return {low / 1.06, high * 1.04, kBottom, kTop + kLane, true};
}

/// `at(i)`: place of a trial on the x axis.
template <class At>
std::string marks(const PageTask& page, const Scale& x, const Scale& y, const At& at) {
  const TaskInsight& t = *page.insight;
  std::string line, dots;
  double best = 0, last = 0;
  for (std::size_t i = 0; i < t.trials.size(); ++i) {
    const Record& r = *t.trials[i];
    if (!r.ok() || (best > 0 && seconds_of(r) >= best)) continue;
    best = seconds_of(r);
    last = y(best);
    line += line.empty() ? fmt::format("M{:.1f} {:.1f}", x(at(i)), last) : fmt::format("H{:.1f}V{:.1f}", x(at(i)), last);
  }
  if (!line.empty()) line += fmt::format("H{:.1f}", kRight);
  for (const std::size_t i : drawn(t, page.limits.dots)) {
    const Record& r = *t.trials[i];
    const std::string head = fmt::format("trial {}, {}: ", r.trial, sketch_text(r.sketch));
    if (!r.ok()) {
      dots += dot("failed", x(at(i)), kTop + kLane / 2 - 2, 3, head + std::string(runtime::to_string(r.status)));
    } else {
      const std::string rate = page.readable() ? fmt::format(", {} GFLOP/s", short_number(page.gflops(r))) : "";
      dots += dot(colour_of(t, r.sketch), x(at(i)), y(seconds_of(r)), 3.6, head + duration_text(seconds_of(r)) + rate);
    }
  }
  return fmt::format("<path class=\"best\" d=\"{}\"/>{}", line, dots);
}

std::string legend(const TaskInsight& t) {
  std::string out = "<ul class=\"legend\">";
  int others = 0;
  for (const tuning_logs::SketchInsight& s : t.sketches) {
    const std::string colour = colour_of(t, s.name);
    if (colour == "sx" || s.ok == 0) others += s.ok;
    else out += fmt::format("<li><i class=\"{}\"></i>{} <span>{}</span></li>", colour, escaped(sketch_text(s.name)), s.ok);
  }
  if (others > 0) out += fmt::format("<li><i class=\"sx\"></i>other sketches <span>{}</span></li>", others);
  if (t.ok > 0) out += "<li><i class=\"line\"></i>best so far</li>";
  const std::size_t failed = t.trials.size() - static_cast<std::size_t>(t.ok);
  if (failed > 0) out += fmt::format("<li><i class=\"failed\"></i>failed <span>{}</span></li>", failed);
  return out + "</ul>\n";
}

}  // namespace

std::string progress_chart(const PageTask& page) {
  const TaskInsight& t = *page.insight;
  if (t.ok == 0) return "<p class=\"note\">No trial has a time, so there is nothing to draw.</p>\n";
  bool cut = false;
  const Scale y = time_scale(t, cut);
  const auto number = [](double v) { return short_number(v); };
  const auto duration = [](double v) { return duration_text(v); };
  const double n = static_cast<double>(t.trials.size());
  const Scale by_trial{0, std::max(5.0, n), kLeft + 4, kRight - 4};
  const std::string about = fmt::format("Times of {} trials; the best is {}. Arrow keys move over the trials.", t.trials.size(), duration_text(seconds_of(*t.best)));
  std::string out;
  const double all_seconds = t.elapsed_seconds.back();
  if (all_seconds > 0) {
    out += fmt::format("<fieldset class=\"switch\"><legend>Against</legend><label><input type=\"radio\" name=\"x-{0}\" checked> trials</label>"
                       "<label><input type=\"radio\" name=\"x-{0}\" class=\"by-seconds\"> seconds</label></fieldset>\n", page.id);
  }
  out += chart("trials", about, axes(by_trial, y, "trials", "time of a run", number, duration) + marks(page, by_trial, y, [](std::size_t i) { return static_cast<double>(i + 1); }));
  if (all_seconds > 0) {
    const Scale by_second{0, all_seconds, kLeft + 4, kRight - 4};
    out += chart("seconds", about, axes(by_second, y, "seconds of search", "time of a run", number, duration) + marks(page, by_second, y, [&](std::size_t i) { return t.elapsed_seconds[i]; }));
  }
  if (t.trials.size() > page.limits.dots) {
    out += fmt::format("<p class=\"note\">Drawn are the trials that improved, and about {} of the {} others.</p>\n", page.limits.dots, t.trials.size());
  }
  out += legend(t);
  return cut ? out + "<p class=\"note\">Slower trials stand at the upper edge.</p>\n" : out;
}

}  // namespace tessera::autotune
