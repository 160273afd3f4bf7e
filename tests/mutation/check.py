"""Tests tests/mutate.py: what it finds in texts, and what it says of mutants of a small tree, which has
a module, a program that tests it, and one that has nothing of it."""

import os
import pathlib
import subprocess
import sys
import tempfile

from mutation import changes
from mutation.build import (BROKEN, EQUAL, KILLED, LAST_LABEL, LISTED, NOBODY, SKIPPED, SURVIVED,
                            Build, need_tools)
from mutation.reach import Reach
from mutation.tally import Tally

TINY = {"core/base/tiny.c": """/* (1 < 2) is a comment's. */
#define TINY 1
int tiny_limit(int a)
{
    if (a > 7) {
        return 7;
    }
    return a;
}

unsigned tiny_count(unsigned a)
{
    volatile unsigned n = 0;
    while (n != a) {
        n = n + 1;
    }
    return n;
}

int tiny_unseen(int a)
{
    return a == 3;
}

int tiny_choice(int a)
{
    switch (a) {
    case 1:
        return a;
    case 2:
        return -a;
    default:
        return a;
    }
}
""", "tests/unit/test_tiny.c": """int tiny_limit(int a);
unsigned tiny_count(unsigned a);
int main(void)
{
    return tiny_limit(9) != 7 || tiny_limit(3) != 3 || tiny_count(3) != 3;
}
""", "tests/unit/test_other.c": "int main(void)\n{\n    return 0;\n}\n"}
TINY_NINJA = """tree = {}
flags = {}
rule cc
  command = cc -O1 -w $flags -c $in -o $out
rule C_EXECUTABLE_LINKER
  command = cc $flags $in -o $out
build core.dir/core/base/tiny.c.o: cc $tree/core/base/tiny.c
build tests.dir/test_tiny.c.o: cc $tree/tests/unit/test_tiny.c
build tests.dir/test_other.c.o: cc $tree/tests/unit/test_other.c
build test_tiny: C_EXECUTABLE_LINKER tests.dir/test_tiny.c.o core.dir/core/base/tiny.c.o
build test_other: C_EXECUTABLE_LINKER tests.dir/test_other.c.o
"""
TINY_TESTS = """add_test({2}.test_{0} "{1}/test_{0}")
set_tests_properties({2}.test_{0} PROPERTIES LABELS {2})
"""
TINY_ENTRY = """# A comment.
core/base/tiny.c tiny_limit
- if (a > 7) {
+ if (a <= 7) {
= It is judged so
= to test that it is spared.
"""
# What the line after the change is, and what must come of it. The endless one ends by the limit of
# processor time.
TINY_VERDICTS = {"return 8;": KILLED, "n = n + 2;": KILLED, "if (a >= 7) {": EQUAL, "case 2:": BROKEN,
                 "return a != 3;": SURVIVED, "if (a <= 7) {": LISTED}

# A function's body, and the lines that its mutants have instead of the one that they change.
EXAMPLES = {
    "a = b < 3 && c;": {"a = b >= 3 && c;", "a = b <= 3 && c;", "a = b < 3 || c;", "a = b < 4 && c;",
                        "a = b < 2 && c;"},
    "g(0x10, a);": {";", "g(0x11, a);", "g(0xf, a);"},
    "(void)a->b.g(\"1 < 2\", '0');": {";"},
    "a = 5000U; /* 1 == 2 */": {"a = 10000U; /* 1 == 2 */", "a = 2500U; /* 1 == 2 */"},
    "return a;": {"return !(a);"},
    "return true;": {"return false;"},
    "rc = RC_OK;": {"rc = RC_FULL;"},
    "rc = a ? RC_IO : b;": {"rc = a ? RC_OK : b;"},
    "a = b < g(c) ? b : g(c);": {"a = b >= g(c) ? b : g(c);"},
    "a = 2 * b > c ? c : 2 * b;": {"a = 2 * b <= c ? c : 2 * b;", "a = 3 * b > c ? c : 2 * b;",
                                   "a = 1 * b > c ? c : 2 * b;", "a = 2 * b > c ? c : 3 * b;",
                                   "a = 2 * b > c ? c : 1 * b;"},
    "a = b < c ? c : d;": {"a = b >= c ? c : d;", "a = b <= c ? c : d;"},
    "a = mem_new(1, 7);": {"a = mem_new(1, 8);", "a = mem_new(1, 6);"},
    "ASSERT(a < 3 && g(1));": set(),
    "uint8_t bytes[16];": set(),
    "a = b[c];": set(),
    "// a == b": set(),
    "switch (a) {\ncase 0:\n    g();\n}": {"case 1:", ";"},
}
MALFORMED = ["a.c f\n- a\n+ b\n", "a.c\n- a\n+ b\n= c\n", "a.c f x\n- a\n+ b\n= c\n",
             "a.c f\n+ b\n- a\n= c\n", "a.c f\n- a\n+ b\n= c\n\n" * 2]


