// What lies in an export, and how it gets there.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>
#include <thread>

#include "exporter/detail/bundle.h"
#include "support/hash.h"
#include "support/json/json.h"
#include "tests/export/export_fixture.h"
#include "tests/support/options.h"

namespace tessera::exporter {
namespace {

using namespace testing;

const runtime::KernelImage& image() {
  static const runtime::KernelImage kernel = matmul_image();
  return kernel;
}

void do_export(const std::string& directory, const std::string& name = "matmul", const std::string& compiler = "") {
  export_c(image(), host_target(), {.name = name, .directory = directory, .tool = "tessera 0.1.0", .compiler = compiler});
}

std::set<std::string> names_in(const std::string& directory) {
  std::set<std::string> out;
  for (const auto& e : fs::directory_iterator(directory)) out.insert(e.path().filename().string());
  return out;
}

TEST(ExportBundle, ShipsTheCallingConventionVerbatim) {
  EXPECT_EQ(std::string(kKernelAbiText), test::read_source_file("runtime/kernel_abi.h"));
}

TEST(ExportBundle, Sha256IsTheStandardOne) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(std::string(1000, 'a')), "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3");
}

TEST(ExportBundle, SameImageSameBytesAndNoPaths) {
  const TemporaryDirectory directory;
  const std::string a = directory.file("a"), b = directory.file("deeper/b");
  do_export(a);
  do_export(b);
  ASSERT_EQ(names_in(a), names_in(b));
  EXPECT_EQ(names_in(a).size(), 9u);
  for (const std::string& name : names_in(a)) {
    const std::string bytes = read_file(a + "/" + name);
    EXPECT_EQ(bytes, read_file(b + "/" + name)) << name;
    for (const std::string& path : {directory.file(""), std::string(TESSERA_SOURCE_DIR), std::string("/tmp/")}) {
      EXPECT_EQ(bytes.find(path), std::string::npos) << name << " holds " << path;
    }
  }
  EXPECT_EQ(names_in(directory.file("")), (std::set<std::string>{"a", "deeper"}));
}

TEST(ExportBundle, ManifestFitsTheFiles) {
  const TemporaryDirectory directory;
  const std::string out = directory.file("out");
  do_export(out);
  const Json j = parse_json(read_file(out + "/manifest.json")).or_throw();
  EXPECT_EQ(j["name"], "matmul");
  EXPECT_EQ(j["abi_version"], 1);
  EXPECT_EQ(j["tool"], "tessera 0.1.0");
  EXPECT_EQ(j["target"], host_target().text());
  EXPECT_EQ(j["arguments"].size(), 3u);
  EXPECT_EQ(j["arguments"][2]["role"], "output");
  EXPECT_EQ(j["arguments"][0]["shape"], Json::array({24, 17}));
  EXPECT_EQ(j["shared_library"], "libmatmul.so");
  EXPECT_EQ(j["sha256"].size(), 8u);
  for (const auto& [name, hash] : j["sha256"].items()) EXPECT_EQ(hash, sha256_hex(read_file(out + "/" + name))) << name;
  if (::system("command -v sha256sum > /dev/null") == 0) {
    EXPECT_EQ(shell(out, "sha256sum matmul.o").substr(0, 64), j["object_sha256"]);
  }
}

