"""Builds mutants and runs the tests that cover them, under limits: what tests/mutate.py is made of.

A build folder is CMake's, with Ninja. Which tests cover a file is seen from their programs: one that
was linked with the file's object has the name of its source among its symbols. Of the integration
tests, whose program holds nearly every file, those cover it that enter the function."""

import copy
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time

from mutation.changes import Fault

TOOLS = ("cc", "cmake", "ctest", "gcov", "ninja", "nm")
# The engines of the first are broken already, and the others are about scripts.
LEFT_OUT = re.compile(r"sim\.(test_mutants|charts|moved)|bench\.calibrate")
# Each of these takes up to minutes. They judge what no other test links; those that take no longer
# than QUICK_S judge too what the simulator does not link.
LAST_LABEL, THOROUGH_LABEL = "integration", "sim"
QUICK_S = 12
# Each of these is measured only when it is asked, or has failed.
SLOW_LABELS = {THOROUGH_LABEL, LAST_LABEL}
TIMES_FILE = "times.json"
BATCH = 16  # programs that are linked before they run; the nearest is linked alone
BUILD_LIMIT_S = 1800
COMPILE_LIMIT_S = 120
# A test may take so many times what it takes without a change, and so much more: in processor time,
# and, as a mutant may wait for ever without any, by the clock, which other programs hold up.
TIMES, CPU_MORE_S, CLOCK_MORE_S = 5, 2, 30
FILE_LIMIT_BYTES = 1 << 30
MEMORY_LIMIT_BYTES = 8 << 30  # of addresses; the sanitizers need all that there are
SKIPPED = 77
NOBODY = "no test of these labels links it"
KILLED, SURVIVED, EQUAL, LISTED, BROKEN, UNDECIDED = (
    "killed", "survived", "the same code", "judged equivalent", "does not compile", "took too long")


def sandbox():
    """The words before a command that give it namespaces of its own, as far as this is allowed."""
    inside = ["sh", "-c", 'ip link set lo up 2>/dev/null; "$@"; exit $?', "sh"]
    for words in (["--fork", "--pid", "--kill-child", "--mount-proc", "--net"],
                  ["--fork", "--pid", "--kill-child", "--mount-proc"]):
        command = ["unshare", *words, *inside]
        try:
            if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
                return command
        except FileNotFoundError:
            break
    return []


