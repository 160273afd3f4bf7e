#!/usr/bin/python3
"""What joining costs, measured on real processes over loopback.

    tests/bench/join.py [--binary build/release/repram] [--entries 1000000] [--donors 3]

Fills one node with entries of 100 bytes under 12-byte keys, lets the other donors join it, then
starts one more node and prints: how long from its start until it is ready and holds everything, the
bytes that came in over its links against the payload (keys and values), a donor's GET latency
before and meanwhile, and the longest turn of anybody's event loop. Runs in a network namespace of
its own where that is allowed (root). It judges nothing; the numbers are the machine's.
"""

import argparse
import ctypes
import http.client
import json
import multiprocessing
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BASE_PORT = 8081
KEY_LEN, VALUE_LEN = 12, 100
FILLERS, PIPELINE = 2, 200
CLONE_NEWNET = 0x40000000


def ask(port, path, timeout=5):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def until(condition, seconds=120, every=0.02):
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > seconds:
            raise SystemExit("gave up waiting")
        time.sleep(every)
    return time.monotonic() - start


def metric(port, name):
    found = re.search(rf"^repram_{name} (\S+)", ask(port, "/metrics", 30)[1], re.M)
    return float(found.group(1))


def key(number):
    return f"{number * 0x9e3779b97f4a7c15 % (1 << 48):012x}"


def fill_part(part, entries):
    """PUTs every FILLERS-th entry over one connection, PIPELINE at a time."""
    connection = socket.create_connection(("127.0.0.1", BASE_PORT))
    value = "x" * VALUE_LEN
    for first in range(part, entries, FILLERS * PIPELINE):
        numbers = range(first, min(entries, first + FILLERS * PIPELINE), FILLERS)
        # Times to live over a day, so that the entries lie in many epochs.
        connection.sendall("".join(
            f"PUT /data/{key(n)}?ttl={3600 + n * 7919 % 80000} HTTP/1.1\r\nHost: x\r\n"
            f"Content-Length: {VALUE_LEN}\r\n\r\n{value}" for n in numbers).encode())
        left, rest = len(numbers), b""
        while left > 0:
            piece = connection.recv(1 << 16)
            if not piece:
                raise SystemExit("the node closed the connection")
            found = (rest + piece).count(b"HTTP/1.1 201")
            left -= found
            rest = (rest + piece)[-11:] if found == 0 or not piece.endswith(b"201") else b""


def fill(entries):
    parts = [multiprocessing.Process(target=fill_part, args=(part, entries))
             for part in range(FILLERS)]
    for part in parts:
        part.start()
    for part in parts:
        part.join()
        if part.exitcode != 0:
            raise SystemExit("filling failed")


class Node:
    def __init__(self, number, binary, log):
        self.port = BASE_PORT + number
        environment = dict(
            os.environ, REPRAM_PORT=str(self.port), REPRAM_NODE_ID=f"join-{number}",
            REPRAM_PEERS=",".join(f"127.0.0.1:{BASE_PORT + i}" for i in range(number)),
            REPRAM_MAX_STORAGE_MB="1024", REPRAM_LOG_LEVEL="warn")
        self.process = subprocess.Popen([binary, "node"], env=environment, stdout=log, stderr=log)
        self.probe = None  # a connection, so that asking costs the processors next to nothing

    def is_ready(self):
        try:
            self.probe = self.probe or socket.create_connection(("127.0.0.1", self.port), 5)
            self.probe.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
            return self.probe.recv(4096).startswith(b"HTTP/1.1 200 ")
        except ConnectionError:
            self.probe = None
            return False

    def keys(self):
        return json.loads(ask(self.port, "/status")[1])["storage"]["keys"]

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        if self.probe is not None:
            self.probe.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(15)


