#!/usr/bin/python3
"""What the libraries of core and gossip ask of others, as a list of all that they may: memory, strings
and arithmetic of the C library, and the hash of xxHash. And they own no mutable globals.

    symbols.py LIBRARY...    libcore.a first, then what is built on it

A function that is needed for the first time is added to ALLOWED, where a reviewer sees it."""

import pathlib
import re
import shutil
import subprocess
import sys

from sources import report

ALLOWED = set("""calloc free malloc realloc
memchr memcmp memcpy memmove memset strchr strcmp strcspn strlen strnlen strspn explicit_bzero
qsort snprintf
ceil fmax log log10 sqrt
XXH3_64bits XXH3_64bits_withSecret XXH3_64bits_withSeed""".split())
# One module each: the last words of a failed assertion, and addresses from and to text.
ONLY_IN = {"assert": {"abort", "fprintf", "stderr"}, "addr": {"inet_ntop", "inet_pton"}}
# What compilers put there: checks of the stack and of sizes, arithmetic, counts, the sanitizers.
COMPILERS = re.compile(
    r"__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|bcmp|__(asan|ubsan|sanitizer|gcov|llvm|odr_asan)_?.*|"
    r"__\w+[sdt]i[23]")
FORTIFIED = re.compile(r"__(\w+)_chk")
# The sanitizers' and gcov's own variables.
BOOKKEEPING = re.compile(r"(__|\.L|_*(asan|ubsan|odr|sancov))")
# Constant tables of pointers stand in .data.rel.ro in code that may be loaded anywhere.
MUTABLE = re.compile(r"\.(data|bss|tdata|tbss)(?!\.rel\.ro)|\*COM\*")
MEMBER = re.compile(r"(\w+)\.c\.o: +file format")


def output(*command):
    if shutil.which(command[0]) is None:
        sys.exit(f"there is no {command[0]}: nothing to look at")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def symbols(library):
    """(module, section, name, whether it is a variable) of everything in a library."""
    module = ""
    for line in output("objdump", "-t", str(library)).splitlines():
        member = MEMBER.match(line)
        entry = re.fullmatch(r"[0-9a-f]+ (.{7}) (\S+)\t[0-9a-f]+ +(?:\.hidden )?(\S+)", line)
        if member:
            module = member.group(1)
        elif entry:
            flags, section, name = entry.groups()
            yield module, section, name, "O" in flags or section == "*COM*"


def is_allowed(module, name):
    fortified = FORTIFIED.fullmatch(name)
    plain = fortified.group(1) if fortified else name
    return (plain in ALLOWED or plain in ONLY_IN.get(module, ()) or
            COMPILERS.fullmatch(name) is not None)


def check(library, known):
    """Complaints about one library; what it defines joins `known`, the names of those before it."""
    table = list(symbols(library))
    defined = {name for _, section, name, _ in table if section != "*UND*"}
    known |= defined
    stem = pathlib.Path(library).stem.removeprefix("lib")
    if len({module for module, *_ in table}) < 2 or len(defined) < 2:
        return [f"{library} has no modules: nothing to look at"]
    return sorted({f"{stem}: {module} uses {name}, which is not in the list of tests/lint/symbols.py"
                   for module, section, name, _ in table
                   if section == "*UND*" and name not in known and not is_allowed(module, name)} |
                  {f"{stem}: {module} has a mutable global: {name}"
                   for module, section, name, is_variable in table
                   if is_variable and MUTABLE.match(section) and not BOOKKEEPING.match(name)})


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: symbols.py LIBRARY...")
    found, known = [], set()
    for library in sys.argv[1:]:
        found += check(library, known)
    return report(found)


if __name__ == "__main__":
    sys.exit(main())
