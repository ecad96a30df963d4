// The handler of the kernel_runner program: one measuring request in, measurements out.
#pragma once

#include "runtime/isolation/fork_server.h"

namespace tessera::runtime {

/// A fork-server handler. The attached descriptor is the task's data file (data_set.h).
std::vector<std::byte> handle_measure_request(std::span<const std::byte> request,
                                              const HandlerContext& context);

}  // namespace tessera::runtime
