#include "exporter/export_c.h"

#include "exporter/detail/bundle.h"
#include "exporter/detail/publish.h"

namespace tessera::exporter {

std::vector<std::string> export_c(const runtime::KernelImage& image, const ir::Target& target, const ExportOptions& options) {
  const Bundle b = make_bundle(image, target, options);
  std::vector<BundledFile> files = {
      {b.name + ".h", header_text(b)},     {"tessera_kernel_abi.h", kKernelAbiText},
      {b.name + ".o", b.object},           {b.name + "_launcher.c", launcher_text(b)},
      {"example.c", example_text(b)},      {"CMakeLists.txt", cmake_text(b)},
      {"README.txt", readme_text(b)},
  };
  NewDirectory directory(options.directory);
  for (const BundledFile& f : files) directory.write(f.name, f.bytes);
  const Status linked = link_shared_library(b, directory.path(), options.compiler);
  const std::string library = "lib" + b.name + ".so";
  if (linked.ok()) files.push_back({library, directory.adopt(library)});
  directory.write(kManifestName, manifest_text(b, files, linked.ok()));
  directory.publish();
  if (!linked.ok()) {
    throw UserError(library + " could not be linked: " + linked.reason() + "; everything else is in '" + options.directory + "'", 4);
  }
  return directory.written();
}

}  // namespace tessera::exporter
