#!/usr/bin/env python3
"""What a part of the search is worth: tunes the same programs with it and without, in turns.

    bench/search_parts.py build/release/bin/autotune --parts evolution,model --seeds 5 --trials 64 > parts.json

Every search ends with its best kernels timed again in turns; the ratio without / with of those times is
compared over all pairs of one program and seed (Wilcoxon's signed ranks, two-sided). Above 1: worth it.
Arms run in random order, one after the other, on one thread.
"""
import argparse
import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile

PROGRAMS = {
    "matmul": "--op matmul --shape m=512,n=512,k=512",
    "transpose_batch_matmul": "--op transpose_batch_matmul --shape b=1,seq=128,heads=12,hidden=768",
    "conv2d": "--op conv2d --shape n=1,h=56,w=56,ci=64,co=64,kh=3,kw=3,pad=1",
    "conv2d_strided": "--op conv2d --shape n=1,h=28,w=28,ci=128,co=256,kh=3,kw=3,stride=2,pad=1",
    "depthwise": "--op depthwise_conv2d --preset DEP.1",
    "softmax": "--op softmax --shape m=512,n=1000",
    "layer_norm": "--op layer_norm --shape m=300,n=768",
    "transposed": "--op conv2d_transposed --preset T2D.2",
    "conv3d": "--op conv3d --shape n=1,d=8,h=14,w=14,ci=32,co=64,kd=3,kh=3,kw=3,pad=1",
    "matmul_bias_gelu": "--op matmul_bias_gelu --shape m=256,n=768,k=768",
    "depthwise_pointwise": "--op depthwise_pointwise --shape n=1,h=28,w=28,c=96,co=96",
    "row_sums": "--op reduce_sum --shape m=2000,n=900",
}


def tuned(autotune, program, seed, trials, flags):
    with tempfile.TemporaryDirectory() as folder:
        command = [autotune, *program.split(), "--threads", "1", "--trials", str(trials), "--seed", str(seed),
                   "--log", f"{folder}/log.jsonl", "--json", *flags]
        run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{run.stderr[-500:]}")
    return json.loads(run.stdout)["best"]["seconds"]


def signed_ranks(logs):
    """p of no difference, by the normal approximation; 1 for no pairs."""
    ranked = sorted((x for x in logs if x != 0), key=abs)
    n = len(ranked)
    if n == 0:
        return 1.0
    w = sum(i + 1 for i, x in enumerate(ranked) if x > 0)
    z = (w - n * (n + 1) / 4) / math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    return math.erfc(abs(z) / math.sqrt(2))


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("autotune", type=pathlib.Path)
    args.add_argument("--parts", default="evolution,model", help="of --without and --with")
    args.add_argument("--programs", default=",".join(PROGRAMS))
    args.add_argument("--seeds", type=int, default=5)
    args.add_argument("--trials", type=int, default=64)
    args = args.parse_args()
    parts, order = args.parts.split(","), random.Random(1)
    # Evolution is off unless asked for; the others are on.
    whole = ["--with", "evolution"]
    arms = {"whole": whole, **{p: [] if p == "evolution" else whole + ["--without", p] for p in parts}}
    ratios = {p: {} for p in parts}
    for seed in range(1, args.seeds + 1):
        for name in args.programs.split(","):
            turns = list(arms)
            order.shuffle(turns)
            seconds = {arm: tuned(args.autotune, PROGRAMS[name], seed, args.trials, arms[arm]) for arm in turns}
            for p in parts:
                ratios[p].setdefault(name, []).append(math.log(seconds[p] / seconds["whole"]))
            print(name, seed, {a: f"{s * 1e6:.1f} us" for a, s in seconds.items()}, file=sys.stderr)
    out = {"trials": args.trials, "seeds": args.seeds, "parts": {}}
    for p in parts:
        logs = [x for xs in ratios[p].values() for x in xs]
        out["parts"][p] = {"pairs": len(logs), "ratio": math.exp(sum(logs) / len(logs)), "p": signed_ranks(logs),
                           "programs": {n: math.exp(sum(xs) / len(xs)) for n, xs in ratios[p].items()}}
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
