#include "runtime/image_json.h"

#include "support/base64.h"
#include "support/fields.h"

namespace tessera::runtime {

namespace {

// The forms of the structs of kernel_image.h that a file holds: words for enums and types.

struct ArgumentForm {
  std::string name, dtype, role;
  std::vector<std::int64_t> shape;
  std::int64_t bytes = 0;
  int alignment = 0;
  static constexpr auto fields() {
    return std::tuple{field("name", &ArgumentForm::name),   field("dtype", &ArgumentForm::dtype),
                      field("role", &ArgumentForm::role),   field("shape", &ArgumentForm::shape),
                      field("bytes", &ArgumentForm::bytes), field("alignment", &ArgumentForm::alignment)};
  }
  bool operator==(const ArgumentForm&) const = default;
};

struct SlotForm {
  std::string kind;
  std::int64_t value = 0;
  static constexpr auto fields() { return std::tuple{field("kind", &SlotForm::kind), field("value", &SlotForm::value)}; }
  bool operator==(const SlotForm&) const = default;
};

struct LaunchForm {
  std::string entry, phase;
  std::vector<SlotForm> arguments;
  std::int64_t workspace_offset = 0;
  std::vector<std::int64_t> grid{1, 1, 1}, block{1, 1, 1}, cluster{1, 1, 1};
  std::int64_t shared_bytes = 0;
  static constexpr auto fields() {
    return std::tuple{field("entry", &LaunchForm::entry),
                      field("phase", &LaunchForm::phase),
                      field("arguments", &LaunchForm::arguments),
                      defaulted("workspace_offset", &LaunchForm::workspace_offset),
                      field("grid", &LaunchForm::grid),
                      field("block", &LaunchForm::block),
                      defaulted("cluster", &LaunchForm::cluster),
                      defaulted("shared_bytes", &LaunchForm::shared_bytes)};
  }
  bool operator==(const LaunchForm&) const = default;
};

struct ReportForm {
  double compile_ms = 0;
  std::vector<std::string> notes;
  int registers = 0;
  std::int64_t spill_bytes = 0, static_shared_bytes = 0;
  std::string source_hash;
  static constexpr auto fields() {
    return std::tuple{field("compile_ms", &ReportForm::compile_ms),
                      defaulted("notes", &ReportForm::notes),
                      field("registers", &ReportForm::registers),
                      defaulted("spill_bytes", &ReportForm::spill_bytes),
                      defaulted("static_shared_bytes", &ReportForm::static_shared_bytes),
                      field("source_hash", &ReportForm::source_hash)};
  }
  bool operator==(const ReportForm&) const = default;
};

struct ImageForm {
  std::string target, object;
  std::vector<std::string> entries;
  std::vector<LaunchForm> launches;
  std::int64_t workspace_bytes = 0;
  std::vector<std::vector<std::int64_t>> zero_ranges;  // offset, bytes
  std::vector<ArgumentForm> arguments;
  double error_factor = 1, work_share = 1;
  ReportForm report;
  static constexpr auto fields() {
    return std::tuple{field("target", &ImageForm::target),
                      field("entries", &ImageForm::entries),
                      field("launches", &ImageForm::launches),
                      defaulted("workspace_bytes", &ImageForm::workspace_bytes),
                      defaulted("zero_ranges", &ImageForm::zero_ranges),
                      field("arguments", &ImageForm::arguments),
                      defaulted("error_factor", &ImageForm::error_factor),
                      defaulted("work_share", &ImageForm::work_share),
                      field("report", &ImageForm::report),
                      field("object", &ImageForm::object)};
  }
  bool operator==(const ImageForm&) const = default;
};

const std::vector<std::string> kRoles{"input", "constant", "prepared", "output"};
const std::vector<std::string> kPhases{"prepare", "run"};
const std::vector<std::string> kSlots{"tensor", "scalar", "tensor_map", "workspace"};

template <class T>
Status choose(const std::vector<std::string>& words, const std::string& word, T& out) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] != word) continue;
    out = static_cast<T>(i);
    return Done{};
  }
  return refuse("'", word.substr(0, 40), "' is not one of its words");
}

template <class T>
const std::string& word_of(const std::vector<std::string>& words, T value) {
  return words[static_cast<std::size_t>(value)];
}

std::vector<std::int64_t> triple(const Extent3& e) { return {e.x, e.y, e.z}; }

