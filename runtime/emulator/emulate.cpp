#include <sys/mman.h>

#include "runtime/emulator/emulator.h"
#include "runtime/emulator/messages.h"
#include "runtime/isolation/file_descriptor.h"
#include "runtime/isolation/find_tool.h"
#include "runtime/isolation/worker.h"

namespace tessera::runtime::emulator {

namespace {

constexpr std::int64_t kWall_ns = 300'000'000'000;
constexpr std::int64_t kLongestFile = std::int64_t{16} << 30;

}  // namespace

Result<EmulationReport> emulate(const EmulationRequest& request) {
  static thread_local Worker worker(spawn_program(find_tool("kernel_emulator")));
  const FileDescriptor file(::memfd_create("tessera-emulation", MFD_CLOEXEC));
  if (!file || !write_file(file.get(), encode(request)))
    return refuse("no memory for the arguments of the emulated kernel");
  worker.attach(file.get());
  Limits limits;
  limits.wall_ns = kWall_ns;
  limits.file_bytes = kLongestFile;
  const Reply reply = worker.call({}, limits);
  if (reply.outcome != Outcome::kOk)
    return refuse("the emulated kernel ", to_string(reply.outcome),
                  reply.code != 0 ? " (" + std::to_string(reply.code) + ")" : "",
                  reply.message.empty() ? "" : ": " + reply.message);
  const auto bytes = read_file(file.get());
  if (!bytes) return refuse("kernel_emulator answered garbage");
  return decode_report(*bytes);
}

}  // namespace tessera::runtime::emulator
