// Axes of the charts: where a value lies in the picture, and which values are worth a line.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace tessera::autotune {

/// Maps [low, high] to [from, to] of the picture, linearly or by logarithm.
struct Scale {
  double low = 0, high = 1, from = 0, to = 1;
  bool logarithmic = false;

  double operator()(double value) const;
  /// Round values inside, at most about `most`.
  std::vector<double> ticks(int most) const;
};

inline constexpr double kChartWidth = 560, kChartHeight = 320;
inline constexpr double kLeft = 62, kRight = 544, kTop = 18, kBottom = 278;

/// Frame, grid lines and labels of both axes.
std::string axes(const Scale& x, const Scale& y, const std::string& x_title, const std::string& y_title,
                 const std::function<std::string(double)>& x_text, const std::function<std::string(double)>& y_text);
/// A dot with the text that shows when the pointer or the arrow keys reach it.
std::string dot(const std::string& classes, double x, double y, double radius, const std::string& tip);
/// <svg> of the usual size; `label` is read out instead of the picture.
std::string chart(const std::string& classes, const std::string& label, const std::string& content);
/// "250", "0.05": four digits at most.
std::string short_number(double value);

}  // namespace tessera::autotune
