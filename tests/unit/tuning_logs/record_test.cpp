#include <gtest/gtest.h>

#include <cstdio>
#include <limits>

#include "tests/unit/tuning_logs/sample.h"

namespace tessera::tuning_logs {
namespace {

using testing::failure;
using testing::header;
using testing::trial;

Record round_trip(const Record& r) {
  const auto line = encode_record(r);
  EXPECT_TRUE(line.ok()) << line.reason();
  const DecodedLine d = decode_line(*line);
  EXPECT_EQ(d.kind, LineKind::kRecord) << d.reason;
  EXPECT_TRUE(d.fenced);
  EXPECT_EQ(d.line, *line);
  return d.record;
}

TEST(LogRecord, RoundTripsEveryKind) {
  for (const Record& r : {trial(3), failure(4), header()}) EXPECT_EQ(round_trip(r), r);
  Record f = trial(9);
  f.kind = RecordKind::kFinal;
  f.prepare_ns = 123456;
  f.stopped_early = true;
  EXPECT_EQ(round_trip(f), f);
}

TEST(LogRecord, HoldsThePolyhedralPlanToo) {
  Record r = trial(1);
  schedule::PolyhedralDecisions d;
  d.target = "cpu";
  d.groups = {{{"i"}, {{"C", {"i"}}}}};
  d.sizes = {{"C.rows", 4}};
  r.plan = d;
  EXPECT_EQ(round_trip(r), r);
}

TEST(LogRecord, NumbersComeBackBitForBit) {
  Record r = trial(0);
  r.probe_gflops = {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, 123456789.123456789, 0.0};
  r.samples_ns = {1, 999'999'999'999'999};
  EXPECT_EQ(round_trip(r), r);
}

TEST(LogRecord, HoldsItsProgram) {
  const auto d = dag(round_trip(trial(0)));
  ASSERT_TRUE(d.ok()) << d.reason();
  EXPECT_EQ(d->to_string(), testing::matmul().to_string());
  EXPECT_EQ(d->hash(), testing::matmul().hash());
  EXPECT_EQ(trial(0).task.constants, std::vector<std::string>{"B"});
}

TEST(LogRecord, ProgramOfAnotherHashIsRefused) {
  Record r = trial(0);
  r.task.dag = ProgramText(dump_json(to_json_value(testing::matmul(65))));
  EXPECT_FALSE(encode_record(r).ok());
  EXPECT_FALSE(dag(r).ok());
  r = trial(0);
  r.task.constants.clear();
  EXPECT_FALSE(dag(r).ok());
}

TEST(LogRecord, NoTimeIsInvented) {
  Record r = failure(0);
  r.samples_ns = {100};
  EXPECT_FALSE(encode_record(r).ok());
  r = trial(0);
  r.samples_ns.clear();
  EXPECT_FALSE(encode_record(r).ok());
  r = trial(0);
  r.samples_ns = {0};
  EXPECT_FALSE(encode_record(r).ok());
  r = trial(0);
  r.probe_gflops = {std::numeric_limits<double>::infinity()};
  EXPECT_FALSE(encode_record(r).ok());
  r.probe_gflops = {std::numeric_limits<double>::quiet_NaN()};
  EXPECT_FALSE(encode_record(r).ok());
}

TEST(LogRecord, AMeasurementGoesInAndOut) {
  runtime::Measurement m;
  m.status = runtime::MeasureStatus::kOk;
  m.samples_ns = {5, 3, 4};
  m.runs_per_sample = 10;
  m.prepare_ns = 7;
  m.probe_gflops = {50.5};
  Record r = trial(0);
  set_measurement(r, m);
  EXPECT_EQ(round_trip(r).median_ns(), 4);
  EXPECT_EQ(measurement(r), m);
}

TEST(LogRecord, MessagesAreOneReadableLine) {
  Record r = trial(0);
  set_measurement(r, runtime::failed_measurement(runtime::MeasureStatus::kCompileError, "compile",
                                                 "line 1\nline 2\t\x01\xff\xc3" + std::string(10000, 'x')));
  const Record back = round_trip(r);
  EXPECT_EQ(back.message.size(), kMaxMessageBytes);
  EXPECT_EQ(back.message.substr(0, 18), "line 1 line 2 ???x");
}

TEST(LogRecord, ATooLargeProgramIsRefusedClearly) {
  Record r = trial(0);
  Json j = Json::object();
  for (int i = 0; i < 5000; ++i) j["stage" + std::to_string(i)] = 123456789;
  r.task.dag = ProgramText(dump_json(j));
  r.task.hash = hash_text(hash_bytes(r.task.dag.text()));
  const auto line = encode_record(r);
  ASSERT_FALSE(line.ok());
  EXPECT_NE(line.reason().find("larger than 64 KiB"), std::string::npos) << line.reason();
}

/// A line whose checksum holds, whatever its text.
std::string with_crc(const std::string& body) {
  std::uint32_t c = ~0U;
  for (const char ch : body) {
    c ^= static_cast<unsigned char>(ch);
    for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ ((c & 1) != 0 ? 0x82f63b78U : 0U);
  }
  char hex[9];
  std::snprintf(hex, sizeof hex, "%08x", ~c);
  return "{\"crc\":\"" + std::string(hex) + "\"," + body;
}

std::string body_of(const Record& r) { return encode_record(r)->substr(18); }

std::string replaced(std::string s, const std::string& from, const std::string& to) {
  const auto at = s.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? s : s.replace(at, from.size(), to);
}

TEST(LogRecord, ChecksumIsPlainCrc32cOverTheRest) {
  EXPECT_EQ(with_crc(body_of(trial(0))).size(), encode_record(trial(0))->size());
  const DecodedLine d = decode_line(with_crc(body_of(trial(2))));
  EXPECT_EQ(d.kind, LineKind::kRecord) << d.reason;
}

TEST(LogRecord, ANewerMajorIsCountedAndANewerMinorIsRead) {
  const std::string body = body_of(trial(0));
  EXPECT_EQ(decode_line(with_crc(replaced(body, "\"major\":1", "\"major\":2"))).kind, LineKind::kNewerSchema);
  EXPECT_EQ(decode_line(with_crc(replaced(body, "\"major\":1", "\"major\":0"))).kind, LineKind::kDamaged);
  const std::string later = replaced(body, "\"minor\":0}", "\"minor\":3},\"energy_nj\":[1,2]");
  EXPECT_EQ(decode_line(with_crc(later)).kind, LineKind::kRecord);
  const std::string typo = replaced(body, "\"minor\":0}", "\"minor\":0},\"energy_nj\":[1,2]");
  EXPECT_EQ(decode_line(with_crc(typo)).kind, LineKind::kDamaged);
}

TEST(LogRecord, HostileNumbersAndTextsAreDamage) {
  const std::string body = body_of(trial(0));
  const std::pair<const char*, std::vector<std::string>> attacks[] = {
      {"\"threads\":1", {"\"threads\":0", "\"threads\":-1", "\"threads\":1e9", "\"threads\":9223372036854775808",
                         "\"threads\":true", "\"threads\":\"1\"", "\"threads\":null", "\"threads\":1,\"threads\":1",
                         "\"threads\":2147483648", "\"threads\":1.5"}},
      {"\"kind\":\"trial\"", {"\"kind\":\"Trial\"", "\"kind\":7", "\"kind\":\"header\""}},
      {"\"status\":\"ok\"", {"\"status\":\"OK\"", "\"status\":\"crash\"", "\"status\":{}"}},
      {"\"samples_ns\":[1000", {"\"samples_ns\":[-5", "\"samples_ns\":[NaN", "\"samples_ns\":[1e999", "\"samples_ns\":[0"}},
      {"101.25", {"-1.0", "1e999", "Infinity"}},
      {"\"fedcba9876543210\"", {"\"../../etc/passwd\"", "\"\\ud800\"", "\"\xff\xfe\""}},
      {"\"split\"", {"\"exec\"", "\"../split\""}},
  };
  for (const auto& [from, tos] : attacks) {
    for (const std::string& to : tos) {
      const DecodedLine d = decode_line(with_crc(replaced(body, from, to)));
      EXPECT_EQ(d.kind, LineKind::kDamaged) << to;
      EXPECT_FALSE(d.reason.empty());
    }
  }
}

TEST(LogRecord, ForeignTextIsNamedAsSuch) {
  for (const char* text : {"hello", "[1,2,3]", "# comment", "\xff\xfe\x00", "int main() {}"}) {
    EXPECT_EQ(decode_line(text).kind, LineKind::kForeign) << text;
  }
  EXPECT_EQ(decode_line(" \t\r").kind, LineKind::kBlank);
  EXPECT_EQ(decode_line("").kind, LineKind::kBlank);
}

}  // namespace
}  // namespace tessera::tuning_logs
