// Links the object code of an image into this process and gives the addresses of its entries.
// Code may call only a closed list of functions (linkable_functions.h); anything else is refused by
// name, so that an object can never reach into the process that runs it.
//
// Called in a runner's child, never in the tuner.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/kernel_abi.h"
#include "support/result.h"

namespace tessera::runtime {

class LoadedKernel {
 public:
  /// `object`: an ELF relocatable of this machine's architecture, position independent.
  /// The refusal names what is missing or wrong.
  static Result<LoadedKernel> load(std::span<const std::byte> object,
                                   const std::vector<std::string>& entries);
  LoadedKernel(LoadedKernel&&) noexcept;
  ~LoadedKernel();  // unmaps the code

  /// Null for a name that was not among the entries.
  tessera_entry entry(std::string_view name) const;

 private:
  struct State;
  explicit LoadedKernel(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Whether `object` is an ELF file for the architecture this program runs on.
bool is_native_object(std::span<const std::byte> object);

}  // namespace tessera::runtime
