#include "ir/stmt.h"

#include "ir/program.h"

namespace tessera::ir {

namespace {

class Hasher {
 public:
  explicit Hasher(StmtKind k) : h_(mix64(static_cast<std::uint64_t>(k) + 0x7000)) {}
  Hasher& operator<<(std::uint64_t x) {
    h_ = hash_combine(h_, x);
    return *this;
  }
  Hasher& operator<<(const Expr& e) { return *this << (e.defined() ? e.hash() : 1); }
  Hasher& operator<<(const Stmt& s) { return *this << (s ? s.hash() : 2); }
  Hasher& operator<<(const Buffer& b) { return *this << b->id; }
  Hasher& operator<<(const std::string& s) { return *this << hash_bytes(s); }
  template <class T>
  Hasher& operator<<(const std::vector<T>& v) {
    for (const T& x : v) *this << x;
    return *this << static_cast<std::uint64_t>(v.size());
  }
  Hasher& operator<<(const Region& r) { return *this << r.buffer << r.min << r.extent; }
  operator std::uint64_t() const { return h_; }  // NOLINT: feeds the node's hash

 private:
  std::uint64_t h_;
};

template <class E>
std::uint64_t tag(E e) {
  return static_cast<std::uint64_t>(e);
}

std::uint64_t notes_hash(const std::map<std::string, std::int64_t>& notes) {
  std::uint64_t h = notes.size();
  for (const auto& [k, v] : notes) h = hash_combine(hash_combine(h, hash_bytes(k)), static_cast<std::uint64_t>(v));
  return h;
}

}  // namespace

const char* kind_name(StmtKind k) {
  switch (k) {
#define TESSERA_NAME(name) case StmtKind::k##name: return #name;
    TESSERA_STMT_KINDS(TESSERA_NAME)
#undef TESSERA_NAME
  }
  return "?";
}

std::vector<const char*> enum_names(ForKind) {
  return {"serial", "parallel", "vector", "unroll", "block.x", "block.y", "block.z",
          "cluster.x", "cluster.y", "cluster.z", "warpgroup", "warp", "lane", "thread.x", "thread.y", "thread.z",
          "vthread", "persistent"};
}
const char* to_string(ForKind k) {
  static const std::vector<const char*> kNames = enum_names(k);
  return kNames[static_cast<std::size_t>(k)];
}
const char* to_string(Tail t) { return enum_names(t)[static_cast<std::size_t>(t)]; }
const char* to_string(Phase p) { return p == Phase::kInit ? "init" : p == Phase::kUpdate ? "update" : "whole"; }
const char* to_string(ChannelAction a) {
  static constexpr const char* kNames[] = {"acquire", "commit", "wait", "release"};
  return kNames[static_cast<std::size_t>(a)];
}
const char* to_string(BarrierScope s) {
  static constexpr const char* kNames[] = {"lane", "warp", "warpgroup", "block", "cluster", "grid"};
  return kNames[static_cast<std::size_t>(s)];
}
const char* to_string(BufferRole r) {
  static constexpr const char* kNames[] = {"input", "constant", "prepared", "output", "workspace"};
  return kNames[static_cast<std::size_t>(r)];
}
const char* to_string(RunPhase p) { return p == RunPhase::kPrepare ? "prepare" : "run"; }

Block::Block(Stmts s) : StmtNode(kKind, Hasher(kKind) << s), stmts(std::move(s)) {}
For::For(Var v, Expr lo, Expr n, ForKind k, Stmt b, std::map<std::string, std::int64_t> a)
    : StmtNode(kKind, Hasher(kKind) << v << lo << n << tag(k) << b << notes_hash(a)),
      var(std::move(v)), min(std::move(lo)), extent(std::move(n)), loop(k), body(std::move(b)), notes(std::move(a)) {}
Store::Store(Buffer b, Exprs i, Expr v, Expr p, bool s)
    : StmtNode(kKind, Hasher(kKind) << b << i << v << p << static_cast<std::uint64_t>(s)),
      buffer(std::move(b)), indices(std::move(i)), value(std::move(v)), predicate(std::move(p)), streaming(s) {}
Allocate::Allocate(Buffer b, Stmt s) : StmtNode(kKind, Hasher(kKind) << b << s), buffer(std::move(b)), body(std::move(s)) {}
IfThenElse::IfThenElse(Expr c, Stmt y, Stmt n)
    : StmtNode(kKind, Hasher(kKind) << c << y << n), condition(std::move(c)), yes(std::move(y)), no(std::move(n)) {}
LetStmt::LetStmt(Var v, Expr x, Stmt b)
    : StmtNode(kKind, Hasher(kKind) << v << x << b), var(std::move(v)), value(std::move(x)), body(std::move(b)) {}
Evaluate::Evaluate(Expr v) : StmtNode(kKind, Hasher(kKind) << v), value(std::move(v)) {}
Assert::Assert(Expr c, std::string m) : StmtNode(kKind, Hasher(kKind) << c << m), condition(std::move(c)), message(std::move(m)) {}
Instance::Instance(std::string s, Phase p, Exprs c, Stmt b)
    : StmtNode(kKind, Hasher(kKind) << s << tag(p) << c << b),
      stage(std::move(s)), phase(p), coordinates(std::move(c)), body(std::move(b)) {}
CallFunction::CallFunction(std::string f, std::vector<Buffer> b, Exprs s)
    : StmtNode(kKind, Hasher(kKind) << f << b << s), function(std::move(f)), buffers(std::move(b)), scalars(std::move(s)) {}
Prefetch::Prefetch(Buffer b, Exprs i, int l, bool w)
    : StmtNode(kKind, Hasher(kKind) << b << i << static_cast<std::uint64_t>(l) << static_cast<std::uint64_t>(w)),
      buffer(std::move(b)), indices(std::move(i)), locality(l), write(w) {}
Copy::Copy(Region t, Region s, std::string m)
    : StmtNode(kKind, Hasher(kKind) << t << s << m), target(std::move(t)), source(std::move(s)), mode(std::move(m)) {}
TileOp::TileOp(std::string i, std::vector<Region> r)
    : StmtNode(kKind, Hasher(kKind) << i << r), intrinsic(std::move(i)), regions(std::move(r)) {}
ChannelOp::ChannelOp(std::string c, ChannelAction a, Expr s)
    : StmtNode(kKind, Hasher(kKind) << c << tag(a) << s), channel(std::move(c)), action(a), slot(std::move(s)) {}
Role::Role(std::string n, Stmt b) : StmtNode(kKind, Hasher(kKind) << n << b), name(std::move(n)), body(std::move(b)) {}
Barrier::Barrier(BarrierScope s) : StmtNode(kKind, Hasher(kKind) << tag(s)), scope(s) {}
Atomic::Atomic(ReduceOp o, Buffer b, Exprs i, Expr v)
    : StmtNode(kKind, Hasher(kKind) << tag(o) << b << i << v),
      op(o), buffer(std::move(b)), indices(std::move(i)), value(std::move(v)) {}

void destroy(const StmtNode* n) {
  switch (n->kind) {
#define TESSERA_CASE(name) case StmtKind::k##name: delete static_cast<const name*>(n); return;
    TESSERA_STMT_KINDS(TESSERA_CASE)
#undef TESSERA_CASE
  }
}

Stmt block(Stmts stmts) {
  Stmts flat;
  for (Stmt& s : stmts) {
    if (!s) continue;
    if (const auto* b = s.as<Block>()) {
      flat.insert(flat.end(), b->stmts.begin(), b->stmts.end());
    } else {
      flat.push_back(std::move(s));
    }
  }
  if (flat.size() == 1) return flat.front();
  return make_stmt<Block>(std::move(flat));
}

const Function* Program::find(const std::string& function) const {
  for (const Function& f : functions) {
    if (f.name == function) return &f;
  }
  return nullptr;
}

BufferRole Program::role(const Buffer& b) const {
  for (const ProgramBuffer& p : buffers) {
    if (p.buffer == b) return p.role;
  }
  TESSERA_CHECK(false) << "buffer " << b->name << " is not one of program " << name;
  return BufferRole::kWorkspace;
}

}  // namespace tessera::ir
