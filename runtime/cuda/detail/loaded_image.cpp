#include "runtime/cuda/detail/loaded_image.h"

#include <algorithm>
#include <limits>

namespace tessera::runtime::detail {

namespace {

constexpr CuResult kInvalidValue = 1;  // CUDA_ERROR_INVALID_VALUE
constexpr std::int64_t kSharedWithoutOptIn = 48 << 10;

unsigned extent(std::int64_t n, const Launch& l) {
  if (n < 1 || n > std::numeric_limits<int>::max()) {
    throw CudaFailure{kInvalidValue, "launch of '" + l.entry + "' has an extent of " + std::to_string(n)};
  }
  return static_cast<unsigned>(n);
}

}  // namespace

LoadedImage::LoadedImage(const Session& session, const KernelImage& image)
    : session_(session), image_(image) {
  const DriverApi& api = session.api();
  CuModule module = nullptr;
  check(api, "cuModuleLoadData", api.ModuleLoadData(&module, image.object.data()));
  module_ = OwnedModule(api, module);
  for (const Entry& e : image.entries)
    check(api, "cuModuleGetFunction", api.ModuleGetFunction(&functions_[e.name], module, e.name.c_str()));
  std::map<std::string, std::int64_t> shared;  // the most that any launch of an entry asks for
  for (const Launch& l : image.launches) shared[l.entry] = std::max(shared[l.entry], l.shared_bytes);
  for (const auto& [entry, bytes] : shared) {
    if (bytes <= kSharedWithoutOptIn) continue;
    check(api, "cuFuncSetAttribute",
          api.FuncSetAttribute(functions_.at(entry), kCuFunctionMostDynamicShared, static_cast<int>(bytes)));
  }
}

void LoadedImage::enqueue(Phase phase, const DeviceOperands& operands) const {
  if (phase == Phase::kRun) {
    for (const ByteRange& r : image_.zero_ranges)
      session_.fill(operands.workspace() + static_cast<CuAddress>(r.offset), std::byte{0}, r.bytes);
  }
  for (const Launch& l : image_.launches) {
    if (l.phase == phase) launch(l, operands);
  }
}

void LoadedImage::launch(const Launch& l, const DeviceOperands& operands) const {
  std::vector<std::uint64_t>
      values;  // of the parameters; addresses take eight bytes, scalars the first of them
  for (const LaunchArgument& a : l.arguments) {
    switch (a.kind) {
      case LaunchArgumentKind::kTensor:
        values.push_back(operands.argument(static_cast<std::size_t>(a.value)));
        break;
      case LaunchArgumentKind::kScalar:
        values.push_back(static_cast<std::uint64_t>(a.value));
        break;
      case LaunchArgumentKind::kWorkspace:
        values.push_back(operands.workspace() + static_cast<CuAddress>(l.workspace_offset + a.value));
        break;
      case LaunchArgumentKind::kTensorMap:
        throw CudaFailure{kInvalidValue,
                          "launch of '" + l.entry + "' wants a tensor map, which this runtime does not make"};
    }
  }
  std::vector<void*> parameters;
  for (std::uint64_t& v : values) parameters.push_back(&v);
  CuLaunchAttribute cluster{.id = kCuLaunchClusterDimension};
  cluster.value.cluster = {extent(l.cluster.x, l), extent(l.cluster.y, l), extent(l.cluster.z, l)};
  const bool clustered = l.cluster.x * l.cluster.y * l.cluster.z > 1;
  const CuLaunchConfig config{.grid_x = extent(l.grid.x, l),
                              .grid_y = extent(l.grid.y, l),
                              .grid_z = extent(l.grid.z, l),
                              .block_x = extent(l.block.x, l),
                              .block_y = extent(l.block.y, l),
                              .block_z = extent(l.block.z, l),
                              .shared_bytes = static_cast<unsigned>(l.shared_bytes),
                              .stream = session_.stream(),
                              .attributes = clustered ? &cluster : nullptr,
                              .attribute_count = clustered ? 1U : 0U};
  check(session_.api(), "cuLaunchKernelEx",
        session_.api().LaunchKernelEx(&config, functions_.at(l.entry), parameters.data(), nullptr));
}

}  // namespace tessera::runtime::detail
