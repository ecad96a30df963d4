#include "runtime/isolation/fork_server.h"

#include <sys/prctl.h>

#include "runtime/isolation/child_process.h"
#include "runtime/isolation/server_loop.h"

namespace tessera::runtime {

int serve(int fd, const Handler& handler) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  return serve_calls(fd, [&](const ServedCall& served) {
    bool client_gone = false;
    const Reply reply =
        run_in_child({&served.call, served.request, served.client, served.attachment}, handler, client_gone);
    return !client_gone && send_to_client(served.client, FrameKind::kReply, served.request, encode_reply(reply));
  });
}

}  // namespace tessera::runtime
