// The one door to ISL: a context that owns its objects' memory, a limit on wall-clock time, errors as
// refusals, options that go back to what they were.
//
//   IslContext isl;
//   auto tree = isl.within(1s, [&] { return constraints.compute_schedule().to_str(); });
//   if (!tree.ok()) ...                                   // "timeout: ISL was stopped after 1000 ms"
//
// A context belongs to one thread, and so does every object made in it; all of them go before it does.
// ISL's own quota of operations is no limit on time: the same quota is 2 s or 40 s with other options.
#pragma once

#include <isl/cpp.h>
#include <isl/options.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <type_traits>

#include "support/result.h"

namespace tessera::polyhedral::detail {

/// Stops whatever ISL does in a context once the limit is over; the context is usable again after `finish`.
class Watchdog {
 public:
  Watchdog(isl_ctx* context, std::chrono::milliseconds limit);
  ~Watchdog() { finish(); }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// Ends the watch; true when the limit had passed.
  bool finish();

 private:
  isl_ctx* context_;
  std::mutex mutex_;
  std::condition_variable done_changed_;
  bool done_ = false, fired_ = false;
  std::thread thread_;
};

class IslContext {
 public:
  IslContext();
  ~IslContext();
  IslContext(const IslContext&) = delete;
  IslContext& operator=(const IslContext&) = delete;

  isl_ctx* get() const { return context_; }
  operator isl::ctx() const { return isl::ctx(context_); }  // NOLINT: implicit, as ISL's own functions take it

  /// What `f` returns (a value, a Result or nothing). Refuses with "timeout: ..." when it takes longer than
  /// `limit`, and with ISL's own words when ISL refuses. Objects of ISL that outlive `f` are as before it.
  template <class F>
  auto within(std::chrono::milliseconds limit, F&& f) const {
    using Value = std::invoke_result_t<F>;
    using Returned = typename Wrapped<Value>::type;
    Watchdog watchdog(context_, limit);
    try {
      if constexpr (std::is_void_v<Value>) {
        f();
        return Returned(Done{});
      } else {
        return Returned(f());
      }
    } catch (const isl::exception& e) {
      const std::string words = failure(e.what());
      return Returned(watchdog.finish() ? refuse("timeout: ISL was stopped after ", limit.count(), " ms") : refuse("ISL: ", words));
    }
  }

 private:
  template <class T>
  struct Wrapped {
    using type = Result<T>;
  };
  template <class T>
  struct Wrapped<Result<T>> {
    using type = Result<T>;
  };

  /// ISL's last error in words, which is then forgotten.
  std::string failure(const char* thrown) const;

  isl_ctx* context_;
};

template <>
struct IslContext::Wrapped<void> {
  using type = Status;
};

/// An integer option of a context for the length of a scope.
///
///   ScopedOption serial(isl, isl_options_get_schedule_serialize_sccs, isl_options_set_schedule_serialize_sccs, 1);
class ScopedOption {
 public:
  using Get = int (*)(isl_ctx*);
  using Set = isl_stat (*)(isl_ctx*, int);
  ScopedOption(const IslContext& context, Get get, Set set, int value) : context_(context.get()), set_(set), before_(get(context.get())) {
    set_(context_, value);
  }
  ~ScopedOption() { set_(context_, before_); }
  ScopedOption(const ScopedOption&) = delete;
  ScopedOption& operator=(const ScopedOption&) = delete;

 private:
  isl_ctx* context_;
  Set set_;
  int before_;
};

}  // namespace tessera::polyhedral::detail
