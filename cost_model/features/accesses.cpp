// The heaviest accesses of a statement: by the lines they touch, then by instructions, then in order.
#include <algorithm>

#include "cost_model/features/group.h"

namespace tessera::cost_model {

using detail::AccessView;
using detail::StatementView;

namespace {

constexpr int kHeaviest = 4;
constexpr std::size_t kColumns = 19;

bool heavier(const AccessView& a, const AccessView& b) {
  if (a.register_scope != b.register_scope) return b.register_scope;
  if (a.whole.lines != b.whole.lines) return a.whole.lines > b.whole.lines;
  return a.instructions > b.instructions;
}

void fill_access(const AccessView& a, float* out) {
  const double element = a.summary->element_bytes;
  *out++ = flag(a.summary->write);
  *out++ = flag(!a.summary->write);
  *out++ = flag(a.register_scope);
  *out++ = flag(!a.summary->regular);
  *out++ = scaled(a.bytes);
  *out++ = scaled(a.whole.elements * element);
  *out++ = scaled(a.whole.lines);
  *out++ = scaled(a.whole.run * element);
  *out++ = scaled(a.instructions);
  *out++ = flag(a.vector_stride == 0);
  *out++ = flag(a.vector_stride == 1);
  *out++ = scaled(a.vector_stride);
  *out++ = flag(a.inner_stride == 0);
  *out++ = flag(a.inner_stride == 1);
  *out++ = scaled(a.inner_stride * element);
  *out++ = scaled(a.reuse_count);
  *out++ = scaled(a.reuse_iterations);
  *out++ = scaled(a.reuse_bytes);
  *out = flag(a.conflict);
}

}  // namespace

std::vector<std::string> access_columns() {
  std::vector<std::string> out;
  for (int n = 0; n < kHeaviest; ++n) {
    for (const char* column : {"write", "read", "register", "irregular", "bytes", "unique_bytes", "lines", "run_bytes", "instructions",
                               "vector_stride_0", "vector_stride_1", "vector_stride", "inner_stride_0", "inner_stride_1",
                               "inner_stride_bytes", "reuse_count", "reuse_iterations", "reuse_bytes", "conflict"}) {
      out.push_back(std::to_string(n) + "." + column);
    }
  }
  return out;
}

void fill_accesses(const StatementView& v, const Machine&, float* out) {
  std::array<const AccessView*, detail::kMaxAccesses> order{};
  std::size_t count = 0;
  for (std::size_t k = 0; k < static_cast<std::size_t>(v.accesses); ++k) {
    if (v.access[k].repeated) continue;
    std::size_t at = count++;
    for (; at > 0 && heavier(v.access[k], *order[at - 1]); --at) order[at] = order[at - 1];
    order[at] = &v.access[k];
  }
  for (std::size_t n = 0; n < std::min<std::size_t>(count, kHeaviest); ++n) fill_access(*order[n], out + n * kColumns);
}

}  // namespace tessera::cost_model
