// kernel_builder: compiles kernels for a tuner, each in a child process of its own, so that a crash
// of the compiler ends that child and nothing else. Started by the library with a socket as
// descriptor 3; nothing for people to run.
#include <sys/stat.h>

#include <cstdio>

#include "codegen/llvm/target.h"
#include "driver/builder.h"
#include "runtime/isolation/fork_server.h"

int main() {
  struct stat info {};
  if (::fstat(tessera::runtime::kServerFd, &info) != 0 || !S_ISSOCK(info.st_mode)) {
    std::fputs("kernel_builder is started by autotune, not by hand\n", stderr);
    return 2;
  }
  // Children inherit LLVM's tables initialised.
  (void)tessera::codegen::resolve_cpu_target({});
  return tessera::runtime::serve(tessera::runtime::kServerFd, tessera::driver::handle_build_request);
}
