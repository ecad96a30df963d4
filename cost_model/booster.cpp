#include "cost_model/booster.h"

#include <xgboost/c_api.h>

#include <algorithm>
#include <iomanip>
#include <sstream>

#include "cost_model/detail/parts.h"
#include "support/hash.h"
#include "support/rng.h"

namespace tessera::cost_model {

namespace {

struct FreeBooster {
  void operator()(void* h) const { XGBoosterFree(h); }
};
struct FreeMatrix {
  void operator()(void* h) const { XGDMatrixFree(h); }
};
using BoosterRef = std::unique_ptr<void, FreeBooster>;
using MatrixRef = std::unique_ptr<void, FreeMatrix>;

Status checked(int code, const char* what) {
  if (code == 0) return Done{};
  std::string why = XGBGetLastError();
  return refuse("xgboost: ", what, ": ", why.substr(0, why.find('\n')));
}

Status set_parameters(void* booster, const BoosterOptions& o) {
  const std::pair<const char*, std::string> parameters[] = {
      {"nthread", "1"},  // two threads on two cores were 7 to 28 times slower (dmlc/xgboost #8729)
      {"verbosity", "0"},
      {"objective", "reg:squarederror"},
      {"base_score", "0"},
      {"disable_default_eval_metric", "1"},
      {"tree_method", "hist"},
      {"max_bin", std::to_string(o.bins)},
      {"max_depth", std::to_string(o.depth)},
      {"eta", std::to_string(o.learning_rate)},
      {"lambda", std::to_string(o.l2)},
      {"min_child_weight", std::to_string(o.min_child_weight)},
      {"colsample_bytree", std::to_string(o.column_sample)},
      {"seed", std::to_string(o.seed & 0x7fffffff)},
  };
  for (const auto& [name, value] : parameters) TESSERA_TRY_DONE(checked(XGBoosterSetParam(booster, name, value.c_str()), name));
  return Done{};
}

constexpr std::size_t kChecksum = 16;  // hexadecimal, before the bytes of a model

std::string checksum(std::string_view model) {
  std::ostringstream out;
  out << std::hex << std::setfill('0') << std::setw(kChecksum) << hash_bytes(model);
  return out.str();
}

constexpr const char* kTrainingPrediction =
    R"({"type":1,"training":true,"iteration_begin":0,"iteration_end":0,"strict_shape":true})";
constexpr const char* kInPlacePrediction =
    R"({"type":1,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":true,"missing":0.0,"cache_id":0})";

// NumPy's array interface, version 3.
std::string array_interface(const PackedRows& data) {
  return R"({"data":[)" + std::to_string(reinterpret_cast<std::uintptr_t>(data.values().data())) + R"(,true],"shape":[)" +
         std::to_string(data.rows()) + "," + std::to_string(data.columns()) + R"(],"typestr":"<f4","version":3})";
}

}  // namespace

void PackedRows::add(std::span<const float> rows) {
  values_.insert(values_.end(), rows.begin(), rows.end());
  begin_.push_back(values_.size() / columns_);
}

void PackedRows::clear() {
  values_.clear();
  begin_.assign(1, 0);
}

std::vector<double> PackedRows::sums(std::span<const float> row_values) const {
  std::vector<double> out(programs());
  for (std::size_t p = 0; p < out.size(); ++p) {
    for (std::size_t r = begin_[p]; r < begin_[p + 1]; ++r) out[p] += row_values[r];
  }
  return out;
}

void PackedRows::spread(std::span<const double> program_values, std::span<float> rows) const {
  for (std::size_t p = 0; p < programs(); ++p) {
    for (std::size_t r = begin_[p]; r < begin_[p + 1]; ++r) rows[r] = static_cast<float>(program_values[p]);
  }
}

struct Booster::Impl {
  BoosterRef handle;
};

struct TrainingRows::Impl {
  PackedRows data;
  MatrixRef matrix;
};

