#!/usr/bin/python3
"""How what a request costs grows: with nodes, keys, connections, watchers and bytes.

    tests/bench/curves.py [--only CURVE,...] [--requests 20000]     measures, writes and draws
    tests/bench/curves.py --draw                                    draws what was measured

Run it as root, on a machine that does nothing else: the nodes and the load share its cores, on
loopback, in a network namespace of the run's own. What is measured is processor time, from
/proc/PID/stat, over what was done; so a busy machine makes figures worse, but no other curves. The
figures stand in docs/performance/figures.json, and the charts beside it; the same figures make the
same bytes. Drawn by tests/sim/plot.py.
"""

import argparse
import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, name) for name in ("tests/integration", "tests/bench", "tests/sim")]
import plot  # pylint: disable=wrong-import-position

FOLDER = os.path.join(TOP, "docs/performance")
FIGURES = os.path.join(FOLDER, "figures.json")
SOURCE = "Measured. Made by tests/bench/curves.py from docs/performance/figures.json."
START_SECONDS = 30
WATCH_ROUNDS = 20
NODES = (1, 2, 3, 5, 7)
KEYS = (1000, 10000, 100000, 300000)
CONNECTIONS = (1, 10, 100, 1000)
WATCHERS = (10, 100, 1000, 5000)
BYTES = (100, 1 << 10, 10 << 10, 100 << 10, 1 << 20, 10 << 20)

# Curve: title, x, y, {line: its name}, whether y is logarithmic.
CHARTS = {
    "nodes": ("A replicated PUT of 100 bytes: processor time", "members of the enclave", "us a PUT",
              {"sum": "of all members", "asked": "of the member that is asked",
               "other": "of each of the others"}, False),
    "keys": ("A request of one node, by how many keys it holds", "keys", "us of processor time",
             {"put": "PUT", "get": "GET"}, False),
    "connections": ("A request of one node, by how many connections ask", "connections",
                    "us of processor time", {"put": "PUT", "get": "GET"}, False),
    "watchers": ("An event of one key, by how many watch it", "watchers",
                 "us of processor time, each watcher", {"event": "PUT and event"}, True),
    "bytes": ("A request of one node, by the size of the value", "bytes", "us of processor time",
              {"put": "PUT", "get": "GET"}, True),
}


# ---- Drawing ----

def draw(figures):
    """Name to SVG of every curve of which there are two points."""
    drawn = {}
    for name, (title, x_label, y_label, lines, is_log_y) in CHARTS.items():
        series = []
        for line, text in lines.items():
            points = sorted((point["x"], point["us"]) for point in figures
                            if (point["curve"], point["line"]) == (name, line))
            if points:
                series.append((text, points))
        if len({x for _, points in series for x, _ in points}) >= 2:
            drawn[name] = plot.Chart(title, x_label, y_label, series, [], is_log_y=is_log_y,
                                     source=SOURCE).svg()
    return drawn


def write(figures):
    os.makedirs(FOLDER, exist_ok=True)
    with open(FIGURES, "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(json.dumps(point, sort_keys=True) for point in figures) + "\n]\n")
    for name, text in draw(figures).items():
        with open(os.path.join(FOLDER, name + ".svg"), "w", encoding="utf-8") as file:
            file.write(text)


def read():
    if not os.path.exists(FIGURES):
        return []
    with open(FIGURES, encoding="utf-8") as file:
        return json.load(file)


# ---- Measuring ----

def settings():
    return {"REPRAM_NETWORK": "curves", "DISCOVERY_DOMAIN": "127.0.0.1",
            "REPRAM_MAX_CONNECTIONS": "12000", "REPRAM_MAX_CONNECTIONS_PER_IP": "0",
            "REPRAM_MAX_WATCHERS": "10000"}


def cpu_seconds(pids):
    import figures  # pylint: disable=import-outside-toplevel
    return sum(map(figures.cpu_seconds, pids))


