#!/usr/bin/python3
"""Files that comments and documents name are there.

A path (`gossip/wire/frame.h`, `tests/sim`, `net/http/http_input` for the module) must exist, with its
ending or without; a bare `frame.h` or `frame.c` must be the name of some file. `*` and `<name>` stand
for anything. In sources only comments are read. CHANGELOG.md speaks of what was.

WRONG has a line for each thing that must be complained about, RIGHT for each that must not."""

import fnmatch
import pathlib
import re
import subprocess
import sys

from sources import TOP, report

PATH = re.compile(r"(?<![\w/.$}<>:-])((?:core|gossip|net|cmd|tests|fade|clients|docs|deploy|\.ci)"
                  r"/[\w./*<>-]*[\w*>])")
BARE = re.compile(r"(?<![\w/.$}<>*\\-])([a-z]\w*\.[ch])(?![\w(])")
# Of others, or made by the build; and words with a stroke between them.
FOREIGN = {"llhttp.c", "llhttp.h", "sysexits.h", "page_data.c"}
ANY = re.compile(r"<[^>]*>")
SKIPPED = re.compile(r"corpus/|package-lock|^CHANGELOG\.md$|\.(png|svg|ico)$|^tests/lint/|"
                     r"^tests/mutation/check\.py$")


def comments(text):
    """Only the comments of C, line by line, so that numbers stay right."""
    kept = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|\n|.', re.DOTALL)
    return "".join(m.group() if m.group().startswith(("/*", "//")) else
                   "\n" * m.group().count("\n") for m in kept.finditer(text))


def is_there(name, files, folders):
    name = ANY.sub("*", name).rstrip(".")
    if "*" in name:
        return bool(fnmatch.filter(files, name) or fnmatch.filter(files, name + "*"))
    return (name.rstrip("/") in folders or name in files or
            any(name + ending in files for ending in (".c", ".h", ".py", ".sh", ".md")))


def check_text(path, text, files, folders, names):
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        for name in PATH.findall(line):
            if name not in FOREIGN and not is_there(name, files, folders):
                found.append(f"{path}:{number}: names {name}, which is not there")
        for name in BARE.findall(line):
            if name not in FOREIGN and name not in names:
                found.append(f"{path}:{number}: names {name}, which is not there")
    return found


WRONG = ["see gossip/wire/absent.h", "as core/base/absent says", "`absent.c` does it",
         "tests/unit/test_absent.c", "net/http/absent_*.c", "docs/absent.md."]
RIGHT = ["see gossip/wire/frame.h, and gossip/wire/frame.", "the parts of net/http", "`frame.c`",
         "/proc/sys/net/ipv4/tcp_wmem", "repram-gossip/1", "net/discovery/provider_<name>.c",
         "tests/fuzz/fuzz_<stem>.c", "(tests/sim/same.sh)", r"a\ta.c"]


def main():
    listed = subprocess.run(["git", "-C", TOP, "ls-files"], capture_output=True, text=True)
    if listed.returncode != 0:
        print("SKIPPED: this is no checkout")
        return 77
    files = {name for name in listed.stdout.splitlines() if (TOP / name).is_file()}
    folders = {str(parent) for name in files for parent in pathlib.PurePath(name).parents}
    names = {name.rpartition("/")[2] for name in files}
    found = [f"the lint lets through: {line}" for line in WRONG
             if not check_text("x", line, files, folders, names)]
    found += [f"the lint complains of: {line}" for line in RIGHT
              if check_text("x", line, files, folders, names)]
    for path in sorted(files):
        if SKIPPED.search(path):
            continue
        try:
            text = (TOP / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if path.endswith((".c", ".h")):
            text = comments(text)
        found += check_text(path, text, files, folders, names)
    return report(found)


if __name__ == "__main__":
    sys.exit(main())
