#!/usr/bin/env python3
"""Checks every #include of the source tree against cmake/layers.cmake.

    scripts/check_layers.py [ROOT]

Prints one line for each violation, `file:line: what is wrong`, and exits 1 if there is any.

- A layer includes itself, support, and the layers its row names. tools/, bench/, tests/ and
  docs/lessons/ include any layer and their own folder.
- Quoted includes name a file from the root of the tree: #include "schedule/plan.h".
- Only <folder>/ includes what is in <folder>/**/detail/ (tests may).
- A third party is included only where its row says, and, inside a layer, only in .cpp files and
  detail/ unless the row says PUBLIC. One without a row is a violation too.
"""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

FREE = ("tools", "bench", "tests", "docs/lessons")
SUFFIXES = {".h", ".hpp", ".cpp", ".cc", ".c", ".def", ".inc", ".cu", ".cuh"}
SYSTEM = {"sys", "linux", "asm", "net", "netinet", "arpa", "bits"}  # <sys/mman.h> and its like

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.M)
# Comments and raw strings may hold text that looks like an include (the C and CUDA printers do). An
# ordinary literal is matched so that what is quoted in it opens neither.
NOT_CODE = re.compile(
    r'R"(?P<d>[^()\\\s]{0,16})\(.*?\)(?P=d)"'
    r'|//[^\n]*|/\*.*?\*/'
    r'|^[ \t]*#[ \t]*include[^\n]*'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-zA-Z_])'(?:\\.|[^'\\\n])+'", re.S | re.M)


@dataclass
class ThirdParty:
    name: str
    public: bool
    headers: list
    places: list


@dataclass
class Rules:
    layers: dict = field(default_factory=dict)  # folder -> the folders it may include
    third: list = field(default_factory=list)
    errors: list = field(default_factory=list)


def read_rules(path):
    """The rows of cmake/layers.cmake."""
    text = re.sub(r"#.*", "", path.read_text())
    rules = Rules()
    for kind, body in re.findall(r"^\s*(layer|third_party)\s*\(([^)]*)\)", text, re.M):
        words = body.split()
        if kind == "layer":
            name, below = words[0], words[1:]
            for other in below:
                if other not in rules.layers:
                    rules.errors.append(f"{path.name}: {name} names {other}, which is not above it")
            rules.layers[name] = set(below) | {name, "support"}
        else:
            headers, places = words.index("HEADERS"), words.index("IN")
            rules.third.append(ThirdParty(words[0], "PUBLIC" in words[1:headers],
                                          words[headers + 1:places], words[places + 1:]))
    return rules


def includes(text):
    """(line, quoted path or None, angle path or None) of every real include."""
    def blank(match):
        found = match.group(0)
        return found if found.lstrip().startswith("#") else re.sub(r"[^\n]", " ", found)

    for match in INCLUDE.finditer(NOT_CODE.sub(blank, text)):
        line = text.count("\n", 0, match.start()) + 1
        yield line, match.group(1), match.group(2)


def is_in(path, place):
    """Is a file at a place: below that folder, or a file of that stem?"""
    return path.startswith(place + "/") or str(Path(path).with_suffix("")) == place


def check_quoted(rules, path, folder, target):
    first = target.split("/")[0]
    if "/" not in target or target.startswith("."):
        return f'"{target}" does not start at the root of the tree'
    if folder is None:  # tools, bench, tests, lessons
        if first in rules.layers or any(target.startswith(free + "/") for free in FREE):
            return None
        return f'"{target}" is in no layer'
    if first not in rules.layers:
        return f'{folder} may not include "{target}": {first} is no layer'
    if first not in rules.layers[folder]:
        return f'{folder} may not include {first}: "{target}"'
    if first != folder and "/detail/" in target:
        return f'{folder} may not include what is private to {first}: "{target}"'
    return None


def check_third_party(rules, path, folder, target):
    for party in rules.third:
        if not any(target.startswith(prefix) for prefix in party.headers):
            continue
        if not any(is_in(path, place) for place in party.places):
            return f"<{target}> ({party.name}) belongs to {' and '.join(party.places)}"
        private = path.endswith(".cpp") or "/detail/" in path
        if folder is not None and not private and not party.public:
            return f"<{target}> ({party.name}) belongs into .cpp files and detail/"
        return None
    if "/" in target and target.split("/")[0] not in SYSTEM:
        return f"<{target}> belongs to no third party of cmake/layers.cmake"
    return None


def check_file(rules, root, file):
    path = file.relative_to(root).as_posix()
    folder = path.split("/")[0]
    if any(path.startswith(free + "/") for free in FREE):
        folder = None
    elif folder not in rules.layers:
        return [f"{path}:1: {folder} is not in cmake/layers.cmake"]
    problems = []
    for line, quoted, angle in includes(file.read_text(errors="replace")):
        is_third = any((quoted or angle).startswith(p) for t in rules.third for p in t.headers)
        if quoted and not is_third:
            problem = check_quoted(rules, path, folder, quoted)
        else:
            problem = check_third_party(rules, path, folder, quoted or angle)
        if problem:
            problems.append(f"{path}:{line}: {problem}")
    return problems


def check_tree(root):
    root = Path(root).resolve()
    rules = read_rules(root / "cmake" / "layers.cmake")
    problems = list(rules.errors)
    skipped = {"build", "out", "docs", "cmake", "scripts"}
    folders = [d for d in root.iterdir()
               if d.is_dir() and d.name not in skipped and not d.name.startswith(".")]
    for folder in sorted(folders) + [root / "docs" / "lessons"]:
        known = folder.name in rules.layers or folder.relative_to(root).as_posix() in FREE
        for file in sorted(folder.rglob("*")):
            if file.suffix in SUFFIXES and file.is_file():
                problems += check_file(rules, root, file)
                if not known:
                    break  # one line about a folder that is not listed is enough
    return problems


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    problems = check_tree(root)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
