// Turns the signal of a faulting kernel into words: which buffer it left, where, reading or
// writing.
//
// For a process that runs one candidate and may die of it. The handler runs on its own stack (so a
// stack overflow is seen too), looks the address up in a fixed table, sends a note through a
// function that must be safe in a signal handler, and lets the signal kill the process as it would
// have. Process-wide state, because signals are.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "runtime/measurement.h"

namespace tessera::runtime {

/// A stretch of address space that belongs to one buffer, its guards included.
struct FaultRegion {
  const char* name = "";  // must outlive the region; shown in messages
  const std::byte* reserved_begin = nullptr;
  const std::byte* reserved_end = nullptr;
  const std::byte* data = nullptr;
  std::size_t bytes = 0;
};

/// Remembers a region until the process ends or forget_fault_regions. At most 512; more are
/// ignored.
void add_fault_region(const FaultRegion& region);
void forget_fault_regions();

/// Sends a note's bytes out of the process; called in a signal handler.
using SendNote = void (*)(std::span<const std::byte> note, const void* context);

/// Installs the handlers for SIGSEGV, SIGBUS, SIGILL and SIGFPE and this thread's signal stack.
void install_fault_guard(SendNote send, const void* context);
/// Other threads that run kernels need a signal stack of their own; never freed.
void install_signal_stack();

/// What a note says.
struct FaultNote {
  MeasureStatus status = MeasureStatus::kCrash;
  std::string message;
};
std::optional<FaultNote> decode_fault_note(std::span<const std::byte> note);

/// "SIGSEGV" for 11; "signal 99" for one without a name.
std::string signal_name(int signal);

}  // namespace tessera::runtime
