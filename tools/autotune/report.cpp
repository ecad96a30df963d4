#include "tools/autotune/report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "ir/cuda_arch.h"
#include "runtime/cpu/peak_probe.h"
#include "tools/autotune/terminal.h"

namespace tessera::autotune {

Json BestFigures::json() const {
  Json j;
  j["seconds"] = seconds;
  j["gflops"] = gflops;
  j["peak_share"] = peak_share ? Json(*peak_share) : Json(nullptr);
  j["bandwidth_share"] = bandwidth_share ? Json(*bandwidth_share) : Json(nullptr);
  j["prepare_seconds"] = prepare_seconds;
  return j;
}

std::string BestFigures::text() const {
  std::string out = fmt::format("{}  {:.1f} GFLOP/s", duration_text(seconds), gflops);
  if (peak_share) out += fmt::format("  {:.1f} % of peak", *peak_share * 100);
  // Above what memory delivers the operands came from a cache: a share of it says nothing.
  if (bandwidth_share && *bandwidth_share <= 1.05) out += fmt::format("  {:.0f} % of memory bandwidth", *bandwidth_share * 100);
  if (prepare_seconds > 0) out += fmt::format("  (constants prepared once in {})", duration_text(prepare_seconds));
  return out;
}

BestFigures figures_of(const search::Task& task, const runtime::Measurement& m) {
  BestFigures f;
  f.seconds = static_cast<double>(m.median_ns()) * 1e-9;
  f.gflops = task.dag.flops() / f.seconds * 1e-9;
  const double probe = m.median_probe_gflops();
  if (task.dag.multiply_adds() > 0 && probe > 0) f.peak_share = 2 * task.dag.multiply_adds() / f.seconds * 1e-9 / probe;
  const bool cuda = task.target.kind == ir::TargetKind::kCuda;
  const double memory = cuda ? ir::cuda_arch(task.target.arch).or_throw().memory_gb_s : runtime::probe_read_gb_s(task.threads, std::int64_t{64} << 20);
  if (memory > 0) f.bandwidth_share = task.dag.bytes() / f.seconds * 1e-9 / memory;
  f.prepare_seconds = static_cast<double>(m.prepare_ns) * 1e-9;
  return f;
}

void check_log_writable(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code ec;
  const fs::path p(path);
  TESSERA_ENVIRONMENT_CHECK(!fs::is_directory(p, ec)) << "log '" << path << "' is a directory; name a file";
  const fs::path parent = p.has_parent_path() ? p.parent_path() : fs::path(".");
  TESSERA_ENVIRONMENT_CHECK(fs::is_directory(parent, ec)) << "directory '" << parent.string() << "' of the log does not exist";
  const char* checked = fs::exists(p, ec) ? path.c_str() : nullptr;
  const std::string where = checked != nullptr ? path : parent.string();
  TESSERA_ENVIRONMENT_CHECK(::access(where.c_str(), W_OK) == 0)
      << "cannot write the log '" << path << "': " << std::strerror(errno);
}

void check_memory(const search::Task& task) {
  const double have = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  const double need = task.dag.bytes();
  TESSERA_ENVIRONMENT_CHECK(have <= 0 || need < have)
      << fmt::format("the operands of {} take {:.1f} GB, this machine has {:.1f} GB of memory; choose smaller extents",
                     task.op, need * 1e-9, have * 1e-9);
}

}  // namespace tessera::autotune
