#include "runtime/emulator/detail/abi.h"

#include <vector>

#include "ir/arith.h"
#include "runtime/emulator/detail/machine.h"

namespace tessera::runtime::emulator {

namespace {

Machine& machine() { return *running_machine(); }
const std::byte* bytes_at(const void* p) { return static_cast<const std::byte*>(p); }
std::byte* bytes_at(void* p) { return static_cast<std::byte*>(p); }

float f16_to_f32(unsigned short bits) {
  static const std::vector<float> values = [] {
    std::vector<float> all(65536);
    for (std::uint64_t i = 0; i < all.size(); ++i)
      all[i] = static_cast<float>(ir::from_bits(i, ir::f16).f);
    return all;
  }();
  return values[bits];
}

unsigned short f32_to_f16(float x) {
  ir::Scalar s;
  s.f = ir::rounded(x, ir::f16);
  return static_cast<unsigned short>(ir::to_bits(s, ir::f16));
}

Abi make_abi() {
  Abi a{};
  a.coordinate = [](int which) { return machine().coordinate(which); };
  a.arena = [] { return reinterpret_cast<unsigned char*>(machine().arena()); };
  a.load = [](const void* p, int n, int space, void* to, int line) {
    machine().load(bytes_at(p), n, static_cast<Space>(space), to, line);
  };
  a.store = [](void* p, int n, int space, const void* from, int line) {
    machine().store(bytes_at(p), n, static_cast<Space>(space), from, line);
  };
  a.async_copy = [](void* to, const void* from, int n, int take, int line) {
    machine().async_copy(bytes_at(to), bytes_at(from), n, take != 0, line);
  };
  a.async_commit = [] { machine().async_commit(); };
  a.async_wait = [](int groups, int line) { machine().async_wait(groups, line); };
  a.sync_block = [](int line) { machine().sync_block(line); };
  a.sync_named = [](int id, int threads, int line) { machine().sync_named(id, threads, line); };
  a.sync_warp = [](unsigned mask, int line) { machine().sync_warp(mask, line); };
  a.shuffle = [](int kind, unsigned mask, unsigned long long v, int lane, int line) {
    return static_cast<unsigned long long>(
        machine().shuffle(static_cast<ShuffleKind>(kind), mask, v, lane, line));
  };
  a.ballot = [](unsigned mask, int p, int line) { return machine().ballot(mask, p != 0, line); };
  a.ldmatrix = [](int matrices, int transposed, const void* row, unsigned* to, int line) {
    machine().ldmatrix(matrices, transposed != 0, row, to, line);
  };
  a.mma = [](int kind, void* c, const unsigned* x, const unsigned* y, int line) {
    machine().mma(static_cast<MmaKind>(kind), c, x, y, line);
  };
  a.atomic = [](int op, int type, int space, void* p, const void* v, void* old, int line) {
    machine().atomic(static_cast<AtomicOp>(op), static_cast<AtomicType>(type),
                     static_cast<Space>(space), bytes_at(p), v, old, line);
  };
  a.fence = [](int scope, int line) { machine().fence(static_cast<Scope>(scope), line); };
  a.load_acquire = [](const unsigned* p, int line) {
    return machine().load_acquire(bytes_at(p), line);
  };
  a.store_release = [](unsigned* p, unsigned v, int line) {
    machine().store_release(bytes_at(p), v, line);
  };
  a.wait_equal = [](const unsigned* p, unsigned v, int line) {
    machine().wait_equal(bytes_at(p), v, line);
  };
  a.trap = [](int line) { machine().trap(line); };
  a.bad_index = [](long long index, long long size, int line) {
    machine().bad_index(index, size, line);
  };
  a.f16_to_f32 = f16_to_f32;
  a.f32_to_f16 = f32_to_f16;
  return a;
}

}  // namespace

const Abi& abi() {
  static const Abi table = make_abi();
  return table;
}

}  // namespace tessera::runtime::emulator
