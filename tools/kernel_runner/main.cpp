// kernel_runner: measures kernels for a tuner, each in a child process of its own. Started by the
// library with a socket as descriptor 3; nothing for people to run.
#include <sys/stat.h>

#include <cstdio>

#include "runtime/cpu/runner.h"

int main() {
  struct stat info {};
  if (::fstat(tessera::runtime::kServerFd, &info) != 0 || !S_ISSOCK(info.st_mode)) {
    std::fputs("kernel_runner is started by autotune, not by hand\n", stderr);
    return 2;
  }
  return tessera::runtime::serve(tessera::runtime::kServerFd,
                                 tessera::runtime::handle_measure_request);
}
