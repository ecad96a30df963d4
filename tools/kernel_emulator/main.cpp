// kernel_emulator: runs the text of CUDA kernels on the CPU, each in a child process of its own.
// Started by the library with a socket as descriptor 3; nothing for people to run.
#include <sys/stat.h>

#include <cstdio>

#include "runtime/emulator/messages.h"

int main() {
  struct stat info {};
  if (::fstat(tessera::runtime::kServerFd, &info) != 0 || !S_ISSOCK(info.st_mode)) {
    std::fputs("kernel_emulator is started by autotune, not by hand\n", stderr);
    return 2;
  }
  return tessera::runtime::serve(tessera::runtime::kServerFd,
                                 tessera::runtime::emulator::handle_emulation_request);
}
