// What the evaluator keeps between its calls: the stages ready to run and the values found so far.
// Built and asked in dsl/evaluate.cpp; evaluate_points.cpp says which points a stage runs, and
// evaluate_lanes.cpp runs the code of a block of them.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dsl/detail/evaluate_code.h"
#include "dsl/evaluate.h"
#include "ir/exact.h"

namespace tessera::dsl {

namespace detail {

using ir::product_is_exact;
using ir::Scalar;

inline constexpr std::int64_t kPage = 4096;

/// Unwinds to the public functions, which return it as a refusal.
struct Failure {
  std::string reason;
};

/// Numbers of `t` below 2^digits are exact.
inline int digits_of(Type t) { return t.is_float() ? -std::ilogb(ir::unit_roundoff(t)) : 63; }

/// Values that appear as they are computed: pages of them, each value known or not yet.
class Values {
 public:
  Values(std::int64_t size, bool bounded)
      : pages_(static_cast<std::size_t>((size + kPage - 1) / kPage)), bounded_(bounded) {}

  bool known(std::int64_t i) const {
    const auto& p = pages_[static_cast<std::size_t>(i / kPage)];
    return p != nullptr && p->known[i % kPage];
  }
  Scalar get(std::int64_t i) const {
    return pages_[static_cast<std::size_t>(i / kPage)]->values[i % kPage];
  }
  double error(std::int64_t i) const {
    return pages_[static_cast<std::size_t>(i / kPage)]->errors[static_cast<std::size_t>(i % kPage)];
  }
  void put(std::int64_t i, Scalar v, double error) {
    auto& p = pages_[static_cast<std::size_t>(i / kPage)];
    if (p == nullptr) {
      p = std::make_unique<Page>();
      if (bounded_) p->errors.resize(kPage);
    }
    p->values[i % kPage] = v;
    p->known[i % kPage] = true;
    if (bounded_) p->errors[static_cast<std::size_t>(i % kPage)] = error;
  }

 private:
  struct Page {
    Scalar values[kPage];
    bool known[kPage] = {};
    std::vector<double> errors;
  };
  std::vector<std::unique_ptr<Page>> pages_;
  bool bounded_;
};

/// Where a read goes: an input, or a value of a stage.
struct Source {
  const ir::Tensor* input = nullptr;
  std::size_t stage = 0;
  std::size_t value = 0;
};

/// What one reduction of one point has gathered so far.
struct Gathered {
  ir::BoundedSum bounded_sum;
  double sum = 0, magnitude = 0;
  double granule = 1;  // every term is a multiple of it
  std::uint64_t wrapped_sum = 0;
  Scalar value{};
  double error = 0;
  double above = 1, below = 1;  // products of the factors on either side of 1
};

/// Code with its registers.
struct Frame {
  Code code;
  std::vector<std::array<Scalar, kLanes>> values;
  std::vector<std::array<double, kLanes>>
      errors;                   // 0 or infinite for integers: infinite is "unknown"
  std::vector<Source> sources;  // one an access

  void start(Code c, bool bounded) {
    code = std::move(c);
    values.resize(code.registers);
    if (bounded) errors.resize(code.registers);
    for (const auto& [r, v] : code.constants) values[r].fill(v);
  }
};

struct Unit {  // a computed stage, ready to run
  const Stage* stage = nullptr;
  std::vector<std::int64_t> extents, reduce_extents;
  std::int64_t reduction = 1;  // points of the reduction
  Frame body;
  Frame combine;
  std::vector<Combine> kinds;
  std::vector<Values> values;
  int scan = -1;                  // unit of the scan to whose step the stage belongs, or that it is
  std::vector<bool> independent;  // of a scan: dimensions whose elements never meet
  bool stepping = false;          // a scan whose rows are being computed, in order
};

}  // namespace detail

struct Evaluator::State {
  ComputeDag dag;
  std::map<std::string, ir::Tensor> inputs;
  EvaluateMode mode;
  std::vector<detail::Unit> units;
  std::map<const ir::BufferNode*, detail::Source> where;

  bool bounded() const { return mode == EvaluateMode::kBounded; }

  State(ComputeDag d, std::map<std::string, ir::Tensor> in, EvaluateMode m);
  void prepare(const Stage& s);
  void prepare_steps();

  // ---- refusals ---------------------------------------------------------------------------------

  [[noreturn]] void fail(const detail::Unit& u, const detail::Frame& f, int lane,
                         const std::string& what) const;
  [[noreturn]] void not_exact(const detail::Unit& u, const detail::Frame& f, int lane,
                              const std::string& what, Type t) const;

