"""bench/gpu without a GPU: what it writes, how it keeps its time, what it says of wrong kernels, how it loads exports."""

import contextlib
import dataclasses
import io
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("TESSERA_BUILD_DIR", ROOT / "build/release"))
if (BUILD / "nvrtc").exists():  # what ./test provides where the machine has none
    os.environ.setdefault("TESSERA_NVRTC", str(BUILD / "nvrtc"))
BENCH = ROOT / "bench/gpu"
sys.path.insert(0, str(BENCH))
sys.dont_write_bytecode = True

import cases
import ours
import report
import run
import sanitize
import timing
from dry_side import DryOurs, DrySide

CASE = cases.CASES[0]


def command(*words, **environment):
    return subprocess.run([sys.executable, "-B", BENCH / "run.py", *words], env=dict(os.environ, **environment),
                          capture_output=True, text=True, timeout=60)


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tessera-gpu-bench-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)


class DryRun(Folder):
    def test_writes_a_table_and_json(self):
        r = command("--dry-run", "--out", str(self.folder / "out"))
        self.assertEqual(r.returncode, 0, r.stderr)
        results = json.loads((self.folder / "out/results.json").read_text())
        self.assertEqual(results["schema"], "tessera-gpu-bench/1")
        self.assertTrue(results["dry_run"])
        self.assertEqual([row["name"] for row in results["cases"]], [c.name for c in cases.CASES])
        for row in results["cases"]:
            self.assertEqual(row["ours"]["status"], "ok")
            self.assertEqual(len(row["ours"]["samples_us"]), run.ROUNDS)
            self.assertIn(row["best_anchor"], row["anchors"])
            self.assertAlmostEqual(row["ratio"], row["anchors"][row["best_anchor"]]["median_us"] / row["ours"]["median_us"])
        table = (self.folder / "out/results.md").read_text()
        self.assertEqual(table, r.stdout)
        self.assertIn("every figure is invented", table)
        rows = [line for line in table.splitlines() if line.startswith("|")]
        self.assertEqual(len(rows), 2 + len(cases.CASES))
        self.assertEqual({line.count("|") for line in rows}, {8})

    def test_some_cases(self):
        r = command("--dry-run", "--cases", "softmax,relu", "--out", str(self.folder / "out"))
        self.assertEqual([row["name"] for row in json.loads((self.folder / "out/results.json").read_text())["cases"]], ["softmax", "relu"], r.stderr)

    def test_mistakes(self):
        for words, said in (["--cases", "sofmax"], "unknown case 'sofmax'"), (["--budget", "500"], "30 to 480"), (["--trials", "0"], "--trials is 1 or more"):
            r = command("--dry-run", *words)
            self.assertEqual((r.returncode, r.stdout), (2, ""))
            self.assertIn(said, r.stderr)

    def test_a_folder_that_cannot_be_written(self):
        r = command("--dry-run", "--cases", "relu", "--out", "/dev/null/out")
        self.assertEqual((r.returncode, r.stdout, r.stderr.count("\n")), (1, "", 1), r.stderr)
        self.assertIn("/dev/null/out", r.stderr)


class NoDevice(Folder):
    def says(self, torch):
        (self.folder / "torch.py").write_text(torch)
        r = command("--out", str(self.folder / "out"), PYTHONPATH=str(self.folder))
        self.assertEqual((r.returncode, r.stdout, r.stderr.count("\n")), (4, "", 1), r.stderr)
        self.assertFalse((self.folder / "out").exists())
        return r.stderr

    def test_no_torch(self):
        self.assertIn("no PyTorch for this Python", self.says("raise ImportError('none here')"))

    def test_torch_without_a_device(self):
        class_text = "class cuda:\n    is_available = staticmethod(lambda: False)\nclass nn:\n    functional = None\n"
        self.assertIn("PyTorch sees no CUDA device", self.says(class_text))

    def test_nothing_to_sanitize_with(self):
        r = command("--sanitize", PATH=str(self.folder), TESSERA_CUDA_DRIVER="/nowhere/libcuda.so.1")
        self.assertEqual((r.returncode, r.stderr.count("\n")), (4, 1), r.stderr)


