"""PolyBench programs of ours (NAME.tc) beside the C of their definitions (NAME.c) by clang -O3 -march=native, plain and, where
clang has it, with Polly: one core, f64, in turns, results compared.

    bench/polybench/run.py --autotune build/release/bin/autotune --work /some/folder --json polybench.json [NAME ...]

Every operand is given at run time. Each program is tuned here (--trials), exported to C and called through its plain
function. What a program overwrites is restored before each run, outside of the timed part; times are CPU times of the
thread, the median over --rounds. --small takes small odd sizes: a check, no figure. Of a triangular result the triangle
is compared; the time is that of all that we compute.
"""
import argparse
import ctypes
import json
import math
import os
import re
import subprocess
import sys
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))

# The arguments of the reference in order: an input of the text, "OUT=INPUT" for a result that starts as a copy of an
# input, "OUT=" for a result, "!SHAPE" for an array of its own. Numbers are inputs without a shape.
PROGRAMS = {
    "gemm": ("gemm", "NI=1000,NJ=1100,NK=1200", "alpha beta C=C0 A B"),
    "2mm": ("mm2", "NI=800,NJ=900,NK=1100,NL=1200", "alpha beta !NI,NJ A B C D=D0"),
    "3mm": ("mm3", "NI=800,NJ=900,NK=1000,NL=1100,NM=1200", "!NI,NJ A B !NJ,NL C D G="),
    "syrk": ("syrk", "M=1000,N=1200", "alpha beta C=C0 A"),
    "syr2k": ("syr2k", "M=1000,N=1200", "alpha beta C=C0 A B"),
    "gemver": ("gemver", "N=2000", "alpha beta A=A0 u1 v1 u2 v2 w= x= y z"),
    "gesummv": ("gesummv", "N=1300", "alpha beta A B !N x y="),
    "atax": ("atax", "M=1900,N=2100", "A x y= !M"),
    "bicg": ("bicg", "M=1900,N=2100", "A s= q= p r"),
    "mvt": ("mvt", "N=2000", "x1=x10 x2=x20 y1 y2 A"),
    "doitgen": ("doitgen", "NQ=140,NR=150,NP=160", "A=A0 C4 !NP"),
    "covariance": ("covariance", "M=1200,N=1400", "@data cov= !M"),
    "correlation": ("correlation", "M=1200,N=1400", "@data corr= !M !M"),
    "jacobi-2d": ("jacobi_2d", "N=1300", "A=A0 B=B0"),
    "heat-3d": ("heat_3d", "N=120", "A=A0 B=B0"),
}
TRIANGULAR = {"syrk", "syr2k"}
PLAIN, POLLY = ["-O3", "-march=native"], ["-O3", "-march=native", "-mllvm", "-polly"]


class Host(ctypes.Structure):
    _fields_ = [("workspace", ctypes.c_void_p), ("context", ctypes.c_void_p), ("parallel_for", ctypes.c_void_p)]


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def sizes_of(name, small):
    sizes = {k: int(v) for k, v in (word.split("=") for word in PROGRAMS[name][1].split(","))}
    return {k: 7 + 4 * i for i, k in enumerate(sizes)} if small else sizes


def reference_library(name, sizes, flags, out, clang):
    run([clang, *flags, "-x", "c", "-shared", "-fPIC", *[f"-D{k}={v}" for k, v in sizes.items()], os.path.join(HERE, name + ".c"), "-o", out, "-lm"])
    return getattr(ctypes.CDLL(out), PROGRAMS[name][0])


def has_polly(clang, work):
    source = os.path.join(work, "empty.c")
    with open(source, "w") as f:
        f.write("int x;\n")
    return subprocess.run([clang, *POLLY, "-c", source, "-o", os.path.join(work, "empty.o")], capture_output=True).returncode == 0


