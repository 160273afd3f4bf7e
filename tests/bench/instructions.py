#!/usr/bin/python3
"""Instructions that a node executes for a GET and for a PUT, against the record.

    tests/bench/instructions.py [--record] [--runs N] BUILD...

For each build folder a node runs under callgrind, and one connection asks it, one request at a time:
100-byte values under 12-byte keys. The same life without the requests is taken off, so that starting
and ending cost nothing. Counts hardly move (0.5 % between runs, other work on the machine or not).

A GET or PUT that costs more than 5 % above tests/bench/instructions.json is a failure (exit code
1): mend it, or, when it is worth the price, record it with --record and say in the commit what it
buys. Without valgrind, or without a record for the build's compiler, the exit code is 77.
"""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests/integration"))
import harness  # pylint: disable=wrong-import-position

RECORD = os.path.join(TOP, "tests/bench/instructions.json")
KEYS = 500  # written in every life, also in the one that is taken off
REQUESTS = 4000  # counted, of each kind
VALUE = b"v" * 100
RISE = 0.05  # allowed
START_SECONDS = 60  # a node under callgrind on a busy machine
KINDS = ("get", "put")


class Connection:
    """One request at a time, so that what the loop finds in one turn is the same in every run."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def receive(self):
        piece = self.socket.recv(65536)
        if not piece:
            sys.exit("the node ended the connection")
        return piece

    def ask(self, request, status):
        self.socket.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.receive()
        head, body = answer.split(b"\r\n\r\n", 1)
        if not head.startswith(b"HTTP/1.1 %d " % status):
            sys.exit(f"not {status}: {head.decode(errors='replace')}")
        size = int(re.search(rb"(?i)\r\ncontent-length: (\d+)", head).group(1))
        while len(body) < size:
            body += self.receive()

    def get(self, number):
        self.ask(b"GET /v1/data/bench-%06d HTTP/1.1\r\nHost: localhost\r\n\r\n" % number, 200)

    def put(self, number):
        self.ask(b"PUT /v1/data/bench-%06d HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
                 % (number, len(VALUE)) + VALUE, 201)


def life(binary, gets, puts):
    """Instructions of a node from its start to its end, with this many requests."""
    with tempfile.TemporaryDirectory(prefix="repram-instructions-") as folder:
        out = os.path.join(folder, "callgrind.out")
        # Valgrind 3.19 gives up over the debug information of clang 14, and needs none.
        harness.BINARY = os.path.join(folder, "repram")
        subprocess.run(["objcopy", "--strip-debug", binary, harness.BINARY], check=True)
        node = harness.Node(
            base=harness.free_base(1), max_ports=1, wait=False,
            env={"REPRAM_NETWORK": "instructions", "REPRAM_BIND": "127.0.0.1",
                 "DISCOVERY_DOMAIN": "127.0.0.1"},
            prefix=("valgrind", "-q", "--vgdb=no", "--tool=callgrind",
                    f"--callgrind-out-file={out}"))
        node.await_port(START_SECONDS)
        harness.wait_until(node.is_ready, "the node is ready", START_SECONDS)
        connection = Connection(node.port)
        for number in range(KEYS):
            connection.put(number)
        for number in range(gets):
            connection.get(number % KEYS)
        for number in range(puts):
            connection.put(number % KEYS)
        if node.stop(START_SECONDS) != 0:
            sys.exit("the node ended badly:\n" + node.output())
        with open(out, encoding="ascii", errors="replace") as file:
            return int(re.search(r"^(?:totals|summary): (\d+)", file.read(), re.M).group(1))


def measured(binary):
    nothing = life(binary, 0, 0)
    return {"get": round((life(binary, REQUESTS, 0) - nothing) / REQUESTS),
            "put": round((life(binary, 0, REQUESTS) - nothing) / REQUESTS)}


def name_of(build):
    """The key of a record: the compiler with its major version, the type of the build, and whether
    it is optimised at the link."""
    files = os.path.join(build, "CMakeFiles")
    if not os.path.exists(os.path.join(build, "repram")) or not os.path.isdir(files):
        sys.exit(f"instructions.py: there is no build in {build}")
    versions = [name for name in os.listdir(files) if re.match(r"\d+\.", name)]
    with open(os.path.join(files, max(versions), "CMakeCCompiler.cmake"), encoding="utf-8") as file:
        text = file.read()
    with open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8") as file:
        cache = file.read()
    kind = re.search(r"^CMAKE_BUILD_TYPE:\w+=(\w*)", cache, re.M).group(1)
    lto = " LTO" if re.search(r"^REPRAM_LTO:\w+=(TRUE|YES|ON|1)$", cache, re.M) else ""
    compiler = re.search(r'CMAKE_C_COMPILER_ID "(\w+)"', text).group(1).lower()
    major = re.search(r'CMAKE_C_COMPILER_VERSION "(\d+)', text).group(1)
    return f"{compiler}-{major} {kind}{lto}"


def check(name, counts, recorded):
    """Prints how they compare; returns whether none has risen too far."""
    is_good = True
    for kind in KINDS:
        change = counts[kind] / recorded[kind] - 1
        verdict = "ok"
        if change > RISE:
            verdict = f"TOO MANY: more than {RISE:.0%} above the record"
            is_good = False
        elif change < -RISE:
            verdict = "fewer; record it, or the next rise is not seen"
        print(f"{name}: {counts[kind]:,} instructions per {kind.upper()}, recorded "
              f"{recorded[kind]:,} ({change:+.1%}): {verdict}", flush=True)
    return is_good


def write(record):
    with open(RECORD, "w", encoding="utf-8") as file:
        json.dump(record, file, indent=2, sort_keys=True)
        file.write("\n")


def spread(runs):
    return ", ".join(f"{kind.upper()} {min(run[kind] for run in runs):,} to "
                     f"{max(run[kind] for run in runs):,}" for kind in KINDS)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true", help="write what is measured down")
    parser.add_argument("--runs", type=int, default=1, help="measure so often; the least counts")
    parser.add_argument("builds", nargs="+", metavar="BUILD", help="as build/release")
    arguments = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("SKIPPED: valgrind is not installed, instructions are not counted")
        return harness.SKIPPED
    with open(RECORD, encoding="utf-8") as file:
        record = json.load(file)
    is_good, is_judged = True, arguments.record
    for build in arguments.builds:
        name = name_of(build)
        if name not in record and not arguments.record:
            print(f"SKIPPED: instructions are not recorded for {name}; --record does it")
            continue
        runs = [measured(os.path.abspath(os.path.join(build, "repram")))
                for _ in range(arguments.runs)]
        counts = {kind: min(run[kind] for run in runs) for kind in KINDS}
        if arguments.runs > 1:
            print(f"{name}: {arguments.runs} runs, {spread(runs)}", flush=True)
        if arguments.record:
            record[name] = counts
            print(f"{name}: {counts} is recorded", flush=True)
            write(record)
        else:
            is_judged = True
            is_good = check(name, counts, record[name]) and is_good
    if not is_good:
        print("Mend it; or, when it is worth its price:\n    tests/bench/instructions.py --record "
              + " ".join(arguments.builds) + "\nand say in the commit what it buys.")
    return 1 if not is_good else (0 if is_judged else harness.SKIPPED)


if __name__ == "__main__":
    sys.exit(main())
