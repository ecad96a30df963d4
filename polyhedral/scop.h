// A program as integer sets: the instances of its statements, what each reads and writes, and which must wait
// for which. What schedules are made from.
//
// Statements are the parts of stages: a reduction is an initialisation ("C_init") and updates ("C_update"),
// anything else one statement ("E"). Names are what ISL can read back. Inputs have none. Coordinates are those of the equation.
//
//   Scop scop = Scop::of(equations_of(dag).or_throw()).or_throw();
//   scop.to_string()       // domains, accesses and dependences, as ISL writes them
//   scop.sets()            // for the sources of this folder: polyhedral/detail/scop.h
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "polyhedral/equations.h"

namespace tessera::polyhedral {

namespace detail {
struct ScopSets;
}

struct ScopOptions {
  std::chrono::milliseconds limit{10'000};  // of wall-clock time, for all that ISL computes
};

class Scop {
 public:
  /// Refuses externs, whose accesses are not known, and what ISL does not finish within the limit.
  static Result<Scop> of(Equations program, const ScopOptions& options = {});
  ~Scop();
  Scop(Scop&&) noexcept;
  Scop& operator=(Scop&&) noexcept;

  const Equations& program() const { return *program_; }
  /// Names of the statements in the order in which they run first.
  std::vector<std::string> statements() const;
  std::string to_string() const;
  const detail::ScopSets& sets() const { return *sets_; }

 private:
  Scop();
  std::unique_ptr<Equations> program_;
  std::unique_ptr<detail::ScopSets> sets_;
};

}  // namespace tessera::polyhedral
