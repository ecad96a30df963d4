#include "search/transfer.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace tessera::search {

namespace {

constexpr std::size_t kNearestTasks = 8, kPointsOfATask = 2;

std::vector<std::int64_t> extents_of(const dsl::ComputeDag& dag) {
  std::vector<std::int64_t> out;
  for (const dsl::Stage& s : dag.stages()) {
    for (const ir::Buffer& b : s.outputs) {
      for (const std::int64_t n : b.extents()) out.push_back(n);
    }
    for (const dsl::Axis& r : s.reduce_axes) {
      if (const auto* n = r.extent.as<ir::IntImm>()) out.push_back(n->value);
    }
  }
  return out;
}

struct Known {
  dsl::ComputeDag dag;
  double distance = 0;
  std::vector<const tuning_logs::Record*> records;
};

}  // namespace

std::string family_of(const dsl::ComputeDag& dag) {
  std::string out;
  for (const dsl::Stage& s : dag.stages()) {
    out += s.name + ":" + std::to_string(static_cast<int>(s.kind));
    for (const ir::Buffer& b : s.outputs) out += "," + ir::to_string(b->dtype) + std::to_string(b.rank());
    out += "," + std::to_string(s.reduce_axes.size()) + ";";
  }
  return out;
}

double shape_distance(const dsl::ComputeDag& a, const dsl::ComputeDag& b) {
  const auto x = extents_of(a), y = extents_of(b);
  double d = 0;
  for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) d += std::abs(std::log2(static_cast<double>(x[i]) / static_cast<double>(y[i])));
  return d;
}

std::vector<Suggestion> suggestions(const std::vector<tuning_logs::Record>& records, const Task& task, std::size_t most) {
  const std::string family = family_of(task.dag), own = tuning_logs::hash_text(task.dag.hash());
  std::map<std::string, Known> tasks;
  std::map<std::string, bool> related;
  std::map<std::string, int> vector_bytes;  // by target
  for (const tuning_logs::Record& r : records) {
    if (r.kind == tuning_logs::RecordKind::kHeader || !r.ok() || r.decisions.empty() || r.task.hash == own || r.threads != task.threads) continue;
    const auto [seen, unknown] = vector_bytes.emplace(r.target, 0);
    if (unknown) {
      const auto target = target_of_text(r.target);
      seen->second = target.ok() ? target->vector_bytes : 0;
    }
    if (seen->second != task.target.vector_bytes) continue;
    const auto [it, fresh] = related.emplace(r.task.hash, false);
    if (fresh) {
      auto dag = tuning_logs::dag(r);
      it->second = dag.ok() && family_of(*dag) == family;
      if (it->second) tasks[r.task.hash] = {*dag, shape_distance(*dag, task.dag), {}};
    }
    if (it->second) tasks[r.task.hash].records.push_back(&r);
  }
  std::vector<Known*> nearest;
  for (auto& [hash, k] : tasks) nearest.push_back(&k);
  std::stable_sort(nearest.begin(), nearest.end(), [](const Known* a, const Known* b) { return a->distance < b->distance; });
  nearest.resize(std::min(nearest.size(), kNearestTasks));
  std::vector<Suggestion> out;
  for (std::size_t place = 0; place < kPointsOfATask; ++place) {
    for (Known* k : nearest) {
      std::stable_sort(k->records.begin(), k->records.end(), [](const auto* a, const auto* b) { return a->median_ns() < b->median_ns(); });
      std::size_t distinct = 0;
      std::vector<Suggestion> of_task;
      for (const tuning_logs::Record* r : k->records) {
        const Suggestion s{r->sketch, r->decisions};
        if (std::find(of_task.begin(), of_task.end(), s) != of_task.end()) continue;
        of_task.push_back(s);
        if (distinct++ == place) break;
      }
      if (of_task.size() <= place || out.size() >= most) continue;
      if (std::find(out.begin(), out.end(), of_task[place]) == out.end()) out.push_back(of_task[place]);
    }
  }
  return out;
}

}  // namespace tessera::search
