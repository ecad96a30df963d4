// What to measure next: a pool of points, evolved under the cost model where that is asked for, and a
// diverse batch of the best of it. Deterministic: a batch is a function of the seed, the task, the batch's number, the
// points proposed before, and the trials of batches that were complete two batches ago.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "cost_model/model.h"
#include "search/candidate.h"
#include "search/feature_source.h"
#include "search/mutation.h"

namespace tessera::search {

struct ProposerOptions {
  std::uint64_t seed = 1;
  int batch_size = 8;
  int population = 128; // points of a generation
  int generations = 3;  // offspring of the pool
  int jobs = 1;         // threads that score
  double random_share = 0.5;  // of a batch, while only the draft chooses
  bool use_draft = true, use_prior = true, use_model = true, use_evolution = false;
  std::shared_ptr<const cost_model::Prior> prior = nullptr;  // may be null
  std::optional<cost_model::Machine> machine = std::nullopt;  // that times come from; nullopt: this one
};

/// A batch of points, best first, and what the model expects of it.
struct Proposal {
  std::vector<Point> points;
  /// Expected improvement of the batch's best over the best trial, as a share of it (0.01: 1 %);
  /// nullopt while nothing is measured or no model scores.
  std::optional<double> expected_gain;
};

class Proposer {
 public:
  /// `sketches` stays with the caller.
  Proposer(const Task& task, const std::vector<Sketch>& sketches, ProposerOptions options);
  ~Proposer();

  /// A point from elsewhere (a similar task's best) for the first batch.
  void seed(const Point& p);
  /// Takes in what was measured, in the order of batch and slot. Failures of the machinery teach nothing.
  void learn(const Trial& t, const std::optional<Point>& p);
  /// `room`: at most that many points. An empty answer: the space is used up.
  Proposal propose(int batch, int room);

  /// Proposals that did not replay; stays 0.
  int rejected() const { return rejected_; }
  double model_seconds() const { return model_seconds_; }  // features, fitting and scoring

 private:
  struct Scored {
    Point point;
    cost_model::Score score;
    std::uint64_t program;  // hash of its features: equal for points that come to the same program
  };
  struct Elite {
    Point point;
    double ns;
  };

  bool guided() const;
  double exploration() const;
  std::vector<double> sketch_weights() const;
  /// Whether a plan without measuring was left behind by what has been measured: its neighbours are no better on the whole.
  bool is_beaten(std::size_t sketch) const;
  std::optional<Point> fresh(Rng& rng) const;
  std::vector<Point> first_generation(Rng& rng) const;
  std::vector<Point> offspring(const std::vector<Scored>& parents, Rng& rng) const;
  std::vector<Scored> scored(const std::vector<Point>& points);
  void merge(std::vector<Scored>& pool, std::vector<Scored> more) const;
  void take(Proposal& to, const Point& p);
  void choose(Proposal& to, const std::vector<Scored>& pool, int count);
  double expected_gain(const std::vector<Scored>& pool, const Proposal& of) const;

  std::uint64_t task_hash_;
  const std::vector<Sketch>* sketches_;
  ProposerOptions options_;
  Mutator mutator_;
  FeatureSource features_;
  cost_model::CostModel model_;
  std::vector<Point> seeds_;
  std::set<Point> proposed_;
  std::set<std::uint64_t> programs_;  // hashes of what was proposed
  std::vector<Elite> elites_;         // measured, fastest first
  std::vector<double> best_of_sketch_;
  std::size_t learned_ = 0, fitted_ = 0;
  int rejected_ = 0;
  double model_seconds_ = 0;
};

}  // namespace tessera::search
