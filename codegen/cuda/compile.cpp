#include "codegen/cuda/compile.h"

#include <algorithm>
#include <sstream>

#include "codegen/cuda/detail/compile_once.h"
#include "codegen/cuda/detail/nvrtc_api.h"
#include "ir/cuda_arch.h"

namespace tessera::codegen {

namespace {

constexpr std::size_t kLongestMessage = 2000;

class Program {
 public:
  Program(const detail::NvrtcApi& api, const std::string& text, const std::string& name) : api_(api) {
    created = api.CreateProgram(&handle, text.c_str(), name.c_str(), 0, nullptr, nullptr);
  }
  ~Program() {
    if (handle != nullptr) api_.DestroyProgram(&handle);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// One of the pairs "size of", "bytes of"; empty when there is none. The size of texts counts a final zero.
  template <class Size, class Get>
  std::string take(Size size, Get get) const {
    std::size_t bytes = 0;
    if (size(handle, &bytes) != detail::kNvrtcSuccess || bytes == 0) return "";
    std::string out(bytes, '\0');
    return get(handle, out.data()) == detail::kNvrtcSuccess ? out : "";
  }

  detail::NvrtcProgram handle = nullptr;
  detail::NvrtcResult created = 0;

 private:
  const detail::NvrtcApi& api_;
};

std::string without_zeros(std::string text) {
  text.erase(text.find_last_not_of('\0') + 1);
  return text;
}

/// Without the lines that differ from one time to the next: the same text gives the same log.
std::string without_times(const std::string& log) {
  std::istringstream in(log);
  std::string line, out;
  while (std::getline(in, line)) {
    if (line.find("Compile time =") == std::string::npos) out += line + "\n";
  }
  return out;
}

/// The first error of a log with the lines that belong to it, up to the next diagnostic.
std::string first_error(const std::string& log) {
  std::istringstream in(log);
  std::string line, out;
  while (std::getline(in, line)) {
    const bool begins = line.find("error") != std::string::npos || line.find("fatal") != std::string::npos;
    if (out.empty() ? !begins : line.empty() || begins) {
      if (out.empty()) continue;
      break;
    }
    out += (out.empty() ? "" : "\n") + line;
  }
  return (out.empty() ? log : out).substr(0, kLongestMessage);
}

}  // namespace

std::vector<std::string> nvrtc_flags(const std::string& arch, const CudaCompileOptions& options) {
  // The last two make spills and arrays in local memory warnings, which name the function.
  std::vector<std::string> out{"--gpu-architecture=" + arch,
                               "--std=c++17",
                               "--device-as-default-execution-space",
                               "--ptxas-options=-v",
                               "--ptxas-options=--warn-on-local-memory-usage",
                               "--ptxas-options=--warn-on-spills"};
  out.insert(out.end(), options.extra.begin(), options.extra.end());
  return out;
}

namespace detail {

Compiled compile_once(const Nvrtc& nvrtc, const std::string& text, const std::string& name,
                      const std::string& arch, const CudaCompileOptions& options) {
  const NvrtcApi& api = *nvrtc.api;
  const Program program(api, text, name + ".cu");
  if (program.created != kNvrtcSuccess)
    return {refuse("NVRTC takes no text for '", name, "': ", api.GetErrorString(program.created))};
  const std::vector<std::string> flags = nvrtc_flags(arch, options);
  std::vector<const char*> words;
  for (const std::string& f : flags) words.push_back(f.c_str());
  const NvrtcResult done = api.CompileProgram(program.handle, static_cast<int>(words.size()), words.data());
  Cubin out;
  out.log = without_times(without_zeros(program.take(api.GetProgramLogSize, api.GetProgramLog)));
  if (done != kNvrtcSuccess) {
    const std::string why = first_error(out.log);
    return {refuse("'", name, "' does not compile for ", arch, " (", api.GetErrorString(done), ")",
                   why.empty() ? "" : ": ", why),
            done == kNvrtcErrorCompilation};
  }
  const std::string bytes = program.take(api.GetCUBINSize, api.GetCUBIN);
  if (bytes.empty()) return {refuse("NVRTC gave no machine code for '", name, "'")};
  const auto* first = reinterpret_cast<const std::byte*>(bytes.data());
  out.bytes.assign(first, first + bytes.size());
  if (options.keep_ptx) out.ptx = without_zeros(program.take(api.GetPTXSize, api.GetPTX));
  out.report = parse_report(out.log);
  return {std::move(out), true};
}

}  // namespace detail

Status check_architecture(const Nvrtc& nvrtc, const std::string& arch) {
  TESSERA_TRY(limits, ir::cuda_arch(arch));
  const auto& known = nvrtc.architectures;
  if (known.empty() || std::find(known.begin(), known.end(), limits.capability) != known.end()) return Done{};
  return refuse("NVRTC ", nvrtc.version(), " (", nvrtc.path, ") does not compile for ", arch,
                "; a later one does: ", kNvrtcCommand);
}

Result<Cubin> compile_cuda(const Nvrtc& nvrtc, const std::string& text, const std::string& name,
                           const std::string& arch, const CudaCompileOptions& options) {
  TESSERA_TRY_DONE(check_architecture(nvrtc, arch));
  return detail::compile_once(nvrtc, text, name, arch, options).result;
}

}  // namespace tessera::codegen
