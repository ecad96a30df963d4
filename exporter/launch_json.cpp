// NAME.launch.json, schema tessera-launch/1 (docs/reference/launch_json.md), and the manifest of a CUDA export.
#include <algorithm>

#include "exporter/detail/cuda_bundle.h"
#include "support/fields.h"

namespace tessera::exporter {

namespace {

using runtime::LaunchArgumentKind;
using runtime::Phase;

Json triple(const runtime::Extent3& e) { return Json::array({e.x, e.y, e.z}); }

/// "9.0" of "\n.version 9.0\n".
std::string ptx_version(const std::string& ptx) {
  const std::size_t at = ptx.find("\n.version ");
  if (at == std::string::npos) return "";
  const std::size_t begin = at + 10;
  return ptx.substr(begin, ptx.find_first_not_of("0123456789.", begin) - begin);
}

Json image_json(const std::string& kind, const std::string& arch, const std::string& file, const std::string& bytes) {
  return {{"kind", kind}, {"arch", arch}, {"file", file}, {"bytes", bytes.size()}, {"sha256", sha256_hex(bytes)}};
}

Json images_json(const CudaBundle& b) {
  Json ptx = image_json("ptx", b.arch, b.name + ".ptx", b.ptx);
  ptx["isa"] = ptx_version(b.ptx);
  return Json::array({image_json("cubin", b.arch, b.cubin_file(), b.object), ptx});
}

Json kernels_json(const CudaBundle& b) {
  Json out = Json::array();
  for (const std::string& entry : b.entries) {
    const codegen::EntryReport* report = b.report.find(entry);
    const codegen::EntryReport known = report == nullptr ? codegen::EntryReport{} : *report;
    out.push_back({{"name", entry},
                   {"registers", known.registers},
                   {"spill_bytes", known.spill_bytes()},
                   {"static_shared_bytes", known.shared_bytes},
                   {"attributes", {{"max_dynamic_shared_bytes", b.dynamic_shared_bytes(entry)}}}});
  }
  return out;
}

Json values_json(const dsl::ValueRule& v) {
  switch (v.kind) {
    case dsl::ValueRule::Kind::kBelow: return {{"least", 0}, {"below", v.limit}};
    case dsl::ValueRule::Kind::kOffsets: return {{"offsets_to", v.limit}};
    default: return nullptr;  // no value of another kind leads out of an operand
  }
}

Json params_json(const CudaBundle& b) {
  Json out = Json::array();
  for (const Operand& o : b.operands) {
    Json p{{"name", o.name},
           {"operand", o.operand},
           {"role", role_word(o.role)},
           {"dtype", o.dtype},
           {"c_type", o.type},
           {"shape", o.shape},
           {"layout", o.is_prepared() ? "private" : "row-major"},
           {"bytes", o.bytes},
           {"alignment", o.alignment},
           {"constant", o.role == runtime::ArgumentRole::kConstant}};
    if (o.is_prepared()) p["offset"] = o.prepared_offset;
    if (Json values = values_json(o.values); !values.is_null()) p["values"] = std::move(values);
    out.push_back(std::move(p));
  }
  return out;
}

Json argument_json(const CudaBundle& b, const runtime::Launch& l, const runtime::LaunchArgument& a) {
  switch (a.kind) {
    case LaunchArgumentKind::kTensor: return {{"param", b.operands[static_cast<std::size_t>(a.value)].name}};
    case LaunchArgumentKind::kWorkspace: return {{"workspace", l.workspace_offset + a.value}};
    case LaunchArgumentKind::kScalar: return {{"scalar", a.value}};
    case LaunchArgumentKind::kTensorMap: break;  // refused by make_cuda_bundle
  }
  return nullptr;
}

Json launches_json(const CudaBundle& b) {
  Json out = Json::array();
  for (const runtime::Launch& l : b.launches) {
    Json arguments = Json::array();
    for (const runtime::LaunchArgument& a : l.arguments) arguments.push_back(argument_json(b, l, a));
    out.push_back({{"phase", l.phase == Phase::kPrepare ? "prepare" : "run"},
                   {"kernel", l.entry},
                   {"grid", triple(l.grid)},
                   {"block", triple(l.block)},
                   {"cluster", triple(l.cluster)},
                   {"dynamic_shared_bytes", l.shared_bytes},
                   {"arguments", std::move(arguments)}});
  }
  return out;
}

Json workspace_json(const CudaBundle& b) {
  Json zero = Json::array();
  for (const runtime::ByteRange& z : b.zero_ranges) zero.push_back({{"offset", z.offset}, {"bytes", z.bytes}});
  return {{"bytes", b.workspace_bytes}, {"alignment", kCudaWorkspaceAlignment}, {"zero", std::move(zero)}};
}

Json preconditions(const CudaBundle& b) {
  Json out = Json::array({"a device of " + b.arch + ", for which the cubin was compiled", "outputs overlap no other operand"});
  for (const Operand& o : b.operands) {
    const std::string limit = std::to_string(o.values.limit);
    if (o.values.kind == dsl::ValueRule::Kind::kBelow) out.push_back("values of " + o.name + " are from 0 to below " + limit);
    if (o.values.kind == dsl::ValueRule::Kind::kOffsets) out.push_back("values of " + o.name + " never fall, from 0 to " + limit + " in the last");
  }
  if (b.counts) out.push_back("calls with one loaded image do not overlap on the device: put them into one stream");
  return out;
}

Json tuned_on_json(const CudaBundle& b) {
  if (!b.tuned_on) return nullptr;
  const TunedOn& t = *b.tuned_on;
  const auto known = [](const std::string& s) { return s.empty() ? Json(nullptr) : Json(s); };
  return {{"device", known(t.device)}, {"tool", known(t.tool)}, {"sketch", known(t.sketch)},
          {"trial", t.trial},          {"median_ns", t.median_ns}, {"samples", t.samples}};
}

}  // namespace

std::string launch_json_text(const CudaBundle& b) {
  Json j = Json::object();
  j["schema"] = "tessera-launch/1";
  j["name"] = b.name;
  j["description"] = b.description;
  j["tool"] = b.tool;
  j["target"] = b.target;
  j["source"] = {{"file", b.name + ".cu"}, {"sha256", sha256_hex(b.text)}};
  j["images"] = images_json(b);
  j["kernels"] = kernels_json(b);
  j["params"] = params_json(b);
  j["launches"] = launches_json(b);
  j["workspace"] = workspace_json(b);
  j["prepared"] = {{"bytes", b.prepared_bytes}, {"alignment", b.prepared_alignment}};
  j["preconditions"] = preconditions(b);
  j["tuned_on"] = tuned_on_json(b);
  j["graph_capture_safe"] = true;  // launches and fills of one stream, nothing else
  return j.dump(2) + "\n";
}

std::string cuda_manifest_text(const CudaBundle& b, const std::vector<BundledFile>& files) {
  Json j = Json::object();
  j["tessera_export"] = 1;
  j["name"] = b.name;
  j["description"] = b.description;
  j["tool"] = b.tool;
  j["target"] = b.target;
  j["launch"] = b.name + ".launch.json";
  Json hashes = Json::object();
  for (const BundledFile& f : files) hashes[f.name] = sha256_hex(f.bytes);
  j["sha256"] = std::move(hashes);
  return j.dump(2) + "\n";
}

}  // namespace tessera::exporter
