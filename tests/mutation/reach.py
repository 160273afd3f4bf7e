"""Which functions an integration test enters, counted by gcov in a build of its own.

The program of these tests holds nearly every file, but each runs little of it, so what they enter says
which of them judge a change. It is kept beside the build, and counted anew when the test's own file has
changed. What is killed counts nothing, so that a few functions are missed; never one is made up."""

import hashlib
import json
import pathlib


class Reach:
    """`build` is of the same tree as those that judge, with --coverage; nothing of it is built yet."""

    def __init__(self, build):
        self.build = build
        self.file = build.folder / "reach.json"
        self.known = json.loads(self.file.read_text(encoding="utf-8")) if self.file.exists() else {}

    @staticmethod
    def digest(test):
        """Of the scripts that a test's command names."""
        names = [pathlib.Path(word) for word in test.command if word.endswith(".py")]
        return hashlib.sha256(b"\0".join(name.read_bytes() for name in names)).hexdigest()

    def missing(self, tests):
        """Those that were not counted as they are now."""
        return [test for test in tests
                if self.known.get(test.name, {}).get("digest") != self.digest(test)]

    def count(self, tests, folder):
        """Counts what these tests enter whose programs are in `folder`, one after another."""
        for test in tests:
            for counts in self.build.folder.rglob("*.gcda"):
                counts.unlink()
            _, seconds, _ = self.build.run_unchanged(test.moved(folder, self.build.folder))
            self.known[test.name] = {"digest": self.digest(test), "seconds": seconds,
                                     "enters": self.entered()}
            self.file.write_text(json.dumps(self.known, indent=0), encoding="utf-8")

    def entered(self):
        """{file: its functions that ran}."""
        counts = [str(path) for path in self.build.folder.rglob("*.gcda")]
        told = self.build.tool("gcov", "--json-format", "--stdout", *counts).stdout if counts else ""
        found = {}
        for file in (file for line in told.splitlines() for file in json.loads(line)["files"]):
            path = pathlib.Path(file["file"])
            if path.suffix == ".c" and path.is_relative_to(self.build.tree):
                ran = [each["name"] for each in file["functions"] if each["execution_count"] > 0]
                found.setdefault(str(path.relative_to(self.build.tree)), []).extend(ran)
        return found

    def seconds(self, test):
        return self.known[test.name]["seconds"]

    def enters(self, test, mutant):
        """Whether a test runs the function that a mutant is in, or the file where it is in none."""
        ran = self.known[test.name]["enters"].get(mutant.path, [])
        return mutant.function in ran or (mutant.function == "-" and bool(ran))
