// autotune: tune, replay, look at and export kernels. Data on stdout, progress on stderr.
#include <csignal>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "driver/polyhedral.h"
#include "support/error.h"
#include "support/nearest.h"
#include "tools/autotune/commands.h"
#include "tools/autotune/fuzz.h"
#include "tools/autotune/problem_flags.h"

namespace {

using namespace tessera;
using namespace tessera::autotune;

/// A seed goes into records as a signed number.
const CLI::Range kSeeds(std::int64_t{0}, INT64_MAX);

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* c : app.get_subcommands({})) names.push_back(c->get_name());
  return names;
}

/// What a user typed may be in it, line breaks and escape codes and all.
std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  }
  return text;
}

/// The command that was reached on the command line: `autotune`, or `autotune log check`.
const CLI::App& used_command(const CLI::App& app) {
  const auto used = app.get_subcommands();
  return used.empty() ? app : used_command(*used.front());
}

/// What the command line parser says, in the words of our other messages: unknown words with the
/// nearest flags and commands, small letter first, one line.
std::string usage_problem(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& used = used_command(app);
  const std::vector<std::string> rest = app.remaining(true);
  const std::vector<std::string> commands = command_names(used);
  if (!rest.empty() && rest.front().starts_with('-')) {
    std::vector<std::string> flags;
    for (const CLI::Option* o : used.get_options()) flags.push_back(o->get_name());
    const auto near = nearest_names(rest.front(), flags);
    return "unknown flag '" + rest.front() + "'" + (near.empty() ? "" : "; near it: " + joined(near));
  }
  if (!rest.empty()) return "unexpected argument '" + rest.front() + "'" + nearest_text(rest.front(), commands);
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && !commands.empty()) {
    return used.get_name() + " needs one of " + joined(commands);
  }
  std::string text = error.what();
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

void add_verify(CLI::App& app, std::string& when) {
  app.add_option("--verify", when, "when to prove schedules: always, best (before one becomes the best), never")->check(CLI::IsMember({"always", "best", "never"}));
}

void add_search(CLI::App& app, SearchArgs& s) {
  app.add_option("--seed", s.seed, "seed of the search")->check(kSeeds);
  app.add_option("--patience", s.patience, "stop after that many batches with an expected gain under 0.5 % (default: never)")->check(CLI::Range(1, 1000000));
  app.add_option("--jobs", s.jobs, "threads that score candidates; of --build-only: that compile")->check(CLI::Range(1, 1024));
  app.add_option("--with", s.with, "use parts of the search that are off: evolution");
  app.add_option("--without", s.without, "leave out parts of the search: prior, draft, model, evolution");
  app.add_option("--prior", s.prior, "file of autotune train (default: the shipped one)")->check(kNotEmpty);
  app.add_option("--transfer", s.transfer, "logs of similar programs to start from")->check(kNotEmpty);
  app.add_option("--path", s.path, "where schedules come from: search (rules), polyhedral (integer sets), both")->check(CLI::IsMember({"search", "polyhedral", "both"}));
  add_verify(app, s.verify);
}

const std::vector<std::string> kForms{"steps", "loops", "ir", "llvm", "asm", "cuda", "ptx"};