  // ---- one block of lanes -----------------------------------------------------------------------

  static bool active(const detail::Frame& f, const detail::Inst& i, int lane) {
    return i.mask == detail::kNoReg || f.values[i.mask][static_cast<std::size_t>(lane)].i != 0;
  }

  static bool certain(const detail::Frame& f, detail::Reg r, int n) {
    double worst = 0;
    for (int l = 0; l < n; ++l) worst += f.errors[r][static_cast<std::size_t>(l)];
    return worst == 0;
  }

  void run(detail::Unit& u, detail::Frame& f, int n);
  void step(detail::Unit& u, detail::Frame& f, const detail::Inst& i, int n);
  void step_int(detail::Unit& u, detail::Frame& f, const detail::Inst& i, int n);
  /// A fault in a lane that the condition leaves out is none.
  void apply_int(detail::Unit& u, detail::Frame& f, const detail::Inst& i, int l);
  void step_float(detail::Unit& u, detail::Frame& f, const detail::Inst& i, int n);
  /// The same on values with bounds. An infinite error of an integer means: not known.
  void step_bounded(detail::Unit& u, detail::Frame& f, const detail::Inst& i, int lane);
  static void cast_bounded(const detail::Inst& i, ir::Scalar a, double error, ir::Scalar& d,
                           double& e);
  void load(detail::Unit& u, detail::Frame& f, const detail::Inst& i, int n);
  void check_inside(const detail::Unit& u, const detail::Frame& f, const detail::Inst& i,
                    const detail::Access& access, int l, std::int64_t& at) const;
  void fetch(const detail::Source& from, detail::Frame& f, const detail::Inst& i,
             const std::array<std::int64_t, detail::kLanes>& at, int n);

  // ---- points of a stage ------------------------------------------------------------------------

  /// Computes a stage at positions that are not known yet. Its frame is free: stages form no cycle but
  /// those through the rows of a scan, and these are computed before they are read.
  void ensure(std::size_t stage, const std::vector<std::int64_t>& positions);
  void run_points(detail::Unit& u, const std::vector<std::int64_t>& positions);
  /// Computes the rows of a scan in order, as far as `positions` and what they read along the dimensions
  /// that are not independent.
  void run_rows(detail::Unit& u, const std::vector<std::int64_t>& positions);
  /// A stage of a step is asked for: the rows it may read come first.
  void run_rows_before(const detail::Unit& part, const std::vector<std::int64_t>& positions);
  /// Runs the statements of an extern, once.
  void run_extern(detail::Unit& u);
  ir::Tensor whole(const Buffer& b, double& error);
  /// Sets the axes of `count` lanes to one position.
  static void place(detail::Unit& u, std::int64_t position, int lane, int count);
  void reduce(detail::Unit& u, const std::vector<std::int64_t>& positions);
  static void begin(const detail::Unit& u, std::vector<detail::Gathered>& gathered);
  /// A built-in reduction over `count` lanes of one point.
  void fold(detail::Unit& u, detail::Gathered& g, int from, int count);
  void add_floats(detail::Gathered& g, const ir::Scalar* x, const double* e, int count) const;
  static void fold_bounded(ir::ReduceOp op, Type t, detail::Gathered& g, const ir::BoundedFloat& x);
  /// One step of a user's combination, in the order of the loops.
  void fold_custom(detail::Unit& u, std::vector<detail::Gathered>& gathered, int lane);
  void finish(detail::Unit& u, const std::vector<detail::Gathered>& gathered, std::int64_t position,
              int lane);

  // ---- what callers ask -------------------------------------------------------------------------

  Result<detail::Source> find(const std::string& buffer) const;
  Type dtype(const detail::Source& s) const {
    return units[s.stage].stage->outputs[s.value]->dtype;
  }
  std::int64_t size(const detail::Source& s) const;
  /// Calls f(i, value, error) for the positions in order; all of them when `positions` is null.
  /// Only in evaluate.cpp.
  template <class F>
  void visit(const detail::Source& s, const std::vector<std::int64_t>* positions, const F& f);
  Result<Evaluation> evaluate(const std::string& buffer,
                              const std::vector<std::int64_t>* positions);
  Result<Comparison> compare(const std::string& buffer, const ir::Tensor& got,
                             const std::vector<std::int64_t>* positions, double error_factor);
};

}  // namespace tessera::dsl
