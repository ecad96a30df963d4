// Features of points, from the summary of their nests: nothing is lowered, and mostly nothing replayed.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "cost_model/features.h"
#include "schedule/summary_template.h"
#include "search/point.h"

namespace tessera::search {

/// The processor this runs on, as the cost model sees it.
cost_model::Machine machine_of(const Task& task);

class FeatureSource {
 public:
  /// `sketches` stays with the caller. `jobs` threads share the work of a call; answers do not depend
  /// on their number.
  FeatureSource(const Task& task, const std::vector<Sketch>& sketches, const cost_model::Machine& machine, int jobs);
  ~FeatureSource();

  /// One a point; no rows where the point does not replay, which is a defect of its sketch.
  std::vector<cost_model::Features> of(std::span<const Point> points) const;
  /// Of any steps: the default plan, a person's.
  Result<cost_model::Features> of_steps(const schedule::StepList& steps) const;

  const cost_model::Machine& machine() const { return machine_; }

 private:
  /// The summaries of a sketch, made when first asked for.
  struct SketchSummaries;

  /// False where no template tells of the point.
  bool summarize(const Point& p, ir::NestSummary& out) const;
  void one(const Point& p, cost_model::Features& out) const;

  const std::vector<Sketch>* sketches_;
  cost_model::Machine machine_;
  schedule::State initial_;
  std::unique_ptr<SketchSummaries[]> summaries_;  // by sketch
  int jobs_;
};

}  // namespace tessera::search
