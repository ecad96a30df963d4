// Files, disks, permissions and machines that are not as they should be: one line, exit code 1 (4
// for a log of another machine), and what was there before stays as it was.
#include "tests/cli/one_line.h"
#include "tuning_logs/log_file.h"

#include <sys/stat.h>

#include <filesystem>

namespace tessera::test {
namespace {

const std::vector<std::string> kSmall = {"--op",           "matmul",    "--shape",
                                         "m=16,n=16,k=16", "--threads", "1"};

std::vector<std::string> tune(const std::string& log, int trials = 3) {
  std::vector<std::string> words = kSmall;
  for (const std::string& w :
       {std::string("--trials"), std::to_string(trials), std::string("--log"), log})
    words.push_back(w);
  return words;
}

/// A real log, made once.
const std::string& good_log() {
  static const std::string text = [] {
    const TemporaryFolder folder;
    const CommandResult r = autotune(tune("good.jsonl"), {.folder = folder.path()});
    EXPECT_EQ(r.code, 0) << r.err;
    return read_text(folder / "good.jsonl");
  }();
  return text;
}

struct Reader {
  std::vector<std::string> before, after;
  std::vector<std::string> words(const std::string& log) const {
    std::vector<std::string> all = before;
    all.push_back(log);
    all.insert(all.end(), after.begin(), after.end());
    return all;
  }
};
const std::vector<Reader> kReaders = {
    {{"replay"}, {}},
    {{"show"}, {}},
    {{"show"}, {"--print", "asm"}},
    {{"log", "best"}, {}},
    {{"export"}, {"--to", "c", "-o", "out"}},
};

/// Every command that needs a kernel from the log refuses it.
void expect_unusable(const CommandOptions& options, const std::string& log,
                     const std::vector<std::string>& said, int code = 1) {
  for (const Reader& reader : kReaders) {
    SCOPED_TRACE("autotune " + joined(reader.words(log), " "));
    expect_one_line(autotune(reader.words(log), options), code, said);
  }
}

TEST(BadLog, MissingEmptyDirectoryDevice) {
  const TemporaryFolder folder;
  const CommandOptions here{.folder = folder.path()};
  std::filesystem::create_directory(folder / "directory");
  write_text(folder / "empty.jsonl", "");
  expect_unusable(here, "missing.jsonl", {"missing.jsonl", "No such file"});
  expect_unusable(here, "missing/log.jsonl", {"missing/log.jsonl", "No such file"});
  expect_unusable(here, "empty.jsonl", {"empty.jsonl", "is empty"});
  expect_unusable(here, "directory", {"directory"});
  expect_unusable(here, "/dev/zero", {"/dev/zero", "regular file"});
  for (const char* log : {"missing.jsonl", "empty.jsonl", "directory", "/dev/zero"})
    expect_one_line(autotune({"log", "check", log}, here), 1, {log});
}

TEST(BadLog, TruncatedHostileForeign) {
  const TemporaryFolder folder;
  const CommandOptions here{.folder = folder.path()};
  std::string wrong_seed = good_log();
  for (std::size_t at = 0; (at = wrong_seed.find("\"seed\":1", at)) != std::string::npos; ++at)
    wrong_seed.replace(at, 8, "\"seed\":2");
  std::string noise;
  for (unsigned i = 0, x = 1; i < 100'000; ++i)
    noise += static_cast<char>((x = x * 1664525U + 1013904223U) >> 24);
  const std::vector<std::pair<std::string, std::string>> files = {
      {"truncated.jsonl", good_log().substr(0, 1200)},
      {"depth.jsonl", std::string(30'000, '[') + "\n"},
      {"deep_record.jsonl", "{\"schema\":{\"major\":1,\"minor\":0},\"kind\":" +
                                std::string(20'000, '[') + std::string(20'000, ']') + "}\n"},
      {"long_line.jsonl", std::string(1'000'000, 'x') + "\n"},
      {"checksum.jsonl", wrong_seed},
      {"noise.jsonl", noise},
      {"readme.jsonl", read_text(std::string(TESSERA_SOURCE_DIR) + "/README.md")},
      {"zeros.jsonl", std::string(100'000, '\0')},
  };
  for (const auto& [name, text] : files) {
    write_text(folder / name, text);
    expect_unusable(here, name, {name, "no readable record"});
    const CommandResult check = autotune({"log", "check", name, "--json"}, here);
    EXPECT_EQ(check.code, 1) << name;
    EXPECT_EQ(check.err, "") << name;
    EXPECT_NE(check.out.find("\"records\":0"), std::string::npos) << name << check.out;
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
}

TEST(BadLog, TornTailCostsOneRecordAndIsSaid) {
  const TemporaryFolder folder;
  const CommandOptions here{.folder = folder.path()};
  write_text(folder / "torn.jsonl", good_log().substr(0, good_log().size() - 100));
  const CommandResult r = autotune({"replay", "torn.jsonl"}, here);
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_NE(r.err.find("1 of its lines is damaged"), std::string::npos) << r.err;
  EXPECT_EQ(autotune({"log", "check", "torn.jsonl"}, here).code, 1);
}

TEST(BadLog, NotALogIsNeverAppendedTo) {
  const TemporaryFolder folder;
  write_text(folder / "thesis.txt", "years of work\n");
  expect_one_line(autotune(tune("thesis.txt"), {.folder = folder.path()}), 1,
                  {"thesis.txt", "not a tuning log"});
  EXPECT_EQ(read_text(folder / "thesis.txt"), "years of work\n");
}

/// The good log as a machine with other instructions would have written it.
void write_for_target(const std::string& path, const std::string& target) {
  tuning_logs::LogContents log;
  {
    const TemporaryFolder folder;
    write_text(folder / "good.jsonl", good_log());
    log = tuning_logs::read_records(folder / "good.jsonl");
  }
  tuning_logs::Record header = log.headers.at(0);
  header.target = target;
  tuning_logs::LogWriter writer(path, header);
  for (tuning_logs::Record r : log.records) {
    r.target = target;
    writer.append(r);
  }
}

#if defined(__x86_64__)
TEST(BadLog, OfAnotherInstructionSet) {
  const TemporaryFolder folder;
  const CommandOptions here{.folder = folder.path()};
  // XOP: only a few processors of 2011 to 2015 have it, and none of those has the rest of this
  // text.
  write_for_target(folder / "other.jsonl",
                   "cpu -mcpu=sapphirerapids -mattr=+xop,+amx-tile -mtriple=x86_64-pc-linux-gnu");
  expect_one_line(autotune({"replay", "other.jsonl"}, here), 4,
                  {"other.jsonl", "sapphirerapids", "--target cpu"});
  const CommandResult shown = autotune({"show", "other.jsonl", "--print", "asm"}, here);
  EXPECT_EQ(shown.code, 0) << shown.err;  // looking needs no such machine
  const CommandResult rebuilt = autotune({"replay", "other.jsonl", "--target", "cpu"}, here);
  EXPECT_EQ(rebuilt.code, 0) << rebuilt.err;
  EXPECT_NE(rebuilt.out.find("correct"), std::string::npos) << rebuilt.out;

  write_for_target(folder / "future.jsonl", "cpu -mcpu=znver99 -mtriple=x86_64-pc-linux-gnu");
  expect_one_line(autotune({"replay", "future.jsonl"}, here), 1, {"future.jsonl", "znver99"});
  write_for_target(folder / "cuda.jsonl", "cuda -march=sm_90a");
  const CommandResult cuda = autotune({"replay", "cuda.jsonl"}, here);
  EXPECT_TRUE(cuda.code == 4 || cuda.code == 1) << cuda.code;
  EXPECT_EQ(std::count(cuda.err.begin(), cuda.err.end(), '\n'), 1) << cuda.err;
}
#endif

TEST(BadDisk, PlacesThatTakeNoLog) {
  const TemporaryFolder folder;
  const CommandOptions here{.folder = folder.path()};
  std::filesystem::create_directory(folder / "directory");
  write_text(folder / "file", "");
  expect_one_line(autotune(tune("directory"), here), 1, {"'directory'", "is a directory"});
  expect_one_line(autotune(tune("missing/log.jsonl"), here), 1, {"'missing'", "does not exist"});
  expect_one_line(autotune(tune("file/log.jsonl"), here), 1, {"'file'"});
  expect_one_line(autotune(tune("/proc/no/log.jsonl"), here), 1, {"/proc/no"});
}

TEST(BadDisk, Full) {
  const TemporaryFolder folder;
  CommandOptions here{.folder = folder.path()};
  expect_one_line(autotune(tune("/dev/full"), here), 1,
                  {"/dev/full", "No space left on device", "--resume"});
  here.file_bytes = 8 << 10;  // full after a few records
  const CommandResult r = autotune(tune("log.jsonl", 64), here);
  EXPECT_EQ(r.code, 1) << r.err;
  EXPECT_EQ(r.out, "");
  EXPECT_NE(r.err.find("autotune: cannot write to log 'log.jsonl': File too large"),
            std::string::npos)
      << r.err;
  // What was acknowledged is there, and the run goes on where there is room.
  const std::size_t kept = tuning_logs::read_records(folder / "log.jsonl").records.size();
  EXPECT_GE(kept, 1U);
  here.file_bytes = 0;
  std::vector<std::string> again = tune("log.jsonl", static_cast<int>(kept) + 2);
  again.push_back("--resume");
  EXPECT_EQ(autotune(again, here).code, 0);
  EXPECT_GT(tuning_logs::read_records(folder / "log.jsonl").records.size(), kept);
}

TEST(BadDisk, FullStandardOutput) {
  const TemporaryFolder folder;
  CommandOptions here{.folder = folder.path(), .out = "/dev/full"};
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"ops"}, {"show", "--op", "matmul", "--print", "asm"}})
    expect_one_line(autotune(words, here), 1, {"standard output", "No space left on device"});
}

TEST(BadDisk, Permission) {
  const TemporaryFolder folder;
  const CommandOptions nobody{.folder = folder.path(), .as_nobody = true};
  write_text(folder / "secret.jsonl", good_log());
  ::chmod((folder / "secret.jsonl").c_str(), 0000);
  std::filesystem::create_directory(folder / "locked");
  ::chmod((folder / "locked").c_str(), 0555);
  expect_unusable(nobody, "secret.jsonl", {"secret.jsonl", "Permission denied"});
  expect_one_line(autotune(tune("secret.jsonl"), nobody), 1, {"secret.jsonl", "Permission denied"});
  expect_one_line(autotune(tune("locked/log.jsonl"), nobody), 1,
                  {"locked/log.jsonl", "Permission denied"});
  ::chmod((folder / "locked").c_str(), 0755);
}

TEST(BadDisk, ExportPlaces) {
  const TemporaryFolder folder;
  const CommandOptions here{.folder = folder.path()},
      nobody{.folder = folder.path(), .as_nobody = true};
  write_text(folder / "good.jsonl", good_log());
  write_text(folder / "file", "kept");
  std::filesystem::create_directory(folder / "locked");
  ::chmod((folder / "locked").c_str(), 0555);
  const auto words = [](const std::string& form, const std::string& to) {
    return std::vector<std::string>{"export", "good.jsonl", "--to", form, "-o", to};
  };
  expect_one_line(autotune(words("fortran", "out"), here), 2, {"'fortran'", "forms are c"});
  expect_one_line(autotune(words("c", "file"), here), 1, {"file"});
  expect_one_line(autotune(words("c", "file/out"), here), 1, {"file"});
  expect_one_line(autotune(words("c", "locked/out"), nobody), 1, {"locked/out"});
  EXPECT_EQ(read_text(folder / "file"), "kept");
  ::chmod((folder / "locked").c_str(), 0755);
  EXPECT_EQ(folder.entries(), (std::vector<std::string>{"file", "good.jsonl", "locked"}));
}

TEST(BadMachine, MissingTools) {
  const TemporaryFolder folder, tools;
  CommandOptions here{.folder = folder.path(), .environment = {{"TESSERA_LIBEXEC", tools.path()}}};
  write_text(folder / "good.jsonl", good_log());
  expect_one_line(autotune(tune("log.jsonl"), here), 1,
                  {"kernel_builder", "was not found", "TESSERA_LIBEXEC"});
  expect_one_line(autotune({"replay", "good.jsonl"}, here), 1,
                  {"kernel_builder", "TESSERA_LIBEXEC"});
  EXPECT_EQ(folder.entries(), std::vector<std::string>{"good.jsonl"});

  std::filesystem::create_symlink(program_path("kernel_builder"), tools / "kernel_builder");
  expect_one_line(autotune(tune("log.jsonl"), here), 1, {"kernel_runner", "TESSERA_LIBEXEC"});
  const CommandResult doctor = autotune({"doctor"}, here);
  EXPECT_EQ(doctor.code, 1);
  EXPECT_NE(doctor.out.find("kernel_runner"), std::string::npos) << doctor.out;
  EXPECT_EQ(autotune({"show", "good.jsonl"}, here).code, 0);  // what needs no tool works
}

TEST(BadMachine, NoCompilerForCuda) {
  const CommandOptions without{.environment = {{"TESSERA_NVRTC", "/nowhere/libnvrtc.so"}}};
  const std::string command = "python3 -m pip install nvidia-cuda-nvrtc";
  expect_one_line(autotune({"--op", "matmul", "--target", "cuda -arch=sm_80"}, without), 4,
                  {"/nowhere/libnvrtc.so", command, "--target cpu"});
  const CommandResult doctor = autotune({"doctor"}, without);
  EXPECT_EQ(doctor.code, 0);
  EXPECT_NE(doctor.out.find(command), std::string::npos) << doctor.out;
  expect_one_line(autotune({"--op", "matmul", "--target", "cuda -arch=sm_12"}, without), 2, {"sm_12", "sm_90a"});
}

/// Tools that start and do not answer: the run ends in bounded time and says what happened.
TEST(BadMachine, BrokenTools) {
  const TemporaryFolder folder, tools;
  const CommandOptions here{.folder = folder.path(),
                            .environment = {{"TESSERA_LIBEXEC", tools.path()}}};
  for (const char* tool : {"kernel_builder", "kernel_runner"}) {
    write_text(tools / tool, "#!/bin/sh\nexit 3\n");
    ::chmod((tools / tool).c_str(), 0755);
  }
  const CommandResult r = autotune(tune("log.jsonl"), here);
  EXPECT_TRUE(r.code == 1 || r.code == 3) << r.code << r.err << r.out;
  EXPECT_EQ(processes_of(folder.path()), std::vector<pid_t>{});
}

}  // namespace
}  // namespace tessera::test
