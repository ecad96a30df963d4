// A plan in the forms that --print names.
#pragma once

#include <string>

#include "schedule/step.h"
#include "search/task.h"

namespace tessera::autotune {

/// `form`: steps, loops, ir; llvm, asm (CPU); cuda, ptx (CUDA); code: the lowest of them. On stdout.
void print_plan(const search::Task& task, const schedule::Plan& plan, const std::string& form);

}  // namespace tessera::autotune
