#include "codegen/cuda/print.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>
#include <sstream>

#include "codegen/cuda/detail/text.h"
#include "ir/analysis/accesses.h"
#include "ir/analysis/affine.h"
#include "ir/analysis/loops.h"
#include "ir/mma.h"
#include "ir/print.h"
#include "ir/rewrite.h"

namespace tessera::codegen {

namespace {

using detail::ExprText;
using detail::memory_type;
using detail::NoText;
using detail::value_type;
using ir::Expr;
using ir::Stmt;

constexpr std::int64_t kSharedAlignment = 128;
constexpr std::int64_t kMostVectorBytes = 16;

/// A C identifier that no other has, from a name of the program.
class Identifiers {
 public:
  std::string fresh(const std::string& name) {
    std::string base;
    for (const char c : name) base += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
    if (base.empty() || std::isdigit(static_cast<unsigned char>(base[0])) != 0 || base.rfind("ts_", 0) == 0) base = "v_" + base;
    std::string out = base;
    for (int i = 1; !taken_.insert(out).second; ++i) out = base + "_" + std::to_string(i);
    return out;
  }

 private:
  std::set<std::string> taken_{"auto", "bool", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern",
                               "float", "for", "goto", "if", "inline", "int", "long", "new", "register", "return", "short", "signed", "sizeof",
                               "static", "struct", "switch", "this", "true", "false", "typedef", "union", "unsigned", "void", "volatile", "while",
                               "f16", "f32", "f64", "bf16", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"};
};

class KernelText {
 public:
  explicit KernelText(const ir::Function& f) : f_(f) {}

  CudaKernel run() {
    out_.name = f_.name;
    choose_index_type();
    declare_parameters();
    Stmt body = f_.body;
    indent_ = 1;
    while (const auto* n = body.as<ir::For>()) {
      if (ir::is_block_level(n->loop)) {
        grid(*n);
      } else if (n->loop == ir::ForKind::kThreadX) {
        threads(*n);
        body = n->body;
        break;
      } else {
        break;
      }
      body = n->body;
    }
    place_shared(body);
    stmt(body);
    if (!counter_.empty()) out_.text = "ts_counter(" + counter_ + ");\n";
    out_.text += header() + body_.str() + "}\n";
    out_.waits_for_all = !counter_.empty();
    return std::move(out_);
  }

 private:
  // ---- declarations -----------------------------------------------------------------------------------

  /// 32 bits hold every index unless a buffer is longer, or the program computes with 64-bit integers.
  void choose_index_type() {
    bool wide = false;
    for (const ir::Buffer& b : f_.buffers) {
      std::int64_t n = std::max<std::int64_t>(1, b->layout.size());
      for (const std::int64_t e : b.extents()) n = std::max(n, e);
      wide |= n >= (std::int64_t{1} << 31) || b->dtype == ir::i64;
    }
    ir::walk(
        f_.body, [](const Stmt&) { return true; },
        [&](const Expr& e) {
          wide |= e->kind == ir::ExprKind::kCast && e.type().element() == ir::i64;
          return true;
        });
    text_.index_type = wide ? "i64" : "i32";
  }

  void declare_parameters() {
    const std::set<std::uint64_t> written = ir::stored_buffers(f_.body);
    for (const ir::Buffer& b : f_.buffers) {
      text_.buffers[b->id] = names_.fresh(b->name);
      if (written.count(b->id) == 0) text_.read_only.insert(b->id);
      out_.parameters.push_back(b);
    }
  }

  std::string header() const {
    std::ostringstream os;
    os << "extern \"C\" __global__ void __launch_bounds__(" << out_.block.x << ") " << out_.name << "(";
    for (std::size_t i = 0; i < f_.buffers.size(); ++i) {
      const ir::Buffer& b = f_.buffers[i];
      os << (i > 0 ? ",\n    " : "\n    ") << (text_.read_only.count(b->id) != 0 ? "const " : "") << memory_type(b->dtype) << "* __restrict__ "
         << text_.buffers.at(b->id);
    }
    os << ") {\n";
    return os.str();
  }

  void grid(const ir::For& n) {
    std::int64_t count = 0;
    is_const_int(n.extent, &count);
    const bool x = n.loop == ir::ForKind::kBlockX, y = n.loop == ir::ForKind::kBlockY;
    (x ? out_.grid.x : y ? out_.grid.y : out_.grid.z) = count;
    define(n.var, std::string("ts_block_") + (x ? "x" : y ? "y" : "z") + "()", {0, count - 1});
  }

