// cuda_runner: measures kernels on one CUDA device for a tuner, all in this process, which keeps the
// device's context. Started by the library with a socket as descriptor 3; nothing for people to run.
#include <sys/stat.h>

#include <cstdio>

#include "runtime/cuda/runner.h"
#include "runtime/isolation/fork_server.h"

int main() {
  struct stat info {};
  if (::fstat(tessera::runtime::kServerFd, &info) != 0 || !S_ISSOCK(info.st_mode)) {
    std::fputs("cuda_runner is started by autotune, not by hand\n", stderr);
    return 2;
  }
  return tessera::runtime::serve_in_process(tessera::runtime::kServerFd,
                                            tessera::runtime::handle_cuda_request);
}
