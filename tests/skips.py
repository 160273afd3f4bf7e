#!/usr/bin/python3
"""What a step of tests/run.sh skipped, and whether that is allowed.

    skips.py STEP STATUS LOG [JUNIT]    prints 'WITHIN REFUSED', then a line for each skip
    skips.py --check                    on a small tree: tests/run.sh sees and counts each of them,
                                        and says at its end what failed

WITHIN is how many cases were left out within tests that passed otherwise. On CI (the environment has
CI=true) what tests/skips.txt does not list is refused. Everywhere else nothing is, but the output of
a test that ctest cut off: nobody knows what was skipped there.

A test that skips something says so in a line 'SKIPPED: what: why', and one that skips everything ends
with 77 as well."""

import dataclasses
import fnmatch
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

TOP = pathlib.Path(__file__).resolve().parents[1]
LIST = TOP / "tests/skips.txt"
WHOLE = 77  # the exit code
# The second form is cmocka's, of which the last line is a sum.
SAID = re.compile(r"SKIPPED: (.+)|\[  SKIPPED \] ([A-Za-z_]\w*)$", re.MULTILINE)
CUT_OFF = "[This part of the test output was removed"


@dataclasses.dataclass(frozen=True)
class Skip:
    test: str
    text: str
    is_whole: bool
    is_cut_off: bool = False


def texts_of(output):
    """What an output says was skipped, each once."""
    return list(dict.fromkeys((said or case).strip() for said, case in SAID.findall(output)))


def skips_of(test, output, is_whole):
    texts = texts_of(output) or (["without a word"] if is_whole else [])
    return [Skip(test, text, is_whole) for text in texts]


def skips_in_junit(path):
    found = []
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        name, output = case.get("name"), case.findtext("system-out") or ""
        if case.get("status") == "run" and CUT_OFF in output:
            found.append(Skip(name, "its output is cut off", False, is_cut_off=True))
        found += skips_of(name, output, case.find("skipped") is not None)
    return found


@dataclasses.dataclass(frozen=True)
class Rule:
    step: str
    test: str
    debian: str
    text: str
    why: str

    def allows(self, step, debian, skip):
        return (fnmatch.fnmatchcase(step, self.step) and fnmatch.fnmatchcase(skip.test, self.test) and
                self.debian in ("*", debian) and fnmatch.fnmatchcase(skip.text, self.text))


def rules():
    lines = [line for line in LIST.read_text(encoding="utf-8").splitlines()
             if line and not line.startswith("#")]
    return [Rule(*(cell.strip() for cell in line.split("|"))) for line in lines]


def debian_version():
    try:
        return re.search(r'^VERSION_ID="?(\d+)', pathlib.Path("/etc/os-release").read_text(
            encoding="utf-8"), re.MULTILINE).group(1)
    except (OSError, AttributeError):
        return ""


def judge(step, status, log, junit):
    if junit is not None:
        skips = skips_in_junit(junit)
    else:
        output = pathlib.Path(log).read_text(encoding="utf-8", errors="replace")
        skips = skips_of(step, output, status == WHOLE)
    is_ci, listed, debian = os.environ.get("CI") == "true", rules(), debian_version()
    refused = {skip for skip in skips if skip.is_cut_off or
               (is_ci and not any(rule.allows(step, debian, skip) for rule in listed))}
    # A test that was skipped as a whole is counted already, once, whatever it said.
    within = sum(not skip.is_whole for skip in skips)
    wholes = {skip.test for skip in refused if skip.is_whole}
    print(within, len(wholes) + sum(not skip.is_whole for skip in refused))
    for skip in skips:
        place = "" if skip.test == step else f"{skip.test}: "
        print(f"    SKIPPED: {place}{skip.text}")
        if skip.is_cut_off:
            print("        FAILED: what it skipped is not known")
        elif skip in refused:
            print("        FAILED: on CI only what tests/skips.txt lists may be skipped")
    return 0


# ---- The check: a tree with tests that skip, and tests/run.sh on it ----

