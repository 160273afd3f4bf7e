#!/usr/bin/python3
"""No verdict hangs on the machine: what a test may do with time, by its kind.

C (tests/unit, tests/sim, tests/fuzz): no sleep, no clock and no loop that ends by one but the test's own
(tests/unit/own_clock.h), no size of a kernel's buffer. Integration tests wait for conditions
(harness.wait_until), and where they compare a time that passed with what the product promises, they
allow a multiple of it (harness.SLOW). Pages and scripts do not sleep.

ALLOWED names what does otherwise, a part of the line and why. What is no longer there is complained of
too."""

import re
import sys

from sources import code_only, look, report

OWN_CLOCK = re.compile(r'#include "(own_clock|http_rig|api_fixture)\.h"')
# What it is, and what lines of C it is in.
C_RULES = [
    ("sleeps", re.compile(r"(?<!\w)((u|nano|clock_nano|thrd_)?sleep|pause|alarm|setitimer) ?\(|"
                          r"(?<!\w)(poll ?\(NULL|select ?\(0|epoll_wait ?\()")),
    ("depends on a kernel's buffers", re.compile(r"(?<!\w)SO_(SND|RCV)BUF(?!\w)")),
]
CLOCKS = re.compile(r"(?<!\w)(clock_gettime|gettimeofday|timespec_get|clock|time) ?\(|"
                    r"(?<!\w)hostclock_\w+ ?\(|SYS_clock_gettime")
LOOP_ENDS = re.compile(r"(?<!\w)event_base_(loopexit ?\((?!.*&patience\))|once ?\()")
PY_SLEEP = re.compile(r"(?<!\w)time\.sleep\(")
PASSED = re.compile(r"^\s*(\w+) = (?:max\(\w+, )?(?:harness\.)?time\.(?:monotonic|time|perf_counter)\(\) - ")
NOW = re.compile(r"time\.(monotonic|time|perf_counter)\(\)")
AT_MOST = re.compile(r"assertLess(Equal)?\(")
SH_SLEEP = re.compile(r"(?:^|[;&|]|\bdo\b|\bthen\b)\s*sleep\s|setTimeout\(")

# (file, a part of the line): why it may.
ALLOWED = {
    ("tests/unit/patience.h", "poll(NULL"): "a moment for the kernel, within patience",
    ("tests/unit/patience.h", "SYS_clock_gettime"): "patience goes by the real clock",
    ("tests/unit/own_clock.h", "epoll_wait(int fd"): "passes when there was nothing",
    ("tests/unit/own_clock.h", "clock_gettime(clockid_t"): "is the clock",
    ("tests/unit/own_clock.h", "SYS_clock_gettime"): "processor time stays real",
    ("tests/unit/own_clock.h", "gettimeofday(struct"): "is the clock",
    ("tests/unit/test_hostclock.c", "hostclock_"): "the real clock is what is tested, by its order",
    ("tests/unit/test_loop.c", "CLOCK_THREAD_CPUTIME_ID"): "processor time, used up by the test",
    ("tests/unit/failing_alloc.c", "alarm(CHILD_S)"): "ends a child that would hang",
    ("tests/sim/main.c", "clock_gettime("): "how often the line of progress is drawn",
    ("tests/fuzz/fuzz_http_conn.c", "SO_SNDBUF"): "one input more, and any answer is right",
    ("tests/integration/harness.py", "time.sleep(every)"): "wait_until",
    ("tests/integration/harness.py", "time.sleep(0.05)"): "stays: what must not change meanwhile",
    ("tests/integration/http_raw.py", "time.sleep(0.5)"): "plays a client that reads late",
    ("tests/integration/http_raw.py", "time.sleep(0.05)"): "plays a client that reads slowly",
    ("tests/integration/test_watch.py", "time.sleep(0.013)"): "spreads what is to expire",
    ("tests/browser/until.mjs", "setTimeout("): "until",
    ("tests/integration/test_metrics.py", "in requests.values()), seconds"):
        "the node's times lie within the test's, however long that was",
    ("tests/browser/pictures.mjs", "setTimeout("): "makes pictures, judges nothing",
    ("fade/test-flux-sim.sh", "sleep 0.1"): "in a loop with a condition and a deadline",
    ("fade/up.sh", "sleep 0.1"): "in a loop with a condition and a deadline",
}


def numbered(text):
    return enumerate(text.splitlines(), 1)


def check_c(path, text):
    has_own_clock = OWN_CLOCK.search(text) is not None
    for number, line in numbered(code_only(text)):
        for what, pattern in C_RULES:
            if pattern.search(line):
                yield path, number, line, what
        if not has_own_clock and CLOCKS.search(line):
            yield path, number, line, "reads a clock that is not the test's own"
        if not has_own_clock and LOOP_ENDS.search(line):
            yield path, number, line, "ends a loop by a time that is no patience"


def check_python(path, text):
    passed = set()
    for number, line in numbered(text):
        if match := PASSED.match(line):
            passed.add(match[1])
        if PY_SLEEP.search(line):
            yield path, number, line, "sleeps"
        of_time = NOW.search(line) or any(re.search(rf"\b{name}\b", line) for name in passed)
        if AT_MOST.search(line) and of_time and not re.search(r"SLOW|_S\b", line):
            yield path, number, line, "judges a time that passed without a multiple (harness.SLOW)"


def check_script(path, text):
    for number, line in numbered(text):
        if SH_SLEEP.search(line):
            yield path, number, line, "sleeps"


def check():
    found = []
    for path, text in look(("tests/unit", "tests/sim", "tests/fuzz"), ".c", ".h").items():
        found += check_c(path, text)
    for path, text in look(("tests/integration",), ".py").items():
        found += check_python(path, text)
    for path, text in look(("tests/browser", "tests/image", "fade"), ".sh", ".mjs").items():
        found += check_script(path, text)
    used = set()
    for path, number, line, what in found:
        reasons = [key for key in ALLOWED if key[0] == path and key[1] in line]
        used.update(reasons)
        if not reasons:
            yield f"{path}:{number}: {what}: {line.strip()}"
    for path, part in ALLOWED.keys() - used:
        yield f"{path}: nothing like '{part}' any more: tests/lint/waits.py"


if __name__ == "__main__":
    sys.exit(report(sorted(check())))
