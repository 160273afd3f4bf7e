#!/usr/bin/python3
"""What a node costs at its limits, measured on real processes over loopback.

    tests/bench/limits.py [--binary build/release/repram] [--seconds 5] [FIGURE...]

    cpu     processor time of a GET and of a PUT, beside nginx's `return 200`; GETs pipelined
    storm   entries that all expire within one second: memory, loop turns, memory given back
    pages   pages of 1,000 keys out of many
    large   values of 10 MiB in and out, beside nginx, and small requests meanwhile
    idle    10,000 open connections: memory, and the latency of others
    beside  GETs on a node while 5,000 replicated PUTs a second go on

Without a name, all of them. Needs wrk and nginx (neither as a service). Servers run on the first
processor, load on the second. Runs in a network namespace of its own where that is allowed (root).
Prints what was measured; it judges nothing.
"""

import argparse
import http.client
import multiprocessing
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import figures
from figures import TOP, cpu_seconds, resident_bytes, say, until

PORT, NGINX_PORT = 8081, 8091
KEY_LEN, VALUE_LEN = 12, 100
LARGE = 10 << 20
FILLERS, PIPELINE = 2, 200
CONNECTIONS = 32
SERVER_CPU, LOAD_CPU = 0, 1


def on_cpu(number):
    """For Popen's preexec_fn: the second processor is the first where there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return lambda: os.sched_setaffinity(0, {allowed[min(number, len(allowed) - 1)]})


class Node:
    def __init__(self, port=PORT, peers=(), **settings):
        self.port = port
        environment = dict(
            os.environ, REPRAM_PORT=str(port), REPRAM_MIN_TTL="1", REPRAM_LOG_LEVEL="warn",
            REPRAM_PEERS=",".join(f"127.0.0.1:{peer}" for peer in peers),
            REPRAM_DISCOVERY="static" if peers else "port-range", BASE_PORT=str(port),
            MAX_PORTS="1", REPRAM_MAX_STORAGE_MB="3000")
        environment.update(settings)
        self.process = subprocess.Popen([ARGUMENTS.binary, "node"], env=environment,
                                        preexec_fn=on_cpu(SERVER_CPU))
        self.pid = self.process.pid
        self.turn_ms = 0.0

    def is_ready(self):
        if self.process.poll() is not None:
            raise SystemExit("the node ended")
        return figures.asked(self.port, "/readyz") is not None

    def __enter__(self):
        try:
            until(self.is_ready)
        except SystemExit:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def metric(self, name):
        _, page = figures.ask(self.port, "GET", "/metrics", timeout=30)
        values = dict(re.findall(r"^repram_(\w+) (\S+)", page.decode(), re.M))
        # The node forgets its longest turn once it has reported it.
        self.turn_ms = max(self.turn_ms, float(values["loop_turn_cpu_max_seconds"]) * 1000)
        return float(values[name])

    def longest_turn_ms(self):
        """Processor time of the longest turn since the last call."""
        self.metric("ready")
        turn_ms, self.turn_ms = self.turn_ms, 0.0
        return turn_ms


class Nginx:
    """One worker that answers `return 200` with 100 bytes, and /large with 10 MiB from memory."""

    def __init__(self):
        self.home = tempfile.TemporaryDirectory(prefix="repram-nginx-", dir="/dev/shm")
        os.chmod(self.home.name, 0o755)
        with open(f"{self.home.name}/large", "wb") as file:
            file.write(b"x" * LARGE)
        with open(f"{self.home.name}/conf", "w", encoding="ascii") as conf:
            conf.write(f"""
                daemon off; worker_processes 1; pid {self.home.name}/pid;
                error_log {self.home.name}/errors; events {{ worker_connections 1024; }}
                http {{
                    access_log off; keepalive_requests 1000000000; sendfile on; tcp_nopush on;
                    server {{
                        listen 127.0.0.1:{NGINX_PORT}; root {self.home.name};
                        location /data/ {{ return 200 "{'x' * VALUE_LEN}"; }}
                        location /copied {{ sendfile off; output_buffers 2 64k;
                                            alias {self.home.name}/large; }}
                    }}
                }}""")
        self.process = subprocess.Popen(["nginx", "-c", f"{self.home.name}/conf"],
                                        preexec_fn=on_cpu(SERVER_CPU))
        until(lambda: figures.asked(NGINX_PORT, "/data/x") is not None or self.is_up())
        self.pid = int(subprocess.run(["pgrep", "-P", str(self.process.pid)], check=True,
                                      capture_output=True, text=True).stdout.split()[0])

    @staticmethod
    def is_up():
        try:
            return figures.ask(NGINX_PORT, "GET", "/data/x")[0] == 200
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(15)
        self.home.cleanup()


def wrk(port, path, script=None, seconds=None, connections=CONNECTIONS):
    """Requests, requests a second, and the latencies by percent, in milliseconds."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds or ARGUMENTS.seconds}s", "--latency",
               "--timeout", "30s"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        if script is not None:
            file.write(script)
            file.flush()
            command += ["-s", file.name]
        output = subprocess.run([*command, f"http://127.0.0.1:{port}{path}"], check=True,
                                capture_output=True, text=True, preexec_fn=on_cpu(LOAD_CPU)).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise SystemExit(output)
    units = {"us": 0.001, "ms": 1, "s": 1000}
    late = {percent: float(value) * units[unit] for percent, value, unit in
            re.findall(r"^\s+(\d+)%\s+([\d.]+)(us|ms|s)", output, re.M)}
    return (int(re.search(r"(\d+) requests in", output).group(1)),
            float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)), late)


