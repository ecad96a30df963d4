// Statements. Lines matter in one way: what may follow a complete statement (`if p`, a loop kind, a
// scope) must stand on the same line.
#include <algorithm>

#include "ir/detail/program_parser.h"
#include "support/nearest.h"

namespace tessera::ir::detail {

namespace {

constexpr int kMaxHeight = 2000;

/// What `alloc` or `let` opens until the end of its block.
struct Opened {
  std::size_t first;  // of the statements it covers
  Buffer buffer;      // of an alloc
  Var var;            // of a let
  Expr value;
};

Stmt close(const Opened& o, Stmt body) {
  if (o.buffer) return make_stmt<Allocate>(o.buffer, std::move(body));
  return make_stmt<LetStmt>(o.var, o.value, std::move(body));
}

Stmt gather(Stmts& all, std::size_t first) {
  Stmts tail(all.begin() + static_cast<std::ptrdiff_t>(first), all.end());
  all.resize(first);
  return block(std::move(tail));
}

}  // namespace

Stmt ProgramParser::body() {
  p_.expect("{");
  return statements();
}

Stmt ProgramParser::statements() {
  if (++depth_ > kMaxDepth)
    p_.fail("statements nest more than " + std::to_string(kMaxDepth) + " deep");
  Stmts all;
  std::vector<Opened> open;
  int highest = 0;
  while (!p_.accept("}")) {
    if (p_.at_end()) p_.expected("a statement or '}'");
    const bool lets = p_.is_word("let") && !p_.is("[", 1),
               allocates = p_.is_word("alloc") && !p_.is("[", 1);
    if (!lets && !allocates) {
      all.push_back(statement());
      highest = std::max(highest, height_);
      continue;
    }
    p_.take();
    Opened o{all.size(), {}, {}, {}};
    if (allocates) {
      o.buffer = declaration();
    } else {
      const Token at = p_.peek();
      const std::string name = p_.word("a variable");
      p_.expect(":");
      const Type t = p_.type();
      p_.expect("=");
      o.value = p_.expr();
      if (o.value.type() != t)
        p_.fail_at(at,
                   "this let is " + to_string(t) + ", its value is " + to_string(o.value.type()));
      o.var = variable(name, t);
    }
    if (p_.same_line() && p_.is("{")) {
      Stmt inner = body();
      highest = std::max(highest, height_ + 1);
      all.push_back(close(o, std::move(inner)));
    } else {
      open.push_back(std::move(o));
    }
  }
  for (auto o = open.rbegin(); o != open.rend(); ++o)
    all.push_back(close(*o, gather(all, o->first)));
  height_ = highest + static_cast<int>(open.size()) + 1;
  if (height_ > kMaxHeight)
    p_.fail("statements nest more than " + std::to_string(kMaxHeight) + " deep");
  --depth_;
  return block(std::move(all));
}

Stmt ProgramParser::statement() {
  height_ = 1;
  const Token at = p_.peek();
  if (at.kind != Token::Kind::kWord) p_.expected("a statement");
  if (p_.is("[", 1) && p_.peek(1).line == at.line) return store(at);
  p_.take();
  if (at.text == "for") return loop();
  if (at.text == "if") return branch();
  if (at.text == "instance") {
    std::string stage = p_.name("the name of a stage");
    Phase phase = Phase::kWhole;
    constexpr Phase kPhases[] = {Phase::kInit, Phase::kUpdate, Phase::kWhole};
    if (!one_of(phase, kPhases)) p_.expected("init, update or whole");
    p_.expect("[");
    Exprs coordinates = p_.list("]");
    return make_stmt<Instance>(std::move(stage), phase, std::move(coordinates), body());
  }
  if (at.text == "role") {
    std::string role = p_.name("the name of a role");
    return make_stmt<Role>(std::move(role), body());
  }
  if (at.text == "stream") return store(p_.peek(), true);
  return simple(at);
}

Stmt ProgramParser::simple(const Token& at) {
  if (at.text == "evaluate") return make_stmt<Evaluate>(p_.expr());
  if (at.text == "assert") {
    const Expr c = condition();
    p_.expect(",");
    if (p_.peek().kind != Token::Kind::kString) p_.expected("a message in quotes");
    return make_stmt<Assert>(c, p_.take().text);
  }
  if (at.text == "call") {
    std::string function = p_.name("the name of a function");
    p_.expect("(");
    std::vector<Buffer> buffers = buffer_list(";");
    p_.expect(";");
    Exprs scalars = p_.list(")");
    return make_stmt<CallFunction>(std::move(function), std::move(buffers), std::move(scalars));
  }
  if (at.text == "prefetch") return prefetch();
  if (at.text == "copy") {
    std::string mode = p_.name("the mode of a copy");
    Region target = region();
    p_.expect("=");
    Region source = region();
    return make_stmt<Copy>(std::move(target), std::move(source), std::move(mode));
  }
  if (at.text == "tile") {
    std::string intrinsic = p_.name("the name of an intrinsic");
    p_.expect("(");
    std::vector<Region> regions;
    while (!p_.accept(")")) {
      if (!regions.empty()) p_.expect(",");
      regions.push_back(region());
    }
    return make_stmt<TileOp>(std::move(intrinsic), std::move(regions));
  }
  if (at.text == "channel") {
    std::string channel = p_.name("the name of a channel");
    ChannelAction action = ChannelAction::kAcquire;
    constexpr ChannelAction kActions[] = {ChannelAction::kAcquire, ChannelAction::kCommit,
                                          ChannelAction::kWait, ChannelAction::kRelease};
    if (!one_of(action, kActions)) p_.expected("acquire, commit, wait or release");
    return make_stmt<ChannelOp>(std::move(channel), action, p_.sum());
  }
  if (at.text == "barrier") {
    BarrierScope scope = BarrierScope::kBlock;
    constexpr BarrierScope kScopes[] = {BarrierScope::kLane,      BarrierScope::kWarp,
                                        BarrierScope::kWarpGroup, BarrierScope::kBlock,
                                        BarrierScope::kCluster,   BarrierScope::kGrid};
    if (!one_of(scope, kScopes)) p_.expected("lane, warp, warpgroup, block, cluster or grid");
    return make_stmt<Barrier>(scope);
  }
  if (at.text == "atomic") return atomic();
  static const std::vector<std::string> kWords{"for",    "if",       "let",  "alloc",    "evaluate",
                                               "assert", "instance", "call", "prefetch", "copy",
                                               "tile",   "channel",  "role", "barrier",  "atomic", "stream"};
  const std::string near = joined(nearest_names(at.text, kWords));
  p_.fail_at(at, "expected a statement, found '" + at.text.substr(0, 40) + "'" +
                     (near.empty() ? "" : "; near it: " + near));
}

Expr ProgramParser::condition() {
  const Token at = p_.peek();
  Expr c = p_.expr();
  if (c.type() != boolean) p_.fail_at(at, "a condition is a bool, here " + to_string(c.type()));
  return c;
}

/// `lo..hi` prints the end of a loop; its extent is hi - lo, as it stood before printing.
Expr ProgramParser::extent_of(const Expr& lo, const Expr& hi) {
  if (is_zero(lo)) return hi;
  if (equal(lo, hi)) return int_imm(0);
  const auto* sum = hi.as<Add>();
  return sum != nullptr && equal(sum->a, lo) ? sum->b : hi - lo;
}

Stmt ProgramParser::loop() {
  const Token at = p_.peek();
  const std::string name = p_.word("a loop variable");
  if (!p_.accept_word("in")) p_.expected("'in'");
  const Expr lo = p_.sum();
  p_.expect("..");
  const Expr hi = p_.sum();
  if (lo.type() != i64 || hi.type() != i64)
    p_.fail_at(at, "the range of a loop is i64, here " + to_string(lo.type()) + " and " +
                       to_string(hi.type()));
  ForKind kind = ForKind::kSerial;
  for (int k = 0; k < static_cast<int>(ForKind::kCount); ++k) {
    if (p_.same_line() && p_.accept_word(to_string(static_cast<ForKind>(k)))) {
      kind = static_cast<ForKind>(k);
      break;
    }
  }
  std::map<std::string, std::int64_t> notes;
  while (p_.accept("@")) {
    const std::string key = p_.name("the name of a note");
    p_.expect("=");
    if (!notes.emplace(key, p_.integer("the value of a note", INT64_MIN, INT64_MAX)).second)
      p_.fail("note '" + key.substr(0, 40) + "' stands twice");
  }
  if (!p_.is("{")) p_.expected("a loop kind, @note=value or '{'");
  const Var v = variable(name, i64);
  return make_stmt<For>(v, lo, extent_of(lo, hi), kind, body(), std::move(notes));
}

Stmt ProgramParser::branch() {
  const Expr c = condition();
  Stmt yes = body();
  Stmt no;
  const int yes_height = height_;
  if (p_.accept_word("else")) no = body();
  height_ = std::max(height_, yes_height);
  return make_stmt<IfThenElse>(c, std::move(yes), std::move(no));
}

Stmt ProgramParser::store(const Token& at, bool streaming) {
  const Buffer b = buffer();
  p_.expect("[");
  Exprs indices = p_.list("]");
  if (auto ok = load(b, indices); !ok.ok()) p_.fail_at(at, ok.reason());
  p_.expect("=");
  Expr value = p_.expr();
  Expr predicate;
  if (p_.same_line() && p_.accept_word("if")) predicate = p_.expr();
  return make_stmt<Store>(b, std::move(indices), std::move(value), std::move(predicate), streaming);
}

Stmt ProgramParser::prefetch() {
  const Token at = p_.peek();
  const Buffer b = buffer();
  p_.expect("[");
  Exprs indices = p_.list("]");
  if (auto ok = load(b, indices); !ok.ok()) p_.fail_at(at, ok.reason());
  if (!p_.accept_word("locality")) p_.expected("'locality'");
  const auto locality = static_cast<int>(p_.integer("a locality", 0, 3));
  const bool write = p_.same_line() && p_.accept_word("write");
  return make_stmt<Prefetch>(b, std::move(indices), locality, write);
}

Stmt ProgramParser::atomic() {
  const Token at = p_.peek();
  static constexpr const char* kWords[] = {"sum", "prod", "min", "max", "any", "all"};
  const std::string word = p_.word("sum, prod, min, max, any or all");
  for (int i = 0; i < 6; ++i) {
    if (word != kWords[i]) continue;
    const Token access = p_.peek();
    const Buffer b = buffer();
    p_.expect("[");
    Exprs indices = p_.list("]");
    if (auto ok = load(b, indices); !ok.ok()) p_.fail_at(access, ok.reason());
    p_.expect(",");
    return make_stmt<Atomic>(static_cast<ReduceOp>(i), b, std::move(indices), p_.expr());
  }
  p_.fail_at(at, "expected sum, prod, min, max, any or all");
}

Region ProgramParser::region() {
  Region r;
  r.buffer = buffer();
  p_.expect("[");
  while (!p_.accept("]")) {
    if (!r.min.empty()) p_.expect(",");
    r.min.push_back(p_.sum());
    p_.expect("+:");
    r.extent.push_back(p_.sum());
  }
  return r;
}

}  // namespace tessera::ir::detail
