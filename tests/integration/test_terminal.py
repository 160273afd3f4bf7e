"""What each command looks like on a terminal of 80 and of 140 columns, captured by tmux.

The captures stand in terminal/, for people to read: a change of what is shown is a change of those
files. `RENEW=1 python3 tests/integration/harness.py tests/integration/test_terminal.py` writes them
anew. Servers are scripted, so most of it is the same each time. Where real nodes are shown, figures
become '#'."""

import base64
import difflib
import fcntl
import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
import termios
import unicodedata
import unittest

import harness
from harness import Case, wait_until
from scripted import Answer, Scripted, problem

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "terminal")
WIDTHS = (80, 140)
BASE = 8081  # the default: each file has a namespace of its own
HOSTILE = "\x1b[2J\u009b2J\u202e\u2066\x7f"  # what must not reach a terminal


def event(name, data):
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


def peer(name, port, **other):
    return {"id": name, "uuid": f"{port:032x}", "address": "127.0.0.1", "port": port, "state": "alive",
            "enclave": "default", "incarnation": 1, "rtt_ms": 0.429, "clock_conflict": False,
            "clock_difference_ms": 0, "last_seen": "2026-11-30T18:53:18.998Z", **other}


SELF = {"status": "healthy", "node_id": "flux-node-1", "uuid": f"{BASE:032x}", "port": BASE, "uptime": "7m1s",
        "network": "private", "enclave": "default", "active_peers": 4}
PEERS = {"peers": [
    peer("flux-node-3", 8083), peer("flux-node-2", 8082, rtt_ms=None, state="suspect"),
    peer("a-node-with-a-name-of-63-bytes-as-long-as-names-of-nodes-may-be", 8084,
         address="2001:db8:1234:5678:9abc:def0:1234:5678", enclave="archive", rtt_ms=112.25),
    peer("\u65e5\u672c\u8a9e" * 7, 8086, state="left"),
    peer(f"evil{HOSTILE}", 8085, state="dead", last_seen="2026-11-30T17:00:00.000Z")],
    "claimed_ports": [8081], "last_updated": "2026-11-30T18:53:20.000Z"}
STATUS = {
    "version": "0.1.0", "uuid": SELF["uuid"], "node_id": "flux-node-1", "enclave": "default",
    "network": "private", "state": "joining", "reasons": ["catching up", f"peers say {HOSTILE}"],
    "uptime": "7m1s", "uptime_s": 421, "memory": {"rss": 5603328},
    "storage": {"keys": 123456, "bytes": 312129792, "bytes_max": 4212129792, "shadows": 12,
                "shadow_bytes": 1536, "guards": 0},
    "limits": {"min_ttl_s": 300, "default_ttl_s": 3600, "max_ttl_s": 86400, "max_value_size": 10485760},
    "membership": {"alive": 2, "suspect": 1, "dead": 1, "left": 0, "enclave_members": 3, "quorum": 2,
                   "digest": "28237019c4921c5a"},
    "data": {"root_digest": "00000000deadbeef", "root_cut": "2026-11-30T18:53:19.000Z"},
    "clock": {"is_set": True, "time": "2026-11-30T18:53:19.296Z", "offset_ms": -3, "error_ms": 1,
              "conflicts": 0},
    "links": [{"id": "flux-node-3", "bytes_in": 3630000, "bytes_out": 331, "settings_differ": True}],
    "sealing": {"state": "mixed", "keys": [
        {"id": "3fa2", "use": "first", "members_holding": 2, "members_sending": 2, "packets_sent": 41,
         "lacking": [f"late {HOSTILE}"], "senders": ["flux-node-2", "flux-node-3"],
         "packets_received": 40, "last_used": "2026-11-30T18:53:19.000Z"},
        {"id": "open", "use": "other", "members_holding": 3, "members_sending": 1, "packets_sent": 7,
         "lacking": [], "senders": [f"late {HOSTILE}"],
         "packets_received": 9, "last_used": "2026-11-30T18:53:18.000Z"}],
        "lacking_first": [f"late {HOSTILE}"], "lacking_first_count": 1, "cut_off": [], "cut_off_count": 0,
        "with_others": ["flux-node-2"], "with_others_count": 1},
    "config_digest": "f7728155785bc1f9"}
