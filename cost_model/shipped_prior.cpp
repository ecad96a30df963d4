// The shipped prior is part of the library, so that a program that links it needs no file at run time.
#include "cost_model/prior.h"

// The assembler reads the file; cmake/embedded.cmake passes its place and rebuilds when it changes.
__asm__(
    ".section .rodata\n"
    ".balign 16\n"
    "tessera_prior_begin:\n"
    ".incbin \"" TESSERA_PRIOR_FILE "\"\n"
    "tessera_prior_end:\n"
    ".byte 0\n"
    ".previous\n");
extern "C" {
extern const char tessera_prior_begin[] __attribute__((visibility("hidden")));
extern const char tessera_prior_end[] __attribute__((visibility("hidden")));
}

namespace tessera::cost_model {

Result<Prior> shipped_prior() {
  return Prior::from_bytes({tessera_prior_begin, static_cast<std::size_t>(tessera_prior_end - tessera_prior_begin)}, "the shipped prior");
}

}  // namespace tessera::cost_model
