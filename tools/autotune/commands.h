// One function a subcommand; main.cpp fills the arguments from the command line. All return the exit
// code: 0 ok, 1 file or machine, 2 usage, 3 nothing valid, 4 device or compiler absent, 5 wrong
// numbers, 130 interrupted. UserError carries its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "search/task.h"

namespace tessera::autotune {

/// Flags common to commands that work on a program.
struct ProblemArgs {
  std::string op, expr, where, preset;
  std::string shape;   // "m=512,n=512"
  std::string layout, dtype, target = "cpu";
  std::string constant;  // "B,bias", "none"; empty: as the catalogue says
  std::string dtypes;    // of single inputs of --expr: "A=i8,B=i8"
  int threads = 0;       // 0: all cores
  bool given() const { return !op.empty() || !expr.empty() || !preset.empty(); }
};

/// The task those flags describe; UserError otherwise.
search::Task make_task(const ProblemArgs& args);
/// Comma-separated words.
std::vector<std::string> split_words(const std::string& text);

struct TuneArgs {
  ProblemArgs problem;
  int trials = 64;
  std::uint64_t seed = 1;
  std::string log;
  bool resume = false;
  bool json = false;
};
int run_tune(const TuneArgs& args);

struct ReplayArgs {
  std::string log;
  int threads = 0;  // 0: as logged
  std::string target;
  bool json = false;
};
int run_replay(const ReplayArgs& args);

struct ShowArgs {
  std::string log;
  ProblemArgs problem;
  std::string print = "steps";  // steps | loops | ir | llvm | asm
};
int run_show(const ShowArgs& args);

struct SketchesArgs {
  ProblemArgs problem;
  bool json = false;
};
int run_sketches(const SketchesArgs& args);

struct LogArgs {
  std::vector<std::string> logs;
  std::string output;
  bool json = false;
};
int run_log_check(const LogArgs& args);
int run_log_best(const LogArgs& args);
int run_log_merge(const LogArgs& args);

struct ExportArgs {
  std::string log, to = "c", directory, name;
  bool json = false;
};
int run_export(const ExportArgs& args);

int run_doctor(bool json);
int run_ops(const std::string& name);

}  // namespace tessera::autotune