/// CLI11 wants --seed as it is; values are checked here so that the message names flag and range.
int dispatch(int argc, char** argv) {
  CLI::App app{"Tessera: finds fast kernels for tensor expressions on this machine"};
  app.name("autotune");
  app.require_subcommand(0, 1);
  app.footer("First run:  autotune --op conv2d --trials 64\nDocumentation: docs/ of the source tree");

  TuneArgs tune;
  add_problem(app, tune.problem);
  app.add_option("--trials", tune.trials, "candidates to measure in all")->check(CLI::Range(1, 1000000));
  add_search(app, tune.search);
  app.add_option("--log", tune.log, "file of records (default: OPERATOR.jsonl)")->check(kNotEmpty);
  app.add_option("--decisions", tune.decisions, "file of autotune schedule --print decisions, changed by hand: proved, then measured first")->check(kNotEmpty);
  app.add_flag("--resume", tune.resume, "go on from the log; --trials is the total");
  app.add_option("--build-only", tune.build_only, "CUDA targets: compile the best --trials candidates into this pack, after what --log has measured; needs no device")->check(kNotEmpty);
  app.add_flag("--json", tune.json, "one JSON object on stdout at the end");

  SuiteArgs suite;
  CLI::App* suite_cmd = app.add_subcommand("suite", "tune several programs: a suite of the catalogue, or --tasks FILE");
  suite_cmd->add_option("name", suite.suite, "ansor, gemm, resnet, bert, depthwise, fusion, int8");
  suite_cmd->add_option("--tasks", suite.tasks, "file of programs, the flags of one a line")->check(kNotEmpty);
  add_problem(*suite_cmd, suite.problem);
  add_search(*suite_cmd, suite.search);
  suite_cmd->add_option("--trials", suite.trials, "trials a program, on average")->check(CLI::Range(1, 1000000));
  suite_cmd->add_flag("--even", suite.even, "the same number of trials for every program");
  suite_cmd->add_option("--objective", suite.objective, "what to lower: total (time) or geomean")->check(CLI::IsMember({"total", "geomean"}));
  suite_cmd->add_option("--log", suite.log, "file of records (default: NAME.jsonl)")->check(kNotEmpty);
  suite_cmd->add_flag("--resume", suite.resume, "go on from the log; --trials is the total");
  suite_cmd->add_flag("--json", suite.json, "one JSON object on stdout at the end");

  ReplayArgs replay;
  CLI::App* replay_cmd = app.add_subcommand("replay", "rebuild the best kernel of a log, check it, time it");
  replay_cmd->add_option("log", replay.log, "log file")->required();
  replay_cmd->add_option("--threads", replay.threads, "threads (default: as logged)")->check(CLI::Range(1, 1024));
  replay_cmd->add_option("--target", replay.target, "target (default: as logged)");
  add_verify(*replay_cmd, replay.verify);
  replay_cmd->add_flag("--json", replay.json, "one JSON object on stdout");

  CompareArgs compare;
  CLI::App* compare_cmd = app.add_subcommand("compare", "time the best kernels of several logs of a program in turns");
  compare_cmd->add_option("logs", compare.logs, "log files; speeds are relative to the first")->required();
  compare_cmd->add_option("--planned", compare.planned, "also what the polyhedral path plans without measuring: max, keep-parallel, min, ilp")->delimiter(',')->check(CLI::IsMember(driver::polyhedral_strategies()));
  compare_cmd->add_option("--threads", compare.threads, "threads (default: as logged)")->check(CLI::Range(1, 1024));
  compare_cmd->add_flag("--json", compare.json, "one JSON object on stdout");

  VerifyArgs verify;
  CLI::App* verify_cmd = app.add_subcommand("verify", "prove that the schedules of a log or a pack compute their programs, or say why not");
  verify_cmd->add_option("file", verify.file, "log, or pack of --build-only; without one, the default plan of a program");
  add_problem(*verify_cmd, verify.problem);
  verify_cmd->add_flag("--best", verify.best, "only the best record of each task");
  verify_cmd->add_option("--limit-ms", verify.limit_ms, "time for one schedule; then the answer is unknown")->check(CLI::Range(1, 3600000));
  verify_cmd->add_flag("--json", verify.json, "one JSON object on stdout");

  ShowArgs show;
  bool assembly = false;
  CLI::App* show_cmd = app.add_subcommand("show", "print a schedule: steps, loops, IR, LLVM IR, assembly, CUDA text or PTX");
  show_cmd->add_option("log", show.log, "log file (its best kernel)");
  add_problem(*show_cmd, show.problem);
  show_cmd->add_option("--print", show.print, "steps, loops, ir; llvm, asm (CPU); cuda, ptx (CUDA)")->check(CLI::IsMember(kForms));
  show_cmd->add_flag("-S", assembly, "the same as --print asm, of CUDA targets --print ptx");

  ScheduleArgs schedule;
  bool schedule_assembly = false;
  std::string planner = "polyhedral";
  CLI::App* schedule_cmd = app.add_subcommand("schedule", "plan a program without measuring, by integer sets");
  add_problem(*schedule_cmd, schedule.problem);
  schedule_cmd->add_option("--path", planner, "who plans: polyhedral")->check(CLI::IsMember({"polyhedral"}));
  CLI::Option* strategy = schedule_cmd->add_option("--strategy", schedule.strategy, "how stages share nests: max, keep-parallel, min; ilp (by ISL's scheduler)")->check(CLI::IsMember(driver::polyhedral_strategies()));
  schedule_cmd->add_option("--decisions", schedule.decisions, "file of decisions to follow instead, proved first")->check(kNotEmpty)->excludes(strategy);
  std::vector<std::string> forms = kForms;
  forms.insert(forms.begin(), {"tree", "decisions"});
  schedule_cmd->add_option("--print", schedule.print, "tree, decisions (JSON); steps, loops, ir; llvm, asm")->check(CLI::IsMember(forms));
  schedule_cmd->add_flag("-S", schedule_assembly, "the same as --print asm");
  add_verify(*schedule_cmd, schedule.verify);

  LogArgs logs;
  CLI::App* log_cmd = app.add_subcommand("log", "check, query and merge logs");
  log_cmd->require_subcommand(1);
  CLI::App* check_cmd = log_cmd->add_subcommand("check", "what is in a log, and what is damaged");
  CLI::App* best_cmd = log_cmd->add_subcommand("best", "the best record of each task");
  CLI::App* merge_cmd = log_cmd->add_subcommand("merge", "several logs into one");
  for (CLI::App* c : {check_cmd, best_cmd, merge_cmd}) {
    c->add_option("logs", logs.logs, "log files")->required();
    c->add_flag("--json", logs.json, "one JSON object on stdout");
  }
  merge_cmd->add_option("-o,--output", logs.output, "file to write")->required();

  ExplainArgs explain;
  CLI::App* explain_cmd = app.add_subcommand("explain", "why candidates failed, which holes and sketches mattered");
  explain_cmd->add_option("log", explain.log, "log file")->required();
  explain_cmd->add_flag("--json", explain.json, "one JSON object on stdout");

  ReportArgs report;
  CLI::App* report_cmd = app.add_subcommand("report", "write one HTML page about a log");
  report_cmd->add_option("log", report.log, "log file")->required();
  report_cmd->add_option("-o,--output", report.output, "file to write")->required();

  ExportArgs exported;
  CLI::App* export_cmd = app.add_subcommand("export", "write the best kernel of a log, or one of a pack, for use elsewhere");
  export_cmd->add_option("file", exported.file, "log, or pack of --build-only with --trial");
  add_problem(*export_cmd, exported.problem);
  export_cmd->add_option("--to", exported.to, "form: c (CPU kernels), cuda (CUDA kernels)");
  export_cmd->add_option("--trial", exported.trial, "which kernel of a pack")->check(CLI::Range(0, 1000000));
  export_cmd->add_option("-o,--output", exported.directory, "directory to write")->required();
  export_cmd->add_option("--name", exported.name, "name of the kernel (default: from the program)");
  export_cmd->add_flag("--json", exported.json, "one JSON object on stdout");

  MeasureArgs measure;
  CLI::App* measure_cmd = app.add_subcommand("measure", "measure a pack of --build-only on a CUDA device, or run its kernels in the emulator");
  measure_cmd->add_option("pack", measure.pack, "pack of --build-only")->required();
  measure_cmd->add_flag("--emulate", measure.emulate, "run the kernels on the CPU, look for races and the like, compare with the definition");
  measure_cmd->add_option("--sample", measure.sample, "kernels to emulate, spread over the sketches (default: all)")->check(CLI::Range(1, 1000000));
  measure_cmd->add_option("--jobs", measure.jobs, "kernels emulated at a time")->check(CLI::Range(1, 1024));
  measure_cmd->add_option("--seed", measure.seed, "seed of the sample and of the operands")->check(kSeeds);
  measure_cmd->add_option("--log", measure.log, "file of records (default: OPERATOR.jsonl)")->check(kNotEmpty);
  add_verify(*measure_cmd, measure.verify);
  measure_cmd->add_flag("--json", measure.json, "one JSON object on stdout");

  bool doctor_json = false;
  CLI::App* doctor_cmd = app.add_subcommand("doctor", "what works on this machine");
  doctor_cmd->add_flag("--json", doctor_json, "one JSON object on stdout");

  std::string op_name;
  CLI::App* ops_cmd = app.add_subcommand("ops", "operators of the catalogue, or one in full");
  ops_cmd->add_option("name", op_name, "operator");

  SketchesArgs sketches;
  CLI::App* sketches_cmd = app.add_subcommand("sketches", "print the search space: schedules with holes, domains, constraints");
  add_problem(*sketches_cmd, sketches.problem);
  sketches_cmd->add_flag("--json", sketches.json, "one JSON object on stdout");

  RecordArgs record;
  CLI::App* record_cmd = app.add_subcommand("record", "measure points of a search space and keep them: training data, test data");
  add_problem(*record_cmd, record.problem);
  record_cmd->add_option("--tasks", record.tasks, "file of programs, the flags of one a line")->check(kNotEmpty);
  record_cmd->add_option("--points", record.points, "points a task")->check(CLI::Range(1, 1000000));
  record_cmd->add_option("--bred", record.bred, "share of the points that are mutations of the fastest")->check(CLI::Range(0.0, 1.0));
  record_cmd->add_flag("--dense", record.dense, "every point of the space, thinned evenly to at most --points");
  record_cmd->add_option("--passes", record.passes, "times over all points, in random orders")->check(CLI::Range(1, 100));
  record_cmd->add_option("--samples", record.samples, "times kept a point and pass")->check(CLI::Range(1, 100));
  record_cmd->add_option("--seed", record.seed, "seed of the choice")->check(kSeeds);
  record_cmd->add_option("-o,--output", record.output, "file to write; tasks that it holds are left out")->required();

  TrainArgs train;
  CLI::App* train_cmd = app.add_subcommand("train", "make the prior of the cost model from recordings");
  train_cmd->add_option("data", train.data, "recordings to learn from (autotune record)")->required();
  train_cmd->add_option("--heldout", train.heldout, "recordings to judge it on");
  train_cmd->add_option("-o,--output", train.output, "file to write")->required();
  train_cmd->add_flag("--json", train.json, "one JSON object on stdout");

  SimulateArgs simulate;
  CLI::App* simulate_cmd = app.add_subcommand("simulate", "search recorded spaces: trials to 95, 97, 99 % of the optimum, part by part left out");
  simulate_cmd->add_option("recordings", simulate.recordings, "dense recordings (autotune record --dense)")->required();
  simulate_cmd->add_option("--seeds", simulate.seeds, "searches of each kind")->check(CLI::Range(1, 10000));
  simulate_cmd->add_option("--trials", simulate.trials, "trials of a search")->check(CLI::Range(1, 1000000));
  simulate_cmd->add_option("--prior", simulate.search.prior, "file of autotune train (default: the shipped one)")->check(kNotEmpty);
  simulate_cmd->add_option("--jobs", simulate.search.jobs, "threads that score candidates; of --build-only: that compile")->check(CLI::Range(1, 1024));
  simulate_cmd->add_flag("--json", simulate.json, "one JSON object on stdout");

  ProposalsArgs proposals;
  CLI::App* proposals_cmd = app.add_subcommand("proposals", "points of every operator's space against an independent checker");
  proposals_cmd->add_option("--count", proposals.count, "points in all")->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
  proposals_cmd->add_option("--lowered", proposals.lowered, "how many of them are lowered too")->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40));
  proposals_cmd->add_option("--compiled", proposals.compiled, "how many of them are compiled")->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40));
  proposals_cmd->add_option("--threads", proposals.threads, "threads a kernel runs on")->check(CLI::Range(1, 1024));
  proposals_cmd->add_option("--jobs", proposals.jobs, "operators checked at a time")->check(CLI::Range(1, 1024));
  proposals_cmd->add_option("--target", proposals.target, "what to compile for")->check(kNotEmpty);
  proposals_cmd->add_option("--seed", proposals.seed, "seed of the choice")->check(kSeeds);
  proposals_cmd->add_flag("--json", proposals.json, "one JSON object on stdout");

  FuzzArgs fuzz;
  CLI::App* fuzz_cmd = app.add_subcommand("fuzz", "random programs under random schedules against the reference");
  fuzz_cmd->add_option("--programs", fuzz.programs, "programs to try")->check(CLI::Range(1, 100000000));
  fuzz_cmd->add_option("--schedules", fuzz.schedules, "schedules a program")->check(CLI::Range(1, 100000));
  fuzz_cmd->add_option("--seed", fuzz.seed, "seed")->check(kSeeds);
  fuzz_cmd->add_option("--target", fuzz.target, "cpu, or cuda: steps of GPUs, judged by the interpreter and the emulator")->check(kNotEmpty);
  fuzz_cmd->add_option("--mutant", fuzz.mutant, "plant a named defect into lowering (for tests of the fuzzer)");
  fuzz_cmd->add_flag("--json", fuzz.json, "one JSON object on stdout");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);
    std::fprintf(stderr, "autotune: %s; see autotune --help\n", one_line(usage_problem(app, e)).c_str());
    return 2;
  }
  if (suite_cmd->parsed()) return run_suite(suite);
  if (replay_cmd->parsed()) return run_replay(replay);
  if (compare_cmd->parsed()) return run_compare(compare);
  if (verify_cmd->parsed()) return run_verify(verify);
  if (assembly) show.print = "code";
  if (show_cmd->parsed()) return run_show(show);
  if (schedule_assembly) schedule.print = "code";
  if (schedule_cmd->parsed()) return run_schedule(schedule);
  if (check_cmd->parsed()) return run_log_check(logs);
  if (best_cmd->parsed()) return run_log_best(logs);
  if (merge_cmd->parsed()) return run_log_merge(logs);
  if (explain_cmd->parsed()) return run_explain(explain);
  if (report_cmd->parsed()) return run_report(report);
  if (export_cmd->parsed()) return run_export(exported);
  if (doctor_cmd->parsed()) return run_doctor(doctor_json);
  if (ops_cmd->parsed()) return run_ops(op_name);
  if (simulate_cmd->parsed()) return run_simulate(simulate);
  if (proposals_cmd->parsed()) return run_proposals(proposals);
  if (train_cmd->parsed()) return run_train(train);
  if (record_cmd->parsed()) return run_record(record);
  if (sketches_cmd->parsed()) return run_sketches(sketches);
  if (fuzz_cmd->parsed()) return run_fuzz(fuzz);
  if (measure_cmd->parsed()) return run_measure(measure);
  if (!tune.build_only.empty()) return run_build_only(tune);
  return run_tune(tune);
}

/// Output that did not arrive is a failure too: a full disk, a closed descriptor. A reader that
/// left (`| head`) knows so itself.
int finish_output(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  if (errno != EPIPE) std::fprintf(stderr, "autotune: cannot write to standard output: %s\n", std::strerror(errno));
  return code == 0 ? 1 : code;
}

}  // namespace

int main(int argc, char** argv) {
  // A closed pipe and a file at its size limit are errors of the write, not the end of the program.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return finish_output(dispatch(argc, argv));
  } catch (const UserError& e) {
    std::fprintf(stderr, "autotune: %s\n", one_line(e.what()).c_str());
    return e.exit_code();
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "autotune: out of memory\n");
    return 1;
  } catch (const std::system_error& e) {  // of printing
    if (e.code().value() != EPIPE) std::fprintf(stderr, "autotune: cannot write to standard output: %s\n", e.code().message().c_str());
    return 1;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "autotune: %s; this is a defect of the program, please report it with the command line\n", e.what());
    return 1;
  }
}
