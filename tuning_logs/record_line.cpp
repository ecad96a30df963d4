// A record as one line of text and back.
#include <charconv>

#include "tuning_logs/detail/checked_line.h"
#include "tuning_logs/record.h"

namespace tessera::tuning_logs {

namespace {

/// Fields that a later minor version added are left out; those inside known objects are an error.
void drop_unknown_fields(Json& j) {
  for (auto it = j.begin(); it != j.end();) {
    const bool known = std::apply([&](const auto&... f) { return ((it.key() == f.name) || ...); }, Record::fields());
    it = known ? std::next(it) : j.erase(it);
  }
}

JsonLimits limits() {
  JsonLimits l;
  l.depth = 16;
  l.values = 20'000;
  l.string_bytes = 32 << 10;
  l.text_bytes = kMaxRecordBytes;
  return l;
}

DecodedLine damaged(const std::string& why) {
  DecodedLine d;
  d.kind = LineKind::kDamaged;
  d.reason = why;
  return d;
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }

DecodedLine decode_record(std::string_view line) {
  if (line.size() > kMaxRecordBytes) return damaged("longer than 64 KiB");
  const auto body = detail::checked_body(line);
  if (!body.ok()) return damaged(body.reason());
  // The checksum holds, so these are the bytes somebody wrote; whether they mean anything is next.
  auto j = parse_json("{" + std::string(*body), limits());
  if (!j.ok()) return damaged(j.reason());
  Schema schema;
  const auto member = json_member(*j, "schema");
  const Status read = member.ok() ? read_json(**member, schema) : Status(member.refusal());
  if (!read.ok()) return damaged("schema: " + read.reason());
  DecodedLine d;
  d.line = line;
  if (schema.major > kSchemaMajor) {
    d.kind = LineKind::kNewerSchema;
    return d;
  }
  if (schema.major != kSchemaMajor) return damaged("schema " + std::to_string(schema.major) + " does not exist");
  if (schema.minor > kSchemaMinor) drop_unknown_fields(*j);
  if (auto s = read_json(*j, d.record); !s.ok()) return damaged(s.reason());
  if (auto s = check_record(d.record); !s.ok()) return damaged(s.reason());
  d.kind = LineKind::kRecord;
  return d;
}

}  // namespace

Result<std::string> encode_record(const Record& r) {
  TESSERA_TRY_DONE(check_record(r));
  const std::string text = dump_json(write_json(r));
  std::string line = detail::checked_line(text);
  if (line.size() > kMaxRecordBytes) {
    return refuse("a log record of ", line.size(), " bytes is larger than 64 KiB; the program '", r.task.name.substr(0, 64),
                  "' takes ", r.task.dag.text().size(), " of them");
  }
  // A line that cannot be read back must not be acknowledged.
  if (const DecodedLine d = decode_record(line); d.kind != LineKind::kRecord) {
    return refuse("a log record would not read back: ", d.kind == LineKind::kDamaged ? d.reason : "schema");
  }
  return line;
}

DecodedLine decode_line(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  if (text.empty()) return {};
  try {
    // A damaged line break leaves other bytes beside a record that is itself intact.
    const std::size_t begin = text.find(detail::kCrcMark);
    const std::size_t end = text.rfind('}');
    if (begin == std::string_view::npos) {
      DecodedLine d = damaged("not a record");
      if (text.substr(0, 2) != "{\"" && text.find("\"schema\":{\"major\":") == std::string_view::npos) {
        d.kind = LineKind::kForeign;
      }
      return d;
    }
    if (end == std::string_view::npos || end < begin) return damaged("cut short");
    DecodedLine d = decode_record(text.substr(begin, end - begin + 1));
    d.fenced = begin == 0 && end + 1 == text.size();
    return d;
  } catch (const std::exception& e) {  // memory, or an error of a reader that should have refused
    return damaged(e.what());
  }
}

}  // namespace tessera::tuning_logs
