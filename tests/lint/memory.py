#!/usr/bin/python3
"""Every module that allocates has a test in which its memory fails.

    memory.py LIBRARY PROGRAM SITES...     three arguments for each layer

LIBRARY is asked (nm) which of its objects call what may find no memory, and which call
core/base/mem.h, which ends the process then. SITES is what PROGRAM, a test_no_memory_* with
tests/unit/failing_alloc.c in it, has written of the places where a call failed or a child ended.
A module is a source; what it calls of each of the two kinds must have been met at one place at least.

EXCUSED names what no such test can reach, with the reason. A rule that does not complain about
SPOILED is broken itself."""

import collections
import pathlib
import re
import subprocess
import sys

FALLIBLE = re.compile(
    r"malloc|calloc|realloc|strdup"
    r"|event(_base)?_new|bufferevent_\w*new\w*|evbuffer_(new|add\w*|reserve_space|expand|pullup)"
    r"|SSL_(CTX_)?new|cJSON_(Parse|Create|Print|Add|Duplicate)\w*")
CERTAIN = re.compile(r"mem_new|mem_resize")
EXCUSED = {
    ("mem", "failed"): "whoever calls it is tried: a child without memory must end there",
}


def said_by(*command, text=None):
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def kinds_wanted(symbols):
    """From the text of nm -A to {module: kinds}."""
    wanted = collections.defaultdict(set)
    for line in symbols.splitlines():
        found = re.fullmatch(r"\S*?([\w-]+)\.c\.o:\s+U (\w+)", line)
        if found and FALLIBLE.fullmatch(found[2]):
            wanted[found[1]].add("failed")
        elif found and CERTAIN.fullmatch(found[2]):
            wanted[found[1]].add("ended")
    return wanted


def kinds_seen(program, sites):
    """The same, from what the program has written. A place is where a call returns to."""
    base = int(next(line.split()[0] for line in said_by("nm", program).splitlines()
                    if line.endswith(" __executable_start")), 16)
    places = [line.split() for line in pathlib.Path(sites).read_text().splitlines()]
    lines = said_by("addr2line", "-e", program,
                    text="\n".join(hex(base + int(at, 16) - 1) for _, at in places)).splitlines()
    seen = collections.defaultdict(set)
    for (kind, _), line in zip(places, lines, strict=True):
        seen[pathlib.PurePath(line.rpartition(":")[0]).stem].add(kind)
    return seen


def unseen(wanted, seen):
    said = {"failed": "no test fails an allocation of its own",
            "ended": "no test has it call core/base/mem.h without memory"}
    found = [f"{module}: {said[kind]}" for module, kinds in sorted(wanted.items())
             for kind in sorted(kinds) if kind not in seen.get(module, ())
             and (module, kind) not in EXCUSED]
    return found


SPOILED = """libx.a:blob.c.o:                 U malloc
libx.a:blob.c.o:                 U memcpy
libx.a:slab.c.o:                 U mem_resize
libx.a:http_conn.c.o:                 U bufferevent_socket_new
libx.a:store.c.o:                 U strlen
"""


def check_itself():
    wanted = kinds_wanted(SPOILED)
    assert dict(wanted) == {"blob": {"failed"}, "slab": {"ended"}, "http_conn": {"failed"}}, wanted
    assert len(unseen(wanted, {})) == 3
    assert len(unseen(wanted, {"blob": {"ended"}, "slab": {"ended"}})) == 2
    assert unseen(wanted, {"blob": {"failed"}, "slab": {"ended"}, "http_conn": {"failed"}}) == []


def main(arguments):
    check_itself()
    assert arguments and len(arguments) % 3 == 0, __doc__
    found, modules, needed = [], 0, set()
    for library, program, sites in zip(*[iter(arguments)] * 3):
        wanted, seen = kinds_wanted(said_by("nm", "-A", library)), kinds_seen(program, sites)
        assert wanted, f"{library}: no module allocates"
        needed |= {(module, kind) for module, kinds in wanted.items() for kind in kinds
                   if kind not in seen.get(module, ())}
        modules += len(wanted)
        found += unseen(wanted, seen)
    found += [f"{module}: is excused, and was {kind}" for module, kind in EXCUSED
              if (module, kind) not in needed]
    print("\n".join(found) or f"{modules} modules that allocate: memory has failed in each")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
