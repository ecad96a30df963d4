"""Our kernels beside those of TVM's auto-tuners, timed in turns in one process on one core.

    KIT/ansor-python bench/peers/compare_tvm.py --kit KIT_SCRIPTS --autotune build/release/bin/autotune \
        --work /some/folder --json tvm.json [WORKLOAD ...]

KIT_SCRIPTS holds workloads.py and logs/ (the tuners' own records: their best is rebuilt here), the interpreter
is one with TVM's auto_scheduler. Operands of both sides are given at run time. Each kernel of ours is tuned here
(128 trials), exported to C and called through its plain function with a lent workspace; both results are checked
against float64. A round is a burst of at least 3 ms of each in turn; minimum and median over the rounds, in CPU
time of the thread. The last line is what --json holds; docs/proofs.md claims it as `tvm`.
"""
import argparse
import ctypes
import json
import math
import os
import subprocess
import sys
import time

for name in ("TVM_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"
import numpy as np

CONV = "n=1,h=56,w=56,ci=64,co=64,kh=3,kw=3,stride=1,pad=1"
# workload of the kit -> flags of ours, log of Ansor, folder stem of MetaSchedule
WORKLOADS = {
    "matmul512": (["--op", "matmul", "--shape", "m=512,n=512,k=512"], "ansor_matmul512_t256_s0.json", "ms_matmul512_t256"),
    "matmul_prime": (["--op", "matmul", "--shape", "m=509,n=509,k=997"], "ansor_matmul_prime_random_t64_s0.json", None),
    "conv56_nhwc": (["--op", "conv2d", "--shape", CONV], "ansor_conv56_nhwc_first64.json", "ms_conv56_nhwc_t128"),
    "conv56_nchw": (["--op", "conv2d", "--shape", CONV, "--layout", "NCHW"], "ansor_conv56_nchw_random_t64_s0.json", None),
    "dw112_nhwc": (["--op", "depthwise_conv2d", "--shape", "n=1,h=112,w=112,c=32,kh=3,kw=3,stride=1,pad=1"], "ansor_dw112_nhwc_random_t64_s0.json", None),
    "softmax": (["--op", "softmax", "--shape", "m=512,n=1024"], "ansor_softmax_random_t64_s0.json", None),
    "matmul1024": (["--op", "matmul", "--shape", "m=1024,n=1024,k=1024"], "ansor_matmul1024_t128_s0.json", None),
}
# Wall seconds of the kit's tuning runs (its RESULTS.md); a log made here says its own.
ANSOR_SECONDS = {"matmul512": 717, "matmul_prime": 200, "conv56_nhwc": 410, "conv56_nchw": 191, "dw112_nhwc": 177, "softmax": 105,
                 "matmul1024": 317}  # 128 trials on the AMD machine of docs/results/tvm.json
ROUNDS, BURST = 60, 3e-3


class Host(ctypes.Structure):
    _fields_ = [("workspace", ctypes.c_void_p), ("context", ctypes.c_void_p), ("parallel_for", ctypes.c_void_p)]


def run(command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def aligned(shape):
    """float32 zeros that begin on a cache line."""
    n = int(np.prod(shape))
    raw = np.zeros(n + 16, "float32")
    at = (-raw.ctypes.data // 4) % 16
    return raw[at:at + n].reshape(shape)


def ours(name, a):
    flags = WORKLOADS[name][0]
    log, out = os.path.join(a.work, name + ".jsonl"), os.path.join(a.work, name)
    start = time.time()
    tuned = json.loads(run([a.autotune, *flags, "--constant", "none", "--threads", "1", "--trials", str(a.trials), "--log", log, "--json"]))
    seconds = time.time() - start
    run([a.autotune, "export", log, "--to", "c", "-o", out, "--name", "kernel"])
    library = ctypes.CDLL(os.path.abspath(os.path.join(out, "libkernel.so")))
    library.kernel_workspace_bytes.restype = ctypes.c_int64
    room = np.zeros(library.kernel_workspace_bytes() + 64, "uint8")
    base = (room.ctypes.data + 63) // 64 * 64
    host = Host(base, None, None)

    def call(arrays):
        pointers = [ctypes.c_void_p(x.ctypes.data) for x in arrays]
        function = library.kernel_with_host
        return lambda: function(*pointers, ctypes.byref(host))
    return call, tuned, seconds, room


def ansor(name, a):
    import tvm
    from tvm import auto_scheduler, te, tir
    import workloads as W

    def wl(n):  # the name under which the records know their programs
        return W.build(te, tir, n)
    auto_scheduler.register_workload("wl", f=wl, override=True)
    target = tvm.target.Target("llvm -mcpu=cascadelake -num-cores 1")
    task = auto_scheduler.SearchTask(func="wl", args=(name,), target=target)
    schedule, args = task.apply_best(os.path.join(a.kit, "logs", WORKLOADS[name][1]))
    return tvm.build(schedule, args, target)


def meta_schedule(name, a):
    import shutil
    import tvm
    from tvm import meta_schedule as ms, te, tir
    from tvm.tir.transform import RemoveWeightLayoutRewriteBlock
    import tvm.tir.tensor_intrin  # noqa: F401
    import workloads as W
    stem = WORKLOADS[name][2]
    folder = os.path.join(a.work, stem)
    os.makedirs(folder, exist_ok=True)
    for kind in ("tuning_record", "workload"):
        shutil.copy(os.path.join(a.kit, "logs", f"{stem}_{kind}.json"), os.path.join(folder, f"database_{kind}.json"))
    target = tvm.target.Target({"kind": "llvm", "mcpu": "cascadelake", "num-cores": 1})
    mod = tvm.IRModule({"main": te.create_prim_func(W.build(te, tir, name)).with_attr("global_symbol", "main")})
    found = ms.tir_integration.compile_tir(ms.database.JSONDatabase(work_dir=folder), mod, target)
    return tvm.build(RemoveWeightLayoutRewriteBlock(skip_ndarray_rewrite=True)(found.mod), target=target)["main"]


def in_turns(calls):
    """Seconds of one call of each, a list of bursts each."""
    number = []
    for f in calls:
        f()
        start = time.thread_time()
        for _ in range(3):
            f()
        number.append(max(1, math.ceil(BURST / max(1e-7, (time.thread_time() - start) / 3))))
    out = [[] for _ in calls]
    for _ in range(ROUNDS):
        for i, f in enumerate(calls):
            start = time.thread_time()
            for _ in range(number[i]):
                f()
            out[i].append((time.thread_time() - start) / number[i])
    return out


def compare(name, a):
    import tvm
    import workloads as W
    ins = [aligned(x.shape) for x in W.inputs(name)]
    for x, v in zip(ins, W.inputs(name)):
        x[...] = v
    shape = W.reference(name, ins).shape
    make, tuned, seconds, room = ours(name, a)
    mine = aligned(shape)
    calls, checks, names = [make([*ins, mine])], [lambda: mine], ["tessera"]
    for tuner, build in (("ansor", ansor), ("meta_schedule", meta_schedule)):
        if WORKLOADS[name][1 if tuner == "ansor" else 2] is None:
            continue
        function, out = build(name, a), tvm.nd.array(np.full(shape, np.nan, "float32"))
        operands = [tvm.nd.array(x) for x in ins] + [out]
        calls.append(lambda f=function, o=operands: f(*o))
        checks.append(lambda o=out: o.numpy())
        names.append(tuner)
    rows = in_turns(calls)
    result = {"workload": name, "trials": tuned["trials"], "tuning_seconds": round(seconds, 1), "ansor_seconds": ANSOR_SECONDS.get(name, a.ansor_seconds)}
    for tuner, seconds_of, value in zip(names, rows, checks):
        seconds_of.sort()
        result[tuner] = {"us_min": seconds_of[0] * 1e6, "us_median": seconds_of[len(seconds_of) // 2] * 1e6,
                         "gflops": W.flops(name) / seconds_of[len(seconds_of) // 2] * 1e-9, **W.check(name, ins, value())}
        if tuner != "tessera":
            result["speedup_over_" + tuner] = result[tuner]["us_median"] / result["tessera"]["us_median"]
    return result


def geomean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values)) if values else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", nargs="*", default=list(WORKLOADS))
    parser.add_argument("--kit", required=True)
    parser.add_argument("--autotune", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--trials", type=int, default=128)
    parser.add_argument("--ansor-seconds", type=float, default=None, help="wall seconds of a tuning run the kit does not list")
    parser.add_argument("--json", required=True)
    a = parser.parse_args()
    sys.path.insert(0, a.kit)
    os.makedirs(a.work, exist_ok=True)
    rows = []
    for name in a.workload:
        rows.append(compare(name, a))
        print(json.dumps(rows[-1]), flush=True)
    summary = {"date": time.strftime("%Y-%m-%d", time.gmtime()), "rows": rows}
    for tuner in ("ansor", "meta_schedule"):
        ratios = [r["speedup_over_" + tuner] for r in rows if "speedup_over_" + tuner in r]
        summary[tuner] = {"geomean": geomean(ratios), "worst": min(ratios, default=None)}
    known = [r for r in rows if r["ansor_seconds"]]
    summary["wrong"] = sum(not r[side]["correct"] for r in rows for side in ("tessera", "ansor", "meta_schedule") if side in r)
    summary["wall_share"] = sum(r["tuning_seconds"] for r in known) / sum(r["ansor_seconds"] for r in known) if known else None
    with open(a.json, "w") as f:
        json.dump(summary, f, indent=1)
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
