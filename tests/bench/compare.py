#!/usr/bin/python3
"""This node beside nginx, Redis, memcached and Webdis: CPU per request and throughput.

    tests/bench/compare.sh [--seconds 4] [--rounds 5] [--only NAME,...] [--json FILE]

compare.sh installs what is missing (no service is left running), builds the release preset and runs
this. Each server is started in turn, on loopback, pinned to one core with its load generator pinned to
another: 32 connections, 100-byte values, 10,000 keys. CPU per request is the server's user and system
time of the run from /proc/PID/stat, over the requests that were answered. All servers come once in a
round, and rounds follow upon each other (A B C A B C ...), so that the machine's other work meets
all of them. A ratio compares two servers of one round, and the table shows the median over the
rounds.

The generators: wrk for HTTP, redis-benchmark for Redis, tests/bench/bench_memcached.c for memcached,
for which the packaged ones either stall or choose the size of values themselves.
nginx answers `return 200` with 100 bytes and looks nothing up: the least that HTTP costs.
"""

import argparse
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tests/integration"), os.path.join(TOP, "tests/bench")]
import figures  # pylint: disable=wrong-import-position
import harness  # pylint: disable=wrong-import-position

CONNECTIONS = 32
DEPTH = 16  # of a pipeline
KEYS = 10000
BYTES = 100
SERVER_CORE, LOAD_CORE = "0", "1"
START_SECONDS = 10
REDIS_FIRST = 10000  # requests of a first run; redis-benchmark takes a number, no time
BASELINE = ("nginx", "GET")


# ---- Servers ----

