// Records and files for the tests of the log.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "dsl/dsl.h"
#include "schedule/schedule.h"
#include "tuning_logs/log_file.h"

namespace tessera::tuning_logs::testing {

/// A directory of its own that goes with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "tessera-log-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

inline dsl::ComputeDag matmul(std::int64_t n = 64) {
  using namespace dsl;
  auto a = placeholder({n, n}, f32, "A"), b = constant({n, n}, f32, "B");
  auto k = reduce_axis(n, "k");
  auto c = compute({n, n}, [&](Var i, Var j) { return sum(a(i, k) * b(k, j), k); }, "C");
  return ComputeDag::from_outputs({c}, "matmul");
}

inline Record header() {
  Machine m;
  m.cpu = "Some CPU @ 2.0 GHz";
  m.isa = "avx512+vnni";
  m.cores = 2;
  m.cache_bytes = {32768, 1048576};
  m.tool = "tessera 0.1.0";
  return make_header("cpu -mcpu=x86-64-v3", m, 1, 7);
}

/// An ok trial whose fastest sample is 1000 + number nanoseconds.
inline Record trial(int number) {
  static const Task task = [] {
    Request q;
    q.op = "matmul";
    q.shape = {{"m", 64}, {"n", 64}, {"k", 64}};
    q.dtype = "f32";
    return make_task(matmul(), "matmul", q);
  }();
  static const schedule::StepList steps = [] {
    schedule::Schedule s(matmul());
    s.split("C", "i", {"i0", "i1"}, {16}).reorder("C", {"i0", "k", "i1", "j"}).vectorize("C", "j");
    return s.steps();
  }();
  Record r = header();
  r.kind = RecordKind::kTrial;
  r.task = task;
  r.sketch = "tile";
  r.decisions = {{"ti", 16}};
  r.batch = number / 8;
  r.slot = number % 8;
  r.trial = number;
  r.plan = steps;
  r.samples_ns = {1000 + number, 1100 + number, 1050 + number};
  r.runs_per_sample = 100;
  r.probe_gflops = {101.25, 0.1 + number, 1.0 / 3};
  r.program_hash = "0123456789abcdef";
  r.object_hash = "fedcba9876543210";
  r.compile_ms = 12.34567890123;
  return r;
}

inline Record failure(int number) {
  Record r = trial(number);
  r.status = runtime::MeasureStatus::kWrongAnswer;
  r.phase = "verify_exact";
  r.message = "C[3, 4] is 12, expected 13 (\"quoted\", C:\\path)";
  r.samples_ns.clear();
  r.probe_gflops.clear();
  return r;
}

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

/// A log with `count` trials and its header.
inline std::string write_log(const TemporaryDirectory& directory, const std::string& name, int count) {
  const std::string path = directory.file(name);
  LogWriter w(path, header());
  for (int i = 0; i < count; ++i) w.append(i % 5 == 4 ? failure(i) : trial(i));
  return path;
}

/// The message of the UserError that `f` must throw with exit code 1.
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const UserError& e) {
    return e.exit_code() == 1 ? e.what() : "exit code " + std::to_string(e.exit_code());
  }
  return "no error";
}

}  // namespace tessera::tuning_logs::testing