TrainingRows::TrainingRows(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TrainingRows::~TrainingRows() = default;
TrainingRows::TrainingRows(TrainingRows&&) noexcept = default;

Result<TrainingRows> TrainingRows::make(PackedRows data) {
  auto impl = std::make_unique<Impl>(Impl{std::move(data), nullptr});
  const PackedRows& rows = impl->data;
  DMatrixHandle matrix = nullptr;
  TESSERA_TRY_DONE(checked(
      XGDMatrixCreateFromMat_omp(rows.values().data(), rows.rows(), rows.columns(), 0.0F, &matrix, 1), "training rows"));
  impl->matrix.reset(matrix);
  return TrainingRows(std::move(impl));
}

Booster::Booster(std::size_t columns) : columns_(columns) {}
Booster::~Booster() = default;
Booster::Booster(Booster&&) noexcept = default;
Booster& Booster::operator=(Booster&&) noexcept = default;

namespace {

// One boosting step after another: scores, gradients by the objective, each row's part of them.
class Trainer {
 public:
  Trainer(const PackedRows& data, const Objective& objective, const BoosterOptions& o)
      : data_(data), objective_(objective), used_(data.programs(), 1), first_(data.programs()), second_(data.programs()),
        row_first_(data.rows()), row_second_(data.rows()) {
    Rng rng(o.seed);
    for (double& u : used_) u = o.program_sample >= 1 || rng.chance(o.program_sample) ? 1 : 0;
    const std::vector<float> ones(data.rows(), 1);
    rows_ = data.sums(ones);
  }
  virtual ~Trainer() = default;

  Status step(void* booster, void* matrix) {
    bst_ulong dimensions = 0;
    const bst_ulong* shape = nullptr;
    const float* margins = nullptr;
    TESSERA_TRY_DONE(checked(XGBoosterPredictFromDMatrix(booster, matrix, kTrainingPrediction, &shape, &dimensions, &margins), "prediction"));
    const std::vector<double> scores = score({margins, data_.rows()});
    objective_.gradient(scores, first_, second_);
    for (std::size_t p = 0; p < scores.size(); ++p) {
      first_[p] *= used_[p];
      second_[p] *= used_[p];
    }
    share_out();
    return checked(XGBoosterBoostOneIter(booster, matrix, row_first_.data(), row_second_.data(), data_.rows()), "training");
  }

 protected:
  /// Of each program, from its rows' values.
  virtual std::vector<double> score(std::span<const float> values) = 0;
  /// Rows' derivatives from those of their programs.
  virtual void share_out() = 0;

  const PackedRows& data_;
  const Objective& objective_;
  std::vector<double> rows_, used_, first_, second_;  // for each program
  std::vector<float> row_first_, row_second_;
};

class SumTrainer : public Trainer {
 public:
  SumTrainer(const PackedRows& data, const Objective& objective, std::span<const double> margin, const BoosterOptions& o)
      : Trainer(data, objective, o), margin_(margin) {}

 private:
  std::vector<double> score(std::span<const float> values) override {
    std::vector<double> scores = data_.sums(values);
    for (std::size_t p = 0; p < margin_.size(); ++p) scores[p] += margin_[p];
    return scores;
  }
  void share_out() override {
    for (std::size_t p = 0; p < second_.size(); ++p) second_[p] *= rows_[p];
    data_.spread(first_, row_first_);
    data_.spread(second_, row_second_);
  }

  std::span<const double> margin_;
};

class PartsTrainer : public Trainer {
 public:
  PartsTrainer(const PackedRows& data, const Objective& objective, std::span<const double> parts, const BoosterOptions& o)
      : Trainer(data, objective, o), parts_(parts) {}

 private:
  std::vector<double> score(std::span<const float> values) override {
    now_ = detail::corrected(data_, parts_, values);
    return now_.scores;
  }
  void share_out() override {
    data_.spread(first_, row_first_);
    data_.spread(second_, row_second_);
    for (std::size_t r = 0; r < row_first_.size(); ++r) {
      const auto share = static_cast<float>(now_.shares[r]);
      row_first_[r] *= -share;  // a larger factor, a longer time
      row_second_[r] *= share;
    }
  }

  std::span<const double> parts_;
  detail::Corrected now_;
};

}  // namespace

struct Booster::Training {
  static Result<Booster> run(const TrainingRows& rows, Trainer& trainer, const BoosterOptions& options);
};

Result<Booster> Booster::Training::run(const TrainingRows& rows, Trainer& trainer, const BoosterOptions& options) {
  Booster out(rows.impl_->data.columns());
  out.impl_ = std::make_unique<Impl>();
  DMatrixHandle matrix = rows.impl_->matrix.get();
  BoosterHandle handle = nullptr;
  TESSERA_TRY_DONE(checked(XGBoosterCreate(&matrix, 1, &handle), "a new booster"));
  out.impl_->handle.reset(handle);
  TESSERA_TRY_DONE(set_parameters(handle, options));
  for (int i = 0; i < options.trees; ++i) TESSERA_TRY_DONE(trainer.step(handle, matrix));
  // Through its bytes: what answers is what would be stored, without the caches of training.
  TESSERA_TRY(bytes, out.save());
  return load(bytes, out.columns());
}

Result<Booster> Booster::train(const TrainingRows& rows, const Objective& objective, std::span<const double> margin,
                               const BoosterOptions& options) {
  SumTrainer trainer(rows.impl_->data, objective, margin, options);
  return Training::run(rows, trainer, options);
}

Result<Booster> Booster::train_parts(const TrainingRows& rows, const Objective& objective, std::span<const double> parts,
                                     const BoosterOptions& options) {
  PartsTrainer trainer(rows.impl_->data, objective, parts, options);
  return Training::run(rows, trainer, options);
}

Result<std::vector<float>> Booster::predict_rows(const PackedRows& data) const {
  if (!impl_ || data.rows() == 0) return std::vector<float>(data.rows());
  bst_ulong dimensions = 0;
  const bst_ulong* shape = nullptr;
  const float* margins = nullptr;
  const std::string values = array_interface(data);
  TESSERA_TRY_DONE(checked(
      XGBoosterPredictFromDense(impl_->handle.get(), values.c_str(), kInPlacePrediction, nullptr, &shape, &dimensions, &margins), "prediction"));
  return std::vector<float>(margins, margins + data.rows());
}

Result<std::vector<double>> Booster::predict(const PackedRows& data) const {
  TESSERA_TRY(values, predict_rows(data));
  return data.sums(values);
}

Result<std::vector<double>> Booster::predict_parts(const PackedRows& data, std::span<const double> parts) const {
  TESSERA_TRY(values, predict_rows(data));
  return detail::corrected(data, parts, values).scores;
}

Result<std::string> Booster::save() const {
  if (!impl_) return refuse("a booster that was not trained has nothing to save");
  bst_ulong size = 0;
  const char* bytes = nullptr;
  TESSERA_TRY_DONE(checked(XGBoosterSaveModelToBuffer(impl_->handle.get(), R"({"format":"ubj"})", &size, &bytes), "saving"));
  return checksum({bytes, size}) + std::string(bytes, size);
}

Result<Booster> Booster::load(std::string_view bytes, std::size_t columns) {
  // Before xgboost sees them: its reader goes past the end of what was cut short.
  const std::string_view model = bytes.substr(std::min(bytes.size(), kChecksum));
  if (bytes.size() < kChecksum || bytes.substr(0, kChecksum) != checksum(model)) return refuse("its bytes are not those that were written");
  Booster out(columns);
  out.impl_ = std::make_unique<Impl>();
  BoosterHandle handle = nullptr;
  TESSERA_TRY_DONE(checked(XGBoosterCreate(nullptr, 0, &handle), "a new booster"));
  out.impl_->handle.reset(handle);
  TESSERA_TRY_DONE(checked(XGBoosterLoadModelFromBuffer(handle, model.data(), model.size()), "loading"));
  TESSERA_TRY_DONE(set_parameters(handle, {}));
  bst_ulong found = 0;
  TESSERA_TRY_DONE(checked(XGBoosterGetNumFeature(handle, &found), "loading"));
  if (found != columns) return refuse("the model has ", found, " columns, ", columns, " are asked");
  // The first prediction configures the booster; afterwards threads only read it.
  PackedRows probe(columns);
  probe.add(std::vector<float>(columns));
  TESSERA_TRY(unused, out.predict(probe));
  (void)unused;
  return out;
}

}  // namespace tessera::cost_model