PUTS = """
local n = 0
local body = string.rep("x", 100)
request = function()
    n = n + 1
    return wrk.format("PUT", "/data/key-" .. n % 100000, nil, body)
end"""

PIPELINED = """
local all
init = function()
    local one = {}
    for i = 1, 16 do one[i] = wrk.format("GET", "/data/key-1") end
    all = table.concat(one)
end
request = function() return all end"""

LARGE_PUTS = f"""
local body = string.rep("x", {LARGE})
local all
init = function() all = wrk.format("PUT", "/data/large-in", nil, body) end
request = function() return all end"""


def each_costs(pid, port, path, script=None):
    before = cpu_seconds(pid)
    count, rate, _ = wrk(port, path, script)
    return (cpu_seconds(pid) - before) / count * 1e6, rate


def cpu():
    """Rounds alternate, since a shared machine's speed changes by the minute."""
    with Nginx() as nginx, Node() as node:
        figures.ask(PORT, "PUT", "/data/key-1?ttl=3600", b"x" * VALUE_LEN)
        for _ in range(3):
            base, base_rate = each_costs(nginx.pid, NGINX_PORT, "/data/key-1")
            get, get_rate = each_costs(node.pid, PORT, "/data/key-1")
            put, put_rate = each_costs(node.pid, PORT, "/data/key-1", PUTS)
            deep, deep_rate = each_costs(node.pid, PORT, "/data/key-1", PIPELINED)
            say("cpu", f"us of CPU: nginx {base:.1f}, GET {get:.1f} ({get / base:.2f} x), "
                f"PUT {put:.1f} ({put / base:.2f} x), GET of 16 pipelined {deep:.1f}; a second: "
                f"nginx {base_rate:.0f}, GET {get_rate:.0f}, PUT {put_rate:.0f}, pipelined "
                f"{deep_rate:.0f} ({deep_rate / get_rate:.1f} x)")


# ---- Many entries ----

def key(number):
    return f"{number * 0x9e3779b97f4a7c15 % (1 << 48):012x}"


