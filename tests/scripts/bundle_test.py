"""scripts/bundle: the archive runs from any folder of a machine that has a C library and nothing else.

The machine is an empty root directory, entered by chroot in namespaces of its own. Takes minutes: most of it is xz.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("TESSERA_BUILD_DIR", ROOT / "build/release"))
if (BUILD / "nvrtc").exists():  # what ./test provides where the machine has none
    os.environ.setdefault("TESSERA_NVRTC", str(BUILD / "nvrtc"))
MOST_BYTES = 60_000_000
PROGRAMS = {"autotune", "cuda_runner", "kernel_builder", "kernel_runner", "kernel_emulator"}
GLIBC = re.compile(r"(ld-linux.*|lib(c|m|mvec|pthread|dl|rt))\.so")


def bundle(*words, build=BUILD):
    return subprocess.run([ROOT / "scripts/bundle", *words], env=dict(os.environ, TESSERA_BUILD_DIR=str(build)),
                          capture_output=True, text=True, timeout=900)


class Usage(unittest.TestCase):
    def test_mistakes(self):
        for words, said in (["--frobnicate"], "'--frobnicate'"), (["-o"], "-o needs"), (["-o", "x.zip"], ".tar.xz"):
            r = bundle(*words)
            self.assertEqual((r.returncode, r.stdout, r.stderr.count("\n")), (2, "", 1), r.stderr)
            self.assertIn(said, r.stderr)


class EmptyRoot(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="tessera bundle ")
        cls.addClassCleanup(folder.cleanup)
        cls.top = Path(folder.name)
        # Programs as they are: a build folder of its own, up to date, so that this test never builds.
        (cls.top / "build").mkdir()
        (cls.top / "build/bin").symlink_to(BUILD / "bin")
        (cls.top / "build/.tools.stamp").touch()
        cls.archive = cls.top / "t.tar.xz"
        r = bundle("-o", str(cls.archive), build=cls.top / "build")
        assert r.returncode == 0, r.stderr
        cls.root = cls.top / "root"
        for name in ("opt", "lib64", "lib", "proc", "dev", "tmp", "usr/local/cuda/lib64"):
            (cls.root / name).mkdir(parents=True)
        (cls.root / "dev/null").touch()
        subprocess.run(["tar", "-C", cls.root / "opt", "-xf", cls.archive], check=True)
        cls.home = cls.root / "opt/tessera"
        cls.copy_glibc()

    @classmethod
    def copy_glibc(cls):
        """The C library of this machine, all of it, where its loader looks for it."""
        listed = subprocess.run(["ldd", BUILD / "bin/autotune"], capture_output=True, text=True, check=True).stdout
        loader = re.search(r"(/\S*/ld-linux\S+) \(0x", listed)[1]
        shutil.copy(loader, cls.root / "lib64")
        for library in Path(re.search(r"(/\S+/libc\.so\.6) \(0x", listed)[1]).parent.iterdir():
            if GLIBC.match(library.name):
                shutil.copy(library, cls.root / "lib")

    def in_root(self, *words):
        """A command of the bundle in the empty root, with /proc and /dev/null, without an environment."""
        script = ('mount -t proc proc "$0/proc" && mount --bind /dev/null "$0/dev/null" && cd / && exec env -i "$(command -v chroot)" "$0" '
                  '/opt/tessera/bin/"$@"')
        own = ["unshare", "--mount", "--pid", "--fork"] + ([] if os.geteuid() == 0 else ["--user", "--map-root-user"])
        if subprocess.run(own + ["true"], capture_output=True).returncode != 0:
            self.skipTest("this machine does not let us make namespaces")
        environment = dict(os.environ, PATH=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        return subprocess.run(own + ["sh", "-c", script, str(self.root), *words], env=environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=300)

    def test_what_it_holds(self):
        self.assertLessEqual(self.archive.stat().st_size, MOST_BYTES)
        self.assertEqual({p.name for p in (self.home / "bin").iterdir()}, PROGRAMS)
        for library in (self.home / "lib").iterdir():
            self.assertIsNone(GLIBC.match(library.name), library.name)
            self.assertNotRegex(library.name, r"^lib(cuda|nvrtc|nvidia)")
        for name in ("README.md", "LICENSE", "bench/gpu/run.py", "bench/gpu/launch.py"):
            self.assertTrue((self.home / name).is_file(), name)
        for file in [*(self.home / "bin").iterdir(), *(self.home / "lib").iterdir()]:
            sections = subprocess.run(["readelf", "-S", "-W", file], capture_output=True, text=True, check=True).stdout
            self.assertNotIn(".debug_info", sections, file.name)
            self.assertNotIn(".symtab", sections, file.name)

    def test_doctor(self):
        r = self.in_root("autotune", "doctor", "--json")
        self.assertEqual(r.returncode, 0, r.stderr)
        said = json.loads(r.stdout)
        self.assertTrue(said["ok"])
        self.assertIsNone(said["cuda"]["driver"])

    def test_tunes_on_the_cpu(self):
        r = self.in_root("autotune", "--op", "matmul", "--shape", "m=64,n=64,k=64", "--trials", "4", "--log", "/tmp/m.jsonl", "--json")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(json.loads(r.stdout)["ok"], 4)
        r = self.in_root("autotune", "export", "/tmp/m.jsonl", "--to", "c", "-o", "/tmp/out")
        self.assertEqual(r.returncode, 4, r.stderr)  # all but the shared library: there is no compiler here
        self.assertTrue((self.root / "tmp/out/matmul.o").is_file())

    def test_prints_the_space_for_cuda(self):
        r = self.in_root("autotune", "sketches", "--op", "matmul", "--target", "cuda -arch=sm_90a")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("bind(", r.stdout)

    def test_compiles_for_cuda_with_the_nodes_nvrtc(self):
        doctor = subprocess.run([BUILD / "bin/autotune", "doctor", "--json"], capture_output=True, text=True, check=True)
        nvrtc = json.loads(doctor.stdout)["cuda"]["nvrtc"]
        if nvrtc is None:
            self.skipTest("no NVRTC here")
        for library in Path(os.path.realpath(nvrtc["path"])).parent.glob("libnvrtc*.so*"):
            shutil.copy(library, self.root / "usr/local/cuda/lib64", follow_symlinks=False)
        r = self.in_root("autotune", "--op", "matmul", "--shape", "m=64,n=64,k=64", "--trials", "3", "--target", "cuda -arch=sm_90a",
                         "--build-only", "/tmp/m.pack", "--json")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(json.loads(r.stdout)["ok"], 3)
        r = self.in_root("autotune", "measure", "/tmp/m.pack")
        self.assertEqual(r.returncode, 4, r.stderr)
        self.assertIn("no CUDA driver", r.stderr)
        r = self.in_root("autotune", "export", "/tmp/m.pack", "--trial", "1", "--to", "cuda", "-o", "/tmp/cuda")
        self.assertEqual(r.returncode, 0, r.stderr)


if __name__ == "__main__":
    unittest.main()
