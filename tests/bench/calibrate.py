#!/usr/bin/python3
"""Real nodes beside simulated ones: the same faults, the same figures, and whether they agree.

    tests/bench/calibrate.py [--nodes 16,48] [--quick] [--json FILE] [SCENARIO...]

Starts `repram node` processes as root, each in a network namespace of its own, does to them what
repram-sim does to its own, and prints one table: measured, simulated, the margin allowed between
them, and whether they agree. The exit code is 0 when all agree, 1 when one does not.

How it is measured. What members believe, from their log lines: milliseconds of one clock, and nobody
is polled. Heals, by asking all for /status again and again; the longest time between two looks is
given, and is part of the margin. Writes, where the bridge hands them to a node's interface. Bytes, by
nft's counters in each namespace: IP headers included, requests of this program not. The simulator's
delay is half the round trip that the real nodes report. It knows no CPU time, so the margins allow
a share of it for each node: all of them live on this machine's cores. """

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tests/integration"), os.path.dirname(os.path.abspath(__file__))]
HARNESS = os.path.join(TOP, "tests/integration/harness.py")


def isolate(arguments):
    """Runs this program once more, in the harness's namespaces."""
    os.environ.setdefault("REPRAM_BINARY", os.path.abspath(arguments.binary))
    os.environ["REPRAM_CALIBRATE"] = "1"
    os.execv(sys.executable, [sys.executable, "-B", HARNESS, os.path.abspath(__file__),
                              *sys.argv[1:]])


# ---- Figures ----

def percentile(values, share):
    """By nearest rank, as the simulator does."""
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


class Figure:
    """One line of the table. `real` are samples, `sim` a number or the simulator's object of
    percentiles in microseconds; medians are compared unless `which` is p99, and rates as they are.
    Without a margin both are shown and not compared; without `sim`, what was measured."""

    def __init__(self, name, real, sim, unit, margin, why, which="median"):
        self.name, self.unit, self.why, self.which = name, unit, why, which
        scale = {"s": 1e6, "ms": 1e3}.get(unit, 1)
        self.real = {"count": len(real), "median": statistics.median(real),
                     "p99": percentile(real, 0.99), "max": max(real)}
        if sim is None:
            self.sim = None
        elif isinstance(sim, dict):
            self.sim = {"count": sim["count"],
                        **{key: sim[key] / scale for key in ("median", "p99", "max")}}
        else:
            self.sim = {"count": 1, "median": sim, "p99": sim, "max": sim}
        self.margin = margin and margin[0] + margin[1] * self.sim[which]
        self.agrees = margin is None or abs(self.real[which] - self.sim[which]) <= self.margin

    def row(self):
        def triple(values):
            if values is None:
                return f"{'':36}"
            if values["count"] == 1:
                return f"{values['median']:9.3f} {'':>9} {'':>9} {'':>6}"
            p99 = f"{values['p99']:9.3f}" if values["count"] >= 100 else f"{'-':>9}"
            return (f"{values['median']:9.3f} {p99} {values['max']:9.3f} "
                    f"{values['count']:6}")
        margin = f"{self.margin:8.3f}" if self.margin is not None else f"{'':8}"
        return (f"{self.name:<46} {triple(self.real)}   {triple(self.sim)} {margin} {self.unit:<5} "
                + self.verdict())

    def verdict(self):
        if self.margin is None:
            return "not compared"
        return ("agrees" if self.agrees else "DIFFERS") + (" (p99)" if self.which == "p99" else "")

    def as_json(self):
        return {"name": self.name, "unit": self.unit, "measured": self.real, "simulated": self.sim,
                "margin": self.margin, "compared": self.which, "why": self.why,
                "agrees": self.agrees}


class Busy:
    """The share of this machine's processor time that was used, and how much of it was ours."""

    def __init__(self):
        self.before = self._read()

    @staticmethod
    def _read():
        with open("/proc/stat", encoding="ascii") as file:
            return [int(field) for field in file.readline().split()[1:9]]

    def share(self):
        spent = [after - before for before, after in zip(self.before, self._read())]
        return 1 - (spent[3] + spent[4]) / max(1, sum(spent))


