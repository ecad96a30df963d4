// Hand-written kernels in the text of docs/reference/cuda_text.md, each with its inputs, its launch
// and the plain loops that say what it computes.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "runtime/emulator/emulator.h"
#include "support/rng.h"
#include "tests/support/options.h"

namespace tessera::test {

using runtime::emulator::ArgumentUse;
using runtime::emulator::EmulatedArgument;
using runtime::emulator::EmulationMode;
using runtime::emulator::EmulationReport;
using runtime::emulator::EmulationRequest;
using runtime::emulator::Finding;
using runtime::emulator::FindingKind;

template <class T>
std::vector<std::byte> bytes_of(const std::vector<T>& v) {
  std::vector<std::byte> b(v.size() * sizeof(T));
  std::memcpy(b.data(), v.data(), b.size());
  return b;
}

template <class T>
std::vector<T> values_of(const std::vector<std::byte>& b) {
  std::vector<T> v(b.size() / sizeof(T));
  std::memcpy(v.data(), b.data(), v.size() * sizeof(T));
  return v;
}

inline std::uint16_t bf16_bits(float x) {  // of a small integer: exact
  std::uint32_t b;
  std::memcpy(&b, &x, sizeof b);
  return static_cast<std::uint16_t>((b + 0x7fff + ((b >> 16) & 1)) >> 16);
}
inline float bf16_value(std::uint16_t bits) {
  const std::uint32_t b = std::uint32_t{bits} << 16;
  float x;
  std::memcpy(&x, &b, sizeof x);
  return x;
}

/// Small integers, so that sums are exact in any order.
inline std::vector<float> small_integers(std::size_t n, std::uint64_t seed) {
  Rng rng(seed, {n});
  std::vector<float> v(n);
  for (float& x : v) x = static_cast<float>(rng.between(-3, 3));
  return v;
}

struct Fixture {
  EmulationRequest request;
  int output = 0;               // the argument to compare
  std::vector<float> expected;  // its values
  bool bf16 = false;            // it holds bf16
  double bound = 0;             // of the absolute error; 0: the same bits
};

inline EmulatedArgument input(const std::vector<float>& v) {
  return {ArgumentUse::kRead, bytes_of(v), {}, {}};
}
inline EmulatedArgument input_bf16(const std::vector<float>& v) {
  std::vector<std::uint16_t> bits;
  for (const float x : v) bits.push_back(bf16_bits(x));
  return {ArgumentUse::kRead, bytes_of(bits), {}};
}
inline EmulatedArgument output(std::size_t bytes) {
  return {ArgumentUse::kWrite, std::vector<std::byte>(bytes), {}};
}

/// C[m,n] = A[m,k] * B[k,n]; B as [n,k] when `transposed`.
inline std::vector<float> plain_matmul(const std::vector<float>& a, const std::vector<float>& b,
                                       int m, int n, int k, bool transposed) {
  std::vector<float> c(static_cast<std::size_t>(m * n));
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      float sum = 0;
      for (int l = 0; l < k; ++l)
        sum += a[static_cast<std::size_t>(i * k + l)] *
               b[static_cast<std::size_t>(transposed ? j * k + l : l * n + j)];
      c[static_cast<std::size_t>(i * n + j)] = sum;
    }
  return c;
}

inline Fixture matmul_fixture(const std::string& entry, int m, int n, int k,
                              runtime::emulator::Extent3 grid, int threads, int shared) {
  const auto a = small_integers(static_cast<std::size_t>(m * k), 1),
             b = small_integers(static_cast<std::size_t>(k * n), 2);
  Fixture f;
  f.bf16 = entry == "mma_gemm";
  f.request.entry = entry;
  f.request.grid = grid;
  f.request.block = {threads, 1, 1};
  f.request.shared_bytes = shared;
  f.request.arguments = {f.bf16 ? input_bf16(a) : input(a), f.bf16 ? input_bf16(b) : input(b),
                         output(static_cast<std::size_t>(m * n) * (f.bf16 ? 2 : 4))};
  f.output = 2;
  f.expected = plain_matmul(a, b, m, n, k, f.bf16);
  return f;
}

inline EmulatedArgument workspace(std::int64_t bytes, std::int64_t zero_begin,
                                  std::int64_t zero_end) {
  EmulatedArgument a = output(static_cast<std::size_t>(bytes));
  a.zeroed = {{zero_begin, zero_end}};
  return a;
}

inline Fixture vector_fixture(const std::string& entry, runtime::emulator::Extent3 grid,
                              runtime::emulator::Extent3 block, int shared,
                              std::vector<EmulatedArgument> inputs, std::vector<float> expected) {
  Fixture f;
  f.request.entry = entry;
  f.request.grid = grid;
  f.request.block = block;
  f.request.shared_bytes = shared;
  f.output = static_cast<int>(inputs.size());
  f.request.arguments = std::move(inputs);
  f.request.arguments.push_back(output(expected.size() * 4));
  f.expected = std::move(expected);
  return f;
}