SMALL = """cmake_minimum_required(VERSION 3.25)
project(small NONE)
enable_testing()
add_test(NAME good COMMAND echo "all of it")
add_test(NAME part COMMAND sh -c "head -c 4000 /dev/zero | tr '\\\\0' x; echo; echo 'SKIPPED: a case: no <proxy> here'")
add_test(NAME cmocka COMMAND sh -c "echo '[  SKIPPED ] test_case'; echo '[  SKIPPED ] 1 test(s), listed below:'; echo '[  SKIPPED ] test_case'")
add_test(NAME whole COMMAND sh -c "echo 'SKIPPED: no namespaces'; exit 77")
add_test(NAME silent COMMAND sh -c "exit 77")
set_tests_properties(whole silent PROPERTIES SKIP_RETURN_CODE 77)
"""
CUT = """add_test(NAME long COMMAND sh -c "head -c 2000000 /dev/zero | tr '\\\\0' x; echo; echo 'SKIPPED: x: y'")
"""
TESTS = ["--only", "build-dev", "--only", "test-dev"]
LISTED = """# a comment
test-dev | part   | * | a case: no <proxy> here | it has no proxy
test-*   | cmocka | * | test_case               | it has no case
test-dev | whole  | * | no *                    | it has none
test-dev | silent | * | without a word          | it cannot speak
"""
ALL_SEEN = "4 passed, 0 failed, 4 skipped"
# What is checked: its list, the CMakeLists.txt, run.sh's arguments, the environment, the last line.
RUNS = {
    "elsewhere nothing is refused": ("", SMALL, TESTS, {}, ALL_SEEN),
    "on CI what is not listed is": ("", SMALL, TESTS, {"CI": "true"}, "4 passed, 4 failed"),
    "what is listed is not": (LISTED, SMALL, TESTS, {"CI": "true"}, ALL_SEEN),
    "another step's": (LISTED.replace("test-dev | part", "test-asan | part"), SMALL, TESTS,
                       {"CI": "true"}, "4 passed, 1 failed, 3 skipped"),
    "another Debian's": (LISTED.replace("| whole  | *", "| whole  | 3"), SMALL, TESTS,
                         {"CI": "true"}, "4 passed, 1 failed, 3 skipped"),
    "another reason's": (LISTED.replace("<proxy>", "<other>"), SMALL, TESTS, {"CI": "true"},
                         "4 passed, 1 failed, 3 skipped"),
    "an output that was cut off": ("", SMALL + CUT, TESTS, {}, "5 passed, 1 failed, 4 skipped"),
    "a script": ("", SMALL, ["--only", "browser"], {}, "0 passed, 0 failed, 1 skipped"),
    "a script on CI": ("", SMALL, ["--only", "browser"], {"CI": "true"}, "0 passed, 1 failed"),
    "a part of a script": ("", SMALL, ["--only", "flux-sim"], {}, "1 passed, 0 failed, 1 skipped"),
    "a step that is left out on CI": ("", SMALL, ["--only", "browser"],
                                      {"CI": "true", "REPRAM_SKIP": "browser"}, "0 passed, 1 failed"),
    "a step that may be left out": (
        "browser | browser | * | asked for by REPRAM_SKIP | it is slow\n", SMALL,
        ["--only", "browser"], {"CI": "true", "REPRAM_SKIP": "browser"},
        "0 passed, 0 failed, 1 skipped"),
}


def run_small(folder, listed, cmake, arguments, environment):
    """tests/run.sh in a small tree, which is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("tests/run.sh", "tests/choose.sh", "tests/skips.py", "tests/failed.py",
                 ".ci/packages.sh", "CMakePresets.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TOP / name, folder / name)
    scripts = {"tests/skips.txt": listed, "CMakeLists.txt": cmake,
               "tests/browser/run.sh": "#!/bin/sh\necho 'SKIPPED: no browser'\nexit 77\n",
               "fade/test-flux-sim.sh": "#!/bin/sh\necho 'SKIPPED: no route'\n"}
    for name, text in scripts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    around = {name: value for name, value in os.environ.items()
              if name not in ("CI", "REPRAM_SKIP", "CC")}
    return subprocess.run([folder / "tests/run.sh", *arguments], env=around | environment,
                          capture_output=True, text=True, check=False)


def last_line(*run):
    done = run_small(*run)
    last = done.stdout.splitlines()[-1] if done.stdout else done.stderr
    if (done.returncode == 0) != (" 0 failed" in last):
        return f"exit code {done.returncode} after {last}"
    return last


def last_words_of_failures(folder):
    """Complaints where the end of a run does not say what failed."""
    bad = 'add_test(NAME bad COMMAND sh -c "echo the reason; exit 1")\n'
    end = run_small(folder, "", SMALL + bad, TESTS, {}).stdout.splitlines()[-4:]
    wanted = ["FAILED: test-dev: bad", "    the reason", "", "4 passed, 1 failed, 4 skipped"]
    return [] if end == wanted else [f"a failed test: {end}, where {wanted} belongs"]


def wrong_rules():
    """Entries that allow what nothing says any more."""
    said = "\n".join(path.read_text(encoding="utf-8", errors="replace")
                     for folder in ("tests", "fade") for path in sorted((TOP / folder).rglob("*"))
                     if path.suffix in (".c", ".sh", ".py") and path != TOP / "tests/skips.py")
    for rule in rules():
        longest = max(re.split(r"[*?]", rule.text), key=len)
        if len(longest) < 8 or longest.rpartition(": ")[2] not in said:
            yield f"tests/skips.txt: nothing says '{rule.text}'"
        if len(rule.why) < 8:
            yield f"tests/skips.txt: '{rule.text}' has no reason"


def check():
    found = list(wrong_rules())
    with tempfile.TemporaryDirectory(prefix="repram-skips-") as folder:
        for what, (*run, wanted) in RUNS.items():
            last = last_line(pathlib.Path(folder) / "tree", *run)
            if last != wanted:
                found.append(f"{what}: {last}, where '{wanted}' belongs")
        found += last_words_of_failures(pathlib.Path(folder) / "tree")
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


def main():
    if sys.argv[1:] == ["--check"]:
        return check()
    step, status, log, *junit = sys.argv[1:]
    return judge(step, int(status), log, junit[0] if junit else None)


if __name__ == "__main__":
    sys.exit(main())
