#!/usr/bin/env python3
"""Runs the shell commands that the documentation shows.

    scripts/doc_commands.py check                      every shell block has a valid tag
    scripts/doc_commands.py names [NAME|--all-proofs]  the named blocks; exit 2 if NAME is none
    scripts/doc_commands.py run --tag quick --build DIR
    scripts/doc_commands.py run NAME|--all-proofs --build DIR

The tag stands after the language of the fence and says where the block runs:

    ```sh quick             with the tests, at every ./test
    ```sh proof=NAME        by ./test --proof, with all others or by its name
    ```sh gpu=NAME          by its name only: needs a CUDA device
    ```sh peer=NAME         by its name only: needs another library to compare with

A block is one bash script, stopped by its first failing command. It runs in an empty scratch folder
that shows the source tree by links, with the built programs first on PATH. Lines of the form

    #! expect best.peak_share >= 0.85 and rejected == 0
    #! expect-line pairs: \\d+ mismatches: 0

are claims: an expression over the JSON object that ends the output, where a field that is absent
is null; and a pattern that one whole line of the output must match. Results of named blocks are
kept in docs/results/NAME.json.
"""

import argparse
import ast
import datetime
import json
import operator
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMED = ("proof", "gpu", "peer")
SHELLS = ("sh", "bash", "shell", "console", "zsh")


@dataclass
class Block:
    where: str  # "README.md:31"
    tag: str    # quick, proof, gpu, peer
    name: str   # "" for quick
    text: str


# --- reading --------------------------------------------------------------------------------------

def markdown_files(root):
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in ("build", "out") and f[0] != ".")
        for file in sorted(files):
            if file.endswith(".md"):
                yield Path(folder) / file


def fences(text):
    """(line, info string, body) of every fenced block; fences may be indented and of any length."""
    opened = None
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r"^( *)(`{3,}|~{3,})(.*)$", line)
        if opened is None:
            if match:
                opened = (number, match.group(3).strip(), match.group(2), len(match.group(1)), [])
        elif match and match.group(2).startswith(opened[2]) and not match.group(3).strip():
            yield opened[0], opened[1], "\n".join(opened[4])
            opened = None
        else:
            opened[4].append(line[opened[3]:] if line[:opened[3]].isspace() else line)


def parse_tag(info):
    """(tag, name) of an info string like `sh proof=matmul`; ValueError says what is wrong."""
    words = info.split()[1:]
    if len(words) != 1:
        raise ValueError(f"needs one tag: quick, {', '.join(tag + '=NAME' for tag in NAMED)}")
    tag, _, name = words[0].partition("=")
    if tag == "quick" and not name and "=" not in words[0]:
        return tag, ""
    if tag in NAMED:
        if re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
            return tag, name
        raise ValueError(f"{tag} needs a name of small letters, digits and dashes: {tag}=NAME")
    raise ValueError(f"unknown tag {words[0]!r}: known are quick, "
                     + ", ".join(other + "=NAME" for other in NAMED))


def read_blocks(root):
    """(blocks, problems) of all documentation below root."""
    blocks, problems, names = [], [], {}
    for file in markdown_files(root):
        for line, info, text in fences(file.read_text(encoding="utf-8")):
            if not info or info.split()[0].lower() not in SHELLS:
                continue
            where = f"{file.relative_to(root).as_posix()}:{line}"
            try:
                tag, name = parse_tag(info)
                for claim in claims(text, "expect"):
                    ast.parse(claim, mode="eval")
                for claim in claims(text, "expect-line"):
                    re.compile(claim)
            except (ValueError, SyntaxError, re.error) as problem:
                problems.append(f"{where}: {problem}")
                continue
            if name and name in names:
                problems.append(f"{where}: {name} is already the name of {names[name]}")
            names[name] = where
            blocks.append(Block(where, tag, name, text))
    return blocks, problems


def claims(text, kind):
    return re.findall(rf"^#! *{kind} +(.*?) *$", text, re.M)


# --- claims ---------------------------------------------------------------------------------------

OPERATORS = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Add: operator.add, ast.Sub: operator.sub,
    ast.Mult: operator.mul, ast.Div: operator.truediv, ast.USub: operator.neg,
    ast.Not: operator.not_,
}
WORDS = {"true": True, "false": False, "null": None}


def evaluate(node, value):
    """An expression of fields, numbers, comparisons, arithmetic, and, or, not over a JSON object."""
    if isinstance(node, ast.Expression):
        return evaluate(node.body, value)
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return WORDS[node.id] if node.id in WORDS else value.get(node.id)
    if isinstance(node, ast.Attribute):
        base = evaluate(node.value, value)
        return base.get(node.attr) if isinstance(base, dict) else None
    if isinstance(node, ast.BoolOp):
        results = (evaluate(operand, value) for operand in node.values)
        stop_at = isinstance(node.op, ast.Or)
        for result in results:
            if bool(result) == stop_at:
                break
        return result
    if isinstance(node, ast.UnaryOp):
        return OPERATORS[type(node.op)](evaluate(node.operand, value))
    if isinstance(node, ast.BinOp):
        return OPERATORS[type(node.op)](evaluate(node.left, value), evaluate(node.right, value))
    if isinstance(node, ast.Compare):
        left = evaluate(node.left, value)
        for op, right_node in zip(node.ops, node.comparators):
            right = evaluate(right_node, value)
            if not OPERATORS[type(op)](left, right):
                return False
            left = right
        return True
    raise ValueError(f"claims may not use {type(node).__name__}")