class Timing(unittest.TestCase):
    def test_shares_of_the_budget(self):
        now = [100.0]
        budget = timing.Budget(110, reserve=10, clock=lambda: now[0])
        self.assertEqual(budget.share(5), 30)
        self.assertEqual(budget.share(1), 100)
        now[0] += 70
        self.assertEqual((budget.left(), budget.spent(), budget.share(2)), (30, 70, 22.5))

    def test_a_case_ends_in_its_time(self):
        budget = timing.Budget(100)
        start = time.monotonic()
        with self.assertRaises(timing.OutOfTime), budget.limited(0.1):
            with contextlib.suppress(timing.OutOfTime):  # as a library may
                time.sleep(5)
            time.sleep(5)
        self.assertLess(time.monotonic() - start, 3)
        with self.assertRaises(timing.OutOfTime), budget.limited(0):
            self.fail("there was no time left")

    def test_contenders_take_turns(self):
        asked = []

        def burst(name, seconds):
            def call():
                asked.append(name)
                if seconds is None and asked.count(name) == 2:
                    raise RuntimeError("gone\nand more")
                return seconds or 1.0
            return call

        samples, failed = timing.interleaved({"a": burst("a", 1.0), "b": burst("b", 2.0), "c": burst("c", None)}, 4)
        self.assertEqual(asked, ["a", "b", "c", "b", "c", "a", "a", "b", "a", "b"])
        self.assertEqual(samples, {"a": [1.0] * 4, "b": [2.0] * 4, "c": [1.0]})
        self.assertEqual(failed, {"c": "gone"})

    def test_figures(self):
        f = timing.figures(cases.CASES[3], [3e-3, 1e-3, 2e-3])
        self.assertAlmostEqual(f["median_us"], 2000)
        self.assertAlmostEqual(f["tflops"], 2 * 4096**3 / 2e-3 * 1e-12)
        self.assertIsNone(timing.figures(CASE, [1e-3])["tflops"])


class Judging(Folder):
    class Side(DrySide):
        errors = {}

        def ours(self, case, folder):
            return folder

        def check(self, case, sets, call):
            return self.errors[call]

    class Kernels:
        def __init__(self, *folders):
            self.list = folders

        def folders(self, case):
            if not self.list:
                raise ours.Refused("nothing compiled")
            return list(self.list)

    def row(self, case=CASE, errors=None, side=None):
        side = side or self.Side()
        side.errors = errors or {}
        return run.measured(side, self.Kernels(*side.errors), case)

    def results(self, *rows):
        return {"cases": list(rows), "dry_run": False, "copy_tb_s": None, "device": "d", "date": "t", "torch": "1", "cuda": "13",
                "wall_s": 1.0, "budget_s": 480.0}

    def test_right_and_wrong_kernels(self):
        good = self.row(errors={"k": 0.0})
        self.assertEqual((good["ours"]["status"], good["met"]), ("ok", True))
        self.assertEqual(report.exit_code(self.results(good)), 0)
        for error in (0.5, math.nan):
            wrong = self.row(errors={"k": error, "next": 0.0})
            self.assertEqual(wrong["ours"]["status"], "wrong")
            self.assertIsNone(wrong["ratio"])
            self.assertEqual(report.exit_code(self.results(good, wrong)), 5)
            self.assertIn("- relu, ours: k: ", report.markdown(self.results(wrong)))

    def test_without_a_kernel_the_libraries_are_still_measured(self):
        row = self.row()
        self.assertEqual((row["ours"], row["met"]), ({"status": "failed", "message": "nothing compiled"}, None))
        self.assertEqual({a["status"] for a in row["anchors"].values()}, {"ok"})
        self.assertEqual(report.exit_code(self.results(row)), 3)

    def test_an_anchor_that_fails(self):
        class Side(self.Side):
            def burst(self, call, sets):
                if call == "cublas":
                    raise RuntimeError("no such algorithm")
                return super().burst(call, sets)

        row = self.row(cases.CASES[3], {"k": 0.0}, Side())
        self.assertEqual(row["anchors"]["cublas"], {"status": "failed", "message": "no such algorithm"})
        self.assertEqual((row["best_anchor"], row["met"]), ("torch.compile", None))

    def test_time_that_ends_leaves_what_was_measured(self):
        class Side(self.Side):
            def anchors(self, case):
                if case.name == "softmax":
                    raise timing.OutOfTime
                return super().anchors(case)

        with contextlib.redirect_stderr(io.StringIO()):
            results = run.run(Side(), DryOurs(), cases.chosen("softmax"), self.folder, timing.Budget(60), 60, True)
        self.assertEqual(results["cases"][0]["ours"]["status"], "out of time")
        self.assertEqual(json.loads((self.folder / "results.json").read_text()), results)


