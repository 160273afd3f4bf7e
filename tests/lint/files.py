#!/usr/bin/python3
"""Sizes and words: functions up to 70 lines, files up to 600 unless their first comment says why
("past 600 lines"), no words that promise work for later, every header opens with a comment."""

import re
import sys

from sources import LAYERS, lines_with, look, report

FUNCTION_LINES_MAX = 70
LINES_MAX = 600
PROMISES = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def long_functions(path, text):
    """A function opens with a brace in the first column, after a line that ends its parameters."""
    found, head, start = [], "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"[A-Za-z_].*\)\s*$", line):
            head = line
        elif line.startswith("{"):
            start = number
        elif line.startswith("}"):
            if start and number - start > FUNCTION_LINES_MAX:
                found.append(f"{path}:{start}: {number - start} lines, {FUNCTION_LINES_MAX} are "
                             f"allowed: {head}")
            start = 0
    return found


def check(files):
    found = [f"words that promise instead of doing: {line}" for line in lines_with(files, PROMISES)]
    for path, text in files.items():
        lines = text.splitlines()
        found += long_functions(path, text)
        if len(lines) > LINES_MAX and "past 600 lines" not in "\n".join(lines[:40]).lower():
            found.append(f"{path}: {len(lines)} lines, and does not say why")
        if path.endswith(".h") and path.startswith(LAYERS) and not text.startswith("/*"):
            found.append(f"{path}: does not open with a comment")
    return found


def main():
    folders = (*LAYERS, *(f"tests/{name}" for name in ("unit", "sim", "fuzz", "bench", "integration")))
    return report(check(look(folders, ".c", ".h")))


if __name__ == "__main__":
    sys.exit(main())
