// Kernels to export, and the outsider who compiles what came out with nothing but `cc`.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <string>

#include "codegen/llvm/compile.h"
#include "codegen/llvm/target.h"
#include "dsl/dsl.h"
#include "dsl/evaluate.h"
#include "exporter/export_c.h"
#include "lower/lower.h"
#include "schedule/schedule.h"

namespace tessera::exporter::testing {

namespace fs = std::filesystem;

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (fs::temp_directory_path() / "tessera-export-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

/// Standard output and errors of a shell command in a directory; a failed one fails the test.
inline std::string shell(const std::string& directory, const std::string& command, int expected = 0) {
  const std::string line = "cd '" + directory + "' && { " + command + " ; } 2>&1";
  FILE* pipe = ::popen(line.c_str(), "r");
  std::string out;
  char buffer[4096];
  for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) out.append(buffer, n);
  const int status = ::pclose(pipe);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == expected) << command << "\n" << out;
  return out;
}

inline const ir::Target& host_target() {
  static const ir::Target target = codegen::resolve_cpu_target({}).or_throw();
  return target;
}

inline runtime::KernelImage compiled(const schedule::State& state, const ir::Target& target = host_target()) {
  lower::Options options;
  options.name = "tessera_kernel";
  options.vector_bytes = target.vector_bytes;
  const auto program = lower::lower(state, options);
  if (!program.ok()) throw InternalError(program.reason());
  return codegen::compile_cpu(*program, target).or_throw();
}

inline constexpr const char* kStrict = "cc -std=c11 -O1 -Wall -Wextra -Wpedantic -Wconversion -Werror ";

/// Builds example.c in the three ways of the README and runs it; all must print the same.
inline std::string build_and_run_example(const std::string& directory, const std::string& name) {
  const std::string object =
      shell(directory, kStrict + ("example.c " + name + "_launcher.c " + name + ".o -lm -o example && ./example"));
  const std::string shared = shell(directory, kStrict + ("example.c -L. -l" + name + " -Wl,-rpath,'$ORIGIN' -o example_so && ./example_so"));
  EXPECT_EQ(object, shared);
  return object;
}

/// What example.c must print: its inputs, the reference's outputs, its checksum.
inline std::string expected_output(const dsl::ComputeDag& dag) {
  std::map<std::string, ir::Tensor> inputs;
  std::int64_t slot = 0;
  for (const dsl::Stage* s : dag.inputs()) {
    std::vector<std::int64_t> shape;
    for (const auto& a : s->axes) {
      std::int64_t n = 0;
      EXPECT_TRUE(ir::is_const_int(a.extent, &n));
      shape.push_back(n);
    }
    const ir::Type t = s->outputs[0]->dtype;
    ir::Tensor x(t, shape);
    for (std::int64_t i = 0; i < x.size(); ++i) {
      const std::int64_t cycle = i * 7 + slot;
      if (s->values.kind == dsl::ValueRule::Kind::kBelow) {
        x.set_int(i, cycle % s->values.limit);
      } else if (s->values.kind == dsl::ValueRule::Kind::kOffsets) {
        x.set_int(i, i * s->values.limit / (x.size() - 1));
      } else {
        x.set(i, static_cast<double>(t.is_bool() ? cycle % 2 : t.is_uint() ? cycle % 5 : cycle % 5 - 2));
      }
    }
    inputs.emplace(s->name, std::move(x));
    ++slot;
  }
  dsl::Evaluator reference(dag, inputs);
  std::string out;
  for (const ir::Buffer& b : dag.outputs()) {
    const ir::Tensor y = reference.tensor(b->name).or_throw();
    double sum = 0;
    for (std::int64_t i = 0; i < y.size(); ++i) sum += y.get(i) * static_cast<double>(i % 7 + 1);
    char line[128];
    std::snprintf(line, sizeof line, "%s %.17g\n", b->name.c_str(), sum);
    out += line;
  }
  return out;
}

struct Failure {
  int exit_code = 0;
  std::string message;
};
inline Failure failure_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const UserError& e) {
    return {e.exit_code(), e.what()};
  }
  return {};
}

inline dsl::ComputeDag matmul(bool constant_b = false, std::int64_t m = 24, std::int64_t n = 40, std::int64_t depth = 17) {
  using namespace dsl;
  auto a = placeholder({m, depth}, f32, "A");
  auto b = constant_b ? constant({depth, n}, f32, "B") : placeholder({depth, n}, f32, "B");
  auto k = reduce_axis(depth, "k");
  auto c = compute({m, n}, [&](Var i, Var j) { return sum(a(i, k) * b(k, j), k); }, "C");
  return ComputeDag::from_outputs({c}, "matmul");
}

/// A matmul whose inner axis is in vectors.
inline runtime::KernelImage matmul_image(const ir::Target& target = host_target()) {
  schedule::Schedule s(matmul());
  s.split("C", "j", {"j0", "j1"}, {8}).reorder("C", {"i", "j0", "k", "j1"}).vectorize("C", "j1");
  return compiled(s.state(), target);
}

}  // namespace tessera::exporter::testing
