// A kernel image as JSON, for files that travel between machines. Machine code goes as base64.
#pragma once

#include "runtime/kernel_image.h"
#include "support/json/json.h"

namespace tessera::runtime {

Json to_json_value(const KernelImage& image);
/// Strict; refuses what check_image refuses too.
Status from_json_value(const Json& j, KernelImage& out);

}  // namespace tessera::runtime
