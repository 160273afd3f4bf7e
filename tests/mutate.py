#!/usr/bin/python3
"""Whether the tests see mistakes: changes the engine a little, many times, and counts who notices.

    tests/mutate.py [--count N] [--seed N] [--sanitize] [--labels LABEL,...] [PLACE...]
    tests/mutate.py --list [--count N] [--seed N] [PLACE...]
    tests/mutate.py --check

Draws mutants by seed (tests/mutation/changes.py says of which kinds), makes each in a copy of the tree
under build/mutate, builds what it is in and runs the tests whose programs link that, the nearest
first, until one fails. Prints the score by folder, and each survivor with its change. Not counted is
what does not compile, what the compiler makes the same code of, and what tests/mutants.txt judges
equivalent; others are drawn for these. An entry there that matches nothing any more is an error.

A place is a folder, a file, or FILE:LINE, which shows whether a new test kills the mutants of a line.

Which tests: those of which a program holds the object file, of the labels unit, fuzz and sim or of
those that are named. Then integration tests that enter the function, as gcov counts it once in a build
of its own: the quick ones of what the simulator does not link, and all where no other test links the
file. Each runs once without a change, an integration test only once it has failed; the time that it takes
then says after how long a mutant hangs. With --sanitize what survives is built and tried once more,
under the sanitizers, by unit tests, corpora and quick integration tests. Every program runs under
limits, in a process and network namespace of its own where that is allowed: a mutant may send a signal
to whom it likes.

Interrupted, it prints what there is until then. The exit code is 0, 1 when --judge is given and a
folder is below its target, 2 for wrong arguments or a tree that cannot be measured."""

import argparse
import fcntl
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from mutation import changes, check
from mutation.build import KILLED, LISTED, SURVIVED, Build, need_tools
from mutation.changes import Fault
from mutation.reach import Reach
from mutation.tally import Tally

TOP = pathlib.Path(__file__).resolve().parents[1]
EQUIVALENT = "tests/mutants.txt"
LABELS = "unit,fuzz,sim,integration"
SANITIZED_LABELS = "unit,fuzz,integration"  # the simulator takes ten times as long under them


def copy_tree(tree):
    """Makes `tree` what the checkout is, and leaves alone what is the same, which is built already."""
    listed = subprocess.run(["git", "-C", TOP, "ls-files", "-z", "-co", "--exclude-standard"],
                            text=True, capture_output=True, check=False)
    if listed.returncode != 0:
        raise Fault("this is no checkout: git does not list its files")
    names = {name for name in listed.stdout.split("\0") if (TOP / name).is_file()}
    for name in names:
        old, new = TOP / name, tree / name
        if not new.is_file() or new.read_bytes() != old.read_bytes():
            new.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(old, new)
    for path in [path for path in tree.rglob("*") if path.is_file()]:
        if str(path.relative_to(tree)) not in names:
            path.unlink()


