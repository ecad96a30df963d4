// Test kernels written in C, compiled by the system's compiler when a test asks for them.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "runtime/cpu/data_set.h"
#include "runtime/kernel_image.h"

namespace tessera::runtime::testing {

/// A directory of its own that goes with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "tessera-test-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::vector<std::byte> compile_c(const std::string& source) {
  static std::map<std::string, std::vector<std::byte>> done;
  std::vector<std::byte>& object = done[source];
  if (!object.empty()) return object;
  const TemporaryDirectory directory;
  const std::string c = (directory.path() / "k.c").string(),
                    o = (directory.path() / "k.o").string();
  std::ofstream(c) << source;
  const std::string command =
      "g++ -x c -c -O1 -w -fno-stack-protector -fPIC -fno-tree-loop-distribute-patterns "
      "-I'" TESSERA_SOURCE_DIR "' -o '" +
      o + "' '" + c + "'";
  EXPECT_EQ(std::system(command.c_str()), 0) << source;
  std::ifstream in(o, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  object.resize(bytes.size());
  std::memcpy(object.data(), bytes.data(), bytes.size());
  return object;
}

inline constexpr std::int64_t kLength = 1000;

/// O[i] = 2 A[i] over kLength elements of `dtype`, or what `body` makes of it: C statements that
/// see `const T* a`, `T* o`, `n`, `args` and `host`; `before` goes in front of the function.
inline KernelImage c_kernel(const std::string& body, const std::string& before = "",
                            const std::string& type = "float", ir::Type dtype = ir::f32,
                            int alignment = 64) {
  KernelImage image;
  image.target = "cpu";
  image.object = compile_c("#include \"runtime/kernel_abi.h\"\ntypedef " + type + " T;\n" + before +
                           "\nint32_t k(void** args, const tessera_host* host) {\n"
                           "  T* a = args[0]; T* o = args[1]; int64_t n = " +
                           std::to_string(kLength) + ";\n" + body + "\n  return 0;\n}\n");
  image.entries = {{"k"}};
  image.launches = {{"k",
                     Phase::kRun,
                     {{LaunchArgumentKind::kTensor, 0}, {LaunchArgumentKind::kTensor, 1}},
                     0,
                     {},
                     {},
                     {},
                     0}};
  const std::int64_t bytes = kLength * dtype.bytes();
  image.arguments = {{"A", dtype, {kLength}, bytes, alignment, ArgumentRole::kInput},
                     {"O", dtype, {kLength}, bytes, alignment, ArgumentRole::kOutput}};
  return image;
}

inline const char* const kDouble = "for (int64_t i = 0; i < n; ++i) o[i] = 2 * a[i];";

template <class T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
  std::vector<std::byte> out(values.size() * sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), values.data(), out.size());
  return out;
}

template <class T>
OperandSet doubling_set(Comparison comparison, double step) {
  std::vector<T> a, o;
  for (std::int64_t i = 0; i < kLength; ++i) {
    a.push_back(static_cast<T>(static_cast<double>(i % 17 - 8) * step));
    o.push_back(static_cast<T>(2 * a.back()));
  }
  ExpectedOutput expected;
  expected.name = "O";
  expected.comparison = comparison;
  expected.values = bytes_of(o);
  expected.absolute = 1e-6;
  return {{{"A", bytes_of(a)}}, {expected}};
}

/// What c_kernel must compute.
template <class T = float>
DataSet doubling_data() {
  return {doubling_set<T>(Comparison::kExact, 1),
          doubling_set<T>(Comparison::kBounded, sizeof(T) > 1 ? 1.5 : 1)};
}

}  // namespace tessera::runtime::testing
