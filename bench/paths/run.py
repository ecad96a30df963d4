"""The polyhedral path beside the search on this machine's CPU.

    bench/paths/run.py plans  --autotune build/release/bin/autotune --work /some/folder --json plans.json
    bench/paths/run.py hybrid --autotune build/release/bin/autotune --work /some/folder --json hybrid.json

plans: what `autotune schedule` plans without measuring, timed in turns with the best that a search of --trials finds; the speed
is the search's time over the plan's. hybrid: searches with and without the polyhedral path (--path both), --seeds of each; how many
trials either needs until a trial is within 1 % of the best of the search alone, and both results in turns. How fast that best would
have been in the other search follows from those turns: two searches minutes apart do not see the same machine.
Both on --threads threads, of the programs named on the command line or all; a log that is there is not measured again.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys

# By what holds them back.
MEMORY = {
    "softmax": "--op softmax",
    "log_softmax": "--op log_softmax",
    "layer_norm": "--op layer_norm",
    "rms_norm": "--op rms_norm",
    "l2_normalize": "--op l2_normalize",
    "batch_norm": "--op batch_norm",
    "reduce_sum": "--op reduce_sum",
    "column_sum": "--op column_sum",
    "max_pool2d": "--op max_pool2d",
    "avg_pool2d": "--op avg_pool2d",
    "global_avg_pool2d": "--op global_avg_pool2d",
    "transpose": "--op transpose",
    "transpose_heads": "--op transpose_heads",
    "gelu": "--op gelu",
    "silu": "--op silu",
}
COMPUTE = {
    "GMM.1": "--preset GMM.1",
    "GMM.3": "--preset GMM.3",
    "GMM.4": "--preset GMM.4",
    "TBG.1": "--preset TBG.1",
    "dense": "--op dense",
    "C2D.1": "--preset C2D.1",
    "C2D.2": "--preset C2D.2",
    "C2D.3": "--preset C2D.3",
    "C2D.4": "--preset C2D.4",
    "C1D.1": "--preset C1D.1",
    "C3D.1": "--preset C3D.1",
    "DEP.1": "--preset DEP.1",
    "T2D.1": "--preset T2D.1",
    "matmul_bias_gelu": "--op matmul_bias_gelu",
    "conv2d_bn_relu": "--op conv2d_bn_relu",
    "depthwise_pointwise": "--op depthwise_pointwise",
    "attention": "--op attention",
}
HYBRID = {
    "GMM.3": "--preset GMM.3",
    "GMM.4": "--preset GMM.4",
    "C2D.2": "--preset C2D.2",
    "C2D.3": "--preset C2D.3",
    "C2D.4": "--preset C2D.4",
    "DEP.1": "--preset DEP.1",
    "softmax": "--op softmax",
    "layer_norm": "--op layer_norm",
    "attention": "--op attention",
    "ConvLayer.2": "--preset ConvLayer.2",
    "TBG.1": "--preset TBG.1",
    "matmul_bias_gelu": "--op matmul_bias_gelu",
}
NEAR = 1.01  # of the best of the search alone


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def geomean(values):
    return math.exp(statistics.fmean(math.log(v) for v in values)) if values else None


def trials_of(log):
    """Fastest samples of the trials in their order, infinite for those that failed."""
    out = {}
    with open(log) as f:
        for line in f:
            if not line.strip():
                continue
            r = json.loads(line)
            if r["kind"] == "trial":
                out[r.get("trial", 0)] = min(r["samples_ns"]) if r["status"] == "ok" else math.inf
    return [out[t] for t in sorted(out)]


class Bench:
    def __init__(self, args):
        self.args = args

    def tune(self, name, flags, path, seed):
        a = self.args
        log = os.path.join(a.work, f"{name}.{path}.{a.trials}.{seed}.t{a.threads}.jsonl")
        if not os.path.exists(log):
            run([a.autotune, *flags.split(), "--trials", str(a.trials), "--threads", str(a.threads), "--seed", str(seed), "--path", path, "--log", log, "--json"])
        return log

    def compare(self, logs, planned=()):
        command = [self.args.autotune, "compare", *logs, "--json"]
        if planned:
            command += ["--planned", ",".join(planned)]
        return json.loads(run(command))["kernels"]

    def plans(self):
        classes = {}
        for kind, programs in (("memory", MEMORY), ("compute", COMPUTE)):
            rows = []
            for name, flags in programs.items():
                if self.args.names and name not in self.args.names:
                    continue
                log = self.tune(name, flags, "search", 1)
                found, *planned = self.compare([log], ["max", "keep-parallel", "min"])
                speeds = {p["name"].removeprefix("polyhedral."): round(p["speed"], 3) for p in planned}
                rows.append({"program": name, "search_seconds": found["seconds"], "planned_seconds": planned[0]["seconds"], "speed": speeds["max"], "speeds": speeds})
                print(f"{kind:8} {name:22} search {found['seconds'] * 1e6:10.1f} us   planned {speeds['max']:.2f} of it   {speeds}", file=sys.stderr, flush=True)
            classes[kind] = {"programs": rows, "geomean": geomean([r["speed"] for r in rows])}
        return classes

    def hybrid(self):
        rows = []
        for name, flags in HYBRID.items():
            if self.args.names and name not in self.args.names:
                continue
            alone, both, ratios, descends = [], [], [], 0
            for seed in range(1, self.args.seeds + 1):
                logs = [self.tune(name, flags, path, seed) for path in ("search", "both")]
                times = [trials_of(log) for log in logs]
                speed = self.compare(logs)[1]["speed"]
                goals = [min(times[0]) * NEAR, min(times[1]) * speed * NEAR]
                reach = [next((i + 1 for i, t in enumerate(ts) if t <= goal), None) for ts, goal in zip(times, goals)]
                alone.append(reach[0])
                both.append(reach[1] or self.args.trials + 1)
                ratios.append(speed)
                descends += self.best_is_polyhedral(logs[1])
            rows.append({"program": name, "search": statistics.median(alone), "both": statistics.median(both), "final_speed": statistics.median(ratios), "polyhedral_best": descends})
            r = rows[-1]
            print(f"{name:18} trials: search {r['search']}, both {r['both']}   final {r['final_speed']:.3f}   best of the polyhedral path: {descends} of {self.args.seeds}", file=sys.stderr, flush=True)
        return {"programs": rows, "halved": sum(r["both"] <= r["search"] / 2 for r in rows), "worst_final": min(r["final_speed"] for r in rows)}

    def best_is_polyhedral(self, log):
        best = json.loads(run([self.args.autotune, "log", "best", log, "--json"]))["best"][0]
        return best["sketch"].startswith("polyhedral.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["plans", "hybrid"])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--autotune", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--json")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--trials", type=int, help="128 for plans, 64 for hybrid")
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    args.trials = args.trials or (128 if args.what == "plans" else 64)
    os.makedirs(args.work, exist_ok=True)
    bench = Bench(args)
    result = bench.plans() if args.what == "plans" else bench.hybrid()
    text = json.dumps(result, indent=1)
    print(json.dumps(result))
    if args.json:
        with open(args.json, "w") as f:
            f.write(text + "\n")


if __name__ == "__main__":
    main()
