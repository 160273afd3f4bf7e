#!/usr/bin/python3
"""Everything behind docs/scale.md in one command.

    cmake --preset release && cmake --build --preset release --target repram-sim
    tests/sim/scale.py [--quick] [--keep] [--no-run] [--only SERIES,...] [--max-nodes N] [--engine NAME]
    tests/sim/scale.py --check [--first-seed N] [--only SERIES,... or marks] [--max-nodes N]

Runs the simulator over sizes and faults, writes what it prints to docs/scale/figures.json, draws the
charts beside it (plot.py) and fills the tables between the marks in docs/scale.md (tables.py). Says
which runs have ended. One seed gives one history: a second run with the same engine writes the same
bytes. A run that takes longer than the limit is left out, and named at the end. Each entry names the
engine that made it, by the tree's commit, as not all need be made anew at once.

--check makes and changes nothing: it runs the commands behind the figures of all pages with other seeds
and says which figures have moved by more than their margin (moved.py).
"""

import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

import moved  # noqa: E402
import plot  # noqa: E402
import tables  # noqa: E402

SIZES = (10, 16, 32, 64, 100, 128, 300, 1000, 3000, 10000)
DATA_SIZES = (10, 16, 32, 64, 100, 128, 300, 1000)  # in one enclave
QUICK_SIZES = (10, 16, 64)
LOSS_NODES = 128
LARGE = 3000  # nodes from which one run at a time has the machine's memory, and one seed is enough
TOLD = 10000  # from here on only one run forms; in the others all know all at the start
ENCLAVE = 16  # of the nodes of a large cluster, where data is to move and one enclave is too much


