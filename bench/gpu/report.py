"""results.json and results.md: written after every case, whole or not at all."""
import json
import os
from pathlib import Path

SCHEMA = "tessera-gpu-bench/1"


def judged(case, ours, anchors):
    """The row of a case: the fastest anchor, the ratio of its time to ours, and whether the goal is met (null: not
    known)."""
    good = {name: a for name, a in anchors.items() if a["status"] == "ok"}
    best = min(good, key=lambda name: good[name]["median_us"], default=None)
    row = {"name": case.name, "op": case.op, "shape": case.shape, "dtype": case.dtype, "flops": case.flops, "bytes": case.bytes,
           "ours": ours, "anchors": anchors, "best_anchor": best, "ratio": None, "goal": case.goal.text(), "met": None}
    if ours["status"] == "ok":
        if best is not None:
            row["ratio"] = good[best]["median_us"] / ours["median_us"]
        reached = figure_of_goal(case.goal, ours, good)
        row["met"] = None if reached is None else reached >= case.goal.least
    return row


def figure_of_goal(goal, ours, anchors):
    if goal.figure != "ratio":
        return ours[goal.figure]
    return anchors[goal.anchor]["median_us"] / ours["median_us"] if goal.anchor in anchors else None


def contender_text(a):
    if a["status"] != "ok":
        return a["status"]
    rate = f"{a['tflops']:.1f} TFLOP/s" if a["tflops"] else f"{a['tb_s']:.2f} TB/s"
    return f"{a['median_us']:.1f} us, {rate}"


def markdown(results):
    dry = " **Dry run: every figure is invented.**" if results["dry_run"] else ""
    copy = results["copy_tb_s"]
    lines = [f"# Kernels beside the libraries: {results['device']}", "",
             f"{results['date']}, PyTorch {results['torch']}, CUDA {results['cuda']}; {results['wall_s']:.0f} of {results['budget_s']:.0f} s."
             f" Copy bandwidth {'not measured' if copy is None else f'{copy:.2f} TB/s'}.{dry}", "",
             "| case | ours | best anchor | its time over ours | goal | met | other anchors |", "|---|---|---|---|---|---|---|"]
    for row in results["cases"]:
        best = row["best_anchor"]
        others = "; ".join(f"{name} {contender_text(a)}" for name, a in row["anchors"].items() if name != best) or "-"
        lines.append("| " + " | ".join([
            row["name"], contender_text(row["ours"]), "-" if best is None else f"{best} {contender_text(row['anchors'][best])}",
            "-" if row["ratio"] is None else f"{row['ratio']:.2f}", row["goal"], {None: "-", True: "yes", False: "no"}[row["met"]], others]) + " |")
    problems = [f"- {row['name']}, {name}: {a['message']}" for row in results["cases"]
                for name, a in [("ours", row["ours"]), *row["anchors"].items()] if a.get("message")]
    return "\n".join(lines + ([""] + problems if problems else [])) + "\n"


def write(folder, results):
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, text in ("results.json", json.dumps(results, indent=1) + "\n"), ("results.md", markdown(results)):
        part = Path(folder) / f".{name}.part"
        part.write_text(text)
        os.replace(part, Path(folder) / name)


def exit_code(results):
    """5: a kernel of ours gave wrong numbers; 3: none of ours was measured."""
    statuses = [row["ours"]["status"] for row in results["cases"]]
    if "wrong" in statuses:
        return 5
    return 0 if "ok" in statuses else 3
