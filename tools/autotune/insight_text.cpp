#include "tools/autotune/insight_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace tessera::autotune {

std::string printable(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = [&](std::size_t k) { return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0U; };
    const bool control = (byte(0) < ' ' && text[i] != '\n' && text[i] != '\t') || byte(0) == 0x7f;
    const bool late_control = byte(0) == 0xc2 && byte(1) >= 0x80 && byte(1) < 0xa0;  // U+0080 to U+009F
    const bool direction = byte(0) == 0xe2 && ((byte(1) == 0x80 && byte(2) >= 0xaa && byte(2) <= 0xae) || (byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9));
    out += control || late_control || direction ? '?' : text[i];
    i += direction ? 2 : late_control ? 1 : 0;
  }
  return out;
}

std::string task_title(const tuning_logs::Record& r) {
  const tuning_logs::Request& q = r.task.request;
  std::string out = q.preset.empty() ? r.task.name : r.task.name + " " + q.preset;
  std::string extents;
  for (const auto& [name, extent] : q.op.empty() ? q.where : q.shape) extents += fmt::format("{}{}={}", extents.empty() ? "" : ", ", name, extent);
  if (!extents.empty()) out += " " + extents;
  if (!q.layout.empty()) out += " " + q.layout;
  if (!q.dtype.empty()) out += " " + q.dtype;
  return printable(out);
}

std::string short_target(const std::string& target) {
  std::string out;
  std::istringstream words(target);
  for (std::string word; words >> word;) {
    if (!word.starts_with("-mattr=") && !word.starts_with("-mtriple=")) out += (out.empty() ? "" : " ") + word;
  }
  return printable(out);
}

std::vector<std::string> plan_lines(const schedule::Plan& plan) {
  const auto* steps = std::get_if<schedule::StepList>(&plan);
  if (steps == nullptr) return {printable(dump_json(to_json_value(plan)))};
  std::vector<std::string> out;
  for (const schedule::Step& s : *steps) out.push_back(printable(schedule::to_string(s)));
  return out;
}

std::string decisions_text(const std::map<std::string, std::int64_t>& decisions) {
  std::string out;
  for (const auto& [hole, value] : decisions) out += fmt::format("{}{}={}", out.empty() ? "" : " ", hole, value);
  return printable(out);
}

std::string sketch_text(const std::string& sketch) { return sketch.empty() ? "by hand" : printable(sketch); }

std::string level_text(const tuning_logs::HoleLevel& level) {
  return level.low == level.high ? std::to_string(level.low) : fmt::format("{}..{}", level.low, level.high);
}

std::string doubt_text(const tuning_logs::HoleImportance& hole) {
  if (hole.values == 1) return "one value was tried";
  if (!hole.share) return "not enough points";
  return hole.chance > tuning_logs::kChance ? "may be chance" : "";
}

bool stands(const std::vector<tuning_logs::HoleImportance>& holes) {
  return std::any_of(holes.begin(), holes.end(), [](const tuning_logs::HoleImportance& h) { return doubt_text(h).empty(); });
}

std::string cause_text(const tuning_logs::FailureGroup& group) {
  std::string out(runtime::to_string(group.status));
  if (!group.phase.empty()) out += " in " + group.phase;
  if (!group.cause.empty()) out += ": " + group.cause;
  return printable(out);
}

std::string nothing_ran_text(const tuning_logs::TaskInsight& task) {
  if (task.best) return "";
  const std::size_t n = task.trials.size();
  return fmt::format("no candidate ran correctly: {} failed", n == 1 ? "the only trial" : fmt::format("all {} trials", n));
}

tuning_logs::LogContents read_with_damage(const std::string& log) {
  tuning_logs::LogContents contents = tuning_logs::read_records(log);
  if (const std::string damage = tuning_logs::describe_damage(contents.scan); !damage.empty()) {
    fmt::print(stderr, "autotune: {}: {}\n", log, damage);
  }
  TESSERA_ENVIRONMENT_CHECK(!contents.records.empty()) << "log '" << log << "' holds no trial yet; autotune --log appends them";
  return contents;
}

}  // namespace tessera::autotune
