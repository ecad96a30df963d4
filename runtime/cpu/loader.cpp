#include "runtime/cpu/loader.h"

#include <elf.h>
#include <llvm/ExecutionEngine/JITLink/JITLink.h>
#include <llvm/ExecutionEngine/JITLink/JITLinkMemoryManager.h>
#include <llvm/Support/Error.h>
#include <llvm/Support/MemoryBuffer.h>

#include <cstring>
#include <map>

#include "runtime/cpu/linkable_functions.h"

namespace tessera::runtime {

namespace jitlink = llvm::jitlink;
namespace orc = llvm::orc;

struct LoadedKernel::State {
  std::unique_ptr<jitlink::InProcessMemoryManager> memory;
  jitlink::JITLinkMemoryManager::FinalizedAlloc code;
  std::map<std::string, orc::ExecutorAddr, std::less<>> entries;
  std::string failure;

  ~State() {
    if (code) llvm::consumeError(memory->deallocate(std::move(code)));
  }
};

namespace {

/// What JITLink asks while it links one object. All of it happens before link() returns, because
/// the memory manager works in this process.
class Context : public jitlink::JITLinkContext {
 public:
  Context(jitlink::InProcessMemoryManager& memory,
          jitlink::JITLinkMemoryManager::FinalizedAlloc& code,
          std::map<std::string, orc::ExecutorAddr, std::less<>>& entries, std::string& failure)
      : JITLinkContext(nullptr),
        memory_(memory),
        code_(code),
        entries_(entries),
        failure_(failure) {}

  jitlink::JITLinkMemoryManager& getMemoryManager() override { return memory_; }
  void notifyFailed(llvm::Error error) override { failure_ = llvm::toString(std::move(error)); }

  void lookup(const LookupMap& symbols,
              std::unique_ptr<jitlink::JITLinkAsyncLookupContinuation> proceed) override {
    jitlink::AsyncLookupResult found;
    std::string missing;
    for (const auto& [name, flags] : symbols) {
      const void* address = find_linkable_function({name.data(), name.size()});
      if (address == nullptr)
        missing += (missing.empty() ? "" : ", ") + name.str();
      else
        found[name] = {orc::ExecutorAddr::fromPtr(address), llvm::JITSymbolFlags::Exported};
    }
    if (missing.empty()) return proceed->run(std::move(found));
    proceed->run(llvm::createStringError(
        "the object refers to " + missing +
        ", which no kernel may call; there are memcpy, memmove, memset and libm"));
  }

  llvm::Error notifyResolved(jitlink::LinkGraph& graph) override {
    for (const jitlink::Symbol* symbol : graph.defined_symbols()) {
      const auto it =
          symbol->hasName() ? entries_.find(std::string_view(symbol->getName())) : entries_.end();
      if (it != entries_.end() && symbol->isCallable()) it->second = symbol->getAddress();
    }
    for (const auto& [name, address] : entries_)
      if (!address) return llvm::createStringError("the object defines no function '" + name + "'");
    return llvm::Error::success();
  }

  void notifyFinalized(jitlink::JITLinkMemoryManager::FinalizedAlloc code) override {
    code_ = std::move(code);
  }

  llvm::Error modifyPassConfig(jitlink::LinkGraph&, jitlink::PassConfiguration& passes) override {
    passes.PrePrunePasses.push_back(jitlink::markAllSymbolsLive);
    return llvm::Error::success();
  }

 private:
  jitlink::InProcessMemoryManager& memory_;
  jitlink::JITLinkMemoryManager::FinalizedAlloc& code_;
  std::map<std::string, orc::ExecutorAddr, std::less<>>& entries_;
  std::string& failure_;
};

}  // namespace

Result<LoadedKernel> LoadedKernel::load(std::span<const std::byte> object,
                                        const std::vector<std::string>& entries) {
  const llvm::StringRef bytes(reinterpret_cast<const char*>(object.data()), object.size());
  auto graph = jitlink::createLinkGraphFromObject(llvm::MemoryBufferRef(bytes, "kernel"));
  if (!graph) return refuse("cannot read the object: ", llvm::toString(graph.takeError()));
  auto memory = jitlink::InProcessMemoryManager::Create();
  if (!memory) return refuse("no memory for code: ", llvm::toString(memory.takeError()));
  auto state = std::make_unique<State>();
  state->memory = std::move(*memory);
  for (const std::string& name : entries) state->entries.emplace(name, orc::ExecutorAddr());
  jitlink::link(std::move(*graph), std::make_unique<Context>(*state->memory, state->code,
                                                             state->entries, state->failure));
  if (!state->code)
    return refuse("cannot link: ", state->failure.empty() ? "no reason given" : state->failure);
  return LoadedKernel(std::move(state));
}

LoadedKernel::LoadedKernel(std::unique_ptr<State> state) : state_(std::move(state)) {}
LoadedKernel::LoadedKernel(LoadedKernel&&) noexcept = default;
LoadedKernel::~LoadedKernel() = default;

tessera_entry LoadedKernel::entry(std::string_view name) const {
  const auto it = state_->entries.find(name);
  return it == state_->entries.end() ? nullptr : it->second.toPtr<tessera_entry>();
}

bool is_native_object(std::span<const std::byte> object) {
#if defined(__x86_64__)
  constexpr std::uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
  constexpr std::uint16_t kMachine = EM_AARCH64;
#else
  constexpr std::uint16_t kMachine = EM_NONE;
#endif
  Elf64_Ehdr header{};
  if (object.size() < sizeof header) return false;
  std::memcpy(&header, object.data(), sizeof header);
  return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
         header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_machine == kMachine;
}

}  // namespace tessera::runtime
