#include <cstring>

#include "runtime/emulator/detail/machine.h"

namespace tessera::runtime::emulator {

namespace {

enum Operation : int {
  kSyncWarp,
  kShuffle,
  kBallot = kShuffle + 4,
  kLdmatrix,
  kMma = kLdmatrix + 16
};

std::string lane_text(int lane) { return "lane " + std::to_string(lane); }

}  // namespace

/// Waits until every lane of `mask` has come. Returns the meeting to the last one, who acts for all
/// and closes it; nullptr to the others, afterwards, and where the mask is wrong.
WarpMeeting* Machine::meet(std::uint32_t mask, int operation, const char* what, int line,
                           LanePart& part) {
  step(line);
  Thread& me = *current_;
  const int warp = me.index / 32, lane = me.index % 32;
  if ((mask >> lane & 1) == 0) {
    find(FindingKind::kMask, line, lane_text(lane) + " takes part and is not in the mask");
    return nullptr;
  }
  for (std::uint32_t left = mask; left != 0; left &= left - 1) {
    const int other = __builtin_ctz(left), index = warp * 32 + other;
    if (index < threads_per_block_ &&
        me.block->threads[static_cast<std::size_t>(index)].state != ThreadState::kDone)
      continue;
    find(FindingKind::kMask, line,
         "the mask names " + lane_text(other) + ", which has ended or does not exist");
    return nullptr;
  }
  auto& meetings = me.block->meetings[static_cast<std::size_t>(warp)];
  WarpMeeting* meeting = nullptr;
  for (WarpMeeting& m : meetings) {
    if (m.mask != mask) continue;
    if (m.operation != operation || m.line != line) {
      find(FindingKind::kWarpDivergence, line,
           "other lanes of the mask are at another warp operation, in line " +
               std::to_string(m.line));
      stop();
    }
    meeting = &m;
  }
  if (meeting == nullptr) {
    meetings.push_back({mask, 0, operation, line, {}});
    meeting = &meetings.back();
  }
  meeting->arrived |= 1u << lane;
  meeting->parts[lane] = &part;
  if (meeting->arrived == mask) return meeting;
  me.state = ThreadState::kWarp;
  me.waits_at = what;
  me.line = line;
  leave();
  return nullptr;
}

void Machine::close(Block& block, int warp, WarpMeeting* meeting) {
  for (std::uint32_t left = meeting->mask; left != 0; left &= left - 1)
    block.threads[static_cast<std::size_t>(warp * 32 + __builtin_ctz(left))].state =
        ThreadState::kReady;
  block.meetings[static_cast<std::size_t>(warp)].remove_if(
      [&](const WarpMeeting& m) { return &m == meeting; });
}

void Machine::sync_warp(std::uint32_t mask, int line) {
  LanePart part;
  WarpMeeting* m = meet(mask, kSyncWarp, "warp barrier", line, part);
  if (m == nullptr) return;
  Thread& me = *current_;
  std::vector<Thread*> lanes;
  for (std::uint32_t left = mask; left != 0; left &= left - 1)
    lanes.push_back(
        &me.block->threads[static_cast<std::size_t>(me.index / 32 * 32 + __builtin_ctz(left))]);
  synchronise(lanes);
  close(*me.block, me.index / 32, m);
}

namespace {

/// The lane that `lane` reads: its own where the shift leaves the warp.
int source_lane(ShuffleKind kind, int lane, int argument) {
  switch (kind) {
    case kIndex:
      return argument & 31;
    case kXor:
      return (lane ^ argument) & 31;
    case kDown:
      return lane + argument > 31 ? lane : lane + argument;
    case kUp:
      return lane - argument < 0 ? lane : lane - argument;
  }
  return lane;
}

}  // namespace

std::uint64_t Machine::shuffle(ShuffleKind kind, std::uint32_t mask, std::uint64_t v, int lane,
                               int line) {
  LanePart part;
  part.value = v;
  part.lane_argument = lane;
  WarpMeeting* m = meet(mask, kShuffle + static_cast<int>(kind), "shuffle", line, part);
  if (m == nullptr) return part.value;
  std::uint64_t results[32];
  for (int i = 0; i < 32; ++i) {
    if ((mask >> i & 1) == 0) continue;
    const int source = source_lane(kind, i, m->parts[i]->lane_argument);
    if ((mask >> source & 1) == 0) {
      find(FindingKind::kMask, line,
           lane_text(i) + " reads " + lane_text(source) + ", which the mask leaves out");
      results[i] = ~std::uint64_t{0};
      continue;
    }
    results[i] = m->parts[source]->value;
  }
  for (int i = 0; i < 32; ++i)
    if (mask >> i & 1) m->parts[i]->value = results[i];
  close(*current_->block, current_->index / 32, m);
  return part.value;
}

std::uint32_t Machine::ballot(std::uint32_t mask, bool p, int line) {
  LanePart part;
  part.value = p ? 1 : 0;
  WarpMeeting* m = meet(mask, kBallot, "ballot", line, part);
  if (m == nullptr) return static_cast<std::uint32_t>(part.value);
  std::uint32_t votes = 0;
  for (int i = 0; i < 32; ++i)
    if ((mask >> i & 1) != 0 && m->parts[i]->value != 0) votes |= 1u << i;
  for (int i = 0; i < 32; ++i)
    if (mask >> i & 1) m->parts[i]->value = votes;
  close(*current_->block, current_->index / 32, m);
  return votes;
}

void Machine::ldmatrix(int matrices, bool transposed, const void* row, unsigned* to, int line) {
  LanePart part;
  part.address = row;
  part.registers = to;
  WarpMeeting* m =
      meet(~0u, kLdmatrix + matrices * 2 + (transposed ? 1 : 0), "ldmatrix", line, part);
  if (m == nullptr) return;
  perform_ldmatrix(*m, matrices, transposed, line);
  close(*current_->block, current_->index / 32, m);
}

/// Each row counts as read by the lane that gives its address. Its data go to other lanes, so even
/// a row that this very lane wrote has to be ordered by a barrier: the read is checked as if by the
/// next lane.
void Machine::perform_ldmatrix(const WarpMeeting& m, int matrices, bool transposed, int line) {
  Thread* const last = current_;
  std::uint16_t rows[8][8];
  for (int matrix = 0; matrix < matrices; ++matrix) {
    for (int r = 0; r < 8; ++r) {
      const int lane = matrix * 8 + r;
      current_ =
          &last->block->threads[static_cast<std::size_t>(last->index / 32 * 32 + (lane + 1) % 32)];
      load(static_cast<const std::byte*>(m.parts[lane]->address), 16, kShared, rows[r], line);
    }
    for (int lane = 0; lane < 32; ++lane) {
      const int r = lane / 4, c = lane % 4 * 2;
      const std::uint16_t low = transposed ? rows[c][r] : rows[r][c];
      const std::uint16_t high = transposed ? rows[c + 1][r] : rows[r][c + 1];
      m.parts[lane]->registers[matrix] = low | static_cast<unsigned>(high) << 16;
    }
  }
  current_ = last;
}

namespace {

float f16_value(unsigned bits) { return abi().f16_to_f32(static_cast<unsigned short>(bits)); }
float bf16_value(unsigned bits) {
  float f;
  bits <<= 16;
  std::memcpy(&f, &bits, sizeof f);
  return f;
}
/// The multiplier ignores the 13 low bits.
float tf32_value(unsigned bits) {
  float f;
  bits &= ~0x1fffu;
  std::memcpy(&f, &bits, sizeof f);
  return f;
}

/// Where the operands of a fragment stand (PTX ISA, "Matrix Fragments for mma"): with `per`
/// elements a register, lane l and register i of A hold row l / 4 + 8 * (i % 2) and columns per *
/// (l % 4) + 4 * per * (i / 2) and on; register i of B holds the same columns of column l / 4.
template <class T, class Element>
void unpack(const WarpMeeting& m, int per, Element element, T (&a)[16][32], T (&b)[8][32]) {
  for (int lane = 0; lane < 32; ++lane) {
    for (int e = 0; e < per; ++e) {
      const int k = per * (lane % 4) + e;
      for (int i = 0; i < 4; ++i)
        a[lane / 4 + 8 * (i % 2)][k + 4 * per * (i / 2)] = element(m.parts[lane]->a[i], e);
      for (int i = 0; i < 2; ++i) b[lane / 4][k + 4 * per * i] = element(m.parts[lane]->b[i], e);
    }
  }
}

/// Lane l holds columns 2 * (l % 4) and the next of rows l / 4 (the first two) and l / 4 + 8.
template <class T>
void accumulate(const WarpMeeting& m, int depth, const T (&a)[16][32], const T (&b)[8][32]) {
  for (int lane = 0; lane < 32; ++lane) {
    T* c = static_cast<T*>(m.parts[lane]->c);
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
      T sum = c[i];
      for (int k = 0; k < depth; ++k) sum += a[row][k] * b[column][k];
      c[i] = sum;
    }
  }
}

void accumulate_f16(const WarpMeeting& m, const float (&a)[16][32], const float (&b)[8][32]) {
  for (int lane = 0; lane < 32; ++lane) {
    auto* c = static_cast<unsigned*>(m.parts[lane]->c);
    for (int i = 0; i < 2; ++i) {
      unsigned packed = 0;
      for (int e = 0; e < 2; ++e) {
        float sum = f16_value(c[i] >> (16 * e) & 0xffff);
        for (int k = 0; k < 16; ++k) sum += a[lane / 4 + 8 * i][k] * b[2 * (lane % 4) + e][k];
        packed |= static_cast<unsigned>(abi().f32_to_f16(sum)) << (16 * e);
      }
      c[i] = packed;
    }
  }
}

void perform_mma(const WarpMeeting& m, MmaKind kind) {
  if (kind == kMmaS8) {
    int a[16][32], b[8][32];
    unpack(
        m, 4,
        [](unsigned r, int e) {
          return static_cast<int>(static_cast<signed char>(r >> (8 * e) & 0xff));
        },
        a, b);
    accumulate(m, 32, a, b);
    return;
  }
  float a[16][32], b[8][32];
  if (kind == kMmaTf32) {
    unpack(
        m, 1, [](unsigned r, int) { return tf32_value(r); }, a, b);
    accumulate(m, 8, a, b);
    return;
  }
  if (kind == kMmaBf16)
    unpack(
        m, 2, [](unsigned r, int e) { return bf16_value(r >> (16 * e) & 0xffff); }, a, b);
  else
    unpack(
        m, 2, [](unsigned r, int e) { return f16_value(r >> (16 * e) & 0xffff); }, a, b);
  if (kind == kMmaF16F16)
    accumulate_f16(m, a, b);
  else
    accumulate(m, 16, a, b);
}

}  // namespace

void Machine::mma(MmaKind kind, void* c, const unsigned* a, const unsigned* b, int line) {
  LanePart part;
  part.c = c;
  part.a = a;
  part.b = b;
  WarpMeeting* m = meet(~0u, kMma + static_cast<int>(kind), "mma", line, part);
  if (m == nullptr) return;
  perform_mma(*m, kind);
  close(*current_->block, current_->index / 32, m);
}

}  // namespace tessera::runtime::emulator
