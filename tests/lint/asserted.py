#!/usr/bin/python3
"""Every notice and every figure is asserted by some test.

The product's own tables say which there are: the notices (gossip/wire/outbox.h), the engine's
counters (gossip/wire/counters.h), the families of the metrics page (net/api/metrics.c) with the
field that each is read from, and the names in the answers of net/api/api_cluster. What a test says
of one stands in the arguments of an assertion: in C of a function whose name begins with assert or
expect, in Python of self.assert...(), wait_until() or wait_for(). Tests of pages alone do not
say that a figure rises: a field is asserted elsewhere too. Where an assertion calls a function of
its own file, what that one says is asserted as well.

CALLS has what counts as an assertion and what does not."""

import re
import sys

from sources import look, read, report

NOISE = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
STRING = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\\n])*\'')
C_CALL = re.compile(r"\b(?:assert|expect)\w*\(")
PYTHON_CALL = re.compile(r"\b(?:self\.assert\w+|wait_until|wait_for)\(")
C_FUNCTION = re.compile(r"^static [^;{}]*?\b(\w+)\([^;{}]*\)\n\{\n(.*?)^\}", re.DOTALL | re.MULTILINE)
PAGES = ("tests/unit/test_metrics.c", "tests/unit/test_api_cluster.c")


def calls(text, pattern):
    """The arguments of each call that the pattern begins, strings and all."""
    for match in pattern.finditer(text):
        depth, at = 1, match.end()
        while depth > 0 and at < len(text):
            string = STRING.match(text, at)
            if string:
                at = string.end()
                continue
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        yield text[match.end():at - 1]


def asserted(path, text):
    if path.endswith(".py"):
        return "\n".join(calls(text, PYTHON_CALL))
    text = NOISE.sub(" ", text)
    said = "\n".join(calls(text, C_CALL))
    called = set(re.findall(r"\b(\w+)\(", said))
    bodies = [body for name, body in C_FUNCTION.findall(text) if name in called]
    return "\n".join([said] + bodies)


def table(text, name):
    """What stands in the lines of the macro of that name."""
    found = re.search(rf"#define {name}\(X\)(?:.*\\\n)*.*", text)
    return found.group().replace("\\\n", "\n") if found else ""


def notices(text):
    kinds = re.search(r"enum notice_kind \{(.*?)\};", NOISE.sub(" ", text), re.DOTALL)
    return [kind for kind in re.findall(r"NOTICE_\w+", kinds.group(1)) if kind != "NOTICE_KINDS"]


def counters(text):
    return re.findall(r"X\((\w+),", table(text, "ENGINE_COUNTERS"))


def families(text):
    """{family: the field that it shows} of those in tables."""
    found = {}
    for name in re.findall(r"#define (METRICS_\w+)\(X\)", text):
        rows = table(text, name)
        for row in calls(rows, re.compile(r"\bX\((?=(?:gauge|counter),)")):
            space = "process" if name == "METRICS_PROCESS" else "repram"
            family = f"{space}_{row.split(',')[1].strip()}"
            fields = re.findall(r"\bm->([\w.]+)", row)
            found[family] = fields[0].split(".")[-1]
    return found


def labelled(text):
    return re.findall(r'put_head\(p, "\w+", "(\w+)"', text)


def json_names(text):
    return sorted(set(re.findall(r'json_out_\w+\(&?o, "(\w+)"', text)))


def missing(said, pages):
    """What is in no assertion: `said` by tests of what happens, `pages` by those of pages."""
    page = read("net/api/metrics.c")
    tables = {
        "notices": [(kind, rf"\b{kind}\b", said) for kind in notices(read("gossip/wire/outbox.h"))],
        "counters": [(f"the counter {name}", rf"(\.|->){name}\b|repram_{name}_total\b", said)
                     for name in counters(read("gossip/wire/counters.h"))],
        "metrics": [(f"the metric {family}, of the field {field},",
                     rf"(\.|->){field}\b|\b{family}\b", said)
                    for family, field in families(page).items()],
        "metrics with labels": [(f"the metric {family}", rf"repram_{family}\b", pages)
                                for family in labelled(page)],
        "names in answers": [(f'"{name}" of net/api/api_cluster', rf'\\?"{name}\\?"', pages)
                             for name in json_names(read("net/api/api_cluster.c"))],
    }
    found = [f"there are no {what}: nothing to look at" for what, rows in tables.items() if not rows]
    return found + [f"{name} is asserted by no test" for rows in tables.values()
                    for name, pattern, text in rows if not re.search(pattern, text)]


CALLS = [
    ("a.c", "assert_int_equal(e->counters.x, 1);", True),
    ("a.c", "expect(f, (e->counters.x));", True),
    ("a.c", 'assert_string_equal(")", e->counters.x);', True),
    ("a.c", "/* assert_true(e->counters.x); */ before(e->counters.x);", False),
    ("a.c", "assert_true(a); e->counters.x = 1;", False),
    ("a.c", "static int x(struct e *e)\n{\n    return e->counters.x;\n}\nassert_true(x(e));", True),
    ("a.c", "static int x(struct e *e)\n{\n    return e->counters.x;\n}\nassert_true(y(e));", False),
    ("a.py", "self.assertEqual(node.counters.x, 1)", True),
    ("a.py", "wait_until(lambda: node.counters.x == 1)", True),
    ("a.py", "print(node.counters.x)", False),
]


def check_self():
    for path, text, is_asserted in CALLS:
        if ("counters.x" in asserted(path, text)) != is_asserted:
            sys.exit(f"asserted.py does not work: {text}")


def main():
    check_self()
    tests = look(("tests/unit", "tests/integration"), ".c", ".h", ".py")
    tests |= {path: text for path, text in look(("tests/sim",), ".c").items() if "/test_" in path}
    said, pages = [], []
    for path, text in tests.items():
        (pages if path in PAGES else said).append(asserted(path, text))
    return report(missing("\n".join(said), "\n".join(said + pages)))


if __name__ == "__main__":
    sys.exit(main())
