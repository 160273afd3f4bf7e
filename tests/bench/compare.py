#!/usr/bin/python3
"""This node beside nginx, Redis, memcached, Webdis and a bare loop: CPU per request and throughput.

    tests/bench/compare.sh [--seconds 4] [--rounds 5] [--only NAME,...] [--shapes SHAPE,...]
                           [--json FILE]

compare.sh installs what is missing (no service is left running), builds the release preset and runs
this. Each server is started in turn, on loopback, pinned to one core with its load generator pinned to
another: 32 connections, 100-byte values, 10,000 keys, one request at a time on each; then by shape:
16 pipelined (x16), values of 10 KiB and of 1 MiB, 1,000 connections. CPU per request is the server's user and system
time of the run from /proc/PID/stat, over the requests that were answered. All servers come once in a
round, and rounds follow upon each other (A B C A B C ...), so that the machine's other work meets
all of them. A ratio compares two servers of one round, and the table shows the median over the
rounds.

The generators: wrk for HTTP, redis-benchmark for Redis, tests/bench/bench_memcached.c for memcached,
for which the packaged ones either stall or choose the size of values themselves.
nginx answers `return 200` with 100 bytes and looks nothing up: the least that HTTP costs a server
of the kind. tests/bench/floor.c is an epoll loop that finds the ends of requests and answers each with
the same bytes: the least that TCP costs. Redis and Valkey are told `SET key value EX 600`, as every
entry here ends. Valkey and Pogocache come where they are installed: Debian has Valkey from version 13
on, and neither Debian nor npm has Pogocache.
"""

import argparse
import collections
import json
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tests/integration"), os.path.join(TOP, "tests/bench")]
import figures  # pylint: disable=wrong-import-position
import harness  # pylint: disable=wrong-import-position

Shape = collections.namedtuple("Shape", "connections depth bytes keys")
KEYS = 10000
BYTES = 100
SHAPES = {
    "": Shape(32, 1, BYTES, KEYS),
    "x16": Shape(32, 16, BYTES, KEYS),
    "10 KiB": Shape(32, 1, 10 << 10, 1000),
    "1 MiB": Shape(8, 1, 1 << 20, 64),
    "1000 connections": Shape(1000, 1, BYTES, KEYS),
}
DESCRIPTORS = 4096
SERVER_CORE, LOAD_CORE = "0", "1"
START_SECONDS = 10
REDIS_FIRST = 10000  # requests of a first run; redis-benchmark takes a number, no time


# ---- Servers ----

def shape_of(kind):
    """Of "GET x16" the shape x16."""
    return SHAPES[kind.partition(" ")[2]]


def kinds_of(verbs, shapes=tuple(SHAPES)):
    return tuple(f"{verb} {shape}".strip() for shape in shapes for verb in verbs)


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


def load(*command, seconds, text=None):
    done = subprocess.run(["taskset", "-c", LOAD_CORE, *command], capture_output=True, text=True,
                          input=text, timeout=seconds * 5 + 60, check=False)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


class Http(Server):
    """Loaded by wrk. `paths`: of each method what stands before the key."""

    paths = {}

    def port_of(self, _method, _shape):
        return self.port

    def run(self, kind, seconds):
        method, shape = kind.split()[0], shape_of(kind)
        before = f"{self.paths[method]}bench-{shape.bytes}-"
        before_cpu = self.cpu_seconds()
        out = load("wrk", "-t1", f"-c{shape.connections}", f"-d{seconds}s", "-s",
                   os.path.join(TOP, "tests/bench/compare.lua"),
                   f"http://127.0.0.1:{self.port_of(method, shape)}", "--", method, before,
                   str(shape.depth), str(shape.bytes), str(shape.keys), seconds=seconds)
        used = self.cpu_seconds() - before_cpu
        bad = re.search(r"(Non-2xx|Socket errors).*", out)
        if bad:
            sys.exit(f"{self.name} {kind}: {bad.group(0)}")
        count = int(re.search(r"(\d+) requests in", out).group(1))
        if count == 0:
            sys.exit(f"{self.name} has answered no {kind}:\n{out}")
        return count, count / float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), used


