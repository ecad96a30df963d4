#include "codegen/cuda/nvrtc.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>

#include "codegen/cuda/detail/nvrtc_api.h"
#include "support/env.h"

namespace tessera::codegen {

namespace {

namespace fs = std::filesystem;

struct Place {
  std::string path, origin;
};

/// Files of a folder whose names begin so, newest version first.
std::vector<fs::path> files_beginning(const fs::path& folder, const std::string& begin) {
  std::vector<fs::path> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().filename().string().rfind(begin, 0) == 0) out.push_back(entry.path());
  }
  std::sort(out.rbegin(), out.rend());
  return out;
}

/// The NVRTC of a folder; empty when it holds none. The development name without a version comes last.
std::string library_in(const fs::path& folder) {
  const auto versioned = files_beginning(folder, "libnvrtc.so.");
  if (!versioned.empty()) return versioned.front();
  std::error_code ignored;
  const fs::path plain = folder / "libnvrtc.so";
  return fs::exists(plain, ignored) ? plain.string() : "";
}

/// Below the root of a toolkit, of a wheel or of a site-packages folder, or right in `folder`.
std::string library_below(const fs::path& folder) {
  for (const char* below :
       {"", "lib64", "lib", "nvidia/cu13/lib", "nvidia/cu14/lib", "nvidia/cuda_nvrtc/lib"}) {
    if (std::string found = library_in(folder / below); !found.empty()) return found;
  }
  return "";
}

/// What a command writes to standard output, line by line.
std::vector<std::string> lines_of(const std::string& command) {
  std::vector<std::string> out;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return out;
  char* line = nullptr;
  std::size_t room = 0;
  for (ssize_t n = 0; (n = ::getline(&line, &room, pipe)) > 0;) {
    std::string text(line, static_cast<std::size_t>(n));
    if (text.back() == '\n') text.pop_back();
    if (!text.empty()) out.push_back(std::move(text));
  }
  std::free(line);
  ::pclose(pipe);
  return out;
}

std::string quoted(const std::string& word) {
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// Every Python on PATH, each folder once. Not by the program a link leads to: that of a virtual environment
/// leads to the system's, which has other packages.
std::vector<std::string> pythons() {
  std::vector<std::string> out;
  std::set<std::string> seen;
  const char* path = std::getenv("PATH");  // the shell's, not ours
  const std::string all = path == nullptr ? "" : path;
  for (std::size_t from = 0; from <= all.size();) {
    const std::size_t to = std::min(all.find(':', from), all.size());
    std::error_code failed;
    const fs::path folder = fs::canonical(all.substr(from, to - from), failed);
    const bool fresh = !failed && seen.insert(folder).second;
    for (const char* name : {"python3", "python"}) {
      std::error_code ignored;
      if (fresh && fs::exists(folder / name, ignored)) out.push_back(folder / name);
    }
    from = to + 1;
  }
  return out;
}

/// First of the wheels that Pythons on PATH can import.
std::optional<Place> wheel() {
  for (const std::string& python : pythons()) {
    for (const std::string& folder : lines_of(
             quoted(python) + " -c 'import sys; print(\"\\n\".join(sys.path))' 2>/dev/null </dev/null")) {
      if (std::string found = library_below(folder); !found.empty())
        return Place{found, "wheel of " + python};
    }
  }
  return std::nullopt;
}

/// Opens the library at `path`. It loads libnvrtc-builtins by its bare name, which the linker may not find
/// (a wheel) or find elsewhere (another version): the one beside it is loaded first.
Result<Nvrtc> open_at(const Place& place) {
  const fs::path folder = fs::path(place.path).parent_path();
  if (!folder.empty()) {
    for (const fs::path& file : files_beginning(folder, "libnvrtc-builtins.so."))
      ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  }
  void* const library = ::dlopen(place.path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return refuse("cannot open ", place.path, ": ", ::dlerror());
  auto api = std::make_shared<detail::NvrtcApi>();
  const char* missing = nullptr;
  const auto find = [&](auto& member, const char* name) {
    member = reinterpret_cast<std::remove_reference_t<decltype(member)>>(::dlsym(library, name));
    if (member == nullptr) missing = name;
  };
#define X(member, parameters) find(api->member, "nvrtc" #member);
  TESSERA_NVRTC_FUNCTIONS(X)
#undef X
  find(api->GetErrorString, "nvrtcGetErrorString");
  if (missing != nullptr) return refuse(place.path, " has no ", missing, ": NVRTC 11.2 or later is needed");
  Nvrtc out{api, place.path, place.origin, 0, 0, {}};
  int count = 0;
  if (api->Version(&out.major, &out.minor) != detail::kNvrtcSuccess)
    return refuse(place.path, " does not say its version");
  if (api->GetNumSupportedArchs(&count) == detail::kNvrtcSuccess && count > 0) {
    out.architectures.resize(static_cast<std::size_t>(count));
    if (api->GetSupportedArchs(out.architectures.data()) != detail::kNvrtcSuccess) out.architectures.clear();
  }
  // By bare name the linker chose the file; it tells where that lies.
  Dl_info info{};
  if (folder.empty() && ::dladdr(reinterpret_cast<void*>(api->Version), &info) != 0)
    out.path = info.dli_fname;
  return out;
}

/// What TESSERA_NVRTC says.
Result<Nvrtc> named_nvrtc(const std::string& named) {
  std::error_code ignored;
  const std::string path = fs::is_directory(named, ignored) ? library_below(named) : named;
  if (path.empty())
    return refuse("TESSERA_NVRTC names ", named,
                  ", which holds no libnvrtc.so; unset it, or install one with: ", kNvrtcCommand);
  // A name without a folder would be looked up by the linker.
  auto opened = open_at({fs::absolute(path), "TESSERA_NVRTC"});
  if (!opened.ok())
    return refuse("TESSERA_NVRTC: ", opened.reason(), "; unset it, or install one with: ", kNvrtcCommand);
  return opened;
}

}  // namespace

Result<Nvrtc> find_nvrtc(const NvrtcSearch& search) {
  if (const auto named = env(EnvVar::kNvrtc)) return named_nvrtc(*named);
  std::vector<Place> places;
  std::vector<fs::path> toolkits{fs::path(search.prefix) / "cuda"};
  for (const fs::path& versioned : files_beginning(search.prefix, "cuda-")) toolkits.push_back(versioned);
  for (const fs::path& toolkit : toolkits) {
    if (std::string found = library_below(toolkit); !found.empty()) places.push_back({found, "toolkit"});
  }
  std::string why;
  for (const Place& place : places) {
    auto opened = open_at(place);
    if (opened.ok()) return opened;
    why += " (" + opened.reason() + ")";
  }
  for (const char* name : {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"}) {
    if (!search.linker) break;
    if (auto opened = open_at({name, "toolkit"}); opened.ok()) return opened;
  }
  if (const auto place = wheel()) {
    auto opened = open_at(*place);
    if (opened.ok()) return opened;
    why += " (" + opened.reason() + ")";
  }
  return refuse("CUDA targets need NVIDIA's run-time compiler NVRTC, which was not found", why,
                "; install it with: ", kNvrtcCommand);
}

const Result<Nvrtc>& nvrtc() {
  static const Result<Nvrtc> found = find_nvrtc();
  return found;
}

const Nvrtc& needed_nvrtc() {
  if (!nvrtc().ok()) throw UserError(nvrtc().reason() + "; --target cpu works without", 4);
  return *nvrtc();
}

}  // namespace tessera::codegen