def fill_part(part, entries, end):
    """PUTs every FILLERS-th entry over one connection, PIPELINE at a time, so that all expire
    within the second after `end`."""
    on_cpu(LOAD_CPU)()
    connection = socket.create_connection(("127.0.0.1", PORT))
    tail = f" HTTP/1.1\r\nHost: x\r\nContent-Length: {VALUE_LEN}\r\n\r\n" + "x" * VALUE_LEN
    for first in range(part, entries, FILLERS * PIPELINE):
        numbers = range(first, min(entries, first + FILLERS * PIPELINE), FILLERS)
        line = f"?ttl={end - int(time.time())}{tail}"
        connection.sendall("".join(f"PUT /data/{key(n)}{line}" for n in numbers).encode())
        left, rest = len(numbers), b""
        while left > 0:
            piece = connection.recv(1 << 16)
            if not piece:
                raise SystemExit("the node closed the connection")
            # An answer's status line may lie across two pieces.
            text = rest + piece
            left -= text.count(b"HTTP/1.1 201")
            cut = text.rfind(b"HTTP/1.1 20")
            rest = text[cut:] if cut >= 0 and cut + 12 > len(text) else text[-11:]
            if rest.endswith(b"HTTP/1.1 201"):
                rest = b""


def fill(entries, end):
    parts = [multiprocessing.Process(target=fill_part, args=(part, entries, end))
             for part in range(FILLERS)]
    for part in parts:
        part.start()
    for part in parts:
        part.join()
        if part.exitcode != 0:
            raise SystemExit("filling failed")


def storm():
    entries = ARGUMENTS.entries
    with Node() as node:
        before = resident_bytes(node.pid)
        end = int(time.time()) + 40 + entries // 20000
        fill(entries, end)
        full = resident_bytes(node.pid)
        say("storm", f"{entries} entries held in {(full - before) / entries:.1f} bytes of resident "
            f"memory each; longest loop turn while filling {node.longest_turn_ms():.1f} ms of CPU")
        if time.time() > end - 2:
            raise SystemExit("filling took too long for the storm's moment")
        watcher = Watcher(PORT, "/data/none", 404)
        time.sleep(max(0.0, end - 10 - time.time()))
        node.longest_turn_ms()
        used = cpu_seconds(node.pid)
        time.sleep(max(0.0, end + 1 - time.time()))
        until(lambda: node.metric("storage_keys") == 0, 60, 0.05)
        took = time.time() - end
        # Memory first: whoever asks for the page takes a moment too.
        expired, turn = resident_bytes(node.pid), node.longest_turn_ms()
        used = cpu_seconds(node.pid) - used
        say("storm", f"all gone {took:.1f} s after the first came due, {used:.2f} s of CPU from 10 s "
            f"before; longest loop turn {turn:.1f} ms of CPU; {watcher.finish()}")
        for seconds in (0, 2, 5, 10):
            time.sleep(max(0.0, end + took + seconds - time.time()))
            now = resident_bytes(node.pid)
            share = (full - now) / (full - before) * 100
            say("storm", f"{seconds} s later {share:.0f} % of the memory is back at the system "
                f"({now / 1e6:.1f} MB resident, {before / 1e6:.1f} MB at the start, "
                f"{expired / 1e6:.1f} MB when the last went)")
        say("storm", f"longest loop turn while giving back {node.longest_turn_ms():.1f} ms of CPU")