class Server:
    """A program on one core. `pids` are those whose time counts."""

    name = ""
    kinds = ()

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="repram-compare-")
        self.processes = []
        self.log = open(os.path.join(self.folder.name, "log"), "wb")
        self.port = None

    def spawn(self, *command):
        process = subprocess.Popen(["taskset", "-c", SERVER_CORE, "setpriv", "--pdeathsig",
                                    "KILL", *command],
                                   stdin=subprocess.DEVNULL, stdout=self.log,
                                   stderr=subprocess.STDOUT, cwd=self.folder.name)
        self.processes.append(process)
        return process

    def write(self, name, text):
        path = os.path.join(self.folder.name, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def await_port(self, port):
        def answers():
            for process in self.processes:
                if process.poll() is not None:
                    with open(self.log.name, encoding="utf-8", errors="replace") as file:
                        sys.exit(f"{self.name} ended with {process.returncode}:\n{file.read()}")
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        harness.wait_until(answers, f"{self.name} listens", START_SECONDS)

    def pids(self):
        return [process.pid for process in self.processes]

    def cpu_seconds(self):
        return sum(map(figures.cpu_seconds, self.pids()))

    def close(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.log.close()
        self.folder.cleanup()

    def run(self, kind, seconds):
        """Loads it; returns the requests answered, the seconds it took, and its CPU seconds."""
        raise NotImplementedError


def free_port():
    return harness.free_base(1)


def load(*command, seconds):
    done = subprocess.run(["taskset", "-c", LOAD_CORE, *command], capture_output=True, text=True,
                          timeout=seconds * 5 + 60, check=False)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


class Http(Server):
    """Loaded by wrk. `paths`: of each kind the method, what stands before the key, the depth."""

    paths = {}

    def run(self, kind, seconds):
        method, before, depth = self.paths[kind]
        before_cpu = self.cpu_seconds()
        out = load("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s",
                   os.path.join(TOP, "tests/bench/compare.lua"), f"http://127.0.0.1:{self.port}",
                   "--", method, before, str(depth), seconds=seconds)
        used = self.cpu_seconds() - before_cpu
        bad = re.search(r"(Non-2xx|Socket errors).*", out)
        if bad:
            sys.exit(f"{self.name} {kind}: {bad.group(0)}")
        count, rate = re.search(r"(\d+) requests in", out), re.search(r"Requests/sec:\s+([\d.]+)", out)
        return int(count.group(1)), int(count.group(1)) / float(rate.group(1)), used


class Nginx(Http):
    name = "nginx"
    kinds = ("GET", "GET x16")
    paths = {"GET": ("GET", "/v1/data/", 1), "GET x16": ("GET", "/v1/data/", DEPTH)}

    def __init__(self):
        super().__init__()
        self.port = free_port()
        self.spawn("nginx", "-p", self.folder.name, "-c", self.write("nginx.conf", f"""
            daemon off; master_process off; error_log stderr; pid nginx.pid;
            events {{ worker_connections 1024; }}
            http {{
                access_log off; keepalive_requests 1000000000;
                client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                server {{
                    listen 127.0.0.1:{self.port};
                    location / {{ return 200 "{"x" * BYTES}"; }}
                }}
            }}"""))
        self.await_port(self.port)


class Repram(Http):
    name = "repram"
    kinds = ("PUT", "GET", "GET x16")
    paths = {"GET": ("GET", "/v1/data/", 1), "PUT": ("PUT", "/v1/data/", 1),
             "GET x16": ("GET", "/v1/data/", DEPTH)}

    def __init__(self):
        super().__init__()
        self.node = harness.Node(base=free_port(), max_ports=1, env=self.settings(),
                                 prefix=("taskset", "-c", SERVER_CORE))
        self.port = self.node.port
        harness.wait_until(self.node.is_ready, "the node is ready", START_SECONDS)
        fill(self.port)

    @staticmethod
    def settings():
        return {"REPRAM_NETWORK": "compare", "DISCOVERY_DOMAIN": "127.0.0.1"}

    def pids(self):
        return [self.node.pid]

    def close(self):
        self.node.close()
        super().close()


class Repram3(Http):
    name = "3 x repram"
    kinds = ("PUT",)
    paths = {"PUT": ("PUT", "/v1/data/", 1)}

    def __init__(self):
        super().__init__()
        self.launcher = harness.Launcher(3, env=Repram.settings(),
                                         prefix=("taskset", "-c", SERVER_CORE))
        self.nodes = self.launcher.nodes(START_SECONDS)
        harness.wait_until(lambda: all(node.is_ready() and len(node.alive()) == 2
                                       for node in self.nodes), "three nodes", START_SECONDS)
        self.port = self.nodes[0].port

    def pids(self):
        return list(self.launcher.node_pids().values())

    def close(self):
        self.launcher.close()
        super().close()


class Redis(Server):
    name = "Redis"
    kinds = ("SET", "GET", "GET x16")

    def __init__(self):
        super().__init__()
        self.port = free_port()
        self.spawn("redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "",
                   "--appendonly", "no", "--daemonize", "no")
        self.await_port(self.port)
        self.rates = {}  # requests per second of each kind, from its last run

    def run(self, kind, seconds):
        depth = DEPTH if kind.endswith("x16") else 1
        count = max(REDIS_FIRST, int(self.rates.get(kind, 0) * seconds))
        before_cpu = self.cpu_seconds()
        out = load("redis-benchmark", "-h", "127.0.0.1", "-p", str(self.port), "-c",
                   str(CONNECTIONS), "-d", str(BYTES), "-r", str(KEYS), "-n", str(count), "-P",
                   str(depth), "-t", kind.split()[0].lower(), "--csv", seconds=seconds)
        used = self.cpu_seconds() - before_cpu
        rate = float(re.search(rf'^"{kind.split()[0]}","([\d.]+)"', out, re.M).group(1))
        self.rates[kind] = rate
        return count, count / rate, used


class Memcached(Server):
    """Loaded by tests/bench/bench_memcached.c."""

    name = "memcached"
    kinds = ("SET", "GET")

    def __init__(self):
        super().__init__()
        self.port = free_port()
        self.generator = os.path.join(self.folder.name, "bench_memcached")
        subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", self.generator,
                        os.path.join(TOP, "tests/bench/bench_memcached.c")], check=True)
        self.spawn("memcached", "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-t", "1", "-m",
                   "256", "-u", "nobody")
        self.await_port(self.port)

    def run(self, kind, seconds):
        generator = subprocess.Popen(
            ["taskset", "-c", LOAD_CORE, self.generator, str(self.port), kind.lower(),
             str(CONNECTIONS), str(seconds), str(KEYS), str(BYTES)],
            stdout=subprocess.PIPE, text=True)
        try:
            # The keys are written by then.
            if generator.stdout.readline() != "begun\n":
                sys.exit("memcached could not be loaded")
            before_cpu = self.cpu_seconds()
            out, _ = generator.communicate(timeout=seconds * 5 + 60)
            used = self.cpu_seconds() - before_cpu
        finally:
            generator.kill()
            generator.wait()
        found = re.search(r"(\d+) requests in ([\d.]+) s", out)
        if generator.returncode != 0 or found is None:
            sys.exit(f"memcached {kind}: the load failed")
        return int(found.group(1)), float(found.group(2)), used


