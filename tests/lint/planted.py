#!/usr/bin/python3
"""The lints themselves are tested: each complains of a tree in which it finds nothing, and of every
fault that is planted here, one for each rule that it has no table of its own for.

A lint is run as ctest runs it, on a copy of the tree with all of its faults at once: each must be
named. A lint without an entry in PLANTED is a failure too."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

from sources import TOP, paths, report

SKIPPED = 77
NO_LINTS = {"planted.py", "sources.py"}
LAYER_FILES = {layer: f"{layer}{folder}/planted.c" for layer, folder in
               (("core", "/base"), ("gossip", "/wire"), ("net", "/http"), ("cmd", "/base"))}


def lines(*texts):
    return "".join(f"{text}\n" for text in texts)


def function(name, count):
    return lines(f"int {name}(int a)", "{", *["    a++;"] * count, "    return a;", "}")


# Texts that complaints must have in them, by lint; and the files that bring them about.
PLANTED = {
    "layers.py": (
        {LAYER_FILES["core"]: lines("#include <poll.h>", "#include <time.h>", "#include <cjson/cJSON.h>",
                                    "#include <llhttp.h>", "#include <threads.h>"),
         LAYER_FILES["gossip"]: lines("#include <event2/event.h>", "  # include <sys/syscall.h>"),
         LAYER_FILES["net"]: lines("#include <openssl/ssl.h>", "#include <pthread.h>",
                                   "int a = getenv(\"A\") != 0;", "void f(void) { exit(1); }",
                                   "int b = time(0);", "/* exit(2) and time(0) */"),
         LAYER_FILES["cmd"]: lines("#include <event2/event.h>", "#include <dlfcn.h>",
                                   "int c = atoi(\"1\");", "int d = clock_gettime(0, 0);")},
        ["core/base/planted.c: may not include <poll.h>", "core/base/planted.c: may not include <time.h>",
         "core/base/planted.c: may not include <cjson/cJSON.h>",
         "core/base/planted.c: may not include <llhttp.h>",
         "core/base/planted.c: may not include <threads.h>",
         "gossip/wire/planted.c: may not include <event2/event.h>",
         "gossip/wire/planted.c: may not include <sys/syscall.h>",
         "net/http/planted.c: may not include <openssl/ssl.h>",
         "net/http/planted.c: may not include <pthread.h>",
         "cmd/base/planted.c: may not include <event2/event.h>",
         "cmd/base/planted.c: may not include <dlfcn.h>",
         "only for cmd: net/http/planted.c:3", "only for cmd: net/http/planted.c:4",
         "reads a clock: net/http/planted.c:5", "reads a clock: cmd/base/planted.c:4",
         "never right: cmd/base/planted.c:3"],
        ["planted.c:6"]),
    "waits.py": (
        {"tests/unit/planted.c": lines(
            "void f(void) { usleep(1); }", "void g(void) { poll(NULL, 0, 300); }",
            "int a = clock_gettime(0, &b);", "uint64_t c = hostclock_boot_us();",
            "int d = event_base_loopexit(base, &after);", "int e = event_base_loopexit(base, &patience);",
            "int f = setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &g, 4);", "/* usleep(1) */"),
         "tests/sim/planted.c": lines("#include \"own_clock.h\"", "int h = clock_gettime(0, &b);",
                                      "int i = event_base_loopexit(base, &after);", "int j = sleep(1);"),
         "tests/integration/test_planted.py": lines(
             "time.sleep(1)", "took = time.monotonic() - began", "self.assertLess(took, 3)",
             "self.assertLess(time.time() - began, 3)", "self.assertLess(took, 3 * harness.SLOW)",
             "self.assertGreater(took, 3)"),
         "tests/image/planted.sh": lines("while true; do sleep 1; done"),
         "tests/browser/planted.mjs": lines("setTimeout(f, 100);"),
         "tests/integration/http_raw.py": "pass\n"},
        [*(f"tests/unit/planted.c:{number}:" for number in (1, 2, 3, 4, 5, 7)), "tests/sim/planted.c:4:",
         *(f"tests/integration/test_planted.py:{number}:" for number in (1, 3, 4)),
         "tests/image/planted.sh:1: sleeps", "tests/browser/planted.mjs:1: sleeps",
         "http_raw.py: nothing like 'time.sleep(0.5)' any more"],
        ["tests/unit/planted.c:6:", "tests/unit/planted.c:8:", "tests/sim/planted.c:2:",
         "tests/sim/planted.c:3:", "test_planted.py:5:", "test_planted.py:6:"]),
    "files.py": (
        {LAYER_FILES["core"]: function("planted_long", 71) + "/* TODO */\n",
         LAYER_FILES["gossip"]: "int a;\n" * 601,
         "net/http/planted.h": "#define A 1\n",
         LAYER_FILES["cmd"]: "/* Past 600 lines, because it must. */\n" + "int a;\n" * 601},
        ["core/base/planted.c:2: 73 lines", "instead of doing: core/base/planted.c:76",
         "gossip/wire/planted.c: 601 lines", "net/http/planted.h: does not open with a comment"],
        ["cmd/base/planted.c"]),
    "docs.py": (
        {"docs/design/planted.md": lines(
            "# Planted", "[a](absent.md) [b](../README.md#absent) [c](#absent) [d](#planted)",
            "[e](../http-api.md#absent)", "`planted_function` `PLANTED_LIMIT` `REPRAM_PLANTED`",
            "`repram_planted_total` `repram planted` `--planted-flag` `planted.c`",
            "cmake -DREPRAM_PLANTED_OPTION=ON", "```", "$ repram launch --planted-own 3 && \\",
            "    repram planted-too", "other --not-ours", "```"),
         "deploy/planted.yaml": "REPRAM_COLOUR: green\n",
         "cmd/settings/settings.h":
             "#define SETTINGS(X) X(NEW, \"REPRAM_UNTOLD\", \"OTHER_UNTOLD\", TYPE_PORT, 1, 2)\n",
         "net/api/api.c": "    {\"/untold\", 0},\n"},
        ["docs/design/planted.md links to absent.md,", "links to ../README.md#absent:",
         "links to #absent:", "links to ../http-api.md#absent:", "names planted_function,",
         "names PLANTED_LIMIT,", "names REPRAM_PLANTED,", "names repram_planted_total,",
         "names `repram planted`,", "names --planted-flag,",
         "names --planted-own,", "names planted.c without its folder",
         "names REPRAM_PLANTED_OPTION,", "deploy/planted.yaml names REPRAM_COLOUR,",
         "docs/README.md does not list docs/design/planted.md",
         "does not name the setting REPRAM_UNTOLD", "does not name the setting OTHER_UNTOLD",
         "docs/http-api.md does not name the route /untold",
         "docs/configuration.md names REPRAM_BIND,"],
        ["#planted", "--not-ours"]),
    "scripts.py": (
        {"deploy/planted": lines("#!/bin/sh", "echo $1"), "fade/planted.sh": "cd /nowhere\necho `ls`\n",
         ".ci/planted": lines("#!/usr/bin/env bash", "rm $*"),
         "tests/planted.py": "def f(:\n", "tests/sim/planted": lines("#!/usr/bin/python3", "x = = 1"),
         "docs/planted.json": "{,}", ".github/workflows/planted.yml": "a: [\n"},
        ["deploy/planted line 2", "fade/planted.sh line", ".ci/planted line 2",
         "tests/planted.py: is no python", "tests/sim/planted: is no python",
         "docs/planted.json: is no json", ".github/workflows/planted.yml: is no yaml"], []),
    "format.sh": (
        {path: "int  a ;\n" for path in (*LAYER_FILES.values(), "tests/unit/planted.h")},
        [f"{path}:1" for path in (*LAYER_FILES.values(), "tests/unit/planted.h")], []),
    "branches.py": (
        {LAYER_FILES["net"]: lines("void planted(int a)", "{", *["    if (a) { a++; }"] * 15, "}")},
        ["planted has 16 ways"], []),
    "draws.py": (
        {LAYER_FILES["core"]: lines("int f(struct rng *r)", "{",
                                    "    return rng_next(r) + rng_next(r);", "}")},
        ["core/base/planted.c:3: two draws"], []),
    "structure.py": ({"net/sys/planted.c": "#include \"net/api/api.h\"\n"},
                     ["net/sys/planted.c: includes net/api/api.h, which stands above"], []),
    "names.py": ({LAYER_FILES["core"]: "/* core/base/absent.h has it. */\n"},
                 ["planted.c:1: names core/base/absent.h"], []),
    "tree.py": ({"net/http/planted.h": "/*\n * planted: a new file.\n */\n"},
                ["tree is not what the files say"], []),
    "where.py": ({LAYER_FILES["net"]: "int a = FRAME_ROLE;\n"},
                 ["ROLE stands in net/http/planted.c"], []),
    "pages.py": ({"fade/web/planted.js": "a.innerHTML = b;\n"},
                 ["planted.js:1: makes markup of text"], []),
    "asserted.py": (
        {"gossip/wire/outbox.h": lines("enum notice_kind {", "    NOTICE_READY,", "    NOTICE_PLANTED,",
                                       "    NOTICE_KINDS,", "};"),
         "gossip/wire/counters.h": lines("#define ENGINE_COUNTERS(X) \\", "    X(puts, \"Puts\") \\",
                                         "    X(planted, \"Planted\")"),
         "net/api/metrics.c": lines("#define METRICS_PLANTED(X) \\",
                                    "    X(gauge, seeds, \"Seeds\", m->status.planted_seeds)",
                                    "    put_head(p, \"gauge\", \"planted\", \"Planted\");"),
         "net/api/api_cluster.c": "json_out_u64(&o, \"planted\", 1);\n",
         "tests/unit/planted.c": "/* assert_true(NOTICE_PLANTED); */ int a = f(e->counters.planted);\n"},
        ["NOTICE_PLANTED is asserted", "the counter planted is",
         "the metric repram_seeds, of the field planted_seeds,", "the metric planted is", "\"planted\" of net/api/api_cluster is"],
        ["NOTICE_READY", "counter puts"]),
    "flux.py": ({"fade/flux.json": "{}\n"}, ["key 'version' is missing"], []),
}
# What a lint is given of a build, where there is none. Of these, memory.py has a table of its own, and
# tidy.sh asks clang-tidy.
BUILT = {"tidy.sh": ["build"], "symbols.py": ["libcore.a"], "memory.py": ["libcore.a", "a", "sites"]}
# What symbols.py must name in a library that is built of it.
ASKED = """system popen syscall clock timespec_get environ cJSON_Parse llhttp_execute poll time getenv
socket read printf exit rand pthread_create event_new EVP_Digest abort stderr""".split()
KEPT = {"planted_data": "int planted_data = 1;", "planted_bss": "int planted_bss;",
        "planted_own": "static int planted_own; int *planted_of(void) { return &planted_own; }"}


def put(tree, files):
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text, encoding="utf-8")


def git(tree, *arguments):
    subprocess.run(["git", "-C", tree, *arguments], check=True, capture_output=True)


def make(tree, files):
    """A checkout with these files of this one."""
    for path in files:
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TOP / path, tree / path)
    git(tree, "init", "-q")
    git(tree, "add", "-A")


def run(tree, lint, *arguments):
    """(exit code, output) of a lint on its tree."""
    command = [tree / "tests/lint" / lint, *arguments]
    if lint.endswith(".py"):
        command = ["/usr/bin/python3", "-B", *command]
    done = subprocess.run(command, cwd=tree, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    return done.returncode, done.stdout


def skip(lint, output):
    print(f"SKIPPED: {lint}: {output.strip().removeprefix('SKIPPED: ')}")


def check_empty(tree, lints):
    """Nothing but the lints is there."""
    for lint in lints:
        code, output = run(tree, lint, *BUILT.get(lint, []))
        if code == SKIPPED:
            skip(lint, output)
        elif code == 0:
            yield f"{lint} does not complain of an empty tree: {output[-300:]}"


def check_symbols(tree, folder):
    """A library with no module, and one that asks for what it may not."""
    empty, full = folder / "libempty.a", folder / "libfull.a"
    put(folder, {"asks.c": lines(*(f"extern char {name}[];" for name in ASKED),
                                 "const void *const planted_all[] = {", ", ".join(ASKED), "};"),
                 "keeps.c": lines(*KEPT.values())})
    for name in ("asks", "keeps"):
        subprocess.run(["cc", "-fno-builtin", "-w", "-c", f"{name}.c", "-o", f"{name}.c.o"],
                       cwd=folder, check=True)
    subprocess.run(["ar", "qc", empty], check=True)
    subprocess.run(["ar", "qc", full, "asks.c.o", "keeps.c.o"], cwd=folder, check=True)
    code, output = run(tree, "symbols.py", str(empty))
    if code in (0, SKIPPED) or "nothing to look at" not in output:
        yield "symbols.py does not complain of an empty library"
    code, output = run(tree, "symbols.py", str(full))
    wanted = [f"asks uses {name}," for name in ASKED] + [f"global: {name}" for name in KEPT]
    yield from missing("symbols.py", code, output, wanted, ["planted_all"])


def missing(lint, code, output, wanted, unwanted):
    if code == 0:
        yield f"{lint} ends with {code}, where faults are planted: {output[-300:]}"
    yield from (f"{lint} lets through: {text}" for text in wanted if text not in output)
    yield from (f"{lint} complains of what is right: {text}" for text in unwanted if text in output)


def check_planted(tree, lint):
    files, wanted, unwanted = PLANTED[lint]
    before = {path: (tree / path).read_bytes() for path in files if (tree / path).is_file()}
    put(tree, files)
    git(tree, "add", "-A")
    code, output = run(tree, lint)
    if code == SKIPPED:
        skip(lint, output)
    else:
        yield from missing(lint, code, output, wanted, unwanted)
    for path in files:
        (tree / path).unlink()
    for path, content in before.items():
        (tree / path).write_bytes(content)


def main():
    lints = sorted(path.name for path in (TOP / "tests/lint").iterdir()
                   if path.suffix in (".py", ".sh") and path.name not in NO_LINTS)
    found = [f"{lint} has nothing planted to find: PLANTED" for lint in lints
             if lint not in PLANTED and lint not in BUILT]
    kept = [path for path in paths() if path.startswith("tests/lint/") or path == ".clang-format"]
    with tempfile.TemporaryDirectory(prefix="repram-planted-") as folder:
        empty, whole, small, made = (pathlib.Path(folder) / name
                                     for name in ("empty", "whole", "small", "made"))
        make(empty, kept)
        make(whole, paths())
        # Those that take long look at little.
        make(small, kept + ["core/base/rc.c", "gossip/clock.c", "net/node.c", "cmd/main.c",
                           "tests/unit/test_rc.c"])
        found += check_empty(empty, lints)
        found += check_symbols(empty, made)
        for lint in PLANTED:
            found += check_planted(small if lint in ("format.sh", "scripts.py", "draws.py") else whole,
                                   lint)
    return report(found)


if __name__ == "__main__":
    sys.exit(main())
