#!/usr/bin/python3
"""ARCHITECTURE.md's "Where to add" names every file that an addition touches, and no other.

Each row names one that exists, as an example. This looks where that one stands: the files in which
its pattern is found, but for those that only use it, must be the files of the row. A file whose
own name matches counts as well. RULES has a rule for each row."""

import dataclasses
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGE = TOP / "ARCHITECTURE.md"
HEADING = "## Where to add"
FOLDERS = ("core", "gossip", "net", "cmd", "fade", "tests", "docs")
CODE = r"(core|gossip|net|cmd)/"


@dataclasses.dataclass
class Rule:
    example: str       # as the row spells it
    pattern: str       # what it is called where it stands
    scope: str         # a pattern of the files that are looked at
    users: tuple = ()  # patterns of files that use it, and stand for no step of adding one


RULES = {
    "a setting": Rule(
        "REPRAM_WRITE_TIMEOUT", r"\w*WRITE_TIMEOUT\b|\bwrite_timeout_ms",
        CODE + r"|docs/configuration|tests/unit/test_settings\.c|tests/integration/test_settings",
        (r".*/engine\.c",)),
    "a command": Rule(
        "repram keys", r'command_keys|repram keys\b|"keys", "watch"', CODE + "|tests/integration/"),
    "a route": Rule(
        "/topology", r"/topology\b|(get|cluster)_topology",
        CODE + r"|docs/(openapi|http-api)|tests/(unit|integration)/"),
    "a metric of the engine": Rule(
        "repram_tree_prunes_total", r"\btree_prunes\b|repram_tree_prunes", CODE + "|docs/metrics"),
    "a metric of the node around it": Rule(
        "repram_watchers", r"\brepram_watchers\b|, watchers, \"|uint64_t watchers;",
        CODE + "|docs/metrics"),
    "a frame": Rule(
        "ROLE", r"FRAME_ROLE\b|frame_role\w*|tree-role",
        CODE + r"|tests/(unit|fuzz/corpus/frames)/"),
    "a packet": Rule(
        "COOKIE", r"PACKET_COOKIE\b|cookie-stranger",
        CODE + r"|tests/(unit/test_packet|fuzz/corpus/packet)", (r".*/packet_out\.c",)),
    "a discovery provider": Rule(
        "flux", r"provider_flux|PROVIDER_FLUX|static, flux|`flux` needs",
        CODE + r"|docs/configuration|tests/unit/", (r".*/flux\.h", r".*/test_settings_check\.c")),
    "a notice for the log": Rule(
        "NOTICE_NAME_TWICE", r"NOTICE_NAME_TWICE|has this node's name",
        CODE + "|docs/troubleshooting"),
    "a fault": Rule(
        "blind", r"FAULT_BLIND\b|\bblinded\b|\bblind\b", "tests/sim/", (r".*/test_mutants\.c",)),
    "an invariant of the simulator": Rule(
        "NOTICED", r"INVARIANT_NOTICED|X\(NOTICED", "tests/sim/"),
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
        if any(re.fullmatch(user, name) for user in rule.users):
            continue
        if re.search(rule.pattern, name) or re.search(rule.pattern, read(name)):
            found.add(name)
    return found


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
    texts = {"net/api/api.c": "/topology", "docs/openapi.yaml": "/topology", "net/http/uri.c": "",
             "README.md": "/topology"}
    rules = {"a route": Rule("/topology", "/topology", "net/|docs/")}

    def complaints(row):
        page = f"{HEADING}\n\n| to add | as | touch |\n|---|---|---|\n{row}"
        return compare(page, texts, texts.get, rules)

    right = "| a route | `/topology` | `net/api/api.c`, `docs/openapi.yaml` |\n"
    assert complaints(right) == [], complaints(right)
    for wrong in (right.replace("`net/api/api.c`, ", ""), right.replace("net/api/api.c", "net/http/uri.c"),
                  right + "| a frame | `ROLE` | `net/api/api.c` |\n", ""):
        assert complaints(wrong), wrong


def main():
    check_itself()

    def read(name):
        return (TOP / name).read_text(encoding="utf-8", errors="replace")

    complaints = compare(PAGE.read_text(encoding="utf-8"), files(), read, RULES)
    print("\n".join(complaints), end="\n" if complaints else "")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