def await_quiet(seconds=20):
    """Waits until others leave half of the processors free, this long at most."""
    deadline = time.time() + seconds
    while time.time() < deadline:
        busy = Busy()
        time.sleep(2)
        if busy.share() < 0.5:
            return


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- One size of cluster ----

class Calibration:
    def __init__(self, count, arguments):
        import rig  # which needs the harness, and that the isolation
        self.rig = rig
        self.count = count
        self.arguments = arguments
        self.random = random.Random(count)
        self.hosts = rig.hosts(count)
        self.figures = []
        self.commands = []
        self.delay = "60us"
        self.deaths = []
        self.node_seconds = 0.0
        self.busy = {}

    def times(self, many, few):
        return few if self.arguments.quick else many

    def simulate(self, scenario, minutes, seeds, **options):
        """The simulator's object for that, losses as --loss and --stream-loss."""
        command = ["--nodes", self.count, "--scenario", scenario, "--minutes", minutes,
                   "--seeds", f"1-{seeds}", "--delay", self.delay, "--jitter", self.delay]
        settings = {"loss": 0, "stream-loss": 0, "writes": 0, **options}
        for name, value in settings.items():
            command += [f"--{name.replace('_', '-')}", value]
        command = [str(word) for word in command]
        done = subprocess.run([self.arguments.sim, *command, "--json"], capture_output=True,
                              text=True, check=False)
        text = done.stdout.strip().splitlines()
        if done.returncode != 0 or not text:
            say(f"repram-sim {' '.join(command)}: {done.returncode}\n{done.stdout[-500:]}")
        self.commands.append("repram-sim " + " ".join(command))
        return json.loads(text[-1])

    def compare(self, *arguments):
        figure = Figure(*arguments)
        self.figures.append(figure)
        print(figure.row(), flush=True)

    def cluster(self, **faults):
        """A new one, formed under these faults."""
        self.rig.network(**faults)
        cluster = self.rig.Cluster(self.hosts)
        try:
            cluster.begun = cluster.start_all()
            cluster.joined = cluster.await_joined(120)
            cluster.views, _, cluster.look = cluster.await_rest(every=0.01, views_only=True)
            cluster.await_ready()
        except BaseException:
            cluster.__exit__(None, None, None)
            raise
        return cluster

    def settle(self, cluster, excused=()):
        """To be called when a cluster has been looked at: notes what should not have happened."""
        cluster.read()
        self.deaths += cluster.false_deaths(excused)

    def others(self, cluster, index):
        return {life.name for life in cluster.lives if life is not cluster.lives[index]}

    # ---- Scenarios ----

    def forming(self):
        """All start at once and know all addresses."""
        views, joined, spent = [], [], []
        for _ in range(self.times(8, 3)):
            with self.cluster() as cluster:
                joined.append(cluster.joined - cluster.begun)
                views.append(cluster.views - cluster.begun)
                spent.append(max(life.processor_seconds() - life.spent for life in cluster.lives))
                self.settle(cluster)
            self.node_seconds += cluster.node_seconds
        sim = self.simulate("steady", 0.02, self.times(20, 8))["forming_us"]
        slowest = statistics.median(spent)
        why = f"a node ran or waited for a processor for {slowest:.2f} s of it"
        self.compare("start to all list all", joined, sim, "s", (0.05 + slowest, 0.25), why)
        self.compare("start to equal views", views, sim, "s", (0.05 + slowest + cluster.look, 0.25),
                     f"{why}, and a look of {cluster.look:.2f} s")

    def round_trip(self):
        """Half of what the nodes report is the simulator's delay."""
        with self.cluster() as cluster:
            time.sleep(5)
            found = [peer["rtt_ms"] for life in cluster.lives for peer in life.node.peers()
                     if peer["rtt_ms"] > 0]
        self.delay = f"{max(10, round(statistics.median(found) * 500))}us"
        say(f"half a round trip: {self.delay}")

    def ends(self, name, end, loss, count):
        """Nodes end one after the other; when the last other knew."""
        last, each = [], []
        with self.cluster(datagram_loss=loss) as cluster:
            for turn in range(count):
                index = self.random.randrange(self.count)
                whom, observers = cluster.lives[index].name, self.others(cluster, index)
                time.sleep(self.random.uniform(0.5, 1.5))  # at any time between two probes
                at = end(cluster, index)
                times = cluster.await_lines("dead", whom, observers, at, 60)
                if len(times) < len(observers):
                    say(f"{name}: {len(observers) - len(times)} did not tell of it in a minute")
                each += [known - at for known in times.values()]
                last.append(max(times.values()) - at)
                say(f"{name} {turn + 1} of {count}: {last[-1]:.3f} s")
                cluster.replace(index)
                cluster.await_joined(60)
                cluster.await_rest(views_only=True)
            self.settle(cluster)
        self.node_seconds += cluster.node_seconds
        return last, each

    def crash(self, loss=0.0):
        last, each = self.ends(f"crash, {loss:.0%} loss", lambda c, i: c.pull_cable(i), loss,
                               self.times(12, 4))
        sim = self.simulate("crash", 3, 10, loss=loss)
        text = f", {loss:.0%} loss" if loss else ""
        why = "few samples of a spread of some seconds"
        self.compare(f"pulled cable to the last{text}", last, sim["crash_all_us"], "s", (0.3, 0.2),
                     why)
        self.compare(f"pulled cable to each{text}", each, sim["crash_each_us"], "s", (0.3, 0.2), why)

    def crash_lossy(self):
        self.crash(0.25)

    def kill(self):
        last, each = self.ends("kill", lambda c, i: c.kill(i), 0, self.times(20, 6))
        sim = self.simulate("kill", 3, 10)
        why = "proof by refusals, paced by 100 ms"
        self.compare("kill -9 to the last", last, sim["kill_all_us"], "s", (0.2, 0.1), why)
        self.compare("kill -9 to each", each, sim["kill_each_us"], "s", (0.2, 0.1), why)

    def stop(self):
        """SIGSTOP is silence too, though streams stay open; SIGCONT lets a dead one return."""
        last, back, look = [], [], 0
        with self.cluster() as cluster:
            for turn in range(self.times(5, 2)):
                index = self.random.randrange(self.count)
                life, observers = cluster.lives[index], self.others(cluster, index)
                begun = cluster.kill(index, signal.SIGSTOP)
                times = cluster.await_lines("dead", life.name, observers, begun, 60)
                last.append(max(times.values()) - begun)
                time.sleep(max(0.0, begun + 15 - time.time()))
                at = cluster.kill(index, signal.SIGCONT)
                views, _, look = cluster.await_rest(views_only=True)
                back.append(views - at)
                say(f"stop {turn + 1}: dead after {last[-1]:.3f} s, back after {back[-1]:.3f} s")
        self.node_seconds += cluster.node_seconds
        sim = self.simulate("crash", 3, 10)
        self.compare("SIGSTOP to the last", last, sim["crash_all_us"], "s", (0.3, 0.2),
                     "silence, simulated as a pulled cable")
        self.compare("SIGCONT to equal views", back, None, "s", None,
                     "not simulated as such")

    def healed(self, name, scenario, is_two_way, cut_s, minutes):
        """Halves are drawn, cut off, and written to; then all comes together again."""
        views, digests, look = [], [], 0
        for turn in range(self.times(4, 2)):
            with self.cluster() as cluster:
                sides = [self.random.random() < 0.5 for _ in self.hosts]
                sides[0], sides[1] = True, False
                left = [host for host, side in zip(self.hosts, sides) if side]
                right = [host for host, side in zip(self.hosts, sides) if not side]
                cuts = [(left, right)] + ([(right, left)] if is_two_way else [])
                self.rig.network(cuts=cuts)
                for number in range(cut_s * 2):
                    node = cluster.lives[self.random.randrange(self.count)].node
                    node.request("PUT", f"/data/{scenario}-{number % 64}?ttl=600", b"x" * 100)
                    time.sleep(0.5)
                at = time.time()
                self.rig.network()
                seen, equal, longest = cluster.await_rest()
                views.append(seen - at)
                digests.append(equal - at)
                look = max(look, longest)
                say(f"{name} {turn + 1}: views {views[-1]:.2f} s, digests {digests[-1]:.2f} s")
            self.node_seconds += cluster.node_seconds
        sim = self.simulate(scenario, minutes, 16, writes=2, ttl="600s")
        why = f"the interval of redials, and a look of {look:.2f} s"
        self.compare(f"{name} to equal views", views, sim["heal_views_us"], "s", (1.0 + look, 0.3), why)
        self.compare(f"{name} to equal digests", digests, sim["heal_digests_us"], "s", (1.0 + look, 0.3),
                     why)

    def partition(self):
        self.healed("partition's end", "partition", True, 30, 1)

    def oneway(self):
        self.healed("one-way partition's end", "oneway", False, 15, 0.6)

    def writes(self, datagram_loss=0.0, segment_loss=0.0, text=""):
        """Writes of 100 bytes at any node, until they are at the last other member."""
        count = self.times(200, 60)
        with self.cluster(datagram_loss=datagram_loss, segment_loss=segment_loss) as cluster:
            cluster.await_rest()
            time.sleep(3)
            names = ("repram_records_received_total", "repram_sync_records_received_total")
            before = cluster.counters(*names)
            capture = self.rig.Capture()
            for number in range(count):
                node = cluster.lives[self.random.randrange(self.count)].node
                node.put(f"write-{number:06d}", b"x" * 100)
                time.sleep(0.1)
            cluster.await_rest()
            after = cluster.counters(*names)
            drops = capture.close()
            self.settle(cluster)
        self.node_seconds += cluster.node_seconds
        if drops > 0:
            say(f"writes: {drops} packets were not seen")
        each, last = [], []
        for key in capture.puts:
            copies = [delay * 1000 for delay in capture.delays(key)]
            each += copies
            if len(copies) == self.count - 1:
                last.append(max(copies))
            else:
                say(f"writes: {key.decode()} was seen {len(copies)} times on the wire")
        received, synced = (b - a for a, b in zip(before, after))
        # As many writes: the first ones shape the tree, with duplicates.
        sim = self.simulate("steady", round(count / 600, 3), 10, writes=10, ttl="600s",
                            loss=datagram_loss, stream_loss=segment_loss)
        cpu = 0.5 + 0.1 * self.count
        why = "the cores that all nodes share, 0.1 ms a node"
        if segment_loss > 0:
            # Near half of all writes have a copy that waits: their median is either hump's.
            self.compare(f"write to each other member{text}", each, sim["delivery_us"], "ms",
                         (cpu, 0.25), f"{why}, and the kernel's timers", "p99")
            self.compare(f"write to the last member{text}", last, sim["last_copy_us"], "ms", None,
                         "a wait of 200 ms or none")
        else:
            self.compare(f"write to each other member{text}", each, sim["delivery_us"], "ms",
                         (cpu, 0.25), why)
            self.compare(f"write to the last member{text}", last, sim["last_copy_us"], "ms",
                         (cpu, 0.25), why)
        self.compare(f"copies per write and member{text}",
                     [(received - synced) / count / (self.count - 1)],
                     sim["copies_per_write_and_node"], "", (0.1, 0.05),
                     "duplicates of the tree while it is shaped")

    def writes_lossy(self):
        self.writes(datagram_loss=0.25, text=", 25% datagram loss")

    def writes_stream_loss(self):
        self.writes(datagram_loss=0.05, segment_loss=0.05, text=", 5% of all lost")

    def idle(self):
        """Nobody writes; half a minute after forming."""
        settle, seconds = self.times((60, 180), (20, 40))
        with self.cluster() as cluster:
            cluster.await_rest()
            time.sleep(settle)
            traffic = self.rig.Traffic(self.hosts)
            time.sleep(seconds)
            datagrams, streams = traffic.per_node_second()
            self.settle(cluster)
        self.node_seconds += cluster.node_seconds
        sim = self.simulate("steady", seconds / 60, 3, settle=f"{settle}s")
        self.compare("idle bytes/s a node, datagrams", [datagrams], sim["datagram_bytes_per_node_s"],
                     "B/s", (10, 0.1), "payloads are the engine's own")
        self.compare("idle bytes/s a node, streams", [streams],
                     sim["stream_bytes_per_node_s"] + sim["stream_header_bytes_per_node_s"], "B/s",
                     (20, 0.25), "the simulator estimates TCP's headers and acknowledgements")

    def false_deaths(self):
        """Over all of the above."""
        hours = self.node_seconds / 3600
        say(f"{len(self.deaths)} false deaths in {hours:.2f} node-hours")
        sim = self.simulate("steady", 2, 5, loss=0.25)
        self.compare("false deaths per node-hour", [len(self.deaths) / max(hours, 1e-9)],
                     sim["false_deaths_per_node_hour"], "", (0, 0), "none is none")

    SCENARIOS = ("forming", "idle", "crash", "crash_lossy", "kill", "stop", "partition", "oneway",
                 "writes", "writes_lossy", "writes_stream_loss")

    def run(self, names):
        print(f"\n{self.count} nodes{'':<38} {'measured':^37}   {'simulated':^37}\n{'':<46} "
              + 2 * f"{'median':>9} {'p99':>9} {'max':>9} {'n':>6}   " + "margin", flush=True)
        self.round_trip()
        for name in names:
            await_quiet()
            busy = Busy()
            getattr(self, name)()
            self.busy[name] = round(busy.share(), 2)
            say(f"{name}: the machine's cores were {self.busy[name]:.0%} busy")
        if set(names) == set(self.SCENARIOS):
            self.false_deaths()
        for host in self.hosts:
            host.close()
        return {"nodes": self.count, "half_round_trip": self.delay, "busy": self.busy,
                "node_hours": self.node_seconds / 3600, "commands": self.commands,
                "figures": [figure.as_json() for figure in self.figures]}


