// Compiling in another process: a candidate that crashes LLVM, loops or eats memory costs one record.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "driver/compile.h"
#include "runtime/isolation/fork_server.h"
#include "runtime/isolation/worker.h"
#include "runtime/measurement.h"

namespace tessera::driver {

struct BuildResult {
  runtime::MeasureStatus status = runtime::MeasureStatus::kInternal;  // kOk: `image` is there
  std::string message;
  std::optional<runtime::KernelImage> image;
  double wall_ms = 0;
};

/// What became of a build that was refused: a reason may say by its first word ("resource: ...") what kind it is.
runtime::MeasureStatus status_of_refusal(const std::string& reason);

/// The tuner's side. One build at a time; `start` and `finish` let the caller measure meanwhile.
class Builder {
 public:
  /// Uses the program kernel_builder (runtime::find_tool).
  Builder();
  explicit Builder(runtime::Spawner spawn);

  BuildResult build(const dsl::ComputeDag& dag, const schedule::Plan& plan, const ir::Target& target);
  void start(const dsl::ComputeDag& dag, const schedule::Plan& plan, const ir::Target& target);
  bool poll(int timeout_ms) { return worker_.poll(timeout_ms); }
  BuildResult finish();
  bool busy() const { return worker_.busy(); }

  runtime::Limits limits;  // of one build: 60 s, 30 s of CPU, 4 GiB by default

 private:
  runtime::Worker worker_;
  std::chrono::steady_clock::time_point started_;
};

/// The handler of kernel_builder: a request made by Builder in, an image or a reason out.
std::vector<std::byte> handle_build_request(std::span<const std::byte> request, const runtime::HandlerContext& context);

}  // namespace tessera::driver
