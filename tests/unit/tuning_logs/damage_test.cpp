// What is intact is found, whatever surrounds it.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <ctime>
#include <set>

#include "support/hash.h"
#include "tests/unit/tuning_logs/sample.h"
#include "tuning_logs/query.h"

namespace tessera::tuning_logs {
namespace {

using testing::read_file;
using testing::TemporaryDirectory;
using testing::write_file;
using testing::write_log;

struct Span {
  std::size_t begin, end;
};

/// Where the records of an undamaged log lie.
std::vector<Span> spans(const std::string& text) {
  std::vector<Span> out;
  for (std::size_t at = 0; (at = text.find('{', at)) != std::string::npos;) {
    const std::size_t end = text.find('\n', at);
    out.push_back({at, end});
    at = end;
  }
  return out;
}

ScanResult scan(const std::string& text) {
  return scan_text(text, [](Record&&, std::string_view) {});
}

std::int64_t all(const ScanResult& s) { return s.records + s.headers; }

// Lines are independent, so the damaged record and its neighbour tell as much as the whole log does,
// in a fraction of the time.
TEST(LogDamage, EveryFlippedByteCostsItsRecordOnly) {
  const TemporaryDirectory directory;
  const std::string text = read_file(write_log(directory, "a.jsonl", 50));
  const auto records = spans(text);
  ASSERT_EQ(records.size(), 51u);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const std::size_t last = std::min(i + 1, records.size() - 1);
    const std::size_t begin = records[i].begin - 1, end = records[last].end + 1;
    for (std::size_t at = records[i].begin - 1; at <= records[i].end; ++at) {
      std::string window = text.substr(begin, end - begin);
      window[at - begin] = static_cast<char>(window[at - begin] ^ (1 << (at % 8)));
      const bool inside = at >= records[i].begin && at < records[i].end;
      const ScanResult s = scan(window);
      ASSERT_EQ(all(s), static_cast<std::int64_t>(last - i + (inside ? 0 : 1))) << "byte " << at;
      ASSERT_GE(s.damaged, inside ? 1 : 0) << "byte " << at;
    }
  }
}

TEST(LogDamage, FlipsInTheWholeFile) {
  const TemporaryDirectory directory;
  const std::string text = read_file(write_log(directory, "a.jsonl", 50));
  const auto records = spans(text);
  for (std::uint64_t n = 0; n < 60; ++n) {
    std::string copy = text;
    for (std::uint64_t f = 0; f < 1 + n % 10; ++f) {
      const std::size_t at = mix64(n * 100 + f) % copy.size();
      copy[at] = static_cast<char>(copy[at] ^ (1 << (f % 8)));
    }
    std::int64_t intact = 0;
    for (const auto& [b, e] : records) intact += copy.compare(b, e - b, text, b, e - b) == 0 ? 1 : 0;
    ASSERT_EQ(all(scan(copy)), intact) << "case " << n;
  }
}

TEST(LogDamage, EveryCutKeepsWhatIsBeforeIt) {
  const TemporaryDirectory directory;
  const std::string text = read_file(write_log(directory, "a.jsonl", 50));
  const auto records = spans(text);
  const std::string more = "\n" + *encode_record(testing::trial(1)) + "\n";
  for (std::size_t i = 0; i < records.size(); ++i) {
    const std::size_t begin = records[i].begin - 1;
    for (std::size_t cut = begin; cut <= records[i].end; ++cut) {
      const std::string window = text.substr(begin, cut - begin);
      const std::int64_t whole = records[i].end <= cut ? 1 : 0;
      const ScanResult s = scan(window);
      ASSERT_EQ(all(s), whole) << "cut at " << cut;
      ASSERT_LE(s.damaged, 1);
      // And a writer that comes later goes on behind the torn piece.
      if (cut % 16 == 0) {
        ASSERT_EQ(all(scan(window + more)), whole + 1) << "cut at " << cut;
      }
    }
  }
}

TEST(LogDamage, LinesMayCrossTheReadersChunks) {
  const TemporaryDirectory directory;
  const LogContents log = read_log(write_log(directory, "a.jsonl", 700));
  ASSERT_EQ(log.records.size(), 700u);
  EXPECT_EQ(log.scan.damaged, 0);
  for (int i = 0; i < 700; ++i) EXPECT_EQ(log.records[static_cast<std::size_t>(i)].trial, i);
}

TEST(LogDamage, SaysWhereAndWhy) {
  const TemporaryDirectory directory;
  const std::string path = write_log(directory, "a.jsonl", 3);
  std::string text = read_file(path);
  const auto records = spans(text);
  text[records[2].begin + 100] ^= 1;
  write_file(path, text);
  const Summary s = summarize(path);
  EXPECT_EQ(s.scan.records, 2);
  ASSERT_EQ(s.scan.first_damaged.size(), 1u);
  EXPECT_EQ(s.scan.first_damaged[0].offset, static_cast<std::int64_t>(records[2].begin));
  EXPECT_EQ(describe_damage(s.scan), "1 of its lines is damaged, at byte " + std::to_string(records[2].begin) +
                                         ": its checksum does not hold");
}

/// Files that somebody may send: none holds a record.
std::vector<std::pair<std::string, std::string>> hostile_files() {
  const std::string big(1 << 20, 'x');
  const auto fill = [](std::string prefix, std::size_t n, const std::string& piece) {
    while (prefix.size() < n) prefix += piece;
    return prefix;
  };
  return {
      {"deep arrays", std::string(60'000, '[')},
      {"deep objects", fill("", 60'000, "{\"a\":")},
      {"deep after a crc", fill("{\"crc\":\"00000000\",\"plan\":", 60'000, "[")},
      {"long line", fill("", 32u << 20, big)},
      {"long line of zeros", std::string(32u << 20, '\0')},
      {"long record", fill("{\"crc\":\"00000000\",\"x\":\"", 8u << 20, big)},
      {"many marks", fill("", 16u << 20, "{\"crc\":\"")},
      {"many marks on lines", fill("", 4u << 20, "{\"crc\":\"}\n")},
      {"blank lines", std::string(32u << 20, '\n')},
      {"carriage returns", fill("", 1 << 20, "\r\n")},
      {"byte order mark", "\xef\xbb\xbf{\"crc\":\"00000000\"}"},
      {"utf-16", std::string("\xff\xfe{\0\"\0c\0", 8)},
      {"not utf-8", fill("", 60'000, "\xc3\x28\xa0\xff")},
      {"many numbers", fill("{\"crc\":\"00000000\",\"samples_ns\":[1", 60'000, ",1")},
      {"huge number", "{\"crc\":\"00000000\",\"threads\":" + std::string(60'000, '9') + "}"},
      {"elf", std::string("\x7f"
                          "ELF\x02\x01\x01\0\0\0",
                          10)},
      {"only a brace", "{"},
      {"only a mark", "{\"crc\":\""},
  };
}

long peak_kib() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return use.ru_maxrss;
}

TEST(LogDamage, HostileFilesCostLittle) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("hostile.jsonl");
  for (const auto& [name, text] : hostile_files()) {
    write_file(path, text);
    const long before = peak_kib();
    const std::clock_t start = std::clock();  // processor time: other tests run beside this one
    const ScanResult s = scan_log(path, [](Record&&, std::string_view) {});
    const double took = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    EXPECT_EQ(all(s), 0) << name;
    // 100 ms for a line; the larger files get the time of reading them.
    EXPECT_LT(took, 0.1 + static_cast<double>(text.size()) / 20e6) << name;
    EXPECT_LT(peak_kib() - before, 64 << 10) << name;
    EXPECT_NE(testing::error_of([&] { read_records(path); }), "no error") << name;
  }
}

TEST(LogDamage, RandomMutationsOfRecordsNeverThrow) {
  const TemporaryDirectory directory;
  const std::string text = read_file(write_log(directory, "a.jsonl", 4));
  const auto records = spans(text);
  for (std::uint64_t n = 0; n < 3000; ++n) {
    const auto [b, e] = records[n % records.size()];
    std::string line = text.substr(b, e - b);
    for (std::uint64_t m = 0; m < 1 + n % 4; ++m) {
      const std::uint64_t x = mix64(n * 16 + m);
      const std::size_t at = x % line.size(), other = (x >> 20) % line.size();
      switch ((x >> 60) % 4) {
        case 0: line[at] = static_cast<char>(x >> 40); break;
        case 1: line.erase(at, (x >> 40) % 50); break;
        case 2: line.insert(at, line.substr(other, (x >> 40) % 200)); break;
        default: line.insert(at, 1, "{}[]\",:0"[(x >> 40) % 8]);
      }
    }
    EXPECT_NO_THROW(decode_line(line));
  }
}

TEST(LogDamage, FilesThatCannotBeReadAreOneClearLine) {
  const TemporaryDirectory directory;
  const std::string missing = directory.file("none.jsonl"), empty = directory.file("empty.jsonl");
  write_file(empty, "");
  EXPECT_EQ(testing::error_of([&] { read_log(missing); }), "cannot read log '" + missing + "': No such file or directory");
  EXPECT_EQ(testing::error_of([&] { read_log(directory.file("")); }),
            "cannot read log '" + directory.file("") + "': it is a directory; name a file inside it");
  EXPECT_EQ(testing::error_of([&] { read_log(empty); }), "cannot read log '" + empty + "': it is empty; it holds no record to work on");
  EXPECT_EQ(testing::error_of([&] { read_log("/dev/zero"); }), "cannot read log '/dev/zero': it is not a regular file");
  if (::geteuid() != 0) {
    ::chmod(empty.c_str(), 0);
    EXPECT_NE(testing::error_of([&] { read_log(empty); }).find("Permission denied"), std::string::npos);
  }
  { LogWriter w(missing, testing::header()); }
  EXPECT_EQ(testing::error_of([&] { read_records(missing); }), "cannot read log '" + missing + "': it holds no measurement yet");
}

}  // namespace
}  // namespace tessera::tuning_logs
