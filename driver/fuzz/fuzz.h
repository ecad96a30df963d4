// Random programs under random schedules, each lowered, interpreted on both sides of the cut and (a
// share) compiled and run, against the unscheduled oracle bit for bit. For a CUDA target the printed text
// runs in the emulator instead.
//
// Everything depends on the seed alone, whatever the number of threads: program p draws from the
// stream (seed, p), its schedule s from (seed, p, s).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "driver/fuzz/random_schedule.h"
#include "dsl/dag.h"
#include "lower/lower.h"
#include "support/json/json.h"

namespace tessera::driver {

struct FuzzOptions {
  int programs = 100;
  int schedules = 5;  // a program
  std::uint64_t seed = 1;
  lower::Mutant mutant = lower::Mutant::kNone;
  int threads = 2;
  int native_one_in = 1;             // pairs that also run as machine code, or in the emulator; 0: none
  std::int64_t most_mismatches = 1;  // stops after so many
  bool shrink = true;
  std::string target = "cpu";
  std::function<void(std::int64_t pairs, std::int64_t mismatches)> progress;  // may be empty
};

/// One pair that went wrong, made small.
struct Mismatch {
  std::uint64_t seed = 0;
  int program = 0, schedule = 0;
  std::string what;   // "interpret vectorize_loops: C[3] is 7, expected 8"
  std::string text;   // the program, one line a stage
  Json reproducer;    // {"dag", "steps", "mutant", "target", "what"}: all that is needed to see it again
};

struct FuzzReport {
  std::int64_t pairs = 0;
  std::int64_t native = 0;            // of them, run as machine code or in the emulator
  std::int64_t refused_lowering = 0;  // legal schedules that unroll too far and the like
  std::vector<std::string> refusals;  // some reasons of those
  WalkStatistics steps;
  std::vector<Mismatch> mismatches;   // in order of (program, schedule)
  double seconds = 0;
};

FuzzReport fuzz(const FuzzOptions& options);

/// What is wrong with a reproducer's pair today; nothing when it passes.
Result<std::optional<std::string>> recheck(const Json& reproducer);

/// The mutant of this name; the refusal lists all.
Result<lower::Mutant> parse_mutant(const std::string& name);

}  // namespace tessera::driver
