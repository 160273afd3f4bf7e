#!/usr/bin/python3
"""ARCHITECTURE.md's "Where to add" names every file that an addition touches, and no other.

Each row names one that exists, as an example. This looks where that one stands: the files in which
its pattern is found must be the files of the row; none is exempt. A file whose own name matches
counts as well. What only some additions touch stands in the row too, and a pattern shows that it is
there for that. RULES has a rule for each row."""

import dataclasses
import re
import sys

from sources import TOP, read, report

PAGE = "ARCHITECTURE.md"
HEADING = "## Where to add"
FOLDERS = ("core", "gossip", "net", "cmd", "fade", "tests", "docs")
CODE = r"(core|gossip|net|cmd)/"


@dataclasses.dataclass
class Rule:
    example: str       # as the row spells it
    pattern: str       # what it is called where it stands
    scope: str         # a pattern of the files that are looked at
    also: dict = dataclasses.field(default_factory=dict)  # {file that others touch: its pattern}


RULES = {
    "a setting": Rule(
        "REPRAM_WRITE_TIMEOUT", r"\w*WRITE_TIMEOUT\b|\bwrite_timeout_ms",
        CODE + r"|docs/configuration|tests/unit/test_settings\.c|tests/integration/test_settings",
        {"cmd/settings/settings_check.c": r"\bsettings_check_derive\("}),
    "a command": Rule(
        "repram keys", r'command_keys|repram keys\b|"keys", "watch"|`keys`, `watch`',
        CODE + "|docs/configuration|tests/integration/"),
    "a route": Rule(
        "/topology", r"/topology\b|(get|cluster)_topology",
        CODE + r"|docs/(openapi|http-api|design/)|tests/(unit|integration)/",
        {"net/api/api_mget.h": r"\bapi_mget\(",
         "tests/fuzz/fuzz_mget.c": r"\bmget_request_read\("}),
    "a counter of the engine": Rule(
        "repram_tree_prunes_total", r"\btree_prunes\b|repram_tree_prunes",
        CODE + "|docs/metrics|tests/unit/"),
    "a gauge of the engine": Rule(
        "repram_puts_waiting", r"\bputs_waiting\b|repram_puts_waiting",
        CODE + "|docs/metrics|tests/(unit|integration)/"),
    "a metric of the node around it": Rule(
        "repram_watchers", r"\brepram_watchers\b|, watchers, \"|uint64_t watchers;|stats\.watchers\b",
        CODE + "|docs/metrics|tests/integration/",
        {"net/api/api_view.h": r"\bstruct api_figures \{",
         "net/node.c": r"\(struct api_figures\)\{"}),
    "a frame": Rule(
        "ROLE", r"FRAME_ROLE\b|frame_role\w*|tree-role",
        CODE + r"|tests/(unit/test_(frame|inbound_frames|wiring)\.c|fuzz/corpus/frames/)"),
    "a packet": Rule(
        "COOKIE", r"PACKET_COOKIE\b|cookie-stranger",
        CODE + r"|tests/(unit/test_packet|fuzz/corpus/packet)"),
    "a discovery provider": Rule(
        "flux", r"provider_flux(?! asks)|PROVIDER_FLUX|(static|dns|srv), flux|`flux`:? needs|range,flux\"",
        CODE + r"|docs/(configuration|troubleshooting|design/)|tests/(unit/|integration/test_disc)",
        {"net/discovery/discovery.c": r"\bPROVIDERS_MAX\b"}),
    "a notice for the log": Rule(
        "NOTICE_NAME_TWICE", r"NOTICE_NAME_TWICE|has this node's name",
        CODE + "|docs/troubleshooting|tests/(unit|sim)/"),
    "a fault": Rule(
        "blind", r"FAULT_BLIND\b|\bblinded\b|\bblind\b", "tests/sim/"),
    "an invariant of the simulator": Rule(
        "NOTICED", r"INVARIANT_NOTICED|X\(NOTICED|MUTANT_FAITHFUL", "tests/sim/"),
    "a page for browsers": Rule(
        "fade/web/compose.js", r"compose\.js", "fade/|tests/browser/|tests/lint/pages"),
}


def files():
    return [str(path.relative_to(TOP))
            for folder in FOLDERS for path in (TOP / folder).rglob("*")
            if path.is_file() and path.parent.name != "__pycache__"]


def stands_in(rule, names, read):
    found = set()
    for name in names:
        if re.match(rule.scope, name) is None or name.endswith(".json"):
            continue
        if re.search(rule.pattern, name) or re.search(rule.pattern, read(name)):
            found.add(name)
    return found | {name for name, pattern in rule.also.items()
                    if name in names and re.search(pattern, read(name))}


def rows(page):
    """{what: (example, files)} of the table under the heading."""
    found = {}
    table = page.partition(f"{HEADING}\n")[2].partition("\n## ")[0]
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 3 and "`" in cells[2]:
            found[cells[0]] = (cells[1].strip("`"), set(re.findall(r"`([^`]*/[^`]*)`", cells[2])))
    return found


def compare(page, names, read, rules):
    complaints = []
    table = rows(page)
    complaints += [f"no row says where to add {what}" for what in rules if what not in table]
    for what, (example, files) in table.items():
        rule = rules.get(what)
        if rule is None or rule.example != example:
            complaints.append(f"nothing looks where {what} like {example} stands: RULES")
            continue
        places = stands_in(rule, names, read)
        complaints += [f"{what}: {example} stands in {name}, which the row does not name"
                       for name in sorted(places - files)]
        complaints += [f"{what}: the row names {name}, where {example} does not stand"
                       for name in sorted(files - places)]
    return complaints


def check_itself():
    """A row that lacks a file, names one too many, or has no rule is complained about."""
    texts = {"net/api/api.c": "/topology", "docs/openapi.yaml": "/topology", "net/api/uri.c": "",
             "README.md": "/topology", "tests/fuzz/fuzz_mget.c": "mget_request_read("}
    also = {"tests/fuzz/fuzz_mget.c": r"\bmget_request_read\("}

    def complaints(row, changed=None):
        now = {**texts, **(changed or {})}
        page = f"{HEADING}\n\n| to add | as | touch |\n|---|---|---|\n{row}"
        return compare(page, now, now.get,
                       {"a route": Rule("/topology", "/topology", "net/|docs/", also)})

    right = ("| a route | `/topology` | `net/api/api.c`, `docs/openapi.yaml`; "
             "a fuzzer, as `tests/fuzz/fuzz_mget.c` |\n")
    assert complaints(right) == [], complaints(right)
    for wrong in (right.replace("`net/api/api.c`, ", ""),
                  right.replace("net/api/api.c", "net/api/uri.c"),
                  right.replace("`tests/fuzz/fuzz_mget.c`", "one"),
                  right + "| a frame | `ROLE` | `net/api/api.c` |\n", ""):
        assert complaints(wrong), wrong
    for changed in ({"net/api/uri.c": "/topology"}, {"docs/openapi.yaml": ""},
                    {"tests/fuzz/fuzz_mget.c": ""}):
        assert complaints(right, changed), changed
    for line in ("of port-range, dns, srv, flux", "port-range, dns, static, flux"):
        assert re.search(RULES["a discovery provider"].pattern, line), line


def main():
    check_itself()

    def text(name):
        return (TOP / name).read_text(encoding="utf-8", errors="replace")

    return report(compare(read(PAGE), files(), text, RULES))


if __name__ == "__main__":
    sys.exit(main())
