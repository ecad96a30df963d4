#include "ir/target.h"

#include <set>
#include <sstream>

#include "ir/cuda_arch.h"

namespace tessera::ir {

std::string Target::text() const {
  if (kind == TargetKind::kCuda) return "cuda" + (arch.empty() ? "" : " -arch=" + arch) + (allow_tf32 ? " -allow=tf32" : "");
  std::string out = "cpu";
  if (!cpu.empty()) out += " -mcpu=" + cpu;
  if (!features.empty()) out += " -mattr=" + features;
  if (!triple.empty()) out += " -mtriple=" + triple;
  return out;
}

Result<Target> parse_target(const std::string& text) {
  std::istringstream in(text);
  std::string word, allowed, flag;
  std::set<std::string> given;
  Target t;
  if (!(in >> word) || (word != "cpu" && word != "cuda")) {
    return refuse("unknown target '", text.substr(0, 60), "'; targets are 'cpu' and 'cuda', for example \"cpu -mcpu=x86-64-v3\"");
  }
  t.kind = word == "cpu" ? TargetKind::kCpu : TargetKind::kCuda;
  while (in >> word) {
    const auto value = [&](const char* name, std::string& out) {
      const std::string prefix = std::string(name) + "=";
      if (word.rfind(prefix, 0) != 0 || word.size() == prefix.size()) return false;
      flag = name;
      out = word.substr(prefix.size());
      return true;
    };
    const bool cpu = t.kind == TargetKind::kCpu;
    const bool known = cpu ? value("-mcpu", t.cpu) || value("-mattr", t.features) || value("-mtriple", t.triple)
                           : value("-arch", t.arch) || value("-allow", allowed);
    if (!known) {
      return refuse("unknown flag '", word.substr(0, 60), "' of target '", cpu ? "cpu" : "cuda", "'; its flags are ",
                    cpu ? "-mcpu=, -mattr=, -mtriple=" : "-arch=sm_XX, -allow=tf32");
    }
    if (!given.insert(flag).second) return refuse("target '", text.substr(0, 60), "' has ", flag, "= twice");
    if (!allowed.empty() && allowed != "tf32") return refuse("-allow=", allowed.substr(0, 60), ": what can be allowed is 'tf32'");
  }
  t.allow_tf32 = !allowed.empty();
  if (!t.arch.empty()) TESSERA_TRY_DONE(cuda_arch(t.arch));
  return t;
}

}  // namespace tessera::ir
