#include "runtime/emulator/messages.h"

#include <sys/stat.h>
#include <unistd.h>

#include <new>

#include "runtime/wire.h"

namespace tessera::runtime::emulator {

namespace {

constexpr std::uint64_t kLongestArgument = std::uint64_t{4} << 30;
constexpr std::size_t kLongestText = std::size_t{16} << 20;

void put(WireWriter& w, const Extent3& e) {
  w.put(e.x);
  w.put(e.y);
  w.put(e.z);
}

Extent3 get_extent(WireReader& r) {
  Extent3 e;
  e.x = r.get<std::int32_t>();
  e.y = r.get<std::int32_t>();
  e.z = r.get<std::int32_t>();
  return e;
}

void put(WireWriter& w, const std::vector<ByteRange>& ranges) {
  w.list(ranges, [&](const ByteRange& z) {
    w.put(z.begin);
    w.put(z.end);
  });
}

std::vector<ByteRange> get_ranges(WireReader& r) {
  std::vector<ByteRange> ranges;
  r.list(16, [&] {
    ByteRange z;
    z.begin = r.get<std::int64_t>();
    z.end = r.get<std::int64_t>();
    ranges.push_back(z);
  });
  return ranges;
}

std::vector<std::byte> get_bytes(WireReader& r) {
  const auto b = r.blob();
  return {b.begin(), b.end()};
}

}  // namespace

std::vector<std::byte> encode(const EmulationRequest& q) {
  WireWriter w;
  w.text(q.text);
  w.text(q.entry);
  put(w, q.grid);
  put(w, q.block);
  w.put(q.shared_bytes);
  w.list(q.arguments, [&](const EmulatedArgument& a) {
    w.put(a.use);
    w.put<std::uint64_t>(a.bytes.size());
    if (a.use != ArgumentUse::kWrite) w.blob(a.bytes);  // of outputs only the size travels
    put(w, a.zeroed);
    put(w, a.defined);
  });
  w.put(q.mode);
  w.put(q.seed);
  w.list(q.blocks, [&](const Extent3& b) { put(w, b); });
  w.put(q.launches);
  w.put(q.step_limit);
  return w.take();
}

std::optional<EmulationRequest> decode_request(std::span<const std::byte> bytes) {
  WireReader r(bytes);
  EmulationRequest q;
  q.text = r.text(kLongestText);
  q.entry = r.text(kLongestText);
  q.grid = get_extent(r);
  q.block = get_extent(r);
  q.shared_bytes = r.get<std::int64_t>();
  r.list(1, [&] {
    EmulatedArgument a;
    a.use = r.choice(ArgumentUse::kScalar);
    const auto size = r.get<std::uint64_t>();
    if (size > kLongestArgument) r.fail();
    if (a.use != ArgumentUse::kWrite)
      a.bytes = get_bytes(r);
    else if (r.ok())
      a.bytes.resize(size);
    a.zeroed = get_ranges(r);
    a.defined = get_ranges(r);
    q.arguments.push_back(std::move(a));
  });
  q.mode = r.choice(EmulationMode::kLate);
  q.seed = r.get<std::uint64_t>();
  r.list(12, [&] { q.blocks.push_back(get_extent(r)); });
  q.launches = r.get<std::int32_t>();
  q.step_limit = r.get<std::int64_t>();
  if (!r.done()) return std::nullopt;
  return q;
}

std::vector<std::byte> encode(const Result<EmulationReport>& report) {
  WireWriter w;
  w.put<std::uint8_t>(report.ok() ? 1 : 0);
  if (!report.ok()) {
    w.text(report.reason());
    return w.take();
  }
  w.list(report->findings, [&](const Finding& f) {
    w.put(f.kind);
    w.text(f.message);
    put(w, f.block);
    put(w, f.thread);
    w.put(f.line);
  });
  w.list(report->outputs, [&](const std::vector<std::byte>& o) { w.blob(o); });
  w.list(report->written, [&](const std::vector<ByteRange>& ranges) { put(w, ranges); });
  w.put(report->steps);
  w.put(report->switches);
  w.put(report->compile_seconds);
  w.put(report->run_seconds);
  return w.take();
}

Result<EmulationReport> decode_report(std::span<const std::byte> bytes) {
  WireReader r(bytes);
  if (!r.flag()) {
    const std::string reason = r.text(kLongestText);
    return refuse(r.done() ? reason : "kernel_emulator answered garbage");
  }
  EmulationReport report;
  r.list(1, [&] {
    Finding f;
    f.kind = r.choice(static_cast<FindingKind>(kFindingKindCount - 1));
    f.message = r.text(kLongestText);
    f.block = get_extent(r);
    f.thread = get_extent(r);
    f.line = r.get<std::int32_t>();
    report.findings.push_back(std::move(f));
  });
  r.list(8, [&] { report.outputs.push_back(get_bytes(r)); });
  r.list(8, [&] { report.written.push_back(get_ranges(r)); });
  report.steps = r.get<std::int64_t>();
  report.switches = r.get<std::int64_t>();
  report.compile_seconds = r.get<double>();
  report.run_seconds = r.get<double>();
  if (!r.done()) return refuse("kernel_emulator answered garbage");
  return report;
}

bool write_file(int fd, std::span<const std::byte> bytes) {
  if (::ftruncate(fd, static_cast<off_t>(bytes.size())) != 0) return false;
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n =
        ::pwrite(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (n <= 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return true;
}

std::optional<std::vector<std::byte>> read_file(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return std::nullopt;
  std::vector<std::byte> bytes(static_cast<std::size_t>(info.st_size));
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n =
        ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (n <= 0) return std::nullopt;
    done += static_cast<std::size_t>(n);
  }
  return bytes;
}

std::vector<std::byte> handle_emulation_request(std::span<const std::byte>,
                                                const HandlerContext& context) {
  context.stage("emulate");
  const auto bytes = read_file(context.attachment());
  const auto request = bytes ? decode_request(*bytes) : std::nullopt;
  const auto report = request ? emulate_here(*request)
                              : Result<EmulationReport>(refuse("a request that cannot be read"));
  if (!write_file(context.attachment(), encode(report))) throw std::bad_alloc();
  return {};
}

}  // namespace tessera::runtime::emulator
