"""Exports for CUDA follow docs/reference/launch.schema.json, and the schema can tell: what is planted is refused."""

import copy
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

try:
    import jsonschema
except ImportError:
    jsonschema = None

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("TESSERA_BUILD_DIR", ROOT / "build/release"))
if (BUILD / "nvrtc").exists():  # what ./test provides where the machine has none
    os.environ.setdefault("TESSERA_NVRTC", str(BUILD / "nvrtc"))


@unittest.skipIf(jsonschema is None, "no jsonschema for this Python (Debian: python3-jsonschema)")
class LaunchSchema(unittest.TestCase):
    def exported(self, *words):
        with tempfile.TemporaryDirectory(prefix="tessera-launch-") as folder:
            command = [BUILD / "bin/autotune", "export", *words, "--target", "cuda -arch=sm_80", "--to", "cuda", "-o", "out", "--name", "k"]
            r = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
            if r.returncode == 4:
                self.skipTest(r.stderr.strip())
            self.assertEqual(r.returncode, 0, r.stderr)
            return json.loads((Path(folder) / "out/k.launch.json").read_text())

    @classmethod
    def setUpClass(cls):
        schema = json.loads((ROOT / "docs/reference/launch.schema.json").read_text())
        jsonschema.Draft7Validator.check_schema(schema)
        cls.validator = jsonschema.Draft7Validator(schema)

    def problems(self, launch):
        return [e.message for e in self.validator.iter_errors(launch)]

    def test_exports_follow_it(self):
        for words in (["--op", "matmul", "--shape", "m=40,n=36,k=24"],
                      ["--op", "softmax", "--shape", "m=16,n=40"],
                      ["--op", "csr_spmm", "--shape", "n=21"],
                      ["--op", "conv2d", "--dtype", "f16", "--shape", "n=1,h=8,w=8,ci=4,co=4"]):
            with self.subTest(op=words[1]):
                launch = self.exported(*words)
                self.assertEqual(self.problems(launch), [])
                names = {p["name"] for p in launch["params"]}
                kernels = {k["name"] for k in launch["kernels"]}
                for one in launch["launches"]:
                    self.assertIn(one["kernel"], kernels)
                    self.assertLessEqual({a["param"] for a in one["arguments"] if "param" in a}, names)

    def test_it_refuses_what_is_wrong(self):
        good = self.exported("--op", "relu", "--shape", "n=64")

        def planted(change):
            launch = copy.deepcopy(good)
            change(launch)
            return launch

        wrong = [lambda j: j.update(schema="tessera-launch/2"),
                 lambda j: j.pop("launches"),
                 lambda j: j["launches"][0]["grid"].pop(),
                 lambda j: j["launches"][0]["arguments"].append({"parameter": "X"}),
                 lambda j: j["images"][0].update(sha256="0"),
                 lambda j: j["params"][0].update(role="prepared"),
                 lambda j: j["workspace"].update(bytes=-1)]
        for i, change in enumerate(wrong):
            with self.subTest(i=i):
                self.assertNotEqual(self.problems(planted(change)), [])


if __name__ == "__main__":
    unittest.main()
