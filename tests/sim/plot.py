#!/usr/bin/python3
"""Charts for docs/scale.md, as SVG, from the simulator's measurements.

    tests/sim/plot.py docs/scale/figures.json docs/scale

The data is scale.py's: {"runs": [{"series": ..., "command": ..., "result": what repram-sim --json
prints}]}. A chart whose data is missing is not drawn. The standard library is enough; the same data
gives the same bytes. Colours follow the reader's light or dark scheme, and every line has a mark of
its own shape, so that readers can tell them apart without colours. """

import html
import json
import math
import os
import sys

from tables import FEW

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, BOTTOM = 76, 24, 58
TITLE_Y, LEGEND_Y, LEGEND_STEP = 26, 50, 20

STYLE = """
.ground { fill: #ffffff } .ink { fill: #1f2328 } .faint { fill: #59636e }
.grid { stroke: #d8dee4; stroke-width: 1 } .axis { stroke: #59636e; stroke-width: 1 }
.line { fill: none; stroke-width: 2 } .mark { stroke: #ffffff; stroke-width: 1 }
text { font: 13px system-ui, sans-serif } .title { font-size: 16px; font-weight: 600 }
.s0 { stroke: #0072b2 } .s1 { stroke: #d55e00 } .s2 { stroke: #007a5a } .s3 { stroke: #a34a86 }
.m0 { fill: #0072b2 } .m1 { fill: #d55e00 } .m2 { fill: #007a5a } .m3 { fill: #a34a86 }
.aim { stroke: #59636e; stroke-width: 1.5; stroke-dasharray: 2 4 }
@media (prefers-color-scheme: dark) {
.ground { fill: #0d1117 } .ink { fill: #e6edf3 } .faint { fill: #9198a1 }
.grid { stroke: #2a313a } .axis { stroke: #9198a1 } .mark { stroke: #0d1117 }
.s0 { stroke: #58b4e5 } .s1 { stroke: #ff9248 } .s2 { stroke: #3fc99a } .s3 { stroke: #e39ac8 }
.m0 { fill: #58b4e5 } .m1 { fill: #ff9248 } .m2 { fill: #3fc99a } .m3 { fill: #e39ac8 }
.aim { stroke: #9198a1 }
}
"""
DASHES = ("", "7 4", "2 3", "9 3 2 3")


# ---- Scales ----

class Linear:
    """From 0 to a round number at or above the largest value."""

    def __init__(self, low, high):
        self.low, self.high = min(0, low), high
        step = 10 ** math.floor(math.log10(max(high - self.low, 1e-9)))
        for factor in (0.1, 0.2, 0.25, 0.5, 1, 2):
            if (self.high - self.low) / (step * factor) <= 7:
                self.step = step * factor
                break
        self.high = self.low + self.step * math.ceil((self.high - self.low) / self.step - 1e-9)

    def at(self, value):
        return (value - self.low) / (self.high - self.low)

    def ticks(self):
        count = round((self.high - self.low) / self.step)
        return [self.low + self.step * i for i in range(count + 1)]


class Logarithmic:
    """Ticks at one and three of each power of ten, or also at two and five when these are few."""

    def __init__(self, low, high, margin=1.0):
        self.low, self.high = low / margin, high * margin

    def at(self, value):
        return math.log(value / self.low) / math.log(self.high / self.low)

    def _ticks(self, factors):
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        every = [factor * 10.0 ** power for power in range(first, last + 1) for factor in factors]
        return [tick for tick in every if self.low * 0.999 <= tick <= self.high * 1.001]

    def ticks(self):
        decades = math.log10(self.high / self.low)
        return self._ticks((1, 2, 5) if decades < 2 else (1, 3) if decades < 4.5 else (1,))


def number(value):
    """1000 as 1,000; 0.25 as it is; no trailing zeros."""
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.3g}"


# ---- Drawing ----