def pages():
    entries = ARGUMENTS.page_entries
    with Node() as node:
        fill(entries, int(time.time()) + 3000)
        keys = [key(n) for n in range(0, entries, max(1, entries // 50))]
        for length in (0, 1, 2, 3, 4, 6):
            times, found = [], 0
            connection = http.client.HTTPConnection("127.0.0.1", PORT)
            node.longest_turn_ms()
            used = cpu_seconds(node.pid)
            for prefix in 4 * [entry[:length] for entry in keys]:
                start = time.monotonic()
                connection.request("GET", f"/keys?prefix={prefix}&limit=1000")
                body = connection.getresponse().read()
                times.append(time.monotonic() - start)
                found += body.count(b",") + 1
            used = (cpu_seconds(node.pid) - used) / len(times) * 1000
            say("pages", f"prefix of {length} bytes out of {entries} keys: "
                f"{figures.spread(times)}, "
                f"{found / len(times):.0f} keys a page, {used:.2f} ms of CPU each; longest loop "
                f"turn {node.longest_turn_ms():.2f} ms of CPU")


# ---- Latency of another client ----

def watch(port, path, status, stop, samples):
    """One GET after the other, each after a pause of 1 ms; the times, in milliseconds."""
    on_cpu(LOAD_CPU)()
    connection = socket.create_connection(("127.0.0.1", port))
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    wanted, times = f"HTTP/1.1 {status}".encode(), []
    while not stop.is_set():
        start = time.monotonic()
        connection.sendall(request)
        answer = connection.recv(4096)
        times.append((time.monotonic() - start) * 1000)
        if not answer.startswith(wanted):
            raise SystemExit(f"GET was answered {answer[:40]}")
        time.sleep(0.001)
    samples.put(times)


class Watcher:
    """A process that measures a node's GETs until it is stopped."""

    def __init__(self, port, path, status=200):
        self.stop, self.samples = multiprocessing.Event(), multiprocessing.Queue()
        self.process = multiprocessing.Process(
            target=watch, args=(port, path, status, self.stop, self.samples))
        self.process.start()

    def finish(self):
        self.stop.set()
        times = sorted(self.samples.get(timeout=30))
        self.process.join()
        return (f"GETs beside it: median {times[len(times) // 2]:.2f} ms, "
                f"p99 {times[int(len(times) * 0.99)]:.2f} ms, max {times[-1]:.1f} ms ({len(times)})")


def quiet(path):
    """The same watcher without any load, to compare with."""
    watcher = Watcher(PORT, path)
    time.sleep(ARGUMENTS.seconds)
    return watcher.finish()


def large():
    with Nginx() as nginx, Node() as node:
        figures.ask(PORT, "PUT", "/data/key-1?ttl=3600", b"x" * VALUE_LEN)
        figures.ask(PORT, "PUT", "/data/large-out?ttl=3600", b"x" * LARGE)
        say("large", f"no load: {quiet('/data/key-1')}")
        runs = (("nginx, sendfile", nginx.pid, NGINX_PORT, "/large", None),
                ("nginx, copied from memory", nginx.pid, NGINX_PORT, "/copied", None),
                ("out", node.pid, PORT, "/data/large-out", None),
                ("in", node.pid, PORT, "/data/large-in", LARGE_PUTS))
        for _ in range(2):
            for name, pid, port, path, script in runs:
                node.longest_turn_ms()
                used = cpu_seconds(pid)
                count, rate, _ = wrk(port, path, script, connections=4)
                used = (cpu_seconds(pid) - used) / count * 1000
                turn = f", longest loop turn {node.longest_turn_ms():.2f} ms of CPU"
                say("large", f"{name}: {rate * LARGE / 1e6:.0f} MB/s, {used:.2f} ms of CPU each"
                    f"{turn if pid == node.pid else ''}")
        for name, _, port, path, script in runs[2:]:
            watcher = Watcher(PORT, "/data/key-1")
            wrk(port, path, script, connections=4)
            say("large", f"{name}: {watcher.finish()}")


def idle():
    resource.setrlimit(resource.RLIMIT_NOFILE, (ARGUMENTS.connections + 1000,) * 2)
    with Node(REPRAM_MAX_CONNECTIONS=str(ARGUMENTS.connections + 100)) as node:
        figures.ask(PORT, "PUT", "/data/key-1?ttl=3600", b"x" * VALUE_LEN)
        request = b"GET /data/key-1 HTTP/1.1\r\nHost: x\r\n\r\n"
        _, rate, late = wrk(PORT, "/data/key-1")
        say("idle", f"no connections open: {quiet('/data/key-1')}; "
            f"wrk {rate:.0f}/s, p99 {late['99']:.2f} ms")
        before, opened = resident_bytes(node.pid), []
        for _ in range(ARGUMENTS.connections):
            opened.append(socket.create_connection(("127.0.0.1", PORT)))
        until(lambda: node.metric("http_connections_open") > ARGUMENTS.connections)
        fresh = resident_bytes(node.pid)
        for connection in opened:
            connection.sendall(request)
            connection.recv(4096)
        used = resident_bytes(node.pid)
        say("idle", f"{ARGUMENTS.connections} open connections: {(fresh - before) / len(opened):.0f} "
            f"bytes of resident memory each, {(used - before) / len(opened):.0f} after a request "
            f"on each; {quiet('/data/key-1')}")
        _, rate, late = wrk(PORT, "/data/key-1")
        say("idle", f"beside them wrk {rate:.0f}/s, p99 {late['99']:.2f} ms")


def write(port, rate, stop, done):
    """PUTs at an even rate over one connection, some every 2 ms; returns how many a second were
    201."""
    on_cpu(LOAD_CPU)()
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setblocking(False)
    tail = f"?ttl=600 HTTP/1.1\r\nHost: x\r\nContent-Length: {VALUE_LEN}\r\n\r\n" + "x" * VALUE_LEN
    sent = stored = 0
    start = time.monotonic()
    while not stop.is_set():
        due = int((time.monotonic() - start) * rate)
        if due > sent:
            connection.setblocking(True)
            connection.sendall("".join(
                f"PUT /data/{key(n % 200000)}{tail}" for n in range(sent, due)).encode())
            connection.setblocking(False)
            sent = due
        try:
            stored += connection.recv(1 << 16).count(b"HTTP/1.1 201")
        except BlockingIOError:
            pass
        time.sleep(0.002)
    done.put(stored / (time.monotonic() - start))


def beside():
    ports = [PORT, PORT + 1, PORT + 2]
    with Node(ports[0]), Node(ports[1], ports[:1]), Node(ports[2], ports[:2]):
        until(lambda: all(len(figures.alive_on(port)) == 2 for port in ports))
        figures.ask(PORT, "PUT", "/data/key-1?ttl=3600", b"x" * VALUE_LEN)
        say("beside", f"no load: {quiet('/data/key-1')}")
        for port in ports[:2]:
            stop, done = multiprocessing.Event(), multiprocessing.Queue()
            writer = multiprocessing.Process(target=write,
                                             args=(PORT, ARGUMENTS.put_rate, stop, done))
            writer.start()
            watcher = Watcher(port, "/data/key-1")
            time.sleep(2 * ARGUMENTS.seconds)
            late = watcher.finish()
            stop.set()
            rate = done.get(timeout=30)
            writer.join()
            say("beside", f"{rate:.0f} replicated PUT/s to {PORT}; on {port}: {late}")


FIGURES = {"cpu": cpu, "storm": storm, "pages": pages, "large": large, "idle": idle,
           "beside": beside}


def main():
    figures.BINARY = ARGUMENTS.binary
    # So that everything that was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    socket.setdefaulttimeout(30)
    for needed in ("wrk", "nginx", "pgrep"):
        if shutil.which(needed) is None:
            raise SystemExit(f"needs {needed} (Debian: wrk, nginx, procps)")
    figures.isolate()
    for name in ARGUMENTS.figures or FIGURES:
        FIGURES[name]()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--binary", default=os.path.join(TOP, "build/release/repram"),
                        type=os.path.abspath)
    parser.add_argument("--seconds", type=int, default=5, help="of each run under load")
    parser.add_argument("--entries", type=int, default=1000000, help="of the storm")
    parser.add_argument("--page-entries", type=int, default=5000000)
    parser.add_argument("--connections", type=int, default=10000)
    parser.add_argument("--put-rate", type=int, default=5000)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", choices=[[], *FIGURES])
    ARGUMENTS = parser.parse_args()
    main()
    sys.exit(0)