Status read_triple(const std::vector<std::int64_t>& t, Extent3& out) {
  if (t.size() != 3) return refuse("an extent has ", t.size(), " numbers, not 3");
  out = {t[0], t[1], t[2]};
  return Done{};
}

std::string hex(std::uint64_t x) {
  std::string out(16, '0');
  for (int i = 15; i >= 0; --i, x >>= 4) out[static_cast<std::size_t>(i)] = "0123456789abcdef"[x & 15];
  return out;
}

Result<std::uint64_t> read_hex(const std::string& text) {
  if (text.size() != 16 || text.find_first_not_of("0123456789abcdef") != std::string::npos) return refuse("'", text.substr(0, 40), "' is no hash");
  return std::stoull(text, nullptr, 16);
}

Result<Launch> launch_of(const LaunchForm& form) {
  Launch out;
  out.entry = form.entry;
  TESSERA_TRY_DONE(choose(kPhases, form.phase, out.phase));
  for (const SlotForm& s : form.arguments) {
    LaunchArgument a;
    TESSERA_TRY_DONE(choose(kSlots, s.kind, a.kind));
    a.value = s.value;
    out.arguments.push_back(a);
  }
  out.workspace_offset = form.workspace_offset;
  TESSERA_TRY_DONE(read_triple(form.grid, out.grid));
  TESSERA_TRY_DONE(read_triple(form.block, out.block));
  TESSERA_TRY_DONE(read_triple(form.cluster, out.cluster));
  out.shared_bytes = form.shared_bytes;
  return out;
}

}  // namespace

Json to_json_value(const KernelImage& image) {
  ImageForm form;
  form.target = image.target;
  form.object = to_base64(image.object);
  for (const Entry& e : image.entries) form.entries.push_back(e.name);
  for (const Launch& l : image.launches) {
    LaunchForm f{l.entry, word_of(kPhases, l.phase), {}, l.workspace_offset, triple(l.grid), triple(l.block), triple(l.cluster), l.shared_bytes};
    for (const LaunchArgument& a : l.arguments) f.arguments.push_back({word_of(kSlots, a.kind), a.value});
    form.launches.push_back(std::move(f));
  }
  form.workspace_bytes = image.workspace_bytes;
  for (const ByteRange& z : image.zero_ranges) form.zero_ranges.push_back({z.offset, z.bytes});
  for (const ArgumentContract& a : image.arguments) {
    form.arguments.push_back({a.name, ir::to_string(a.dtype), word_of(kRoles, a.role), a.shape, a.bytes, a.alignment});
  }
  form.error_factor = image.error_factor;
  form.work_share = image.work_share;
  const BuildReport& b = image.build;
  form.report = {b.compile_ms, b.notes, b.registers_per_thread, b.spill_bytes, b.static_shared_bytes, hex(b.source_hash)};
  return write_json(form);
}

Status from_json_value(const Json& j, KernelImage& out) {
  ImageForm form;
  TESSERA_TRY_DONE(read_json(j, form));
  out = {};
  out.target = form.target;
  TESSERA_TRY(object, from_base64(form.object));
  out.object = std::move(object);
  for (const std::string& e : form.entries) out.entries.push_back({e});
  for (const LaunchForm& l : form.launches) {
    TESSERA_TRY(launch, launch_of(l));
    out.launches.push_back(std::move(launch));
  }
  out.workspace_bytes = form.workspace_bytes;
  for (const auto& z : form.zero_ranges) {
    if (z.size() != 2) return refuse("a zero range has ", z.size(), " numbers, not 2");
    out.zero_ranges.push_back({z[0], z[1]});
  }
  for (const ArgumentForm& a : form.arguments) {
    ArgumentContract c;
    TESSERA_TRY(dtype, ir::parse_type(a.dtype));
    TESSERA_TRY_DONE(choose(kRoles, a.role, c.role));
    c.name = a.name;
    c.dtype = dtype;
    c.shape = a.shape;
    c.bytes = a.bytes;
    c.alignment = a.alignment;
    out.arguments.push_back(std::move(c));
  }
  out.error_factor = form.error_factor;
  out.work_share = form.work_share;
  TESSERA_TRY(source, read_hex(form.report.source_hash));
  out.build = {form.report.compile_ms, form.report.notes, form.report.registers, form.report.spill_bytes, form.report.static_shared_bytes, source};
  return check_image(out);
}

}  // namespace tessera::runtime
