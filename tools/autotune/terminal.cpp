#include "tools/autotune/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "support/env.h"

namespace tessera::autotune {

std::string duration_text(double s) {
  if (s >= 1) return fmt::format("{:.2f} s", s);
  if (s >= 1e-3) return fmt::format("{:.3g} ms", s * 1e3);
  if (s >= 1e-6) return fmt::format("{:.3g} us", s * 1e6);
  return fmt::format("{:.3g} ns", s * 1e9);
}

ProgressLine::ProgressLine(double flops, double multiply_adds) : flops_(flops), multiply_adds_(multiply_adds) {
  const char* term = std::getenv("TERM");
  live_ = isatty(STDERR_FILENO) == 1 && !(term != nullptr && std::string(term) == "dumb");
}

ProgressLine::~ProgressLine() { clear(); }

void ProgressLine::clear() {
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

void ProgressLine::say(const std::string& text) {
  clear();
  std::fprintf(stderr, "%s\n", text.c_str());
}

void ProgressLine::show(const search::Progress& p) {
  using namespace std::chrono_literals;
  const auto now = std::chrono::steady_clock::now();
  const bool last = p.trials >= p.wanted;
  if (!last && now - last_ < (live_ ? 100ms : 2000ms)) return;
  last_ = now;
  std::string line = fmt::format("{}/{} trials", p.trials, p.wanted);
  if (p.best_ns > 0) {
    const double seconds = static_cast<double>(p.best_ns) * 1e-9;
    line += fmt::format("  best {} {:.1f} GFLOP/s", duration_text(seconds), flops_ / seconds * 1e-9);
    if (multiply_adds_ > 0 && p.probe_gflops > 0) line += fmt::format(" ({:.0f} % of peak)", 2 * multiply_adds_ / seconds * 1e-7 / p.probe_gflops);
  }
  for (const auto& [status, n] : p.failed) line += fmt::format("  {} {}", n, status);
  if (!last && p.trials > 0) line += fmt::format("  {:.0f} s left", p.wall_seconds / p.trials * (p.wanted - p.trials));
  if (!live_) {
    std::fprintf(stderr, "%s\n", line.c_str());
    return;
  }
  const bool colour = !env_flag(EnvVar::kNoColor);
  std::fprintf(stderr, "\r\033[K%s%s%s", colour ? "\033[36m" : "", line.c_str(), colour ? "\033[0m" : "");
  std::fflush(stderr);
  drawn_ = true;
}

}  // namespace tessera::autotune