def aligned(shape):
    """float64 zeros that begin on a cache line."""
    n = int(np.prod(shape, dtype=int))
    raw = np.zeros(n + 8)
    at = (-raw.ctypes.data // 8) % 8
    return raw[at:at + n].reshape(shape)


def tensors_of(autotune, name, where):
    """Inputs in the order of the kernel's arguments, and outputs, with their shapes."""
    text = run([autotune, "show", "--program", os.path.join(HERE, name + ".tc"), "--where", where])
    inputs, shapes = [], {}
    for line in text.splitlines():
        if m := re.match(r"(\w+): f64\[([\d, ]*)\]$", line):
            inputs.append(m[1])
            shapes[m[1]] = tuple(int(x) for x in m[2].split(",") if x.strip())
        elif m := re.match(r"([\w.]+)\[([^\]]*)\] = ", line):
            shapes[m[1]] = tuple(int(x.split("<")[1]) for x in m[2].split(",") if x.strip())
    with open(os.path.join(HERE, name + ".tc")) as f:
        outputs = [x.strip() for x in re.search(r"->\s*\(([^)]*)\)", f.read())[1].split(",")]
    return inputs, outputs, shapes


class Reference:
    """One call of the C function on arrays of its own; `prepare` restores what it overwrites."""

    def __init__(self, name, function, values, shapes, sizes):
        self.copies, self.outputs, arguments = [], {}, []
        for word in PROGRAMS[name][2].split():
            if word[0] == "!":
                array = aligned(tuple(sizes[s] for s in word[1:].split(",")))
            elif "=" in word:
                out, start = word.split("=")
                array = self.outputs[out] = aligned(shapes[out])
                if start:
                    self.copies.append((array, values[start]))
            elif word[0] == "@":  # an input that is overwritten
                array = aligned(shapes[word[1:]])
                self.copies.append((array, values[word[1:]]))
            elif shapes[word] == ():
                arguments.append(ctypes.c_double(float(values[word])))
                continue
            else:
                array = values[word]
            self.outputs.setdefault(id(array), array)  # kept alive
            arguments.append(ctypes.c_void_p(array.ctypes.data))
        function.restype = None
        self.call = lambda: function(*arguments)

    def prepare(self):
        for array, value in self.copies:
            array[...] = value


class Ours:
    def __init__(self, name, values, inputs, outputs, shapes, where, a):
        log, out = os.path.join(a.work, name + ".jsonl"), os.path.join(a.work, name)
        if os.path.exists(log):
            os.remove(log)
        start = time.time()
        self.tuned = json.loads(run([a.autotune, "--program", os.path.join(HERE, name + ".tc"), "--where", where, "--threads", "1", "--trials",
                                     str(a.trials), "--log", log, "--json"]))
        self.seconds = time.time() - start
        run([a.autotune, "export", log, "--to", "c", "-o", out, "--name", "kernel"])
        library = ctypes.CDLL(os.path.abspath(os.path.join(out, "libkernel.so")))
        library.kernel_workspace_bytes.restype = ctypes.c_int64
        self.room = np.zeros(library.kernel_workspace_bytes() + 64, "uint8")
        host = Host((self.room.ctypes.data + 63) // 64 * 64, None, None)
        self.outputs = {o: aligned(shapes[o]) for o in outputs}
        pointers = [ctypes.c_void_p(x.ctypes.data) for x in [values[i] for i in inputs] + list(self.outputs.values())]
        self.call = lambda: library.kernel_with_host(*pointers, ctypes.byref(host))

    def prepare(self):
        pass


def in_turns(sides, rounds):
    """Median seconds of one call of each."""
    times = [[] for _ in sides]
    for _ in range(rounds):
        for side, out in zip(sides, times):
            side.prepare()
            start = time.thread_time()
            side.call()
            out.append(time.thread_time() - start)
    return [sorted(t)[len(t) // 2] for t in times]


def worst_error(name, ours, wanted):
    """The largest error relative to the largest element, over the outputs."""
    worst = 0.0
    for out, array in ours.outputs.items():
        got, want = np.array(array), np.array(wanted.outputs[out])
        if name in TRIANGULAR:
            got, want = np.tril(got), np.tril(want)
        worst = max(worst, float(np.max(np.abs(got - want)) / max(1e-300, np.max(np.abs(want)))))
    return worst


def compare(name, a, polly):
    sizes = sizes_of(name, a.small)
    where = ",".join(f"{k}={v}" for k, v in sizes.items())
    inputs, outputs, shapes = tensors_of(a.autotune, name, where)
    random = np.random.default_rng(1)
    values = {}
    for i in inputs:
        values[i] = aligned(shapes[i])
        values[i][...] = random.uniform(0.1, 1.0, shapes[i])
    sides = [Ours(name, values, inputs, outputs, shapes, where, a)]
    for label, flags in [("clang", PLAIN)] + ([("polly", POLLY)] if polly else []):
        function = reference_library(name, sizes, flags, os.path.join(a.work, f"{name}_{label}.so"), a.clang)
        sides.append(Reference(name, function, values, shapes, sizes))
    medians = in_turns(sides, a.rounds)
    error = max(worst_error(name, sides[0], s) for s in sides[1:])
    row = {"program": name, "sizes": where, "trials": sides[0].tuned["trials"], "tuning_seconds": round(sides[0].seconds, 1), "ours_ms": medians[0] * 1e3,
           "clang_ms": medians[1] * 1e3, "over_clang": medians[1] / medians[0], "error": error, "right": error < 1e-9}
    if polly:
        row.update(polly_ms=medians[2] * 1e3, over_polly=medians[2] / medians[0])
    return row


def geomean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="*", default=list(PROGRAMS))
    parser.add_argument("--autotune", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--clang", default="clang")
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--json", required=True)
    a = parser.parse_args()
    unknown = [p for p in a.program if p not in PROGRAMS]
    if unknown:
        parser.error(f"unknown program '{unknown[0]}'; programs are {', '.join(PROGRAMS)}")
    os.makedirs(a.work, exist_ok=True)
    a.work = os.path.abspath(a.work)
    polly = has_polly(a.clang, a.work)
    rows = []
    for name in a.program:
        rows.append(compare(name, a, polly))
        r = rows[-1]
        print(f"{name:12} ours {r['ours_ms']:9.3f} ms  clang {r['clang_ms']:9.3f} ms, {r['over_clang']:6.2f} times"
              + (f"  polly {r['polly_ms']:9.3f} ms, {r['over_polly']:6.2f} times" if polly else "") + f"  error {r['error']:.1e}", flush=True)
    result = {"programs": rows, "geomean_over_clang": geomean([r["over_clang"] for r in rows]),
              "geomean_over_polly": geomean([r["over_polly"] for r in rows]) if polly else None, "right": all(r["right"] for r in rows)}
    with open(a.json, "w") as f:
        json.dump(result, f, indent=1)
    print(json.dumps({k: v for k, v in result.items() if k != "programs"}))
    return 0 if result["right"] else 1


if __name__ == "__main__":
    sys.exit(main())
