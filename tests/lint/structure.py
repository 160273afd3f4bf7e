#!/usr/bin/python3
"""The folders stand in one order, and what is in them keeps to it.

    structure.py [LIBRARY...]     from anywhere; the libraries of a build add what symbols show

A file includes only its own folder or one before it in ORDER, and calls nothing else; no two modules
include each other, whichever way round; a folder has at most MODULES_MAX modules (a stem: a source,
its header, or one of them alone), and a stem is there once. A header's first comment and its guard
name it. An exported name begins with the stem of its source or of the header that declares it.

Each rule has a tree in SPOILED that breaks it, and it must be complained about."""

import re
import subprocess
import sys

from sources import LAYERS, look, report

ORDER = """core/base core/store
gossip/wire gossip/sealing gossip/membership gossip/replication gossip/repair gossip
net/sys net/crypto net/http net/out net/link net/watch net/discovery net/access net/api net/load net
cmd/base cmd/settings cmd/launch cmd/client cmd""".split()
MODULES_MAX = 20
INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
# What several sources share declares what each of them does for the others: see its first comment.
SHARED = "_state"


def folder_of(path):
    return path.rpartition("/")[0]


def stem_of(path):
    return path.rpartition("/")[2].rpartition(".")[0]


def check_folders(files):
    found, places = [], {}
    for path in sorted(files):
        if folder_of(path) not in ORDER:
            found.append(f"{path}: its folder has no place in the order")
        places.setdefault(stem_of(path), set()).add(folder_of(path))
    found += [f"{stem}: is in {' and in '.join(sorted(folders))}"
              for stem, folders in sorted(places.items()) if len(folders) > 1]
    for folder in ORDER:
        count = sum(folder in folders for folders in places.values())
        if count > MODULES_MAX:
            found.append(f"{folder}: {count} modules, {MODULES_MAX} are allowed")
    return found


def check_includes(files):
    found = []
    for path, text in sorted(files.items()):
        for other in INCLUDE.findall(text):
            if other not in files:
                found.append(f"{path}: includes {other}, which is not there")
            elif ORDER.index(folder_of(other)) > ORDER.index(folder_of(path)):
                found.append(f"{path}: includes {other}, which stands above it")
    return found


def circles(graph):
    """The strongly connected parts of more than one node (Tarjan, 1972)."""
    number, low, stack, found = {}, {}, [], []

    def visit(node):
        number[node] = low[node] = len(number)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in number:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == number[node]:
            at = stack.index(node)
            part = stack[at:]
            del stack[at:]
            if len(part) > 1:
                found.append(sorted(part))

    for node in sorted(graph):
        if node not in number:
            visit(node)
    return found


def check_circles(files):
    graph = {}
    for path, text in files.items():
        others = {stem_of(other) for other in INCLUDE.findall(text)} - {stem_of(path)}
        graph.setdefault(stem_of(path), set()).update(others)
    return ["these include each other: " + ", ".join(part) for part in circles(graph)]


def check_headers(files):
    found = []
    for path, text in sorted(files.items()):
        guard = re.sub(r"\W", "_", path).upper()
        if path.endswith(".h") and f"\n#ifndef {guard}\n#define {guard}\n" not in text:
            found.append(f"{path}: its guard is not {guard}")
        if path.endswith(".h") and not text.startswith(f"/*\n * {stem_of(path)}: "):
            found.append(f"{path}: its first comment does not begin with its name")
    return found


def has_prefix(name, stem):
    return re.match(rf"{stem}(_|$)", name, re.IGNORECASE) is not None


def check_symbols(files, symbols):
    """`symbols` are (stem, kind, name) as nm has them; U is used there, any other is defined."""
    found = []
    places = {stem_of(path): folder_of(path) for path in files}
    homes = {name: stem for stem, kind, name in symbols if kind != "U" and stem in places}
    for stem, kind, name in sorted(symbols):
        if kind == "U" and stem in places and name in homes:
            here, there = places[stem], places[homes[name]]
            if ORDER.index(there) > ORDER.index(here):
                found.append(f"{here}/{stem}: uses {name} of {there}/{homes[name]}, above it")
    for name, stem in sorted(homes.items()):
        if has_prefix(name, stem):
            continue
        if not any(has_prefix(name, stem_of(path).removesuffix(SHARED)) for path in files
                   if path.endswith(".h") and re.search(rf"\b{name}\b", files[path])):
            found.append(f"{places[stem]}/{stem}: exports {name} without its prefix")
    return found