VALUE = {"ETag": '"01a22dcdeb9f00001822b985d6e9ecc2f10db6b6f9b6e58e"', "X-Original-TTL": "600",
         "X-Remaining-TTL": "599", "X-Created-At": "2026-11-30T18:53:19.296Z"}
STREAM = b"".join((
    event("put", {"key": "rooms/1", "ttl_ms": 600000, "size": 5, "value": "aGVsbG8="}),
    event("put", {"key": f"rooms/{HOSTILE}", "ttl_ms": 5400000, "size": 2048, "value": "G1sySg=="}),
    event("put", {"key": "\u65e5\u672c\u8a9e" * 30, "ttl_ms": 1000, "size": 200,
                  "value": base64.b64encode(("\u5024" * 90).encode()).decode()}),
    event("put", {"key": "e\u0301" * 100, "ttl_ms": 1000, "size": 200}),
    event("put", {"key": "k" * 200, "ttl_ms": 1000, "size": 200, "value": "eHh4" * 60}),
    event("live", {}), event("expire", {"key": "rooms/1", "ttl_ms": 0, "size": 5})))

ANSWERS = {
    "/health": Answer(SELF), "/v1/health": Answer(SELF), "/v1/peers": Answer(PEERS),
    "/v1/status": Answer(STATUS), "/v1/livez": Answer({}),
    "/v1/readyz": Answer({"ready": False, "reasons": ["catching up"]}, 503),
    "/v1/data/greeting": Answer("hello".encode(), headers=VALUE),
    "/v1/data/binary": Answer(f"ab{HOSTILE}\tc".encode() + b"\xff\n", headers=VALUE),
    "/v1/data/all": Answer(b"OK", 201, {**VALUE, "X-Replicas": "3/3"}),
    "/v1/data/quorum": Answer(b"OK", 201, {**VALUE, "X-Replicas": "2/3"}),
    "/v1/data/alone": Answer(b"OK", 201, {**VALUE, "X-Replicas": "1/1"}),
    "/v1/data/pending": Answer(b"Accepted", 202, {**VALUE, "X-Replicas": "1/3"}),
    "/v1/data/refused": problem(400, f"invalid{HOSTILE}", f"The node says {HOSTILE}."),
    "/v1/keys": Answer({"keys": ["plain", "caf\u00e9", f"odd/{HOSTILE}\n%"], "keys_base64": ["Yf8b"]}),
    "/v1/watch": [Answer(STREAM), problem(404, "not_found", "Gone.")],
}

# What is shown of each command. The last are run against real nodes, and have figures of their own.
SHOWN = (
    "repram", "repram help", "repram help settings", "repram version", "repram version --json",
    "repram health", "repram health --all", "repram peers", "repram peers --wide",
    "repram peers --state suspect,dead", "repram peers --state ded", "repram status", "repram status --long",
    "repram status --keys",
    "repram get greeting", "repram get binary", "repram get missing", "repram get greeting --json",
    "repram head greeting", "repram put all x", "repram put quorum x", "repram put alone x",
    "repram put pending x --ttl 1m", "repram put all x --ttl 1h30m", "repram put all x --ttl 9999999d",
    "repram put refused x", "repram put all x --tll 5m", "repram keys", "repram keys --json", "repram kyes",
    "repram watch", "repram watch --values", "repram wait --members 3 --timeout 300ms",
    "REPRAM_MAX_STORAGE_MB=100 REPRAM_MAX_CONNECTIONS=1000 repram node --print-config",
    "REPRAM_NETWRK=x repram node --check-config",
    *(f"repram help {command}" for command in (
        "launch", "node", "put", "get", "head", "keys", "watch", "peers", "status", "health", "wait", "bench",
        "export", "import", "keygen", "completion", "version", "help")))

# Against real nodes, with figures of their own. The first starts the nodes, and goes on.
REAL_BASE = 9001
REAL = (
    "repram launch --log-level warn", "repram health --all", "repram put greeting hello --ttl 10m",
    "repram bench --requests 200 --keys 10 --ttl 10m", "repram keys --limit 3",
    "repram export", "repram export {folder}/backup.ndjson", "repram import {folder}/backup.ndjson",
    "repram wait --members 3 --converged --timeout 20s")