def configure(tree, folder, is_sanitized, flags="-O1"):
    """Little optimisation, so that it builds fast and equal code is still seen; no debug information,
    in which every change would be another."""
    done = subprocess.run(
        ["cmake", "-S", tree, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
         f"-DCMAKE_C_FLAGS_DEBUG={flags}", "-DREPRAM_WERROR=OFF", "-DCMAKE_SUPPRESS_REGENERATION=ON",
         f"-DREPRAM_SANITIZE={'ON' if is_sanitized else 'OFF'}"],
        capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Fault(f"cmake failed:\n{done.stderr[-2000:]}")


def equivalent(top):
    """tests/mutants.txt's entries; it is a fault when one of them fits nothing in the tree."""
    text = (top / EQUIVALENT).read_text(encoding="utf-8")
    entries = changes.read_equivalent(EQUIVALENT, text)
    stale = changes.check_equivalent(EQUIVALENT, entries, changes.find_all(top)) if entries else []
    if stale:
        raise Fault("\n".join(stale))
    return entries


def verdict_of(builds, mutant, limit_s):
    """(verdict, by which test): the next build is asked about what survives the one before."""
    first = None
    for build in builds:
        verdict, test = build.verdict(mutant, limit_s)
        first = first or (verdict, test)
        if verdict == KILLED or first[0] != SURVIVED:
            return verdict, test
    return first


def try_all(builds, drawn, entries, tally, limit_s):
    """Until as many are counted as are wanted, or none is left."""
    for mutant in drawn:
        if tally.counted() >= tally.wanted:
            return
        started = time.monotonic()
        verdict, test = ((LISTED, None) if mutant.key() in entries
                         else verdict_of(builds, mutant, limit_s))
        tally.add(mutant, verdict, test, time.monotonic() - started)


def prepare(scratch, arguments):
    """The builds that judge, in order, of one copy of the tree."""
    tree = scratch / "tree"
    copy_tree(tree)
    kinds = [("plain", False, arguments.labels)]
    if arguments.sanitize:
        kinds.append(("sanitized", True, SANITIZED_LABELS))
    builds = []

    def say(text):
        print(text, file=sys.stderr, flush=True)

    counted = scratch / "counted"
    configure(tree, counted, False, "-O1 --coverage")
    reach = Reach(Build(tree, counted, [], say=say))
    for name, is_sanitized, labels in kinds:
        configure(tree, scratch / name, is_sanitized)
        builds.append(Build(tree, scratch / name, labels.split(","), is_sanitized, say=say,
                            reach=reach))
        say(f"building {name}")
        builds[-1].prepare()
    if not builds[0].before:
        say("namespaces are not allowed here: mutants run without")
    return builds


def measure(arguments):
    """The whole run. Returns the exit code."""
    need_tools()
    entries = equivalent(TOP)
    changes.find_all(TOP, arguments.place)  # a place that has none is refused before anything is built
    scratch = TOP / "build/mutate"
    scratch.mkdir(parents=True, exist_ok=True)
    with open(scratch / "lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Fault(f"another run is using {scratch}") from error
        builds = prepare(scratch, arguments)
        tally = Tally(arguments.count)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            drawn = changes.draw(changes.find_all(scratch / "tree", arguments.place),
                                 arguments.seed)
            try_all(builds, drawn, entries, tally, arguments.limit)
        except KeyboardInterrupt:
            print("\ninterrupted; until then:", file=sys.stderr)
        tally.report()
        for test in (test for build in builds for test in build.tests if test.why_not is not None):
            print(f"no judge: {test.name} {test.why_not}")
        if arguments.json is not None:
            tally.save(arguments.json)
    below = tally.below() if arguments.judge else []
    for folder in below:
        print(f"{folder} is below its target")
    return 1 if below else 0


def positive(word):
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word} is not 1 or more")
    return number


def place(word):
    """A file or folder of the tree, and the line behind a colon, if there is one."""
    name, _, line = word.partition(":")
    path = pathlib.Path(name).resolve()
    if not path.exists() or not path.is_relative_to(TOP):
        raise argparse.ArgumentTypeError(f"{name} is not in this tree")
    return str(path.relative_to(TOP)), positive(line) if line else None


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0],
                                     epilog=f"{EQUIVALENT} has those that are judged equivalent.")
    parser.add_argument("place", nargs="*", type=place, metavar="FOLDER|FILE[:LINE]",
                        help="where; core, gossip, net and cmd")
    parser.add_argument("--count", type=positive, default=20, help="mutants that count; 20")
    parser.add_argument("--seed", type=int, default=1, help="which are drawn; 1")
    parser.add_argument("--labels", default=LABELS, metavar="LABEL,...",
                        help=f"of the tests, in this order; {LABELS}")
    parser.add_argument("--sanitize", action="store_true",
                        help=f"ask {SANITIZED_LABELS} under the sanitizers too, which see leaks and "
                        "a byte past an end")
    parser.add_argument("--limit", type=positive, default=900, metavar="SECONDS",
                        help="of a mutant, all its tests together; 900")
    parser.add_argument("--judge", action="store_true", help="fail when a folder is below its target")
    parser.add_argument("--json", metavar="FILE", help="write what came of each there")
    parser.add_argument("--list", action="store_true", help="print what would be drawn, and build nothing")
    parser.add_argument("--check", action="store_true", help=f"test this program, and {EQUIVALENT}")
    return parser.parse_args(argv)


def main(argv):
    arguments = parse(argv)
    try:
        if arguments.check:
            equivalent(TOP)
            return check.check()
        if arguments.list:
            entries = equivalent(TOP)
            drawn = changes.draw(changes.find_all(TOP, arguments.place), arguments.seed)
            for mutant, _ in zip((each for each in drawn if each.key() not in entries),
                                 range(arguments.count)):
                print(f"{mutant} in {mutant.function}")
            return 0
        return measure(arguments)
    except (Fault, PermissionError) as error:
        print(f"mutate.py: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