  void threads(const ir::For& n) {
    is_const_int(n.extent, &out_.block.x);
    define(n.var, "ts_thread_x()", {0, out_.block.x - 1});
  }

  void define(const ir::Var& v, const std::string& value, const ir::Interval& range) {
    const std::string name = names_.fresh(v.name());
    line() << "const " << type_of(v.type()) << " " << name << " = " << value << ";\n";
    text_.names[v.id()] = name;
    text_.bounds[v.id()] = range;
  }

  void define_scalar(const ir::LetStmt& n) {
    define(n.var, text_.scalar(n.value), n.var.type() == ir::i64 ? ir::range_of(n.value, text_.bounds) : ir::Interval::all());
  }

  /// A vector is an array of its lanes.
  void define_lanes(const ir::LetStmt& n) {
    const ir::Type t = n.value.type();
    const std::string name = names_.fresh(n.var.name());
    temporaries(n.value, Expr());
    line() << "ts_local<" << type_of(t.element()) << ", " << t.lanes << "> " << name << ";\n";
    for (int l = 0; l < t.lanes; ++l) line() << name << "[" << l << "] = " << text_.lane(n.value, l) << ";\n";
    text_.loaded.clear();
    text_.arrays[n.var.id()] = name;
  }

  std::string type_of(ir::Type t) const { return t == ir::i64 ? text_.index_type : value_type(t); }

  /// One arena; a buffer has its bytes to itself.
  void place_shared(const Stmt& body) {
    ir::walk(body, [&](const Stmt& s) {
      const auto* n = s.as<ir::Allocate>();
      if (n == nullptr || n->buffer->scope != ir::Scope::kShared) return true;
      const std::string name = names_.fresh(n->buffer->name);
      text_.buffers[n->buffer->id] = name;
      const std::string type = memory_type(n->buffer->dtype);
      line() << type << "* " << name << " = ts_shared<" << type << ">(" << out_.shared_bytes << ");\n";
      const std::int64_t bytes = n->buffer->layout.size() * n->buffer->dtype.bytes();
      out_.shared_bytes += (bytes + kSharedAlignment - 1) / kSharedAlignment * kSharedAlignment;
      return true;
    });
  }

  // ---- statements -------------------------------------------------------------------------------------

  std::ostream& line() { return body_ << std::string(static_cast<std::size_t>(indent_) * 2, ' '); }

  template <class F>
  void braced(const std::string& head, F inside) {
    line() << head << (head.empty() ? "{\n" : " {\n");
    ++indent_;
    inside();
    --indent_;
    line() << "}\n";
  }

  void stmt(const Stmt& s) {
    if (!s) return;
    switch (s->kind) {
      case ir::StmtKind::kBlock:
        for (const Stmt& x : s.as<ir::Block>()->stmts) stmt(x);
        return;
      case ir::StmtKind::kFor: return loop(*s.as<ir::For>());
      case ir::StmtKind::kStore: return store(*s.as<ir::Store>());
      case ir::StmtKind::kAllocate: return allocate(*s.as<ir::Allocate>());
      case ir::StmtKind::kIfThenElse: {
        const auto* n = s.as<ir::IfThenElse>();
        braced("if (" + text_.scalar(n->condition) + ")", [&] { stmt(n->yes); });
        if (n->no) braced("else", [&] { stmt(n->no); });
        return;
      }
      case ir::StmtKind::kLetStmt: {
        const auto* n = s.as<ir::LetStmt>();
        n->value.type().is_scalar() ? define_scalar(*n) : define_lanes(*n);
        return stmt(n->body);
      }
      case ir::StmtKind::kBarrier:
        line() << (s.as<ir::Barrier>()->scope == ir::BarrierScope::kWarp ? "ts_sync_warp(0xffffffffu);\n" : "ts_sync_block();\n");
        return;
      case ir::StmtKind::kChannelOp: return channel(*s.as<ir::ChannelOp>());
      case ir::StmtKind::kTileOp: return tile_op(*s.as<ir::TileOp>());
      default: throw NoText{"`" + ir::to_string(s).substr(0, 80) + "` has no form in CUDA text"};
    }
  }