class Webdis(Http):
    """Redis behind HTTP: the time of both counts."""

    name = "Webdis and Redis"
    kinds = ("PUT", "GET")
    paths = {"PUT": ("PUT", "/SET/", 1), "GET": ("GET", "/GET/", 1)}

    def __init__(self):
        super().__init__()
        redis, self.port = free_port(), free_port()
        self.spawn("redis-server", "--bind", "127.0.0.1", "--port", str(redis), "--save", "",
                   "--appendonly", "no", "--daemonize", "no")
        self.await_port(redis)
        self.spawn("webdis", self.write("webdis.json", json.dumps({
            "redis_host": "127.0.0.1", "redis_port": redis, "http_host": "127.0.0.1",
            "http_port": self.port, "threads": 1, "pool_size": 20, "daemonize": False,
            "database": 0, "verbosity": 0, "logfile": "/dev/null"})))
        self.await_port(self.port)


SERVERS = (Nginx, Repram, Repram3, Redis, Memcached, Webdis)


def fill(port):
    """Every key once, so that a GET finds it."""
    done = harness.cli("bench", "--reads", "100", "--keys", str(KEYS), "--size", str(BYTES), "-n",
                       "1", "-s", f"127.0.0.1:{port}", seconds=60)
    if done.returncode != 0:
        sys.exit(f"the keys could not be written: {done.stderr.decode()}")


# ---- Rounds and the table ----

def one_round(servers, seconds, runs):
    for make in servers:
        server = make()
        try:
            for kind in server.kinds:
                server.run(kind, 1)  # the first touch of its memory is not measured
                count, took, used = server.run(kind, seconds)
                if count == 0:
                    sys.exit(f"{server.name} has answered no {kind}")
                runs.setdefault((server.name, kind), []).append(
                    {"us": used / count * 1e6, "per_s": count / took, "busy": used / took})
        finally:
            server.close()


def spread(values, form):
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:{form}} ({low:{form}} to {high:{form}})" if len(values) > 1 else f"{middle:{form}}"


def print_table(runs):
    baseline = runs.get(BASELINE)
    rows = [("server", "request", "CPU per request, us", "x nginx", "requests/s", "of its core")]
    for (name, kind), found in runs.items():
        ratios = [run["us"] / base["us"] for run, base in zip(found, baseline)] if baseline else None
        rows.append((name, kind, spread([run["us"] for run in found], ".2f"),
                     spread(ratios, ".2f") if ratios else "",
                     f"{statistics.median(run['per_s'] for run in found):,.0f}",
                     f"{statistics.median(run['busy'] for run in found):.0%}"))
    rows.insert(1, tuple("---" for _ in rows[0]))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def print_pipelined(runs):
    for name in dict.fromkeys(name for name, _ in runs):
        plain, deep = runs.get((name, "GET")), runs.get((name, "GET x16"))
        if plain and deep:
            ratios = [b["per_s"] / a["per_s"] for a, b in zip(plain, deep)]
            print(f"{name}: GET {DEPTH} deep has {spread(ratios, '.1f')} times the rate of one at a "
                  "time")


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*: (.*)", file.read()).group(1)
    return f"{os.cpu_count()} x {model}, Linux {os.uname().release}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.path.join(TOP, "build/release/repram"))
    parser.add_argument("--seconds", type=int, default=4, help="of a measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="names, comma separated; nginx always comes too")
    parser.add_argument("--json", help="every measurement, into this file")
    arguments = parser.parse_args()
    harness.BINARY = os.path.abspath(arguments.binary)
    if (os.cpu_count() or 1) < 2:
        sys.exit("this needs two cores: one for the server, one for the load")
    only = {name for name in arguments.only.split(",") if name}
    unknown = only - {make.name for make in SERVERS}
    if unknown:
        sys.exit(f"no such server: {', '.join(unknown)}; there are: "
                 + ", ".join(make.name for make in SERVERS))
    servers = [make for make in SERVERS if not only or make.name in only | {BASELINE[0]}]
    runs = {}
    for number in range(arguments.rounds):
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
        one_round(servers, arguments.seconds, runs)
    print(f"{machine()}; {arguments.rounds} rounds of {arguments.seconds} s, {CONNECTIONS} "
          f"connections, {BYTES}-byte values; median (least to most)\n")
    print_table(runs)
    print()
    print_pipelined(runs)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine(), "seconds": arguments.seconds,
                       "runs": [{"server": name, "request": kind, "measured": found}
                                for (name, kind), found in runs.items()]}, file, indent=1)
            file.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
