#include "polyhedral/detail/isl.h"

namespace tessera::polyhedral::detail {

Watchdog::Watchdog(isl_ctx* context, std::chrono::milliseconds limit) : context_(context), thread_([this, limit] {
  std::unique_lock lock(mutex_);
  if (done_changed_.wait_for(lock, limit, [&] { return done_; })) return;
  fired_ = true;
  isl_ctx_abort(context_);
}) {}

bool Watchdog::finish() {
  if (!thread_.joinable()) return fired_;
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  done_changed_.notify_all();
  thread_.join();
  isl_ctx_resume(context_);
  isl_ctx_reset_error(context_);
  return fired_;
}

IslContext::IslContext() : context_(isl_ctx_alloc()) {
  TESSERA_CHECK(context_ != nullptr) << "ISL has no memory for a context";
  // Failed calls in C give null, which isl::manage turns into an exception; the default prints and aborts.
  isl_options_set_on_error(context_, ISL_ON_ERROR_CONTINUE);
}

IslContext::~IslContext() { isl_ctx_free(context_); }

std::string IslContext::failure(const char* thrown) const {
  const char* last = isl_ctx_last_error_msg(context_);
  std::string words = last != nullptr ? last : thrown;
  isl_ctx_reset_error(context_);
  return words;
}

}  // namespace tessera::polyhedral::detail
