// A lowered program: functions, the buffers they share, and the launches that run it. A DAG may
// become several functions (an outlined micro-kernel), several launches (an unfused chain), and two
// phases: `prepare`, run once per set of constant operands (packing, filter transforms), and `run`.
#pragma once

#include <string>
#include <vector>

#include "ir/stmt.h"

namespace tessera::ir {

enum class BufferRole : std::uint8_t { kInput, kConstant, kPrepared, kOutput, kWorkspace };
const char* to_string(BufferRole r);

enum class RunPhase : std::uint8_t { kPrepare, kRun };
const char* to_string(RunPhase p);

struct ProgramBuffer {
  Buffer buffer;
  BufferRole role = BufferRole::kInput;
};

struct Function {
  std::string name;
  std::vector<Buffer> buffers;  // passed by reference, in order
  std::vector<Var> scalars;
  Stmt body;
};

struct LaunchSite {
  RunPhase phase = RunPhase::kRun;
  std::string function;
  std::vector<Buffer> arguments;
};

struct Program {
  std::string name;
  std::vector<ProgramBuffer> buffers;  // inputs and constants as read, outputs, prepared, workspace
  std::vector<Function> functions;     // callees before callers
  std::vector<LaunchSite> launches;    // in order, prepare first

  const Function* find(const std::string& function) const;
  BufferRole role(const Buffer& b) const;
};

/// Equality up to a one-to-one renaming of variables and buffers; functions, stages, channels and the
/// program keep their names.
bool alpha_equal(const Program& a, const Program& b);

}  // namespace tessera::ir
