// One function a subcommand; main.cpp fills the arguments from the command line. All return the exit
// code: 0 ok, 1 file or machine, 2 usage, 3 nothing valid, 4 device or compiler absent, 5 wrong
// numbers, 130 interrupted. UserError carries its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "driver/polyhedral.h"
#include "search/session.h"

namespace tessera::autotune {

/// Flags common to commands that work on a program.
struct ProblemArgs {
  std::string op, expr, where, preset;
  std::string program;   // a file with a definition
  std::string shape;   // "m=512,n=512"
  std::string layout, dtype, target = "cpu";
  std::string constant;  // "B,bias", "none"; empty: as the catalogue says
  std::string dtypes;    // of single inputs of --expr: "A=i8,B=i8"
  int threads = 0;       // 0: all cores
  bool given() const { return !op.empty() || !expr.empty() || !program.empty() || !preset.empty(); }
};

/// The task those flags describe; UserError otherwise.
search::Task make_task(const ProblemArgs& args);
/// UserError (exit code 4) unless this command can measure kernels for the target here: CUDA kernels are
/// measured by `measure`.
void check_measured_here(const ir::Target& target, const char* command);
/// Comma-separated words.
std::vector<std::string> split_words(const std::string& text);
/// What a file that a person wrote holds, at most a megabyte of it; UserError with exit code 1 when it cannot be read.
std::string read_text(const std::string& file, const char* what);

/// How to search, common to commands that tune.
struct SearchArgs {
  std::uint64_t seed = 1;
  int patience = 0;     // batches with little to expect until the search stops; 0: never
  int jobs = 1;         // threads that score candidates
  std::string with, without;  // "prior,draft,model,evolution": parts that are used, left out
  std::string prior;    // file; empty: the shipped one
  std::string verify = "best";  // when to ask the verifier: always, best, never
  std::string transfer; // logs of similar programs to start from, separated by commas
  std::string path = "search";  // where schedules come from: search, polyhedral, both
};
/// "always", "best" or "never".
driver::VerifyWhen verify_when(const std::string& word);
/// "search", "polyhedral" or "both".
search::Path path_of(const std::string& word);
/// UserError for what is not known.
search::SessionOptions session_options(const SearchArgs& args, int trials, const std::string& log, bool resume);

struct TuneArgs {
  ProblemArgs problem;
  SearchArgs search;
  std::string decisions;  // file of a person's decisions, measured first
  int trials = 64;
  std::string log;
  std::string build_only;  // pack to write instead of measuring
  bool resume = false;
  bool json = false;
};
int run_tune(const TuneArgs& args);
/// Compiles candidates for a CUDA target into the pack `args.build_only`.
int run_build_only(const TuneArgs& args);

struct MeasureArgs {
  std::string pack, log;
  bool emulate = false;
  int sample = 0;  // kernels to emulate; 0: all
  int jobs = 1;    // emulated at a time
  std::uint64_t seed = 1;
  std::string verify = "best";
  bool json = false;
};
/// Measures a pack on this machine's first CUDA device, or runs it in the emulator.
int run_measure(const MeasureArgs& args);

struct SuiteArgs {
  ProblemArgs problem;     // flags common to all tasks
  SearchArgs search;
  std::string suite;       // of the catalogue; empty: `tasks`
  std::string tasks;       // file of programs
  std::string objective;   // "total" or "geomean"; empty: total for a file, geomean for a suite
  int trials = 64;         // a task on average
  std::string log;
  bool even = false;       // the same number of trials for every task
  bool resume = false;
  bool json = false;
};
int run_suite(const SuiteArgs& args);

struct ReplayArgs {
  std::string log;
  int threads = 0;  // 0: as logged
  std::string target;
  std::string verify = "best";
  bool json = false;
};
int run_replay(const ReplayArgs& args);

struct CompareArgs {
  std::vector<std::string> logs;     // of one program
  std::vector<std::string> planned;  // strategies of the polyhedral path
  int threads = 0;  // 0: as logged
  bool json = false;
};
/// Times the best kernels of logs, and plans that nobody measured, in turns.
int run_compare(const CompareArgs& args);

struct ShowArgs {
  std::string log;
  ProblemArgs problem;
  std::string print = "steps";  // steps | loops | ir | llvm | asm | cuda | ptx | code (asm or ptx)
};
int run_show(const ShowArgs& args);

struct ScheduleArgs {
  ProblemArgs problem;
  std::string strategy = "max";  // how stages are grouped: driver::polyhedral_strategies
  std::string decisions;         // file of decisions instead
  std::string print = "tree";    // tree | decisions | as ShowArgs
  std::string verify = "best";
};
/// The polyhedral path's plan of a program, without measuring. 5 where the verifier finds it illegal.
int run_schedule(const ScheduleArgs& args);
/// The plan of a file as `schedule --print decisions` writes it, proved as `verify` says. UserError for what is no such file, is
/// about another program or target, or illegal (exit code 5).
driver::PolyhedralPlan planned_by_hand(const search::Task& task, const std::string& file, const std::string& verify);

/// A line of a file of tasks.
struct TaskLine {
  ProblemArgs problem;
  double weight = 1;  // how often the program runs
  std::string text;   // as it was written
};
/// Flags of a program a line, `#` starts a comment; flags that a line leaves out are `common`'s. UserError
/// with file and line otherwise.
std::vector<TaskLine> read_tasks_file(const std::string& path, const ProblemArgs& common);

struct RecordArgs {
  ProblemArgs problem;
  std::string tasks, output;
  int points = 200, passes = 1, samples = 3;
  double bred = 0.5;
  bool dense = false;
  std::uint64_t seed = 1;
};
int run_record(const RecordArgs& args);

struct TrainArgs {
  std::vector<std::string> data, heldout;
  std::string output;
  bool json = false;
};
int run_train(const TrainArgs& args);

struct SimulateArgs {
  std::vector<std::string> recordings;
  SearchArgs search;
  int seeds = 20, trials = 128;
  bool json = false;
};
int run_simulate(const SimulateArgs& args);

struct ProposalsArgs {
  std::int64_t count = 10'000, lowered = 100, compiled = 0;
  int threads = 2, jobs = 1;
  std::string target = "cpu";
  std::uint64_t seed = 1;
  bool json = false;
};
int run_proposals(const ProposalsArgs& args);

struct SketchesArgs {
  ProblemArgs problem;
  bool json = false;
};
int run_sketches(const SketchesArgs& args);

struct VerifyArgs {
  ProblemArgs problem;
  std::string file;  // log or pack; empty: a program, whose default plan is judged
  bool best = false; // the best record of each task only
  int limit_ms = 10000;
  bool json = false;
};
/// Proves the plans of a log or a pack, or says why not. 5 when one is illegal, 3 when none is and one is not decided.
int run_verify(const VerifyArgs& args);

struct LogArgs {
  std::vector<std::string> logs;
  std::string output;
  bool json = false;
};
int run_log_check(const LogArgs& args);
int run_log_best(const LogArgs& args);
int run_log_merge(const LogArgs& args);

struct ExplainArgs {
  std::string log;
  bool json = false;
};
int run_explain(const ExplainArgs& args);

struct ReportArgs {
  std::string log, output;
};
/// Writes one HTML page about a log.
int run_report(const ReportArgs& args);

struct ExportArgs {
  std::string file;     // log or pack; empty: the default plan of `problem`
  ProblemArgs problem;
  std::string to = "c", directory, name;
  int trial = -1;       // of a pack, whose kernels nobody has compared
  bool json = false;
};
int run_export(const ExportArgs& args);

int run_doctor(bool json);
int run_ops(const std::string& name);

}  // namespace tessera::autotune