class Floor(Http):
    """One for each size of answers."""

    name = "bare epoll loop"
    kinds = kinds_of(("GET", "PUT"))
    paths = {"GET": "/", "PUT": "/"}

    def __init__(self):
        super().__init__()
        self.ports = {}
        program = os.path.join(self.folder.name, "floor")
        subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", program,
                        os.path.join(TOP, "tests/bench/floor.c")], check=True)
        for size in sorted({shape.bytes for shape in SHAPES.values()}):
            self.ports[size] = free_port()
            self.spawn(program, str(self.ports[size]), str(size))
            self.await_port(self.ports[size])

    def port_of(self, method, shape):
        return self.ports[shape.bytes if method == "GET" else BYTES]


class Nginx(Http):
    name = "nginx"
    kinds = kinds_of(("GET",))
    paths = {"GET": "/v1/data/"}

    def __init__(self):
        super().__init__()
        self.port = free_port()
        for shape in SHAPES.values():
            self.write(f"body-{shape.bytes}", "x" * shape.bytes)
        self.spawn("nginx", "-p", self.folder.name, "-c", self.write("nginx.conf", f"""
            daemon off; master_process off; error_log stderr; pid nginx.pid;
            worker_rlimit_nofile {DESCRIPTORS};
            events {{ worker_connections {DESCRIPTORS // 2}; }}
            http {{
                access_log off; keepalive_requests 1000000000; sendfile on;
                open_file_cache max=10; open_file_cache_valid 1h;
                client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                server {{
                    listen 127.0.0.1:{self.port};
                    location / {{ return 200 "{"x" * BYTES}"; }}
                    location ~ /bench-(10240|1048576)- {{ alias {self.folder.name}/body-$1; }}
                }}
            }}"""))
        self.await_port(self.port)


