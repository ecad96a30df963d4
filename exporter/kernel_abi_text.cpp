// runtime/kernel_abi.h as text, so that an installed tool needs no source tree. A test keeps the two
// equal.
#include "exporter/detail/bundle.h"

namespace tessera::exporter {

const char* const kKernelAbiText = R"tessera(/* The calling convention of a Tessera CPU kernel. Plain C, shipped verbatim beside exported
 * kernels.
 *
 * A kernel is one or more functions
 *
 *     int32_t NAME(void** args, const tessera_host* host);
 *
 * args[i] points to the memory of the i-th argument of the kernel's contract: every phase receives
 * all the slots, in the contract's order, and touches only those it needs. Each pointer has at
 * least the alignment the contract states and as many bytes as it states.
 *
 * Two phases. The `prepare` functions run once per set of constant operands: they read the
 * arguments of role "constant" and fill those of role "prepared". The `run` functions read inputs,
 * constants and prepared operands and write every element of the outputs; they may be called any
 * number of times and keep nothing between calls.
 *
 * The result is 0 on success; any other value means that the outputs are unspecified.
 * Kernels never allocate, never print, keep no global state and call only host->parallel_for,
 * memcpy, memmove, memset and the functions of libm.
 */
#ifndef TESSERA_KERNEL_ABI_H_
#define TESSERA_KERNEL_ABI_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One contiguous piece [begin, end) of a parallel loop. Returns 0, or an error that ends the
 * kernel. */
typedef int32_t (*tessera_loop_body)(int64_t begin, int64_t end, void* closure);

/* What the caller lends to one call of a kernel. */
typedef struct tessera_host {
  /* At least the workspace bytes of the contract, aligned to 64 bytes, contents unspecified except
   * for the ranges that the contract asks to be zero. May be null when the contract asks for none.
   */
  void* workspace;
  /* Handed to parallel_for unchanged. */
  void* context;
  /* Runs body over [begin, end) cut into contiguous pieces, each once, at the same time or one
   * after another, and returns when all have ended: 0, or the result of a piece that failed. May be
   * null: a kernel then calls body(begin, end, closure) itself. May be called from inside a piece.
   * A piece may use 1 MiB of stack. */
  int32_t (*parallel_for)(void* context, int64_t begin, int64_t end, tessera_loop_body body,
                          void* closure);
} tessera_host;

typedef int32_t (*tessera_entry)(void** args, const tessera_host* host);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* TESSERA_KERNEL_ABI_H_ */
)tessera";

}  // namespace tessera::exporter
