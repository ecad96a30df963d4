// Runs the text of a CUDA kernel (docs/reference/cuda_text.md) on the CPU and reports what is wrong
// with it: races, divergence, accesses out of bounds, deadlocks.
//
//   EmulationRequest r{.text = text, .entry = "matmul", .grid = {4, 4, 1}, .block = {256, 1, 1},
//   ...}; auto report = emulate(r);      // report->findings is empty, report->outputs[2] is C
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "support/result.h"

namespace tessera::runtime::emulator {

struct Extent3 {
  std::int32_t x = 1, y = 1, z = 1;
  bool operator==(const Extent3&) const = default;
  std::int64_t count() const { return std::int64_t{x} * y * z; }
};

struct ByteRange {
  std::int64_t begin = 0, end = 0;
  bool operator==(const ByteRange&) const = default;
};

enum class ArgumentUse : std::uint8_t {
  kRead,       // a const pointer: writing it is a finding
  kWrite,      // holds nothing before the kernel (0xff): reading what was not written is a finding
  kReadWrite,  // holds `bytes` and may be written
  kScalar,     // passed by value, at most 8 bytes
};

struct EmulatedArgument {
  ArgumentUse use = ArgumentUse::kRead;
  std::vector<std::byte> bytes = {};    // kWrite: only the size counts
  std::vector<ByteRange> zeroed = {};   // of a kWrite: zero before the first launch and after each
  std::vector<ByteRange> defined = {};  // of a kReadWrite: what `bytes` holds; empty: all of it
  bool operator==(const EmulatedArgument&) const = default;
};

enum class EmulationMode : std::uint8_t {
  kEager,  // asynchronous copies arrive when they begin
  kLate,   // they arrive at random, at the latest when they are waited for
};

struct EmulationRequest {
  std::string text;  // a kernel, without a prelude
  std::string entry;
  Extent3 grid, block;
  std::int64_t shared_bytes = 0;
  std::vector<EmulatedArgument> arguments;
  EmulationMode mode = EmulationMode::kEager;
  std::uint64_t seed = 0;  // 0: threads and blocks run in the order of their indices
  // The blocks to run; empty: all of the grid. Where blocks wait for others, those belong here too.
  std::vector<Extent3> blocks;
  std::int32_t launches = 1;  // with the same memory, as a kernel is called again
  std::int64_t step_limit = std::int64_t{1} << 32;  // accesses, barriers and polls of one run
  bool operator==(const EmulationRequest&) const = default;
};

enum class FindingKind : std::uint8_t {
  kOutOfBounds,        // of a buffer, of the shared arena
  kMisaligned,         // an address that is no multiple of the access
  kReadOnly,           // a store to what is const
  kRegisterIndex,      // past a ts_local or a vector
  kStaleLoad,          // a load that promises unchanging memory, of what the kernel wrote
  kUninitialised,      // a load of what nobody wrote
  kSharedRace,         // two accesses of the arena, one a write, not ordered
  kGlobalRace,         // the same in global memory
  kCopyRace,           // an access of what an asynchronous copy has not been waited for
  kBarrierDivergence,  // threads of a block at different barriers, or ended before one
  kWarpDivergence,     // lanes at different warp operations, or ended before one
  kMask,               // a lane that the mask leaves out takes part or is read
  kDeadlock,           // nothing can run
  kStepLimit,
  kTrap,
  kNotReset,  // a zero-filled range is not zero after a launch
};
inline constexpr int kFindingKindCount = static_cast<int>(FindingKind::kNotReset) + 1;
std::string_view to_string(FindingKind kind);

struct Finding {
  FindingKind kind{};
  std::string message;  // one line: what, which buffer and offset, and the other side of a race
  Extent3 block{}, thread{};
  std::int32_t line = 0;  // of the text, from 1; 0 where it is not known
  bool operator==(const Finding&) const = default;
};
/// "line 12, block (0,0,0), thread (3,0,0): shared_race: ..."
std::string to_string(const Finding& finding);

struct EmulationReport {
  std::vector<Finding> findings;  // the first of each kind and line, at most 32
  // One an argument; empty for those that are only read.
  std::vector<std::vector<std::byte>> outputs;
  std::vector<std::vector<ByteRange>> written;  // what the last launch wrote of each
  std::int64_t steps = 0, switches = 0;         // accesses, barriers, polls; changes of thread
  double compile_seconds = 0, run_seconds = 0;
  bool operator==(const EmulationReport&) const = default;
};

/// Compiles the text with a host compiler (cached by content) and runs it in a child of the program
/// kernel_emulator, so that whatever generated code does stays there. Each calling thread has a
/// server of its own. Refused: no host compiler, text that does not compile, arguments that do not
/// fit the entry, a crash or a timeout. UserError where kernel_emulator is not found.
Result<EmulationReport> emulate(const EmulationRequest& request);

/// The same inside this process; what kernel_emulator does. Not for two threads at a time.
Result<EmulationReport> emulate_here(const EmulationRequest& request);

/// The blocks where something may be special, those at either end of every axis of the grid, and
/// `random` others: what to run of a grid that is too large.
std::vector<Extent3> sample_blocks(const Extent3& grid, int random, std::uint64_t seed);

}  // namespace tessera::runtime::emulator
