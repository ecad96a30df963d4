#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "codegen/cuda/nvrtc.h"
#include "driver/compile.h"
#include "dsl/text.h"
#include "ops/catalog.h"
#include "runtime/cpu/cpu_info.h"
#include "tools/autotune/commands.h"

namespace tessera::autotune {

namespace {

/// "m=512,pad=0": any integers; the operator's own ranges are checked by the catalogue.
ops::Shape parse_shape(const std::string& text) {
  ops::Shape out;
  for (const std::string& word : split_words(text)) {
    const std::size_t eq = word.find('=');
    std::int64_t value = 0;
    const char* begin = word.data() + (eq == std::string::npos ? word.size() : eq + 1);
    const auto [end, error] = std::from_chars(begin, word.data() + word.size(), value);
    TESSERA_USER_CHECK(error != std::errc::result_out_of_range) << "--shape '" << word << "' is out of range; 1 to 2147483647 works";
    TESSERA_USER_CHECK(eq != std::string::npos && eq > 0 && error == std::errc() && end == word.data() + word.size())
        << "--shape takes name=integer,..., not '" << word << "'";
    TESSERA_USER_CHECK(out.emplace(word.substr(0, eq), value).second) << "--shape names '" << word.substr(0, eq) << "' twice";
  }
  return out;
}

dsl::ComputeDag program_of_op(const ProblemArgs& args, tuning_logs::Request& request, std::string& op) {
  ops::Request r;
  if (!args.preset.empty()) {
    r = ops::find_preset(args.preset).or_throw();
    TESSERA_USER_CHECK(args.op.empty() || args.op == r.op)
        << "preset '" << args.preset << "' is one of " << r.op << ", not of " << args.op;
  }
  if (!args.op.empty()) r.op = args.op;
  if (!args.shape.empty()) {
    for (const auto& [name, value] : parse_shape(args.shape)) r.shape[name] = value;
  }
  if (!args.layout.empty()) r.layout = args.layout;
  if (!args.dtype.empty()) r.dtype = args.dtype;
  dsl::ComputeDag dag = ops::build(r).or_throw();
  op = r.op;
  request.op = r.op;
  request.preset = args.preset;
  request.shape = r.shape;
  request.layout = r.layout;
  request.dtype = r.dtype;
  return dag;
}

dsl::ComputeDag program_of_expr(const ProblemArgs& args, tuning_logs::Request& request, std::string& op) {
  dsl::StatementOptions o;
  if (!args.dtype.empty()) o.dtype = ir::parse_type(args.dtype).or_throw();
  for (const std::string& word : split_words(args.dtypes)) {
    const std::size_t eq = word.find('=');
    TESSERA_USER_CHECK(eq != std::string::npos) << "--dtypes takes NAME=dtype, not '" << word << "'";
    o.dtypes[word.substr(0, eq)] = ir::parse_type(word.substr(eq + 1)).or_throw();
  }
  request.expr = args.expr;
  request.where = dsl::parse_extents(args.where).or_throw();
  request.dtype = args.dtype;
  op = args.expr;
  return dsl::parse_statement(args.expr, args.where, o).or_throw();
}

dsl::ComputeDag program_of_file(const ProblemArgs& args, tuning_logs::Request& request, std::string& op) {
  TESSERA_USER_CHECK(args.dtype.empty() && args.dtypes.empty()) << "--dtype and --dtypes are not for --program, whose inputs have their types in the text";
  const std::string text = read_text(args.program, "program");
  auto dag = dsl::parse_definition(text, args.where);
  TESSERA_USER_CHECK(dag.ok()) << args.program << ": " << dag.reason();
  request.expr = text;
  request.where = dsl::parse_extents(args.where).or_throw();
  op = dag->name();
  return std::move(*dag);
}

dsl::ComputeDag program_of(const ProblemArgs& args, tuning_logs::Request& request, std::string& op) {
  if (!args.program.empty()) return program_of_file(args, request, op);
  return args.expr.empty() ? program_of_op(args, request, op) : program_of_expr(args, request, op);
}

}  // namespace

std::string read_text(const std::string& file, const char* what) {
  constexpr std::size_t kMostBytes = 1 << 20;
  std::error_code none;
  TESSERA_ENVIRONMENT_CHECK(!std::filesystem::is_directory(file, none)) << "cannot read the " << what << " '" << file << "': it is a directory";
  std::ifstream in(file, std::ios::binary);
  TESSERA_ENVIRONMENT_CHECK(static_cast<bool>(in)) << "cannot read the " << what << " '" << file << "'";
  std::string text(kMostBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  TESSERA_ENVIRONMENT_CHECK(!in.bad()) << "cannot read the " << what << " '" << file << "'";
  TESSERA_ENVIRONMENT_CHECK(text.size() <= kMostBytes) << "the " << what << " '" << file << "' is longer than a megabyte";
  return text;
}

std::vector<std::string> split_words(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  std::string word;
  while (std::getline(in, word, ',')) {
    if (!word.empty()) out.push_back(word);
  }
  return out;
}

void check_measured_here(const ir::Target& target, const char* command) {
  if (target.kind == ir::TargetKind::kCpu) return;
  (void)codegen::needed_nvrtc();
  throw UserError(std::string(command) + " runs candidates on this machine's CPU only; for '" + target.text() +
                      "' tune with --build-only PACK, which needs no device, then autotune measure PACK where one is; --target cpu works here", 4);
}

search::Task make_task(const ProblemArgs& args) {
  TESSERA_USER_CHECK(args.given()) << "nothing to work on: give --op NAME, --preset NAME, --expr TEXT or --program FILE (autotune ops lists names)";
  TESSERA_USER_CHECK(args.expr.empty() || (args.op.empty() && args.preset.empty())) << "--expr stands alone; leave --op and --preset out";
  TESSERA_USER_CHECK(args.program.empty() || (args.op.empty() && args.preset.empty() && args.expr.empty()))
      << "--program stands alone; leave --op, --preset and --expr out";
  search::Task task;
  // The target first: what is wrong with it is said whatever the program is.
  task.target = driver::resolve_target(args.target);
  task.dag = program_of(args, task.request, task.op);
  if (!args.constant.empty()) {
    const std::vector<std::string> names = args.constant == "none" ? std::vector<std::string>{} : split_words(args.constant);
    task.dag = task.dag.with_constants(names).or_throw();
  }
  TESSERA_USER_CHECK(args.threads == 0 || task.target.kind == ir::TargetKind::kCpu)
      << "--threads is of CPU targets; the threads of a CUDA kernel are part of its schedule";
  const int cores = task.target.kind == ir::TargetKind::kCpu ? runtime::cpu_info().cores : 1;
  task.threads = args.threads == 0 ? cores : args.threads;
  TESSERA_USER_CHECK(task.threads >= 1 && task.threads <= 1024) << "--threads is " << task.threads << "; it must be between 1 and 1024";
  return task;
}

}  // namespace tessera::autotune
