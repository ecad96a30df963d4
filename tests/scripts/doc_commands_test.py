"""scripts/doc_commands.py: tags, claims, results; every block of the documentation is tagged."""

import contextlib
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import doc_commands  # noqa: E402


class Tree(unittest.TestCase):
    """A small tree of pages in which blocks are run with the real machinery."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def page(self, text, path="README.md"):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text.replace("'''", "```"))

    def call(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = doc_commands.main([*arguments, "--root", str(self.root),
                                      "--build", str(self.root / "build")])
        return code, out.getvalue(), err.getvalue()

    def result(self, name):
        return json.loads((self.root / "docs/results" / f"{name}.json").read_text())


class Tags(Tree):
    def test_valid(self):
        self.page("'''sh quick\nls\n'''\n'''sh proof=a-1\nls\n'''\n'''sh gpu=b\nls\n'''\n"
                  "'''sh peer=c\nls\n'''\n'''cpp\nint x;\n'''\n'''\ntext\n'''\n")
        self.assertEqual(self.call("check"), (0, "", ""))

    def test_invalid(self):
        for info, words in {"sh": "needs one tag", "bash": "needs one tag",
                            "sh slow": "unknown tag", "sh proof": "needs a name",
                            "sh proof=": "needs a name",
                            "sh proof=A_b": "needs a name", "sh quick=x": "unknown tag",
                            "sh quick proof=x": "needs one tag",
                            "console": "needs one tag"}.items():
            self.page(f"intro\n\n'''{info}\nls\n'''\n")
            code, _, err = self.call("check")
            self.assertEqual(code, 1, info)
            self.assertIn("README.md:3: ", err)
            self.assertIn(words, err)

    def test_name_used_twice(self):
        self.page("'''sh proof=a\nls\n'''\n")
        self.page("'''sh gpu=a\nls\n'''\n", "docs/x.md")
        code, _, err = self.call("check")
        self.assertEqual(code, 1)
        self.assertIn("already the name of README.md:1", err)

    def test_claim_that_is_no_expression(self):
        self.page("'''sh proof=a\nls\n#! expect best >=\n'''\n")
        self.assertEqual(self.call("check")[0], 1)

    def test_build_folder_is_not_documentation(self):
        self.page("'''sh\nls\n'''\n", "build/x.md")
        self.assertEqual(self.call("check")[0], 0)


class Claims(unittest.TestCase):
    VALUE = {"best": {"peak_share": 0.9}, "ok": 63, "trials": 64, "rejected": 0, "failed": {},
             "name": "matmul", "none": None}

    def test_hold(self):
        for claim in ("best.peak_share >= 0.85", "rejected == 0", "ok / trials >= 0.98",
                      "(failed.wrong_answer or 0) == 0", "0.8 < best.peak_share < 1",
                      'name == "matmul" and not none', "missing == null", "-ok < 0"):
            self.assertTrue(doc_commands.holds(claim, self.VALUE), claim)

    def test_do_not_hold(self):
        for claim in ("best.peak_share >= 0.95", "missing >= 0", "missing.field > 1",
                      "ok / rejected > 1", "best.peak_share.deeper >= 0", "none >= 0", "__import__('os')", "ok[0] == 6"):
            self.assertFalse(doc_commands.holds(claim, self.VALUE), claim)

    def test_no_object_no_claim(self):
        self.assertFalse(doc_commands.holds("best.peak_share >= 0.85", None))

    def test_last_json_object(self):
        find = doc_commands.last_json_object
        self.assertEqual(find('text\n{"a": 1}\n'), {"a": 1})
        self.assertEqual(find('{"a": 1}\n{\n"b": {\n"c": 2}\n}\n'), {"b": {"c": 2}})
        self.assertIsNone(find('{"a": 1}\ntext\n'))
        self.assertIsNone(find(""))


class Runs(Tree):
    def test_proof_is_kept(self):
        self.page("'''sh proof=a\necho text\necho '{\"best\": {\"peak_share\": 0.9}}'\n"
                  "#! expect best.peak_share >= 0.85\n#! expect-line t..t\n'''\n")
        code, out, _ = self.call("run", "a")
        self.assertEqual(code, 0, out)
        result = self.result("a")
        self.assertEqual(list(result), ["name", "tag", "command", "commit", "date", "cpu", "cores",
                                        "exit_code", "wall_seconds", "passed", "claims", "output"])
        self.assertEqual(result["output"], {"best": {"peak_share": 0.9}})
        self.assertTrue(result["passed"])
        self.assertRegex(result["date"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertIn("expect best", result["command"])
        self.assertEqual([claim["holds"] for claim in result["claims"]], [True, True])

    def test_failed_claim_and_failed_command(self):
        self.page("'''sh proof=low\necho '{\"share\": 0.1}'\n#! expect share >= 0.85\n'''\n"
                  "'''sh proof=broken\nfalse\necho never\n'''\n")
        code, out, _ = self.call("run", "--all-proofs")
        self.assertEqual(code, 1)
        self.assertIn("FAILS: share >= 0.85", out)
        self.assertNotIn("never", out)
        self.assertEqual(self.result("low")["exit_code"], 0)
        self.assertFalse(self.result("low")["passed"])
        self.assertEqual(self.result("broken")["exit_code"], 1)

    def test_peer_and_gpu_run_by_name_only(self):
        self.page("'''sh proof=a\ntrue\n'''\n'''sh peer=b\ntrue\n'''\n'''sh gpu=c\ntrue\n'''\n")
        self.assertEqual(self.call("run", "--all-proofs")[0], 0)
        self.assertFalse((self.root / "docs/results/b.json").exists())
        self.assertEqual(self.call("run", "b")[0], 0)
        self.assertEqual(self.result("b")["tag"], "peer")

    def test_unknown_name_lists_the_names(self):
        self.page("'''sh proof=matmul\ntrue\n'''\n'''sh peer=other\ntrue\n'''\n")
        for action in ("run", "names"):
            code, _, err = self.call(action, "matmull")
            self.assertEqual(code, 2)
            self.assertIn("'matmull'", err)
            self.assertIn("matmul (proof, README.md:1)", err)
            self.assertIn("other (peer, README.md:4)", err)

    def test_scratch_folder(self):
        (self.root / "build/bin").mkdir(parents=True)
        tool = self.root / "build/bin/sometool"
        tool.write_text("#!/bin/sh\necho tool\n")
        tool.chmod(0o755)
        self.page("page\n", "docs/page.md")
        self.page("'''sh quick\nsometool >new.jsonl\ncat docs/page.md\ntest ! -e build\n'''\n")
        code, out, _ = self.call("run", "--tag", "quick")
        self.assertEqual(code, 0, out)
        self.assertFalse((self.root / "new.jsonl").exists())


class ThisTree(unittest.TestCase):
    def test_every_block_is_tagged(self):
        self.assertEqual(doc_commands.read_blocks(ROOT)[1], [])


if __name__ == "__main__":
    unittest.main()
