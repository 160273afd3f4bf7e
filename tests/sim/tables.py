"""tables: fills docs/scale.md's tables from figures.json and calibration.json.

A table stands between <!-- table NAME --> and <!-- end -->, and is replaced as a whole; everything
else on the page is left alone. A cell whose run was not made says so by a dash, and a table without
any data stays as it was. """

import os
import re

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SIZES = (10, 100, 1000, 10000)
FEW = 100  # samples: of fewer, none is beyond the 99th percentile
NOTHING = "–"

# Of the value, and at least so much in its unit. One stall more or less is a maximum's; of few samples the
# median moves too.
MARGINS = {
    "median": (0.25, {"s": 0.05, "ms": 0.5}),
    "p99": (0.30, {"s": 0.10, "ms": 1.0}),
    "maximum": (0.60, {"s": 0.30, "ms": 20.0}),
    "median of fewer than 100": (0.40, {"s": 0.35, "ms": 1.0}),
    "maximum of fewer than 100": (0.35, {"s": 2.00, "ms": 20.0}),
    "bytes a second": (0.05, {"": 5.0}),
    "copies of a write": (0.05, {"": 0.02}),
    "healthy nodes declared dead": (0.0, {"": 0.0}),
}


def pick(runs, series, nodes):
    """The one result of a series at a size, and its command."""
    for run in runs:
        if run["series"] == series and run["result"]["nodes"] == nodes:
            return run["result"], run["command"]
    return None, None


def number(value, digits=3):
    """Three significant digits, thousands with commas."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{float(f'{value:.{digits}g}'):g}"


def which_of(sample, what):
    """What a percentile is to be called: of few samples p99 is the largest, and nothing but that."""
    return "max" if what == "p99" and sample["count"] < FEW else what


def times(name, unit, what="p99", has_count=False):
    """A cell: the percentile. A largest one says of how many where another was asked for."""
    scale = 1e6 if unit == "s" else 1e3

    def cell(result):
        sample = result[f"{name}_us"]
        if sample["count"] == 0 or (name == "forming" and result.get("formed")):
            return None
        which = which_of(sample, what)
        value = f"{number(sample[which] / scale)} {unit}"
        if which != what or (has_count and which == "max"):
            return f"{value} (max of {sample['count']:,})"
        return f"{value} ({sample['count']:,})" if has_count else value
    return cell


def with_count(name, unit, what="p99"):
    return times(name, unit, what, True)


def all_bytes(result):
    return number(result["datagram_bytes_per_node_s"] + result["stream_bytes_per_node_s"]
                  + result["stream_header_bytes_per_node_s"])


# what, series, cell of a result
GLANCE = (
    ("silent crash known to the last, p99 (crashes)", "crash-0", with_count("crash_all", "s")),
    ("the same, median", "crash-0", times("crash_all", "s", "median")),
    ("the same at 25 % loss, p99 (crashes)", "crash-25", with_count("crash_all", "s")),
    ("the same at 25 % loss, median", "crash-25", times("crash_all", "s", "median")),
    ("killed process known to the last, p99 (kills)", "kill", with_count("kill_all", "s")),
    ("all start, know all or 16 others: full view, median", "idle", times("forming", "s", "median")),
    ("the same at 25 % loss, median", "crash-25", times("forming", "s", "median")),
    ("all start, know 3 others: full view, median", "burst", times("forming", "s", "median")),
    ("bytes a second that an idle node sends", "idle", all_bytes),
    ("write to each other member, p99 (copies)", "writes", with_count("delivery", "ms")),
    ("write to the last member, p99 (writes)", "writes", with_count("last_copy", "ms")),
    ("copies of a write that a member receives", "writes",
     lambda result: number(result["copies_per_write_and_node"])),
    ("the same while nodes come and go", "writes-churn",
     lambda result: number(result["copies_per_write_and_node"])),
    ("two halves after half a minute: equal views, median", "partition",
     times("heal_views", "s", "median")),
    ("two halves after half a minute: equal data, p99 (heals)", "partition",
     with_count("heal_digests", "s")),
)


def row(*cells):
    return "| " + " | ".join(cells) + " |"


def head(*names):
    return [row(*names), row(*(["---"] * len(names)))]


def options_of(command, dropped="--nodes"):
    """A command's options without the one that the columns are."""
    return re.sub(rf"^repram-sim | ?{dropped} \S+ ?", "", command) if command else NOTHING


