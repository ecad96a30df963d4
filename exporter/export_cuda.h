// A compiled CUDA kernel leaves the house: readable text, PTX, machine code, a description of its launches and
// a launcher in plain C, in one directory that depends on nothing but a CUDA driver.
//
//   NAME.cu               the text; nvcc compiles it by itself
//   NAME.ptx, NAME.ARCH.cubin
//   NAME.launch.json      how to call it, for programs (docs/reference/launch_json.md)
//   NAME.h                one function an operator, for C99 and C++
//   NAME_launcher.c       the same over the driver, with the machine code inside
//   example.c             allocates, fills, prepares, runs, prints a checksum
//   CMakeLists.txt, README.txt
//   manifest.json         what belongs to the export
//
// The same kernel gives the same bytes, and no file holds a path of the machine that wrote it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "codegen/cuda/build_image.h"
#include "exporter/export_c.h"

namespace tessera::exporter {

/// The measurement that chose a kernel. Empty strings: not known.
struct TunedOn {
  std::string device;  // its name, "NVIDIA H200"
  std::string tool;    // that measured
  std::string sketch;
  int trial = 0;  // of the log
  std::int64_t median_ns = 0;
  int samples = 0;
};

/// As export_c; `built` needs its text and PTX. `tuned_on`: none for a kernel that was not measured.
///
/// UserError, exit code 2: a kernel for another target or with arguments that C cannot hold; 1: the
/// directory cannot be written, or holds something that no export wrote.
std::vector<std::string> export_cuda(const codegen::BuiltCuda& built, const ir::Target& target,
                                     const ExportOptions& options, const std::optional<TunedOn>& tuned_on);

}  // namespace tessera::exporter
