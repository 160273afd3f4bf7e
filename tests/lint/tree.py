#!/usr/bin/python3
"""The tree of files in ARCHITECTURE.md repeats what the files say about themselves.

A module is a header and its source, or a source alone; tests are left out. Its line is the first
clause of its first comment: up to the first full stop, colon or semicolon, without what stands in
parentheses. With --write the page's tree is made anew; without, it is compared with what would be
written."""

import pathlib
import re
import sys

import structure
from sources import TOP, read, report

PAGE = "ARCHITECTURE.md"
# In the tree's order. What is in folders below them goes with them.
FOLDERS = (*structure.ORDER, "tests/sim", "fade/web", "clients")
BEGIN, END = "<!-- tree: tests/lint/tree.py --write -->\n```\n", "```\n<!-- end -->\n"
COLUMNS_MAX = 110
CLAUSE_MIN = 18  # characters; a shorter clause is a name, and what follows its colon says more


def first_comment(text):
    found = re.match(r'\s*(?:#include[^\n]*\n\s*)*(?:/\*|""")(.*?)(?:\*/|""")', text, re.S)
    if found is None:
        return ""
    lines = [re.sub(r"^\s*\* ?", "", line) for line in found.group(1).split("\n")]
    return " ".join(re.split(r"\n\s*\n", "\n".join(lines).strip())[0].split())


def first_clause(stem, comment):
    text = comment.removeprefix(f"{stem}: ")
    if re.match(r"[A-Z]'?[a-z]|A ", text):
        text = text[0].lower() + text[1:]
    while (shorter := re.sub(r" ?\([^()]*\)", "", text)) != text:
        text = shorter
    for end in re.finditer(r"[.:;?](?=\s|$)", text):
        if text[end.start()] in ".?" or end.start() >= CLAUSE_MIN:
            return text[:end.start()] + ("?" if text[end.start()] == "?" else "")
    return text


def files():
    return {pathlib.PurePosixPath(path.relative_to(TOP))
            for folder in FOLDERS for path in (TOP / folder).rglob("*") if path.is_file()}


def modules(names):
    """{folder: {stem: the file that introduces the module}}"""
    found = {}
    for name in sorted(names, key=lambda name: (name.suffix != ".h", name)):
        is_source = name.suffix in (".h", ".c", ".js") or (
            name.suffix == ".py" and name.is_relative_to("clients"))
        if is_source and not name.stem.startswith("test_"):
            found.setdefault(name.parent, {}).setdefault(name.stem, name)
    return found


def place(folder):
    top = next(i for i, name in enumerate(FOLDERS) if folder.is_relative_to(name))
    return top, folder


def tree(names, read):
    """The lines of the tree, and complaints about files that cannot be in it."""
    lines, complaints = [], []
    found = modules(names)
    for folder in sorted(found, key=place):
        lines.append(f"{folder}/")
        width = max(len(stem) for stem in found[folder])
        for stem, name in sorted(found[folder].items()):
            clause = first_clause(stem, first_comment(read(name)))
            line = f"  {stem:{width}}  {clause}"
            if not clause:
                complaints.append(f"{name} does not open with a comment that says what it is")
            elif len(line) > COLUMNS_MAX:
                complaints.append(f"{name}: its first clause takes {len(line)} columns, "
                                  f"{COLUMNS_MAX} at most")
            lines.append(line.rstrip())
    return lines, complaints


def with_tree(page, lines):
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{PAGE} has no place for the tree")
    return before + begin + "".join(f"{line}\n" for line in lines) + end + after


def check_itself():
    """A file that is renamed, or whose first comment changes, must change the tree."""
    texts = {"net/udp.h": "/*\n * udp: the socket (UDP), on\n * the loop: reads.\n */",
             "net/a.c": "int a;"}
    names = [pathlib.PurePosixPath(name) for name in texts]
    lines, complaints = tree(names, lambda name: texts[str(name)])
    assert lines == ["net/", "  a", "  udp  the socket, on the loop"], lines
    assert len(complaints) == 1, complaints
    page = f"a\n{BEGIN}net/\n  old\n{END}b\n"
    assert with_tree(page, lines) != page
    assert with_tree(with_tree(page, lines), lines) == with_tree(page, lines)


def main():
    check_itself()
    page = read(PAGE)
    lines, complaints = tree(files(), read)
    wanted = with_tree(page, lines)
    if sys.argv[1:] == ["--write"]:
        (TOP / PAGE).write_text(wanted, encoding="utf-8")
    elif wanted != page:
        complaints.append(f"{PAGE}'s tree is not what the files say: "
                          "tests/lint/tree.py --write")
    return report(complaints)


sys.exit(main())
