#!/usr/bin/python3
"""Every module that allocates has a test in which its memory fails.

    memory.py LIBRARY... PROGRAM.sites...     of a program's sites the program is beside them

Each LIBRARY (.a) is asked (nm) which of its objects call what may find no memory, and which call
core/base/mem.h, which ends the process then. The sites are what a program test_no_memory_*, with
tests/unit/failing_alloc.c in it, has written of the places where a call failed or a child ended.
A module is a source; what it calls of each of the two kinds must have been met at one place at least.
Events and buffers of libevent may be of either kind, as their callers please.

EXCUSED names what no such test can reach, with the reason. A rule that does not complain about
SPOILED is broken itself."""

import collections
import pathlib
import re
import subprocess
import sys

FALLIBLE = re.compile(
    r"malloc|calloc|realloc|strdup"
    r"|event_base_new|bufferevent_\w*new\w*|evbuffer_(add\w*|reserve_space|expand|pullup)"
    r"|SSL_(CTX_)?new|cJSON_(Parse|Create|Print|Add|Duplicate)\w*")
CERTAIN = re.compile(r"mem_new|mem_resize")
EITHER = re.compile(r"event_new|evbuffer_new")
# Commands that talk to a server, for which unit tests have none.
COMMANDS = """acl_command bench_report client client_bench client_data client_export client_health client_import
client_keys client_peers client_show client_wait client_watch export_page launch node_command transfer""".split()
EXCUSED = {
    **{(module, kind): "integration tests run it" for module in COMMANDS
       for kind in ("failed", "ended")},
    ("mem", "failed"): "its callers are: the child that has no memory there must end",
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
        elif found and EITHER.fullmatch(found[2]):
            wanted[found[1]].add("either")
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
        seen[pathlib.PurePath(line.rpartition(":")[0]).stem] |= {kind, "either"}
    return seen


def unseen(wanted, seen):
    said = {"failed": "no test fails an allocation of its own",
            "ended": "no test has it call core/base/mem.h without memory",
            "either": "no test has it make an event without memory"}
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
    libraries = [path for path in arguments if path.endswith(".a")]
    sites = [path for path in arguments if path.endswith(".sites")]
    assert libraries and sites and len(libraries) + len(sites) == len(arguments), __doc__
    wanted, seen = {}, collections.defaultdict(set)
    for library in libraries:
        found = kinds_wanted(said_by("nm", "-A", library))
        assert found, f"{library}: no module allocates"
        wanted |= found
    for path in sites:
        for module, kinds in kinds_seen(path.removesuffix(".sites"), path).items():
            seen[module] |= kinds
    found = unseen(wanted, seen)
    needed = {module for module, kinds in wanted.items() if kinds - seen.get(module, set())}
    found += [f"{module}: is excused, and need not be"
              for module in sorted({module for module, _ in EXCUSED} - needed)]
    print("\n".join(found) or f"{len(wanted)} modules that allocate: memory has failed in each")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
