#!/usr/bin/python3
"""What a start costs, and whether "formed" means that writes are taken.

    tests/bench/starts.py [--binary build/release/repram] [--nodes 3] [--starts 200] [--kill]

Starts the launcher again and again. Each time: how long until its table stands, and the status and
latency of one PUT on each node as soon as it does, all sent at once. With --kill one node is killed
after that, and PUTs go on on another one until the killed one is back: it prints their statuses and
the slowest. Runs in a network namespace of its own where that is allowed (root). The exit code
is 1 when a PUT was not 201; the times are the machine's, and it does not judge them.
"""

import argparse
import collections
import ctypes
import http.client
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLONE_NEWNET = 0x40000000
ROW = re.compile(rb"^(\S+-\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+http://", re.M)


def isolate():
    """A loopback of its own; without the right to it, this host's."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) == 0:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def put(port, key, answers):
    """Puts once; appends (status, ms, holders), a status of 0 for no answer."""
    begun = time.monotonic()
    status, holders = 0, ""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("PUT", f"/data/{key}", b"v" * 100)
        answer = connection.getresponse()
        answer.read()
        status, holders = answer.status, answer.getheader("X-Replicas", "")
        connection.close()
    except OSError:
        pass
    answers.append((status, (time.monotonic() - begun) * 1000, holders))


class Launcher:
    def __init__(self, args):
        environment = dict(os.environ, NODE_COUNT=str(args.nodes), MAX_PORTS=str(args.nodes + 2))
        self.begun = time.monotonic()
        self.process = subprocess.Popen([args.binary, "launch", "--require-all"], env=environment,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.rows = []  # (name, port, pid)
        output = b""
        while len(self.rows) < args.nodes:
            piece = os.read(self.process.stdout.fileno(), 1 << 16)
            if not piece:
                raise SystemExit("the launcher ended before its table stood")
            output += piece
            self.rows = [(name.decode(), int(port), int(pid))
                         for name, port, pid, _ in ROW.findall(output)]
        self.seconds = time.monotonic() - self.begun
        threading.Thread(target=self.drain, daemon=True).start()

    def drain(self):
        while os.read(self.process.stdout.fileno(), 1 << 16):
            pass

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


def put_everywhere(launcher, number):
    answers = []
    threads = [threading.Thread(target=put, args=(port, f"start-{number}-{name}", answers))
               for name, port, _ in launcher.rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def put_through_restart(launcher, number):
    """Kills the last node and PUTs on the first one for three seconds."""
    answers = []
    os.kill(launcher.rows[-1][2], signal.SIGKILL)
    until = time.monotonic() + 3
    while time.monotonic() < until:
        put(launcher.rows[0][1], f"kill-{number}-{len(answers)}", answers)
        time.sleep(0.005)
    return answers


def tell(what, answers):
    statuses = collections.Counter(status for status, _, _ in answers)
    times = sorted(ms for _, ms, _ in answers)
    holders = collections.Counter(text for _, _, text in answers)
    print(f"{what}: {len(answers)} PUTs: "
          + ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
          + f"; median {statistics.median(times):.1f} ms, slowest {times[-1]:.1f} ms, "
          f"{sum(ms > 100 for ms in times)} over 100 ms; X-Replicas "
          + ", ".join(f"{text or '-'} x {count}" for text, count in sorted(holders.items())))
    return all(status == 201 for status, _, _ in answers)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.path.join(TOP, "build/release/repram"))
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--starts", type=int, default=200)
    parser.add_argument("--kill", action="store_true")
    args = parser.parse_args()
    isolate()
    times, first, during = [], [], []
    for number in range(args.starts):
        launcher = Launcher(args)
        try:
            first += put_everywhere(launcher, number)
            during += put_through_restart(launcher, number) if args.kill else []
        finally:
            launcher.end()
        times.append(launcher.seconds)
    times.sort()
    print(f"{args.starts} starts of {args.nodes} nodes until the table: median "
          f"{statistics.median(times):.2f} s, 90 % within {times[len(times) * 9 // 10]:.2f} s, "
          f"slowest {times[-1]:.2f} s")
    is_good = tell("as soon as the table stands", first)
    if args.kill:
        is_good = tell("while a node is killed and comes back", during) and is_good
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