  void allocate(const ir::Allocate& n) {
    if (n.buffer->scope == ir::Scope::kShared) return stmt(n.body);
    braced("", [&] {
      const std::string name = names_.fresh(n.buffer->name);
      const std::int64_t count = std::max<std::int64_t>(1, n.buffer->layout.size());
      text_.buffers[n.buffer->id] = name;
      line() << "ts_local<" << memory_type(n.buffer->dtype) << ", " << count << "> " << name << ";\n";
      // Private memory is addressed; it takes no registers.
      const std::int64_t bytes = n.buffer->scope == ir::Scope::kRegister ? count * n.buffer->dtype.bytes() : 0;
      local_ += bytes;
      const std::int64_t addressed = n.buffer->scope == ir::Scope::kRegister ? 0 : count * n.buffer->dtype.bytes();
      private_ += addressed;
      out_.local_bytes = std::max(out_.local_bytes, local_);
      out_.private_bytes = std::max(out_.private_bytes, private_);
      stmt(n.body);
      local_ -= bytes;
      private_ -= addressed;
    });
  }

  void loop(const ir::For& n) {
    const ir::Interval values = ir::loop_range(n, text_.bounds).values;
    const std::string v = names_.fresh(n.var.name());
    text_.names[n.var.id()] = v;
    text_.bounds[n.var.id()] = values;
    std::int64_t trips = 0;
    const bool constant = is_const_int(n.extent, &trips);
    const bool unroll = n.loop == ir::ForKind::kUnroll || ir::chooses_registers(n.body, n.var) || (constant && trips <= 8 && !meets(n.body));
    if (unroll || meets(n.body)) line() << (unroll ? "#pragma unroll\n" : "#pragma unroll 1\n");
    const std::string end = ir::is_zero(n.min) ? text_.scalar(n.extent) : text_.scalar(n.min + n.extent);
    braced("for (" + text_.index_type + " " + v + " = " + text_.scalar(n.min) + "; " + v + " < " + end + "; ++" + v + ")", [&] { stmt(n.body); });
  }

  /// Whether threads wait for each other inside.
  static bool meets(const Stmt& s) {
    bool found = false;
    ir::walk(s, [&](const Stmt& x) {
      found |= x->kind == ir::StmtKind::kBarrier;
      return !found;
    });
    return found;
  }

  void channel(const ir::ChannelOp& n) {
    if (n.action == ir::ChannelAction::kAcquire) filling_ = true;
    if (n.action == ir::ChannelAction::kCommit) {
      filling_ = false;
      line() << "ts_async_commit();\n";
    }
    if (n.action == ir::ChannelAction::kWait) line() << "ts_async_wait<" << n.slot.as<ir::IntImm>()->value << ">();\n";
  }

  void tile_op(const ir::TileOp& n) {
    const auto registers = [&](const ir::Region& r) { return text_.buffers.at(r.buffer->id) + ", " + text_.scalar(r.min[0]); };
    if (const ir::Mma* mma = ir::find_mma(n.intrinsic)) {
      line() << mma->call << "(" << registers(n.regions[0]) << ", " << registers(n.regions[1]) << ", " << registers(n.regions[2]) << ");\n";
      return;
    }
    if (n.intrinsic.rfind("ldmatrix.", 0) == 0) {
      std::string call = "ts_" + n.intrinsic;  // "ldmatrix.x4.trans"
      std::replace(call.begin(), call.end(), '.', '_');
      line() << call << "(" << registers(n.regions[0]) << ", " << text_.address(n.regions[1].buffer.get(), n.regions[1].min[0]) << ");\n";
      return;
    }
    const std::string ticket = "draw_ticket.";
    if (n.intrinsic.rfind(ticket, 0) == 0) return draw(n.regions[0].buffer, std::stoll(n.intrinsic.substr(ticket.size())));
    const std::string shuffle = "shuffle_xor.";
    if (n.intrinsic.rfind(shuffle, 0) != 0) throw NoText{"tile operation '" + n.intrinsic + "' has no form in CUDA text"};
    const ir::Type t = n.regions[1].buffer->dtype;
    const std::string to = text_.buffers.at(n.regions[0].buffer->id), from = text_.buffers.at(n.regions[1].buffer->id);
    const std::string bits = n.intrinsic.substr(shuffle.size());
    // Shuffles move words; smaller values travel as their bits.
    if (t.bytes() >= 4) {
      line() << to << "[0] = ts_shuffle_xor(0xffffffffu, " << from << "[0], " << bits << ");\n";
      return;
    }
    const std::string word = t.bytes() == 1 ? "u8" : "u16";
    line() << to << "[0] = ts_bits<" << memory_type(t) << ">(" << word << "(ts_shuffle_xor(0xffffffffu, u32(ts_bits<" << word << ">(" << from << "[0])), " << bits
           << ")));\n";
  }

