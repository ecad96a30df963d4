#include "tools/autotune/interrupt.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

namespace tessera::autotune {

namespace {

std::atomic<int> interrupts{0};

void on_interrupt(int) {
  if (interrupts.fetch_add(1) > 0) _exit(130);
}

}  // namespace

void catch_interrupts() {
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
}

bool interrupted() { return interrupts.load() > 0; }

}  // namespace tessera::autotune
