#include "runtime/kernel_image.h"

#include <algorithm>
#include <bit>
#include <set>
#include <string_view>

#include "runtime/wire.h"

namespace tessera::runtime {

namespace {

constexpr std::size_t kLongestName = 4096;
constexpr std::int64_t kLargestBytes = std::int64_t{1} << 46;  // far above any machine, no overflow
constexpr int kLargestAlignment = 1 << 21;
constexpr double kLargestErrorFactor = 1e6;

bool is_identifier(std::string_view s) {
  const auto word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !s.empty() && !(s[0] >= '0' && s[0] <= '9') && std::all_of(s.begin(), s.end(), word);
}

bool in_bytes(std::int64_t x) { return x >= 0 && x <= kLargestBytes; }

Status check_argument(const ArgumentContract& a) {
  if (!in_bytes(a.bytes)) return refuse("argument '", a.name, "': ", a.bytes, " bytes");
  if (a.alignment < 1 || a.alignment > kLargestAlignment ||
      !std::has_single_bit(static_cast<unsigned>(a.alignment)))
    return refuse("argument '", a.name, "': alignment ", a.alignment, " is not a power of two");
  std::int64_t dense = a.dtype.bytes();
  for (const std::int64_t extent : a.shape)
    if (extent < 0 || __builtin_mul_overflow(dense, extent, &dense))
      return refuse("argument '", a.name, "': extent ", extent, " overflows");
  if (!a.dtype.is_scalar() || dense > a.bytes)
    return refuse("argument '", a.name, "': its shape takes ", dense, " bytes of ", a.bytes);
  return Done{};
}

Status check_launch(const KernelImage& image, const Launch& l) {
  const bool known = std::any_of(image.entries.begin(), image.entries.end(),
                                 [&](const Entry& e) { return e.name == l.entry; });
  if (!known) return refuse("launch of '", l.entry, "', which is no entry");
  if (l.workspace_offset < 0 || l.workspace_offset > image.workspace_bytes)
    return refuse("launch of '", l.entry, "': workspace offset ", l.workspace_offset, " of ",
                  image.workspace_bytes);
  for (const LaunchArgument& a : l.arguments) {
    const bool tensor = a.kind == LaunchArgumentKind::kTensor;
    const bool offset = a.kind == LaunchArgumentKind::kWorkspace;
    const auto count = static_cast<std::int64_t>(image.arguments.size());
    if ((tensor && (a.value < 0 || a.value >= count)) ||
        (offset && (a.value < 0 || a.value > image.workspace_bytes)))
      return refuse("launch of '", l.entry, "': argument ", a.value, " is out of range");
  }
  return Done{};
}

void put(WireWriter& w, const Extent3& e) {
  w.put(e.x);
  w.put(e.y);
  w.put(e.z);
}
Extent3 get_extent(WireReader& r) {
  Extent3 e;
  e.x = r.get<std::int64_t>();
  e.y = r.get<std::int64_t>();
  e.z = r.get<std::int64_t>();
  return e;
}

void put(WireWriter& w, const Launch& l) {
  w.text(l.entry);
  w.put(l.phase);
  w.list(l.arguments, [&](const LaunchArgument& a) {
    w.put(a.kind);
    w.put(a.value);
  });
  w.put(l.workspace_offset);
  put(w, l.grid);
  put(w, l.block);
  put(w, l.cluster);
  w.put(l.shared_bytes);
}
Launch get_launch(WireReader& r) {
  Launch l;
  l.entry = r.text(kLongestName);
  l.phase = r.choice(Phase::kRun);
  r.list(9, [&] {
    LaunchArgument a;
    a.kind = r.choice(LaunchArgumentKind::kWorkspace);
    a.value = r.get<std::int64_t>();
    l.arguments.push_back(a);
  });
  l.workspace_offset = r.get<std::int64_t>();
  l.grid = get_extent(r);
  l.block = get_extent(r);
  l.cluster = get_extent(r);
  l.shared_bytes = r.get<std::int64_t>();
  return l;
}

void put(WireWriter& w, const ArgumentContract& a) {
  w.text(a.name);
  w.put(a.dtype.code);
  w.put(a.dtype.bits);
  w.put(a.dtype.lanes);
  w.numbers(a.shape);
  w.put(a.bytes);
  w.put(a.alignment);
  w.put(a.role);
}
ArgumentContract get_argument(WireReader& r) {
  ArgumentContract a;
  a.name = r.text(kLongestName);
  a.dtype.code = r.choice(ir::TypeCode::kHandle);
  a.dtype.bits = r.get<std::uint8_t>();
  a.dtype.lanes = r.get<std::uint16_t>();
  a.shape = r.numbers<std::int64_t>();
  a.bytes = r.get<std::int64_t>();
  a.alignment = r.get<int>();
  a.role = r.choice(ArgumentRole::kOutput);
  return a;
}

void put(WireWriter& w, const BuildReport& b) {
  w.put(b.compile_ms);
  w.list(b.notes, [&](const std::string& s) { w.text(s); });
  w.put(b.registers_per_thread);
  w.put(b.spill_bytes);
  w.put(b.static_shared_bytes);
  w.put(b.source_hash);
}
BuildReport get_report(WireReader& r) {
  BuildReport b;
  b.compile_ms = r.get<double>();
  r.list(8, [&] { b.notes.push_back(r.text(1 << 20)); });
  b.registers_per_thread = r.get<int>();
  b.spill_bytes = r.get<std::int64_t>();
  b.static_shared_bytes = r.get<std::int64_t>();
  b.source_hash = r.get<std::uint64_t>();
  return b;
}

}  // namespace

bool KernelImage::has_phase(Phase phase) const {
  return std::any_of(launches.begin(), launches.end(),
                     [&](const Launch& l) { return l.phase == phase; });
}

const ArgumentContract* KernelImage::find_argument(std::string_view name) const {
  const auto it = std::find_if(arguments.begin(), arguments.end(),
                               [&](const ArgumentContract& a) { return a.name == name; });
  return it == arguments.end() ? nullptr : &*it;
}

Status check_image(const KernelImage& image) {
  if (image.object.empty()) return refuse("the image has no object code");
  for (const Entry& e : image.entries)
    if (!is_identifier(e.name)) return refuse("entry '", e.name, "' is not a C identifier");
  if (!in_bytes(image.workspace_bytes) || !in_bytes(image.per_thread_workspace_bytes))
    return refuse("workspace of ", image.workspace_bytes, " bytes");
  for (const ByteRange& z : image.zero_ranges)
    if (!in_bytes(z.offset) || !in_bytes(z.bytes) || z.offset + z.bytes > image.workspace_bytes)
      return refuse("zero range at ", z.offset, " of ", z.bytes, " bytes leaves the workspace");
  if (!(image.error_factor >= 1 && image.error_factor <= kLargestErrorFactor))
    return refuse("error factor ", image.error_factor);
  if (!(image.work_share > 0 && image.work_share <= 1))
    return refuse("work share ", image.work_share);
  std::set<std::string_view> names;
  for (const ArgumentContract& a : image.arguments) {
    if (!names.insert(a.name).second) return refuse("two arguments are named '", a.name, "'");
    TESSERA_TRY_DONE(check_argument(a));
  }
  for (const Launch& l : image.launches) TESSERA_TRY_DONE(check_launch(image, l));
  if (!image.has_phase(Phase::kRun)) return refuse("the image has no launch in phase run");
  return Done{};
}

std::vector<std::byte> encode(const KernelImage& image) {
  WireWriter w;
  w.text(image.target);
  w.blob(image.object);
  w.list(image.entries, [&](const Entry& e) { w.text(e.name); });
  w.list(image.launches, [&](const Launch& l) { put(w, l); });
  w.put(image.workspace_bytes);
  w.put(image.per_thread_workspace_bytes);
  w.list(image.zero_ranges, [&](const ByteRange& z) {
    w.put(z.offset);
    w.put(z.bytes);
  });
  w.list(image.arguments, [&](const ArgumentContract& a) { put(w, a); });
  w.list(image.symbolic_dims, [&](const std::string& s) { w.text(s); });
  put(w, image.build);
  w.put(image.error_factor);
  w.put(image.work_share);
  return w.take();
}

Result<KernelImage> decode_image(std::span<const std::byte> bytes) {
  WireReader r(bytes);
  KernelImage image;
  image.target = r.text(kLongestName);
  const auto object = r.blob();
  image.object.assign(object.begin(), object.end());
  r.list(8, [&] { image.entries.push_back({r.text(kLongestName)}); });
  r.list(8, [&] { image.launches.push_back(get_launch(r)); });
  image.workspace_bytes = r.get<std::int64_t>();
  image.per_thread_workspace_bytes = r.get<std::int64_t>();
  r.list(16, [&] {
    ByteRange z;
    z.offset = r.get<std::int64_t>();
    z.bytes = r.get<std::int64_t>();
    image.zero_ranges.push_back(z);
  });
  r.list(8, [&] { image.arguments.push_back(get_argument(r)); });
  r.list(8, [&] { image.symbolic_dims.push_back(r.text(kLongestName)); });
  image.build = get_report(r);
  image.error_factor = r.get<double>();
  image.work_share = r.get<double>();
  if (!r.done()) return refuse("damaged kernel image of ", bytes.size(), " bytes");
  TESSERA_TRY_DONE(check_image(image));
  return image;
}

}  // namespace tessera::runtime