  /// The first fence publishes what this thread knows of its block, the second one lets it know of the others'.
  void draw(const ir::Buffer& ticket, std::int64_t blocks) {
    if (counter_.empty()) counter_ = names_.fresh(f_.name + "_tickets");
    line() << "ts_fence_gpu();\n";
    line() << "ts_store_shared(" << text_.buffers.at(ticket->id) << ", ts_atomic_inc_global(&" << counter_ << ", " << blocks - 1 << "u));\n";
    line() << "ts_fence_gpu();\n";
  }

  // ---- stores -----------------------------------------------------------------------------------------

  static bool in_registers(const ir::BufferNode* b) { return b->scope == ir::Scope::kRegister || b->scope == ir::Scope::kLocal; }

  /// Whether `lanes` elements from `base` are one aligned access.
  static bool aligned(const ir::BufferNode* b, const Expr& base, int lanes) {
    const bool size = lanes <= 16 && (lanes & (lanes - 1)) == 0 && lanes * b->dtype.bytes() <= kMostVectorBytes;
    return size && base.defined() && ir::divisor_of(base) % lanes == 0;
  }

  void store(const ir::Store& n) {
    if (filling_ && copy(n)) return;
    const int lanes = n.value.type().lanes;
    const bool loads = lanes > 1 && has_loads(n.value);
    if (!loads) return store_lanes(n, lanes);
    braced("", [&] {
      temporaries(n.value, Expr());
      store_lanes(n, lanes);
      text_.loaded.clear();
    });
  }

  static bool has_loads(const Expr& e) {
    bool found = false;
    ir::walk(e, [&](const Expr& x) {
      const auto* n = x.as<ir::Load>();
      found |= n != nullptr && !in_registers(n->buffer.get());
      return !found;
    });
    return found;
  }

  /// Loads of whole vectors, and what all lanes share, ahead of the statement; under the conditions that
  /// guard them there.
  void temporaries(const Expr& e, const Expr& condition) {
    if (const auto* n = e.as<ir::IfThenElseExpr>(); n != nullptr && n->condition.type().is_scalar()) {
      temporaries(n->condition, condition);
      temporaries(n->yes, condition.defined() ? condition && n->condition : n->condition);
      return temporaries(n->no, condition.defined() ? condition && !n->condition : !n->condition);
    }
    ir::for_each_child(e, [&](const Expr& x) { temporaries(x, condition); });
    const auto* n = e.as<ir::Load>();
    if (n == nullptr || in_registers(n->buffer.get())) return;
    const int lanes = n->type.lanes;
    const Expr base = lanes > 1 ? detail::contiguous_base(n->indices[0]) : n->indices[0];
    Expr when = condition;
    if (n->predicate.defined()) {
      const auto* b = n->predicate.as<ir::Broadcast>();
      if (b == nullptr && lanes > 1) return;  // differs between lanes: one by one
      const Expr all = b != nullptr ? b->value : n->predicate;
      when = when.defined() ? when && all : all;
    }
    if (lanes > 1 && !aligned(n->buffer.get(), base, lanes)) return;
    const std::string name = names_.fresh(n->buffer->name + "_v");
    const std::string type = memory_type(n->buffer->dtype) + (lanes > 1 ? "x" + std::to_string(lanes) : "");
    const std::string value = text_.load(n->buffer.get(), base, lanes);
    if (when.defined()) {
      line() << type << " " << name << "{};\n";
      line() << "if (" << text_.scalar(when) << ") " << name << " = " << value << ";\n";
    } else {
      line() << "const " << type << " " << name << " = " << value << ";\n";
    }
    text_.loaded[e.get()] = name;
  }

  std::string memory_value(const ir::Store& n, int lane) const {
    const std::string x = text_.lane(n.value, lane);
    return n.buffer->dtype.is_bool() ? "u8(" + x + ")" : x;
  }

