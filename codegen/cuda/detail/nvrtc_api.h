// The part of NVRTC's C interface that we call, declared by hand: its header is not needed to build.
#pragma once

#include <cstddef>

namespace tessera::codegen::detail {

using NvrtcProgram = struct _nvrtcProgram*;
using NvrtcResult = int;
inline constexpr NvrtcResult kNvrtcSuccess = 0, kNvrtcErrorCompilation = 6;

/// X(member, parameters): each is the symbol "nvrtc<member>" and returns an NvrtcResult.
#define TESSERA_NVRTC_FUNCTIONS(X)                                                                  \
  X(Version, (int* major, int* minor))                                                              \
  X(GetNumSupportedArchs, (int* count))                                                             \
  X(GetSupportedArchs, (int* archs))                                                                \
  X(CreateProgram, (NvrtcProgram * program, const char* text, const char* name, int headers,        \
                    const char* const* header_texts, const char* const* header_names))              \
  X(CompileProgram, (NvrtcProgram program, int count, const char* const* options))                  \
  X(DestroyProgram, (NvrtcProgram * program))                                                       \
  X(GetProgramLogSize, (NvrtcProgram program, std::size_t* bytes))                                  \
  X(GetProgramLog, (NvrtcProgram program, char* log))                                               \
  X(GetCUBINSize, (NvrtcProgram program, std::size_t* bytes))                                       \
  X(GetCUBIN, (NvrtcProgram program, char* bytes))                                                  \
  X(GetPTXSize, (NvrtcProgram program, std::size_t* bytes))                                         \
  X(GetPTX, (NvrtcProgram program, char* text))

struct NvrtcApi {
#define X(member, parameters) NvrtcResult(*member) parameters = nullptr;
  TESSERA_NVRTC_FUNCTIONS(X)
#undef X
  const char* (*GetErrorString)(NvrtcResult result) = nullptr;
};

}  // namespace tessera::codegen::detail
