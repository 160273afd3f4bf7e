#!/usr/bin/python3
"""No two draws of randomness in one expression, or in one call's arguments or one list of values.

C leaves open which of them comes first, so compilers make different histories of one seed. What
draws is rng_next, rng_below and series_next, and every function that calls one that draws. Calls
through pointers and what macros stand for are not followed. `&&`, `||`, `?:` and the comma between
expressions have an order, and a call comes after its own arguments.

WRONG has a line for each thing that must be complained about, RIGHT for each that must not."""

import re
import sys

from sources import LAYERS, look, report

SOURCES = {"rng_next", "rng_below", "series_next"}
NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|'
                   r'^[ \t]*#(?:\\\n|[^\n])*', re.DOTALL | re.MULTILINE)
TOKEN = re.compile(r"[A-Za-z_]\w*|[0-9][\w.]*|->|\+\+|--|&&|\|\||[<>]{2}=|[-+*/%&|^]=|[=!<>]=|"
                   r"<<|>>|\.\.\.|\S")
NAME = re.compile(r"[A-Za-z_]\w*")
KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "case", "do", "else"}
ASSIGNMENTS = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="}
CLOSES = {"(": ")", "[": "]", "{": "}"}


class Group:
    """What stands between brackets, with what stands before them."""

    def __init__(self, kind, items, line, callee=None, is_call=False):
        self.kind, self.items, self.line = kind, items, line
        self.callee, self.is_call = callee, is_call


def tokens(text):
    """(token, line) of all that is neither comment, text nor directive."""
    def bare(match):
        return ("0" if match.group()[0] in "\"'" else " ") + "\n" * match.group().count("\n")

    line = 1
    for part in re.split(r"(\n)", NOISE.sub(bare, text)):
        if part == "\n":
            line += 1
        for match in TOKEN.finditer(part):
            yield match.group(), line


def is_after_cast(items):
    """Whether `items` end with a bracket that no name stands before: a cast's."""
    last = items[-1] if items else None
    return (isinstance(last, Group) and last.kind == "(" and not last.is_call and
            last.callee in (None, "return"))


def group_up(found, close=None, kind_around="block"):
    """The tokens as a tree of brackets. A bracket after a name or after another is a call's, and one
    of braces is a list of values or a block."""
    items = []
    for token, line in found:
        if token == close:
            return items
        if token not in CLOSES:
            items.append((token, line))
            continue
        last = items[-1] if items else None
        name = last[0] if isinstance(last, tuple) and NAME.fullmatch(last[0]) else None
        is_method = len(items) > 1 and isinstance(items[-2], tuple) and items[-2][0] in ("->", ".")
        is_call = token == "(" and ((name is not None and name not in KEYWORDS) or
                                    isinstance(last, Group))
        kind = token
        if token == "{" and not (
                (isinstance(last, tuple) and (last[0] in ASSIGNMENTS or last[0] in (",", "]"))) or
                (isinstance(last, Group) and last.kind == "[") or
                is_after_cast(items) or (last is None and kind_around != "block")):
            kind = "block"
        callee = name if token == "(" and not is_method else None
        inner = group_up(found, CLOSES[token], kind)
        items.append(Group(kind, inner, line, callee, is_call))
    return items


def split(items, marks):
    parts = [[]]
    for item in items:
        if isinstance(item, tuple) and item[0] in marks:
            parts.append([])
        else:
            parts[-1].append(item)
    return parts


class Judge:
    """Walks expressions; `draws` says whether a name draws."""

    def __init__(self, draws):
        self.draws, self.lines = draws, set()

    def unordered(self, parts):
        """Parts in no order: at most one may draw."""
        drawn = [line for line in map(self.expression, parts) if line]
        if len(drawn) > 1:
            self.lines.add(drawn[1])
        return drawn[0] if drawn else 0

    def ordered(self, parts):
        drawn = [line for line in map(self.expression, parts) if line]
        return drawn[0] if drawn else 0

    def group(self, group):
        if group.kind == "block":
            self.statements(group.items)
            return 0
        if group.kind == "{":
            return self.unordered(split(group.items, {","}))
        if group.is_call:
            drawn = self.unordered(split(group.items, {","}))
            is_drawer = group.callee is not None and self.draws(group.callee)
            return group.line if is_drawer else drawn
        return self.ordered(split(group.items, {",", ";"}))

    def expression(self, items):
        """The line of something in it that draws, or 0."""
        for marks in (ASSIGNMENTS, {"?", ":"}, {"||"}, {"&&"}):
            parts = split(items, marks)
            if len(parts) > 1:
                return (self.unordered if marks is ASSIGNMENTS else self.ordered)(parts)
        drawn = [line for item in items if isinstance(item, Group)
                 for line in [self.group(item)] if line]
        if len(drawn) > 1:
            self.lines.add(drawn[1])
        return drawn[0] if drawn else 0

    def statements(self, items):
        """A block, or a file: an end of a statement is an order, and so is an inner block."""
        statement = []
        for item in items:
            is_block = isinstance(item, Group) and item.kind == "block"
            is_head = (isinstance(item, Group) and not item.is_call and bool(statement) and
                       isinstance(statement[-1], tuple) and
                       statement[-1][0] in ("if", "for", "while", "switch"))
            if is_block or is_head or (isinstance(item, tuple) and item[0] == ";"):
                self.ordered(split(statement, {","}))
                statement = []
                if is_block or is_head:
                    self.group(item)
            else:
                statement.append(item)
        self.ordered(split(statement, {","}))


