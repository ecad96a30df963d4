#include "tools/autotune/page_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/autotune/page.h"

namespace tessera::autotune {

namespace {

/// 1, 2 or 5 times a power of ten: the smallest step that gives at most `most` ticks.
double round_step(double span, int most) {
  const double raw = span / most, power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double m : {1.0, 2.0, 5.0}) {
    if (m * power >= raw) return m * power;
  }
  return 10 * power;
}

std::vector<double> powers(double low, double high, const std::vector<double>& multiples, double base) {
  std::vector<double> out;
  for (double p = std::floor(std::log(low) / std::log(base)); std::pow(base, p) <= high; ++p) {
    for (const double m : multiples) {
      const double v = m * std::pow(base, p);
      if (v >= low && v <= high) out.push_back(v);
    }
  }
  return out;
}

}  // namespace

double Scale::operator()(double value) const {
  const double at = logarithmic ? std::log(std::clamp(value, low, high) / low) / std::log(high / low)
                                : (std::clamp(value, low, high) - low) / (high - low);
  return from + at * (to - from);
}

std::vector<double> Scale::ticks(int most) const {
  if (logarithmic && high / low > 3) {
    // Densest first; a wide range ends with every second, third... power of ten.
    for (const std::vector<double>& m : {std::vector<double>{1, 1.5, 2, 3, 4, 5, 7}, {1, 2, 3, 5}, {1, 2, 5}, {1, 3}, {1}}) {
      std::vector<double> out = powers(low, high, m, 10);
      if (static_cast<int>(out.size()) <= most) return out;
    }
    for (double base = 100;; base *= 10) {
      std::vector<double> out = powers(low, high, {1}, base);
      if (static_cast<int>(out.size()) <= most) return out;
    }
  }
  std::vector<double> out;
  const double step = round_step(high - low, most);
  for (double k = std::ceil(low / step - 1e-9); k * step <= high * (1 + 1e-9); ++k) out.push_back(k * step + 0.0);  // + 0: no "-0"
  return out;
}

std::string short_number(double value) { return fmt::format("{:.4g}", value); }

std::string axes(const Scale& x, const Scale& y, const std::string& x_title, const std::string& y_title,
                 const std::function<std::string(double)>& x_text, const std::function<std::string(double)>& y_text) {
  std::string out = "<g class=\"axes\">";
  for (const double v : y.ticks(7)) {
    out += fmt::format("<line x1=\"{:.0f}\" x2=\"{:.0f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/><text class=\"y\" x=\"{:.0f}\" y=\"{:.1f}\">{}</text>", kLeft,
                       kRight, y(v), y(v), kLeft - 8, y(v) + 4, escaped(y_text(v)));
  }
  for (const double v : x.ticks(8)) {
    out += fmt::format("<text class=\"x\" x=\"{:.1f}\" y=\"{:.0f}\">{}</text>", x(v), kBottom + 18, escaped(x_text(v)));
  }
  out += fmt::format("<line class=\"base\" x1=\"{0:.0f}\" x2=\"{1:.0f}\" y1=\"{2:.0f}\" y2=\"{2:.0f}\"/>", kLeft, kRight, kBottom);
  out += fmt::format("<text class=\"title\" x=\"{:.0f}\" y=\"{:.0f}\">{}</text>", kRight, kBottom + 36, escaped(x_title));
  out += fmt::format("<text class=\"title first\" x=\"4\" y=\"{:.0f}\">{}</text></g>", kTop - 6, escaped(y_title));
  return out;
}

std::string dot(const std::string& classes, double x, double y, double radius, const std::string& tip) {
  return fmt::format("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" data-tip=\"{}\"/>", classes, x, y, radius, escaped(tip, 160));
}

std::string chart(const std::string& classes, const std::string& label, const std::string& content) {
  return fmt::format("<svg class=\"chart {}\" viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" tabindex=\"0\" aria-label=\"{}\">{}</svg>\n", classes, kChartWidth,
                     kChartHeight, escaped(label), content);
}

}  // namespace tessera::autotune
