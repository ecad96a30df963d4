#include <algorithm>

#include "search/rules/cuda/rules.h"

namespace tessera::search {

const std::vector<Rule>& cuda_rules() {
  static const std::vector<Rule> kRules{
      {"cuda_mma_form", cuda_mma_form_meets, cuda_mma_form_expand, When::kAlgorithms},
      {"cuda_split_k", cuda_split_k_meets, cuda_split_k_expand, When::kAlgorithms},
      {"cuda_inline", cuda_inline_meets, cuda_inline_expand, When::kEarly},
      {"cuda_scan", cuda_scan_meets, cuda_scan_expand},  // before the rules that take the stages of its step for programs' own
      {"cuda_rows", cuda_rows_meets, cuda_rows_expand},  // before the rules that take its stages one by one
      {"cuda_mma", cuda_mma_meets, cuda_mma_expand},
      {"cuda_tile", cuda_tile_meets, cuda_tile_expand},
      {"cuda_rfactor", cuda_rfactor_meets, cuda_rfactor_expand},
      {"cuda_reduction", cuda_reduction_meets, cuda_reduction_expand},
      {"cuda_transpose", cuda_transpose_meets, cuda_transpose_expand},
      {"cuda_threads", cuda_threads_meets, cuda_threads_expand},
      {"leave", leave_meets, leave_expand},  // last: one thread, for what nothing can be shared out of
  };
  return kRules;
}

std::vector<std::int64_t> powers_between(std::int64_t low, std::int64_t high) {
  std::vector<std::int64_t> out;
  for (std::int64_t p = low; p <= std::max(low, high); p *= 2) out.push_back(p);
  return out;
}

Result<std::string> fused(SketchBuilder& b, const std::string& stage, const std::vector<std::string>& axes, const std::string& into) {
  if (axes.size() == 1) return axes[0];
  TESSERA_TRY_DONE(b.step(schedule::Fuse{stage, axes, into}));
  return into;
}

std::string product_taken_by(const SketchBuilder& b, const std::string& name, const std::function<bool(const std::string&)>& is_product,
                             const std::function<std::string(const schedule::Stage&)>& taker) {
  if (b.stage(name).is_reduction()) return "";
  for (const ir::Load* l : reads_of(b.stage(name))) {
    const schedule::Stage* p = b.state().producer(l->buffer.get());
    if (!p->is_input() && is_product(p->name) && taker(*p) == name) return p->name;
  }
  return "";
}

ir::CudaArch arch_of(const Task& task) {
  return ir::cuda_arch(task.target.arch.empty() ? ir::kDefaultCudaArch : task.target.arch).or_throw();
}

}  // namespace tessera::search
