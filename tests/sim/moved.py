"""moved: whether the figures of the pages are still so, by their own commands with other seeds.

Two kinds of figures carry their command. Those of docs/scale.md stand in scale/figures.json, by run; of
each run that is what a table or a chart shows. Any other page marks a figure behind its paragraph:

    <!-- figure 2.6 s ± 0.4: repram-sim --nodes 5 --minutes 2 --seeds 1-6: crash_all_us.median -->
    <!-- figure 72 ± 1: build/dev/tests/bench_shadows: a minute later .* (\\S+) +\\S+$ -->

that is the value as the paragraph has it, its margin, the command, and where the value stands: a path in
the JSON of the simulator, else a regular expression whose group is the number. A mark whose value its
paragraph does not have is reported too, as is a page that scale/figures.json does not make.

Two runs of one command with other seeds differ: by how much a figure may move is its margin, in
tables.MARGINS. """

import json
import os
import re
import shlex
import subprocess

import tables

UNITS_US = {"s": 1e6, "ms": 1e3}
# By series: (what its runs are asked for, the percentile of a time, its unit).
SHOWN = {
    "crash-0": [("crash_all", "median", "s"), ("crash_all", "p99", "s"), ("forming", "max", "s")],
    "crash-25": [("crash_all", "median", "s"), ("crash_all", "p99", "s"), ("forming", "median", "s"),
                 ("forming", "max", "s")],
    "kill": [("kill_all", "median", "s"), ("kill_all", "p99", "s")],
    "burst": [("forming", "median", "s"), ("forming", "max", "s")],
    "idle": [("forming", "median", "s"), ("bytes", "", "")],
    "writes": [("delivery", "median", "ms"), ("delivery", "p99", "ms"), ("last_copy", "median", "ms"),
               ("last_copy", "p99", "ms"), ("last_copy", "max", "ms"), ("copies", "", "")],
    "writes-churn": [("copies", "", "")],
    "partition": [("heal_views", "median", "s"), ("heal_digests", "median", "s"),
                  ("heal_digests", "p99", "s")],
    "writes-25": [("delivery", "p99", "ms"), ("last_copy", "max", "ms")],
    "writes-loss": [("delivery", "median", "ms"), ("delivery", "p99", "ms"), ("last_copy", "p99", "ms"),
                    ("last_copy", "max", "ms"), ("copies", "", "")],
    "writes-stream-loss": [("delivery", "median", "ms"), ("delivery", "p99", "ms"),
                           ("last_copy", "p99", "ms"), ("last_copy", "max", "ms"), ("copies", "", "")],
    "well": [("deaths", "", "")],
}
RATES = {"bytes": ("bytes a second", lambda result: float(tables.all_bytes(result).replace(",", ""))),
         "copies": ("copies of a write", lambda result: result["copies_per_write_and_node"]),
         "deaths": ("healthy nodes declared dead", lambda result: result["false_deaths"])}
MARK = re.compile(r"<!-- figure (?P<value>[\d.,]+)(?: (?P<unit>[^\s±]+))? ± (?P<margin>[\d.]+): "
                  r"(?P<command>.+?): (?P<where>\S.*?) -->", re.DOTALL)


class Figure:
    """What a page says, and what a run of its command says now."""

    def __init__(self, where, name, kind, unit, value, margin):
        self.where, self.name, self.kind, self.unit = where, name, kind, unit
        self.value, self.margin, self.now = value, margin, None

    def has_moved(self):
        return abs(self.now - self.value) > self.margin

    def move(self):
        """As a share of what the page says."""
        return (self.now - self.value) / self.value if self.value else 0.0

    def sentence(self, seeds):
        def text(value):
            return f"{tables.number(value)} {self.unit}".strip()
        return (f"{self.where}: {self.name}: {text(self.value)} in the page, {text(self.now)} now"
                f"{f' with seeds {seeds}' if seeds else ''}; its margin is {text(self.margin)}")


def margin_of(kind, unit, value):
    share, least = tables.MARGINS[kind]
    return max(share * value, least[unit])


def figures_of(series, result):
    """[(name, kind, unit, value)] of what the page shows of a run."""
    found = []
    for name, what, unit in SHOWN.get(series, ()):
        if name in RATES:
            kind, value_of = RATES[name]
            found.append((kind, kind, unit, value_of(result)))
            continue
        sample = result[f"{name}_us"]
        if sample["count"] == 0 or (name == "forming" and result.get("formed")):
            continue
        which = tables.which_of(sample, what)
        kind = {"max": "maximum"}.get(which, which)
        if sample["count"] < tables.FEW:
            kind += f" of fewer than {tables.FEW}"
        found.append((f"{name} {which}", kind, unit, sample[which] / UNITS_US[unit]))
    return found


