// A measurer with the operands of c_kernel.h, and what its tests ask of the system.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>

#include "runtime/cpu/host.h"
#include "tests/runtime/c_kernel.h"

namespace tessera::runtime::testing {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMemoryCanBeLimited = false;
#else
constexpr bool kMemoryCanBeLimited = true;
#endif

inline double seconds_of(const std::function<void()>& f) {
  const auto begin = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

inline std::size_t entries_of(const std::string& directory) {
  std::error_code error;
  std::size_t n = 0;
  for (auto it = std::filesystem::directory_iterator(directory, error);
       !error && it != std::filesystem::directory_iterator(); ++it)
    ++n;
  return n;
}

inline std::string children_of(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children");
  std::string text;
  std::getline(in, text);
  return text;
}

class MeasureFixture : public ::testing::Test {
 protected:
  void SetUp() override { measurer_.install(doubling_data()); }

  Measurement run(const KernelImage& image, MeasureOptions options = {}) {
    return measurer_.measure(image, options);
  }
  /// Measures a kernel with `body`, then a good one, which must not feel anything.
  Measurement run_bad(const std::string& body, const std::string& before = "") {
    MeasureOptions options;
    options.limits.wall_ns = 1'000'000'000;
    const Measurement bad = run(c_kernel(body, before), options);
    EXPECT_FALSE(bad.ok());
    EXPECT_TRUE(bad.samples_ns.empty());
    EXPECT_FALSE(bad.message.empty());
    EXPECT_EQ(run(c_kernel(kDouble)).status, MeasureStatus::kOk);
    EXPECT_EQ(measurer_.worker().servers_started(), 1);  // the server outlives every candidate
    return bad;
  }
  static void expect(const Measurement& m, MeasureStatus status, const std::string& phase,
                     const std::string& part) {
    EXPECT_EQ(to_string(m.status), to_string(status)) << m.phase << ": " << m.message;
    EXPECT_EQ(m.phase, phase) << m.message;
    EXPECT_NE(m.message.find(part), std::string::npos) << m.message;
  }

  CpuMeasurer measurer_;
};

}  // namespace tessera::runtime::testing
