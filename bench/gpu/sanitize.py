"""One kernel of each sketch of the cases under compute-sanitizer: memory, and races in shared memory."""
import json
import shutil
import subprocess
import sys
from pathlib import Path

from launch import Driver, DriverError
from ours import HERE, Refused, candidates, one_of_each_sketch

TOOLS = ("memcheck", "racecheck")


def find_sanitizer():
    return shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path="/usr/local/cuda/bin")


def verdict(returncode, output):
    """"clean", or the first error of the tool."""
    if returncode == 0:
        return "clean"
    errors = [line.strip("= ") for line in output.splitlines() if line.startswith("=========") and "COMPUTE-SANITIZER" not in line]
    return next((e for e in errors if e), f"exit code {returncode}")[:200]


def checked(sanitizer, tool, folder):
    r = subprocess.run([sanitizer, "--tool", tool, "--error-exitcode", "9", sys.executable, str(HERE / "launch.py"), str(folder)],
                       capture_output=True, text=True)
    return verdict(r.returncode, r.stdout + r.stderr)


def rows_of(ours, case, sanitizer):
    pack = ours.pack(case, small=True)
    for trial, sketch in one_of_each_sketch(candidates(pack)):
        folder = ours.export(pack, ours.work / f"{case.name}.small" / str(trial), "--trial", trial)
        yield {"case": case.name, "sketch": sketch, "trial": trial, **{tool: checked(sanitizer, tool, folder) for tool in TOOLS}}


def run(ours, cases, out):
    """Exit code 0: all clean; 5: the tool found something; 3: nothing ran; 4: no device or no compute-sanitizer."""
    sanitizer = find_sanitizer()
    try:
        if sanitizer is None:
            raise DriverError("there is no compute-sanitizer on PATH or in /usr/local/cuda/bin")
        Driver().cuInit(0)
    except DriverError as problem:
        print(f"bench/gpu/run.py: {problem}; --sanitize runs kernels on a CUDA device under NVIDIA's compute-sanitizer", file=sys.stderr)
        return 4
    rows = []
    for case in cases:
        try:
            for row in rows_of(ours, case, sanitizer):
                rows.append(row)
                print(f"{row['case']} {row['sketch']}: {', '.join(f'{t} {row[t]}' for t in TOOLS)}", flush=True)
        except Refused as problem:
            print(f"{case.name}: {problem}", file=sys.stderr)
    Path(out).mkdir(parents=True, exist_ok=True)
    (Path(out) / "sanitizer.json").write_text(json.dumps(rows, indent=1) + "\n")
    return 3 if not rows else 0 if all(row[t] == "clean" for row in rows for t in TOOLS) else 5