def with_other_seeds(words, first):
    """The command's words with as many seeds from `first` on, and those as text; '' without seeds."""
    words = list(words)
    if "--seeds" in words:
        at = words.index("--seeds") + 1
        low, high = map(int, words[at].split("-"))
        words[at] = f"{first}-{first + high - low}"
        return words, words[at]
    if "--seed" in words:
        at = words.index("--seed") + 1
        words[at] = str(first)
        return words, words[at]
    return words, ""


def compare(entry, result):
    """Figures of a run of scale/figures.json, with what another run says. Of samples that one of the
    two has too few of, the larger margin counts."""
    now = figures_of(entry["series"], result)
    for then, new in zip(figures_of(entry["series"], entry["result"]), now):
        name, kind, unit, value = then
        margin = max(margin_of(kind, unit, value), margin_of(new[1], unit, value))
        figure = Figure("scale.md", f"{entry['series']}, {entry['result']['nodes']:,} nodes: {name}", kind,
                        unit, value, margin)
        figure.now = new[3]
        yield figure


def summary(figures):
    """By kind: how many there are, the largest move down and up, as shares of the value, and whose."""
    kinds = {}
    for figure in figures:
        kinds.setdefault(figure.kind, []).append(figure)
    for kind, some in sorted(kinds.items()):
        least, most = min(some, key=Figure.move), max(some, key=Figure.move)
        yield (f"{kind or 'marks'}: {len(some)} figures, {least.move():+.0%} ({least.name}) to "
               f"{most.move():+.0%} ({most.name})")


# ---- Marks in pages ----

class Mark(Figure):
    def __init__(self, page, match, paragraph):
        value, unit = match["value"], match["unit"] or ""
        super().__init__(page, f"{value} {unit}".strip(), "", unit, float(value.replace(",", "")),
                         float(match["margin"]))
        self.words = shlex.split(match["command"].replace("\\\n", " "))
        self.path = " ".join(match["where"].split())
        self.is_said = re.search(rf"(?<![\d.,]){re.escape(self.name)}(?!\d|[.,]\d)", paragraph) is not None

    def is_simulated(self):
        return os.path.basename(self.words[0]) == "repram-sim"

    def read(self, output):
        """Takes the value out of what the command printed; whether it is there."""
        if self.is_simulated():
            value = json.loads(output.strip().splitlines()[-1])
            for name in self.path.split("."):
                value = value[name]
            self.now = value / (UNITS_US.get(self.unit, 1) if "_us." in self.path else 1)
        else:
            match = re.search(self.path, output, re.MULTILINE)
            self.now = match and float(match[1].replace(",", ""))
        return self.now is not None


def pages(folder):
    """README.md beside the folder, and every page in it."""
    found = [os.path.join(os.path.dirname(os.path.abspath(folder)), "README.md")]
    for path, _, names in os.walk(folder):
        found += [os.path.join(path, name) for name in sorted(names) if name.endswith(".md")]
    return [path for path in found if os.path.exists(path)]


def marks(folder):
    for path in pages(folder):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for match in MARK.finditer(text):
            before = MARK.sub("", text[:match.start()]).rstrip()
            paragraph = " ".join(before[before.rfind("\n\n") + 1:].split())
            yield Mark(os.path.relpath(path, folder), match, paragraph)


def stale(folder, runs, sizes):
    """What can be said without a run: marks that the text contradicts, tables edited by hand."""
    found = [f"{mark.where}: the paragraph before the mark does not say {mark.name}"
             for mark in marks(folder) if not mark.is_said]
    path = os.path.join(folder, "scale.md")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            page = file.read()
        if tables.filled(page, runs, sizes) != page:
            found.append("scale.md: its tables are not what scale/figures.json makes: scale.py --no-run")
    return found


def output_of(mark, arguments, first):
    """(what the command printed, its seeds, or a sentence why nothing)."""
    words, seeds = with_other_seeds(mark.words, first)
    program = arguments.sim if mark.is_simulated() else words[0]
    if mark.is_simulated():
        words.append("--json")
    try:
        done = subprocess.run([program, *words[1:]], capture_output=True, text=True, check=False,
                              cwd=tables.TOP, timeout=arguments.limit)
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, seeds, f"{shlex.join(mark.words)}: {error}"
    if done.returncode != 0:
        return None, seeds, f"{shlex.join(mark.words)}: exit code {done.returncode}"
    return done.stdout, seeds, None


def check_marks(arguments, first):
    """Yields (figure, its seeds, or a sentence why it could not be checked). Marks of one command share
    its run."""
    outputs = {}
    for mark in marks(arguments.out):
        command = tuple(mark.words)
        if command not in outputs:
            outputs[command] = output_of(mark, arguments, first)
        output, seeds, why = outputs[command]
        if why is None and not mark.read(output):
            why = f"{shlex.join(mark.words)}: nothing like '{mark.path}'"
        yield mark, seeds, why
