// Kernels kept on disk: found again, never believed when damaged, bounded.
#include "codegen/cuda/cubin_cache.h"

#include <filesystem>
#include <thread>

#include "tests/cuda/nvrtc_fixture.h"
#include "tests/support/command.h"
#include "tests/support/environment.h"

namespace tessera::codegen {
namespace {

class Cache : public NvrtcTest {
 protected:
  static Result<Cubin> get(CubinCache& cache, const std::string& text = kAxpy,
                           const std::string& arch = "sm_80", const CudaCompileOptions& options = {}) {
    return cache.compile(*nvrtc(), text, "k", arch, options);
  }
  std::int64_t bytes() const {
    std::int64_t sum = 0;
    for (const std::string& name : folder.entries())
      sum += static_cast<std::int64_t>(std::filesystem::file_size(folder / name));
    return sum;
  }
  test::TemporaryFolder folder;
};

TEST_F(Cache, AnotherProcessFindsTheSame) {
  CubinCache first(folder.path()), second(folder.path());
  const Cubin made = get(first).or_throw(), found = get(second).or_throw();
  EXPECT_TRUE(made == found);
  EXPECT_EQ(first.counts().misses, 1);
  EXPECT_EQ(second.counts().hits, 1);
  EXPECT_EQ(folder.entries().size(), 1U);
}

TEST_F(Cache, TextFlagsArchAndPtxMakeTheKey) {
  CubinCache cache(folder.path());
  (void)get(cache);
  (void)get(cache, std::string(kAxpy) + "\n");
  (void)get(cache, kAxpy, "sm_86");
  (void)get(cache, kAxpy, "sm_80", {.extra = {"--maxrregcount=32"}});
  EXPECT_FALSE(get(cache, kAxpy, "sm_80", {.keep_ptx = true})->ptx.empty());
  Nvrtc later = *nvrtc();
  ++later.minor;
  (void)cache.compile(later, kAxpy, "k", "sm_80");
  EXPECT_EQ(cache.counts().misses, 6);
  EXPECT_EQ(folder.entries().size(), 6U);
}

TEST_F(Cache, RefusalsAreRemembered) {
  CubinCache cache(folder.path());
  const auto bad = get(cache, "no kernel"), again = get(cache, "no kernel");
  ASSERT_FALSE(bad.ok());
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(bad.reason(), again.reason());
  EXPECT_EQ(cache.counts().hits, 1);
  EXPECT_FALSE(get(cache, kAxpy, "sm_12").ok());  // not asked of the compiler
  EXPECT_EQ(folder.entries().size(), 1U);
}

TEST_F(Cache, DamagedEntriesAreMadeAnew) {
  CubinCache cache(folder.path());
  const Cubin made = get(cache).or_throw();
  const std::string file = folder / folder.entries().at(0);
  const std::string whole = test::read_text(file);
  std::vector<std::string> damages{"", "x", whole.substr(0, whole.size() / 2), whole + "x"};
  for (const std::size_t at : {std::size_t{0}, std::size_t{5}, std::size_t{9}, std::size_t{40},
                               whole.size() / 2, whole.size() - 1}) {
    damages.push_back(whole);
    damages.back()[at] ^= 1;
  }
  for (const std::string& damage : damages) {
    test::write_text(file, damage);
    EXPECT_TRUE(get(cache).or_throw() == made);
    EXPECT_TRUE(test::read_text(file) == whole);
  }
  EXPECT_EQ(cache.counts().damaged, static_cast<std::int64_t>(damages.size()));
}

TEST_F(Cache, StaysBelowItsSizeAndKeepsWhatWasUsedLast) {
  CubinCache measure(folder.path());
  (void)get(measure);
  const std::int64_t one = bytes();
  CubinCache cache(folder.path(), 4 * one + one / 2);
  for (int i = 0; i < 12; ++i) {
    (void)get(cache);  // in use all the time
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    (void)get(cache, std::string(kAxpy) + "//" + std::to_string(i));
    EXPECT_LE(bytes(), 4 * one + one / 2);
  }
  EXPECT_GT(cache.counts().evicted, 5);
  EXPECT_EQ(cache.counts().hits, 12);
}

TEST_F(Cache, FoldersThatCannotBeWrittenCostNothing) {
  CubinCache nowhere("/proc/none/cubin"), off("");
  EXPECT_TRUE(get(nowhere).ok());
  EXPECT_TRUE(get(nowhere).ok());
  EXPECT_EQ(nowhere.counts().misses, 2);
  EXPECT_TRUE(get(off).ok());
}

TEST_F(Cache, ThreadsShareOne) {
  CubinCache cache(folder.path());
  std::vector<std::thread> threads;
  std::atomic<int> bad = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 3; ++i)
        bad += get(cache, std::string(kAxpy) + "//" + std::to_string(i)).ok() ? 0 : 1;
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(bad, 0);
  EXPECT_EQ(folder.entries().size(), 3U);
}

TEST(CacheFolder, FollowsTheEnvironment) {
  const test::SetVariable home("HOME", "/home/somebody");
  {
    const test::SetVariable cache("XDG_CACHE_HOME", "/elsewhere");
    EXPECT_EQ(default_cubin_cache(), "/elsewhere/tessera/cubin");
  }
  const test::SetVariable cache("XDG_CACHE_HOME", "");
  EXPECT_EQ(default_cubin_cache(), "/home/somebody/.cache/tessera/cubin");
}

}  // namespace
}  // namespace tessera::codegen