def check(files, symbols=()):
    found = check_folders(files)
    if found:
        return found  # the other rules need to know where everything stands
    return (check_includes(files) + check_circles(files) + check_headers(files) +
            check_symbols(files, symbols))


def header(path, *lines):
    guard = re.sub(r"\W", "_", path).upper()
    return "\n".join([f"/*\n * {stem_of(path)}: it.\n */", f"#ifndef {guard}", f"#define {guard}",
                      *lines, "#endif", ""])


def tree(**changes):
    """A small tree that nothing is wrong with, but for the changes."""
    files = {path: header(path) for path in ("core/base/a.h", "gossip/b.h", "gossip/wire/c.h")}
    files["core/base/a.c"] = '#include "core/base/a.h"\n'
    files |= {path.replace("__", "/").replace("_dot_", "."): text for path, text in changes.items()}
    return files


USES = '#include "{}"\n'
SPOILED = {
    "a file in no folder of the order": (tree(core__new__d_dot_c=""), ()),
    "a stem twice": (tree(net__http__a_dot_c=""), ()),
    "a large folder": (tree(**{f"net__api__m{i}_dot_c": "" for i in range(MODULES_MAX + 1)}), ()),
    "an include against the order": (tree(core__base__d_dot_c=USES.format("gossip/b.h")), ()),
    "an include that is not there": (tree(core__base__d_dot_c=USES.format("core/base/e.h")), ()),
    "a subfolder that includes what is over it":
        (tree(gossip__wire__d_dot_c=USES.format("gossip/b.h")), ()),
    "two that include each other":
        (tree(gossip__d_dot_c=USES.format("gossip/b.h"), gossip__d_dot_h=header("gossip/d.h"),
              gossip__b_dot_c=USES.format("gossip/d.h")), ()),
    "a guard of another place": (tree(core__base__d_dot_h=header("core/store/d.h")), ()),
    "a first comment of another name":
        (tree(core__base__d_dot_h=header("core/base/d.h").replace("* d:", "* e:")), ()),
    "a symbol against the order":
        (tree(gossip__b_dot_c=""), [("a", "U", "b_do"), ("b", "T", "b_do")]),
    "a name without its prefix": (tree(), [("a", "T", "do_it")]),
    "a name with another's prefix": (tree(), [("a", "T", "b_do")]),
}
SOUND = [("b", "U", "a_do"), ("a", "T", "a_do"), ("b", "U", "memcpy"), ("a", "R", "A_TABLE")]


def symbols_of(libraries):
    symbols = []
    for library in libraries:
        out = subprocess.run(["nm", library], check=True, capture_output=True, text=True).stdout
        stem = ""
        for line in out.splitlines():
            member = re.fullmatch(r"(\w+)\.c\.o:", line)
            symbol = re.fullmatch(r"[0-9a-f ]* ([BCDRTUVW]) (\w+)", line)
            if member:
                stem = member.group(1)
            elif symbol and not symbol.group(2).startswith("__"):
                symbols.append((stem, symbol.group(1), symbol.group(2)))
    return symbols


def main():
    found = []
    if check(tree(), SOUND):
        found.append("the lint complains of a tree that is as it should be")
    found += [f"the lint lets through: {name}" for name, spoiled in SPOILED.items()
              if not check(*spoiled)]
    symbols = symbols_of(sys.argv[1:])
    if sys.argv[1:] and not symbols:
        found.append(f"{' '.join(sys.argv[1:])} have no symbols: nothing to look at")
    return report(found + check(look(LAYERS, ".c", ".h"), symbols))


if __name__ == "__main__":
    sys.exit(main())
