"""Our kernel of a case as an exported folder: the best of a log, or the fastest of a pack, which is compiled here
where there is none."""
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Refused(RuntimeError):
    """A command that ended badly, by its last line."""


def find_autotune(given):
    """The program: what was given, that of a bundle or a build around us, or the one on PATH."""
    for place in [given] if given else [HERE.parents[1] / "bin/autotune", HERE.parents[1] / "build/release/bin/autotune"]:
        if os.access(place, os.X_OK):
            return str(place)
    return given or "autotune"


def run(command):
    """Its standard output. Ends the child when we are interrupted."""
    with subprocess.Popen([str(w) for w in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          text=True) as child:
        try:
            out, err = child.communicate()
        except BaseException:
            child.kill()
            raise
    if child.returncode != 0:
        raise Refused((err.strip().splitlines() or [f"{command[0]} ended with exit code {child.returncode}"])[-1])
    return out


def candidates(pack):
    """(trial, sketch) of what compiled. Lines that cannot be read are left out, as autotune does."""
    out = []
    for line in Path(pack).read_text(errors="replace").splitlines()[1:]:
        try:
            candidate = json.loads(line)
            if candidate["status"] == "ok":
                out.append((candidate["trial"], candidate["sketch"]))
        except (ValueError, KeyError, TypeError):
            continue
    return out


def one_of_each_sketch(found):
    first = {}
    for trial, sketch in found:
        first.setdefault(sketch, trial)
    return [(trial, sketch) for sketch, trial in first.items()]


def fastest_first(times):
    """Folders by time, and why the others have none. `times`: lines of pick.py."""
    good = sorted((t for t in times if "seconds" in t), key=lambda t: t["seconds"])
    return [t["folder"] for t in good], {t["folder"]: t["message"] for t in times if "message" in t}


class Ours:
    """`kernels`: a folder with NAME.jsonl (a log of `autotune measure`) or NAME.pack of cases, or none. `jobs`: processes
    that compile at a time."""

    def __init__(self, autotune, work, kernels=None, target="cuda", trials=64, jobs=None):
        self.autotune, self.work, self.target, self.trials = autotune, Path(work), target, trials
        self.kernels = Path(kernels) if kernels else None
        self.jobs = jobs or len(os.sched_getaffinity(0))

    def given(self, case, suffix):
        file = self.kernels / f"{case.name}.{suffix}" if self.kernels else None
        return file if file and file.is_file() else None

    def pack(self, case, small=False):
        if not small and (given := self.given(case, "pack")):
            return given
        self.work.mkdir(parents=True, exist_ok=True)
        pack = self.work / f"{case.name}{'.small' if small else ''}.pack"
        run([self.autotune, *case.flags(small), "--target", self.target, "--trials", self.trials, "--jobs", self.jobs, "--build-only", pack])
        return pack

    def export(self, source, folder, *more):
        run([self.autotune, "export", source, *more, "--to", "cuda", "--name", "kernel", "-o", folder])
        return folder

    def folders(self, case):
        """Exports of the case, the most promising first."""
        if log := self.given(case, "jsonl"):
            return [self.export(log, self.work / case.name)]
        pack = self.pack(case)
        with ThreadPoolExecutor(self.jobs) as pool:
            exported = list(pool.map(lambda c: self.export(pack, self.work / case.name / str(c[0]), "--trial", c[0]), candidates(pack)))
        best, failed = fastest_first(self.times([str(f) for f in exported]))
        if not best:
            raise Refused(next(iter(failed.values()), f"no kernel of {pack} compiled"))
        return best

    def times(self, folders):
        """Of each, by pick.py; in a new process behind one that a kernel has ended."""
        out = []
        while len(out) < len(folders):
            r = subprocess.run([sys.executable, str(HERE / "pick.py"), *folders[len(out):]], capture_output=True, text=True)
            lines = [json.loads(line) for line in r.stdout.splitlines()]
            if len(out) + len(lines) < len(folders) and not (lines and "message" in lines[-1]):
                why = (r.stderr.strip().splitlines() or [f"pick.py ended with exit code {r.returncode}"])[-1]
                lines.append({"folder": folders[len(out) + len(lines)], "message": why})
            out += lines
        return out