def glance(runs, _):
    lines = head("what", *(f"{size:,}" for size in SIZES), "`repram-sim --nodes N` and, at 100")
    for what, series, cell in GLANCE:
        found = [pick(runs, series, size)[0] for size in SIZES]
        cells = [(result and cell(result)) or NOTHING for result in found]
        lines.append(row(what, *cells, f"`{options_of(pick(runs, series, 100)[1])}`"))
    return lines


WANTED = (
    ("silent crash known to all, p99", "crash-0", "crash_all", "p99", "s",
     ((16, 5.5), (128, 6), (1000, 7.5), (10000, 8))),
    ("the same at 25 % loss", "crash-25", "crash_all", "p99", "s",
     ((16, 5.5), (128, 6), (1000, 7.5), (10000, 8))),
    ("killed process known to all, p99", "kill", "kill_all", "p99", "s",
     ((16, 1.5), (128, 1.5), (1000, 1.5), (10000, 1.5))),
    ("burst start to full view", "crash-0", "forming", "max", "s",
     ((16, 2), (128, 3), (1000, 10))),
    ("burst start to full view at 25 % loss", "crash-25", "forming", "max", "s",
     ((16, 2), (128, 3), (1000, 10))),
    ("burst start to full view, 3 others known", "burst", "forming", "max", "s",
     ((16, 2), (128, 3), (1000, 10))),
    ("partition's end to equal data, p99", "partition", "heal_digests", "p99", "s", ((128, 10),)),
    ("write on each node, p99", "writes", "delivery", "p99", "ms", ((128, 40), (1000, 40))),
    ("write on the last node, max", "writes", "last_copy", "max", "ms", ((128, 100), (1000, 100))),
    ("write on each node at 25 % of datagrams lost, p99", "writes-25", "delivery", "p99", "ms",
     ((128, 40), (1000, 40))),
    ("write on the last node at 25 % of datagrams lost, max", "writes-25", "last_copy", "max", "ms",
     ((128, 100), (1000, 100))),
)


def wanted(runs, _):
    lines = head("what", "nodes", "wanted", "simulated", "")
    for what, series, name, which, unit, aims in WANTED:
        for nodes, aim in aims:
            result = pick(runs, series, nodes)[0]
            if result is None or result[f"{name}_us"]["count"] == 0:
                lines.append(row(what, f"{nodes:,}", f"{aim:g} {unit}", NOTHING, "not run"))
                continue
            sample = result[f"{name}_us"]
            value = sample[which_of(sample, which)] / (1e6 if unit == "s" else 1e3)
            lines.append(row(what, f"{nodes:,}", f"{aim:g} {unit}",
                             with_count(name, unit, which)(result),
                             "reached" if value <= aim else "**not reached**"))
    for what, series, cell, aim, sizes in (
            ("idle bytes a second, a node", "idle", all_bytes, 450, (16, 128, 1000, 10000)),
            ("copies of a write that a member receives", "writes",
             lambda result: number(result["copies_per_write_and_node"]), 1.2, (16, 128, 1000))):
        for nodes in sizes:
            result = pick(runs, series, nodes)[0]
            if result is not None:
                is_reached = float(cell(result).replace(",", "")) <= aim
                lines.append(row(what, f"{nodes:,}", f"{aim:g}", cell(result),
                                 "reached" if is_reached else "**not reached**"))
    return lines


def losses(runs, _):
    lines = head("lost", "each member, median", "each member, p99", "last member, p99",
                 "last member, max", "copies", "not delivered in its life")
    for series, loss, text in (("writes-loss", "loss_ppm", "datagrams"),
                               ("writes-stream-loss", "stream_loss_ppm", "segments")):
        for run in runs:
            if run["series"] == series:
                result = run["result"]
                lines.append(row(f"{result[loss] / 10000:g} % of {text}",
                                 *(times(name, "ms", which)(result) or NOTHING for name, which in (
                                     ("delivery", "median"), ("delivery", "p99"),
                                     ("last_copy", "p99"), ("last_copy", "max"))),
                                 number(result["copies_per_write_and_node"]),
                                 str(result["undelivered"])))
    return lines