TEST(ExportBundle, AnEarlierExportIsReplacedAndNothingElse) {
  const TemporaryDirectory directory;
  const std::string out = directory.file("out");
  fs::create_directory(out);
  do_export(out);           // empty: taken
  do_export(out, "other");  // ours: replaced as a whole
  EXPECT_EQ(names_in(out).count("matmul.o"), 0u);
  EXPECT_EQ(names_in(out).count("other.o"), 1u);
  // What the user has added stays, unless it is in the way.
  write_file(out + "/notes.txt", "mine");
  fs::create_directories(out + "/build/deep");
  do_export(out, "third");
  EXPECT_EQ(read_file(out + "/notes.txt"), "mine");
  EXPECT_TRUE(fs::is_directory(out + "/build/deep"));
  EXPECT_EQ(names_in(out).size(), 11u);
  write_file(out + "/matmul.o", "mine too");
  Failure f = failure_of([&] { do_export(out); });
  EXPECT_EQ(f.exit_code, 1);
  EXPECT_EQ(f.message, "cannot export to '" + out + "': it holds 'matmul.o', which no export wrote; move that or name a new directory");
  EXPECT_EQ(read_file(out + "/matmul.o"), "mine too");
  const std::string foreign = directory.file("foreign");
  fs::create_directory(foreign);
  write_file(foreign + "/manifest.json", "{\"name\":\"an app\"}");
  f = failure_of([&] { do_export(foreign); });
  EXPECT_EQ(f.exit_code, 1);
  EXPECT_NE(f.message.find("is not empty and no export wrote it"), std::string::npos) << f.message;
  write_file(directory.file("file"), "x");
  f = failure_of([&] { do_export(directory.file("file")); });
  EXPECT_EQ(f.exit_code, 1);
  EXPECT_NE(f.message.find("is not a directory"), std::string::npos) << f.message;
  EXPECT_EQ(names_in(directory.file("")), (std::set<std::string>{"out", "foreign", "file"}));
}

TEST(ExportBundle, DirectoriesMayBeNamedInAnyWay) {
  const TemporaryDirectory directory;
  const fs::path before = fs::current_path();
  fs::create_directory(directory.file("real"));
  fs::create_directory_symlink("real", directory.file("link"));
  fs::current_path(directory.file(""));
  for (const char* name : {"plain", "slash/", "./dot", "link", "link/", "a/b/../c"}) {
    const Failure f = failure_of([&] { do_export(name); });
    EXPECT_EQ(f.message, "") << name;
    EXPECT_EQ(names_in(fs::weakly_canonical(name).string()).size(), 9u) << name;
  }
  const Failure f = failure_of([&] { do_export("."); });
  EXPECT_EQ(f.message.substr(0, 32), "cannot export to '.': it is not ");
  EXPECT_EQ(failure_of([&] { do_export(""); }).exit_code, 2);
  EXPECT_EQ(failure_of([&] { do_export("/"); }).exit_code, 1);
  fs::current_path(before);
  EXPECT_TRUE(fs::is_symlink(directory.file("link")));
}

TEST(ExportBundle, ADirectoryThatCannotBeWritten) {
  const TemporaryDirectory directory;
  write_file(directory.file("file"), "x");
  Failure f = failure_of([&] { do_export(directory.file("file/out")); });
  EXPECT_EQ(f.exit_code, 1) << f.message;
  f = failure_of([&] { do_export("/proc/tessera/out"); });
  EXPECT_EQ(f.exit_code, 1) << f.message;
  EXPECT_NE(f.message.find("/proc/tessera/out"), std::string::npos) << f.message;
  if (::geteuid() != 0) {
    fs::create_directory(directory.file("locked"));
    ::chmod(directory.file("locked").c_str(), 0555);
    f = failure_of([&] { do_export(directory.file("locked/out")); });
    EXPECT_EQ(f.exit_code, 1);
    EXPECT_NE(f.message.find("Permission denied; name a directory that you may write"), std::string::npos) << f.message;
    ::chmod(directory.file("locked").c_str(), 0755);
  }
}

