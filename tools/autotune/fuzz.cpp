#include "tools/autotune/fuzz.h"

#include <unistd.h>

#include <cstdio>

#include "driver/fuzz/fuzz.h"
#include "ir/target.h"
#include "support/error.h"

namespace tessera::autotune {

namespace {

constexpr int kWrongNumbers = 5;

Json counts(const std::map<std::string, std::int64_t>& by_word) {
  Json j = Json::object();
  for (const auto& [word, n] : by_word) j[word] = n;
  return j;
}

Json to_json(const driver::FuzzReport& r) {
  Json j = Json::object();
  j["pairs"] = r.pairs;
  j["mismatches"] = static_cast<std::int64_t>(r.mismatches.size());
  j["native"] = r.native;
  j["refused_by_lowering"] = r.refused_lowering;
  j["illegal_refused"] = r.steps.illegal_refused;
  j["steps_applied"] = counts(r.steps.applied);
  j["steps_refused"] = counts(r.steps.refused);
  j["seconds"] = r.seconds;
  Json found = Json::array();
  for (const driver::Mismatch& m : r.mismatches) {
    Json one = m.reproducer;
    one["seed"] = m.seed;
    one["program"] = m.program;
    one["schedule"] = m.schedule;
    found.push_back(std::move(one));
  }
  j["found"] = std::move(found);
  return j;
}

void print(const driver::FuzzReport& r) {
  std::printf("%-22s %9s %9s\n", "step", "applied", "refused");
  for (const auto& [word, n] : r.steps.applied) {
    const auto refused = r.steps.refused.find(word);
    std::printf("%-22s %9lld %9lld\n", word.c_str(), static_cast<long long>(n),
                static_cast<long long>(refused == r.steps.refused.end() ? 0 : refused->second));
  }
  std::printf("%-22s %9d %9lld\n", "illegal on purpose", 0, static_cast<long long>(r.steps.illegal_refused));
  std::printf("run as machine code or emulated: %lld, refused by lowering: %lld, %.1f s\n", static_cast<long long>(r.native),
              static_cast<long long>(r.refused_lowering), r.seconds);
  for (const driver::Mismatch& m : r.mismatches) {
    std::printf("\nmismatch: seed %llu, program %d, schedule %d\n%s\n%s\nreproducer: %s\n",
                static_cast<unsigned long long>(m.seed), m.program, m.schedule, m.what.c_str(), m.text.c_str(),
                dump_json(m.reproducer).c_str());
  }
}

}  // namespace

int run_fuzz(const FuzzArgs& args) {
  TESSERA_USER_CHECK(args.programs >= 1 && args.schedules >= 1) << "--programs and --schedules must be at least 1";
  driver::FuzzOptions o;
  o.programs = args.programs;
  o.schedules = args.schedules;
  o.seed = args.seed;
  o.target = args.target;
  TESSERA_USER_CHECK(ir::parse_target(args.target).ok()) << "--target: " << ir::parse_target(args.target).reason();
  if (!args.mutant.empty()) o.mutant = driver::parse_mutant(args.mutant).or_throw();
  const bool live = isatty(STDERR_FILENO) != 0;
  const std::int64_t total = std::int64_t{args.programs} * args.schedules;
  o.progress = [&](std::int64_t pairs, std::int64_t mismatches) {
    if (!live && pairs % 500 != 0) return;
    std::fprintf(stderr, "%sfuzz: %lld of %lld pairs, %lld mismatches%s", live ? "\r" : "", static_cast<long long>(pairs),
                 static_cast<long long>(total), static_cast<long long>(mismatches), live ? "" : "\n");
  };
  const driver::FuzzReport report = driver::fuzz(o);
  if (live) std::fprintf(stderr, "\n");
  if (args.json) {
    std::printf("%s\n", dump_json(to_json(report)).c_str());
  } else {
    print(report);
    std::printf("pairs: %lld mismatches: %zu\n", static_cast<long long>(report.pairs), report.mismatches.size());
  }
  return report.mismatches.empty() ? 0 : kWrongNumbers;
}

}  // namespace tessera::autotune