def watch(port, entries, stop, samples):
    """GETs of known keys, one after the other, each after a pause of 2 ms; in milliseconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    times, number = [], 0
    while not stop.is_set():
        number = (number + 7907) % entries
        start = time.monotonic()
        connection.request("GET", f"/data/{key(number)}")
        answer = connection.getresponse()
        answer.read()
        times.append((time.monotonic() - start) * 1000)
        if answer.status != 200:
            raise SystemExit(f"GET was answered {answer.status}")
        time.sleep(0.002)
    samples.put(times)


class Watcher:
    """A process that measures a donor's GETs until it is stopped."""

    def __init__(self, port, entries):
        self.stop, self.samples = multiprocessing.Event(), multiprocessing.Queue()
        self.process = multiprocessing.Process(
            target=watch, args=(port, entries, self.stop, self.samples))
        self.process.start()

    def finish(self):
        self.stop.set()
        times = sorted(self.samples.get(timeout=30))
        self.process.join()
        return (f"median {times[len(times) // 2]:.2f} ms, "
                f"p99 {times[int(len(times) * 0.99)]:.2f} ms ({len(times)} GETs)")


def measure(arguments, log):
    nodes = []
    try:
        nodes.append(Node(0, arguments.binary, log))
        until(nodes[0].is_ready)
        start = time.monotonic()
        fill(arguments.entries)
        print(f"filled {arguments.entries} entries in {time.monotonic() - start:.1f} s", flush=True)
        for number in range(1, arguments.donors):
            nodes.append(Node(number, arguments.binary, log))
            spent = [node.cpu_seconds() for node in nodes]
            seconds = until(nodes[-1].is_ready)
            until(lambda: nodes[-1].keys() == arguments.entries)
            spent = [node.cpu_seconds() - was for node, was in zip(nodes, spent)]
            print(f"donor {number + 1} joined from {number} in {seconds:.2f} s; CPU: donors "
                  + ", ".join(f"{cpu:.2f}" for cpu in spent[:-1]) +
                  f" s, joining {spent[-1]:.2f} s", flush=True)
        watcher = Watcher(BASE_PORT, arguments.entries)
        time.sleep(5)
        before = watcher.finish()
        for node in nodes:
            metric(node.port, "loop_turn_cpu_max_seconds")  # from here on
        watcher = Watcher(BASE_PORT, arguments.entries)
        nodes.append(Node(arguments.donors, arguments.binary, log))
        joiner = nodes[-1]
        spent = [node.cpu_seconds() for node in nodes]
        seconds = until(joiner.is_ready)
        until(lambda: joiner.keys() == arguments.entries, 60)
        during = watcher.finish()
        spent = [node.cpu_seconds() - was for node, was in zip(nodes, spent)]
        stalls = [metric(node.port, "loop_turn_cpu_max_seconds") * 1000 for node in nodes]
        payload = arguments.entries * (KEY_LEN + VALUE_LEN)
        wire = metric(joiner.port, "links_receive_bytes_total")
        print(f"joined from {arguments.donors} donors in {seconds:.2f} s; CPU: donors "
              + ", ".join(f"{cpu:.2f}" for cpu in spent[:-1]) + f" s, joining {spent[-1]:.2f} s")
        print(f"wire {wire / 1e6:.1f} MB for {payload / 1e6:.1f} MB of payload: "
              f"{wire / payload:.3f} x")
        print(f"a donor's GET before: {before}")
        print(f"a donor's GET during: {during}")
        print("longest loop turn, processor time: donors "
              + ", ".join(f"{ms:.1f}" for ms in stalls[:-1]) + f" ms; joining {stalls[-1]:.1f} ms")
    finally:
        for node in nodes:
            node.stop()


def isolate():
    """A network namespace with nothing but loopback, where that is allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0 and libc.unshare(CLONE_NEWNET) == 0:
        if shutil.which("ip") is None:
            raise SystemExit("needs ip (iproute2) to bring up loopback")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--binary", default=os.path.join(TOP, "build/release/repram"))
    parser.add_argument("--entries", type=int, default=1000000)
    parser.add_argument("--donors", type=int, default=3, choices=(1, 2, 3))
    arguments = parser.parse_args()
    isolate()
    with tempfile.NamedTemporaryFile(prefix="repram-join-", suffix=".log") as log:
        measure(arguments, log)
        with open(log.name, encoding="utf-8") as lines:
            sys.stderr.write("".join(lines.readlines()[-20:]))


if __name__ == "__main__":
    main()
