#!/usr/bin/python3
"""The figures that README and docs/performance.md name, measured on real processes.

    tests/bench/figures.py [--binary build/release/repram] [--idle-seconds 300] [FIGURE...]

Figures: form detect visible throughput idle. Without a name, all of them. Runs in a network
namespace of its own where that is allowed (root), so that the bytes that are counted are the
cluster's alone. Prints one line for each figure: its name, the measurement, and the number of runs.
It judges nothing; the numbers are those of the machine it ran on. """

import argparse
import ctypes
import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BASE_PORT = 8081
ENTRIES = 10000
CLONE_NEWNET = 0x40000000


def ask(port, method, path, body=None, timeout=5):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def asked(port, path):
    """The JSON behind a path, or None when nobody answers."""
    try:
        status, body = ask(port, "GET", path, timeout=1)
        return json.loads(body) if status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None


def until(condition, seconds=30, every=0.002):
    """How long it takes for the condition to hold."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > seconds:
            raise SystemExit("gave up waiting")
        time.sleep(every)
    return time.monotonic() - start


def alive_on(port):
    peers = asked(port, "/peers")
    return set() if peers is None else {
        peer["port"] for peer in peers["peers"] if peer["state"] == "alive"}


class Cluster:
    def __init__(self, count):
        self.count = count
        self.ports = list(range(BASE_PORT, BASE_PORT + count))
        self.log = tempfile.NamedTemporaryFile(prefix="repram-figures-", suffix=".log")
        environment = dict(os.environ, NODE_COUNT=str(count), BASE_PORT=str(BASE_PORT),
                           MAX_PORTS=str(max(10, count)), REPRAM_LOG_LEVEL="warn")
        self.started = time.monotonic()
        self.process = subprocess.Popen([BINARY, "launch"], env=environment,
                                        stdout=self.log, stderr=subprocess.STDOUT)

    def is_formed(self):
        return all(len(alive_on(port)) == self.count - 1 for port in self.ports)

    def await_formed(self):
        until(self.is_formed, every=0.005)
        return time.monotonic() - self.started

    def await_ready(self):
        until(lambda: all(asked(port, "/readyz") is not None for port in self.ports))

    def pid_on(self, port):
        """The node that listens on the port: its inode in the process's descriptors."""
        wanted = f":{port:04X}"
        inodes = set()
        for name in ("/proc/net/tcp", "/proc/net/tcp6"):
            with open(name, encoding="ascii") as table:
                for line in table.readlines()[1:]:
                    fields = line.split()
                    if fields[1].endswith(wanted) and fields[3] == "0A":
                        inodes.add(fields[9])
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            try:
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    link = os.readlink(f"/proc/{pid}/fd/{fd}")
                    if link.startswith("socket:[") and link[8:-1] in inodes:
                        return pid
            except OSError:
                continue
        raise SystemExit(f"nobody listens on {port}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(15)


def say(figure, text):
    print(f"{figure:<12} {text}", flush=True)


def spread(seconds, unit="ms", factor=1000):
    """Of fewer than a hundred p99 is the largest, and not told."""
    values = sorted(value * factor for value in seconds)
    p99 = (f"p99 {values[len(values) * 99 // 100 - 1]:.1f} {unit}, "
           if len(values) >= 100 else "")
    return (f"median {statistics.median(values):.1f} {unit}, {p99}"
            f"max {values[-1]:.1f} {unit} ({len(values)} runs)")


def form():
    for count in (3, 10):
        times = []
        for _ in range(5):
            with Cluster(count) as cluster:
                times.append(cluster.await_formed())
        say("form", f"launch of {count} nodes until all are ready: {spread(times)}")


def fill(port):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for number in range(ENTRIES):
        connection.request("PUT", f"/data/entry-{number}?ttl=3600", b"x" * 100)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 201:
            raise SystemExit(f"PUT was answered {answer.status}")
    connection.close()


def keys_on(port):
    status = asked(port, "/status")
    return -1 if status is None else status["storage"]["keys"]


def detect():
    detections, returns = [], []
    for _ in range(5):
        # A fresh cluster each time: the launcher waits longer each time before it restarts a node
        # that keeps dying.
        with Cluster(3) as cluster:
            cluster.await_formed()
            cluster.await_ready()
            fill(BASE_PORT)
            detected, returned = kill_one(cluster)
            detections.append(detected)
            returns.append(returned)
    say("detect", f"kill -9 until no other lists it alive: {spread(detections)}")
    say("rejoin", f"kill -9 until restarted, ready, with {ENTRIES} entries: {spread(returns)}")


def kill_one(cluster):
    """Seconds from the kill until no other lists the node alive, and until it is back with all."""
    victim = BASE_PORT + 2
    others = [port for port in cluster.ports if port != victim]
    uuid = asked(victim, "/health")["uuid"]
    pid = cluster.pid_on(victim)

    def sees_it_alive(port):
        peers = asked(port, "/peers")
        return peers is None or any(
            peer["uuid"] == uuid and peer["state"] == "alive" for peer in peers["peers"])

    os.kill(pid, signal.SIGKILL)
    start = time.monotonic()
    until(lambda: not any(sees_it_alive(port) for port in others))
    detected = time.monotonic() - start
    until(lambda: asked(victim, "/readyz") is not None and keys_on(victim) == ENTRIES)
    return detected, time.monotonic() - start


class Wire:
    """One connection, spoken to by hand: http.client would take longer than the node."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def status(self, request):
        """Sends a request; the status of its answer, which comes in one piece because it is small."""
        self.socket.sendall(request)
        return int(self.socket.recv(65536)[len("HTTP/1.1 "):][:3])


def visible():
    """From sending the PUT until a GET on each other node has it, one write at a time."""
    times = []
    with Cluster(3) as cluster:
        cluster.await_formed()
        cluster.await_ready()
        wires = [Wire(port) for port in cluster.ports]
        for number in range(1000):
            target = f"/data/visible-{number} HTTP/1.1\r\nHost: bench\r\n"
            put = f"PUT {target}Content-Length: 100\r\n\r\n{'x' * 100}".encode()
            get = f"GET {target}\r\n".encode()
            start = time.monotonic()
            wires[0].status(put)
            for wire in wires[1:]:
                while wire.status(get) != 200:
                    pass
            times.append(time.monotonic() - start)
            time.sleep(0.002)
    say("visible", f"PUT sent until both others serve it: {spread(times)}")


def throughput():
    if shutil.which("wrk") is None:
        say("throughput", "skipped: needs wrk (apt-get install wrk)")
        return
    with Cluster(3) as cluster:
        cluster.await_formed()
        cluster.await_ready()
        pids = [cluster.pid_on(port) for port in cluster.ports]
        before = sum(cpu_seconds(pid) for pid in pids)
        output = subprocess.run(
            ["wrk", "-t1", "-c32", "-d10s", "--latency", "-s",
             os.path.join(TOP, "tests/bench/put.lua"), f"http://127.0.0.1:{BASE_PORT}"],
            check=True, capture_output=True, text=True).stdout
        used = sum(cpu_seconds(pid) for pid in pids) - before
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1))
        total = int(re.search(r"(\d+) requests in", output).group(1))
        late = re.search(r"99%\s+(\S+)", output).group(1)
        bad = re.search(r"Non-2xx.*", output)
        pending = sum(value for value in (
            pending_on(port) for port in cluster.ports) if value is not None)
        say("throughput", f"{rate:.0f} replicated PUT/s, p99 {late}, "
            f"{used / total * 1e6:.1f} us of CPU over 3 nodes each, {pending:.0f} answered 202"
            f"{', ' + bad.group(0) if bad else ''}")


def pending_on(port):
    _, page = ask(port, "GET", "/metrics")
    found = re.search(rb"^repram_puts_pending_total (\S+)", page, re.M)
    return float(found.group(1)) if found else None


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) * 1024


def sent_bytes():
    """Bytes sent on loopback without its 14-byte frame headers: IP packets."""
    with open("/proc/net/dev", encoding="ascii") as table:
        fields = re.search(r"lo:(.*)", table.read()).group(1).split()
    return int(fields[8]) - 14 * int(fields[9])


def idle():
    with Cluster(3) as cluster:
        cluster.await_formed()
        cluster.await_ready()
        time.sleep(5)
        pids = [cluster.pid_on(port) for port in cluster.ports]
        cpu, sent, start = sum(map(cpu_seconds, pids)), sent_bytes(), time.monotonic()
        time.sleep(ARGUMENTS.idle_seconds)
        elapsed = time.monotonic() - start
        share = (sum(map(cpu_seconds, pids)) - cpu) / elapsed / len(pids)
        rate = (sent_bytes() - sent) / elapsed / len(pids)
        resident = max(map(resident_bytes, pids))
        say("idle", f"a node of 3: {resident / 1e6:.2f} MB resident, {share * 100:.2f} % of a core, "
            f"{rate:.0f} bytes/s sent with IP headers, over {elapsed:.0f} s")


FIGURES = {"form": form, "detect": detect, "visible": visible, "throughput": throughput,
           "idle": idle}


def isolate():
    """A network namespace of our own with nothing but loopback, where that is allowed."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        print("no network namespace: sent bytes count all of this machine's loopback")
        return
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.path.join(TOP, "build/release/repram"))
    parser.add_argument("--idle-seconds", type=int, default=300)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", choices=[[], *FIGURES])
    ARGUMENTS = parser.parse_args()
    BINARY = os.path.abspath(ARGUMENTS.binary)
    socket.setdefaulttimeout(10)
    isolate()
    for name in ARGUMENTS.figures or FIGURES:
        FIGURES[name]()
    sys.exit(0)
