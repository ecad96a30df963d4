// What the writers of the files of a CUDA export share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "exporter/detail/bundle.h"
#include "exporter/export_cuda.h"

namespace tessera::exporter {

/// Bytes that the caller's workspace and prepared operands begin at multiples of: where the driver puts
/// what it allocates.
inline constexpr int kCudaWorkspaceAlignment = 256;

struct CudaBundle : Bundle {  // `object` is the cubin; `symbols` and `features` are empty
  std::string arch;           // "sm_90a"
  std::string text, ptx;      // `text` with a comment on top
  codegen::CudaReport report;
  bool counts = false;               // a kernel counts its blocks in memory of the module (ts_counter)
  std::vector<std::string> entries;  // of the cubin, in its order
  std::optional<TunedOn> tuned_on;

  std::string cubin_file() const { return name + "." + arch + ".cubin"; }
  /// Its place in `entries`.
  std::size_t entry_of(const runtime::Launch& l) const;
  /// Most dynamic shared memory that a launch of the entry asks for, in bytes.
  std::int64_t dynamic_shared_bytes(const std::string& entry) const;
};

/// Checks the kernel and gives everything a name. UserError for what C cannot hold.
CudaBundle make_cuda_bundle(const codegen::BuiltCuda& built, const ir::Target& target, const ExportOptions& options,
                            const std::optional<TunedOn>& tuned_on);

// One file each.
std::string cuda_header_text(const CudaBundle& b);
std::string cuda_launcher_text(const CudaBundle& b);
std::string cuda_example_text(const CudaBundle& b);
std::string cuda_cmake_text(const CudaBundle& b);
std::string cuda_readme_text(const CudaBundle& b);
std::string launch_json_text(const CudaBundle& b);
std::string cuda_manifest_text(const CudaBundle& b, const std::vector<BundledFile>& files);

/// "NAME_load(NAME_kernels* kernels)" and the like: the prototypes, without a semicolon.
std::string cuda_prototype(const CudaBundle& b, runtime::Phase phase);

}  // namespace tessera::exporter
