#!/usr/bin/python3
"""The pages under fade/web: text is only ever text, nothing is inline, nothing is of another origin,
every file that a page names is there, and the whole stays small."""

import re
import sys

from sources import TOP, look, report

WEB = TOP / "fade/web"

# What would turn somebody's text into markup or script. The pages' policy stops most of it in the
# browser; it is not to be written in the first place.
FORBIDDEN = {
    ".js": [
        (r"\b(innerHTML|outerHTML|insertAdjacentHTML|setHTMLUnsafe|createContextualFragment|srcdoc)\b",
         "makes markup of text"),
        (r"\bdocument\.write", "makes markup of text"),
        (r"\bDOMParser\b", "makes markup of text"),
        (r"\beval\s*\(|\bnew Function\b|\bset(Timeout|Interval)\(\s*[\"'`]", "makes script of text"),
        (r"\bsetAttribute\(\s*[\"'](on|style)", "is inline script or style, which the policy stops"),
        (r"\.style\s*=|\bcssText\b", "is inline style, which the policy stops"),
        (r"\b(debugger|console\.log)\b", "was left behind"),
    ],
    ".html": [
        (r"<style|\sstyle=", "is inline style, which the policy stops"),
        (r"<script(?![^>]*\ssrc=)", "is inline script, which the policy stops"),
        (r"\son[a-z]+=", "is inline script, which the policy stops"),
        (r"javascript:", "is inline script, which the policy stops"),
    ],
    ".css": [(r"@import|url\(", "loads something")],
}
ELSEWHERE = re.compile(r"(https?:)?//[a-z0-9.-]+\.[a-z]{2,}", re.IGNORECASE)
# A name, not an address: nobody asks there.
NAMESPACE = "http://www.w3.org/2000/svg"
PROMISES = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
NAMED = re.compile(r"(?:\b(?:src|href)=\"|\bfrom \"\./|\bimport\(\"\./)([A-Za-z0-9_-]+\.[a-z]+)\"")

LINES_MAX = 600
FUNCTION_LINES_MAX = 70
BOARD_BYTES_MAX = 100 * 1000  # the board with all that it loads


def check_lines(path, text):
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        rules = FORBIDDEN.get(path.suffix, []) + [(PROMISES, "promises instead of doing")]
        for pattern, why in rules:
            if re.search(pattern, line):
                found.append(f"{path.name}:{number}: {why}: {line.strip()}")
        if ELSEWHERE.search(line.replace(NAMESPACE, "")):
            found.append(f"{path.name}:{number}: names another origin: {line.strip()}")
        if path.suffix != ".svg" and len(line) > 110:
            found.append(f"{path.name}:{number}: {len(line)} columns")
    return found


def check_sizes(path, text):
    lines = text.splitlines()
    found = []
    if len(lines) > LINES_MAX and "past 600 lines, because" not in text[:400].lower():
        found.append(f"{path.name}: {len(lines)} lines, and does not say why")
    if path.suffix == ".js":
        # A function or method opens at an indent and ends with the brace at the same.
        opened = {}
        for number, line in enumerate(lines, 1):
            indent = len(line) - len(line.lstrip())
            if re.match(r"\s*(export |async |static )*(function )?[#\w]+\(.*\) \{$", line):
                opened[indent] = number
            elif line.strip() == "}" and indent in opened:
                begun = opened.pop(indent)
                if number - begun > FUNCTION_LINES_MAX:
                    found.append(f"{path.name}:{begun}: a function of {number - begun} lines")
    return found


def loaded(name, seen):
    """The files that a page makes a browser ask for, itself included."""
    if name not in seen and (WEB / name).exists():
        seen.add(name)
        for other in NAMED.findall((WEB / name).read_text(encoding="utf-8")):
            loaded(other, seen)
    return seen


def check(files):
    found = []
    for path, text in files.items():
        found += check_lines(path, text) + check_sizes(path, text)
        for other in NAMED.findall(text):
            if not (WEB / other).exists():
                found.append(f"{path.name} names {other}, which is not there")
    weight = sum((WEB / name).stat().st_size for name in loaded("index.html", set()))
    if weight > BOARD_BYTES_MAX:
        found.append(f"the board weighs {weight} bytes, {BOARD_BYTES_MAX} are allowed")
    return found


# One line for each thing that must be complained about, so that no rule is dead.
WRONG = {
    "wrong.js": ["place.innerHTML = text;", "document.write(text);", "new DOMParser();", "eval(text);",
                 "setTimeout(\"go()\", 1);", "a.setAttribute(\"onclick\", text);", "a.style = text;",
                 "debugger;", "fetch(\"https://example.com/x\");", "// TODO later",
                 "import {a} from \"./absent.js\";", "x" * 111],
    "wrong.html": ["<p style=\"color: red\">", "<script>go()</script>", "<p onclick=\"go()\">",
                   "<a href=\"javascript:go()\">", "<link href=\"//example.com/a.css\">",
                   "<script src=\"absent.js\"></script>"],
    "wrong.css": ["@import 'a.css';", "p { background: url(a.png); }"],
}


def main():
    files = {TOP / path: text for path, text in look(("fade/web",), *FORBIDDEN, ".svg").items()}
    found = check(files)
    for name, lines in WRONG.items():
        found += [f"the lint lets through: {line}" for line in lines
                  if not check({WEB / name: line + "\n"})]
    long = "function a() {\n" + "    b();\n" * FUNCTION_LINES_MAX + "}\n"
    if not check({WEB / "wrong.js": long}) or not check({WEB / "wrong.js": "a();\n" * 601}):
        found.append("the lint lets through a long function or file")
    return report(found)


if __name__ == "__main__":
    sys.exit(main())
