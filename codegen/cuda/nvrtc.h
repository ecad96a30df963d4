// NVIDIA's run-time compiler, opened when first asked for and never linked, so that our programs start
// where there is none. Looked for in this order: TESSERA_NVRTC (the library, or a folder that holds it),
// an installed toolkit (/usr/local/cuda*, then what the dynamic linker knows), the wheel
// `nvidia-cuda-nvrtc` of a Python on PATH.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/result.h"

namespace tessera::codegen {

namespace detail {
struct NvrtcApi;
}

/// An opened NVRTC. Copies share the library, which stays open to the end of the process. Every function
/// that takes one may be called from several threads.
struct Nvrtc {
  std::shared_ptr<const detail::NvrtcApi> api;
  std::string path;          // of the library
  std::string origin;        // "TESSERA_NVRTC", "toolkit" or "wheel of /usr/bin/python3"
  int major = 0, minor = 0;  // of the library
  std::vector<int>
      architectures;  // compute capabilities it compiles for: 80, 90, ...; empty: it does not say

  std::string version() const { return std::to_string(major) + "." + std::to_string(minor); }
};

/// Where installed toolkits are looked for. TESSERA_NVRTC and PATH are read from the environment.
struct NvrtcSearch {
  std::string prefix = "/usr/local";  // toolkits are `cuda` and `cuda-*` below it
  bool linker = true;                 // ask the dynamic linker too
};

/// Looks for it now. The refusal says why there is none and the one command that gets one. A variable
/// TESSERA_NVRTC that names nothing usable is refused, whatever else there is.
Result<Nvrtc> find_nvrtc(const NvrtcSearch& search = {});

/// The answer of find_nvrtc at the first call in this process.
const Result<Nvrtc>& nvrtc();

/// The same for those who cannot go on without: UserError (exit code 4) with the refusal
/// and what works instead.
const Nvrtc& needed_nvrtc();

/// The command that installs one for the user.
inline constexpr const char* kNvrtcCommand = "python3 -m pip install nvidia-cuda-nvrtc";

}  // namespace tessera::codegen