inline Fixture row_fixture(const std::string& entry) {
  const bool softmax = entry == "softmax";
  const int rows = softmax ? 6 : 10, columns = softmax ? 300 : 100;
  const auto x = small_integers(static_cast<std::size_t>(rows * columns), 3);
  std::vector<float> y;
  for (int r = 0; r < rows; ++r) {
    const auto at = [&](int c) {
      return static_cast<double>(x[static_cast<std::size_t>(r * columns + c)]);
    };
    double sum = 0;
    for (int c = 0; c < columns; ++c) sum += softmax ? std::exp(at(c)) : at(c);
    if (!softmax) y.push_back(static_cast<float>(sum));
    for (int c = 0; c < columns && softmax; ++c)
      y.push_back(static_cast<float>(std::exp(at(c)) / sum));
  }
  Fixture f = vector_fixture(entry, {softmax ? 6 : 3, 1, 1}, {128, 1, 1}, softmax ? 16 : 0,
                             {input(x)}, std::move(y));
  f.bound = softmax ? 1e-6 : 0;
  return f;
}

inline Fixture transpose_fixture() {
  const auto x = small_integers(3500, 4);
  std::vector<float> y(3500);
  for (int i = 0; i < 70; ++i)
    for (int j = 0; j < 50; ++j)
      y[static_cast<std::size_t>(j * 70 + i)] = x[static_cast<std::size_t>(i * 50 + j)];
  return vector_fixture("transpose", {2, 3, 1}, {32, 8, 1}, 32 * 33 * 4, {input(x)}, std::move(y));
}

inline Fixture pointwise_fixture() {
  const auto a = small_integers(5000, 5), b = small_integers(5000, 6);
  std::vector<float> y;
  for (std::size_t i = 0; i < a.size(); ++i) y.push_back(std::max(a[i] * b[i] + 1, 0.f));
  return vector_fixture("pointwise", {3, 1, 1}, {128, 1, 1}, 0, {input(a), input(b)}, std::move(y));
}

inline Fixture last_block_fixture() {
  const auto x = small_integers(5000, 7);
  float sum = 0;
  for (const float v : x) sum += v;
  Fixture f = vector_fixture("last_block", {8, 1, 1}, {128, 1, 1}, 20, {input(x)}, {sum});
  f.request.arguments.push_back(workspace(36, 32, 36));
  f.request.launches = 2;
  return f;
}

inline Fixture split_k_fixture() {
  Fixture f = matmul_fixture("split_k", 32, 32, 64, {1, 1, 4}, 256, 2176 + 2048);
  f.request.arguments.push_back(workspace(4, 0, 4));
  f.request.launches = 2;
  return f;
}

/// The fixture of tests/emulator/kernels/NAME.cu.
inline Fixture fixture(const std::string& name) {
  Fixture f = name == "simt_gemm"    ? matmul_fixture(name, 100, 72, 40, {3, 4, 1}, 64, 2304 + 2048)
              : name == "async_gemm" ? matmul_fixture(name, 50, 60, 64, {2, 2, 1}, 64, 4608 + 3072)
              : name == "mma_gemm"   ? matmul_fixture(name, 100, 72, 96, {2, 2, 1}, 128, 24576)
              : name == "split_k"    ? split_k_fixture()
              : name == "last_block" ? last_block_fixture()
              : name == "transpose"  ? transpose_fixture()
              : name == "pointwise"  ? pointwise_fixture()
                                     : row_fixture(name);
  f.request.text = read_source_file("tests/emulator/kernels/" + name + ".cu");
  return f;
}

inline const std::vector<std::string>& fixture_names() {
  static const std::vector<std::string> names{"simt_gemm", "async_gemm", "mma_gemm",
                                              "row_sum",   "softmax",    "last_block",
                                              "split_k",   "transpose",  "pointwise"};
  return names;
}

/// The first output that is wrong, in words; nothing when all are right.
inline std::string wrong_answer(const Fixture& f, const EmulationReport& report) {
  const auto& bytes = report.outputs[static_cast<std::size_t>(f.output)];
  std::vector<float> got;
  if (f.bf16) {
    for (const std::uint16_t bits : values_of<std::uint16_t>(bytes))
      got.push_back(bf16_value(bits));
  } else {
    got = values_of<float>(bytes);
  }
  for (std::size_t i = 0; i < f.expected.size(); ++i) {
    const float want = f.bf16 ? bf16_value(bf16_bits(f.expected[i])) : f.expected[i];
    if (!(std::abs(got[i] - want) <= f.bound))
      return "element " + std::to_string(i) + " is " + std::to_string(got[i]) + ", not " +
             std::to_string(want);
  }
  return "";
}

inline std::string all_findings(const EmulationReport& report) {
  std::string text;
  for (const Finding& f : report.findings) text += to_string(f) + "\n";
  return text;
}

}  // namespace tessera::test
