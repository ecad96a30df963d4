// A compiled kernel leaves the house: C header, object, shared library, example, build file and
// manifest in one directory that depends on nothing but a C library.
//
//   NAME.h                 typed functions, for C11 and C++
//   tessera_kernel_abi.h   the calling convention, verbatim
//   NAME.o                 the kernel
//   NAME_launcher.c        the typed functions over the object
//   libNAME.so             both, linked
//   example.c              allocates, fills, prepares, runs, prints a checksum
//   CMakeLists.txt, README.txt
//   manifest.json          contract, target, required instruction sets, hashes
//
// The same image gives the same bytes, and no file holds a path of the machine that wrote it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "dsl/tensor.h"
#include "ir/target.h"
#include "runtime/kernel_image.h"

namespace tessera::exporter {

struct ExportOptions {
  std::string name{};         // of the function; made a C identifier that clashes with nothing
  std::string directory{};    // made, with its parents; or empty, or an earlier export: its files are
                              // replaced, what a user has added stays
  std::string description{};  // what the kernel computes, for the comments: "C[i, j] = sum(...)"
  std::string tool{};         // who wrote it, for the manifest: "tessera 0.1.0"
  std::map<std::string, dsl::ValueRule> values{};  // promised of operands: the kernel counts on it, the
                                                   // header says it and the example keeps it
  std::string compiler{};     // links the shared library; empty: cc, gcc or clang from the PATH
};

/// Writes all files under a temporary name beside `directory`, then renames: readers see the old
/// export, the new one, or none. Gives the paths written, as directory/name.
///
/// UserError, exit code 2: an image that C cannot hold (a GPU kernel, symbolic sizes, a type without
/// a C form); 1: the directory cannot be written, or holds something that no export wrote; 4: the
/// shared library could not be linked (no compiler or linker here); all other files are then there.
std::vector<std::string> export_c(const runtime::KernelImage& image, const ir::Target& target,
                                  const ExportOptions& options);

/// `text` as an identifier of C, C++ and CUDA that is no keyword and no function of the C library.
std::string c_identifier(const std::string& text);
/// The same for a kernel: its functions, files and CMake targets.
std::string kernel_identifier(const std::string& text);

}  // namespace tessera::exporter
