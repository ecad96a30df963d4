// The best kernel of a task: its steps, its structured loops and its assembly side by side.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "driver/compile.h"
#include "ir/print.h"
#include "tools/autotune/code_text.h"
#include "tools/autotune/insight_text.h"
#include "tools/autotune/page.h"

namespace tessera::autotune {

namespace {

using Lines = std::vector<std::string>;

Lines lines_of(const std::string& text) {
  Lines out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

struct Range {
  std::size_t first = 0, last = 0;  // lines, both inside
  bool empty() const { return last == 0; }
};

/// The label that a jump goes to: the last word of an indented line, when the text has that label.
std::string jump_target(const std::string& line) {
  const std::size_t word = line.find_last_of(" \t");
  return word == std::string::npos || word == 0 ? "" : line.substr(word + 1);
}

int vector_work(const Lines& lines, const Range& r) {
  int n = 0;
  for (std::size_t i = r.first; i <= r.last; ++i) {
    for (const char* word : {"fmadd", "fnmadd", "fmla", "vpdp", "mulp", "addp", "maxp", "fmul", "fadd", "vpmul", "vpadd"}) n += lines[i].find(word) != std::string::npos ? 1 : 0;
  }
  return n;
}

/// Labels with a jump back to them, each to the last such jump.
std::map<std::size_t, Range> loops_of(const Lines& lines) {
  std::map<std::string, std::size_t> labels;
  std::map<std::size_t, Range> out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].ends_with(':') && !lines[i].starts_with('\t')) labels[lines[i].substr(0, lines[i].size() - 1)] = i;
    const auto label = labels.find(jump_target(lines[i]));
    if (label != labels.end() && label->second < i) out[label->second] = {label->second, i};
  }
  return out;
}

/// Of the loops in which no other one begins, that with most arithmetic on vectors: where the time
/// goes. Empty when there is none. The end of an outer loop may stand before the inner one, which then
/// jumps back to leave; so beginnings decide, not whole ranges.
Range innermost_loop(const Lines& lines) {
  const std::map<std::size_t, Range> loops = loops_of(lines);
  Range best;
  int most = 0;
  for (auto it = loops.begin(); it != loops.end(); ++it) {
    const auto next = std::next(it);
    const bool outer = next != loops.end() && next->first <= it->second.last;
    const int work = outer ? 0 : vector_work(lines, it->second);
    if (work <= most) continue;
    best = it->second;
    most = work;
  }
  return best;
}

std::string pane(const std::string& title, const Lines& lines, const Range& marked, std::size_t most) {
  constexpr std::size_t kLineBytes = 300;
  constexpr std::size_t kBefore = 30;  // lines that stay before a loop which would be cut off
  const std::size_t begin = !marked.empty() && marked.last >= most ? marked.first - std::min(marked.first, kBefore) : 0;
  const std::size_t end = std::min(lines.size(), begin + most);
  std::string out = fmt::format("<section class=\"pane\"><header><h4>{0}</h4><button type=\"button\" class=\"copy\">Copy</button></header><pre tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><code>", title);
  bool open = false;
  for (std::size_t i = begin; i < end; ++i) {
    const bool inside = !marked.empty() && i >= marked.first && i <= marked.last;
    if (inside != open) out += inside ? "<mark>" : "</mark>";
    open = inside;
    out += escaped(lines[i], kLineBytes) + "\n";
  }
  if (open) out += "</mark>";
  out += "</code></pre>";
  if (end - begin < lines.size()) out += fmt::format("<p class=\"note\">Lines {} to {} of {}.</p>", begin + 1, end, lines.size());
  return out + "</section>\n";
}

/// The text, or why there is none.
template <class Make>
Lines made(const Make& make) {
  try {
    const Result<std::string> text = make();
    return lines_of(text.ok() ? *text : "not to be had: " + text.reason());
  } catch (const UserError& e) {
    return {std::string("not to be had: ") + e.what()};
  }
}

}  // namespace

std::string kernel_part(const PageTask& page) {
  const auto& best = page.insight->best;
  if (!best || !page.readable()) return "";
  if (!page.limits.kernel) return "<p class=\"note\">The page holds the code of the first tasks only; autotune show prints that of the others from a log of their own.</p>\n";
  const Lines loops = made([&]() -> Result<std::string> {
    const ir::Target target = driver::resolve_target(best->target);
    TESSERA_TRY(p, driver::structured_loops(page.dag, best->plan, target));
    return ir::to_string(p);
  });
  const Lines code = made([&]() -> Result<std::string> {
    const ir::Target target = driver::resolve_target(best->target);
    TESSERA_TRY(p, driver::finished_program(page.dag, best->plan, target));
    return code_text(p, target, lowest_form(target));
  });
  const Range hot = innermost_loop(code);
  std::string out = fmt::format("<h3>The best kernel <span>trial {} of {}</span></h3>\n", best->trial, escaped(sketch_text(best->sketch)));
  out += "<div class=\"panes\">" + pane("Schedule", plan_lines(best->plan), {}, page.limits.code_lines) + pane("Structured loops", loops, {}, page.limits.code_lines) +
         pane("Assembly", code, hot, page.limits.code_lines) + "</div>\n";
  if (!hot.empty()) out += fmt::format("<p class=\"note\">Marked: the innermost loop that does most arithmetic on vectors, {} lines.</p>\n", hot.last - hot.first + 1);
  return out;
}

}  // namespace tessera::autotune