def mark(kind, x, y):
    shapes = (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5"',
        f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"',
        f'<path d="M{x:.1f} {y - 5.5:.1f}l5 9.5h-10z"',
        f'<path d="M{x:.1f} {y - 6:.1f}l5.5 6-5.5 6-5.5-6z"',
    )
    return f'{shapes[kind % 4]} class="mark m{kind % 4}"/>'


class Chart:
    """One set of axes. A series is (name, [(x, y)...]); `aim` is (text, [(x, y)...]): the figures
    that are wanted, drawn behind."""

    def __init__(self, title, x_label, y_label, series, commands, aim=None, is_log_x=True,
                 is_log_y=False, source="Simulated. Made by tests/sim/plot.py from the output of:"):
        self.title, self.x_label, self.y_label = title, x_label, y_label
        self.series, self.commands, self.aim, self.source = series, commands, aim, source
        points = [point for _, some in series for point in some] + (aim[1] if aim else [])
        xs, ys = [x for x, _ in points], [y for _, y in points]
        self.x = Logarithmic(min(xs), max(xs), 1.12) if is_log_x else Linear(min(xs), max(xs))
        self.y = (Logarithmic(min(ys), max(ys), 1.25) if is_log_y
                  else Linear(min(ys), max(ys) * 1.04))
        self.legend = [name for name, _ in series] + ([aim[0]] if aim else [])
        self.rows = self._legend_rows()
        self.top = LEGEND_Y + LEGEND_STEP * len(self.rows)

    def _legend_rows(self):
        """Indices of the legend, as many a row as fit."""
        rows, room = [[]], 0
        for index, name in enumerate(self.legend):
            wide = 44 + 7.2 * len(name)
            if room + wide > WIDTH - LEFT - RIGHT and rows[-1]:
                rows.append([])
                room = 0
            rows[-1].append((index, LEFT + room))
            room += wide
        return rows

    def _x(self, value):
        return LEFT + self.x.at(value) * (WIDTH - LEFT - RIGHT)

    def _y(self, value):
        return HEIGHT - BOTTOM - self.y.at(value) * (HEIGHT - BOTTOM - self.top)

    def _grid(self):
        yield '<g class="grid">'
        for tick in self.y.ticks():
            yield f'<path d="M{LEFT} {self._y(tick):.1f}H{WIDTH - RIGHT}"/>'
        yield "</g>"
        bottom = HEIGHT - BOTTOM
        yield f'<path class="axis" d="M{LEFT} {bottom}H{WIDTH - RIGHT}"/>'
        for tick in self.x.ticks():
            yield f'<path class="axis" d="M{self._x(tick):.1f} {bottom}v5"/>'
            yield (f'<text class="ink" x="{self._x(tick):.1f}" y="{bottom + 20}" '
                   f'text-anchor="middle">{number(tick)}</text>')
        for tick in self.y.ticks():
            yield (f'<text class="ink" x="{LEFT - 8}" y="{self._y(tick) + 4.5:.1f}" '
                   f'text-anchor="end">{number(tick)}</text>')

    def _labels(self):
        middle = (self.top + HEIGHT - BOTTOM) / 2
        yield (f'<text class="ink title" x="{LEFT}" y="{TITLE_Y}">{html.escape(self.title)}</text>')
        yield (f'<text class="faint" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 14}" '
               f'text-anchor="middle">{html.escape(self.x_label)}</text>')
        yield (f'<text class="faint" transform="translate(20 {middle:.1f}) rotate(-90)" '
               f'text-anchor="middle">{html.escape(self.y_label)}</text>')
        for row, entries in enumerate(self.rows):
            y = LEGEND_Y + LEGEND_STEP * row
            for index, x in entries:
                yield from self._legend_entry(index, x, y)

    def _legend_entry(self, index, x, y):
        is_aim = index == len(self.series)
        style = ('class="aim"' if is_aim else
                 f'class="line s{index % 4}" stroke-dasharray="{DASHES[index % 4]}"')
        yield f'<path {style} d="M{x:.1f} {y - 4}h26"/>'
        if not is_aim:
            yield mark(index, x + 13, y - 4)
        yield f'<text class="ink" x="{x + 32:.1f}" y="{y}">{html.escape(self.legend[index])}</text>'

    def _path(self, points):
        return "M" + "L".join(f"{self._x(x):.1f} {self._y(y):.1f}" for x, y in points)

    def _lines(self):
        if self.aim:
            yield f'<path class="aim" fill="none" d="{self._path(self.aim[1])}"/>'
        for index, (_, points) in enumerate(self.series):
            yield (f'<path class="line s{index % 4}" stroke-dasharray="{DASHES[index % 4]}" '
                   f'd="{self._path(points)}"/>')
        for index, (name, points) in enumerate(self.series):
            for x, y in points:
                yield (f"<g><title>{html.escape(name)}: {number(x)}, {number(y)}</title>"
                       f"{mark(index, self._x(x), self._y(y))}</g>")

    def svg(self):
        source = "\n".join([self.source, *self.commands])
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}" role="img">',
            f"<title>{html.escape(self.title)}</title>",
            f"<desc>{html.escape(source)}</desc>",
            f"<style>{STYLE}</style>",
            f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
            *self._grid(), *self._labels(), *self._lines(), "</svg>", ""])


