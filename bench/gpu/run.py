#!/usr/bin/env python3
"""Our CUDA kernels beside cuBLAS, cuDNN, PyTorch and torch.compile, on the device of this machine.

    bench/gpu/run.py [--kernels DIR] [--out DIR] [--budget SECONDS] [--cases NAME,...] [--trials N]
    bench/gpu/run.py --sanitize         one kernel a sketch under compute-sanitizer, on small shapes
    bench/gpu/run.py --dry-run          the same with invented figures, anywhere

Kernels come from DIR/CASE.jsonl (the log of `autotune measure`: its best) or DIR/CASE.pack, or are compiled here, the
fastest of --trials of them. Each is checked against PyTorch in f64, then timed in turns with the libraries: a burst of a
few milliseconds from a CUDA graph each, operands rotated beyond the L2 cache, the median of the rounds. Writes
results.json and results.md after every case, and ends within the budget (480 s). Exit code 4: no device or no PyTorch;
1: DIR cannot be written; 5: a kernel gave wrong numbers; 3: none of ours could be measured.
"""
import argparse
import datetime
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import report
import sanitize
from cases import CASES, chosen
from dry_side import DryOurs, DrySide
from ours import Ours, Refused, find_autotune
from timing import Budget, OutOfTime, figures, first_line, interleaved
from torch_side import Unavailable, made_ready, open_torch

MOST_SECONDS = 480.0
ROUNDS = 15
TRIED = 3  # of our kernels, should the fastest be wrong


def failure(status, message):
    return {"status": status, "message": message}


def right_kernel(side, ours, case, sets):
    """A contender of ours, or why there is none. The first kernel with right numbers; a wrong one is told whatever the
    others are."""
    try:
        folders = ours.folders(case)
    except Refused as problem:
        return None, failure("failed", str(problem))
    for folder in folders[:TRIED]:
        try:
            call = side.ours(case, folder)
            error = side.check(case, sets, call)
        except (RuntimeError, ValueError) as problem:
            return None, failure("failed", first_line(problem))
        if not error <= case.tolerance:
            return None, failure("wrong", f"{folder}: {error:.2g} of the largest element beside the definition, {case.tolerance:.2g} is allowed")
        return call, {"error": error}
    return None, failure("failed", "there is no kernel")


def measured(side, ours, case):
    """A row of the results."""
    sets = side.sets(case)
    contenders = dict(side.anchors(case))
    call, facts = right_kernel(side, ours, case, sets)
    if call is not None:
        contenders["ours"] = call
    bursts, failed = made_ready(side, contenders, sets)
    samples, failed_later = interleaved(bursts, ROUNDS)
    failed.update(failed_later)
    rows = {name: failure("failed", failed[name]) if name in failed else figures(case, samples[name]) for name in contenders}
    mine = {**rows.pop("ours"), **facts} if call is not None else facts
    return report.judged(case, mine, rows)


def copy_tb_s(side, case):
    """Bytes read and written by a copy of the case's operands."""
    sets = side.sets(case)
    samples, failed = interleaved({"copy": side.burst(side.copy(sets), sets)}, ROUNDS)
    return figures(case, samples["copy"])["tb_s"] if not failed else None


def run(side, ours, cases, out, budget, seconds, dry_run):
    results = {"schema": report.SCHEMA, "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
               **side.describe(), "dry_run": dry_run, "budget_s": seconds, "wall_s": 0.0, "copy_tb_s": None, "cases": []}
    try:
        with budget.limited(budget.share(len(cases) + 1)):
            results["copy_tb_s"] = copy_tb_s(side, CASES[0])
    except OutOfTime:
        pass
    for i, case in enumerate(cases):
        print(f"{case.name} ...", file=sys.stderr, flush=True)
        try:
            with budget.limited(budget.share(len(cases) - i)):
                row = measured(side, ours, case)
        except OutOfTime:
            row = report.judged(case, failure("out of time", ""), {})
        except Exception as problem:  # one case is no reason to lose the others
            row = report.judged(case, failure("failed", first_line(problem)), {})
        side.forget()
        results["cases"].append(row)
        results["wall_s"] = budget.spent()
        report.write(out, results)
    return results


def arguments(words):
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--kernels", type=Path)
    parser.add_argument("--out", type=Path, default=Path("gpu_bench"))
    parser.add_argument("--budget", type=float, default=MOST_SECONDS)
    parser.add_argument("--cases", default="")
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--autotune")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--sanitize", action="store_true")
    args = parser.parse_args(words)
    try:
        args.cases = chosen(args.cases)
    except ValueError as problem:
        parser.error(str(problem))
    if not 30 <= args.budget <= MOST_SECONDS:
        parser.error(f"--budget is from 30 to {MOST_SECONDS:.0f} seconds")
    if args.trials < 1:
        parser.error("--trials is 1 or more")
    return args


def main(words=None):
    args = arguments(words)
    budget = Budget(args.budget)
    work = Path(tempfile.mkdtemp(prefix="tessera-bench-"))
    try:
        ours = Ours(find_autotune(args.autotune), work, args.kernels, trials=args.trials)
        if args.sanitize:
            return sanitize.run(ours, args.cases, args.out)
        side = DrySide() if args.dry_run else open_torch()
        args.out.mkdir(parents=True, exist_ok=True)  # before anything is measured
        results = run(side, DryOurs() if args.dry_run else ours, args.cases, args.out, budget, args.budget, args.dry_run)
        print(report.markdown(results), end="")
        return report.exit_code(results)
    except Unavailable as problem:
        print(f"bench/gpu/run.py: {problem}; it measures on a machine with a CUDA device and PyTorch, --dry-run works here", file=sys.stderr)
        return 4
    except OSError as problem:
        print(f"bench/gpu/run.py: {problem.filename}: {problem.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
