#include "cost_model/prior.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "cost_model/detail/prior_file.h"

namespace tessera::cost_model {

namespace {

constexpr std::string_view kMagic = "tessera cost model prior\n";
constexpr int kFormat = 3;
constexpr std::size_t kMostHeader = 1 << 16, kMostBytes = 64u << 20;
constexpr const char* kRemedy = "; 'autotune train' makes a new one";

std::string hex(std::uint64_t x) {
  std::ostringstream out;
  out << std::hex << x;
  return out.str();
}

}  // namespace

Prior::Prior(Booster booster, DraftCoefficients draft, PriorInfo info)
    : booster_(std::move(booster)), draft_(draft), info_(std::move(info)) {}

Result<std::vector<double>> Prior::score(std::span<const Features> programs) const {
  PackedRows rows(feature_count());
  for (const Features& p : programs) rows.add(p.values);
  return booster_.predict_parts(rows, draft_parts(programs, draft_));
}

Result<std::string> Prior::bytes() const {
  TESSERA_TRY(trees, booster_.save());
  detail::PriorHeader h;
  h.format = kFormat;
  h.features = hex(feature_hash());
  h.info = info_;
  h.draft.assign(draft_.begin(), draft_.end());
  return std::string(kMagic) + dump_json(write_json(h)) + "\n" + trees;
}

Status Prior::save(const std::string& path) const {
  TESSERA_TRY(text, bytes());
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (!file) return refuse("the prior cannot be written to '", path, "'; a writable place works");
  return Done{};
}

Result<Prior> Prior::from_bytes(std::string_view bytes, const std::string& origin) {
  if (!bytes.starts_with(kMagic)) return refuse("'", origin, "' is no prior of a cost model", kRemedy);
  bytes.remove_prefix(kMagic.size());
  const std::size_t end = bytes.substr(0, kMostHeader).find('\n');
  if (end == std::string_view::npos) return refuse("the prior '", origin, "' is damaged: it has no header", kRemedy);
  const std::string_view trees = bytes.substr(end + 1);
  const auto json = parse_json(bytes.substr(0, end));
  if (!json.ok()) return refuse("the prior '", origin, "' is damaged: ", json.reason(), kRemedy);
  if (const auto f = json->find("format"); f != json->end() && *f != kFormat) {
    return refuse("the prior '", origin, "' has format ", dump_json(*f), ", this program reads ", kFormat, kRemedy);
  }
  detail::PriorHeader h;
  if (auto read = read_json(*json, h); !read.ok()) return refuse("the prior '", origin, "' is damaged: ", read.reason(), kRemedy);
  if (h.features != hex(feature_hash())) return refuse("the prior '", origin, "' was made from other features", kRemedy);
  if (h.draft.size() != kDraftTerms) return refuse("the prior '", origin, "' is damaged: its draft has ", h.draft.size(), " terms", kRemedy);
  auto booster = Booster::load(trees, feature_count());
  if (!booster.ok()) return refuse("the prior '", origin, "' is damaged: ", booster.reason(), kRemedy);
  DraftCoefficients draft{};
  std::copy(h.draft.begin(), h.draft.end(), draft.begin());
  return Prior(std::move(*booster), draft, h.info);
}

Result<Prior> Prior::load(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return refuse("the prior '", path, "' cannot be read", kRemedy);
  std::string text;
  for (char block[1 << 16]; file.read(block, sizeof block) || file.gcount() > 0;) {
    text.append(block, static_cast<std::size_t>(file.gcount()));
    if (text.size() > kMostBytes) return refuse("'", path, "' is too large for a prior of a cost model", kRemedy);
  }
  return from_bytes(text, path);
}

}  // namespace tessera::cost_model