class OurKernels(Folder):
    def test_a_pack_is_read_as_autotune_writes_it(self):
        pack = self.folder / "p.pack"
        lines = [{"pack": 1}, {"trial": 0, "sketch": "default", "status": "ok"}, {"trial": 1, "sketch": "a", "status": "resource"},
                 {"trial": 2, "sketch": "a", "status": "ok"}, {"trial": 3, "sketch": "a", "status": "ok"}]
        pack.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"trial": 4, "sk')
        found = ours.candidates(pack)
        self.assertEqual(found, [(0, "default"), (2, "a"), (3, "a")])
        self.assertEqual(ours.one_of_each_sketch(found), [(0, "default"), (2, "a")])

    def test_a_kernel_that_ends_the_process_costs_one_candidate(self):
        stub = ("import json, sys\n"
                "for f in sys.argv[1:]:\n"
                "    if f == 'crash': sys.exit('killed')\n"
                "    if f == 'fault': print(json.dumps({'folder': f, 'message': 'illegal address'})); sys.exit(1)\n"
                "    print(json.dumps({'folder': f, 'seconds': float(f)}))\n")
        (self.folder / "pick.py").write_text(stub)
        here, ours.HERE = ours.HERE, self.folder
        try:
            times = ours.Ours("autotune", self.folder).times(["3", "crash", "1", "fault", "2"])
        finally:
            ours.HERE = here
        self.assertEqual(ours.fastest_first(times), (["1", "2", "3"], {"crash": "killed", "fault": "illegal address"}))

    def test_what_a_command_said_last(self):
        with self.assertRaisesRegex(ours.Refused, "^autotune: no$"):
            ours.run(["sh", "-c", "echo warning >&2; echo autotune: no >&2; exit 3"])

    def test_a_finding_of_the_sanitizer(self):
        self.assertEqual(sanitize.verdict(0, "========= COMPUTE-SANITIZER\n========= ERROR SUMMARY: 0 errors\n"), "clean")
        said = "========= COMPUTE-SANITIZER\n========= Invalid __global__ write of size 4 bytes\n=========     at kernel\n"
        self.assertEqual(sanitize.verdict(9, said), "Invalid __global__ write of size 4 bytes")


