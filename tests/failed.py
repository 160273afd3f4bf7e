#!/usr/bin/python3
"""What failed in a run of tests/run.sh, once more and short: its last lines are all that some see.

    failed.py LOG-OR-JUNIT...    the failed tests of each, the first ones with the end of their output

A step that ctest did not run has its log named, whose end is shown."""

import pathlib
import sys
import xml.etree.ElementTree

TESTS_SHOWN = 4
LINES = 24
# cmocka's words on what went well.
FINE = ("[ RUN      ]", "[       OK ]", "[==========]", "[  PASSED  ]")


def end_of(output):
    lines = [line for line in output.splitlines() if line.strip() and not line.startswith(FINE)]
    return lines[-LINES:]


def failures(path):
    """Names and outputs."""
    if path.suffix != ".xml":
        return [(path.stem, path.read_text(encoding="utf-8", errors="replace"))]
    cases = xml.etree.ElementTree.parse(path).getroot().iter("testcase")
    return [(f"{path.stem}: {case.get('name')}", case.findtext("system-out") or "")
            for case in cases if case.find("failure") is not None]


def main():
    failed = [failure for name in sys.argv[1:] for failure in failures(pathlib.Path(name))]
    for i, (name, output) in enumerate(failed):
        print(f"FAILED: {name}")
        for line in end_of(output) if i < TESTS_SHOWN else ():
            print(f"    {line[:200]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
