#include "exporter/export_cuda.h"

#include "exporter/detail/cuda_bundle.h"
#include "exporter/detail/publish.h"

namespace tessera::exporter {

std::vector<std::string> export_cuda(const codegen::BuiltCuda& built, const ir::Target& target, const ExportOptions& options,
                                     const std::optional<TunedOn>& tuned_on) {
  const CudaBundle b = make_cuda_bundle(built, target, options, tuned_on);
  const std::vector<BundledFile> files = {
      {b.name + ".cu", b.text},
      {b.name + ".ptx", b.ptx},
      {b.cubin_file(), b.object},
      {b.name + ".launch.json", launch_json_text(b)},
      {b.name + ".h", cuda_header_text(b)},
      {b.name + "_launcher.c", cuda_launcher_text(b)},
      {"example.c", cuda_example_text(b)},
      {"CMakeLists.txt", cuda_cmake_text(b)},
      {"README.txt", cuda_readme_text(b)},
  };
  NewDirectory directory(options.directory);
  for (const BundledFile& f : files) directory.write(f.name, f.bytes);
  directory.write(kManifestName, cuda_manifest_text(b, files));
  directory.publish();
  return directory.written();
}

}  // namespace tessera::exporter
