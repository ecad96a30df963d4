// One line of a tuning log: what was asked, what was tried, where, and what became of it. A record
// holds everything that is needed to build its kernel again (the program's JSON and the plan), so a
// log outlives the program that wrote it. FORMAT.md is the same for people outside.
//
// A record is data. Reading one checks its checksum, its types, its ranges and the hash of its
// program; it never runs, opens or loads anything that the record names.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/dag.h"
#include "runtime/measurement.h"
#include "schedule/step.h"
#include "support/fields.h"

namespace tessera::runtime {

/// The words of a status in a log.
Json to_json_value(MeasureStatus status);
Status from_json_value(const Json& j, MeasureStatus& out);

}  // namespace tessera::runtime

namespace tessera::tuning_logs {

/// A reader refuses another major number; a minor one only adds fields that may be left out.
inline constexpr int kSchemaMajor = 1;
inline constexpr int kSchemaMinor = 0;
inline constexpr std::size_t kMaxRecordBytes = 64 << 10;  // of a line, without its line breaks
inline constexpr std::size_t kMaxMessageBytes = 2 << 10;  // longer ones are cut when written

struct Schema {
  int major = kSchemaMajor;
  int minor = kSchemaMinor;
  static constexpr auto fields() {
    return std::tuple{field("major", &Schema::major), field("minor", &Schema::minor)};
  }
  bool operator==(const Schema&) const = default;
};

/// A program's canonical JSON as text. Records of one program share it in memory.
class ProgramText {
 public:
  ProgramText() : text_(empty()) {}
  explicit ProgramText(std::string text)
      : text_(std::make_shared<const std::string>(std::move(text))) {}
  const std::string& text() const { return *text_; }
  bool operator==(const ProgramText& o) const { return text_ == o.text_ || *text_ == *o.text_; }

 private:
  static const std::shared_ptr<const std::string>& empty();
  std::shared_ptr<const std::string> text_;
};
Json to_json_value(const ProgramText& p);
Status from_json_value(const Json& j, ProgramText& out);

/// What the user typed, for people and for searching; nothing is rebuilt from it.
struct Request {
  std::string op, preset;                    // a name of the catalogue
  std::map<std::string, std::int64_t> shape;
  std::string layout, dtype;                 // empty: the operator's default
  std::string expr;                          // instead of `op`
  std::map<std::string, std::int64_t> where;
  static constexpr auto fields() {
    return std::tuple{defaulted("op", &Request::op),         defaulted("preset", &Request::preset),
                      defaulted("shape", &Request::shape),   defaulted("layout", &Request::layout),
                      defaulted("dtype", &Request::dtype),   defaulted("expr", &Request::expr),
                      defaulted("where", &Request::where)};
  }
  bool operator==(const Request&) const = default;
};

struct Task {
  std::string hash;                    // 16 hexadecimal digits: the hash of `dag`
  std::string name;                    // "matmul", or the expression
  Request request;
  std::vector<std::string> constants;  // operands that may be prepared ahead
  ProgramText dag;
  static constexpr auto fields() {
    return std::tuple{field("hash", &Task::hash), field("name", &Task::name),
                      defaulted("request", &Task::request), defaulted("constants", &Task::constants),
                      field("dag", &Task::dag)};
  }
  bool operator==(const Task&) const = default;
};
/// The task of a program: hash, text and constants are filled from it.
Task make_task(const dsl::ComputeDag& dag, std::string name, Request request = {});

/// Where a record was measured.
struct Machine {
  std::string cpu;                          // the vendor's name
  std::string isa;                          // "avx512+vnni", for people
  int cores = 0;                            // that the process could use
  std::vector<std::int64_t> cache_bytes;    // L1 data, L2, L3; empty where the system does not say
  std::string tool;                         // name and version of the writer, "tessera 0.1.0"
  std::string device{};                     // CUDA targets: the device that measured, "NVIDIA H200"
  static constexpr auto fields() {
    return std::tuple{field("cpu", &Machine::cpu), field("isa", &Machine::isa),
                      field("cores", &Machine::cores), defaulted("cache_bytes", &Machine::cache_bytes),
                      field("tool", &Machine::tool), defaulted("device", &Machine::device)};
  }
  bool operator==(const Machine&) const = default;
};
Machine this_machine(std::string tool);

enum class RecordKind : std::uint8_t {
  kHeader,  // a writer begins here: schema, machine, target, threads, seed, tool; no measurement
  kTrial,   // one candidate of the search
  kFinal,   // the re-measurement of a best candidate, interleaved with the other best ones
};
inline std::vector<std::string> enum_names(RecordKind) { return {"header", "trial", "final"}; }

struct Record {
  Schema schema;
  RecordKind kind = RecordKind::kTrial;
  Task task;
  std::string target;       // ir::Target::text(), resolved
  Machine machine;
  int threads = 1;
  std::int64_t seed = 0;    // of the search
  std::string sketch;       // the sketch the plan is a point of; empty for a person's plan
  std::map<std::string, std::int64_t> decisions;  // the values of the sketch's holes
  int batch = 0, slot = 0;  // place in the search: proposals depend on (seed, batch, slot) only
  int trial = 0;            // counted over all runs of a log
  schedule::Plan plan;
  runtime::MeasureStatus status = runtime::MeasureStatus::kOk;
  std::string phase, message;              // of a failure; empty when ok
  std::vector<std::int64_t> samples_ns;    // nanoseconds of one run each; empty unless ok
  std::int64_t runs_per_sample = 0;
  bool stopped_early = false;              // left after few samples: too far behind the best
  std::int64_t prepare_ns = 0;             // packing of constant operands, once
  std::vector<double> probe_gflops;        // peak of an FMA loop, between the samples
  std::string program_hash, object_hash;   // hexadecimal; empty when there was none
  double compile_ms = 0;
  std::int64_t time_ns = 0;                // wall clock since 1970 when written; metadata only
  static constexpr auto fields() {
    return std::tuple{field("schema", &Record::schema),
                      field("kind", &Record::kind),
                      defaulted("task", &Record::task),
                      field("target", &Record::target),
                      field("machine", &Record::machine),
                      field("threads", &Record::threads),
                      field("seed", &Record::seed),
                      defaulted("sketch", &Record::sketch),
                      defaulted("decisions", &Record::decisions),
                      defaulted("batch", &Record::batch),
                      defaulted("slot", &Record::slot),
                      defaulted("trial", &Record::trial),
                      defaulted("plan", &Record::plan),
                      field("status", &Record::status),
                      defaulted("phase", &Record::phase),
                      defaulted("message", &Record::message),
                      defaulted("samples_ns", &Record::samples_ns),
                      defaulted("runs_per_sample", &Record::runs_per_sample),
                      defaulted("stopped_early", &Record::stopped_early),
                      defaulted("prepare_ns", &Record::prepare_ns),
                      defaulted("probe_gflops", &Record::probe_gflops),
                      defaulted("program_hash", &Record::program_hash),
                      defaulted("object_hash", &Record::object_hash),
                      defaulted("compile_ms", &Record::compile_ms),
                      field("time_ns", &Record::time_ns)};
  }
  bool operator==(const Record&) const = default;

