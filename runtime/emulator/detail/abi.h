// How emulated text reaches the emulator: a table of C functions.
#pragma once

namespace tessera::runtime::emulator {

struct Abi {
#define X(result, name, parameters) result(*name) parameters;
#include "runtime/emulator/detail/abi.inc"
#undef X
};

/// What the integers in the table mean. The prelude has the same numbers.
enum Space : int { kGlobal, kShared, kUnchanging };  // the last: global, through the read-only path
enum ShuffleKind : int { kIndex, kXor, kDown, kUp };
enum MmaKind : int { kMmaF16, kMmaBf16, kMmaF16F16, kMmaTf32, kMmaS8 };
enum Scope : int { kBlockScope, kGpuScope };
enum AtomicOp : int { kAtomicAdd, kAtomicMax, kAtomicMin, kAtomicInc, kAtomicExchange };
enum AtomicType : int { kTypeF32, kTypeF64, kTypeI32, kTypeU32, kTypeU64 };

/// The functions of this process. Valid while a machine runs (detail/machine.h).
const Abi& abi();

}  // namespace tessera::runtime::emulator