class OnTheFakeDriver(Folder):
    """From a pack to kernels in order of their times, with real exports; the fake driver writes down what it is asked."""

    def setUp(self):
        super().setUp()
        driver = BUILD / "tests/libfake_cuda_driver.so"
        if not driver.exists():
            self.skipTest(f"{driver} is not built")
        self.record = self.folder / "record"
        self.environment = {"TESSERA_CUDA_DRIVER": str(driver), "FAKE_CUDA_RECORD": str(self.record)}

    def pack(self, case):
        mine = ours.Ours(BUILD / "bin/autotune", self.folder / "work", target="cuda -arch=sm_80", trials=4, jobs=2)
        try:
            return mine, mine.pack(case, small=True)
        except ours.Refused as problem:
            if "NVRTC" in str(problem):
                self.skipTest(str(problem))
            raise

    def test_every_case_is_loaded_as_its_launches_say(self):
        for case in cases.CASES:
            with self.subTest(case=case.name):
                mine, pack = self.pack(case)
                trial = ours.candidates(pack)[-1][0]
                folder = mine.export(pack, self.folder / case.name, "--trial", trial)
                described = json.loads((folder / "kernel.launch.json").read_text())
                self.record.unlink(missing_ok=True)
                counts = {launch["kernel"]: len(launch["arguments"]) for launch in described["launches"]}
                declared = " ".join(f"{k}:{n}" for k, n in counts.items())
                r = subprocess.run([sys.executable, "-B", BENCH / "launch.py", folder], capture_output=True, text=True,
                                   env=dict(os.environ, **self.environment, FAKE_CUDA_KERNELS=declared))
                self.assertEqual((r.returncode, r.stdout), (0, "kernel ran\n"), r.stderr)
                calls = [line.split() for line in self.record.read_text().splitlines()]
                allocated = [int(c[1], 16) for c in calls if c[0] == "alloc"]
                inputs, output = cases.shapes(case.op, case.small)
                self.assertEqual({p["operand"]: tuple(p["shape"]) for p in described["params"] if p["role"] == "input"}, inputs)
                self.assertEqual([tuple(p["shape"]) for p in described["params"] if p["role"] == "output"], [output])
                cases.check_fits(dataclasses.replace(case, shape=case.small), described)
                with self.assertRaisesRegex(ValueError, "the kernel's . is "):
                    cases.check_fits(case, described)
                names = [p["name"] for p in described["params"]]
                at = dict(zip(names, allocated))
                launches = [c[1:] for c in calls if c[0] == "launch"]
                self.assertEqual(len(launches), len(described["launches"]))
                for call, launch in zip(launches, described["launches"]):
                    numbers = launch["grid"] + launch["block"] + launch["cluster"] + [launch["dynamic_shared_bytes"], 0]
                    self.assertEqual(call[:12], [launch["kernel"], *map(str, numbers)])
                    addresses = [at[a["param"]] if "param" in a else allocated[len(names)] + a["workspace"] for a in launch["arguments"]]
                    self.assertEqual([int(a, 16) for a in call[12:]], addresses)

    def test_the_fastest_of_a_pack(self):
        mine, pack = self.pack(CASE)
        folders = [str(mine.export(pack, self.folder / str(t), "--trial", t)) for t, _ in ours.candidates(pack)]
        before = dict(os.environ)
        names = {k["name"] for f in folders for k in json.loads((Path(f) / "kernel.launch.json").read_text())["kernels"]}
        os.environ.update(self.environment, FAKE_CUDA_KERNELS=" ".join(f"{n}:2" for n in names))
        try:
            times = mine.times(folders)
        finally:
            os.environ.clear()
            os.environ.update(before)
        self.assertEqual([t["folder"] for t in times], folders)
        for t in times:
            self.assertAlmostEqual(t["seconds"], 1e-3)  # what the fake driver's clock says of a launch

    def test_a_damaged_image_is_not_loaded(self):
        mine, pack = self.pack(CASE)
        folder = mine.export(pack, self.folder / "damaged", "--trial", 0)
        image = next(folder.glob("*.cubin"))
        image.write_bytes(image.read_bytes()[:-1] + b"x")
        r = subprocess.run([sys.executable, "-B", BENCH / "launch.py", folder], capture_output=True, text=True,
                           env=dict(os.environ, **self.environment))
        self.assertEqual((r.returncode, r.stderr.count("\n")), (1, 1), r.stderr)
        self.assertIn("is not the one", r.stderr)


if __name__ == "__main__":
    unittest.main()
