// Compiled CUDA code on disk, so that what was compiled once is not again: by this process, another one or
// tomorrow. A file an entry. What it says is checked before it is believed, and a damaged or half-written
// entry is none.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "codegen/cuda/compile.h"

namespace tessera::codegen {

/// $XDG_CACHE_HOME/tessera/cubin, or ~/.cache/tessera/cubin; empty where neither is set.
std::string default_cubin_cache();

struct CubinCacheCounts {
  std::int64_t hits = 0, misses = 0, damaged = 0, evicted = 0;
};

/// May be used from several threads, and a folder from several processes.
class CubinCache {
 public:
  /// `folder` is made when first written to; empty: nothing is kept. `most_bytes`: of all entries; the oldest
  /// go first, when a new one takes the sum above it.
  explicit CubinCache(std::string folder, std::int64_t most_bytes = std::int64_t{512} << 20);

  /// As compile_cuda; texts that do not compile are remembered too. A cache that cannot be written to is no
  /// error. PTX is kept with the entry when it is asked for.
  Result<Cubin> compile(const Nvrtc& nvrtc, const std::string& text, const std::string& name,
                        const std::string& arch, const CudaCompileOptions& options = {});

  CubinCacheCounts counts() const { return {hits_, misses_, damaged_, evicted_}; }

 private:
  std::string file_of(const std::string& key) const;
  std::optional<Result<Cubin>> find(const std::string& key);
  void keep(const std::string& key, const Result<Cubin>& result);
  void make_room();

  std::string folder_;
  std::int64_t most_bytes_;
  std::atomic<std::int64_t> hits_ = 0, misses_ = 0, damaged_ = 0, evicted_ = 0;
  std::atomic<std::int64_t> bytes_ = -1;  // of all entries, about; -1: not counted yet
};

}  // namespace tessera::codegen