def renew(old, new):
    """A size's figures, some of whose scenarios are replaced by another run's."""
    fresh = {figure["name"]: figure for figure in new["figures"]}
    figures = [fresh.pop(figure["name"], figure) for figure in old["figures"]]
    commands = old["commands"] + [one for one in new["commands"] if one not in old["commands"]]
    return {**old, "busy": {**old["busy"], **new["busy"]}, "commands": commands,
            "node_hours": old["node_hours"] + new["node_hours"],
            "figures": figures + list(fresh.values())}


def save(path, size, is_whole):
    """Writes a size's figures over those that the file has for it."""
    sizes = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            sizes = {one["nodes"]: one for one in json.load(file)["sizes"]}
    old = sizes.get(size["nodes"])
    sizes[size["nodes"]] = size if is_whole or old is None else renew(old, size)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"made_by": "tests/bench/calibrate.py",
                   "sizes": [sizes[nodes] for nodes in sorted(sizes)]}, file, indent=1)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", default="16,48", help="sizes, with commas; 200 at most in all")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", metavar="FILE", help="put the figures there too; those of other sizes and scenarios are kept")
    parser.add_argument("--binary", default=os.path.join(TOP, "build/release/repram"))
    parser.add_argument("--sim", default=os.path.join(TOP, "build/release/repram-sim"))
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO",
                        choices=[[], *Calibration.SCENARIOS],
                        help=f"of {', '.join(Calibration.SCENARIOS)}; all")
    arguments = parser.parse_args()
    if os.environ.get("REPRAM_CALIBRATE") != "1":
        isolate(arguments)
    import harness
    if not harness.ISOLATED:
        sys.exit("calibrate.py: needs namespaces: run it as root")
    arguments.sim = os.path.abspath(arguments.sim)
    differing = 0
    for count in (int(size) for size in arguments.nodes.split(",")):
        size = Calibration(count, arguments).run(arguments.scenarios or Calibration.SCENARIOS)
        differing += sum(not figure["agrees"] for figure in size["figures"])
        if arguments.json:
            save(arguments.json, size, not arguments.scenarios)
    print(f"\n{differing} figures differ by more than their margin" if differing
          else "\nall figures agree within their margins")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
