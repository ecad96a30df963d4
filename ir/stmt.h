// Statements: immutable, kind-tagged, shared, like expressions (ir/expr.h).
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ir/buffer.h"
#include "ir/expr.h"

namespace tessera::ir {

struct StmtNode : RefCounted {
  const StmtKind kind;
  const std::uint64_t hash;

 protected:
  StmtNode(StmtKind k, std::uint64_t h) : kind(k), hash(h) {}
};
void destroy(const StmtNode* node);

class Stmt {
 public:
  Stmt() = default;
  explicit Stmt(const StmtNode* n) : node_(n) {}
  const StmtNode* get() const { return node_.get(); }
  const StmtNode* operator->() const { return node_.get(); }
  explicit operator bool() const { return static_cast<bool>(node_); }
  std::uint64_t hash() const { return node_->hash; }
  template <class N>
  const N* as() const {
    return node_ && node_->kind == N::kKind ? static_cast<const N*>(node_.get()) : nullptr;
  }
  bool same_as(const Stmt& o) const { return node_ == o.node_; }

 private:
  Ref<const StmtNode> node_;
};

using Stmts = std::vector<Stmt>;

/// Statements in order. Never holds a Block: `block()` splices.
struct Block : StmtNode {
  static constexpr StmtKind kKind = StmtKind::kBlock;
  const Stmts stmts;
  explicit Block(Stmts s);
};

/// How the iterations of a loop run. kVector: all at once, as lanes. The rest from kBlockX on bind
/// the loop to the GPU's hierarchy.
enum class ForKind : std::uint8_t {
  kSerial, kParallel, kVector, kUnroll,
  kBlockX, kBlockY, kBlockZ, kClusterX, kClusterY, kClusterZ, kWarpGroup, kWarp, kLane,
  kThreadX, kThreadY, kThreadZ, kVThread, kPersistent, kCount,
};
const char* to_string(ForKind k);
std::vector<const char*> enum_names(ForKind);
/// Bound to the grid; to the threads of a block.
inline bool is_block_level(ForKind k) { return k == ForKind::kBlockX || k == ForKind::kBlockY || k == ForKind::kBlockZ; }
inline bool is_thread_level(ForKind k) {
  return k == ForKind::kThreadX || k == ForKind::kThreadY || k == ForKind::kThreadZ || k == ForKind::kWarp || k == ForKind::kLane;
}

/// How a loop whose trip count varies is realised at the end of lowering. kPartition: specialised
/// copies with constant counts. kGuard: one copy, iterations tested.
enum class Tail : std::uint8_t { kPartition, kGuard, kPad };
const char* to_string(Tail t);
inline std::vector<const char*> enum_names(Tail) { return {"partition", "guard", "pad"}; }

/// for var in min .. min + extent
struct For : StmtNode {
  static constexpr StmtKind kKind = StmtKind::kFor;
  const Var var;
  const Expr min, extent;
  const ForKind loop;
  const Stmt body;
  const std::map<std::string, std::int64_t> notes;  // annotations by name: "grain", "unroll_limit", ...
  For(Var v, Expr lo, Expr n, ForKind k, Stmt b, std::map<std::string, std::int64_t> notes = {});
};

/// Lanes whose predicate is false are not written. `streaming` is a hint that nobody reads the element
/// soon: it may go past the caches.
struct Store : StmtNode {
  static constexpr StmtKind kKind = StmtKind::kStore;
  const Buffer buffer;
  const Exprs indices;
  const Expr value;
  const Expr predicate;
  const bool streaming;
  Store(Buffer b, Exprs i, Expr v, Expr predicate = {}, bool streaming = false);
};

/// `buffer` lives while `body` runs; its contents start undefined.
struct Allocate : StmtNode {
  static constexpr StmtKind kKind = StmtKind::kAllocate;
  const Buffer buffer;
  const Stmt body;
  Allocate(Buffer b, Stmt s);
};

struct IfThenElse : StmtNode {
  static constexpr StmtKind kKind = StmtKind::kIfThenElse;
  const Expr condition;
  const Stmt yes, no;  // `no` may be empty
  IfThenElse(Expr c, Stmt y, Stmt n = {});
};

struct LetStmt : StmtNode {
  static constexpr StmtKind kKind = StmtKind::kLetStmt;
  const Var var;
  const Expr value;
  const Stmt body;
  LetStmt(Var v, Expr x, Stmt b);
};

struct Evaluate : StmtNode {
  static constexpr StmtKind kKind = StmtKind::kEvaluate;
  const Expr value;
  explicit Evaluate(Expr v);
};

struct Assert : StmtNode {
  static constexpr StmtKind kKind = StmtKind::kAssert;
  const Expr condition;
  const std::string message;
  Assert(Expr c, std::string m);
};

/// One execution of a stage's statement, with the coordinates it has in the unscheduled program
/// (data axes, then reduction axes; an init has only data axes). What the verifier and footprints
/// read at the cut of the lowering.
enum class Phase : std::uint8_t { kInit, kUpdate, kWhole };
const char* to_string(Phase p);

struct Instance : StmtNode {
  static constexpr StmtKind kKind = StmtKind::kInstance;
  const std::string stage;
  const Phase phase;
  const Exprs coordinates;
  const Stmt body;
  Instance(std::string s, Phase p, Exprs c, Stmt b);
};

/// Calls another function of the program: an outlined micro-kernel. Buffers are passed by reference.
struct CallFunction : StmtNode {
  static constexpr StmtKind kKind = StmtKind::kCallFunction;
  const std::string function;
  const std::vector<Buffer> buffers;
  const Exprs scalars;
  CallFunction(std::string f, std::vector<Buffer> b, Exprs s);
};

/// A hint to bring the line of one element near; never faults, and the element may lie outside of the
/// buffer. `locality` 3 (keep) .. 0 (streaming); `write`: it is about to be written.
struct Prefetch : StmtNode {
  static constexpr StmtKind kKind = StmtKind::kPrefetch;
  const Buffer buffer;
  const Exprs indices;
  const int locality;
  const bool write;
  Prefetch(Buffer b, Exprs i, int locality, bool write = false);
};

/// A box of a buffer: one [min, min + extent) a dimension.
struct Region {
  Buffer buffer;
  Exprs min, extent;
};

/// target[...] = source[...], elementwise over boxes of equal extents.
struct Copy : StmtNode {
  static constexpr StmtKind kKind = StmtKind::kCopy;
  const Region target, source;
  const std::string mode;  // "sync", "async", "bulk"
  Copy(Region t, Region s, std::string m);
};

/// One instance of a tensor intrinsic on whole tiles (an mma of a warp, ldmatrix, ...). The first region is
/// what it writes.
struct TileOp : StmtNode {
  static constexpr StmtKind kKind = StmtKind::kTileOp;
  const std::string intrinsic;
  const std::vector<Region> regions;
  TileOp(std::string i, std::vector<Region> r);
};

/// Producer/consumer hand-over of a slot of a pipelined buffer.
enum class ChannelAction : std::uint8_t { kAcquire, kCommit, kWait, kRelease };
const char* to_string(ChannelAction a);

struct ChannelOp : StmtNode {
  static constexpr StmtKind kKind = StmtKind::kChannelOp;
  const std::string channel;
  const ChannelAction action;
  const Expr slot;
  ChannelOp(std::string c, ChannelAction a, Expr s);
};

/// The role of the block that is done last.
inline constexpr const char* kLastBlock = "last_block";

/// `body` is run by the named group of warps only, or, of a kernel's statements after its loops over blocks, by
/// the last block (kLastBlock).
struct Role : StmtNode {
  static constexpr StmtKind kKind = StmtKind::kRole;
  const std::string name;
  const Stmt body;
  Role(std::string n, Stmt b);
};

enum class BarrierScope : std::uint8_t { kLane, kWarp, kWarpGroup, kBlock, kCluster, kGrid };
const char* to_string(BarrierScope s);

struct Barrier : StmtNode {
  static constexpr StmtKind kKind = StmtKind::kBarrier;
  const BarrierScope scope;
  explicit Barrier(BarrierScope s);
};

/// buffer[indices] = op(buffer[indices], value), indivisibly.
struct Atomic : StmtNode {
  static constexpr StmtKind kKind = StmtKind::kAtomic;
  const ReduceOp op;
  const Buffer buffer;
  const Exprs indices;
  const Expr value;
  Atomic(ReduceOp o, Buffer b, Exprs i, Expr v);
};

template <class N, class... Args>
Stmt make_stmt(Args&&... args) {
  return Stmt(static_cast<const StmtNode*>(new N(std::forward<Args>(args)...)));
}

/// One statement from several: blocks are spliced, empty ones dropped, a single one returned as is.
Stmt block(Stmts stmts);

}  // namespace tessera::ir
