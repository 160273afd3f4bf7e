#!/usr/bin/python3
"""At most BRANCHES_MAX ways through a function, as pmccabe counts them with a switch for one.

Exit code 77 without pmccabe."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from sources import LAYERS, TOP, look, report

BRANCHES_MAX = 15
# A walk of invariants is a row of ASSERTs, each of which counts; nothing is decided there.
WALK = re.compile(r"\w+_check")


def measure(paths):
    """(path, function, ways) of all functions in the files."""
    out = subprocess.run(["pmccabe", *map(str, paths)], check=True, capture_output=True, text=True)
    for line in out.stdout.splitlines():
        ways, *_, place, name = line.split("\t")[0:1] + line.split("\t")[5].split(": ")
        yield place.rpartition("(")[0], name, int(ways)


def check(measured):
    return [f"{path}: {name} has {ways} ways through it, {BRANCHES_MAX} are allowed"
            for path, name, ways in measured if ways > BRANCHES_MAX and not WALK.fullmatch(name)]


def example(ifs, switches, name="example"):
    cases = "".join(f"    case {i}:\n        b();\n        break;\n" for i in range(30))
    return (f"void {name}(int a)\n{{\n" + "    if (a) {\n        b();\n    }\n" * ifs +
            f"    switch (a) {{\n{cases}    }}\n" * switches + "}\n")


def broken():
    """What the lint gets wrong about the functions written to test it."""
    wanted = {"a long switch": (example(3, 1), 0), "many branches": (example(16, 0), 1),
              "a walk": (example(16, 0, "x_check"), 0)}
    found = []
    with tempfile.TemporaryDirectory(prefix="repram-branches-") as folder:
        for what, (text, count) in wanted.items():
            path = pathlib.Path(folder) / "example.c"
            path.write_text(text, encoding="utf-8")
            if len(check(measure([path]))) != count:
                found.append(f"the lint is wrong about {what}")
    return found


def main():
    if shutil.which("pmccabe") is None:
        print("SKIPPED: pmccabe is not installed")
        return 77
    return report(broken() + check(measure(TOP / path for path in look(LAYERS, ".c"))))


if __name__ == "__main__":
    sys.exit(main())
