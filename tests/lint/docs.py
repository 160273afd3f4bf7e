#!/usr/bin/python3
"""What the pages name is there, and what users can set or see is named by a page.

Pages are the Markdown files; docs/openapi.yaml and what is in deploy/ name settings as well. Links lead
to files and headings that are there. Functions, constants, settings, options, commands and metrics are
in the sources, and the log lines that docs/troubleshooting.md quotes. docs/README.md lists every page,
three pages every route, docs/configuration.md every setting; the metrics of a node's page and those of
docs/metrics.md are the same by a unit test. ARCHITECTURE.md stays short enough for ten minutes.
(names.py has the files that texts name.) CHANGELOG.md speaks of what was: only its links are checked."""

import posixpath
import re
import sys

from sources import LAYERS, look, paths, read, report

FENCE = re.compile(r"^```.*?^```[^\n]*$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
CONSTANT = re.compile(r"(?<![\w$])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?!\w)")
FLAG = re.compile(r"(?<![\w-])--([a-z][a-z-]*[a-z])\b")
FUNCTION = re.compile(r"[a-z]+(?:_[a-z0-9]+)+")
COMMAND = re.compile(r"(?:^|[$&|;] )(?:\S*/)?repram ([a-z]+)\b", re.MULTILINE)
METRIC = re.compile(r"\brepram_[a-z_]*?[a-z](?=(?:_bucket)?(?![\w*]))")  # a histogram has buckets
ARCHITECTURE_WORDS_MAX = 2000

# Settings of the client commands alone, and two of the names that Kubernetes injects.
MORE_SETTINGS = {"REPRAM_SERVER", "REPRAM_TOKEN", "REPRAM_TOKEN_FILE", "REPRAM_CACERT", "REPRAM_CLIENT_CERT",
                 "REPRAM_CLIENT_KEY", "REPRAM_SERVICE_HOST", "REPRAM_PORT_8081_TCP_ADDR"}
# Of others: curl and the linker; systemd, and nginx.
FOREIGN_FLAGS = {"path-as-is", "wrap"}
FOREIGN_NAMES = {"AF_NETLINK", "ip_hash"}


def slug(heading):
    """A heading's anchor, as the pages' host makes it."""
    text = LINK.sub("]", heading.strip()).replace("[", "").replace("]", "")
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


def anchors(text):
    found = []
    for heading in re.findall(r"^#{1,6} +(.*)$", FENCE.sub("", text), re.MULTILINE):
        name = slug(heading)
        found.append(name if name not in found else f"{name}-{found.count(name)}")
    return {*found, *re.findall(r'<a (?:id|name)="([^"]+)"', text)}


def check_links(tree, page, text):
    for target in LINK.findall(FENCE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), name)) if name else page
        if path not in tree.names:
            yield f"{page} links to {target}, which is not there"
        elif anchor and anchor not in anchors(tree.files.get(path, "")):
            yield f"{page} links to {target}: there is no such heading"


def quoted(page, text):
    """What is code in a page: in back quotes, and between fences. Other files are code."""
    if not page.endswith(".md"):
        return [text]
    return [*SPAN.findall(FENCE.sub("", text)), *FENCE.findall(text)]


def check_settings(tree, page, text):
    """Settings, options of the build, and constants of the code."""
    for option in sorted(set(re.findall(r"-D(REPRAM_\w+)", text)) - tree.options):
        yield f"{page} names {option}, which is no option of CMakeLists.txt"
    for name in sorted(set(CONSTANT.findall(text)) - tree.settings):
        # The code names settings that there are not; how tests are run is for developers.
        if name not in tree.words or (name.startswith("REPRAM_") and page != "CONTRIBUTING.md"):
            yield f"{page} names {name}, which is neither a setting nor in the code"


def check_names(tree, page, text):
    code = quoted(page, text)
    spans = [span for span in code if "\n" not in span]
    # Between fences stand other programs as well.
    own = [line for part in code for line in part.replace("\\\n", " ").splitlines()
           if COMMAND.search(line)]
    for flag in sorted({flag for line in spans + own for flag in FLAG.findall(line)} - tree.flags):
        yield f"{page} names --{flag}, which no program takes"
    for metric in sorted(set(METRIC.findall(text)) - tree.metrics - tree.words):
        yield f"{page} names {metric}, docs/metrics.md does not"
    for command in sorted({name for part in code for name in COMMAND.findall(part)} - tree.commands):
        yield f"{page} names `repram {command}`, which is no command"
    for name in sorted({span for span in spans if FUNCTION.fullmatch(span)}):
        if name not in tree.words and name not in tree.metrics:
            yield f"{page} names {name}, which is not in the code"


