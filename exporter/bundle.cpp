#include <algorithm>
#include <cctype>
#include <set>

#include "codegen/llvm/target.h"
#include "exporter/detail/bundle.h"

namespace tessera::exporter {

namespace {

using runtime::ArgumentRole;
using runtime::Phase;

constexpr std::int64_t kPreparedAlignment = 64;

// Keywords of C11, C++20 and CUDA, macros of common headers, and functions of libc and libm that a
// program is likely to link: a kernel called `exp` must not become everybody's exp.
constexpr const char* kTaken[] = {
    "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch", "char",
    "char8_t", "char16_t", "char32_t", "class", "compl", "concept", "const", "consteval", "constexpr", "constinit",
    "const_cast", "continue", "co_await", "co_return", "co_yield", "decltype", "default", "delete", "do", "double",
    "dynamic_cast", "else", "enum", "explicit", "export", "extern", "false", "float", "for", "friend", "goto", "half",
    "if", "inline", "int", "long", "mutable", "namespace", "new", "noexcept", "not", "not_eq", "nullptr", "operator",
    "or", "or_eq", "private", "protected", "public", "register", "reinterpret_cast", "requires", "restrict", "return",
    "short", "signed", "sizeof", "static", "static_assert", "static_cast", "struct", "switch", "template", "this",
    "thread_local", "throw", "true", "try", "typedef", "typeid", "typename", "typeof", "union", "unsigned", "using",
    "virtual", "void", "volatile", "wchar_t", "while", "xor", "xor_eq", "blockDim", "blockIdx", "gridDim", "threadIdx",
    "warpSize", "I", "NULL", "EOF", "BUFSIZ", "NAN", "INFINITY", "linux", "unix", "i386", "errno", "stdin", "stdout",
    "stderr", "complex", "imaginary", "assert", "main", "abort", "abs", "accept", "access", "acos", "acosf", "acosh",
    "asin", "asinf", "asinh", "atan", "atan2", "atan2f", "atanf", "atanh", "atexit", "atof", "atoi", "bind", "bsearch",
    "calloc", "cbrt", "ceil", "ceilf", "clock", "close", "connect", "copysign", "cos", "cosf", "cosh", "coshf", "div",
    "dup", "erf", "erfc", "erff", "exit", "exp", "exp2", "exp2f", "expf", "expm1", "fabs", "fabsf", "fdim", "ffs",
    "floor", "floorf", "fma", "fmaf", "fmax", "fmaxf", "fmin", "fminf", "fmod", "fmodf", "fork", "free", "frexp",
    "gamma", "getenv", "hypot", "index", "ioctl", "j0", "j1", "jn", "kill", "labs", "ldexp", "link", "listen", "log",
    "log10", "log1p", "log2", "log2f", "logb", "logf", "lrint", "lround", "malloc", "memchr", "memcmp", "memcpy",
    "memmove", "memset", "modf", "nan", "nearbyint", "open", "pause", "pipe", "poll", "pow", "powf", "printf", "puts",
    "qsort", "raise", "rand", "random", "read", "realloc", "recv", "remainder", "remove", "rename", "rindex", "rint",
    "rintf", "round", "roundf", "scalb", "select", "send", "signal", "sin", "sinf", "sinh", "sinhf", "sleep", "socket",
    "sqrt", "sqrtf", "srand", "stat", "strlen", "sync", "system", "tan", "tanf", "tanh", "tanhf", "tgamma", "time",
    "times", "trunc", "truncf", "unlink", "wait", "write", "y0", "y1", "yn",
    // Types of <stddef.h> and <stdint.h>.
    "int8_t", "int16_t", "int32_t", "int64_t", "intptr_t", "ptrdiff_t", "size_t", "uint8_t", "uint16_t", "uint32_t",
    "uint64_t", "uintptr_t",
    // Functions and types of the generated files themselves.
    "aligned", "allocate", "check", "CHECK", "device", "download", "find", "get_device", "image", "init", "launch",
    "launch_attribute", "launch_config", "open_device", "retain", "set_current", "supported", "synchronize", "upload"};

/// Names inside the generated functions.
constexpr const char* kLocal[] = {"prepared", "host", "args", "own", "result", "i", "sum", "kernels", "workspace", "stream", "shape", "parameters"};

/// Targets that CMake keeps for itself.
constexpr const char* kTargets[] = {"all", "clean", "edit_cache", "help", "install", "package", "rebuild_cache", "test"};

template <std::size_t N>
bool is_one_of(const std::string& name, const char* const (&list)[N]) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

std::string c_type(ir::Type t, const std::string& argument) {
  if (t.lanes == 1) {
    if (t.is_bool()) return "uint8_t";
    if (t.is_integral() && t.bits >= 8 && t.bits <= 64 && (t.bits & (t.bits - 1)) == 0) {
      return std::string(t.is_int() ? "int" : "uint") + std::to_string(static_cast<int>(t.bits)) + "_t";
    }
    if (t == ir::f32 || t == ir::tf32) return "float";
    if (t == ir::f64) return "double";
    if (t == ir::f16 || t == ir::bf16) return "uint16_t";
    if (t == ir::f8e4m3 || t == ir::f8e5m2) return "uint8_t";
  }
  throw UserError("argument '" + argument + "' of dtype " + ir::to_string(t) + " has no C type; export another dtype");
}

std::string plain_description(const std::string& text) {
  std::string out;
  for (const char c : text) {
    // Neither a comment's end nor its beginning, and nothing but text.
    if (c == '\n' || (c >= ' ' && c <= '~')) out += c;
    if (out.size() >= 2 && (out.ends_with("*/") || out.ends_with("/*") || out.ends_with("??"))) out.insert(out.size() - 1, " ");
  }
  while (!out.empty() && (out.back() == '\n' || out.back() == ' ' || out.back() == '\\')) out.pop_back();
  return out;
}

bool touches(const runtime::Launch& l, std::size_t argument) {
  return std::any_of(l.arguments.begin(), l.arguments.end(), [&](const runtime::LaunchArgument& a) {
    return a.kind == runtime::LaunchArgumentKind::kTensor && a.value == static_cast<std::int64_t>(argument);
  });
}

/// Examples of CUDA have a second name for what is on the device.
std::string unique(std::string name, std::set<std::string>& taken) {
  constexpr const char* kSecond = "_on_device";
  while (taken.count(name) != 0 || taken.count(name + kSecond) != 0) name += "_";
  taken.insert({name, name + kSecond});
  return name;
}

/// `kernel`: the name of the function that they are passed to.
std::vector<Operand> operands(const runtime::KernelImage& image, const std::map<std::string, dsl::ValueRule>& values, const std::string& kernel) {
  std::set<std::string> taken(std::begin(kLocal), std::end(kLocal));
  taken.insert(kernel);
  std::vector<Operand> out;
  for (std::size_t i = 0; i < image.arguments.size(); ++i) {
    const runtime::ArgumentContract& a = image.arguments[i];
    Operand o;
    o.name = unique(c_identifier(a.name), taken);
    o.operand = a.name;
    o.type = c_type(a.dtype, a.name);
    o.dtype = ir::to_string(a.dtype);
    o.shape = a.shape;
    o.elements = 1;
    for (const std::int64_t n : a.shape) o.elements *= n;
    o.bytes = a.bytes;
    o.alignment = a.alignment;
    o.role = a.role;
    if (const auto promised = values.find(a.name); promised != values.end()) o.values = promised->second;
    for (const runtime::Launch& l : image.launches) {
      (l.phase == Phase::kPrepare ? o.in_prepare : o.in_run) |= touches(l, i);
    }
    // Inputs and outputs are always asked for: their absence would surprise.
    o.in_run |= a.role == ArgumentRole::kInput || a.role == ArgumentRole::kOutput;
    out.push_back(std::move(o));
  }
  return out;
}

}  // namespace

std::string c_identifier(const std::string& text) {
  std::string out;
  for (const char c : text) out += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  const std::size_t first = out.find_first_not_of('_');
  out = first == std::string::npos ? "kernel" : out.substr(first);  // leading underscores are reserved
  if (std::isdigit(static_cast<unsigned char>(out[0])) != 0) out = "k" + out;
  if (out.size() > 63) out.resize(63);  // what C promises to tell apart
  if (is_one_of(out, kTaken)) out += "_kernel";
  return out;
}

std::string kernel_identifier(const std::string& text) {
  const std::string out = c_identifier(text);
  return is_one_of(out, kLocal) || is_one_of(out, kTargets) ? out + "_kernel" : out;
}

bool Bundle::needs_workspace(Phase phase) const {
  return workspace_bytes > 0 &&
         std::any_of(launches.begin(), launches.end(), [&](const runtime::Launch& l) { return l.phase == phase; });
}

Bundle make_common_bundle(const runtime::KernelImage& image, const ir::Target& target, const ExportOptions& options) {
  if (!image.symbolic_dims.empty()) throw UserError("a kernel of symbolic sizes cannot be exported; give numbers");
  if (const Status ok = check_image(image); !ok.ok()) throw InternalError("image to export: " + ok.reason());
  Bundle b;
  b.name = kernel_identifier(options.name.empty() ? "kernel" : options.name);
  b.description = plain_description(options.description);
  b.target = image.target.empty() ? target.text() : image.target;
  b.tool = options.tool.empty() ? "tessera" : options.tool;
  b.operands = operands(image, options.values, b.name);
  b.launches = image.launches;
  b.workspace_bytes = image.workspace_bytes;
  b.zero_ranges = image.zero_ranges;
  for (Operand& o : b.operands) {
    if (!o.is_prepared()) continue;
    const std::int64_t a = std::max<std::int64_t>(o.alignment, kPreparedAlignment);
    b.prepared_alignment = std::max(b.prepared_alignment, static_cast<int>(a));
    o.prepared_offset = (b.prepared_bytes + a - 1) / a * a;
    b.prepared_bytes = o.prepared_offset + o.bytes;
  }
  b.prepared_bytes = (b.prepared_bytes + b.prepared_alignment - 1) / b.prepared_alignment * b.prepared_alignment;
  return b;
}

Bundle make_bundle(const runtime::KernelImage& image, const ir::Target& target, const ExportOptions& options) {
  if (target.kind != ir::TargetKind::kCpu) throw UserError("export to C takes CPU kernels, not '" + target.text() + "'");
  Bundle b = make_common_bundle(image, target, options);
  b.features = gated_features(codegen::instruction_sets(target));
  const std::string prefix = b.name + "__";
  const std::string object(reinterpret_cast<const char*>(image.object.data()), image.object.size());
  const auto renamed = with_prefixed_symbols(object, prefix);
  if (!renamed.ok()) throw UserError("the object for '" + b.target + "' cannot be exported: " + renamed.reason());
  b.object = *renamed;
  for (const runtime::Launch& l : image.launches) b.symbols.push_back(prefix + l.entry);
  return b;
}

std::string parameters(const Bundle& b, Phase phase, bool names_only) {
  std::string out;
  const auto add = [&](const std::string& type, const std::string& name) {
    if (!out.empty()) out += ", ";
    out += names_only ? name : type + " " + name;
  };
  // Inputs, then what was made of them, then outputs, wherever the contract has its slots.
  const bool run = phase == Phase::kRun;
  for (const Operand& o : b.operands) {
    if (!o.is_prepared() && !o.is_output() && (run ? o.in_run : o.in_prepare)) add("const " + o.type + "*", o.name);
  }
  if (b.has_prepare()) add(run ? "const void*" : "void*", "prepared");
  for (const Operand& o : b.operands) {
    if (o.is_output() && run) add(o.type + "*", o.name);
  }
  return out;
}

}  // namespace tessera::exporter
