"""Counts what came of mutants, and prints it."""

import collections
import json
import pathlib
import sys

from mutation.build import BROKEN, EQUAL, KILLED, LISTED, SURVIVED, UNDECIDED
from mutation.changes import FOLDERS

TARGETS = {"core": 90, "gossip": 90, "net": 85, "cmd": 85}  # percent killed
# What took too long was not seen by the tests either, until then.
COUNTED = (KILLED, SURVIVED, UNDECIDED)


class Tally:
    """What came of the mutants, in the order in which they were drawn."""

    def __init__(self, count):
        self.wanted, self.results = count, []
        self.is_terminal = sys.stderr.isatty()

    def counted(self):
        return sum(verdict in COUNTED for _, verdict, _ in self.results)

    def add(self, mutant, verdict, test, seconds):
        self.results.append((mutant, verdict, test))
        line = (f"{self.counted()} of {self.wanted}, {seconds:.0f} s: {mutant.path}:{mutant.line}: "
                f"{mutant.kind}: {verdict}{f', {test}' if test else ''}")
        print(f"\r{line[:110]}\033[K" if self.is_terminal else line, file=sys.stderr,
              end="" if self.is_terminal else "\n", flush=True)

    def scores(self):
        """{folder: (killed, counted)}, of the folders that have some."""
        by = collections.defaultdict(list)
        for mutant, verdict, _ in self.results:
            if verdict in COUNTED:
                by[mutant.path.partition("/")[0]].append(verdict == KILLED)
        return {folder: (sum(by[folder]), len(by[folder])) for folder in FOLDERS if folder in by}

    def report(self):
        if self.is_terminal:
            print(file=sys.stderr)
        print(f"{'folder':8} {'killed':>9} {'score':>6} {'target':>7}")
        rows = self.scores()
        for folder, (killed, counted) in rows.items():
            print(f"{folder:8} {killed:4}/{counted:<4} {100 * killed / counted:4.0f} % "
                  f"{TARGETS[folder]:5} %")
        killed, counted = (sum(column) for column in zip(*rows.values())) if rows else (0, 0)
        if counted:
            print(f"{'all':8} {killed:4}/{counted:<4} {100 * killed / counted:4.0f} %")
        others = collections.Counter(verdict for _, verdict, _ in self.results)
        for verdict in (EQUAL, LISTED, BROKEN):
            if others[verdict]:
                print(f"not counted: {others[verdict]}, {verdict}")
        for mutant, verdict, test in self.results:
            if verdict in (SURVIVED, UNDECIDED):
                nth = f" ({mutant.nth})" if mutant.nth > 1 else ""
                print(f"{verdict}: {mutant} in {mutant.function}{nth}{f': {test}' if test else ''}")

    def below(self):
        return [folder for folder, (killed, counted) in self.scores().items()
                if 100 * killed < TARGETS[folder] * counted]

    def save(self, path):
        entries = [{"file": mutant.path, "line": mutant.line, "function": mutant.function,
                    "kind": mutant.kind, "before": mutant.before, "after": mutant.after,
                    "verdict": verdict, "test": test} for mutant, verdict, test in self.results]
        pathlib.Path(path).write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