# ---- Which charts there are ----

def seconds(name, what):
    return percentile(name, what, 1e6)


def milliseconds(name, what):
    return percentile(name, what, 1e3)


def percentile(name, what, unit_us):
    def value(result):
        is_told = name == "forming" and result.get("formed")  # nobody had to form
        sample = result[f"{name}_us"]
        return sample[what] / unit_us if sample["count"] and not is_told else None
    value.sample, value.what = name, what
    return value


def all_bytes(result):
    return (result["datagram_bytes_per_node_s"] + result["stream_bytes_per_node_s"]
            + result["stream_header_bytes_per_node_s"])


def value(name):
    return lambda result: result[name]


def nodes(result):
    return result["nodes"]


def percent(name):
    return lambda result: result[name] / 10000


AIM = "wanted"
DETECTION_AIM = (f"{AIM}, p99", [(16, 5.5), (128, 6), (1000, 7.5), (10000, 8)])

# file: (title, x label, y label, x of a result, [(name, series, y of a result)], options)
CHARTS = {
    "detection": (
        "A node falls silent: until the last other node knows", "nodes", "seconds", nodes,
        [("p99, no loss", "crash-0", seconds("crash_all", "p99")),
         ("p99, 25 % loss", "crash-25", seconds("crash_all", "p99")),
         ("median, no loss", "crash-0", seconds("crash_all", "median")),
         ("median, 25 % loss", "crash-25", seconds("crash_all", "median"))],
        {"aim": DETECTION_AIM}),
    "kill": (
        "A process is killed: until the last other node knows", "nodes", "seconds", nodes,
        [("p99", "kill", seconds("kill_all", "p99")),
         ("median", "kill", seconds("kill_all", "median"))],
        {"aim": (f"{AIM}, p99", [(10, 1.5), (10000, 1.5)])}),
    "forming": (
        "All nodes start at once: until every view is full", "nodes", "seconds", nodes,
        [("all addresses known, or 16 above 64 nodes", "idle", seconds("forming", "median")),
         ("25 % loss", "crash-25", seconds("forming", "median")),
         ("3 known", "burst", seconds("forming", "median"))],
        {"aim": (AIM, [(16, 2), (128, 3), (1000, 10)]), "is_log_y": True}),
    "idle": (
        "Bytes that a node of an idle cluster sends, IP headers included", "nodes",
        "bytes a second", nodes,
        [("all", "idle", all_bytes),
         ("datagrams", "idle", value("datagram_bytes_per_node_s"))],
        {"aim": (AIM, [(10, 450), (10000, 450)])}),
    "delivery": (
        "A write of 100 bytes: until other members have it", "members of the enclave",
        "milliseconds", nodes,
        [("last member, max", "writes", milliseconds("last_copy", "max")),
         ("last member, median", "writes", milliseconds("last_copy", "median")),
         ("each member, p99", "writes", milliseconds("delivery", "p99")),
         ("each member, median", "writes", milliseconds("delivery", "median"))], {}),
    "delivery-datagram-loss": (
        "A write while datagrams are lost, {nodes} members", "datagrams lost, percent",
        "milliseconds", percent("loss_ppm"),
        [("last member, p99", "writes-loss", milliseconds("last_copy", "p99")),
         ("each member, p99", "writes-loss", milliseconds("delivery", "p99")),
         ("each member, median", "writes-loss", milliseconds("delivery", "median"))],
        {"is_log_x": False}),
    "delivery-stream-loss": (
        "A write while TCP segments are lost, {nodes} members", "segments lost, percent",
        "milliseconds", percent("stream_loss_ppm"),
        [("last member, p99", "writes-stream-loss", milliseconds("last_copy", "p99")),
         ("last member, median", "writes-stream-loss", milliseconds("last_copy", "median")),
         ("each member, p99", "writes-stream-loss", milliseconds("delivery", "p99")),
         ("each member, median", "writes-stream-loss", milliseconds("delivery", "median"))],
        {"is_log_x": False, "is_log_y": True}),
    "copies": (
        "Copies of a write that a member receives", "members of the enclave",
        "copies", nodes,
        [("as it is written", "writes", value("copies_per_write_and_node")),
         ("while nodes come and go", "writes-churn", value("copies_per_write_and_node"))],
        {"aim": ("wanted, at most", [(10, 1.2), (1000, 1.2)])}),
    "heal": (
        "Half a minute in two halves: until all is one again", "nodes", "seconds", nodes,
        [("equal data, p99", "partition", seconds("heal_digests", "p99")),
         ("equal data, median", "partition", seconds("heal_digests", "median")),
         ("equal views, median", "partition", seconds("heal_views", "median"))],
        {"aim": ("wanted at 128, data", [(10, 10), (128, 10)])}),
}


