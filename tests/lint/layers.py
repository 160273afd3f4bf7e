#!/usr/bin/python3
"""What a layer may use, by lists of what it may: every header of others that it may include, and few
functions that only one place may call. (structure.py has the order of the folders.)

A header that a layer needs for the first time is added to its list here, where a reviewer sees it."""

import fnmatch
import re
import sys

from sources import LAYERS, code_only, lines_with, look, report

PLAIN = """inttypes.h math.h stdarg.h stdbool.h stddef.h stdint.h stdio.h stdlib.h string.h
xxhash.h""".split()
# arpa/inet.h turns text into addresses and asks nobody.
SANS_IO = [*PLAIN, "arpa/inet.h", "endian.h"]
SYSTEM = [*PLAIN, "errno.h", "fcntl.h", "signal.h", "sys/stat.h", "time.h", "unistd.h"]
ALLOWED = {
    "core": SANS_IO,
    "gossip": SANS_IO,
    "net": [*SYSTEM, "cjson/cJSON.h", "event2/*.h", "dirent.h", "ifaddrs.h", "linux/errqueue.h",
            "linux/sockios.h", "net/if.h", "netdb.h", "netinet/*.h", "poll.h", "resolv.h", "sched.h",
            "strings.h", "sys/epoll.h", "sys/ioctl.h", "sys/queue.h", "sys/random.h", "sys/socket.h"],
    "cmd": [*SYSTEM, "cjson/cJSON.h", "malloc.h", "poll.h", "strings.h", "sys/ioctl.h", "sys/mman.h", "sys/prctl.h",
            "sys/resource.h", "sys/signalfd.h", "sys/types.h", "sys/wait.h"],
}
# Only there, whatever the rest of the layer may.
ONLY_IN = {"ares.h": ["net/out/dns_channel.c"], "openssl/*.h": ["net/crypto/*", "net/out/tls_client.c"],
           "llhttp.h": ["net/http/*", "net/out/*"], "locale.h": ["cmd/base/output.c"],
           "wchar.h": ["cmd/base/plain.c"]}
INCLUDE = re.compile(r"^\s*#\s*include\s*<([^>]+)>", re.MULTILINE)


def calls(names):
    return re.compile(rf"(?<!\w)({names}) ?\(")


# What it is, the calls, where they may not be, and where they may all the same.
CALLS = [
    ("getenv and exit are only for cmd", calls(r"(secure_)?getenv|exit|_exit"),
     ["core/*", "gossip/*", "net/*"], []),
    ("only net/sys/hostclock reads a clock",
     calls(r"clock_gettime|(evutil_)?gettimeofday|evutil_gettime_monotonic|time|timespec_get|clock"),
     [f"{layer}/*" for layer in LAYERS], ["net/sys/hostclock.c"]),
    ("functions that are never right",
     calls("strcpy|strcat|v?sprintf|gets|atoi|atoll?|atof|strtok(_r)?"),
     [f"{layer}/*" for layer in LAYERS], []),
]


def is_one_of(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def check_includes(files):
    found = []
    for path, text in files.items():
        layer = path.partition("/")[0]
        for header in INCLUDE.findall(text) if layer in ALLOWED else ():
            places = [place for pattern, where in ONLY_IN.items()
                      if fnmatch.fnmatchcase(header, pattern) for place in where]
            if not is_one_of(path if places else header, places or ALLOWED[layer]):
                found.append(f"{path}: may not include <{header}>; "
                             + (f"only {', '.join(places)} may" if places else
                                f"the list of {layer} is in tests/lint/layers.py"))
    return found


def check_calls(files):
    found = []
    for what, pattern, scope, exempt in CALLS:
        wrong = lines_with({path: code_only(text) for path, text in files.items()
                            if is_one_of(path, scope) and not is_one_of(path, exempt)}, pattern)
        found += [f"{what}: {line}" for line in wrong]
    return found


def unused():
    """A permission that nobody uses would let through what nobody has looked at."""
    files = look(LAYERS, ".c", ".h")
    used = {(path.partition("/")[0], header) for path, text in files.items()
            for header in INCLUDE.findall(text)}
    shared = set(SANS_IO + SYSTEM)
    return [f"nothing in {layer} includes <{header}> any more: tests/lint/layers.py"
            for layer, headers in ALLOWED.items() for header in headers
            if header not in shared and not any(
                where == layer and fnmatch.fnmatchcase(name, header) for where, name in used)]


def main():
    files = look(LAYERS, ".c", ".h")
    return report(check_includes(files) + check_calls(files) + unused())


if __name__ == "__main__":
    sys.exit(main())
