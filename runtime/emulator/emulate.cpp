#include "runtime/emulator/emulator.h"
#include "runtime/emulator/messages.h"
#include "runtime/isolation/find_tool.h"
#include "runtime/isolation/worker.h"

namespace tessera::runtime::emulator {

namespace {

constexpr std::int64_t kWall_ns = 300'000'000'000;
constexpr std::int64_t kLongestObject = std::int64_t{64} << 20;

}  // namespace

Result<EmulationReport> emulate(const EmulationRequest& request) {
  static thread_local Worker worker(spawn_program(find_tool("kernel_emulator")));
  const std::vector<std::byte> bytes = encode(request);
  if (bytes.size() >= kLongestFrame)
    return refuse("a request of ", bytes.size(), " bytes; at most ", kLongestFrame,
                  ": emulate a smaller problem");
  Limits limits;
  limits.wall_ns = kWall_ns;
  limits.file_bytes = kLongestObject;
  const Reply reply = worker.call(bytes, limits);
  if (reply.outcome == Outcome::kOk) return decode_report(reply.bytes);
  return refuse("the emulated kernel ", to_string(reply.outcome),
                reply.code != 0 ? " (" + std::to_string(reply.code) + ")" : "",
                reply.message.empty() ? "" : ": " + reply.message);
}

}  // namespace tessera::runtime::emulator
