// explain and report: what they say of logs with known contents, and that a log's strings stay
// text.
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <set>

#include "support/json/json.h"
#include "tests/cli/one_line.h"
#include "tests/unit/tuning_logs/sample.h"

namespace tessera::test {
namespace {

using tuning_logs::Record;
using tuning_logs::testing::failure;
using tuning_logs::testing::trial;

std::string write_records(const TemporaryFolder& folder, const std::vector<Record>& records) {
  const std::string path = folder / "log.jsonl";
  tuning_logs::LogWriter w(path, tuning_logs::testing::header());
  for (const Record& r : records) w.append(r);
  return path;
}

/// Time is 1 us for ti=16 and 2 us for ti=32; every fourth trial is wrong, one is a crash.
std::vector<Record> known_records() {
  std::vector<Record> out;
  for (int i = 0; i < 24; ++i) {
    Record r = i % 4 == 3 ? failure(i) : trial(i);
    r.decisions = {{"ti", i % 2 == 0 ? 16 : 32}};
    if (r.ok()) r.samples_ns = {i % 2 == 0 ? 1000 + i : 2000 + i};
    if (i == 7) {
      r.status = runtime::MeasureStatus::kCrash;
      r.message = "SIGSEGV at 0x7fff0000";
    }
    out.push_back(r);
  }
  return out;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

TEST(Explain, TextNamesCausesExamplesAndHoles) {
  const TemporaryFolder folder;
  const CommandResult r = autotune({"explain", write_records(folder, known_records())});
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.err, "");
  for (const char* part :
       {"matmul", "24 trials, 18 ok", "best 1 us  (tile, trial 0)", "failures: 6 of 24 trials",
        "5 (20.8 %)  wrong_answer in verify_exact: C[#, #] is #, expected #",
        "1 (4.2 %)  crash in verify_exact: SIGSEGV at #", "trial 3 of tile: C[3, 4] is 12", "ti=32",
        "split(C, axis i", "best 16 (12 points);  32 +99."})
    EXPECT_NE(r.out.find(part), std::string::npos) << part << " in " << r.out;
  EXPECT_EQ(count(r.out, "of tile: C[3, 4]"), 2U);  // two examples, not five
}

TEST(Explain, JsonFields) {
  const TemporaryFolder folder;
  const CommandResult r = autotune({"explain", write_records(folder, known_records()), "--json"});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(count(r.out, "\n"), 1U);
  const Json j = parse_json(r.out).or_throw();
  EXPECT_EQ(j["damaged"], 0);
  ASSERT_EQ(j["tasks"].size(), 1U);
  const Json& t = j["tasks"][0];
  EXPECT_EQ(t["op"], "matmul");
  EXPECT_EQ(t["trials"], 24);
  EXPECT_EQ(t["ok"], 18);
  EXPECT_EQ(t["best"]["trial"], 0);
  EXPECT_DOUBLE_EQ(t["best"]["seconds"].get<double>(), 1e-6);
  ASSERT_EQ(t["failures"].size(), 2U);
  int failed = 0;
  for (const Json& f : t["failures"]) {
    failed += f["count"].get<int>();
    EXPECT_FALSE(f["examples"].empty());
    for (const Json& e : f["examples"]) {
      EXPECT_TRUE(e["trial"].is_number_integer());
      EXPECT_FALSE(e["steps"].empty());
    }
  }
  EXPECT_EQ(failed, 6);  // equals what was put in
  EXPECT_DOUBLE_EQ(t["failures"][0]["share"].get<double>(), 5.0 / 24);
  const Json& hole = t["sketches"][0]["holes"][0];
  EXPECT_EQ(hole["hole"], "ti");
  EXPECT_GT(hole["share"].get<double>(), 0.99);
  EXPECT_EQ(hole["levels"][0]["penalty"], 0);
  EXPECT_EQ(hole["note"], "");
}

TEST(Explain, SaysWhenNothingRanOrLittleIsKnown) {
  const TemporaryFolder folder;
  const std::string log = write_records(folder, {failure(0), failure(1)});
  const CommandResult all = autotune({"explain", log});
  EXPECT_EQ(all.code, 0);
  EXPECT_NE(all.out.find("no candidate ran correctly: all 2 trials failed"), std::string::npos)
      << all.out;
  EXPECT_EQ(parse_json(autotune({"explain", log, "--json"}).out).or_throw()["tasks"][0]["best"],
            nullptr);
  const CommandResult page = autotune({"report", log, "-o", folder / "p.html"});
  EXPECT_EQ(page.code, 0) << page.err;
  EXPECT_NE(read_text(folder / "p.html").find("no candidate ran correctly"), std::string::npos);

  const TemporaryFolder other;
  const CommandResult one = autotune({"explain", write_records(other, {trial(0)})});
  EXPECT_NE(one.out.find("1 trial, 1 ok"), std::string::npos) << one.out;
  EXPECT_NE(one.out.find("not enough points"), std::string::npos) << one.out;
}

TEST(ExplainAndReport, BadLogsAndOutputs) {
  const TemporaryFolder folder;
  write_text(folder / "empty.jsonl", "");
  const std::string log = write_records(folder, {trial(0)}), bytes = read_text(log);
  const std::string page = folder / "p.html";
  for (const std::vector<std::string>& call :
       {std::vector<std::string>{"explain", folder / "empty.jsonl"},
        {"report", folder / "empty.jsonl", "-o", page}})
    expect_one_line(autotune(call), 1, {"empty.jsonl", "empty"});
  expect_one_line(autotune({"explain", folder / "none.jsonl"}), 1, {"none.jsonl"});
  expect_one_line(autotune({"report", log}), 2, {"--output"});
  expect_one_line(autotune({"report", log, "-o", log}), 1,
                  {"log.jsonl", "no page", "another file"});
  EXPECT_EQ(read_text(log), bytes);  // the log is still there
  expect_one_line(autotune({"report", log, "-o", folder.path()}), 1, {"directory"});
  expect_one_line(autotune({"report", log, "-o", folder / "no/such.html"}), 1, {"no/such.html"});
  EXPECT_EQ(folder.entries(), (std::vector<std::string>{"empty.jsonl", "log.jsonl"}));
  EXPECT_EQ(autotune({"report", log, "-o", page}).code, 0);
  EXPECT_EQ(autotune({"report", log, "-o", page}).code, 0);  // a page may be replaced
}

TEST(ExplainAndReport, ReadWhatIsThereOfADamagedLog) {
  const TemporaryFolder folder;
  const std::string log = write_records(folder, known_records());
  std::string bytes = read_text(log);
  bytes[bytes.size() / 2] ^= 1;
  write_text(log, bytes);
  for (const std::vector<std::string>& call :
       {std::vector<std::string>{"explain", log}, {"report", log, "-o", folder / "p.html"}}) {
    const CommandResult r = autotune(call);
    EXPECT_EQ(r.code, 0);
    EXPECT_NE(r.err.find("damaged"), std::string::npos) << r.err;
    EXPECT_EQ(count(r.err, "\n"), 1U);
  }
  EXPECT_NE(read_text(folder / "p.html").find("Not all of the log could be read"),
            std::string::npos);
}

/// Names of all attributes of all tags; a tag that is not a name and attributes in double quotes is
/// a failure: a string of the log would have ended its attribute.
std::set<std::string> attribute_names(const std::string& page) {
  const std::regex tag("</?[a-z0-9]+((?: [a-zA-Z0-9-]+(?:=\"[^\"]*\")?)*)/?>|<!doctype html>");
  const std::regex attribute(" ([a-zA-Z0-9-]+)(?:=\"[^\"]*\")?");
  std::set<std::string> names;
  for (std::size_t at = page.find('<'); at != std::string::npos; at = page.find('<', at + 1)) {
    std::smatch found;
    const auto begin = page.begin() + static_cast<std::ptrdiff_t>(at);
    if (!std::regex_search(begin, page.end(), found, tag, std::regex_constants::match_continuous)) {
      ADD_FAILURE() << "malformed tag: " << page.substr(at, 200);
      return names;
    }
    const std::string attributes = found[1];
    for (auto it = std::sregex_iterator(attributes.begin(), attributes.end(), attribute);
         it != std::sregex_iterator(); ++it)
      names.insert((*it)[1]);
    at += static_cast<std::size_t>(found.length()) - 1;
  }
  return names;
}

/// Without what stands in <script> and <style>, which are ours.
std::string markup(const std::string& page) {
  std::string out = page;
  for (const std::string tag : {"script", "style"}) {
    const std::size_t begin = out.find("<" + tag + ">") + tag.size() + 2;
    out.erase(begin, out.find("</" + tag + ">", begin) - begin);
  }
  return out;
}

/// Nothing on the page loads, and every tag is closed where it must be.
void expect_self_contained(const std::string& page) {
  EXPECT_TRUE(page.starts_with("<!doctype html>"));
  EXPECT_TRUE(page.ends_with("</html>\n"));
  EXPECT_LT(page.size(), std::size_t{2} << 20);
  EXPECT_FALSE(std::regex_search(page, std::regex("https?:|<link|<iframe|<img|@import|url\\(")))
      << "loads something";
  for (const std::string& name : attribute_names(markup(page)))
    EXPECT_TRUE(name != "src" && name != "srcset" && !name.starts_with("on")) << name;
  EXPECT_EQ(count(page, "<script"), 1U);
  EXPECT_EQ(count(page, "<style"), 1U);
  for (const char* tag : {"section", "table", "svg", "details", "ul", "pre", "code", "mark", "div"})
    EXPECT_EQ(count(page, std::string("<") + tag + ">") + count(page, std::string("<") + tag + " "),
              count(page, std::string("</") + tag + ">"))
        << tag;
}

TEST(Report, ShowsTheSearchTheRoofAndTheKernel) {
  const TemporaryFolder folder;
  const CommandOptions here{.folder = folder.path()};
  for (const char* op : {"matmul", "softmax"}) {
    const std::string shape = std::string(op) == "matmul" ? "m=64,n=64,k=64" : "m=64,n=64";
    ASSERT_EQ(autotune({"--op", op, "--shape", shape, "--threads", "1", "--trials", "10", "--log",
                        "two.jsonl"},
                       here)
                  .code,
              0);
  }
  const CommandResult r = autotune({"report", "two.jsonl", "-o", "two.html"}, here);
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(r.err, "");
  EXPECT_TRUE(r.out.starts_with("two.html: 2 tasks, ")) << r.out;
  const std::string page = read_text(folder / "two.html");
  expect_self_contained(page);
  EXPECT_EQ(count(page, "class=\"chart roofline\""), 2U);
  EXPECT_EQ(count(page, "class=\"chart trials\""), 2U);
  EXPECT_EQ(count(page, "class=\"chart seconds\""), 2U);
  EXPECT_EQ(count(page, "href=\"#task-"), 2U);  // the table of contents
  EXPECT_EQ(count(page, "class=\"pane\""), 6U);
  // 10 trials of two tasks on two axes, and best and default plan under two roofs.
  EXPECT_EQ(count(page, "<circle"), 2U * (2 * 10 + 2));
  for (const char* part :
       {"C[i&lt;64, j&lt;64] = sum(A[i, k] * B[k, j], k)", "multiply-add peak", "memory ",
        "default plan", "program tessera_matmul", "Best trials", "prefers-color-scheme", "<mark>"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
}

TEST(Report, StringsOfALogStayText) {
  const std::string evil =
      "\"'><img src=x "
      "onerror=alert(1)></pre></style><script>alert(2)</script>&lt;\x1b[31m\xe2\x80\xae";
  const TemporaryFolder folder;
  std::vector<Record> records = known_records();
  for (Record& r : records) {
    r.task.name = evil;
    r.task.request = {};
    r.task.request.op = evil;
    r.task.request.layout = evil;
    r.task.request.shape = {{evil, 1}};
    r.sketch = evil;
    r.machine.cpu = r.machine.isa = r.machine.tool = evil;
    r.target = "cpu " + evil;
    r.decisions = {{evil, r.decisions.begin()->second}};
    if (!r.ok()) r.phase = r.message = evil;
    schedule::Annotate step;
    step.stage = step.axis = step.key = evil;
    r.plan = schedule::StepList{step};
  }
  const std::string log = write_records(folder, records);
  ASSERT_EQ(autotune({"report", log, "-o", folder / "p.html"}).code, 0);
  const std::string page = read_text(folder / "p.html");
  expect_self_contained(page);
  for (const char* part :
       {"<img", "</script><script", "alert(2)</script>", "'><", "\x1b", "\xe2\x80\xae"})
    EXPECT_EQ(page.find(part), std::string::npos) << part;
  EXPECT_NE(page.find("&lt;script&gt;alert(2)&lt;/script&gt;&amp;lt;"),
            std::string::npos);  // shown as written
  const CommandResult text = autotune({"explain", log});
  EXPECT_EQ(text.code, 0);
  EXPECT_EQ(text.out.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.out.find("\xe2\x80\xae"), std::string::npos);
}

TEST(Report, StaysSmallWhateverTheLogHolds) {
  const TemporaryFolder folder;
  std::vector<Record> records;
  for (int i = 0; i < 6000; ++i) {
    Record r = i % 3 == 0 ? failure(i) : trial(i);
    r.threads = 1 + i % 90;  // 90 tasks
    r.sketch = "sketch" + std::to_string(i % 50) + std::string(200, 'x');
    if (!r.ok()) r.message = std::string(1 + i % 40, '<') + " cause";
    records.push_back(r);
  }
  const std::string log = write_records(folder, records);
  const CommandResult r = autotune({"report", log, "-o", folder / "p.html"});
  ASSERT_EQ(r.code, 0) << r.err;
  const std::string page = read_text(folder / "p.html");
  expect_self_contained(page);
  EXPECT_NE(page.find("The first 60 of 90 tasks"), std::string::npos);
}

}  // namespace
}  // namespace tessera::test