def check_texts():
    """What is wrong about finding, drawing and reading."""
    wrong = []
    for body, wanted in EXAMPLES.items():
        text = f"static bool example(int a)\n{{\n{body}\n}}\n"
        found = {mutant.after for mutant in changes.find("core/x.c", text)}
        if found != wanted:
            wrong.append(f"of '{body}' the mutants are {sorted(found)}")
    found = changes.find("core/x.c", "enum { A = 1 };\nint a[3];\n" + TINY["core/base/tiny.c"])
    if [m.after for m in found if m.function == "-"] != ["enum { A = 2 };"]:
        wrong.append("a number outside of functions is missed, or an array's size is taken")
    found_in_checks = {kind: changes.find("core/x.c", f"{kind} x_check(int a)\n{{\n    g(a == 3);\n}}\n")
                       for kind in ("void", "enum rc")}
    if found_in_checks["void"] or not found_in_checks["enum rc"]:
        wrong.append("what only asserts is changed, or what refuses is not")
    orders = [[m.key() for m in changes.draw(found, seed)] for seed in (1, 1, 2)]
    if orders[0] != orders[1] or orders[0] == orders[2] or sorted(orders[0]) != sorted(orders[2]):
        wrong.append("a seed does not draw one order of all mutants")
    twice = changes.find("core/x.c", "int f(int a)\n{\n    g(a);\n    g(a);\n}\n")
    if [m.nth for m in twice] != [1, 2]:
        wrong.append("of two that are the same it is not told which is which")
    for text in MALFORMED:
        try:
            changes.read_equivalent("x", text)
            wrong.append(f"read as an entry: {text!r}")
        except changes.Malformed:
            pass
    entries = changes.read_equivalent("x", TINY_ENTRY)
    tiny = changes.find("core/base/tiny.c", TINY["core/base/tiny.c"])
    if changes.check_equivalent("x", entries, tiny) or not changes.check_equivalent("x", entries, found):
        wrong.append("an entry that matches nothing is not told from one that does")
    return wrong


def check_labels(tree, folder, counted):
    """What is wrong about which tests are asked: where an integration test alone links a file it judges
    the functions that it enters; beside a unit test it is asked last, and where nobody counts, never."""
    wrong = []
    mutants = {each.after: each for each in changes.find_all(tree)}
    killed, unseen = mutants["return 8;"], mutants["return a != 3;"]
    slow = Build(tree, folder, [LAST_LABEL], reach=Reach(Build(tree, counted, [])))
    slow.prepare()
    if slow.verdict(killed, 60) != (KILLED, f"{LAST_LABEL}.test_tiny"):
        wrong.append("an integration test that alone links a file does not judge it")
    if slow.verdict(unseen, 60) != (SURVIVED, NOBODY):
        wrong.append("an integration test judges a function that it does not enter")
    both = Build(tree, folder, ["unit", LAST_LABEL], reach=Reach(Build(tree, counted, [])))
    both.prepare()
    tests = [[test.name for test in tests] for tests in both.covering(killed.path)]
    if tests != [["unit.test_tiny"], [f"{LAST_LABEL}.test_tiny"]]:
        wrong.append("the tests that cover a file are not those that link it")
    if both.reach.missing(both.covering(killed.path)[1]):
        wrong.append("what was counted is not kept")
    both.reach = None
    if both.covering(killed.path)[1]:
        wrong.append("integration tests judge what others link, though nobody knows what they enter")
    slow.tests = []
    if slow.verdict(killed, 60) != (SURVIVED, NOBODY):
        wrong.append("it is not said what no test links")
    return wrong