class Repram(Http):
    name = "repram"
    kinds = kinds_of(("PUT", "GET"))
    paths = {"GET": "/v1/data/", "PUT": "/v1/data/"}

    def __init__(self):
        super().__init__()
        self.node = harness.Node(base=free_port(), max_ports=1, env=self.settings(),
                                 prefix=("taskset", "-c", SERVER_CORE))
        self.port = self.node.port
        harness.wait_until(self.node.is_ready, "the node is ready", START_SECONDS)
        fill(self.port)

    @staticmethod
    def settings():
        return {"REPRAM_NETWORK": "compare", "DISCOVERY_DOMAIN": "127.0.0.1",
                "REPRAM_MAX_CONNECTIONS": str(DESCRIPTORS // 2),
                "REPRAM_MAX_CONNECTIONS_PER_IP": "0"}

    def pids(self):
        return [self.node.pid]

    def close(self):
        self.node.close()
        super().close()


class Repram3(Http):
    name = "3 x repram"
    kinds = kinds_of(("PUT",))
    paths = {"PUT": "/v1/data/"}

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
    program = "redis-server"
    kinds = kinds_of(("SET", "GET"))

    def __init__(self):
        super().__init__()
        self.port = free_port()
        self.start()
        self.await_port(self.port)
        self.rates = {}  # requests per second of each kind, from its last run

    def start(self):
        self.spawn(self.program, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "",
                   "--appendonly", "no", "--daemonize", "no")

    def run(self, kind, seconds):
        verb, shape = kind.split()[0], shape_of(kind)
        count = max(REDIS_FIRST if shape.bytes <= BYTES else shape.connections * 10,
                    int(self.rates.get(kind, 0) * seconds))
        key = f"bench-{shape.bytes}-__rand_int__"
        command = ("-x", "SETEX", key, "600") if verb == "SET" else ("GET", key)
        before_cpu = self.cpu_seconds()
        out = load("redis-benchmark", "-h", "127.0.0.1", "-p", str(self.port), "-c",
                   str(shape.connections), "-r", str(shape.keys), "-n", str(count), "-P",
                   str(shape.depth), "--csv", *command, seconds=seconds,
                   text="x" * shape.bytes if verb == "SET" else None)
        used = self.cpu_seconds() - before_cpu
        # The title is the whole command, with the value.
        rate = float(re.search(r'","([\d.]+)","[^\n]*$', out.strip()[-200:]).group(1))
        self.rates[kind] = rate
        return count, count / rate, used


class Valkey(Redis):
    name = "Valkey"
    program = "valkey-server"
    absent = "Debian has it from version 13 on"


class Pogocache(Redis):
    """It speaks Redis's protocol too."""

    name = "Pogocache"
    program = "pogocache"
    absent = "neither Debian nor npm has it"

    def start(self):
        self.spawn(self.program, "-h", "127.0.0.1", "-p", str(self.port), "--threads", "1")


class Memcached(Server):
    """Loaded by tests/bench/bench_memcached.c."""

    name = "memcached"
    kinds = kinds_of(("SET", "GET"), ("", "10 KiB", "1000 connections"))

    def __init__(self):
        super().__init__()
        self.port = free_port()
        self.generator = os.path.join(self.folder.name, "bench_memcached")
        subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", self.generator,
                        os.path.join(TOP, "tests/bench/bench_memcached.c")], check=True)
        self.spawn("memcached", "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-t", "1", "-m",
                   "256", "-c", str(DESCRIPTORS // 2), "-u", "nobody")
        self.await_port(self.port)

    def run(self, kind, seconds):
        shape = shape_of(kind)
        generator = subprocess.Popen(
            ["taskset", "-c", LOAD_CORE, self.generator, str(self.port), kind.split()[0].lower(),
             str(shape.connections), str(seconds), str(shape.keys), str(shape.bytes)],
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
    paths = {"PUT": "/SET/", "GET": "/GET/"}

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


SERVERS = (Floor, Nginx, Repram, Repram3, Redis, Valkey, Pogocache, Memcached, Webdis)


def fill(port):
    """Every key once, of each size, so that a GET finds it."""
    for size, keys in sorted({(shape.bytes, shape.keys) for shape in SHAPES.values()}):
        done = harness.cli("bench", "--reads", "100", "--keys", str(keys), "--size", str(size),
                           "--prefix", f"bench-{size}-", "-c", "8", "-n", "1", "-s",
                           f"127.0.0.1:{port}", seconds=60)
        if done.returncode != 0:
            sys.exit(f"the keys could not be written: {done.stderr.decode()}")


# ---- Rounds and the table ----

def one_round(servers, shapes, seconds, runs):
    for make in servers:
        server = make()
        try:
            for kind in server.kinds:
                if shape_of(kind) not in shapes:
                    continue
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


def ratios(runs, name, kind, base, verb):
    """Of each round, to the same shape of another server."""
    bases = runs.get((base, f"{verb} {kind.partition(' ')[2]}".strip()))
    if bases is None or name == base:
        return ""
    return spread([run["us"] / other["us"] for run, other in zip(runs[name, kind], bases)], ".2f")


def print_table(runs):
    rows = [("server", "request", "CPU per request, us", "x nginx's GET", "x bare loop",
             "requests/s", "of its core")]
    rows.append(tuple("---" for _ in rows[0]))
    for (name, kind), found in runs.items():
        verb = "GET" if kind.startswith("GET") else "PUT"
        rows.append((name, kind, spread([run["us"] for run in found], ".2f"),
                     ratios(runs, name, kind, Nginx.name, "GET"),
                     ratios(runs, name, kind, Floor.name, verb),
                     f"{statistics.median(run['per_s'] for run in found):,.0f}",
                     f"{statistics.median(run['busy'] for run in found):.0%}"))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def print_pipelined(runs):
    for name in dict.fromkeys(name for name, _ in runs):
        plain, deep = runs.get((name, "GET")), runs.get((name, "GET x16"))
        if plain and deep:
            times = [b["per_s"] / a["per_s"] for a, b in zip(plain, deep)]
            print(f"{name}: GET 16 deep has {spread(times, '.1f')} times the rate of one at a "
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
    parser.add_argument("--only", default="", help="names, comma separated; nginx and the bare loop always come too")
    parser.add_argument("--shapes", default="", help="of requests: plain, "
                        + ", ".join(filter(None, SHAPES)) + "; all unless said")
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
    names = [name.strip() for name in arguments.shapes.split(",") if name.strip()]
    if set(names) - set(SHAPES) - {"plain"}:
        sys.exit("no such shape; there are: plain, " + ", ".join(filter(None, SHAPES)))
    shapes = [SHAPES["" if name == "plain" else name] for name in names] or list(SHAPES.values())
    servers = [make for make in SERVERS if not only or make.name in only | {Nginx.name, Floor.name}]
    for make in (Valkey, Pogocache):
        if make in servers and shutil.which(make.program) is None:
            servers.remove(make)
            print(f"skipped: {make.name} is not installed; {make.absent}", file=sys.stderr)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE,
                       (DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard), hard))
    runs = {}
    for number in range(arguments.rounds):
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
        one_round(servers, shapes, arguments.seconds, runs)
    print(f"{machine()}; {arguments.rounds} rounds of {arguments.seconds} s, 32 "
          f"connections (8 for 1 MiB), {BYTES}-byte values; median (least to most)\n")
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
