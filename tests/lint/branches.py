#!/usr/bin/python3
"""At most BRANCHES_MAX ways through a function, as pmccabe counts them with a switch for one.

Functions that have more today stand in ALLOWED, with their number and the reason, and may not grow.
A line that is no longer needed is a fault too. Exit code 77 without pmccabe."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
BRANCHES_MAX = 15
# A walk of invariants is a row of ASSERTs, each of which counts; nothing is decided there.
WALK = re.compile(r"\w+_check")
ALLOWED = {
    "take_packet": (31, "one line for each kind of packet and each proof of its sender"),
    "fill_header": (26, "what each kind of packet carries of this node"),
    "http_output_flush": (19, "where the socket stops, in each phase"),
    "read_section": (19, "each type of section, its length and its contents"),
    "take_card": (19, "when a card is news; view.h has the order of statements"),
    "serve": (18, "what may be due of a member's timer, in its order"),
    "startup_begin": (18, "each thing that ends a start, with its own exit code"),
    "clock_source_may_found": (17, "each thing that keeps a node from founding a clock"),
    "packet_in_take": (17, "what makes a packet a stranger's, our own or a member's"),
    "utf8_sequence": (17, "the table of RFC 3629, section 4"),
}


def measure(paths):
    """(path, function, ways) of all functions in the files."""
    out = subprocess.run(["pmccabe", *map(str, paths)], check=True, capture_output=True, text=True)
    for line in out.stdout.splitlines():
        ways, *_, place, name = line.split("\t")[0:1] + line.split("\t")[5].split(": ")
        yield place.rpartition("(")[0], name, int(ways)


def check(measured, allowed):
    found, seen = [], set()
    for path, name, ways in measured:
        if ways <= BRANCHES_MAX or WALK.fullmatch(name):
            continue
        seen.add(name)
        if ways > allowed.get(name, (0, ""))[0]:
            found.append(f"{path}: {name} has {ways} ways through it, {BRANCHES_MAX} are allowed")
    return found + [f"{name} needs no allowance any more" for name in sorted(set(allowed) - seen)]


def example(ifs, switches, name="example"):
    cases = "".join(f"    case {i}:\n        b();\n        break;\n" for i in range(30))
    return (f"void {name}(int a)\n{{\n" + "    if (a) {\n        b();\n    }\n" * ifs +
            f"    switch (a) {{\n{cases}    }}\n" * switches + "}\n")


def broken():
    """What the lint gets wrong about the functions written to test it."""
    wanted = {"a long switch": (example(3, 1), {}, 0), "many branches": (example(16, 0), {}, 1),
              "a walk": (example(16, 0, "x_check"), {}, 0),
              "an allowance": (example(16, 0), {"example": (17, "why")}, 0),
              "one that grew": (example(17, 0), {"example": (17, "why")}, 1),
              "one that is not needed": (example(1, 0), {"example": (17, "why")}, 1)}
    found = []
    with tempfile.TemporaryDirectory(prefix="repram-branches-") as folder:
        for what, (text, allowed, count) in wanted.items():
            path = pathlib.Path(folder) / "example.c"
            path.write_text(text, encoding="utf-8")
            if len(check(measure([path]), allowed)) != count:
                found.append(f"the lint is wrong about {what}")
    return found


def main():
    if shutil.which("pmccabe") is None:
        print("SKIPPED: pmccabe is not installed")
        return 77
    paths = [path for top in ("core", "gossip", "net", "cmd") for path in (TOP / top).rglob("*.c")]
    found = broken() + check(measure(sorted(paths)), ALLOWED)
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
