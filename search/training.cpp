#include "search/training.h"

#include <algorithm>

#include "driver/compile.h"
#include "search/feature_source.h"

namespace tessera::search {

Result<cost_model::Machine> machine_of(const Recording& r) {
  TESSERA_TRY(named, ir::parse_target(r.target));
  const ir::Target target = driver::resolve_target(named.text());  // with the sizes of its vectors
  CacheSizes caches;
  const std::vector<std::int64_t>& bytes = r.machine.cache_bytes;
  if (bytes.size() > 0) caches.l1 = bytes[0];
  if (bytes.size() > 1) caches.l2 = bytes[1];
  if (bytes.size() > 2) caches.l3 = bytes[2];
  return cost_model::make_machine(target, r.threads, caches);
}

Result<cost_model::TaskData> training_data(const Recording& r) {
  TESSERA_TRY(task, r.to_task());
  TESSERA_TRY(machine, machine_of(r));
  std::vector<Sketch> sketches;
  for (const RecordedSketch& s : r.sketches) sketches.push_back(s.sketch);
  const FeatureSource source(task, sketches, machine, 1);
  cost_model::TaskData out;
  out.task = r.task.name + " " + r.task.hash;
  for (std::size_t s = 0; s < r.sketches.size(); ++s) {
    const RecordedSketch& recorded = r.sketches[s];
    std::vector<Point> points;
    for (const Values& v : recorded.points) points.push_back({s, v});
    std::vector<cost_model::Features> features = source.of(points);
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (recorded.ns[i].empty()) continue;
      if (features[i].values.empty()) return refuse("a point of sketch '", recorded.sketch.name, "' of ", out.task, " does not replay");
      out.programs.push_back(std::move(features[i]));
      out.ns.push_back(static_cast<double>(*std::min_element(recorded.ns[i].begin(), recorded.ns[i].end())));
    }
  }
  return out;
}

}  // namespace tessera::search