def select(runs, series, x_of, y_of):
    """The points of a line in order, and the runs that they are from."""
    found = []
    for run in runs:
        if run["series"] == series:
            y = y_of(run["result"])
            if y is not None:
                found.append((x_of(run["result"]), y, run))
    found.sort(key=lambda point: point[0])
    return [(x, y) for x, y, _ in found], [run for _, _, run in found]


def has_few(lines, runs):
    """Whether a line of p99 has a point of which p99 is nothing but the largest."""
    return any(run["series"] == key and 0 < run["result"][f"{y_of.sample}_us"]["count"] < FEW
               for _, key, y_of in lines if getattr(y_of, "what", "") == "p99" for run in runs)


def draw(runs):
    """Name to SVG of every chart with enough data."""
    drawn = {}
    for name, (title, x_label, y_label, x_of, lines, options) in CHARTS.items():
        series, used = [], []
        for text, key, y_of in lines:
            points, some = select(runs, key, x_of, y_of)
            if options.get("is_log_y"):
                points = [(x, y) for x, y in points if y > 0]
            if points:
                series.append((text, points))
                used += [run for run in some if run not in used]
        if len({x for _, points in series for x, _ in points}) >= 2:
            title = title.format(nodes=used[0]["result"]["nodes"])
            if has_few(lines, runs):
                x_label += f"; p99 of fewer than {FEW} is the largest"
            commands = [run["command"] for run in used]
            drawn[name] = Chart(title, x_label, y_label, series, commands, **options).svg()
    return drawn


def write(runs, folder):
    os.makedirs(folder, exist_ok=True)
    names = []
    for name, text in draw(runs).items():
        names.append(f"{name}.svg")
        with open(os.path.join(folder, names[-1]), "w", encoding="utf-8") as file:
            file.write(text)
    return names


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: plot.py FIGURES.json FOLDER")
    with open(sys.argv[1], encoding="utf-8") as data:
        for made in write(json.load(data)["runs"], sys.argv[2]):
            print(made)
