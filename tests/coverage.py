"""Coverage of the product from a gcc build with counters (preset coverage) whose tests have run.

    coverage.py BUILD             lines and branches per folder, then each floor of analysis/coverage.txt
    coverage.py BUILD FILE...     the lines of these files that never ran, and those with a branch never taken

Fails when a floor is missed, or when a file of the list was never compiled.
"""
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile

FOLDERS = ("base", "crypto", "store", "sync", "node", "cli")
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def assertion_lines(path):
    """Numbers of the lines from a CHECK( to the bracket that closes it."""
    found, depth = set(), 0
    with open(os.path.join(ROOT, path), encoding="utf-8") as source:
        for number, text in enumerate(source, 1):
            start = re.search(r"\bCHECK\(", text)
            if depth == 0 and start is None:
                continue
            text = text if depth else text[start.end() - 1:]
            depth += text.count("(") - text.count(")")
            found.add(number)
    return found


class File:
    def __init__(self, path):
        self.lines = {}
        self.branches = {}
        self.asserted = assertion_lines(path)

    def add(self, line):
        number = line["line_number"]
        self.lines[number] = self.lines.get(number, 0) + line["count"]
        if number in self.asserted:
            return
        taken = [branch["count"] for branch in line["branches"]]
        before = self.branches.get(number)
        # A header is compiled more than once, each time with the same branches; else they are of different functions.
        if before is not None and len(before) == len(taken):
            taken = [a + b for a, b in zip(before, taken)]
        elif before is not None:
            taken = before + taken
        if taken:
            self.branches[number] = taken

    def line_counts(self):
        return sum(1 for n in self.lines.values() if n), len(self.lines)

    def branch_counts(self):
        every = [n for taken in self.branches.values() for n in taken]
        return sum(1 for n in every if n), len(every)


def objects(build):
    for folder in FOLDERS:
        for at, _, names in os.walk(os.path.join(build, "CMakeFiles", folder + ".dir")):
            for name in names:
                if name.endswith(".gcno"):
                    yield os.path.abspath(os.path.join(at, name))


def read(build):
    files = {}
    with tempfile.TemporaryDirectory() as scratch:
        for notes in objects(build):
            subprocess.run(["gcov", "--json-format", "--branch-probabilities", notes], cwd=scratch, check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for name in os.listdir(scratch):
                with gzip.open(os.path.join(scratch, name), "rt", encoding="utf-8") as report:
                    take(files, json.load(report))
                os.remove(os.path.join(scratch, name))
    return files


def take(files, report):
    for entry in report["files"]:
        path = os.path.relpath(os.path.join(report["current_working_directory"], entry["file"]), ROOT)
        if entry["file"].startswith("/") and not os.path.exists(entry["file"]):
            path = entry["file"].lstrip("/")
        if path.split("/")[0] not in FOLDERS:
            continue
        if path not in files:
            files[path] = File(path)
        for line in entry["lines"]:
            files[path].add(line)


def percent(part, whole):
    return 100.0 * part / whole if whole else 0.0


def total(counts):
    pairs = list(counts)
    return sum(part for part, _ in pairs), sum(whole for _, whole in pairs)


def show_folders(files):
    print(f"{'folder':10} {'lines':>22} {'branches':>22}")
    for folder in FOLDERS:
        own = [f for path, f in files.items() if path.startswith(folder + "/")]
        lines, branches = total(f.line_counts() for f in own), total(f.branch_counts() for f in own)
        print(f"{folder:10} {percent(*lines):6.1f} % of {lines[1]:6}     {percent(*branches):6.1f} % of {branches[1]:6}")


def floors():
    with open(os.path.join(ROOT, "tests/analysis/coverage.txt"), encoding="utf-8") as listed:
        for text in listed:
            if text.strip() and not text.startswith("#"):
                kind, least, path = text.split()
                yield kind, float(least), path


def check_floors(files):
    missed = 0
    for kind, least, path in floors():
        own = [f for name, f in files.items() if name == path or (path.endswith("/") and name.startswith(path))]
        counts = total(f.line_counts() if kind == "lines" else f.branch_counts() for f in own)
        ok = percent(*counts) >= least
        missed += not ok
        print(f"{'ok' if ok else 'FAILED':8}{kind:9}{path:26}{percent(*counts):6.1f} % of {counts[1]:5}, floor {least:.0f} %")
    print(f"{missed} floors missed")
    return missed == 0


def show_gaps(path, entry):
    with open(os.path.join(ROOT, path), encoding="utf-8") as source:
        text = source.read().split("\n")
    for number in sorted(entry.lines):
        taken = entry.branches.get(number, [])
        if entry.lines[number] == 0 or 0 in taken:
            print(f"{path}:{number}: {entry.lines[number]:>9} {taken!s:20} {text[number - 1].strip()}")


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    files = read(sys.argv[1])
    for path in sys.argv[2:]:
        show_gaps(path, files[path])
    if len(sys.argv) > 2:
        return 0
    show_folders(files)
    return 0 if check_floors(files) else 1


sys.exit(main())
