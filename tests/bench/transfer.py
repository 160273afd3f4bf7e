#!/usr/bin/python3
"""What an export and an import of many entries take, on one node.

    tests/bench/transfer.py [--binary build/release/repram] [--entries 1000000] [--size 100]

Fills a node, exports it to a file, starts a new one, imports the file there, and exports that again.
It prints the seconds of each, the processor time and the most memory of the command, and compares the
two files: every key and value must be in both, and no entry may end later in the second. The exit
code is 1 when that is not so; the times are the machine's, and it does not judge them. Runs in a
network namespace of its own where that is allowed (root).
"""

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLONE_NEWNET = 0x40000000
PORT = 8081


def isolate():
    """A loopback of its own; without the right to it, this host's."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) == 0:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


class Node:
    def __init__(self, binary):
        environment = {"PATH": os.environ["PATH"], "REPRAM_HTTP_PORT": str(PORT),
                       "REPRAM_MAX_STORAGE_MB": "4096", "REPRAM_LOG_LEVEL": "error"}
        self.process = subprocess.Popen([binary, "node"], env=environment)
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)

    def close(self):
        self.process.kill()
        self.process.wait()


def timed(binary, *arguments):
    """Runs a command; (seconds, processor seconds, MiB at most, its output)."""
    begun = time.monotonic()
    process = subprocess.Popen([binary, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env={"PATH": os.environ["PATH"], "BASE_PORT": str(PORT)})
    output = process.stdout.read() + process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{arguments[0]} ended with {process.returncode}: {output.decode()}")
    return (time.monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)


def report(what, took):
    print(f"{what}: {took[0]:.1f} s, {took[1]:.1f} s of processor time, at most {took[2]:.0f} MiB", flush=True)


def entries(path):
    with open(path, encoding="utf-8") as file:
        next(file)
        yield from map(json.loads, file)


def compare(before, after, count):
    """Both are in the order of the keys."""
    seen, earliest, latest = 0, 0, None
    for one, other in zip(entries(before), entries(after), strict=True):
        if one["key"] != other["key"] or one["value"] != other["value"]:
            raise SystemExit(f"{one['key']} is not what it was")
        shift = other["expires"] - one["expires"]
        earliest, latest, seen = min(earliest, shift), max(shift, latest or shift), seen + 1
    print(f"{seen} entries are the same; they end {-latest} to {-earliest} ms earlier")
    return seen == count and latest <= 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--binary", default=os.path.join(TOP, "build/release/repram"))
    parser.add_argument("--entries", type=int, default=1000000)
    parser.add_argument("--size", type=int, default=100)
    args = parser.parse_args()
    isolate()
    with tempfile.TemporaryDirectory() as folder:
        first, second = (os.path.join(folder, name) for name in ("first", "second"))
        node = Node(args.binary)
        timed(args.binary, "bench", "--keys", str(args.entries), "--size", str(args.size), "--ttl", "10h",
              "--requests", "1", "--reads", "100", "--pipeline", "16")
        report("export", timed(args.binary, "export", first))
        node.close()
        node = Node(args.binary)
        report("import", timed(args.binary, "import", first))
        report("import again, where all is there", timed(args.binary, "import", first))
        report("export again", timed(args.binary, "export", second))
        node.close()
        return 0 if compare(first, second, args.entries) else 1


if __name__ == "__main__":
    sys.exit(main())