def holds(claim, value):
    """Does a claim hold? What cannot be evaluated (a missing field >= a number) does not."""
    try:
        return bool(evaluate(ast.parse(claim, mode="eval"), value or {}))
    except (TypeError, KeyError, ValueError, ZeroDivisionError):
        return False


def last_json_object(output):
    """The JSON object that ends the output, or None."""
    lines = output.rstrip().splitlines()
    for i in range(len(lines) - 1, -1, -1):
        if not lines[i].startswith("{"):
            continue
        try:
            value = json.loads("\n".join(lines[i:]))
        except ValueError:
            continue
        return value if isinstance(value, dict) else None
    return None


# --- running --------------------------------------------------------------------------------------

def scratch_folder(root):
    """A new folder in which the entries of the source tree appear as links and new files stay."""
    folder = Path(tempfile.mkdtemp(prefix="tessera-docs-"))
    for entry in root.iterdir():
        if entry.name not in ("build", "out") and not entry.name.startswith(".") \
                and entry.suffix != ".jsonl":
            (folder / entry.name).symlink_to(entry)
    return folder


def run_block(block, root, build):
    """Runs a block; its exit code, seconds and standard output. What it says on stderr is shown."""
    environment = dict(os.environ, TESSERA_BUILD_DIR=str(build), NO_COLOR="1",
                       PATH=f"{build / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}")
    if (build / "nvrtc").exists():  # what ./test provides where the machine has none
        environment.setdefault("TESSERA_NVRTC", str(build / "nvrtc"))
    folder = scratch_folder(root)
    try:
        start = time.monotonic()
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", block.text], cwd=folder,
                              env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              text=True, errors="replace", check=False)
        return done.returncode, time.monotonic() - start, done.stdout
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def judge(block, code, output):
    """The claims of a block with what became of each."""
    value = last_json_object(output)
    checked = [{"claim": claim, "holds": holds(claim, value)}
               for claim in claims(block.text, "expect")]
    for claim in claims(block.text, "expect-line"):
        found = any(re.fullmatch(claim, line) for line in output.splitlines())
        checked.append({"claim": f"a line matches {claim}", "holds": found})
    return value, checked, code == 0 and all(claim["holds"] for claim in checked)


def cpu_name():
    try:
        text = Path("/proc/cpuinfo").read_text()
        found = re.search(r"^(?:model name|Model)\s*:\s*(.*)$", text, re.M)
        return found.group(1).strip() if found else "unknown"
    except OSError:
        return "unknown"


def commit(root):
    try:
        return subprocess.run(["git", "-C", str(root), "describe", "--always", "--dirty"],
                              check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def keep_result(block, root, record):
    folder = root / "docs" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    unfinished = folder / f".{block.name}.json.part"  # a reader never sees half a result
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(folder / f"{block.name}.json")


def run_and_report(block, root, build):
    label = block.name or block.where
    print(f"{label} ({block.tag}) ...", flush=True)
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    revision = commit(root)
    code, seconds, output = run_block(block, root, build)
    value, checked, passed = judge(block, code, output)
    if block.name:
        keep_result(block, root, {
            "name": block.name, "tag": block.tag, "command": block.text, "commit": revision,
            "date": date, "cpu": cpu_name(), "cores": len(os.sched_getaffinity(0)),
            "exit_code": code, "wall_seconds": round(seconds, 3), "passed": passed,
            "claims": checked, "output": value})
    if not passed:
        sys.stdout.write(output)
    for claim in checked:
        print(f"  {'holds' if claim['holds'] else 'FAILS'}: {claim['claim']}")
    print(f"  {'passed' if passed else 'FAILED'}: {block.where}, exit code {code}, {seconds:.1f} s",
          flush=True)
    return passed


# --- command line ---------------------------------------------------------------------------------

def select(blocks, name, all_proofs, tag):
    """The blocks that were asked for; None when the name is unknown."""
    if all_proofs:
        return [block for block in blocks if block.tag == "proof"]
    if tag:
        return [block for block in blocks if block.tag == tag]
    if name:
        return [block for block in blocks if block.name == name] or None
    return [block for block in blocks if block.name]


def main(arguments=None):
    parser = argparse.ArgumentParser(usage=__doc__, add_help=False)
    parser.add_argument("action", choices=("check", "names", "run"))
    parser.add_argument("name", nargs="?")
    parser.add_argument("--all-proofs", action="store_true")
    parser.add_argument("--tag", choices=("quick",))
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--root", type=Path, default=ROOT)
    args = parser.parse_args(arguments)

    blocks, problems = read_blocks(args.root)
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 1
    if args.action == "check":
        return 0

    chosen = select(blocks, args.name, args.all_proofs, args.tag)
    if chosen is None:
        print(f"unknown name {args.name!r}; known are:", file=sys.stderr)
        for block in sorted(select(blocks, None, False, None), key=lambda block: block.name):
            print(f"  {block.name} ({block.tag}, {block.where})", file=sys.stderr)
        return 2
    if args.action == "names":
        if not args.name and not args.all_proofs:
            print("\n".join(f"{block.name} ({block.tag}, {block.where})" for block in chosen))
        return 0
    if not (args.name or args.all_proofs or args.tag):
        parser.error("run needs a name, --all-proofs or --tag quick")

    failed = [block for block in chosen
              if not run_and_report(block, args.root.resolve(), args.build.resolve())]
    print(f"{len(chosen) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
