#include <fmt/format.h>

#include "search/sketch.h"
#include "tools/autotune/commands.h"

namespace tessera::autotune {

namespace {

constexpr std::int64_t kCountLimit = 1'000'000;

std::string count_text(std::int64_t points) { return points >= kCountLimit ? "at least 1000000" : std::to_string(points); }

}  // namespace

int run_sketches(const SketchesArgs& args) {
  TESSERA_USER_CHECK(args.problem.given()) << "sketches needs a program: --op NAME, --preset NAME or --expr TEXT";
  const search::Task task = make_task(args.problem);
  const std::vector<search::Sketch> all = search::generate_sketches(task);
  if (args.json) {
    Json j = Json::object();
    j["op"] = task.op;
    j["target"] = task.target.text();
    j["threads"] = task.threads;
    j["sketches"] = Json::array();
    for (const search::Sketch& s : all) {
      j["sketches"].push_back(s.json());
      j["sketches"].back()["points"] = s.space.count(kCountLimit);
    }
    fmt::print("{}\n", dump_json(j));
    return 0;
  }
  fmt::print("{}\n", task.dag.to_string());
  for (const search::Sketch& s : all) fmt::print("{}  {} points\n\n", s.text(), count_text(s.space.count(kCountLimit)));
  return 0;
}

}  // namespace tessera::autotune
