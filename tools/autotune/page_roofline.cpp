// Where kernels stand under the roof: what the multiply-add units and the memory allow.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/autotune/insight_text.h"
#include "tools/autotune/page.h"
#include "tools/autotune/page_chart.h"
#include "tools/autotune/terminal.h"

namespace tessera::autotune {

namespace {

using tuning_logs::Record;

struct Roof {
  double peak = 0, memory = 0;  // GFLOP/s, GB/s; 0: not known
  double at(double intensity) const {
    const double slope = memory > 0 ? memory * intensity : INFINITY;
    return std::min(slope, peak > 0 ? peak : INFINITY);
  }
};

std::string roof_line(const Roof& roof, const Scale& x, const Scale& y) {
  std::string path;
  const double ridge = roof.memory > 0 && roof.peak > 0 ? roof.peak / roof.memory : 0;
  for (const double i : {x.low, std::clamp(ridge, x.low, x.high), x.high}) path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x(i), y(roof.at(i)));
  std::string out = fmt::format("<path class=\"roof\" d=\"{}\"/>", path);
  if (roof.peak > 0) out += fmt::format("<text class=\"roof end\" x=\"{:.0f}\" y=\"{:.1f}\">multiply-add peak {} GFLOP/s</text>", kRight, y(roof.peak) - 8, short_number(std::round(roof.peak)));
  if (roof.memory > 0) {
    const double i = x.low * std::pow(std::max(1.5, (ridge > 0 ? ridge : x.high) / x.low), 0.7);
    out += fmt::format("<text class=\"roof end\" x=\"{:.1f}\" y=\"{:.1f}\">memory {} GB/s</text>", x(i) - 10, y(roof.at(i)), short_number(std::round(roof.memory)));
  }
  return out;
}

/// A kernel with its name at its right, `lower` than it where a line or another name is in the way.
std::string kernel_mark(const PageTask& page, const Record& r, const char* classes, const std::string& name, double lower, double x, const Scale& y) {
  const double rate = page.gflops(r);
  const std::string tip = fmt::format("{}: {}, {} GFLOP/s", name, duration_text(static_cast<double>(r.median_ns()) * 1e-9), short_number(rate));
  return dot(classes, x, y(rate), 5.5, tip) + fmt::format("<text class=\"mark\" x=\"{:.1f}\" y=\"{:.1f}\">{} {}</text>", x + 11, y(rate) + 4 + lower, escaped(name), short_number(rate));
}

std::string position_text(const PageTask& page, const Roof& roof, double intensity) {
  const double rate = page.gflops(*page.insight->best), allowed = roof.at(intensity);
  std::string out = fmt::format("The best kernel does {} GFLOP/s, {:.0f} % of the {} that the roof allows at {} operations a byte.", short_number(rate), rate / allowed * 100, short_number(allowed), short_number(intensity));
  if (roof.memory > 0 && rate > 1.05 * roof.memory * intensity) out += " It is above what memory delivers: its operands came from a cache.";
  if (roof.peak > 0) out += " The peak is the median of the probes in the log.";
  out += roof.memory > 0 ? " Memory was measured when this page was made." : " The log is of another machine than this page, so the memory's part of the roof is not known.";
  return out;
}

}  // namespace

std::string roofline_chart(const PageTask& page) {
  const Roof roof{page.peak_gflops, page.memory_gb_s};
  if (!page.readable() || !page.insight->best || page.dag.bytes() <= 0 || page.dag.flops() <= 0) return "<p class=\"note\">Without a kernel or operations to count there is no roofline.</p>\n";
  if (roof.peak <= 0 && roof.memory <= 0) return "<p class=\"note\">The log holds no probe of the peak, so there is no roofline.</p>\n";
  const double intensity = page.dag.flops() / page.dag.bytes();
  const double ridge = roof.peak > 0 && roof.memory > 0 ? roof.peak / roof.memory : intensity;
  const Scale x{std::min(intensity, ridge) / 8, std::max(intensity * 16, ridge * 8), kLeft + 4, kRight - 4, true};
  const Record* plain = page.default_plan();
  const double best = page.gflops(*page.insight->best), slow = plain != nullptr ? page.gflops(*plain) : best;
  const double top = std::max(best, roof.at(x.high)) * 2.2;
  const Scale y{std::min({slow, best, roof.at(x.low)}) / 2, top, kBottom, kTop, true};
  constexpr double kLineHeight = 16;
  const double under = std::abs(y(best) - y(roof.at(intensity))) < kLineHeight ? kLineHeight : 0;
  const double between = y(slow) - (y(best) + under);
  std::string marks = fmt::format("<line class=\"at\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.0f}\" y2=\"{2:.1f}\"/>", x(intensity), kBottom, y(roof.at(intensity)));
  if (plain != nullptr) marks += kernel_mark(page, *plain, "plain", "default plan", std::clamp(kLineHeight - between, 0.0, 2 * kLineHeight), x(intensity), y);
  marks += kernel_mark(page, *page.insight->best, "top", "best", under, x(intensity), y);
  const auto number = [](double v) { return short_number(v); };
  const std::string text = position_text(page, roof, intensity);
  return chart("roofline", text, axes(x, y, "operations a byte of inputs and outputs", "GFLOP/s", number, number) + roof_line(roof, x, y) + marks) + "<p class=\"note\">" + escaped(text) + "</p>\n";
}

}  // namespace tessera::autotune
