// example.c, CMakeLists.txt, README.txt and manifest.json.
#include <iomanip>
#include <sstream>

#include "exporter/detail/bundle.h"
#include "support/fields.h"

namespace tessera::exporter {

namespace {

using runtime::ArgumentRole;
using runtime::Phase;

bool uses(const Bundle& b, const char* dtype) {
  for (const Operand& o : b.operands) {
    if (o.dtype == dtype && !o.is_prepared() && !o.is_output()) return true;
  }
  return false;
}

}  // namespace

// A value that every dtype holds exactly: -2 .. 2 where it is signed, 0 .. 4 where it is
// not, 0 or 1 for bool; one that is promised where something is.
std::string fill_value(const Operand& o, std::size_t index) {
  const std::string cycle = "(i * 7 + " + std::to_string(index) + ")";
  const std::string limit = std::to_string(o.values.limit), as = "(" + o.type + ")";
  switch (o.values.kind) {
    case dsl::ValueRule::Kind::kAny: break;
    case dsl::ValueRule::Kind::kBelow: return as + "(" + cycle + " % " + limit + ")";
    case dsl::ValueRule::Kind::kOffsets:
      return o.elements > 1 ? as + "(i * " + limit + " / " + std::to_string(o.elements - 1) + ")" : as + limit;
    case dsl::ValueRule::Kind::kWithin: {
      if (o.type != "float" && o.type != "double") return "0";
      std::ostringstream half;
      half << std::scientific << std::setprecision(17) << o.values.size / 2;
      return as + "((double)(" + cycle + " % 5 - 2) * " + half.str() + ")";
    }
  }
  if (o.dtype == "bool") return "(uint8_t)(" + cycle + " % 2)";
  if (o.dtype == "f16") return "half_bits[" + cycle + " % 5]";
  if (o.dtype == "bf16") return "bfloat_bits[" + cycle + " % 5]";
  if (o.dtype == "f8e4m3" || o.dtype == "f8e5m2") return "0";
  if (o.type[0] == 'u') return "(" + o.type + ")(" + cycle + " % 5)";
  return "(" + o.type + ")(" + cycle + " % 5 - 2)";
}

std::string fill_tables(const Bundle& b) {
  std::string out;  // -2, -1, 0, 1, 2
  if (uses(b, "f16")) out += "static const uint16_t half_bits[5] = {0xc000, 0xbc00, 0x0000, 0x3c00, 0x4000};\n";
  if (uses(b, "bf16")) out += "static const uint16_t bfloat_bits[5] = {0xc000, 0xbf80, 0x0000, 0x3f80, 0x4000};\n";
  return out.empty() ? out : out + "\n";
}

const char* role_word(ArgumentRole r) {
  switch (r) {
    case ArgumentRole::kInput: return "input";
    case ArgumentRole::kConstant: return "constant";
    case ArgumentRole::kPrepared: return "prepared";
    case ArgumentRole::kOutput: return "output";
  }
  return "";
}

std::string example_text(const Bundle& b) {
  const std::string& n = b.name;
  std::ostringstream out;
  out << "/* Runs " << n << " once on small numbers and prints a checksum of each output.\n"
      << " *   cc -std=c11 -O2 example.c " << n << "_launcher.c " << n << ".o -lm -o example && ./example\n */\n"
      << "#include <stdint.h>\n#include <stdio.h>\n#include <stdlib.h>\n\n#include \"" << n << ".h\"\n\n"
      << fill_tables(b) << R"(static void* allocate(int64_t bytes, int64_t alignment) {
  void* p = aligned_alloc((size_t)alignment, (size_t)((bytes / alignment + 1) * alignment));
  if (p == NULL) {
    fprintf(stderr, "out of memory\n");
    exit(1);
  }
  return p;
}

static void check(int32_t result) {
  if (result == 0) return;
  fprintf(stderr, ")" << n << R"(: %s\n", )" << n << R"(_error(result));
  exit(1);
}

int main(void) {
  int64_t i;
)";
  for (const Operand& o : b.operands) {
    if (o.is_prepared()) continue;
    out << "  " << o.type << "* " << o.name << " = (" << o.type << "*)allocate(" << o.bytes << ", " << std::max(o.alignment, 64) << ");\n";
  }
  if (b.has_prepare()) out << "  void* prepared = allocate(" << n << "_prepared_bytes(), " << b.prepared_alignment << ");\n";
  out << "\n  if (!" << n << "_supported()) {\n    fprintf(stderr, \"" << n << ": %s\\n\", " << n
      << "_error(TESSERA_EXPORT_UNSUPPORTED_CPU));\n    return 1;\n  }\n";
  for (std::size_t k = 0; k < b.operands.size(); ++k) {
    const Operand& o = b.operands[k];
    if (o.is_prepared() || o.is_output()) continue;
    out << "  for (i = 0; i < " << o.elements << "; ++i) " << o.name << "[i] = " << fill_value(o, k) << ";\n";
  }
  out << "\n";
  if (b.has_prepare()) {
    out << "  check(" << n << "_prepare(" << parameters(b, Phase::kPrepare, true) << ")); /* once */\n";
  }
  out << "  check(" << n << "(" << parameters(b, Phase::kRun, true) << "));" << (b.has_prepare() ? " /* as often as wanted */" : "") << "\n\n";
  for (const Operand& o : b.operands) {
    if (!o.is_output()) continue;
    out << "  {\n    double sum = 0;\n    for (i = 0; i < " << o.elements << "; ++i) sum += (double)" << o.name
        << "[i] * (double)(i % 7 + 1);\n    printf(\"" << o.name << " %.17g\\n\", sum);\n  }\n";
  }
  out << "\n";
  for (const Operand& o : b.operands) {
    if (!o.is_prepared()) out << "  free(" << o.name << ");\n";
  }
  if (b.has_prepare()) out << "  free(prepared);\n";
  out << "  return 0;\n}\n";
  return out.str();
}