  void store_lanes(const ir::Store& n, int lanes) {
    const Expr at = n.indices[0];
    const Expr base = lanes > 1 ? detail::contiguous_base(at) : at;
    const bool vector = lanes > 1 && !n.predicate.defined() && !in_registers(n.buffer.get()) && aligned(n.buffer.get(), base, lanes);
    if (vector) {
      std::string values;
      for (int l = 0; l < lanes; ++l) values += (l > 0 ? ", " : "") + memory_value(n, l);
      const std::string type = memory_type(n.buffer->dtype) + "x" + std::to_string(lanes);
      line() << store_call(n) << "(" << text_.address(n.buffer.get(), base) << ", " << type << "{" << values << "});\n";
      return;
    }
    for (int l = 0; l < lanes; ++l) {
      const std::string condition = n.predicate.defined() ? "if (" + text_.lane(n.predicate, l) + ") " : "";
      line() << condition;
      if (in_registers(n.buffer.get())) {
        body_ << text_.buffers.at(n.buffer->id) << "[" << text_.index(at, l) << "] = " << memory_value(n, l) << ";\n";
      } else {
        body_ << store_call(n) << "(" << text_.element(n.buffer.get(), at, l) << ", " << memory_value(n, l) << ");\n";
      }
    }
  }

  static std::string store_call(const ir::Store& n) {
    if (n.buffer->scope == ir::Scope::kShared) return "ts_store_shared";
    return n.streaming ? "ts_store_global_stream" : "ts_store_global";
  }

  /// A plain copy from global to shared memory while a slot is filled runs by itself (cp.async).
  bool copy(const ir::Store& n) {
    if (n.buffer->scope != ir::Scope::kShared || n.predicate.defined()) return false;
    Expr value = n.value, condition;
    const auto both = [&](const Expr& c) { condition = condition.defined() ? condition && c : c; };
    while (const auto* c = value.as<ir::IfThenElseExpr>()) {
      const Expr zero = c->no.as<ir::Broadcast>() != nullptr ? c->no.as<ir::Broadcast>()->value : c->no;
      const auto* f = zero.as<ir::FloatImm>();
      if (!c->condition.type().is_scalar() || !(ir::is_zero(zero) || (f != nullptr && f->value == 0 && !std::signbit(f->value)))) return false;
      both(c->condition);
      value = c->yes;
    }
    const auto* load = value.as<ir::Load>();
    if (load == nullptr || load->buffer->scope != ir::Scope::kGlobal || load->buffer->dtype.is_bool()) return false;
    const int lanes = value.type().lanes, bytes = lanes * load->buffer->dtype.bytes();
    if (load->predicate.defined()) {
      const auto* b = load->predicate.as<ir::Broadcast>();
      if (lanes > 1 && b == nullptr) return false;
      both(b != nullptr ? b->value : load->predicate);
    }
    const Expr from = lanes > 1 ? detail::contiguous_base(load->indices[0]) : load->indices[0];
    const Expr to = lanes > 1 ? detail::contiguous_base(n.indices[0]) : n.indices[0];
    if (bytes != 4 && bytes != 8 && bytes != 16) return false;
    if (!aligned(load->buffer.get(), from, lanes) || !aligned(n.buffer.get(), to, lanes)) return false;
    line() << "ts_async_copy<" << bytes << ">(" << text_.address(n.buffer.get(), to) << ", " << text_.address(load->buffer.get(), from) << ", "
           << (condition.defined() ? text_.scalar(condition) : "true") << ");\n";
    return true;
  }

  const ir::Function& f_;
  CudaKernel out_;
  ExprText text_;
  Identifiers names_;
  std::ostringstream body_;
  int indent_ = 0;
  std::int64_t local_ = 0, private_ = 0;
  std::string counter_;   // of the blocks that are done, where one of them waits for all
  bool filling_ = false;  // between acquire and commit of a channel
};

}  // namespace

Result<std::vector<CudaKernel>> print_cuda(const ir::Program& program) {
  std::vector<CudaKernel> out;
  try {
    for (const ir::LaunchSite& launch : program.launches) {
      const ir::Function* f = program.find(launch.function);
      out.push_back(KernelText(*f).run());
      out.back().phase = launch.phase;
    }
  } catch (const NoText& e) {
    return refuse(e.reason);
  }
  return out;
}

}  // namespace tessera::codegen