# What is whole on any terminal: for scripts, as it stands in the node, and sentences.
EXACT = ("--json", "--wide", "--long", "get binary", "put")


def on_terminal(width, *words):
    """What a command writes to a terminal of so many columns, as it comes: tmux would wrap it."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 400, width, 0, 0))
    shown = b""
    with subprocess.Popen([harness.BINARY, *words], stdin=subprocess.DEVNULL, stdout=slave,
                          stderr=subprocess.DEVNULL, env={"TERM": "xterm"}) as process:
        os.close(slave)
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:  # EIO: nobody has it open any more
                piece = b""
            if not piece:
                break
            shown += piece
        process.wait(timeout=30 * harness.SLOW)
    os.close(master)
    return re.sub(r"\x1b\[[0-9;]*[mK]", "", shown.decode()).replace("\r", "")


def columns_of(line):
    return sum(0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
               for char in line)


class Tmux:
    """A terminal server of its own. A window is a command, and stays: tmux may drop the last output of
    what ends."""

    def __init__(self, width, height=400):
        self.folder = tempfile.mkdtemp()
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height), "sleep 1000")

    def tmux(self, *arguments):
        env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": self.folder, "TERM": "xterm",
               "SHELL": "/bin/sh"}
        done = subprocess.run(["tmux", "-u", "-S", f"{self.folder}/socket", *arguments], env=env,
                              capture_output=True, timeout=30 * harness.SLOW, check=False)
        if done.returncode != 0:
            raise AssertionError(f"tmux {arguments}: {done.stderr!r}")
        return done.stdout.decode()

    def start(self, command):
        """The name of its pane. Its exit code is the last line that is shown."""
        line = command.replace("repram", harness.BINARY, 1) if command.startswith("repram") \
            else command.replace(" repram", " " + harness.BINARY, 1)
        return self.tmux("new-window", "-d", "-P", "-F", "#{pane_id}",
                         f"{line}; echo \"exit code $?\"; exec sleep 1000").strip()

    def wait(self, *panes):
        for pane in panes:
            wait_until(lambda pane=pane: self.shown(pane)[-1].startswith("exit code "), "it ends", 60)

    def shown(self, pane, *arguments):
        lines = self.tmux("capture-pane", "-p", "-t", pane, *arguments).rstrip().split("\n")
        return [line.rstrip() for line in lines]

    def close(self):
        self.tmux("kill-server")
        shutil.rmtree(self.folder)


def figureless(text, folder):
    """Of real nodes: digits and blanks alone differ from run to run, and how many answers were of a kind."""
    text = text.replace(folder, "FOLDER")
    text = text.replace("a quorum of 3 members; the others get it too", "all 3 members")
    text = re.sub(r'"value":"[^"]*"', '"value":"#"', re.sub(r"\d+(\.\d+)?", "#", text))
    return re.sub(r"  +", "  ", re.sub(r"(?m)(#|-)( +(#|-))+$", "# ...", text))


def normal(text):
    """Without what differs from run to run."""
    return re.sub(r"(?m)^\d\d:\d\d:\d\d(?=  (put|expire))", "HH:MM:SS", text)


@harness.needs_isolation
@unittest.skipUnless(shutil.which("tmux"), "tmux is not installed")
class Terminal(Case):
    def setUp(self):
        self.server = Scripted(ANSWERS, port=BASE)
        self.addCleanup(self.server.close)

    def tmux(self, width):
        terminal = Tmux(width)
        self.addCleanup(terminal.close)
        return terminal

    def sections(self, width):
        terminal = self.tmux(width)
        found = []
        panes = [(command, terminal.start(command)) for command in SHOWN if "watch" not in command]
        terminal.wait(*(pane for _, pane in panes))
        for command in (command for command in SHOWN if "watch" in command):
            self.server.answers["/v1/watch"] = list(ANSWERS["/v1/watch"])
            panes.append((command, terminal.start(command)))
            terminal.wait(panes[-1][1])
        for command, pane in sorted(panes, key=lambda each: SHOWN.index(each[0])):
            lines = terminal.shown(pane)
            found.append(f"$ {command}\n" + normal("\n".join(lines)))
        return found

    def real_sections(self, width):
        terminal = self.tmux(width)
        panes = []
        for command in (each.format(folder=terminal.folder) for each in REAL):
            panes.append((command, terminal.start(f"BASE_PORT={REAL_BASE} {command}")))
            if command == REAL[0]:
                wait_until(lambda: any(line.startswith("sealing: ") for line in terminal.shown(panes[0][1])),
                           "the table is there")
            else:
                terminal.wait(panes[-1][1])
        found = [figureless(f"$ {command}\n" + "\n".join(terminal.shown(pane, "-J")), terminal.folder)
                 for command, pane in panes]
        # Told to stop as by somebody who sits there: the end of tmux would not end it.
        terminal.tmux("send-keys", "-t", panes[0][1], "C-c")
        wait_until(lambda: panes[0][1] not in terminal.tmux("list-panes", "-a", "-F", "#{pane_id}").split(),
                   "the launcher has ended")
        return found

    def test_every_command_looks_as_captured(self):
        for width in WIDTHS:
            with self.subTest(width=width):
                path = os.path.join(FOLDER, f"{width}.txt")
                found = "\n\n".join(self.sections(width) + self.real_sections(width)) + "\n"
                if os.environ.get("RENEW"):
                    os.makedirs(FOLDER, exist_ok=True)
                    with open(path, "w", encoding="utf-8") as file:
                        file.write(found)
                with open(path, encoding="utf-8") as file:
                    kept = file.read()
                self.assertEqual(kept, found, "\n".join(difflib.unified_diff(
                    kept.split("\n"), found.split("\n"), path, "found", lineterm="")))

    def test_no_line_is_wider_than_the_terminal(self):
        for width in WIDTHS:
            for command in SHOWN:
                if not command.startswith("repram") or any(f" {word}" in command and "help" not in command for word in EXACT):
                    continue
                self.server.answers["/v1/watch"] = list(ANSWERS["/v1/watch"])
                with self.subTest(width=width, command=command):
                    for line in on_terminal(width, *command.split()[1:]).split("\n"):
                        self.assertLessEqual(columns_of(line), width, line)

    def test_colours_are_for_terminals_that_want_them(self):
        terminal = self.tmux(80)
        for command, is_colored in (("repram peers", True), ("repram peers --color never", False),
                                    ("NO_COLOR=1 repram peers", False), ("NO_COLOR= repram peers", True),
                                    ("NO_COLOR=1 repram peers --color=always", True),
                                    ("TERM=dumb repram peers", False)):
            with self.subTest(command=command):
                pane = terminal.start(command)
                terminal.wait(pane)
                shown = "\n".join(terminal.shown(pane, "-e"))
                self.assertIn("alive", shown)
                self.assertEqual("\x1b[32malive\x1b[39m" in shown, is_colored, shown)
                self.assertEqual("\x1b" in shown, is_colored, shown)

    def test_a_pipe_gets_no_colour_unless_that_is_asked_for(self):
        self.assertNotIn(b"\x1b", harness.cli("peers").stdout)
        self.assertNotIn(b"\x1b", harness.cli("status").stdout)
        self.assertIn(b"\t\x1b[32malive\x1b[0m\t", harness.cli("peers", "--color", "always").stdout)
        self.assertIn(b"\x1b[32mput\x1b[0m\t", harness.cli("watch", "--color", "always").stdout)
        self.assertEqual(harness.cli("peers", "--color", "rainbow").returncode, harness.USAGE)

    def test_wait_shows_what_is_missing_meanwhile(self):
        terminal = self.tmux(80)
        self.server.answers["/v1/peers"] = [Answer({"peers": []})]
        pane = terminal.start("repram wait --members 1 --timeout 60s")
        wait_until(lambda: terminal.shown(pane) == ["127.0.0.1:8081 is not ready: catching up"],
                   "it says so before its end")
        self.server.answers["/v1/readyz"] = [Answer({"alive": 1, "reasons": []})]
        terminal.wait(pane)
        self.assertEqual(terminal.shown(pane), ["1 member is ready and knows no other", "exit code 0"])

    def test_a_status_for_a_person_has_about_twenty_lines(self):
        terminal = self.tmux(80)
        pane = terminal.start("repram status")
        terminal.wait(pane)
        self.assertLessEqual(len(terminal.shown(pane)) - 1, 23)


if __name__ == "__main__":
    harness.main()
