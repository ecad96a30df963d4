"""bench/polybench/run.py at small odd sizes, with the C compiler at hand for the references: every side is right."""
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("TESSERA_BUILD_DIR", os.path.join(SOURCE, "build", "release"))
RUN = os.path.join(SOURCE, "bench", "polybench", "run.py")


@unittest.skipUnless(importlib.util.find_spec("numpy"), "needs numpy")
class PolyBenchTest(unittest.TestCase):
    def run_bench(self, folder, *words):
        return subprocess.run([sys.executable, "-B", RUN, "--autotune", os.path.join(BUILD, "bin", "autotune"), "--work", folder, "--clang", "cc", "--small",
                               "--trials", "2", "--rounds", "3", "--json", os.path.join(folder, "out.json"), *words], capture_output=True, text=True)

    def test_results_agree(self):
        with tempfile.TemporaryDirectory() as folder:
            done = self.run_bench(folder, "syrk", "atax", "correlation", "heat-3d")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            with open(os.path.join(folder, "out.json")) as f:
                result = json.load(f)
            self.assertTrue(result["right"])
            self.assertEqual([r["program"] for r in result["programs"]], ["syrk", "atax", "correlation", "heat-3d"])
            for r in result["programs"]:
                self.assertGreater(r["over_clang"], 0)
                self.assertLess(r["error"], 1e-9)

    def test_unknown_program(self):
        with tempfile.TemporaryDirectory() as folder:
            done = self.run_bench(folder, "gemmm")
            self.assertEqual(done.returncode, 2)
            self.assertIn("unknown program 'gemmm'; programs are gemm", done.stderr)


if __name__ == "__main__":
    unittest.main()