class One:
    """One node."""

    def __init__(self):
        import harness  # pylint: disable=import-outside-toplevel
        self.harness = harness
        self.node = harness.Node(base=harness.free_base(1), max_ports=1, env=settings())
        harness.wait_until(self.node.is_ready, "the node is ready", START_SECONDS)
        self.pids = [self.node.pid]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.node.close()

    def bench(self, *words):
        done = self.harness.cli("bench", "--json", "--timeout", "60s", *map(str, words), "-s",
                                f"127.0.0.1:{self.node.port}", seconds=600)
        if done.returncode != 0:
            sys.exit(done.stderr.decode())
        return json.loads(done.stdout)

    def us(self, count, *words):
        """Of `count` requests; as many before them, a tenth, are not counted."""
        self.bench("-n", max(count // 10, 1), "--no-fill", *words)
        before = cpu_seconds(self.pids)
        self.bench("-n", count, "--no-fill", *words)
        return (cpu_seconds(self.pids) - before) * 1e6 / count

    def both(self, curve, x, count, *words):
        for line, reads in (("put", 0), ("get", 100)):
            yield {"curve": curve, "line": line, "x": x,
                   "us": round(self.us(count, "--reads", reads, *words), 2)}


class Some(One):
    """A cluster; its first node is asked."""

    def __init__(self, count):  # pylint: disable=super-init-not-called
        import harness  # pylint: disable=import-outside-toplevel
        self.harness = harness
        self.launcher = harness.Launcher(count, env=settings())
        nodes = self.launcher.nodes(START_SECONDS)
        harness.wait_until(lambda: all(node.is_ready() and len(node.alive()) == count - 1
                                       for node in nodes), "all nodes", START_SECONDS)
        self.node = nodes[0]
        by_port = self.launcher.node_pids()
        self.asked = by_port[self.node.port]
        self.pids = list(by_port.values())

    def __exit__(self, *_):
        self.launcher.close()


def measure_nodes(requests):
    for count in NODES:
        with Some(count) as cluster:
            words = ("--reads", 0, "--keys", 1000, "--no-fill")
            cluster.bench("-n", requests // 10, *words)
            before = [cpu_seconds([pid]) for pid in cluster.pids]
            cluster.bench("-n", requests, *words)
            used = [(cpu_seconds([pid]) - was) * 1e6 / requests
                    for pid, was in zip(cluster.pids, before)]
            asked = used.pop(cluster.pids.index(cluster.asked))
            yield {"curve": "nodes", "line": "sum", "x": count, "us": round(asked + sum(used), 2)}
            yield {"curve": "nodes", "line": "asked", "x": count, "us": round(asked, 2)}
            if used:
                yield {"curve": "nodes", "line": "other", "x": count,
                       "us": round(sum(used) / len(used), 2)}


def measure_keys(requests):
    for count in KEYS:
        with One() as node:
            node.bench("-n", 1, "--reads", 100, "--keys", count)
            yield from node.both("keys", count, requests, "--keys", count)


def measure_connections(requests):
    with One() as node:
        for count in CONNECTIONS:
            yield from node.both("connections", count, requests, "-c", count)


def measure_watchers(_requests):
    program = os.path.join(TOP, "build/dev/tests/bench_watch")
    for count in WATCHERS:
        with One() as node:
            before = cpu_seconds(node.pids)
            words = [program, str(node.node.port), str(node.node.pid), str(count)]
            subprocess.run(words + ["1"], check=True, stdout=subprocess.DEVNULL)
            middle = cpu_seconds(node.pids)
            rounds = 1 + max(WATCH_ROUNDS, 20000 // count)
            subprocess.run(words + [str(rounds)], check=True, stdout=subprocess.DEVNULL)
            used = cpu_seconds(node.pids) - middle - (middle - before)
            yield {"curve": "watchers", "line": "event", "x": count,
                   "us": round(used * 1e6 / (rounds - 1) / count, 2)}


def measure_bytes(requests):
    with One() as node:
        for size in BYTES:
            count = max(min(requests, (2 << 30) // size), 30)
            words = ("--size", size, "--keys", max(min(1000, (64 << 20) // size), 1), "-c", 8, "--prefix",
                     f"b{size}-")
            yield from node.both("bytes", size, count, *words)


MEASURES = {"nodes": measure_nodes, "keys": measure_keys, "connections": measure_connections,
            "watchers": measure_watchers, "bytes": measure_bytes}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(MEASURES), help="curves, comma separated")
    parser.add_argument("--requests", type=int, default=20000, help="of a measurement, at most")
    parser.add_argument("--binary", default=os.path.join(TOP, "build/release/repram"))
    parser.add_argument("--draw", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    only = [name for name in arguments.only.split(",") if name]
    if set(only) - set(MEASURES):
        sys.exit("no such curve; there are: " + ", ".join(MEASURES))
    known = read()
    if not arguments.draw:
        import harness  # pylint: disable=import-outside-toplevel
        harness.BINARY = os.path.abspath(arguments.binary)
        for name in only:
            points = list(MEASURES[name](arguments.requests))
            known = [point for point in known if point["curve"] != name] + points
            for point in points:
                print(json.dumps(point, sort_keys=True), flush=True)
    order = list(CHARTS)
    known.sort(key=lambda point: (order.index(point["curve"]), point["line"], point["x"]))
    write(known)
    return 0


if __name__ == "__main__":
    sys.exit(main())
