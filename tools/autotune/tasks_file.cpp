#include <fstream>

#include "tools/autotune/problem_flags.h"

namespace tessera::autotune {

void add_problem(CLI::App& app, ProblemArgs& p) {
  app.add_option("--op", p.op, "operator of the catalogue (autotune ops)")->check(kNotEmpty);
  app.add_option("--expr", p.expr, "program as text: 'C[m,n] += A[m,k] * B[k,n]'")->check(kNotEmpty);
  app.add_option("--program", p.program, "file with a program: def f(float(M,K) A, float(K,N) B) -> (C) { C(m,n) +=! A(m,k) * B(k,n) }")->check(kNotEmpty);
  app.add_option("--where", p.where, "extents of --expr, sizes of --program: m=512,n=512,k=512");
  app.add_option("--preset", p.preset, "named shape, for example C2D.2")->check(kNotEmpty);
  app.add_option("--shape", p.shape, "parameters of --op: m=512,n=512");
  app.add_option("--layout", p.layout, "operand layout, for example NHWC");
  app.add_option("--dtype", p.dtype, "element type, for example f32");
  app.add_option("--dtypes", p.dtypes, "element types of single inputs of --expr: A=i8,B=i8");
  app.add_option("--constant", p.constant, "operands known ahead: names, or none");
  app.add_option("--target", p.target, "what to compile for: cpu, 'cpu -mcpu=x86-64-v3'")->check(kNotEmpty);
  app.add_option("--threads", p.threads, "threads a kernel runs on (default: all cores)")->check(CLI::Range(1, 1024));
}

std::vector<TaskLine> read_tasks_file(const std::string& path, const ProblemArgs& common) {
  std::ifstream in(path);
  TESSERA_ENVIRONMENT_CHECK(static_cast<bool>(in)) << "cannot read the file of tasks '" << path << "'";
  std::vector<TaskLine> out;
  std::string text;
  for (int number = 1; std::getline(in, text); ++number) {
    const std::size_t start = text.find_first_not_of(" \t\r");
    if (start == std::string::npos || text[start] == '#') continue;
    ProblemArgs p = common;
    double weight = 1;
    CLI::App line;
    add_problem(line, p);
    line.add_option("--weight", weight, "how often the program runs")->check(CLI::PositiveNumber);
    line.set_help_flag();
    try {
      line.parse(text, false);
    } catch (const CLI::ParseError& e) {
      throw UserError(path + ":" + std::to_string(number) + ": " + e.what(), 2);
    }
    TESSERA_USER_CHECK(p.given()) << path << ":" << number << ": no program; a line takes --op, --preset, --expr or --program";
    out.push_back({std::move(p), weight, text.substr(start)});
  }
  TESSERA_USER_CHECK(!out.empty()) << "the file of tasks '" << path << "' holds no task";
  return out;
}

}  // namespace tessera::autotune
