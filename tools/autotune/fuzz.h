// autotune fuzz: random programs under random schedules against the oracle (driver/fuzz).
#pragma once

#include <cstdint>
#include <string>

namespace tessera::autotune {

struct FuzzArgs {
  int programs = 100;
  int schedules = 5;  // a program
  std::uint64_t seed = 1;
  std::string target = "cpu";  // "cuda": judged by the interpreter and the emulator
  std::string mutant;  // a deliberate defect that the run must catch; empty: none
  bool json = false;
};
/// Last line "pairs: P mismatches: M"; exit code 5 unless M is 0. With --json one object instead.
int run_fuzz(const FuzzArgs& args);

}  // namespace tessera::autotune
