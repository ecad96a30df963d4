#include "runtime/isolation/call.h"

#include "runtime/wire.h"

namespace tessera::runtime {

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk:
      return "ok";
    case Outcome::kCrashed:
      return "crashed";
    case Outcome::kExited:
      return "exited";
    case Outcome::kTimeout:
      return "timeout";
    case Outcome::kResource:
      return "resource";
    case Outcome::kProtocol:
      return "protocol";
  }
  return "protocol";
}

std::vector<std::byte> encode_call(const Limits& limits, std::span<const std::byte> request) {
  WireWriter w;
  w.put(limits.wall_ns);
  w.put(limits.cpu_ns);
  w.put(limits.address_space_bytes);
  w.put(limits.file_bytes);
  w.blob(request);
  return w.take();
}

std::optional<Call> decode_call(std::span<const std::byte> payload) {
  WireReader r(payload);
  Call c;
  c.limits.wall_ns = r.get<std::int64_t>();
  c.limits.cpu_ns = r.get<std::int64_t>();
  c.limits.address_space_bytes = r.get<std::int64_t>();
  c.limits.file_bytes = r.get<std::int64_t>();
  const auto request = r.blob();
  c.request.assign(request.begin(), request.end());
  if (!r.done()) return std::nullopt;
  return c;
}

std::vector<std::byte> encode_reply(const Reply& reply) {
  WireWriter w;
  w.put(reply.outcome);
  w.put(reply.code);
  w.text(reply.stage);
  w.blob(reply.note);
  w.text(reply.message);
  w.text(reply.diagnostics);
  w.blob(reply.bytes);
  w.put(reply.wall_ns);
  return w.take();
}

std::optional<Reply> decode_reply(std::span<const std::byte> payload) {
  constexpr std::size_t kLongestText = 64 << 10;
  WireReader r(payload);
  Reply reply;
  reply.outcome = r.choice(Outcome::kProtocol);
  reply.code = r.get<int>();
  reply.stage = r.text(kLongestText);
  const auto note = r.blob();
  reply.note.assign(note.begin(), note.end());
  reply.message = r.text(kLongestText);
  reply.diagnostics = r.text(kLongestText);
  const auto bytes = r.blob();
  reply.bytes.assign(bytes.begin(), bytes.end());
  reply.wall_ns = r.get<std::int64_t>();
  if (!r.done()) return std::nullopt;
  return reply;
}

}  // namespace tessera::runtime