def check_verdicts(top):
    """What is wrong about building and running the mutants of a small tree."""
    tree, folder, counted = top / "tree", top / "build", top / "counted"
    for name, text in TINY.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text, encoding="utf-8")
    for each, flags in ((folder, ""), (counted, "--coverage")):
        each.mkdir()
        (each / "build.ninja").write_text(TINY_NINJA.format(tree, flags), encoding="utf-8")
    (folder / "CTestTestfile.cmake").write_text(
        "".join(TINY_TESTS.format(name, folder, label) for name in ("tiny", "other")
                for label in ("unit", LAST_LABEL)), encoding="utf-8")
    wrong = check_labels(tree, folder, counted)
    build = Build(tree, folder, ["unit", LAST_LABEL], more_s=1)
    build.prepare()
    if {each.line for each in changes.find_all(tree, [("core/base/tiny.c", 6)])} != {6}:
        wrong.append("a line is not what is changed when it is asked for")
    found = [each for each in changes.find_all(tree) if each.after in TINY_VERDICTS]
    tally = Tally(len(found))
    entries = changes.read_equivalent("x", TINY_ENTRY)
    for mutant in found:
        verdict, test = ((LISTED, None) if mutant.key() in entries else build.verdict(mutant, 60))
        tally.results.append((mutant, verdict, test))
        if verdict != TINY_VERDICTS[mutant.after]:
            wrong.append(f"{mutant}\n    is {verdict}, not {TINY_VERDICTS[mutant.after]}")
        if mutant.after == "n = n + 2;" and not str(test).endswith(" (spins)"):
            wrong.append(f"what is endless was not ended by the limit of processor time: {test}")
    if len(found) != len(TINY_VERDICTS):
        wrong.append(f"{len(found)} mutants of the small tree, not {len(TINY_VERDICTS)}")
    if tally.scores() != {"core": (2, 3)} or tally.below() != ["core"]:
        wrong.append(f"the score is {tally.scores()}, below are {tally.below()}")
    if (tree / "core/base/tiny.c").read_text(encoding="utf-8") != TINY["core/base/tiny.c"]:
        wrong.append("a change was left behind")
    return wrong


def check_tools():
    """What is wrong about saying that a tool is missing."""
    path = os.environ["PATH"]
    os.environ["PATH"] = "/nowhere"
    try:
        need_tools()
    except changes.Fault as fault:
        return [] if str(fault) == "cc is not installed" else [f"of a missing compiler it is said: {fault}"]
    finally:
        os.environ["PATH"] = path
    return ["nothing is said of missing tools"]


def check_places():
    """What is wrong about a line that has nothing to change: it is refused, and nothing is built."""
    top = pathlib.Path(__file__).resolve().parents[2]
    try:
        done = subprocess.run([sys.executable, "-B", top / "tests/mutate.py",
                               f"{top}/core/base/buf.c:99999"], capture_output=True, text=True,
                              check=False, timeout=60)
    except subprocess.TimeoutExpired:
        return ["a line that is not there is not refused at once"]
    if done.returncode != 2 or done.stderr != "mutate.py: there is nothing to change\n":
        return [f"of a line that is not there it is said: {done.returncode}, {done.stderr[-300:]}"]
    return []


def check():
    """Prints what is wrong. Returns the exit code."""
    try:
        need_tools()
    except changes.Fault as fault:
        print(f"SKIPPED: {fault}")
        return SKIPPED
    wrong = check_texts() + check_tools() + check_places()
    with tempfile.TemporaryDirectory(prefix="repram-mutate-") as folder:
        wrong += check_verdicts(pathlib.Path(folder).resolve())
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0
