#pragma once

namespace tessera {

/// Name and version as logs and exports carry them.
inline constexpr const char* kToolVersion = "tessera 0.1.0";

}  // namespace tessera
