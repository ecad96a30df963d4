"""scripts/check_layers.py: the tree obeys its layers, and each kind of violation is found."""

import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import check_layers  # noqa: E402

RULES = """
layer(support)
layer(ir)      # expressions
layer(runtime  ir)
layer(codegen  runtime ir)
third_party(llvm        HEADERS llvm/   IN codegen/llvm runtime/cpu)
third_party(json PUBLIC HEADERS nlohmann/ IN support/json)
third_party(gtest       HEADERS gtest/  IN tests)
third_party(cuda        HEADERS cuda.h  IN runtime/cuda)
"""


class PlantedTree(unittest.TestCase):
    def problems(self, files, rules=RULES):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for path, text in {"cmake/layers.cmake": rules, **files}.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            return check_layers.check_tree(root)

    def assert_found(self, path, text, words):
        found = self.problems({path: text})
        self.assertEqual(len(found), 1, found)
        for word in words:
            self.assertIn(word, found[0])

    def assert_clean(self, path, text):
        self.assertEqual(self.problems({path: text}), [])

    def test_allowed(self):
        self.assert_clean("codegen/llvm/emit.cpp",
                          '#include "codegen/llvm/emit.h"\n#include "ir/expr.h"\n'
                          '#include "support/error.h"\n#include <llvm/IR/Module.h>\n'
                          "#include <vector>\n#include <sys/mman.h>\n")
        self.assert_clean("tests/unit/ir/expr_test.cpp",
                          '#include "codegen/detail/x.h"\n#include "tests/support/options.h"\n'
                          "#include <gtest/gtest.h>\n")

    def test_upward(self):
        self.assert_found("ir/expr.cpp", '\n#include "codegen/emit.h"\n',
                          ["ir/expr.cpp:2", "ir may not include codegen"])

    def test_not_listed_though_below(self):
        self.assert_found("support/a.h", '#include "ir/expr.h"\n', ["support may not include ir"])

    def test_tools_from_a_layer(self):
        self.assert_found("ir/a.h", '#include "tools/x.h"\n', ["tools is no layer"])

    def test_private_header_of_another_folder(self):
        self.assert_found("codegen/a.cpp", '#include "ir/simplify/detail/x.h"\n', ["private to ir"])
        self.assert_clean("ir/a.cpp", '#include "ir/simplify/detail/x.h"\n')

    def test_relative(self):
        self.assert_found("ir/a.cpp", '#include "expr.h"\n', ["root of the tree"])
        self.assert_found("ir/a.cpp", '#include "../support/error.h"\n', ["root of the tree"])

    def test_third_party_elsewhere(self):
        for path in ("codegen/c/a.cpp", "codegen/a.cpp", "runtime/a.cpp", "tools/autotune/a.cpp",
                     "tests/unit/a_test.cpp", "docs/lessons/01.cpp"):
            self.assert_found(path, "#include <llvm/IR/Module.h>\n", [path + ":1", "llvm"])
            self.assert_found(path, '#include "llvm/IR/Module.h"\n', [path + ":1", "llvm"])
        self.assert_found("runtime/cpu/a.cpp", "#include <cuda.h>\n", ["runtime/cuda"])

    def test_third_party_in_a_public_header(self):
        self.assert_found("codegen/llvm/a.h", "#include <llvm/IR/Module.h>\n", ["detail/"])
        self.assert_clean("codegen/llvm/detail/a.h", "#include <llvm/IR/Module.h>\n")
        self.assert_clean("support/json/json.h", "#include <nlohmann/json.hpp>\n")

    def test_place_may_be_a_file(self):
        self.assert_clean("support/json.h", "#include <nlohmann/json.hpp>\n")
        self.assert_found("support/jsonish.h", "#include <nlohmann/json.hpp>\n", ["support/json"])

    def test_third_party_without_a_row(self):
        self.assert_found("ir/a.cpp", "#include <boost/any.hpp>\n", ["no third party"])

    def test_folder_without_a_row(self):
        self.assert_found("extra/a.cpp", "int x;\n", ["extra is not in"])

    def test_row_that_names_a_higher_one(self):
        found = self.problems({}, "layer(support)\nlayer(ir codegen)\nlayer(codegen ir)\n")
        self.assertEqual(len(found), 1)
        self.assertIn("not above", found[0])

    def test_spelling_of_the_directive(self):
        self.assert_found("ir/a.cpp", '  #  include "codegen/emit.h"\n', ["ir/a.cpp:1"])

    def test_text_that_only_looks_like_an_include(self):
        self.assert_clean("ir/a.cpp",
                          'auto s = R"(\n#include "codegen/emit.h"\n)";\n'
                          'auto t = R"x(\n)" #include\n#include <llvm/x.h>\n)x";\n'
                          '/*\n#include "codegen/emit.h"\n*/\n'
                          '// #include "codegen/emit.h"\n'
                          "char c = '\"';\n")

    def test_quotes_do_not_hide_what_follows(self):
        self.assert_found("ir/a.cpp", 'auto s = "/*";\nchar q = \'"\';\nint n = 1\'000;\n'
                          '#include "codegen/emit.h"\n', ["ir/a.cpp:4"])


class ThisTree(unittest.TestCase):
    def test_obeys(self):
        self.assertEqual(check_layers.check_tree(ROOT), [])


if __name__ == "__main__":
    unittest.main()