TEST(ExportBundle, WithoutACompilerTheRestIsThere) {
  const TemporaryDirectory directory;
  const std::string out = directory.file("out");
  Failure f = failure_of([&] { do_export(out, "matmul", "no-such-compiler"); });
  EXPECT_EQ(f.exit_code, 4);
  EXPECT_EQ(f.message, "libmatmul.so could not be linked: there is no C compiler 'no-such-compiler' here; install a C compiler and "
                       "linker (Debian: apt-get install gcc libc6-dev); everything else is in '" + out + "'");
  EXPECT_EQ(names_in(out).size(), 8u);
  EXPECT_EQ(parse_json(read_file(out + "/manifest.json")).or_throw()["shared_library"], nullptr);
  f = failure_of([&] { do_export(out, "matmul", "false"); });
  EXPECT_EQ(f.exit_code, 4);
  EXPECT_EQ(f.message.find('\n'), std::string::npos);
  do_export(out);
  EXPECT_EQ(names_in(out).size(), 9u);
}

TEST(ExportBundle, AnObjectForAnotherProcessorIsWrittenWithoutALibrary) {
  const ir::Target target =
      codegen::resolve_cpu_target(ir::parse_target("cpu -mcpu=generic -mtriple=riscv64-unknown-linux-gnu").or_throw()).or_throw();
  const TemporaryDirectory directory;
  const std::string out = directory.file("out");
  const Failure f = failure_of([&] { export_c(matmul_image(target), target, {.name = "matmul", .directory = out}); });
  EXPECT_EQ(f.exit_code, 4);
  EXPECT_NE(f.message.find("compile matmul_launcher.c there"), std::string::npos) << f.message;
  EXPECT_EQ(names_in(out).size(), 8u);
}

TEST(ExportBundle, KilledAtAnyMomentItIsWholeOrNotThere) {
  const TemporaryDirectory directory;
  const std::string out = directory.file("out");
  image();
  int whole = 0;
  for (std::uint64_t round = 0; round < 40; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      // Without a linker, so that no compiler outlives the child and writes on.
      for (int i = 0;; ++i) failure_of([&] { do_export(out, i % 2 == 0 ? "matmul" : "other", "no-such-compiler"); });
    }
    std::this_thread::sleep_for(std::chrono::microseconds(mix64(round) % 40'000));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    if (!fs::exists(out)) continue;
    ++whole;
    const Json j = parse_json(read_file(out + "/manifest.json")).or_throw();
    std::set<std::string> expected = {"manifest.json"};
    for (const auto& [name, hash] : j["sha256"].items()) {
      expected.insert(name);
      ASSERT_EQ(hash, sha256_hex(read_file(out + "/" + name))) << name;
    }
    ASSERT_EQ(names_in(out), expected);
  }
  EXPECT_GT(whole, 10);
}

TEST(ExportBundle, DamagedObjectsAreRefused) {
  const std::string object(reinterpret_cast<const char*>(image().object.data()), image().object.size());
  ASSERT_TRUE(with_prefixed_symbols(object, "p__").ok());
  EXPECT_FALSE(with_prefixed_symbols("", "p__").ok());
  EXPECT_FALSE(with_prefixed_symbols(std::string(5000, '\0'), "p__").ok());
  for (std::size_t cut = 0; cut < object.size(); cut += 7) (void)with_prefixed_symbols(object.substr(0, cut), "p__");
  for (std::size_t at = 0; at < object.size(); at += 3) {
    std::string bad = object;
    bad[at] = static_cast<char>(bad[at] ^ 0xff);
    (void)with_prefixed_symbols(bad, "p__");
  }
}

TEST(ExportBundle, WhatCCannotHoldIsAnOrdinaryRefusal) {
  const TemporaryDirectory directory;
  ir::Target cuda;
  cuda.kind = ir::TargetKind::kCuda;
  EXPECT_EQ(failure_of([&] { export_c(image(), cuda, {.name = "x", .directory = directory.file("x")}); }).exit_code, 2);
  runtime::KernelImage symbolic = image();
  symbolic.symbolic_dims = {"n"};
  EXPECT_EQ(failure_of([&] { export_c(symbolic, host_target(), {.name = "x", .directory = directory.file("x")}); }).exit_code, 2);
  EXPECT_FALSE(fs::exists(directory.file("x")));
}

}  // namespace
}  // namespace tessera::exporter
