// Requests that cannot be met: one line that says what is wrong and what would work, exit code 2 (4
// for a device that is not there), and nothing left behind.
#include <fstream>

#include "tests/cli/one_line.h"

namespace tessera::test {
namespace {

TEST(BadRequest, Operator) {
  expect_refused({
      {{"--op", "covn2d"}, {"unknown operator 'covn2d'", "conv2d"}},
      {{"--op", "matmull"}, {"'matmull'", "matmul"}},
      {{"--op", "frobnicate"}, {"unknown operator 'frobnicate'", "matmul"}},
      {{"--op", ""}, {"--op", "empty"}},
      {{"ops", "convv2d"}, {"'convv2d'", "conv2d"}},
      {{"show", "--op", "covn2d"}, {"'covn2d'", "conv2d"}},
      {{"--preset", "C2D.99"}, {"unknown preset 'C2D.99'", "C2D."}},
      {{"--preset", "C2D.2", "--op", "matmul"}, {"'C2D.2'", "conv2d", "matmul"}},
  });
}

TEST(BadRequest, Shape) {
  expect_refused({
      {{"--op", "matmul", "--shape", "m"}, {"--shape", "name=integer", "'m'"}},
      {{"--op", "matmul", "--shape", "m=5x"}, {"'m=5x'"}},
      {{"--op", "matmul", "--shape", "=5"}, {"'=5'"}},
      {{"--op", "matmul", "--shape", "m=1.5"}, {"'m=1.5'"}},
      {{"--op", "matmul", "--shape", "m=4,m=5"}, {"'m' twice"}},
      {{"--op", "matmul", "--shape", "q=4"}, {"no parameter 'q'", "m, n, k"}},
      {{"--op", "matmul", "--shape", "m=0"}, {"'m'", "is 0", "1 to"}},
      {{"--op", "matmul", "--shape", "m=-7"}, {"'m'", "is -7", "1 to"}},
      {{"--op", "matmul", "--shape", "m=4294967296"}, {"'m'", "4294967296", "2147483647"}},
      {{"--op", "matmul", "--shape", "m=9223372036854775808"},
       {"'m=9223372036854775808'", "out of range"}},
      {{"--op", "matmul", "--shape", "m=2147483647,n=2147483647,k=2147483647"},
       {"'A'", "too large"}},
      {{"--op", "matmul", "--shape", "m=1000000,n=1000000,k=1000000"},
       {"GB of memory", "smaller"},
       1},
      {{"--op", "conv2d", "--shape", "kh=0"}, {"'kh'", "is 0"}},
      {{"--op", "conv2d", "--shape", "h=3,kh=9,pad=0"}, {"conv2d"}},
      {{"--op", "conv2d", "--shape", "ci=5,groups=2"}, {"groups"}},
  });
}

TEST(BadRequest, DtypeLayoutConstant) {
  expect_refused({
      {{"--op", "matmul", "--dtype", "q8"}, {"'q8'", "f32"}},
      {{"--op", "conv2d", "--layout", "ABCD"}, {"'ABCD'", "NHWC", "NCHW"}},
      {{"--op", "matmul", "--layout", "NHWC"}, {"no layout", "'NHWC'"}},
      {{"--op", "matmul", "--constant", "Q"}, {"'Q'", "A, B"}},
      {{"--op", "matmul", "--constant", "C"}, {"'C'", "A, B"}},
  });
}

TEST(BadRequest, Target) {
  expect_refused({
      {{"--op", "matmul", "--target", "gpu"}, {"unknown target 'gpu'", "cpu"}},
      {{"--op", "matmul", "--target", ""}, {"--target"}},
      {{"--op", "matmul", "--target", "cpu -mcpu=pentium9"},
       {"unknown CPU 'pentium9'", "x86-64-v3"}},
      {{"--op", "matmul", "--target", "cpu -mattr=+frob"}, {"'+frob'"}},
      {{"--op", "matmul", "--target", "cpu -march=native"}, {"'-march=native'", "-mcpu="}},
      {{"--op", "matmul", "--target", "cuda"}, {"cuda", "--target cpu"}, 4},
      {{"--op", "no_such_operator", "--target", "cuda"}, {"cuda"}, 4},  // whatever the program
      {{"suite", "gemm", "--target", "cuda"}, {"cuda", "--target cpu"}, 4},
      {{"record", "--op", "matmul", "-o", "r.jsonl", "--target", "cuda"}, {"cuda", "--target cpu"}, 4},
      {{"--op", "matmul", "--target", "gpu\nand \x1b[31mmore"}, {"unknown target 'gpu and  [31mmore'"}},
      {{"--op", "matmul", "-\n"}, {"unknown flag '- '"}},
      {{"--op", "matmul", "--target", "cuda -arch=sm_80 -arch=sm_90a"}, {"-arch= twice"}},
      {{"--op", "matmul", "--target", "cuda -arch=sm_61"}, {"sm_61", "sm_90a"}},
      {{"sketches", "--op", "matmul", "--target", "cuda", "--threads", "4"}, {"--threads", "schedule"}},
      {{"show", "--op", "matmul", "--target", "cuda", "--print", "asm"}, {"'asm'", "ptx"}},
      {{"show", "--op", "matmul", "--print", "cuda"}, {"'cuda'", "llvm and asm"}},
      {{"--op", "matmul", "--build-only", "p.pack"}, {"--build-only", "CUDA"}},
      {{"--op", "matmul", "--target", "cuda", "--build-only", "p.pack", "--resume"}, {"--resume", "autotune measure"}},
      {{"measure", "p.pack", "--sample", "4"}, {"--sample", "--emulate"}},
  });
}

TEST(BadRequest, Expression) {
  const auto expr = [](const std::string& text, const std::string& where,
                       std::vector<std::string> said) {
    return BadCall{{"--expr", text, "--where", where}, std::move(said)};
  };
  expect_refused({
      expr("", "m=8", {"--expr", "empty"}),
      expr("C = A", "m=8", {"column 3", "'['", ">=<"}),
      expr("C[m] == A[m]", "m=8", {"column 6", "max="}),
      expr("C[m] ^= A[m]", "m=8", {"column 6", "max="}),
      expr("C[m] = ", "m=8", {"expected an expression"}),
      expr("C[m,n] += A[m,k] * B[k,n", "m=8,n=8,k=8", {"']'"}),
      expr("C[m] = A[m] $ 3", "m=8", {">$<"}),
      expr("C[m] = foo(A[m])", "m=8", {"unknown function 'foo'"}),
      expr("C[m] += A[m,k] * A[m]", "m=8,k=8", {"'A'", "1 indices", "2"}),
      expr("C[m,m] = A[m]", "m=8", {"axis 'm' stands twice"}),
      expr("A[m] = A[m]", "m=8", {"output 'A' is never read"}),
      expr("C[m] = A[B[m]]", "m=8", {"not an integer"}),
      expr("C[m] = A[m - 5]", "m=8", {"A[m - 5]", "-5", "if_then_else"}),
      expr("C[m,n] += A[m,k] * B[k,n]", "m=8,n=8", {"unknown name 'k'", "extent"}),
      expr("C[m] = A[m]", "", {"'m' has no extent"}),
      expr("C[m] = A[m]", "m=0", {"'m' is 0", "1 to"}),
      expr("C[m] = A[m]", "m=-1", {"'m'", "-1"}),
      expr("C[m] = A[m]", "m=z", {"'z'", "whole number"}),
      expr("C[m] = A[m]", "m=99999999999", {"99999999999"}),
      expr("C[m] = A[m]", "m=8,z=3", {"'z'", "no axis"}),
      expr("C[m] = " + std::string(5000, '(') + "A[m]" + std::string(5000, ')'), "m=8",
           {"expression"}),
      expr("C[m] = " + std::string(20000, ' ') + "A[m]", "m=8", {"characters", "16384"}),
      {{"--expr", "C[m] = A[m]", "--where", "m=8", "--dtypes", "Q=i8"}, {"'Q'"}},
      {{"--expr", "C[m] = A[m]", "--where", "m=8", "--dtypes", "Ai8"}, {"'Ai8'"}},
      {{"--expr", "C[m] = A[m]", "--where", "m=8", "--dtype", "q"}, {"unknown dtype 'q'", "f32"}},
      {{"--expr", "C[m] = A[m]", "--where", "m=8", "--op", "matmul"}, {"--expr stands alone"}},
  });
}

TEST(BadRequest, Program) {
  const test::TemporaryFolder folder;
  const std::string good = folder.path() + "/good.tc", bad = folder.path() + "/bad.tc", none = folder.path() + "/none.tc", noise = folder.path() + "/noise.tc";
  std::ofstream(good) << "def f(float(N) A) -> (B) { B(i) = A(i) }\n";
  std::ofstream(bad) << "def f(float(N) A) -> (B) {\n  B(i) += A(i)\n}\n";
  std::ofstream(noise) << std::string("\0\1\xff", 3);
  expect_refused({
      {{"--program", good}, {"good.tc", "size 'N' has no value", "N="}},
      {{"--program", good, "--where", "N=4,M=4"}, {"'M'", "no size"}},
      {{"--program", good, "--where", "N=4", "--expr", "C[m] = A[m]"}, {"--program stands alone"}},
      {{"--program", good, "--where", "N=4", "--dtype", "f32"}, {"--dtype", "types in the text"}},
      {{"--program", bad, "--where", "N=4"}, {"bad.tc", "line 2 column 3", "'B'", "!"}},
      {{"--program", noise, "--where", "N=4"}, {"noise.tc", "column 1"}},
      {{"--program", ""}, {"--program", "empty"}},
  });
  const CommandResult r = autotune({"--program", none, "--where", "N=4"});
  EXPECT_EQ(r.code, 1);
  EXPECT_NE(r.err.find("cannot read the program"), std::string::npos) << r.err;
}

TEST(BadRequest, Flags) {
  expect_refused({
      {{}, {"nothing to work on", "--op", "--expr"}},
      {{"--frobnicate"}, {"unknown flag '--frobnicate'", "--help"}},
      {{"--op", "matmul", "--trails", "3"}, {"unknown flag '--trails'", "--trials"}},
      {{"--op"}, {"--op"}},
      {{"relpay", "x.jsonl"}, {"'relpay'", "replay"}},
      {{"--op", "matmul", "--trials", "0"}, {"--trials", "1 to"}},
      {{"--op", "matmul", "--trials", "many"}, {"--trials", "many"}},
      {{"--op", "matmul", "--seed", "-1"}, {"--seed", "-1"}},
      {{"--op", "matmul", "--threads", "0"}, {"--threads", "1 to 1024"}},
      {{"--op", "matmul", "--threads", "1025"}, {"--threads", "1 to 1024"}},
      {{"--op", "matmul", "--log", ""}, {"--log", "empty"}},
      {{"replay"}, {"log is required"}},
      {{"export"}, {"required"}},
      {{"log"}, {"log needs", "check", "best", "merge"}},
      {{"log", "check"}, {"required"}},
      {{"log", "chekc", "x.jsonl"}, {"'chekc'", "check"}},
      {{"show"}, {"nothing to show"}},
      {{"show", "--op", "matmul", "--print", "poetry"}, {"--print", "poetry", "loops"}},
      {{"fuzz", "--programs", "0"}, {"--programs"}},
      {{"fuzz", "--programs", "1", "--schedules", "1", "--mutant", "no_such_mutant"},
       {"no_such_mutant"}},
  });
}

TEST(BadRequest, HelpIsNoError) {
  const CommandResult help = autotune({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_EQ(help.err, "");
  for (const char* word : {"--op", "--expr", "--trials", "replay", "doctor", "export"})
    EXPECT_NE(help.out.find(word), std::string::npos) << word;
}

}  // namespace
}  // namespace tessera::test
