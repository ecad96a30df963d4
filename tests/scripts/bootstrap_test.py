"""./autotune on trees of its own: what is missing, what is built, what is passed on.

Each test copies the scripts beside a tiny project whose `autotune` prints its arguments. Programs
like apt-get and sudo are stand-ins on PATH, so nothing is ever installed.
"""

import os
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(tiny LANGUAGES NONE)
add_custom_command(OUTPUT bin/autotune DEPENDS support/program
  COMMAND sh -c "sleep 0.3; echo built >>builds"
  COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_SOURCE_DIR}/support/program bin/autotune
  VERBATIM)
add_custom_target(tools DEPENDS bin/autotune)
"""
PROGRAM = '#!/bin/sh\nfor a; do echo "[$a]"; done\ntest -t 0 || cat\nexit ${EXIT_CODE:-0}\n'
PRESENT = "cmake | cmake | build | builds\nprobe | share,bin/sh | build | shell\n"


class Bootstrap(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tessera bootstrap ")  # a name with spaces
        self.addCleanup(folder.cleanup)
        self.top = Path(folder.name)
        self.tree = self.top / "tree"
        self.bin = self.top / "bin"
        self.bin.mkdir()
        for path in ("autotune", "scripts/bootstrap.sh", "CMakePresets.json"):
            (self.tree / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, self.tree / path)
        self.write("CMakeLists.txt", PROJECT)
        self.write("cmake/layers.cmake", "layer(support)\nlayer(ir support)\n")
        self.write("cmake/packages.txt", PRESENT)
        self.write("support/program", PROGRAM).chmod(0o755)
        self.builds = self.tree / "build/release/builds"

    def write(self, path, text):
        (self.tree / path).parent.mkdir(parents=True, exist_ok=True)
        (self.tree / path).write_text(text)
        return self.tree / path

    def stand_in(self, name, script):
        (self.bin / name).write_text(f"#!/bin/bash\n{script}\n")
        (self.bin / name).chmod(0o755)

    def miss(self, *packages):
        """Puts packages on the list of which there is no program on PATH."""
        rows = [f"{name} | {name}-program | build | purpose of {name}\n" for name in packages]
        self.write("cmake/packages.txt", PRESENT + "".join(rows))

    def start(self, *arguments, program=None, cwd=None, **environment):
        path = environment.pop("PATH", f"{self.bin}{os.pathsep}{os.environ['PATH']}")
        kept = {k: v for k, v in os.environ.items() if k != "TESSERA_BUILD_DIR"}
        return subprocess.Popen([str(program or self.tree / "autotune"), *arguments],
                                cwd=cwd or self.top, env={**kept, "PATH": path, **environment},
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def call(self, *arguments, stdin="", **rest):
        process = self.start(*arguments, **rest)
        out, err = process.communicate(stdin, timeout=120)
        return process.returncode, out, err

    def age(self):
        """Makes every file look an hour old: what a test writes next is newer than the stamp."""
        for path in [self.tree, *self.tree.rglob("*")]:
            os.utime(path, (time.time() - 3600,) * 2)

    def count(self):
        return self.builds.read_text().count("built")


class Building(Bootstrap):
    def test_builds_then_runs_then_only_runs(self):
        code, out, err = self.call("--op", "a b", "", "*")
        self.assertEqual((code, out), (0, "[--op]\n[a b]\n[]\n[*]\n"), err)
        self.assertIn("configuring and building", err)
        self.assertTrue((self.tree / "build/release/build.log").read_text())
        self.assertEqual(self.call("x"), (0, "[x]\n", ""))
        self.assertEqual(self.count(), 1)

    def test_exit_code_and_stdin_are_the_programs(self):
        self.assertEqual(self.call(stdin="line\n", EXIT_CODE="5")[:2], (5, "line\n"))

    def test_from_any_folder_and_through_links(self):
        (self.top / "links").mkdir()
        (self.top / "links/one").symlink_to(self.tree / "autotune")
        (self.top / "links/two").symlink_to("one")
        self.assertEqual(self.call("x", program=self.top / "links/two", cwd="/")[:2], (0, "[x]\n"))
        self.assertEqual(self.call("x", program="../tree/autotune", cwd=self.top / "links"),
                         (0, "[x]\n", ""))

    def test_builds_again_after_a_change(self):
        self.call()
        self.age()
        self.write("support/program", PROGRAM.replace("[$a]", "<$a>"))
        self.assertEqual(self.call("x")[1], "<x>\n")
        self.age()
        self.write("ir/new.h", "")  # a new file, in a folder that is new
        self.assertEqual(self.call("x")[1], "<x>\n")
        self.assertEqual(self.call("x"), (0, "<x>\n", ""))

    def test_what_is_no_source_builds_nothing(self):
        self.call()
        self.age()
        for path in ("conv.jsonl", "tests/unit/x.cpp", "docs/x.md", "out/x.h"):
            self.write(path, "")
        self.assertEqual(self.call("x"), (0, "[x]\n", ""))

    def test_build_failure_shows_the_end_of_the_log(self):
        noise = "\n".join(f"echo noise {i}" for i in range(100))
        script = f"#!/bin/sh\n{noise}\necho the reason >&2\nexit 1\n"
        self.write("support/fail", script).chmod(0o755)
        command = '"${CMAKE_SOURCE_DIR}/support/fail"'
        self.write("CMakeLists.txt", PROJECT.replace("sh -c", command))
        code, out, err = self.call("x")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("the reason", err)
        self.assertIn("build.log", err)
        self.assertLess(len(err.splitlines()), 36)
        self.write("CMakeLists.txt", PROJECT)
        self.assertEqual(self.call("x")[:2], (0, "[x]\n"))

    def test_configure_failure(self):
        self.write("CMakeLists.txt", 'message(FATAL_ERROR "the reason")\n')
        code, _, err = self.call()
        self.assertEqual(code, 1)
        self.assertIn("the reason", err)
        self.write("CMakeLists.txt", PROJECT)
        self.assertEqual(self.call("x")[:2], (0, "[x]\n"))

    def test_two_at_once_build_once(self):
        both = [self.start("x") for _ in range(3)]
        for process in both:
            self.assertEqual(process.communicate("", timeout=120)[0], "[x]\n")
        self.assertEqual(self.count(), 1)

    def test_build_folder_can_be_elsewhere(self):
        code, out, err = self.call("x", TESSERA_BUILD_DIR=str(self.top / "else where"))
        self.assertEqual((code, out), (0, "[x]\n"), err)
        self.assertTrue((self.top / "else where/bin/autotune").exists())
        self.assertFalse((self.tree / "build").exists())

    def test_moved_tree(self):
        self.call()
        self.tree = self.tree.rename(self.top / "moved")
        self.write("support/program", PROGRAM.replace("[$a]", "<$a>"))
        self.assertEqual(self.call("x")[:2], (0, "<x>\n"))

    def test_build_folder_that_cannot_be_written(self):
        (self.tree / "build").write_text("a file")
        code, _, err = self.call()
        self.assertEqual((code, len(err.splitlines())), (1, 1), err)
        self.assertIn("cannot write", err)

    def test_second_start_is_quick(self):
        for i in range(300):
            self.write(f"support/f{i}.h", "")
        self.call()

        def best_of(program):
            times = []
            for _ in range(10):
                begin = time.perf_counter()
                self.call(program=program)
                times.append(time.perf_counter() - begin)
            return min(times)

        bare = best_of(self.tree / "build/release/bin/autotune")
        self.assertLess(best_of(self.tree / "autotune") - bare, 0.05)


class Installing(Bootstrap):
    def setUp(self):
        super().setUp()
        self.miss("tool-a", "tool-b")
        self.log = self.top / "apt.log"
        self.stand_in("apt-get", f'echo "apt-get $*" >>"{self.log}"\n'
                      f'[[ $1 == install ]] || exit 0\n'
                      f'for a in "$@"; do [[ $a == tool-* ]] || continue\n'
                      f'  printf "#!/bin/sh\\n" >"{self.bin}/$a-program"\n'
                      f'  chmod +x "{self.bin}/$a-program"\n'
                      f'done')
        self.stand_in("id", "echo 0")

    def installed(self):
        return self.log.read_text().splitlines() if self.log.exists() else []

    def test_root_installs(self):
        code, out, err = self.call("x")
        self.assertEqual((code, out), (0, "[x]\n"), err)
        self.assertIn("installing tool-a tool-b", err)
        self.assertEqual(self.installed(), [
            "apt-get update", "apt-get install -y --no-install-recommends tool-a tool-b"])

    def test_no_install_forbids_and_is_not_passed_on(self):
        for arguments in (("--no-install", "x"), ("x", "--no-install")):
            code, out, err = self.call(*arguments)
            self.assertEqual((code, out, len(err.splitlines())), (4, "", 1), err)
            self.assertIn("apt-get install -y --no-install-recommends tool-a tool-b", err)
            self.assertEqual(self.installed(), [])
        self.miss()
        for arguments in (("--no-install", "x"), ("x", "--no-install")):
            self.assertEqual(self.call(*arguments)[:2], (0, "[x]\n"))

    def test_user_with_sudo_installs(self):
        self.stand_in("id", "echo 1000")
        self.stand_in("sudo", 'shift; exec "$@"')
        self.assertEqual(self.call("x")[:2], (0, "[x]\n"))
        self.assertEqual(len(self.installed()), 2)

    def test_user_without_sudo_is_told_the_command(self):
        self.stand_in("id", "echo 1000")
        self.stand_in("sudo", "exit 1")
        code, out, err = self.call("x")
        self.assertEqual((code, out, len(err.splitlines())), (4, "", 1), err)
        self.assertIn("sudo apt-get install -y --no-install-recommends tool-a tool-b", err)
        self.assertEqual(self.installed(), [])

    def test_failed_installation(self):
        self.stand_in("apt-get", "echo no network >&2; exit 100")
        code, _, err = self.call("x")
        self.assertEqual(code, 4)
        self.assertIn("no network", err)

    def test_installation_that_changes_nothing(self):
        self.stand_in("apt-get", "exit 0")
        code, _, err = self.call("x")
        self.assertEqual(code, 4)
        self.assertIn("still missing after the installation: tool-a tool-b", err)

    def test_another_distribution_is_told_what_is_needed(self):
        (self.bin / "apt-get").unlink()
        for name in ("bash", "env", "readlink", "mkdir", "flock", "find", "cat"):
            (self.bin / name).symlink_to(shutil.which(name))
        self.write("cmake/packages.txt", "tool-a | tool-a-program | build | purpose of a\n")
        code, _, err = self.call("x", PATH=str(self.bin))
        self.assertEqual(code, 4, err)
        self.assertIn("no apt-get", err)
        self.assertIn("tool-a: purpose of a", err)


class ThisTree(unittest.TestCase):
    def test_every_dependency_is_in_the_list(self):
        rows = [line.split("|") for line in (ROOT / "cmake/packages.txt").read_text().splitlines()
                if line and not line.startswith("#")]
        self.assertTrue(all(len(row) == 4 and row[2].strip() in ("build", "test") for row in rows))
        packages = [row[0].strip() for row in rows]
        self.assertEqual(packages, sorted(packages))
        for line in (ROOT / "cmake/dependencies.cmake").read_text().splitlines():
            if line.startswith("dependency("):
                self.assertIn(line.split()[1], packages)


if __name__ == "__main__":
    unittest.main()
