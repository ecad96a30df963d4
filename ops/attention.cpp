#include "ops/attention.h"

#include <cmath>

namespace tessera::ops {

using namespace dsl;

namespace {

using Vars = std::vector<Var>;

struct SoftmaxParts {
  Tensor power;  // [b, h, i, j], exp of each score less the largest of its row
  Tensor total;  // [b, h, i], sums of power
};

/// `seen(query, key, yes, no)` is `yes` where the score takes part.
template <class Seen>
SoftmaxParts softmax_parts(const Tensor& scores, const Seen& seen) {
  const Exprs& s = scores.shape();
  auto k = reduce_axis(s[3], "k"), l = reduce_axis(s[3], "k");
  const Tensor largest = compute_named({s[0], s[1], s[2]}, {"b", "h", "i"}, [&](const Vars& v) {
    return Exprs{max(seen(v[2], k, scores(v[0], v[1], v[2], k), lowest(scores.dtype())), k)};
  }, "Smax");
  SoftmaxParts out;
  out.power = compute_named(s, {"b", "h", "i", "j"}, [&](const Vars& v) {
    const Expr e = exp(scores(v[0], v[1], v[2], v[3]) - largest(v[0], v[1], v[2]));
    return Exprs{seen(v[2], v[3], e, ir::constant_of(e.type(), 0))};
  }, "Sexp");
  out.total = compute_named({s[0], s[1], s[2]}, {"b", "h", "i"}, [&](const Vars& v) { return Exprs{sum(out.power(v[0], v[1], v[2], l), l)}; }, "Ssum");
  return out;
}

Expr everything(const Expr&, const Expr&, const Expr& yes, const Expr&) { return yes; }

Tensor build_attention(const Arguments& a) {
  const Operator& op = attention();
  const auto b = a["b"], heads = a["heads"], seq = a["seq"], dim = a["dim"];
  const bool causal = a["causal"] != 0;
  const Type acc = accumulator(a.dtype);
  const Exprs shape{b, heads, seq, dim};
  const auto Q = operand(op, "Q", shape, a.dtype), K = operand(op, "K", shape, a.dtype), V = operand(op, "V", shape, a.dtype);
  auto d = reduce_axis(dim, "d"), j = reduce_axis(seq, "j");
  const Tensor products = compute_named({b, heads, seq, seq}, {"b", "h", "i", "j"}, [&](const Vars& v) {
    return Exprs{sum(cast(acc, Q(v[0], v[1], v[2], d)) * cast(acc, K(v[0], v[1], v[3], d)), d)};
  }, "QK");
  const Expr scale = ir::constant_of(acc, 1 / std::sqrt(static_cast<double>(dim)));
  const Tensor scores = compute_named(products.shape(), {"b", "h", "i", "j"}, [&](const Vars& v) {
    return Exprs{products(v[0], v[1], v[2], v[3]) * scale};
  }, "S");
  const auto seen = [&](const Expr& query, const Expr& key, const Expr& yes, const Expr& no) {
    return causal ? select(key <= query, yes, no) : yes;
  };
  const SoftmaxParts s = softmax_parts(scores, seen);
  const Tensor share = compute_named(scores.shape(), {"b", "h", "i", "j"}, [&](const Vars& v) {
    return Exprs{s.power(v[0], v[1], v[2], v[3]) / s.total(v[0], v[1], v[2])};
  }, "P");
  return compute_named(shape, {"b", "h", "i", "d"}, [&](const Vars& v) {
    return Exprs{sum(share(v[0], v[1], v[2], j) * cast(acc, V(v[0], v[1], j, v[3])), j)};
  }, "Y");
}

/// Scores of every query against every key, [b, heads, seq, seq].
Tensor score_stages(const Operator& op, const Arguments& a, const std::string& name) {
  const auto b = a["b"], seq = a["seq"], heads = a["heads"], hidden = a["hidden"];
  const Type acc = accumulator(a.dtype);
  const Exprs shape{b, seq, heads, hidden};
  const auto Q = operand(op, "query", shape, a.dtype), K = operand(op, "key", shape, a.dtype);
  const Tensor rows = compute_named({b, heads, seq, hidden}, {"b", "h", "s", "d"}, [&](const Vars& v) { return Exprs{Q(v[0], v[2], v[1], v[3])}; }, "queryT");
  const Tensor columns = compute_named({b, heads, hidden, seq}, {"b", "h", "d", "s"}, [&](const Vars& v) { return Exprs{K(v[0], v[3], v[1], v[2])}; }, "keyT");
  auto d = reduce_axis(hidden, "d");
  return compute_named({b, heads, seq, seq}, {"b", "h", "i", "j"}, [&](const Vars& v) {
    return Exprs{sum(cast(acc, rows(v[0], v[1], v[2], d)) * cast(acc, columns(v[0], v[1], d, v[3])), d)};
  }, name);
}

Tensor build_scores(const Arguments& a) { return score_stages(transpose_batch_matmul(), a, "Y"); }

Tensor build_scores_softmax(const Arguments& a) {
  const Tensor scores = score_stages(transpose_batch_matmul_softmax(), a, "S");
  const SoftmaxParts s = softmax_parts(scores, everything);
  return compute_named(scores.shape(), {"b", "h", "i", "j"}, [&](const Vars& v) {
    return Exprs{s.power(v[0], v[1], v[2], v[3]) / s.total(v[0], v[1], v[2])};
  }, "Y");
}

Operator scores_operator(const char* name, const char* doc, const std::string& preset, Tensor (*build)(const Arguments&)) {
  const auto shape = [&](int n, std::int64_t seq, std::int64_t heads, std::int64_t hidden) {
    return Preset{preset + "." + std::to_string(n), {{"seq", seq}, {"heads", heads}, {"hidden", hidden}}};
  };
  return {name,
          doc,
          {extent("b", 1, "sequences"), extent("seq", 128, "positions of a sequence"), extent("heads", 12, "heads"),
           extent("hidden", 64, "elements of a head")},
          {{"query", "[b, seq, heads, hidden]"}, {"key", "[b, seq, heads, hidden]"}},
          {},
          float_types(),
          {shape(1, 128, 12, 64), shape(2, 128, 16, 64), shape(3, 64, 12, 128), shape(4, 128, 12, 128)},
          build};
}

}  // namespace

const Operator& attention() {
  static const Operator op{"attention",
                           "softmax(Q K^T / sqrt dim) V for every head",
                           {extent("b", 1, "sequences"), extent("heads", 12, "heads"), extent("seq", 128, "positions of a sequence"),
                            extent("dim", 64, "elements of a head"), {"causal", 0, 0, 1, "1: a position sees none after it"}},
                           {{"Q", "[b, heads, seq, dim]"}, {"K", "[b, heads, seq, dim]"}, {"V", "[b, heads, seq, dim]"}},
                           {},
                           float_types(),
                           {{"ATT.1", {{"heads", 12}, {"seq", 128}, {"dim", 64}}},
                            {"ATT.2", {{"heads", 16}, {"seq", 384}, {"dim", 64}}},
                            {"ATT.3", {{"heads", 8}, {"seq", 512}, {"dim", 64}, {"causal", 1}}}},
                           build_attention};
  return op;
}

const Operator& transpose_batch_matmul() {
  static const Operator op = scores_operator("transpose_batch_matmul", "query and key transposed by heads, then their products", "TBG", build_scores);
  return op;
}

const Operator& transpose_batch_matmul_softmax() {
  static const Operator op = scores_operator("transpose_batch_matmul_softmax", "transpose_batch_matmul, then softmax of every row", "TBS", build_scores_softmax);
  return op;
}

}  // namespace tessera::ops
