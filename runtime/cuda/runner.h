// The handler of the program cuda_runner: one measuring request in, measurements out. It keeps the device's
// context from one request to the next and ends its process when that is lost.
#pragma once

#include "runtime/isolation/in_process_server.h"

namespace tessera::runtime {

InProcessAnswer handle_cuda_request(const InProcessCall& call);

}  // namespace tessera::runtime
