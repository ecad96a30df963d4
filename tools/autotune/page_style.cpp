// How the page looks. Both themes from one list of colours; seven colours for sketches that can be
// told apart with any kind of sight, everything else in ink.
#include "tools/autotune/page.h"

namespace tessera::autotune {

const char* const kPageStyle = R"css(
:root {
  color-scheme: light dark;
  --paper: light-dark(#fbfbfa, #131416); --card: light-dark(#ffffff, #1b1c1f); --ink: light-dark(#17181a, #ececea);
  --soft: light-dark(#5b5e63, #a3a5a9); --line: light-dark(#e3e3df, #303236); --accent: light-dark(#1f5fae, #7db4f5);
  --hot: light-dark(#fff1c9, #453a17); --bad: light-dark(#b3261e, #f2857c); --bar: light-dark(#2a78d6, #3987e5);
  --s0: light-dark(#2a78d6, #3987e5); --s1: light-dark(#eb6834, #d95926); --s2: light-dark(#1baf7a, #199e70);
  --s3: light-dark(#4a3aa7, #9085e9); --s4: light-dark(#eda100, #c98500); --s5: light-dark(#e87ba4, #d55181);
  --s6: light-dark(#008300, #3fa63f); --sx: light-dark(#8d9096, #8d9096);
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
:root[data-theme=light] { color-scheme: light; }
:root[data-theme=dark] { color-scheme: dark; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1240px; padding: 0 24px 48px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums; }
h1 { font-size: 22px; margin: 0; } h2 { font-size: 20px; margin: 0 0 12px; overflow-wrap: anywhere; }
h3 { font-size: 16px; margin: 32px 0 8px; } h4 { font-size: 14px; margin: 0; }
h3 span, h4 span { color: var(--soft); font-weight: normal; font-size: 13px; margin-left: 6px; }
a { color: var(--accent); }
header.page { display: flex; justify-content: space-between; align-items: center; gap: 16px; padding: 24px 0 16px;
  border-bottom: 1px solid var(--line); }
header.page p { margin: 0; color: var(--soft); font-family: var(--mono); font-size: 13px; overflow-wrap: anywhere; }
footer, .note { color: var(--soft); font-size: 13px; }
.note { margin: 6px 0; max-width: 80ch; } footer { margin-top: 48px; }
button { font: inherit; font-size: 13px; color: var(--ink); background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; padding: 4px 12px; cursor: pointer; }
button:hover { border-color: var(--soft); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
code, pre { font-family: var(--mono); font-size: 12.5px; }
pre { margin: 0; overflow: auto; }
.task { padding-top: 28px; } .task + .task { margin-top: 40px; border-top: 1px solid var(--line); }
.program { padding: 10px 14px; background: var(--card); border: 1px solid var(--line); border-radius: 6px; max-height: 16em; }
.problem { color: var(--bad); font-weight: 600; margin: 16px 0; }
.figures { list-style: none; display: flex; flex-wrap: wrap; gap: 8px 36px; margin: 20px 0; padding: 0; color: var(--soft); font-size: 13px; }
.figures strong { display: block; color: var(--ink); font-size: 24px; line-height: 1.2; }
.facts { display: flex; flex-wrap: wrap; gap: 4px 32px; margin: 0; font-size: 13px; }
.facts dt { color: var(--soft); display: inline; } .facts dd { display: inline; margin: 0 0 0 8px; overflow-wrap: anywhere; }
details.target { font-size: 13px; margin-top: 4px; color: var(--soft); } details.target code { overflow-wrap: anywhere; }
summary { cursor: pointer; }
.charts { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 32px; }
.charts section { position: relative; }
.switch { position: absolute; top: 30px; right: 0; border: 0; margin: 0; padding: 0; font-size: 13px; color: var(--soft); display: flex; align-items: center; gap: 10px; }
.switch label { display: flex; align-items: center; }
.switch legend { float: left; padding: 0; margin-right: 2px; } .switch input { margin: 0 4px 0 0; accent-color: var(--bar); }
.chart { display: block; width: 100%; height: auto; border-radius: 4px; }
.charts .seconds, .charts section:has(.by-seconds:checked) .trials { display: none; }
.charts section:has(.by-seconds:checked) .seconds { display: block; }
.chart text { font-size: 12px; fill: var(--soft); } .chart .y, .chart .end, .chart .title { text-anchor: end; }
.chart .title.first { text-anchor: start; } .chart .x { text-anchor: middle; }
.axes line { stroke: var(--line); } .axes .base { stroke: var(--soft); }
.best, .roof:not(text) { fill: none; stroke: var(--ink); stroke-width: 1.75; stroke-linejoin: round; }
.at { stroke: var(--soft); stroke-dasharray: 2 4; }
.chart text.mark { fill: var(--ink); }
circle { stroke: var(--paper); stroke-width: 1; } circle.on { stroke: var(--ink); stroke-width: 2; }
circle.failed { fill: none; stroke: var(--bad); stroke-width: 1.5; }
circle.top { fill: var(--s0); } circle.plain { fill: var(--paper); stroke: var(--s0); stroke-width: 2; }
.s0 { fill: var(--s0); background: var(--s0); } .s1 { fill: var(--s1); background: var(--s1); } .s2 { fill: var(--s2); background: var(--s2); }
.s3 { fill: var(--s3); background: var(--s3); } .s4 { fill: var(--s4); background: var(--s4); } .s5 { fill: var(--s5); background: var(--s5); }
.s6 { fill: var(--s6); background: var(--s6); } .sx { fill: var(--sx); background: var(--sx); }
i[class] { display: inline-block; width: 10px; height: 10px; border-radius: 50%; margin-right: 7px; }
i.line { height: 2px; border-radius: 0; width: 16px; background: var(--ink); vertical-align: 3px; }
i.failed { border: 1.5px solid var(--bad); width: 9px; height: 9px; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 18px; padding: 0; margin: 8px 0 0; font-size: 13px; }
.legend span { color: var(--soft); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: 12.5px; }
th, td { padding: 5px 18px 5px 0; border-bottom: 1px solid var(--line); white-space: nowrap; vertical-align: baseline; }
td:last-child, th:last-child { padding-right: 0; } .n { text-align: right; }
td.wide { white-space: normal; min-width: 320px; font-size: 12px; line-height: 1.35; } td.wide code { font-size: 11.5px; }
sup { position: absolute; line-height: 1; }
nav { margin-top: 20px; }
.columns { columns: 2; column-gap: 32px; }
.holes { break-inside: avoid; padding-bottom: 20px; } .holes ul { list-style: none; margin: 6px 0 0; padding: 0; }
.holes li { padding: 4px 0; } .holes p { margin: 0; font-size: 13px; color: var(--soft); }
.hole { display: grid; grid-template-columns: minmax(0, 1fr) 38% 4.5ch; gap: 10px; align-items: center; }
.hole code { overflow: hidden; text-overflow: ellipsis; } .share { text-align: right; font-size: 13px; }
.bar { height: 8px; border-radius: 4px; background: var(--line); overflow: hidden; } .bar b { display: block; height: 100%; background: var(--bar); }
.holes small { opacity: .75; font-weight: normal; } .holes small::before { content: "n="; }
.level { display: inline-block; margin-right: 12px; white-space: nowrap; } .level em { font-style: normal; }
.level.won { color: var(--ink); font-weight: 600; }
.failures { list-style: none; margin: 0; padding: 0; } .failures > li { padding: 10px 0; border-bottom: 1px solid var(--line); }
.cause { display: grid; grid-template-columns: 4ch 6ch 1fr; gap: 12px; align-items: baseline; } .cause strong, .cause span { text-align: right; }
.cause span { color: var(--soft); font-size: 13px; } .cause code { overflow-wrap: anywhere; }
.failures details { margin: 4px 0 0 calc(10ch + 28px); font-size: 13px; color: var(--soft); overflow-wrap: anywhere; }
.failures pre { padding: 6px 0; color: var(--ink); }
.panes { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 16px; }
.pane { background: var(--card); border: 1px solid var(--line); border-radius: 6px; overflow: hidden; }
.pane header { display: flex; justify-content: space-between; align-items: center; padding: 6px 8px 6px 14px; border-bottom: 1px solid var(--line); }
.pane pre { height: 32rem; padding: 10px 14px; font-size: 12px; tab-size: 4; } .pane .note { margin: 0; padding: 4px 14px; }
pre code { font-size: inherit; } mark { display: block; width: max-content; min-width: 100%; background: var(--hot); color: inherit; }
#tip { position: fixed; z-index: 1; pointer-events: none; max-width: 300px; padding: 5px 10px; border-radius: 6px; font-size: 13px;
  background: var(--ink); color: var(--paper); overflow-wrap: anywhere; }
#tip[hidden] { display: none; }
@media (max-width: 900px) {
  body { padding: 0 16px 32px; } .charts, .panes { grid-template-columns: minmax(0, 1fr); } .columns { columns: 1; }
  .pane pre { height: auto; max-height: 24rem; } .chart text { font-size: 15px; }
  .failures details { margin-left: 0; }
}
)css";

}  // namespace tessera::autotune
