// What a person sees while the tuner works: one live line on a terminal, plain lines when piped.
#pragma once

#include <chrono>
#include <string>

#include "search/search.h"

namespace tessera::autotune {

class ProgressLine {
 public:
  /// `multiply_adds` and `flops` of one run of the program, for rates.
  ProgressLine(double flops, double multiply_adds);
  ~ProgressLine();
  void show(const search::Progress& p);
  /// A line of its own on stderr; the live line comes back below it.
  void say(const std::string& text);

 private:
  void clear();
  bool live_;
  double flops_, multiply_adds_;
  std::chrono::steady_clock::time_point last_{};
  bool drawn_ = false;
};

/// "1.23 ms", "45.6 us".
std::string duration_text(double seconds);

}  // namespace tessera::autotune
