#!/usr/bin/python3
"""Shell scripts pass shellcheck, Python files compile, JSON and YAML files parse.

A script is known by its ending or by its first line, wherever it stands: .ci/run has no ending.
Exit code 77 without shellcheck."""

import ast
import json
import re
import shutil
import subprocess
import sys

import yaml
from sources import TOP, paths, report

SHELL = re.compile(r"#!\s*/(usr/)?bin/(env\s+)?(ba|da)?sh\b|# shellcheck shell=")
PYTHON = re.compile(r"#!\s*/(usr/)?bin/(env\s+)?python3")


def kind_of(path, text):
    first = text.partition("\n")[0]
    if path.endswith(".sh") or SHELL.match(first):
        return "shell"
    if path.endswith(".py") or PYTHON.match(first):
        return "python"
    if path.endswith((".json", ".yml", ".yaml")):
        return path.rpartition(".")[2].replace("yml", "yaml")
    return None


def parse(kind, text):
    if kind == "python":
        ast.parse(text)
    elif kind == "json":
        json.loads(text)
    else:
        list(yaml.safe_load_all(text))


def check(files):
    found, shells = [], []
    kinds = {path: kind_of(path, text) for path, text in files.items()}
    for kind in ("shell", "python", "json", "yaml"):
        if kind not in kinds.values():
            found.append(f"there is no {kind}: nothing to look at")
    for path, kind in kinds.items():
        if kind == "shell":
            shells.append(path)
        elif kind is not None:
            try:
                parse(kind, files[path])
            except (SyntaxError, ValueError, yaml.YAMLError) as error:
                found.append(f"{path}: is no {kind}: {error}")
    return found, shells


def main():
    if shutil.which("shellcheck") is None:
        print("SKIPPED: shellcheck is not installed")
        return 77
    files = {}
    for path in paths():
        try:
            files[path] = (TOP / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
    found, shells = check(files)
    if shells and subprocess.run(["shellcheck", "-x", *shells], cwd=TOP, check=False).returncode != 0:
        found.append("shellcheck complains")
    return report(found)


if __name__ == "__main__":
    sys.exit(main())
