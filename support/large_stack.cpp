#include "support/large_stack.h"

#include <pthread.h>

#include <cstring>
#include <exception>

#include "support/error.h"

namespace tessera {

namespace {

thread_local bool on_large_stack = false;

struct Call {
  const std::function<void()>* f;
  std::exception_ptr thrown;
};

void* run_call(void* argument) {
  auto* call = static_cast<Call*>(argument);
  on_large_stack = true;
  try {
    (*call->f)();
  } catch (...) {
    call->thrown = std::current_exception();
  }
  return nullptr;
}

}  // namespace

void run_with_large_stack(const std::function<void()>& f) {
  if (on_large_stack) return f();

  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kLargeStackBytes);
  Call call{&f, nullptr};
  pthread_t thread;
  const int failed = pthread_create(&thread, &attributes, run_call, &call);
  pthread_attr_destroy(&attributes);
  TESSERA_ENVIRONMENT_CHECK(failed == 0)
      << "cannot start a thread with a stack of " << (kLargeStackBytes >> 20)
      << " MiB: " << std::strerror(failed);
  pthread_join(thread, nullptr);
  if (call.thrown) std::rethrow_exception(call.thrown);
}

}  // namespace tessera