def run(command, cpu_s, clock_s, *, cwd=None, env=None, memory=None):
    """(exit code or None when time was up, seconds by the clock, processor seconds). Nothing of the
    command is left afterwards, so far as it stays in its session or namespace."""
    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT_BYTES, FILE_LIMIT_BYTES))
        if memory is not None:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    with subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, start_new_session=True,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          preexec_fn=limit) as process:
        try:
            code = process.wait(clock_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return code, time.monotonic() - started, cpu


def how_ended(code):
    """Of a test that failed: what else is to be said."""
    spun = (-signal.SIGXCPU, 128 + signal.SIGXCPU)
    return " (hangs)" if code is None else " (spins)" if code in spun else ""


def need_tools():
    for name in TOOLS:
        if shutil.which(name) is None:
            raise Fault(f"{name} is not installed")


class Test:
    """One of ctest's: its command, the programs in it, and what it takes without a change."""

    def __init__(self, told, programs):
        properties = {each["name"]: each["value"] for each in told.get("properties", [])}
        self.name, self.command = told["name"], told["command"]
        self.labels = properties.get("LABELS", [])
        self.folder = properties.get("WORKING_DIRECTORY")
        self.environment = dict(each.split("=", 1) for each in properties.get("ENVIRONMENT", []))
        words = {*self.command, *self.environment.values()}
        self.programs = [name for path, name in programs.items() if path in words]
        self.stem = self.name.rpartition(".")[2].removeprefix("test_")
        self.clock_s = self.cpu_s = None  # not known yet
        self.is_measured = False
        self.last_s = 0  # what it took in the run before
        self.why_not = None  # why it is no judge
        if LAST_LABEL in self.labels:
            self.environment["REPRAM_TEST_FAILFAST"] = "1"

    def moved(self, old, new):
        """The same with the programs of another build folder."""
        other = copy.copy(self)
        other.command = [word.replace(str(old), str(new)) for word in self.command]
        other.environment = {name: value.replace(str(old), str(new))
                             for name, value in self.environment.items()}
        other.folder = self.folder and self.folder.replace(str(old), str(new))
        return other

    def distance(self, path, labels):
        """The module's own test first, then by label, by whether they share a name, and by time."""
        stem = path.rpartition("/")[2].removesuffix(".c")
        label = min(labels.index(each) for each in self.labels if each in labels)
        return self.stem != stem, label, self.is_far(path), self.clock_s or self.last_s, self.name

    def is_far(self, path):
        """Whether its name and the file's have nothing in common."""
        stem = path.rpartition("/")[2].removesuffix(".c")
        return not self.stem.startswith(f"{stem}_") and self.stem not in re.split("[/_.]", path)


class Build:
    """A build folder of CMake and Ninja, with the tests that it tells ctest of."""

    def __init__(self, tree, folder, labels, is_sanitized=False, more_s=CPU_MORE_S,
                 say=lambda text: None, reach=None):
        """With a Reach only those integration tests judge a function that enter it."""
        self.tree, self.folder, self.labels, self.more_s = tree, folder, labels, more_s
        self.say, self.reach = say, reach
        self.is_sanitized = is_sanitized
        self.memory = None if is_sanitized else MEMORY_LIMIT_BYTES
        self.before = sandbox()
        self.outputs, self.tests, self.holds = {}, [], {}

    def tool(self, *words, limit_s=COMPILE_LIMIT_S):
        try:
            return subprocess.run(words, cwd=self.folder, capture_output=True, text=True, check=False,
                                  timeout=limit_s)
        except subprocess.TimeoutExpired as error:
            raise Fault(f"{words[0]} took longer than {limit_s} s") from error

    def ninja(self, *targets, limit_s=COMPILE_LIMIT_S):
        """Whether all could be built, with all processors: no test runs meanwhile."""
        return self.tool("ninja", *targets, limit_s=limit_s).returncode == 0

    def prepare(self):
        """Builds all without a change, as ctest tells only of programs that are there, and looks what
        is in them."""
        done = self.tool("ninja", limit_s=BUILD_LIMIT_S)
        if done.returncode != 0:
            raise Fault(f"the tree does not build without a change:\n{done.stdout[-2000:]}")
        listed = self.tool("ninja", "-t", "targets", "all").stdout.splitlines()
        self.outputs = dict(line.split(": ", 1) for line in listed if ": " in line)
        programs = {str(self.folder / name): name for name, rule in self.outputs.items()
                    if "EXECUTABLE_LINKER" in rule}
        told = self.tool("ctest", "--show-only=json-v1").stdout
        tests = [Test(each, programs) for each in json.loads(told)["tests"] if each.get("command")]
        self.tests = [test for test in tests if test.programs and not LEFT_OUT.match(test.name) and
                      set(test.labels) & set(self.labels)]
        if not self.tests:
            raise Fault(f"the build has no test labelled {' or '.join(self.labels)}")
        self.remember()
        for name in {name for test in self.tests for name in test.programs}:
            symbols = self.tool("nm", "-a", name).stdout.splitlines()
            self.holds[name] = {line.split(" a ", 1)[1] for line in symbols if " a " in line}

    def remember(self):
        """What tests took in the run before, so that the slow ones are asked from the fastest on."""
        try:
            times = json.loads((self.folder / TIMES_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        for test in self.tests:
            test.last_s = times.get(test.name, 0)

    def object_of(self, path):
        found = [name for name in self.outputs if name.endswith(f"/{path}.o")]
        if len(found) != 1:
            raise Fault(f"{path}: the build makes {len(found)} object files of it, not one")
        return found[0]

    def covering(self, path):
        """The tests whose programs hold the file's object, the nearest first: (all but integration
        tests, those that may judge what the first do not see)."""
        name = path.rpartition("/")[2]
        found = [test for test in self.tests if test.why_not is None and
                 any(name in self.holds[program] for program in test.programs)]
        found.sort(key=lambda test: test.distance(path, self.labels))
        nearer = [test for test in found if LAST_LABEL not in test.labels]
        is_thorough = any(THOROUGH_LABEL in test.labels for test in nearer)
        is_enough = is_thorough or (nearer and self.reach is None)
        return nearer, [test for test in found if test not in nearer and not is_enough]

    def entering(self, mutant, text, tests, limit_s):
        """Of integration tests those that enter the function within a time, the nearest and then the
        fastest first. Where that is not known it is counted, without the change."""
        if self.reach is None:
            return tests
        if self.reach.missing(tests):
            self.write(mutant.path, text)
            self.say("counting what integration tests enter")
            self.reach.count(self.reach.missing(tests), self.folder)
            self.write(mutant.path, mutant.applied(text))
        found = [test for test in tests if self.reach.enters(test, mutant) and
                 self.reach.seconds(test) <= limit_s]
        return sorted(found, key=lambda test: (test.is_far(mutant.path), self.reach.seconds(test)))

    def write(self, path, text):
        """Later than what was made of the file, even where the clock of files is coarse."""
        file = self.tree / path
        file.write_text(text, encoding="utf-8")
        made = self.folder / self.object_of(path)
        if made.exists():
            stamp = max(file.stat().st_mtime_ns, made.stat().st_mtime_ns + 1000 * 1000)
            os.utime(file, ns=(stamp, stamp))

    def judge(self, test, cpu_s, clock_s):
        env = {**os.environ, **test.environment}
        return run([*self.before, *test.command], int(cpu_s), clock_s, cwd=test.folder, env=env,
                   memory=self.memory)

    def run_unchanged(self, test):
        """Builds a test's programs and runs it. Returns (exit code, seconds by the clock, processor
        seconds)."""
        if not self.ninja(*test.programs, limit_s=BUILD_LIMIT_S):
            raise Fault("the tree does not build without a change any more")
        return self.judge(test, BUILD_LIMIT_S, BUILD_LIMIT_S)

    def measure(self, tests):
        """Runs tests without a change, as far as that was not done. Those that fail are no judges."""
        todo = [test for test in tests if not test.is_measured]
        if not todo:
            return
        self.say(f"{todo[0].name}{f' and {len(todo) - 1} others' if len(todo) > 1 else ''}: "
                 "without a change")
        for test in todo:
            code, test.clock_s, test.cpu_s = self.run_unchanged(test)
            test.is_measured = True
            if code != 0:
                test.why_not = "skips itself" if code == SKIPPED else "fails without a change"
        times = {test.name: test.clock_s or test.last_s for test in self.tests}
        (self.folder / TIMES_FILE).write_text(json.dumps(times), encoding="utf-8")

    def try_tests(self, tests, limit_s):
        """(verdict, by which test). All of a batch are linked, then run in order."""
        deadline = time.monotonic() + limit_s
        at = 0
        while at < len(tests):
            batch = tests[at:at + (BATCH if at > 0 else 1)]
            at += len(batch)
            if not self.ninja(*{name for test in batch for name in test.programs},
                              limit_s=BUILD_LIMIT_S):
                return BROKEN, None
            for test in batch:
                left = deadline - time.monotonic()
                clock_s = TIMES * test.clock_s + CLOCK_MORE_S
                code, _, _ = self.judge(test, TIMES * test.cpu_s + self.more_s, min(clock_s, max(left, 1)))
                if code is None and left < clock_s:
                    return UNDECIDED, None
                if code not in (0, SKIPPED):
                    return KILLED, test.name + how_ended(code)
        return SURVIVED, None

    def verdict(self, mutant, limit_s):
        """(verdict, by which test)."""
        text = (self.tree / mutant.path).read_text(encoding="utf-8")
        made = self.object_of(mutant.path)
        if not self.ninja(made):
            raise Fault(f"{mutant.path} does not compile without a change")
        code = (self.folder / made).read_bytes()
        try:
            self.write(mutant.path, mutant.applied(text))
            if not self.ninja(made):
                return BROKEN, None
            if (self.folder / made).read_bytes() == code:
                return EQUAL, None
            return self.ask(mutant, text, limit_s)
        finally:
            self.write(mutant.path, text)

    def ask(self, mutant, text, limit_s):
        """The fast tests at once, then the slow ones, then integration tests."""
        nearer, last = self.covering(mutant.path)
        fast = [test for test in nearer if not SLOW_LABELS & set(test.labels)]
        slow = [test for test in nearer if test not in fast]
        verdict, test = self.ask_each(mutant, text, [fast, *([each] for each in slow)], limit_s)
        if verdict != SURVIVED or not last:
            return verdict, test or (NOBODY if not nearer else None)
        last = self.entering(mutant, text, last, QUICK_S if nearer or self.is_sanitized else limit_s)
        if not nearer and not last:
            return SURVIVED, NOBODY
        if self.reach is None:
            return self.ask_each(mutant, text, [[each] for each in last], limit_s)
        return self.ask_last(mutant, text, last, limit_s)

    def measure_unchanged(self, mutant, text, tests):
        self.write(mutant.path, text)
        self.measure(tests)
        self.write(mutant.path, mutant.applied(text))

    def ask_last(self, mutant, text, tests, limit_s):
        """Asks integration tests. What each took when it was counted says how long it may take; only
        once it has failed it runs without the change."""
        for test in tests:
            if not test.is_measured:
                test.clock_s = test.cpu_s = self.reach.seconds(test)
            started = time.monotonic()
            verdict, name = self.try_tests([test], limit_s)
            limit_s -= time.monotonic() - started
            if verdict == KILLED:
                self.measure_unchanged(mutant, text, [test])
            if verdict != SURVIVED and test.why_not is None:
                return verdict, name
        return SURVIVED, None

    def ask_each(self, mutant, text, groups, limit_s):
        """Asks one group after the other; each is measured first, without the change, which is not
        counted."""
        for tests in groups:
            if not all(test.is_measured for test in tests):
                self.measure_unchanged(mutant, text, tests)
            judges = [test for test in tests if test.why_not is None]
            started = time.monotonic()
            verdict, test = self.try_tests(judges, limit_s)
            limit_s -= time.monotonic() - started
            if verdict != SURVIVED:
                return verdict, test
        return SURVIVED, None
