#include "tuning_logs/record.h"


#include <algorithm>
#include <chrono>
#include <cmath>

#include "runtime/cpu/cpu_info.h"
#include "support/cache_sizes.h"

namespace tessera::runtime {

Json to_json_value(MeasureStatus status) { return std::string(to_string(status)); }

Status from_json_value(const Json& j, MeasureStatus& out) {
  TESSERA_TRY(word, json_string(j));
  TESSERA_TRY(status, parse_measure_status(std::string_view(word).substr(0, 40)));
  out = status;
  return Done{};
}

}  // namespace tessera::runtime

namespace tessera::tuning_logs {

namespace {

constexpr std::size_t kMaxNameBytes = 1 << 10;
constexpr std::size_t kMaxSamples = 4096;
constexpr std::int64_t kMaxNanoseconds = 1'000'000'000'000'000;  // eleven days

std::int64_t median(std::vector<std::int64_t> v) {
  if (v.empty()) return 0;
  const auto middle = v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2);
  std::nth_element(v.begin(), middle, v.end());
  return *middle;
}

bool is_hash(const std::string& s) {
  return s.size() >= 8 && s.size() <= 64 && s.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Status check_text(const char* what, const std::string& s, std::size_t most) {
  if (s.size() > most) return refuse(what, " has ", s.size(), " bytes; at most ", most, " are kept");
  return Done{};
}

Status check_task(const Record& r) {
  if (r.kind == RecordKind::kHeader && r.task == Task()) return Done{};
  if (!is_hash(r.task.hash)) return refuse("task.hash is not a hexadecimal hash");
  // The text is canonical, so that its bytes are enough: the program is not built to check it.
  if (hash_text(hash_bytes(r.task.dag.text())) != r.task.hash) return refuse("task.dag is not the program of task.hash");
  TESSERA_TRY_DONE(check_text("task.name", r.task.name, kMaxNameBytes));
  if (r.task.constants.size() > 64) return refuse("task.constants has ", r.task.constants.size(), " names");
  return Done{};
}

Status check_outcome(const Record& r) {
  const bool timed = !r.samples_ns.empty();
  if (r.ok() != timed) {
    return refuse(timed ? "a record that is not ok has samples_ns" : "an ok record has no samples_ns");
  }
  if (r.samples_ns.size() > kMaxSamples || r.probe_gflops.size() > kMaxSamples) {
    return refuse("more than ", kMaxSamples, " samples");
  }
  for (const std::int64_t s : r.samples_ns) {
    if (s < 1 || s > kMaxNanoseconds) return refuse("a sample of ", s, " ns");
  }
  for (const double p : r.probe_gflops) {
    if (!std::isfinite(p) || p < 0) return refuse("probe_gflops holds ", p);
  }
  if (!std::isfinite(r.compile_ms) || r.compile_ms < 0) return refuse("compile_ms is ", r.compile_ms);
  if (r.prepare_ns < 0 || r.prepare_ns > kMaxNanoseconds) return refuse("prepare_ns is ", r.prepare_ns);
  if (r.runs_per_sample < 0) return refuse("runs_per_sample is ", r.runs_per_sample);
  if (r.ok() && !(r.phase.empty() && r.message.empty())) return refuse("an ok record has a phase or message");
  return Done{};
}

/// One line of ASCII: compilers quote whatever a kernel holds, a record must read back.
std::string one_line(const std::string& s) {
  std::string out = s.substr(0, kMaxMessageBytes);
  for (char& c : out) {
    if (c == '\n' || c == '\t' || c == '\r') c = ' ';
    if (c < ' ' || c > '~') c = '?';
  }
  return out;
}

}  // namespace

const std::shared_ptr<const std::string>& ProgramText::empty() {
  static const auto text = std::make_shared<const std::string>();
  return text;
}

Json to_json_value(const ProgramText& p) {
  auto j = parse_json(p.text());
  return j.ok() ? std::move(*j) : Json(nullptr);
}

Status from_json_value(const Json& j, ProgramText& out) {
  if (!j.is_object()) return refuse("expected an object, found ", j.type_name());
  out = ProgramText(dump_json(j));
  return Done{};
}

Task make_task(const dsl::ComputeDag& dag, std::string name, Request request) {
  Task t;
  t.dag = ProgramText(dump_json(to_json_value(dag)));
  t.hash = hash_text(dag.hash());
  t.name = std::move(name);
  t.request = std::move(request);
  for (const dsl::Stage* s : dag.inputs()) {
    if (s->kind == dsl::OperationKind::kConstant) t.constants.push_back(s->name);
  }
  return t;
}

Machine this_machine(std::string tool) {
  const runtime::CpuInfo info = runtime::cpu_info();
  Machine m;
  m.cpu = info.name;
  m.isa = info.isa;
  m.cores = info.cores;
  const CacheSizes caches = read_cache_sizes();
  for (const std::int64_t bytes : {caches.l1, caches.l2, caches.l3}) {
    if (bytes <= 0) break;
    m.cache_bytes.push_back(bytes);
  }
  m.tool = std::move(tool);
  return m;
}

std::int64_t Record::median_ns() const { return ok() ? median(samples_ns) : 0; }

Record make_header(std::string target, Machine machine, int threads, std::int64_t seed) {
  Record r;
  r.kind = RecordKind::kHeader;
  r.target = std::move(target);
  r.machine = std::move(machine);
  r.threads = threads;
  r.seed = seed;
  r.time_ns = now_ns();
  return r;
}

void set_measurement(Record& r, const runtime::Measurement& m) {
  r.status = m.status;
  r.phase = m.ok() ? "" : one_line(m.phase);
  r.message = m.ok() ? "" : one_line(m.message);
  r.samples_ns = m.ok() ? m.samples_ns : std::vector<std::int64_t>();
  // A kernel faster than the clock's step is still a measured one.
  for (std::int64_t& s : r.samples_ns) s = std::max<std::int64_t>(s, 1);
  r.runs_per_sample = m.runs_per_sample;
  r.stopped_early = m.stopped_early;
  r.prepare_ns = m.prepare_ns;
  r.probe_gflops = m.probe_gflops;
}

runtime::Measurement measurement(const Record& r) {
  runtime::Measurement m;
  m.status = r.status;
  m.phase = r.phase;
  m.message = r.message;
  m.samples_ns = r.samples_ns;
  m.runs_per_sample = r.runs_per_sample;
  m.stopped_early = r.stopped_early;
  m.prepare_ns = r.prepare_ns;
  m.probe_gflops = r.probe_gflops;
  return m;
}

Result<dsl::ComputeDag> dag(const Record& r) {
  TESSERA_TRY(j, parse_json(r.task.dag.text()));
  dsl::ComputeDag out;
  TESSERA_TRY_DONE(from_json_value(j, out));
  const std::string hash = hash_text(out.hash());
  if (hash != r.task.hash) return refuse("the program's hash is ", hash, ", the record says ", r.task.hash);
  std::vector<std::string> constants;
  for (const dsl::Stage* s : out.inputs()) {
    if (s->kind == dsl::OperationKind::kConstant) constants.push_back(s->name);
  }
  if (constants != r.task.constants) return refuse("the record's constant operands are not the program's");
  return out;
}

Status check_record(const Record& r) {
  if (r.target.empty()) return refuse("target is empty");
  TESSERA_TRY_DONE(check_text("target", r.target, 4 * kMaxNameBytes));
  TESSERA_TRY_DONE(check_text("machine.cpu", r.machine.cpu, kMaxNameBytes));
  TESSERA_TRY_DONE(check_text("machine.isa", r.machine.isa, kMaxNameBytes));
  TESSERA_TRY_DONE(check_text("machine.tool", r.machine.tool, kMaxNameBytes));
  TESSERA_TRY_DONE(check_text("sketch", r.sketch, kMaxNameBytes));
  TESSERA_TRY_DONE(check_text("phase", r.phase, kMaxNameBytes));
  TESSERA_TRY_DONE(check_text("message", r.message, kMaxMessageBytes));
  if (r.threads < 1 || r.threads > 1 << 20) return refuse("threads is ", r.threads);
  if (r.batch < 0 || r.slot < 0 || r.trial < 0) return refuse("batch, slot or trial is negative");
  if (!r.program_hash.empty() && !is_hash(r.program_hash)) return refuse("program_hash is not a hexadecimal hash");
  if (!r.object_hash.empty() && !is_hash(r.object_hash)) return refuse("object_hash is not a hexadecimal hash");
  TESSERA_TRY_DONE(check_task(r));
  return check_outcome(r);
}

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string hash_text(std::uint64_t hash) {
  std::string out(16, '0');
  for (int i = 15; i >= 0; --i, hash >>= 4) out[static_cast<std::size_t>(i)] = "0123456789abcdef"[hash & 15];
  return out;
}

}  // namespace tessera::tuning_logs
