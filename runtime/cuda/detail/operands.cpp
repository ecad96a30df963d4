#include "runtime/cuda/detail/operands.h"

#include <algorithm>

namespace tessera::runtime::detail {

namespace {

constexpr std::int64_t kRedZone = 4096;  // at least, on either side of a buffer
constexpr std::byte kPattern{0xcb};
constexpr std::int64_t kWorkspaceAlignment = 256;

std::int64_t round_up(std::int64_t n, std::int64_t unit) { return (n + unit - 1) / unit * unit; }

}  // namespace

HostOperands::HostOperands(const KernelImage& image) {
  for (const ArgumentContract& a : image.arguments) buffers_.emplace_back(static_cast<std::size_t>(a.bytes));
  buffers_.emplace_back(static_cast<std::size_t>(image.workspace_bytes));
  for (std::size_t i = 0; i < image.arguments.size(); ++i) memory_.arguments.emplace_back(buffers_[i]);
  memory_.workspace = buffers_.back();
}

std::vector<DeviceOperands::Place> DeviceOperands::places(const KernelImage& image, std::int64_t& all) {
  std::vector<Place> out;
  std::int64_t at = 0;
  const auto add = [&](std::string name, std::int64_t bytes, std::int64_t alignment) {
    const std::int64_t offset = round_up(at + kRedZone, std::max(alignment, kWorkspaceAlignment));
    out.push_back({std::move(name), offset, bytes});
    at = offset + bytes;
  };
  for (const ArgumentContract& a : image.arguments) add(a.name, a.bytes, a.alignment);
  add("workspace", image.workspace_bytes, kWorkspaceAlignment);
  all = round_up(at + kRedZone, kWorkspaceAlignment);
  return out;
}

std::int64_t DeviceOperands::bytes(const KernelImage& image) {
  std::int64_t all = 0;
  (void)places(image, all);
  return all;
}

DeviceOperands::DeviceOperands(const Session& session, const KernelImage& image)
    : session_(session), places_(places(image, all_)), memory_(session.allocate(all_)) {
  session.fill(memory_.get(), kPattern, all_);
}

void DeviceOperands::upload(const HostOperands& host) const {
  for (std::size_t i = 0; i + 1 < places_.size(); ++i)
    session_.upload(argument(i), host.memory().arguments[i]);
  session_.upload(workspace(), host.memory().workspace);
  session_.synchronize();
}

void DeviceOperands::download(const HostOperands& host) const {
  for (std::size_t i = 0; i + 1 < places_.size(); ++i)
    session_.download(host.memory().arguments[i], argument(i));
  session_.download(host.memory().workspace, workspace());
}

std::optional<std::string> DeviceOperands::overwritten() const {
  std::vector<std::byte> zone;
  for (std::size_t i = 0; i <= places_.size(); ++i) {
    // The zone before place i; the last one ends the allocation.
    const std::int64_t begin = i == 0 ? 0 : places_[i - 1].offset + places_[i - 1].bytes;
    const std::int64_t end = i == places_.size() ? all_ : places_[i].offset;
    zone.resize(static_cast<std::size_t>(end - begin));
    session_.download(zone, memory_.get() + static_cast<CuAddress>(begin));
    const auto changed = std::find_if(zone.begin(), zone.end(), [](std::byte b) { return b != kPattern; });
    if (changed == zone.end()) continue;
    const std::int64_t at = changed - zone.begin();
    const bool behind = i > 0 && (i == places_.size() || at < end - begin - at);
    const Place& place = places_[behind ? i - 1 : i];
    return "byte " + std::to_string(behind ? at : end - begin - at) +
           (behind ? " behind the end of '" : " before the beginning of '") + place.name + "' was written";
  }
  return std::nullopt;
}

}  // namespace tessera::runtime::detail
