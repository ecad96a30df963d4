// Ctrl-C while kernels are measured.
#pragma once

namespace tessera::autotune {

/// From now on the first SIGINT or SIGTERM ends the search after the current candidate, the second one
/// the program.
void catch_interrupts();
bool interrupted();

}  // namespace tessera::autotune
