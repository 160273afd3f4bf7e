"""sources: what the lints look at. A folder in which a lint finds nothing ends it, as it would go on to
say that all is well."""

import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
LAYERS = ("core", "gossip", "net", "cmd")
# Made by builds, editors and git, or fetched.
FOREIGN = {"build", ".git", "__pycache__", "node_modules", "corpus"}
NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def paths(folder="."):
    """Every file in a folder and those below it, as paths from the top of the tree."""
    found, todo = [], [TOP / folder]
    while todo:
        for path in sorted(todo.pop().iterdir()):
            if path.name not in FOREIGN and path.is_dir() and not path.is_symlink():
                todo.append(path)
            elif path.name not in FOREIGN and path.is_file():
                found.append(str(path.relative_to(TOP)))
    return sorted(found)


def read(path):
    """The text of a file that must be there."""
    if not (TOP / path).is_file():
        sys.exit(f"there is no {path}: nothing to look at")
    return (TOP / path).read_text(encoding="utf-8")


def look(folders, *endings):
    """{path: text} of the files in the folders, each of which must have one with such an ending."""
    files = {}
    for folder in folders:
        names = [name for name in paths(folder) if name.endswith(endings)] \
            if (TOP / folder).is_dir() else []
        if not names:
            sys.exit(f"there is no {' or '.join(endings)} in {folder}: nothing to look at")
        files |= {name: (TOP / name).read_text(encoding="utf-8") for name in names}
    return files


def code_only(text):
    """C without comments and what stands in quotes, line by line, so that numbers stay right."""
    def bare(match):
        quote = match.group()[0]
        return (quote * 2 if quote in "\"'" else " ") + "\n" * match.group().count("\n")
    return NOISE.sub(bare, text)


def lines_with(files, pattern):
    """'path:number: line' of every line that the pattern matches."""
    return [f"{path}:{number}: {line.strip()}" for path, text in files.items()
            for number, line in enumerate(text.splitlines(), 1) if pattern.search(line)]


def report(found):
    """Prints the complaints; the lint's exit code."""
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0