def functions(items):
    """(name, whether it is static, names that it calls) of the functions of a file."""
    for at, item in enumerate(items):
        head = items[at - 1] if at > 0 else None
        if (isinstance(item, Group) and item.kind == "block" and isinstance(head, Group) and
                head.callee is not None):
            start = at - 1
            while start > 0 and isinstance(items[start - 1], tuple) and items[start - 1][0] != ";":
                start -= 1
            is_static = any(i[0] == "static" for i in items[start:at - 1])
            yield head.callee, is_static, set(calls(item.items))


def calls(items):
    for item in items:
        if isinstance(item, Group):
            if item.is_call and item.callee is not None:
                yield item.callee
            yield from calls(item.items)


def drawers(files):
    """For each path the names that draw when they are called there, by {path: tree}."""
    known = {path: list(functions(tree)) for path, tree in files.items()}
    statics = {path: {name for name, is_static, _ in of if is_static} for path, of in known.items()}
    drawn = {("", name) for name in SOURCES}

    def is_drawn(path, name):
        return (path if name in statics[path] else "", name) in drawn

    grows = True
    while grows:
        before = len(drawn)
        for path, of in known.items():
            drawn |= {(path if is_static else "", name) for name, is_static, called in of
                      if any(is_drawn(path, other) for other in called)}
        grows = len(drawn) > before
    return is_drawn


def check(texts):
    """Complaints about {path: text}."""
    files = {path: group_up(tokens(text)) for path, text in texts.items()}
    is_drawn = drawers(files)
    found = []
    for path, tree in files.items():
        judge = Judge(lambda name, path=path: is_drawn(path, name))
        judge.statements(tree)
        found += [f"{path}:{line}: two draws in no order" for line in sorted(judge.lines)]
    return found


# Each is the body of a function, beside one that draws, `draw`, and one that calls that, `pick`.
WRONG = [
    "return rng_next(r) >> draw(c, 64);",
    "return draw(c, 2) + draw(c, 3);",
    "f(draw(c, 2), draw(c, 2));",
    "f(c->now + pick(c),\n  &(struct event){.kind = 1, .from = draw(c, 2) == 0 ? some(c) : 0});",
    "int a[] = {draw(c, 2), draw(c, 2)};",
    "const struct pair p = {.a = draw(c, 2), .b = {pick(c)}};",
    "const struct uuid u = {{draw(c, 2), pick(c)}};",
    "f((struct pairs){{{draw(c, 2), 1}, {pick(c), 1}}});",
    "a[draw(c, 2)] = (uint8_t)rng_next(r);",
    "a[draw(c, 2)] += pick(c);",
    "if (draw(c, 2) < draw(c, 3)) {\n    g();\n}",
    "for (i = 0; i < draw(c, 2) + pick(c); i++) {\n    g();\n}",
    "x = a && (pick(c) | pick(c));",
    "x = series_next(s) ^ series_next(s);",
    "f(0, (struct pair){draw(c, 2), 1}, g(pick(c)));",
    "return (struct pair){draw(c, 2), draw(c, 2)};",
    "case 1:\n    f(draw(c, 2), pick(c));\n",
    "while (draw(c, 2) == pick(c)) {\n}",
]
RIGHT = [
    "const uint64_t any = rng_next(r);\nreturn any >> draw(c, 64);",
    "return draw(c, 2) == 0 ? draw(c, 3) : pick(c);",
    "return draw(c, 2) == 0 && draw(c, 2) == 0;",
    "return draw(c, draw(c, 2));",
    "int a = draw(c, 2), b = draw(c, 2);",
    "for (i = draw(c, 2), j = draw(c, 2); i < draw(c, 2); i += draw(c, 2)) {\n    pick(c);\n}",
    "if (draw(c, 2) == 0) {\n    pick(c);\n} else if (draw(c, 2) == 1) {\n    pick(c);\n}",
    "f(draw(c, 2), c->draw(c, 2)); /* draw(c, 2) + draw(c, 2) */",
    "switch (draw(c, 2)) {\ncase 0:\n    pick(c);\n    break;\ndefault:\n    pick(c);\n}",
    "x = (pick(c), pick(c));",
    "f(\"draw(c, 2)\", draw(c, 2));",
    "do {\n    pick(c);\n} while (draw(c, 2) == 0);",
]
AROUND = ("static int draw(struct c *c, int most)\n{{\n    return rng_below(&c->rng, most);\n}}\n"
          "int pick(struct c *c)\n{{\n    return draw(c, c->count);\n}}\n"
          "void example(void)\n{{\n{}\n}}\n")


def broken():
    """What the lint says wrongly of functions that are written for it."""
    found = [f"the lint lets through: {line}" for line in WRONG
             if len(check({"x": AROUND.format(line)})) != 1]
    found += [f"the lint complains of: {line}" for line in RIGHT
              if check({"x": AROUND.format(line)})]
    # A static function is its file's own.
    other = ("static int draw(void)\n{\n    return 1;\n}\n"
             "int f(void)\n{\n    return draw() + draw();\n}\n")
    if check({"x": AROUND.format("g();"), "y": other}):
        found.append("the lint takes a static function for another file's")
    return found


def main():
    return report(broken() + check(look((*LAYERS, "tests"), ".c", ".h")))


if __name__ == "__main__":
    sys.exit(main())
