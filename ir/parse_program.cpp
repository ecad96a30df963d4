// Programs, functions, buffers and layouts; statements are in parse_stmt.cpp.
#include <algorithm>
#include <limits>

#include "ir/detail/program_parser.h"
#include "support/nearest.h"

namespace tessera::ir {

namespace detail {

ProgramParser::ProgramParser(std::string_view text, std::vector<Token> tokens)
    : p_(text, std::move(tokens), scope_) {
  scope_.variable = [this](const std::string& n) {
    const auto it = vars_.find(n);
    if (it != vars_.end()) return static_cast<Expr>(it->second);
    return in_shape_ ? static_cast<Expr>(variable(n, i64)) : Expr();
  };
  scope_.bind = [this](const std::string& n, Type t) { return variable(n, t); };
  scope_.read = [this](const std::string& n, const Exprs& indices) -> Result<Expr> {
    const auto it = buffers_.find(n);
    if (it == buffers_.end()) {
      const std::string near = joined(nearest_names(n, names()));
      return refuse("unknown buffer '", n.substr(0, 40), "'",
                    near.empty() ? "" : "; near it: ", near);
    }
    return load(it->second, indices);
  };
  scope_.names = [this] { return names(); };
}

std::vector<std::string> ProgramParser::names() const {
  std::vector<std::string> out;
  for (const auto& [name, v] : vars_) out.push_back(name);
  for (const auto& [name, b] : buffers_) out.push_back(name);
  if (out.size() > 1000) out.resize(1000);
  return out;
}

Result<Expr> ProgramParser::load(const Buffer& b, const Exprs& indices) {
  int lanes = 1;
  for (const Expr& i : indices) {
    if (!i.type().is_integral() || i.type().is_bool())
      return refuse("index ", i, " of ", b->name, " is ", i.type(), ", not an integer");
    if (i.type().lanes != 1 && lanes != 1 && i.type().lanes != lanes)
      return refuse("indices of ", b->name, " have different lanes");
    lanes = std::max<int>(lanes, i.type().lanes);
  }
  return b.load(indices);
}

Var ProgramParser::variable(const std::string& name, Type t) {
  if (buffers_.count(name) != 0) p_.fail("'" + name.substr(0, 40) + "' is a buffer");
  // A printed name stands for one variable, wherever it is bound.
  const auto [it, added] = vars_.try_emplace(name);
  if (added) it->second = Var::fresh(name, t);
  if (it->second.type() != t)
    p_.fail("'" + name.substr(0, 40) + "' was " + to_string(it->second.type()) + " before, here " +
            to_string(t));
  return it->second;
}

Buffer ProgramParser::buffer() {
  const Token at = p_.peek();
  const auto it = buffers_.find(p_.word("a buffer"));
  if (it != buffers_.end()) return it->second;
  const std::string near = joined(nearest_names(at.text, names()));
  p_.fail_at(at, "unknown buffer '" + at.text.substr(0, 40) + "'" +
                     (near.empty() ? "" : "; near it: " + near));
}

Buffer ProgramParser::declaration() {
  const Token at = p_.peek();
  const std::string name = p_.word("the name of a buffer");
  p_.expect(":");
  const Type dtype = p_.type();
  if (!dtype.is_scalar()) p_.fail_at(at, "the elements of a buffer are scalars");
  p_.expect("[");
  in_shape_ = true;
  Exprs shape = p_.list("]");
  in_shape_ = false;
  std::vector<std::int64_t> extents;
  bool symbolic = false;
  std::int64_t size = 1;
  for (const Expr& e : shape) {
    std::int64_t n = 0;
    if (e.type() != i64)
      p_.fail_at(at, "an extent of a buffer is an i64, here " + to_string(e.type()));
    symbolic |= !is_const_int(e, &n);
    extents.push_back(n);
    if (n < 0 || __builtin_mul_overflow(size, std::max<std::int64_t>(n, 1), &size))
      p_.fail_at(at, "the extents of a buffer are not negative and fit 64 bits together");
  }
  constexpr Scope kScopes[] = {Scope::kGlobal, Scope::kShared, Scope::kLocal, Scope::kRegister,
                               Scope::kFragment};
  Scope scope = Scope::kGlobal;
  one_of(scope, kScopes);
  Buffer b = Buffer::fresh(name, dtype, shape, scope);
  if (p_.same_line() && p_.accept_word("layout")) {
    if (symbolic) p_.fail_at(at, "a buffer of symbolic shape has no layout");
    p_.expect("(");
    b = b.with_layout(layout(extents));
    p_.expect(")");
  }
  if (p_.same_line() && p_.accept_word("align")) {
    auto* edit = new BufferNode(*b.get());
    edit->alignment = static_cast<int>(p_.integer("an alignment in bytes", 1, 1 << 20));
    b = Buffer(Ref<const BufferNode>(edit));
  }
  if (vars_.count(name) != 0) p_.fail_at(at, "'" + name.substr(0, 40) + "' is a variable");
  const auto [it, added] = buffers_.try_emplace(name, b);
  const Buffer& known = it->second;
  const bool same = known->dtype == b->dtype && known->scope == b->scope &&
                    known->layout == b->layout && known->alignment == b->alignment &&
                    known->shape.size() == b->shape.size() &&
                    std::equal(b->shape.begin(), b->shape.end(), known->shape.begin(),
                               [](const Expr& x, const Expr& y) { return equal(x, y); });
  if (!added && !same)
    p_.fail_at(at, "'" + name.substr(0, 40) + "' was declared differently before");
  return known;
}

Layout ProgramParser::layout(const std::vector<std::int64_t>& shape) {
  const Token at = p_.peek();
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  std::vector<LayoutDigit> digits;
  std::vector<SwizzleBit> swizzle;
  while (p_.peek().kind == Token::Kind::kWord) {
    const Token word = p_.take();
    LayoutDigit d;
    const std::size_t dims = shape.size();
    for (std::size_t i = 0; i <= dims; ++i) {
      if (i == dims)
        p_.fail_at(word, "expected a digit d0 .. d" + std::to_string(dims ? dims - 1 : 0) +
                             " of the layout");
      if (word.text != "d" + std::to_string(i)) continue;
      d.dim = static_cast<int>(i);
      break;
    }
    if (p_.accept("/")) d.divisor = p_.integer("a divisor", 1, kMax);
    const std::int64_t n = shape[static_cast<std::size_t>(d.dim)];
    d.extent = std::max<std::int64_t>(n / d.divisor + (n % d.divisor != 0 ? 1 : 0), 1);
    if (p_.accept("%")) d.extent = p_.integer("an extent", 1, kMax);
    p_.expect(":");
    d.stride = p_.integer("a stride", 1, kMax);
    digits.push_back(d);
  }
  while (p_.accept("^")) {
    SwizzleBit b;
    b.to = static_cast<int>(p_.integer("a bit", 0, 30));
    p_.expect("<");
    p_.expect("-");
    b.from = static_cast<int>(p_.integer("a bit", 0, 30));
    swizzle.push_back(b);
  }
  auto l = Layout::strided(shape, std::move(digits), std::move(swizzle));
  if (!l.ok()) p_.fail_at(at, l.reason());
  return *l;
}

Layout ProgramParser::whole_layout(const std::vector<std::int64_t>& shape) {
  Layout l = layout(shape);
  if (!p_.at_end()) p_.expected("a digit, a swizzle or the end");
  return l;
}

Program ProgramParser::program() {
  Program out;
  if (!p_.accept_word("program")) p_.expected("'program'");
  out.name = p_.name("the name of the program");
  p_.expect("{");
  while (!p_.accept("}")) {
    if (p_.accept_word("buffer")) {
      constexpr BufferRole kRoles[] = {BufferRole::kInput, BufferRole::kConstant,
                                       BufferRole::kPrepared, BufferRole::kOutput,
                                       BufferRole::kWorkspace};
      ProgramBuffer b;
      b.buffer = declaration();
      if (!one_of(b.role, kRoles)) p_.expected("input, constant, prepared, output or workspace");
      out.buffers.push_back(std::move(b));
    } else if (p_.accept_word("func")) {
      out.functions.push_back(function());
    } else if (p_.is_word("prepare") || p_.is_word("run")) {
      LaunchSite l;
      l.phase = p_.take().text == "prepare" ? RunPhase::kPrepare : RunPhase::kRun;
      l.function = p_.name("the name of a function");
      p_.expect("(");
      l.arguments = buffer_list(")");
      p_.expect(")");
      out.launches.push_back(std::move(l));
    } else {
      p_.expected("buffer, func, prepare, run or '}'");
    }
  }
  if (!p_.at_end()) p_.expected("the end");
  return out;
}

std::vector<Buffer> ProgramParser::buffer_list(const char* end) {
  std::vector<Buffer> out;
  if (p_.is(end)) return out;
  do {
    out.push_back(buffer());
  } while (p_.accept(","));
  return out;
}

Function ProgramParser::function() {
  Function f;
  f.name = p_.name("the name of a function");
  p_.expect("(");
  while (!p_.is(";")) {
    f.buffers.push_back(p_.is(":", 1) ? declaration() : buffer());
    if (!p_.is(";")) p_.expect(",");
  }
  p_.expect(";");
  while (!p_.is(")")) {
    const std::string name = p_.word("a variable");
    const Type t = p_.accept(":") ? p_.type() : i64;
    f.scalars.push_back(variable(name, t));
    if (!p_.is(")")) p_.expect(",");
  }
  p_.expect(")");
  f.body = body();
  return f;
}

}  // namespace detail

Result<Program> parse_program(std::string_view text) {
  TESSERA_TRY(tokens, lex(text));
  detail::ProgramParser p(text, std::move(tokens));
  try {
    return p.program();
  } catch (const detail::ParseFailure& f) {
    return Refusal{f.message};
  }
}

Result<Layout> parse_layout(std::string_view text, const std::vector<std::int64_t>& shape) {
  TESSERA_TRY(tokens, lex(text));
  detail::ProgramParser p(text, std::move(tokens));
  try {
    return p.whole_layout(shape);
  } catch (const detail::ParseFailure& f) {
    return Refusal{f.message};
  }
}

}  // namespace tessera::ir