def seeds(nodes, most, least):
    """Fewer for larger clusters, each of whose runs yields more samples."""
    return 1 if nodes >= LARGE else max(least, min(most, 30 * most // nodes))


def over_sizes(series, sizes, minutes, most_seeds, *options, least_seeds=1, large_minutes=1, large=()):
    """One run for each size; `large`: options for those above a single enclave's."""
    return [(series, ["--nodes", nodes, "--minutes",
                      minutes if nodes < LARGE else min(minutes, large_minutes), "--seeds",
                      f"1-{seeds(nodes, most_seeds, least_seeds)}", *options,
                      *(large if nodes > DATA_SIZES[5] else ()),
                      *(("--formed",) if nodes >= TOLD and series != "idle" else ())])
            for nodes in sizes]


def runs(is_quick):
    sizes = QUICK_SIZES if is_quick else SIZES
    data = [size for size in DATA_SIZES if size in sizes]
    nodes = QUICK_SIZES[-1] if is_quick else LOSS_NODES
    many, some, few = (2, 2, 2) if is_quick else (20, 8, 3)
    quiet = ("--writes", 0, "--walk", 0)
    # The first writes shape the trees, by duplicates; figures come from later writes.
    whole = ("--enclave-size", 0, "--writes", 5, "--delay", "1ms", "--settle", "30s", "--walk", 0)
    halves = ("--scenario", "partition", "--writes", 2, "--ttl", "600s", "--walk", 0)
    found = [
        *over_sizes("crash-0", sizes, 3, many, "--scenario", "crash", *quiet, least_seeds=some,
                    large_minutes=3),
        *over_sizes("crash-25", sizes, 3, many, "--scenario", "crash", "--loss", 0.25, *quiet,
                    least_seeds=some, large_minutes=3),
        *over_sizes("kill", sizes, 1, many, "--scenario", "kill", *quiet, least_seeds=some,
                    large=("--enclave-size", ENCLAVE)),
        *over_sizes("burst", [size for size in sizes if size < LARGE], 1.2, some, "--scenario",
                    "burst", *quiet, least_seeds=some),
        *over_sizes("idle", sizes, 5, 1, "--settle", "60s", *quiet),
        *over_sizes("writes", data, 2, some, *whole, least_seeds=few),
        *over_sizes("writes-churn", data, 1, some, "--scenario", "churn", *whole),
        *over_sizes("partition", [size for size in sizes if size <= LOSS_NODES], 1, some, *halves,
                    least_seeds=few),
        *over_sizes("partition", [size for size in sizes if LOSS_NODES < size < LARGE], 1, some, *halves,
                    large=("--enclave-size", ENCLAVE)),
        *over_sizes("writes-25", [size for size in data if size in (LOSS_NODES, DATA_SIZES[-1])], 2,
                    some, *whole, "--loss", 0.25, "--stream-loss", 0, least_seeds=few),
    ]
    for loss in (0, 0.05, 0.1, 0.25, 0.4):
        found.append(("writes-loss", ["--nodes", nodes, "--minutes", 2, "--seeds", "1-2", *whole,
                                      "--loss", loss, "--stream-loss", 0]))
    for loss in (0, 0.01, 0.05, 0.1):
        found.append(("writes-stream-loss", ["--nodes", nodes, "--minutes", 2, "--seeds", "1-2", *whole,
                                             "--loss", 0, "--stream-loss", loss]))
    minutes = 2 if is_quick else 190  # times 16 nodes and 20 seeds: 1,000 node-hours
    for options in (("--loss", 0.25, "--stream-loss", 0), ("--loss", 0.25),
                    ("--loss", 0.25, "--scenario", "udp-block"),
                    ("--loss", 0.25, "--scenario", "no-tcp"), ("--loss", 0.4)):
        found.append(("well", ["--nodes", 16, "--minutes", minutes, "--seeds", f"1-{many}", *quiet,
                               *options]))
    return [(series, [str(word) for word in words]) for series, words in found]


def size_of(item):
    _, words = item
    return int(words[words.index("--nodes") + 1])


class Progress:
    """One line on a terminal, one for each run elsewhere."""

    def __init__(self, total):
        self.total, self.done, self.lock = total, 0, threading.Lock()
        self.is_terminal = sys.stderr.isatty()

    def tell(self, text, seconds):
        self.done += 1
        line = f"{self.done} of {self.total}, {seconds:.0f} s: {text}"
        print(f"\r{line[:110]}\033[K" if self.is_terminal else line, file=sys.stderr,
              end="" if self.is_terminal and self.done < self.total else "\n", flush=True)


def simulate(binary, words, limit_s):
    """What the simulator prints as JSON, or a sentence why not. Broken invariants are an error: no
    figure is taken from a run that broke one."""
    try:
        done = subprocess.run([binary, *words, "--json"], capture_output=True, text=True,
                              check=False, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return None, f"took longer than {limit_s} s"
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        return None, (lines or [done.stderr.strip() or "no output"])[0]
    return json.loads(lines[-1]), None


def commit():
    """The tree's commit, which is the engine's where nothing was changed since."""
    try:
        done = subprocess.run(["git", "-C", TOP, "describe", "--always", "--dirty"], capture_output=True,
                              text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def key_of(run):
    """Two series may have a run in common."""
    series, words = run
    return series, "repram-sim " + " ".join(words)


def in_order(entries):
    """As a whole run has them; what no whole run makes comes last."""
    order = {key_of(run): i for i, run in enumerate(runs(False))}
    return sorted(entries, key=lambda entry: order.get((entry["series"], entry["command"]), len(order)))


def run_all(arguments, wanted, known, save):
    """Calls save() with the entries there are, in the order of `wanted`, after each run; returns
    sentences about those that failed."""
    progress = Progress(len(wanted))
    alone = threading.Lock()
    entries, failed = {}, []

    def simulated(item):
        if size_of(item) < LARGE:
            return simulate(arguments.sim, item[1], arguments.limit)
        with alone:
            return simulate(arguments.sim, item[1], arguments.limit)

    def one(item):
        series, command = key_of(item)
        started = time.monotonic()
        entry = known.get(command)
        result, why = (entry["result"], None) if entry else simulated(item)
        with progress.lock:
            progress.tell(f"{series}: {command}" + (f": {why}" if why else ""),
                          time.monotonic() - started)
            if why:
                failed.append(f"{command}: {why}")
            else:
                engine = entry["engine"] if entry else arguments.engine
                entries[str(item)] = {"series": series, "engine": engine, "command": command,
                                      "result": result}
            save([entries[str(each)] for each in wanted if str(each) in entries])

    # Large ones last, so that they do not hold up the others' threads.
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        list(pool.map(one, sorted(wanted, key=size_of)))
    return failed


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {"runs": [], "sizes": []}


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three small sizes, few seeds")
    parser.add_argument("--keep", action="store_true", help="run only what figures.json lacks")
    parser.add_argument("--no-run", action="store_true", help="charts and tables only")
    parser.add_argument("--check", action="store_true", help="compare with other seeds; change nothing")
    parser.add_argument("--first-seed", type=int, default=5001, help="of a check; 5001")
    parser.add_argument("--only", default="", help="series, with commas; all other runs are kept")
    parser.add_argument("--engine", default=None, help="what runs are said to be of; the commit")
    parser.add_argument("--max-nodes", type=int, default=SIZES[-1], help="leave larger ones out")
    parser.add_argument("--limit", type=float, default=900, metavar="SECONDS", help="of a run; 900")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--sim", default=os.path.join(TOP, "build/release/repram-sim"))
    parser.add_argument("--out", default=os.path.join(TOP, "docs"), metavar="FOLDER",
                        help="with scale.md, and scale/ for the rest; docs")
    arguments = parser.parse_args(argv)
    arguments.engine = arguments.engine or commit()
    return arguments


def check(arguments, entries, sizes):
    """Prints what has moved, and what could not be compared; whether nothing has."""
    only = set(filter(None, arguments.only.split(",")))
    wanted = [entry for entry in entries if (not only or entry["series"] in only)
              and entry["result"]["nodes"] <= arguments.max_nodes]
    told = moved.stale(arguments.out, entries, sizes)
    told += [f"--only: there is no series {name}"
             for name in sorted(only - {"marks"} - {entry["series"] for entry in entries})]
    figures, progress = [], Progress(len(wanted))

    def one(entry):
        started = time.monotonic()
        words, seeds = moved.with_other_seeds(entry["command"].split()[1:], arguments.first_seed)
        result, why = simulate(arguments.sim, words, arguments.limit)
        with progress.lock:
            progress.tell(f"{entry['series']}: repram-sim {' '.join(words)}", time.monotonic() - started)
            if why:
                told.append(f"scale.md: {entry['series']}: {entry['command']}: {why}")
            else:
                figures.extend((figure, seeds) for figure in moved.compare(entry, result))

    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        list(pool.map(one, sorted(wanted, key=lambda entry: entry["result"]["nodes"])))
    if not only or "marks" in only:
        for figure, seeds, why in moved.check_marks(arguments, arguments.first_seed):
            if why:
                told.append(f"{figure.where}: {why}")
            else:
                figures.append((figure, seeds))
    if not figures and not told:
        told.append("nothing was compared: there is no such run, and no mark")
    changed = [figure.sentence(seeds) for figure, seeds in figures if figure.has_moved()]
    print("\n".join(changed + told), end="\n" if changed or told else "")
    print("\n".join(moved.summary([figure for figure, _ in figures])))
    print(f"{len(figures)} figures compared, {len(changed)} moved by more than their margin, "
          f"{len(told)} other complaints")
    return not changed and not told


def main(argv):
    arguments = parse(argv)
    folder = os.path.join(arguments.out, "scale")
    data = os.path.join(folder, "figures.json")
    old = read(data)["runs"]
    sizes = read(os.path.join(folder, "calibration.json"))["sizes"]
    if arguments.check:
        return 0 if check(arguments, old, sizes) else 1
    failed = []
    if not arguments.no_run:
        only = set(filter(None, arguments.only.split(",")))
        wanted = [run for run in runs(arguments.quick) if (not only or run[0] in only)
                  and size_of(run) <= arguments.max_nodes]
        if unknown := sorted(only - {run[0] for run in runs(arguments.quick)}):
            sys.exit(f"scale.py: --only: there is no series {', '.join(unknown)}")
        known = {run["command"]: run for run in old} if arguments.keep else {}
        made_now = {key_of(run) for run in wanted}
        others = [run for run in old if only and (run["series"], run["command"]) not in made_now]
        os.makedirs(folder, exist_ok=True)

        def save(made):
            old[:] = in_order(others + made)
            with open(f"{data}.new", "w", encoding="utf-8") as file:
                lines = ",\n".join(json.dumps(run, separators=(",", ":")) for run in old)
                file.write(f'{{"made_by": "tests/sim/scale.py", "runs": [\n{lines}\n]}}\n')
            os.replace(f"{data}.new", data)

        failed = run_all(arguments, wanted, known, save)
    plot.write(old, folder)
    tables.fill(arguments.out, old, sizes)
    for line in failed:
        print(f"left out: {line}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