def check_log_lines(tree):
    """A row of the table is: | `word` | `text` | means |"""
    _, _, table = tree.files["docs/troubleshooting.md"].partition("## Log lines")
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \|", table, re.MULTILINE)
    if not rows:
        yield "docs/troubleshooting.md has no log lines: nothing to look at"
    for word, text in rows:
        if f'"{word}"' not in tree.strings:
            yield f"no log line is about {word}"
        if text not in tree.strings:
            yield f"no log line says '{text}'"


def check_complete(tree):
    for page in sorted(tree.names):
        if re.fullmatch(r"docs/(?!README).*\.(md|yaml)", page) and \
                f"]({page.removeprefix('docs/')})" not in tree.files["docs/README.md"]:
            yield f"docs/README.md does not list {page}"
    for name in sorted(tree.settings - MORE_SETTINGS):
        if f"`{name}`" not in tree.files["docs/configuration.md"].replace(",", "`,`"):
            yield f"docs/configuration.md does not name the setting {name}"
    for route in sorted(tree.routes):
        for page in ("docs/openapi.yaml", "docs/http-api.md", "docs/design/front-door.md"):
            if not re.search(rf"{route}\b", tree.files[page]):
                yield f"{page} does not name the route {route}"
    for page, text in tree.files.items():
        if page == "ARCHITECTURE.md" or page.startswith("docs/design/"):
            for name in sorted(set(re.findall(r"`(\w+\.(?:c|h|js|py))`", text))):
                yield f"{page} names {name} without its folder"
    words = len(re.sub(r"^<!-- tree.*?^<!-- end", "", tree.files["ARCHITECTURE.md"],
                       flags=re.DOTALL | re.MULTILINE).split())
    if words > ARCHITECTURE_WORDS_MAX:
        yield f"ARCHITECTURE.md has {words} words beside the tree, {ARCHITECTURE_WORDS_MAX} at most"


class Tree:
    """The pages and what else names settings, `files`; the code, with what it shows that pages may
    name; and the names of all files."""

    def __init__(self, files, code, names):
        self.files, self.names = files, names
        everything = "\n".join(code.values())
        product = "\n".join(text for path, text in code.items()
                            if path.startswith((*LAYERS, "tests/sim")))
        table = code["cmd/settings/settings.h"].replace("\\\n", "\n")
        settings = re.findall(r'X\(\w+,\s*"([A-Z_]+)",\s*"([A-Z_,]*)",\s*(\w+)', table)
        self.words = {*re.findall(r"\w+", everything), *FOREIGN_NAMES,
                      *(posixpath.basename(name).partition(".")[0] for name in names)}
        # Strings that go over several lines, put together.
        self.strings = re.sub(r'"\s*"', "", product)
        self.settings = {name for own, others, kind in settings
                         for name in (own, *others.split(","),
                                      f"{own}_FILE" if kind == "TYPE_KEYRING" else "") if name}
        self.settings |= MORE_SETTINGS if settings else set()
        self.flags = {own.removeprefix("REPRAM_").lower().replace("_", "-") for own, *_ in settings}
        self.flags |= {*FLAG.findall(everything), *re.findall(r'"([a-z][a-z-]+)"', product)}
        self.flags |= FOREIGN_FLAGS
        self.options = set(re.findall(r"option\((\w+)", code["CMakeLists.txt"]))
        self.commands = set(re.findall(r'^    \{"([a-z]+)", \w+\},$', code["cmd/main.c"],
                                       re.MULTILINE))
        self.metrics = set(re.findall(r"^\| `(repram_\w+)`", files["docs/metrics.md"], re.MULTILINE))
        # A route is a row of the table: {"/path", ...
        self.routes = set(re.findall(r'^ *\{"(/[a-z]+)[/"]', code["net/api/api.c"], re.MULTILINE))


def check(tree):
    found = [f"the sources show no {what}: nothing to look at"
             for what in ("settings", "options", "commands", "metrics", "routes")
             if not getattr(tree, what)]
    for page, text in tree.files.items():
        if page.endswith(".md"):
            found += check_links(tree, page, text)
        if page != "CHANGELOG.md":
            found += [*check_settings(tree, page, text), *check_names(tree, page, text)]
    return found + [*check_log_lines(tree), *check_complete(tree)]


def whole_tree():
    files = look((".",), ".md") | look(("docs",), ".yaml") | look(("deploy",), "")
    code = look((*LAYERS, "tests", "fade", "clients"), ".c", ".h", ".py", ".sh", ".mjs", ".js", ".json")
    # What tests the lints names what there is not.
    del code["tests/lint/planted.py"]
    code |= {path: read(path) for path in ("CMakeLists.txt", "tests/CMakeLists.txt")}
    for path in ("ARCHITECTURE.md", "docs/README.md", "docs/configuration.md", "docs/metrics.md",
                 "docs/troubleshooting.md"):
        read(path)
    return Tree(files, code, {*paths(), *(posixpath.dirname(path) for path in paths())})


def main():
    return report(check(whole_tree()))


if __name__ == "__main__":
    sys.exit(main())
