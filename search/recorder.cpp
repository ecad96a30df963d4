#include "search/recorder.h"

#include <algorithm>
#include <ctime>
#include <numeric>
#include <set>

#include "search/mutation.h"

namespace tessera::search {

namespace {

constexpr std::size_t kChunk = 16;  // points measured between two looks at the fastest

std::string today() {
  const std::time_t now = std::time(nullptr);
  char text[16];
  std::strftime(text, sizeof text, "%Y-%m-%d", std::gmtime(&now));
  return text;
}

class Recorder {
 public:
  Recorder(const std::vector<Sketch>& sketches, const RecorderOptions& options, Measurer& measurer,
           const std::function<void(int, int)>& progress)
      : sketches_(sketches), options_(options), measurer_(measurer), progress_(progress), mutator_(sketches), rng_(options.seed) {}

  void dense() {
    for (std::size_t s = 0; s < sketches_.size(); ++s) {
      for (Values& v : sketches_[s].space.points(SIZE_MAX)) add({s, std::move(v)});
    }
    wanted_ = options_.passes * static_cast<int>(points_.size());
    for (int pass = 0; pass < options_.passes; ++pass) measure_all(0, points_.size());
  }

  void sampled() {
    wanted_ = options_.passes * options_.points;
    const int random = options_.points - static_cast<int>(options_.bred * options_.points);
    for (int i = 0; i < 20 * options_.points && static_cast<int>(points_.size()) < random; ++i) {
      if (auto p = mutator_.fresh(static_cast<std::size_t>(i) % sketches_.size(), rng_)) add(std::move(*p));
    }
    measure_all(0, points_.size());
    for (int tries = 0; tries < 50 && static_cast<int>(points_.size()) < options_.points; ++tries) {
      const std::size_t from = points_.size();
      breed();
      measure_all(from, points_.size());
    }
    for (int pass = 1; pass < options_.passes; ++pass) measure_all(0, points_.size());
  }

  std::vector<RecordedSketch> result() const {
    std::vector<RecordedSketch> out;
    for (const Sketch& s : sketches_) out.push_back({s, {}, {}});
    for (std::size_t i = 0; i < points_.size(); ++i) {
      out[points_[i].sketch].points.push_back(points_[i].values);
      out[points_[i].sketch].ns.push_back(ns_[i]);
    }
    std::erase_if(out, [](const RecordedSketch& s) { return s.points.empty(); });
    return out;
  }

 private:
  void add(Point p) {
    if (!seen_.insert(p).second) return;
    points_.push_back(std::move(p));
    ns_.emplace_back();
  }

  std::int64_t fastest(std::size_t i) const { return ns_[i].empty() ? INT64_MAX : *std::min_element(ns_[i].begin(), ns_[i].end()); }

  /// Up to a chunk of children of the sixteen fastest points.
  void breed() {
    std::vector<std::size_t> order(points_.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return fastest(a) < fastest(b); });
    order.resize(std::min<std::size_t>(order.size(), 16));
    const std::vector<Point> parents = [&] {
      std::vector<Point> out;
      for (const std::size_t i : order) out.push_back(points_[i]);
      return out;
    }();
    const std::size_t most = std::min(points_.size() + kChunk, static_cast<std::size_t>(options_.points));
    for (int i = 0; i < 200 && points_.size() < most && !parents.empty(); ++i) {
      if (auto child = mutator_.mutate(rng_.pick(parents), rng_)) add(std::move(*child));
    }
  }

  void measure_all(std::size_t from, std::size_t to) {
    std::vector<std::size_t> order(to - from);
    std::iota(order.begin(), order.end(), from);
    for (std::size_t n = order.size(); n > 1; --n) std::swap(order[n - 1], order[static_cast<std::size_t>(rng_.below(static_cast<std::int64_t>(n)))]);
    for (std::size_t at = 0; at < order.size(); at += kChunk) {
      std::vector<Candidate> batch;
      for (std::size_t k = at; k < std::min(order.size(), at + kChunk); ++k) {
        const Point& p = points_[order[k]];
        Candidate c;
        c.trial = static_cast<int>(order[k]);
        c.sketch = sketches_[p.sketch].name;
        c.decisions = sketches_[p.sketch].space.decisions(p.values);
        c.steps = steps_of(sketches_, p).or_throw();
        batch.push_back(std::move(c));
      }
      measurer_.measure(batch, best_, [&](const Trial& t) { keep(t); }, [] { return false; });
    }
  }

  void keep(const Trial& t) {
    if (t.ok()) {
      const auto& samples = t.measurement.samples_ns;
      auto& mine = ns_[static_cast<std::size_t>(t.candidate.trial)];
      mine.insert(mine.end(), samples.begin(), samples.begin() + std::min<std::ptrdiff_t>(options_.samples, static_cast<std::ptrdiff_t>(samples.size())));
      // Dense spaces want every time; a sample stops early at points that are far from good.
      if (!options_.dense && (best_ == 0 || t.measurement.min_ns() < best_)) best_ = t.measurement.min_ns();
    }
    progress_(++done_, wanted_);
  }

  const std::vector<Sketch>& sketches_;
  RecorderOptions options_;
  Measurer& measurer_;
  const std::function<void(int, int)>& progress_;
  Mutator mutator_;
  Rng rng_;
  std::vector<Point> points_;
  std::vector<std::vector<std::int64_t>> ns_;
  std::set<Point> seen_;
  std::int64_t best_ = 0;
  int done_ = 0, wanted_ = 0;
};

}  // namespace

Recording record_space(const Task& task, const RecorderOptions& options, const std::string& tool, Measurer& measurer,
                       const std::function<void(int, int)>& progress) {
  std::vector<Sketch> sketches = generate_sketches(task);
  if (options.dense) sketches = thinned_to(sketches, options.points);
  Recorder recorder(sketches, options, measurer, progress);
  if (options.dense) {
    recorder.dense();
  } else {
    recorder.sampled();
  }
  Recording out;
  out.task = tuning_logs::make_task(task.dag, task.op, task.request);
  out.target = task.target.text();
  out.threads = task.threads;
  out.machine = tuning_logs::this_machine(tool);
  out.date = today();
  out.sketches = recorder.result();
  return out;
}

}  // namespace tessera::search