std::string cmake_text(const Bundle& b) {
  const std::string& n = b.name;
  std::ostringstream out;
  out << "# Builds the example; a project of its own uses add_subdirectory and links " << n << ".\n"
      << "cmake_minimum_required(VERSION 3.10)\nproject(" << n << "_export C)\n\n"
      << "add_library(" << n << " STATIC " << n << "_launcher.c " << n << ".o)\n"
      << "set_source_files_properties(" << n << ".o PROPERTIES EXTERNAL_OBJECT TRUE)\n"
      << "set_target_properties(" << n << " PROPERTIES C_STANDARD 11 POSITION_INDEPENDENT_CODE ON)\n"
      << "target_include_directories(" << n << " PUBLIC \"${CMAKE_CURRENT_SOURCE_DIR}\")\n"
      << "target_link_libraries(" << n << " PUBLIC m)\n\n"
      << "add_executable(" << n << "_example example.c)\n"
      << "set_target_properties(" << n << "_example PROPERTIES C_STANDARD 11)\n"
      << "target_link_libraries(" << n << "_example PRIVATE " << n << ")\n";
  return out.str();
}

std::string readme_text(const Bundle& b) {
  const std::string& n = b.name;
  std::ostringstream out;
  out << n << ", a tensor kernel exported by Tessera\n\n";
  if (!b.description.empty()) out << b.description << "\n\n";
  out << "Target: " << b.target << "\n\n"
      << "The functions are in " << n << ".h, with the size, layout and alignment of every argument.\n"
      << "Nothing here depends on Tessera; a C library and its libm are enough.\n\n"
      << "Build the example against the object:\n\n"
      << "  cc -std=c11 -O2 example.c " << n << "_launcher.c " << n << ".o -lm -o example && ./example\n\n"
      << "against the shared library:\n\n"
      << "  cc -std=c11 -O2 example.c -L. -l" << n << " -Wl,-rpath,'$ORIGIN' -o example && ./example\n\n"
      << "or with CMake:\n\n"
      << "  cmake -S . -B build && cmake --build build && build/" << n << "_example\n\n";
  if (b.has_prepare()) {
    out << "Constant operands are packed once by " << n << "_prepare; the packed block can be used by any\n"
        << "number of runs and threads, in this process or, saved to a file, in another one on the same\n"
        << "export.\n\n";
  }
  out << "Threads: " << n << "() runs on the calling thread. To spread a kernel over threads, lend it a\n"
      << "parallel_for, for example with OpenMP:\n\n"
      << R"(  static int32_t run_pieces(void* context, int64_t begin, int64_t end, tessera_loop_body body, void* closure) {
    int32_t failed = 0;
    int64_t i;
    (void)context;
    #pragma omp parallel for reduction(| : failed)
    for (i = begin; i < end; ++i) failed |= body(i, i + 1, closure);
    return failed;
  }

  tessera_host host = {workspace, NULL, run_pieces};
)" << "  " << n << "_with_host(..., &host);\n";
  return out.str();
}

std::string manifest_text(const Bundle& b, const std::vector<BundledFile>& files, bool shared_library) {
  Json j = Json::object();
  j["tessera_export"] = 1;
  j["name"] = b.name;
  j["description"] = b.description;
  j["abi_version"] = 1;
  j["tool"] = b.tool;
  j["target"] = b.target;
  j["required_features"] = write_json(b.features);
  Json arguments = Json::array();
  for (const Operand& o : b.operands) {
    Json a = Json::object();
    a["name"] = o.name;
    a["role"] = role_word(o.role);
    a["dtype"] = o.dtype;
    a["c_type"] = o.type;
    a["shape"] = write_json(o.shape);
    a["layout"] = o.is_prepared() ? "private" : "row-major";
    a["bytes"] = o.bytes;
    a["alignment"] = o.alignment;
    if (o.is_prepared()) a["offset"] = o.prepared_offset;
    arguments.push_back(std::move(a));
  }
  j["arguments"] = std::move(arguments);
  j["workspace_bytes"] = b.workspace_bytes;
  j["prepared_bytes"] = b.prepared_bytes;
  Json functions = Json::object();
  functions["run"] = b.name;
  functions["run_with_host"] = b.name + "_with_host";
  functions["entry"] = b.name + "_entry";
  if (b.has_prepare()) {
    functions["prepare"] = b.name + "_prepare";
    functions["prepare_with_host"] = b.name + "_prepare_with_host";
    functions["prepare_entry"] = b.name + "_prepare_entry";
  }
  j["functions"] = std::move(functions);
  j["object_sha256"] = sha256_hex(b.object);
  Json hashes = Json::object();
  for (const BundledFile& f : files) hashes[f.name] = sha256_hex(f.bytes);
  j["sha256"] = std::move(hashes);
  j["shared_library"] = shared_library ? Json("lib" + b.name + ".so") : Json(nullptr);
  return j.dump(2) + "\n";
}

}  // namespace tessera::exporter
