#!/usr/bin/python3
"""How many lines and branches of the program the unit, sim and integration tests run, by folder, and
which lines of core and gossip none of them does.

    coverage.py            builds the preset `coverage`, runs the tests, and prints both
    coverage.py --read     of the tests that ran last

It fails when a test does, or when fewer than LINES_MIN of a hundred lines of core or of gossip ran.
Branches of an ASSERT are left out: no test takes the other one. A process that is killed, or ends with
_exit(), does not say what it ran; nodes and launchers are ended by SIGTERM, which they survive."""

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[1]
BUILD = TOP / "build/coverage"
LAYERS = ("core", "gossip", "net", "cmd")
LINES_MIN = {"core": 90, "gossip": 90}
LABELS = "^(unit|sim|integration)$"


class Counts:
    """How often each line of a file ran, and how often each way out of it was taken."""

    def __init__(self):
        self.lines = collections.Counter()
        self.branches = {}
        self.functions = {}

    def add(self, line):
        """A line of one object file; a header's are in many."""
        number, taken = line["line_number"], [branch["count"] for branch in line["branches"]]
        self.lines[number] += line["count"]
        self.functions.setdefault(number, line.get("function_name", ""))
        known = self.branches.setdefault(number, taken)
        if known is not taken and len(known) == len(taken):
            self.branches[number] = [a + b for a, b in zip(known, taken)]

    def leave_out_asserts(self, text):
        is_inside = False
        for number, line in enumerate(text.splitlines(), 1):
            is_inside = is_inside or line.lstrip().startswith("ASSERT(")
            if is_inside:
                self.branches.pop(number, None)
            is_inside = is_inside and not line.rstrip().endswith(";")


def run_tests(jobs):
    for name in ("cmake", "ctest", "gcov", "ninja"):
        if shutil.which(name) is None:
            sys.exit(f"coverage.py: {name} is not installed")
    for command in (["cmake", "--preset", "coverage"],
                    ["cmake", "--build", "--preset", "coverage", f"-j{os.cpu_count()}"]):
        subprocess.run(command, cwd=TOP, check=True)
    for path in BUILD.rglob("*.gcda"):
        path.unlink()
    return subprocess.run(["ctest", "--preset", "coverage", "-L", LABELS, f"-j{jobs}"], cwd=TOP,
                          check=False).returncode == 0


def read_counts(build):
    """{path: Counts} of every source of the program, as gcov has it."""
    notes = [str(path) for layer in (*LAYERS, "repram")
             for path in sorted((build / f"CMakeFiles/{layer}.dir").rglob("*.gcno"))]
    if not notes:
        sys.exit(f"there is no build in {build}")
    found = collections.defaultdict(Counts)
    for first in range(0, len(notes), 50):
        done = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities",
                               *notes[first:first + 50]], cwd=build, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if done.returncode != 0:
            sys.exit(f"coverage.py: gcov cannot read the build in {build}, which may not be whole")
        for report in done.stdout.splitlines():
            for file in json.loads(report)["files"]:
                path = os.path.relpath(os.path.join(build, file["file"]), TOP)
                if path.startswith(LAYERS):
                    for line in file["lines"]:
                        found[path].add(line)
    for path, counts in found.items():
        counts.leave_out_asserts((TOP / path).read_text(encoding="utf-8"))
    return found


def sums(files):
    """(lines run, lines, branches taken, branches) of Counts."""
    lines = [count for counts in files for count in counts.lines.values()]
    ways = [way for counts in files for taken in counts.branches.values() for way in taken]
    return sum(map(bool, lines)), len(lines), sum(map(bool, ways)), len(ways)


def table(found):
    """Rows for each layer, and for each folder in it."""
    folders = {layer: [] for layer in LAYERS}
    for path, counts in sorted(found.items()):
        layer, folder = path.partition("/")[0], path.rpartition("/")[0]
        folders[layer].append(counts)
        if folder != layer:
            folders.setdefault(folder, []).append(counts)
    rows = []
    for name in sorted(folders, key=lambda name: (LAYERS.index(name.partition("/")[0]), name)):
        run, lines, taken, ways = sums(folders[name])
        rows.append((name, run, lines, 100 * run / max(lines, 1), taken, ways,
                     100 * taken / max(ways, 1)))
    return rows


def missed(counts):
    """'12, 15-17 (function)' for every function with lines that never ran."""
    by_function = {}
    numbers = sorted(counts.lines)
    for at, number in enumerate(numbers):
        if counts.lines[number] == 0:
            ranges = by_function.setdefault(counts.functions[number], [])
            if ranges and at > 0 and ranges[-1][1] == numbers[at - 1]:
                ranges[-1][1] = number
            else:
                ranges.append([number, number])
    for function, ranges in by_function.items():
        yield ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges) + f" ({function})"


def check_itself():
    """A header's line in two objects, an ASSERT over two lines, a gap in a range that has no code."""
    def line(number, count, *taken):
        return {"line_number": number, "count": count, "function_name": "f",
                "branches": [{"count": times} for times in taken]}

    counts = Counts()
    for each in (line(1, 0, 0, 3), line(1, 2, 1, 0), line(2, 0, 0, 5), line(3, 0, 0, 5),
                 line(5, 0), line(6, 1, 1, 0), line(7, 0)):
        counts.add(each)
    counts.leave_out_asserts("a ? b : c\nASSERT(a &&\n       b);\n\nx\nif (y)\nz\n")
    assert list(missed(counts)) == ["2-5, 7 (f)"], list(missed(counts))
    assert sums([counts]) == (2, 6, 3, 4), sums([counts])


def positive(word):
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word} is not 1 or more")
    return number


def main():
    check_itself()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--read", action="store_true", help="of the tests that ran last")
    parser.add_argument("--jobs", type=positive, default=os.cpu_count(),
                        help="tests at a time")
    arguments = parser.parse_args()
    is_good = arguments.read or run_tests(arguments.jobs)
    found = read_counts(BUILD)
    print(f"{'folder':20} {'lines run':>15} {'':>7} {'branches taken':>17}")
    for name, run, lines, of_lines, taken, ways, of_ways in table(found):
        print(f"{name:20} {run:7} of {lines:5} {of_lines:5.1f} % {taken:7} of {ways:6} {of_ways:5.1f} %")
    print("\nLines of core and gossip that no test runs:")
    for path, counts in sorted(found.items()):
        if re.match("(core|gossip)/", path):
            for text in missed(counts):
                print(f"  {path}: {text}")
    for layer, least in LINES_MIN.items():
        run, lines, *_ = sums([counts for path, counts in found.items()
                               if path.startswith(f"{layer}/")])
        if 100 * run < least * lines:
            print(f"FAILED: of {layer} {100 * run / max(lines, 1):.1f} % of the lines ran, {least} % "
                  "are wanted")
            is_good = False
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