  bool ok() const { return kind != RecordKind::kHeader && status == runtime::MeasureStatus::kOk; }
  /// Of the samples; 0 unless ok.
  std::int64_t median_ns() const;
};

/// A header for `target`: what a writer begins with.
Record make_header(std::string target, Machine machine, int threads, std::int64_t seed);

/// Status, phase, message, samples, prepare time and probes both ways.
void set_measurement(Record& r, const runtime::Measurement& m);
runtime::Measurement measurement(const Record& r);

/// The program of a record, through the strict reader of dsl; refuses a text that is no program, one
/// whose hash is not the task's, and constants that are not its own. May take milliseconds.
Result<dsl::ComputeDag> dag(const Record& r);

/// First thing that cannot be true of a record: a failure with samples, a success without, a number
/// that is not finite or out of range, a text that is too long, a program of another hash.
Status check_record(const Record& r);

std::int64_t now_ns();               // wall clock, for time_ns
std::string hash_text(std::uint64_t hash);  // 16 hexadecimal digits, as in records

// --- The line of a record -------------------------------------------------------------------

/// {"crc":"1a2b3c4d",...} without line breaks: `crc` is CRC-32C over the bytes that follow its comma,
/// up to the end of the line. Refuses what check_record refuses, what would not read back, and more
/// than kMaxRecordBytes.
Result<std::string> encode_record(const Record& r);

enum class LineKind {
  kBlank,
  kRecord,
  kNewerSchema,  // intact, of a later schema major: counted, not read
  kDamaged,      // was a record once, or looks like one
  kForeign,      // no trace of a record
};
struct DecodedLine {
  LineKind kind = LineKind::kBlank;
  Record record;           // kRecord
  std::string_view line;   // the record's own bytes inside the text (kRecord, kNewerSchema)
  bool fenced = true;      // false: other bytes stand on the same line, so a line break was damaged
  std::string reason;      // kDamaged, kForeign
};
/// Reads what stands between two line breaks. Never throws; takes under 100 ms.
DecodedLine decode_line(std::string_view text);

}  // namespace tessera::tuning_logs