def well(runs, _):
    """Healthy nodes declared dead: the runs made for it, and all others by the share lost."""
    lines = head("runs", "node-hours", "declared dead", "a node-hour")
    others = {}
    for run in runs:
        result = run["result"]
        if run["series"] == "well":
            lines.append(row(f"`{run['command']}`", number(result["node_hours"]),
                             str(result["false_deaths"]),
                             number(result["false_deaths_per_node_hour"])))
        else:
            key = max(result["loss_ppm"], result["stream_loss_ppm"])
            hours, deaths = others.get(key, (0, 0))
            others[key] = (hours + result["node_hours"], deaths + result["false_deaths"])
    for loss, (hours, deaths) in sorted(others.items()):
        lines.append(row(f"all others on this page with {loss / 10000:g} % lost", number(hours),
                         str(deaths), number(deaths / hours if hours else 0)))
    return lines


def sizes_of(nodes):
    texts = [f"{size:,}" for size in sorted(nodes)]
    return " and ".join(filter(None, (", ".join(texts[:-1]), texts[-1])))


def engines(runs, _):
    """Which engine each series is of: they are not all taken anew at once."""
    lines = head("runs (`--only`)", "nodes", "engine as of")
    found = {}
    for run in runs:
        found.setdefault((run["series"], run["engine"]), set()).add(run["result"]["nodes"])
    for (series, engine), nodes in found.items():
        lines.append(row(f"`{series}`", sizes_of(nodes), engine))
    return lines


def triple(values, unit):
    if values is None:
        return NOTHING
    if values["count"] == 1:
        return f"{number(values['median'])} {unit}".strip()
    p99 = NOTHING if which_of(values, "p99") == "max" else number(values["p99"])
    return f"{number(values['median'])} / {p99} / {number(values['max'])} {unit} ({values['count']:,})"


def judgement(figure):
    """Margin and verdict."""
    if figure["margin"] is None:
        return NOTHING, f"not compared: {figure['why']}"
    verdict = "agrees" if figure["agrees"] else "**differs**"
    of = " in p99" if figure["compared"] == "p99" else ""
    return f"{number(figure['margin'])} {figure['unit']}".strip(), verdict + of


def calibration(_, sizes):
    lines = head("nodes", "what", "measured: median / p99 / max (n)", "simulated", "margin",
                 "")
    for size in sizes:
        for figure in size["figures"]:
            unit = figure["unit"]
            lines.append(row(str(size["nodes"]), figure["name"], triple(figure["measured"], unit),
                             triple(figure["simulated"], unit),
                             *judgement(figure)))
    return lines


def margins(runs, _):
    """By how much a figure may move with other seeds (moved.py)."""
    lines = head("figure", "of its value", "at least")
    for kind, (share, least) in MARGINS.items():
        of = " or ".join(f"{number(value)} {unit}".strip() for unit, value in least.items())
        lines.append(row(kind, f"{number(100 * share)} %", of))
    return lines if runs else []


TABLES = {"margins": margins, "engines": engines, "glance": glance, "wanted": wanted, "losses": losses, "well": well,
          "calibration": calibration}


def filled(page, runs, sizes):
    """The page with its tables."""
    for name, make in TABLES.items():
        lines = make(runs, sizes)
        if len(lines) > 2:
            page = re.sub(rf"(<!-- table {name} -->\n).*?(<!-- end -->)",
                          lambda match, text="\n".join(lines): f"{match[1]}{text}\n{match[2]}", page,
                          flags=re.DOTALL)
    return page


def fill(folder, runs, sizes):
    """Replaces the tables of scale.md in the folder; without such a page does nothing."""
    path = os.path.join(folder, "scale.md")
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as file:
        page = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(filled(page, runs, sizes))
