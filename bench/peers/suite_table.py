"""A table of a suite's kernels beside the best library of each case.

    ./test --proof suite-ansor
    bench/peers/suite_table.py docs/results/suite-ansor.json PEERS/libs/RESULTS.md > docs/results/suite-ansor.md

The output of `autotune suite --json` does as well.

The libraries were measured on another processor (their page names it), so shares of each machine's own peak
of fused multiply-adds are set side by side, never times. Where memory or a latency decides, shares of two
machines do not compare; the table says so by a dash where a library's own share is under 40 %.
"""
import json
import math
import re
import sys

MEMORY_BOUND = 40  # percent of peak, the library's own


def libraries(path):
    """case -> (library, share of peak in percent)"""
    out = {}
    for line in open(path, encoding="utf-8"):
        m = re.match(r"\| (\w+) \| ([^,|]+), ([^,|]+ m?s), (\d+) % \|", line)
        if m:
            out[m[1]] = (m[2], int(m[4]))
    return out


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    suite = json.load(open(sys.argv[1], encoding="utf-8"))
    when = ""
    if "output" in suite:
        when = f"{suite['date'][:10]}, {suite['cpu']}, commit {suite['commit']}. "
        suite = suite["output"]
    best = libraries(sys.argv[2])
    print(f"# Suite {suite['suite']}: {suite['programs']} programs, one core\n")
    print(f"{when}{suite['trials']} trials, {suite['ok']} ok, {suite['rejected']} proposals rejected, failures: "
          f"{', '.join(f'{n} {k}' for k, n in suite['failed'].items()) or 'none'}; {suite['wall_seconds']:.0f} s, "
          f"model and features {100 * suite['model_share']:.0f} % of them.\n")
    print("| program | case | ours | of peak | best library, of its peak | ratio of shares |")
    print("|---|---|---|---|---|---|")
    ratios = []
    for row in suite["rows"]:
        found = row["best"]
        if found is None:
            print(f"| {row['name']} | {row['label']} | none | - | - | - |")
            continue
        share = 100 * (found["peak_share"] or 0)
        library, theirs = best.get(row["label"], ("-", 0))
        compares = theirs >= MEMORY_BOUND
        if compares:
            ratios.append(share / theirs)
        print(f"| {row['name']} | {row['label']} | {1e6 * found['seconds']:.1f} us | {share:.0f} % | {library}, {theirs} % | "
              f"{f'{share / theirs:.2f}' if compares else '-'} |")
    if ratios:
        geomean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print(f"\nGeometric mean of the ratios: {geomean:.2f} over {len(ratios)} programs; {sum(r >= 1 for r in ratios)} at or above 1.")


main()
