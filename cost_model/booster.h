// Gradient-boosted trees (XGBoost) behind one class. A program has several rows and objectives see one
// score for each program:
//
//   sum     score = sum of f(row). Every row gets the same gradient; second derivatives are multiplied by
//           the number of rows, because all of them move at once.
//   parts   score = -log(sum of part(row) * exp(f(row))): rows have estimated times and the trees correct
//           each by a factor. A row's gradient is that of the score times its share of the whole.
//
// One thread and no randomness but the seed: equal input, equal bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cost_model/objective.h"
#include "support/result.h"

namespace tessera::cost_model {

/// Rows of several programs, one after the other.
class PackedRows {
 public:
  explicit PackedRows(std::size_t columns) : columns_(columns) {}
  /// Appends a program; `rows` holds whole rows.
  void add(std::span<const float> rows);
  void clear();

  std::size_t columns() const { return columns_; }
  std::size_t rows() const { return values_.size() / columns_; }
  std::size_t programs() const { return begin_.size() - 1; }
  std::span<const float> values() const { return values_; }
  /// Sums over each program's rows.
  std::vector<double> sums(std::span<const float> row_values) const;
  /// The first row of a program and that after its last.
  std::pair<std::size_t, std::size_t> rows_of(std::size_t program) const { return {begin_[program], begin_[program + 1]}; }
  /// To each row its program's value.
  void spread(std::span<const double> program_values, std::span<float> rows) const;

 private:
  std::size_t columns_;
  std::vector<float> values_;
  std::vector<std::size_t> begin_{0};
};

struct BoosterOptions {
  int trees = 60;
  int depth = 5;
  double learning_rate = 0.15;
  double l2 = 1;                 // of leaf values
  double min_child_weight = 0.5; // sum of second derivatives in a leaf
  double program_sample = 1;     // share of the programs the booster learns from
  double column_sample = 1;      // share of the columns each tree sees
  int bins = 64;                 // of a column's histogram
  std::uint64_t seed = 1;
};

/// Rows in XGBoost's own form, made once for all boosters that learn from them. Values of 0 are missing.
class TrainingRows {
 public:
  static Result<TrainingRows> make(PackedRows data);
  ~TrainingRows();
  TrainingRows(TrainingRows&&) noexcept;

 private:
  friend class Booster;
  struct Impl;
  explicit TrainingRows(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

class Booster {
 public:
  /// A model of no trees: it answers 0.
  explicit Booster(std::size_t columns);
  ~Booster();
  Booster(Booster&&) noexcept;
  Booster& operator=(Booster&&) noexcept;

  /// Fits trees to the objective. `margin` is a score for each program that stands already (a prior);
  /// the trees then learn what is left. Empty: 0.
  static Result<Booster> train(const TrainingRows& data, const Objective& objective, std::span<const double> margin,
                               const BoosterOptions& options);

  /// Learns the factors of parts, a time of at least 0 for each row.
  static Result<Booster> train_parts(const TrainingRows& data, const Objective& objective, std::span<const double> parts,
                                     const BoosterOptions& options);
  /// -log of each program's corrected time. Several threads may predict at once.
  Result<std::vector<double>> predict_parts(const PackedRows& data, std::span<const double> parts) const;

  /// A score for each program, without the margin. Several threads may predict at once.
  Result<std::vector<double>> predict(const PackedRows& data) const;

  std::size_t columns() const { return columns_; }
  /// Binary JSON after a checksum of it, the same for equal models.
  Result<std::string> save() const;
  /// Refuses bytes that `save` did not give, and a model of another number of columns.
  static Result<Booster> load(std::string_view bytes, std::size_t columns);

 private:
  struct Impl;
  struct Training;
  Result<std::vector<float>> predict_rows(const PackedRows& data) const;

  std::size_t columns_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tessera::cost_model
