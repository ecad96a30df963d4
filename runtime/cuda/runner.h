// The handler of the program cuda_runner: one measuring request in, measurements out. It keeps the device's
// context from one request to the next; the client replaces its process when that is lost.
#pragma once

#include "runtime/isolation/in_process_server.h"

namespace tessera::runtime {

std::vector<std::byte> handle_cuda_request(const InProcessCall& call);

}  // namespace tessera::runtime
