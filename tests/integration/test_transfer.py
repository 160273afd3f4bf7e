"""`repram export` and `repram import`: what goes out comes in again, and never lives longer."""

import base64
import json
import os
import re
import select
import signal
import subprocess
import tempfile
import threading
import time
import urllib.parse

import harness
from harness import FAILED, USAGE, Case, Node, cli, wait_until
from scripted import Answer, Scripted, problem

OK = 0
VALUES = {"plain": b"hello", "empty": b"", "a/b c?": b"\0\xff" * 300, "é\n\"\\": b"\n",
          "..": b"dots", "large": os.urandom(3 << 20), "x" * 1024: b"long key",
          "just/inline": os.urandom(16 << 10), "just/not": os.urandom((16 << 10) + 1)}
BYTES_KEY = b"\xff\xfe/ \x01"


def encoded(key):
    return urllib.parse.quote(key, safe="/")


def fill(node, values, ttl=900):
    for key, value in values.items():
        reply = node.put(encoded(key), value, ttl=ttl)
        assert reply.status == 201, reply


def lines_of(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


class Transfer(Case):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.file = os.path.join(self.folder.name, "export")

    def node(self, **env):
        node = Node(base=harness.free_base(1), max_ports=1, env=env)
        self.addCleanup(node.close)
        return node

    def run_cli(self, node, *arguments, code=OK, **options):
        done = cli(*arguments, "--server", f"127.0.0.1:{node.port}", **options)
        self.assertEqual(done.returncode, code, done)
        return done

    def imported(self, node, *arguments, code=OK):
        return json.loads(self.run_cli(node, "import", self.file, "--json", *arguments, code=code).stdout)

    def write(self, *lines):
        with open(self.file, "w", encoding="utf-8") as file:
            file.write("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))


HEAD = {"version": 1, "exported_at": "2026-01-01T00:00:00.000Z"}


def entry(key, seconds, value=b"v"):
    return {"key": key, "value": base64.b64encode(value).decode(),
            "expires": int((time.time() + seconds) * 1000), "created": 1}


class RoundTrip(Transfer):
    def test_every_key_and_value_comes_back_and_none_lives_longer(self):
        source, target = self.node(), self.node()
        fill(source, VALUES)
        fill(source, {BYTES_KEY: b"bytes"})
        done = self.run_cli(source, "export", self.file)
        self.assertIn(b"10 entries", done.stderr)
        head, *entries = lines_of(self.file)
        self.assertEqual((head["version"], head["network"], head["enclave"]), (1, "private", "default"))
        self.assertRegex(head["exported_at"], r"^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$")
        keys = [base64.b64decode(each["key_base64"]) if "key_base64" in each else each["key"].encode()
                for each in entries]
        self.assertEqual(keys, sorted([key.encode() for key in VALUES] + [BYTES_KEY]))
        done = self.imported(target)
        self.assertEqual((done["imported"], done["longer"], done["complete"]), (10, 0, True))
        for key, value in {**VALUES, BYTES_KEY: b"bytes"}.items():
            self.assertEqual(target.get(encoded(key)).body, value, key)
        self.run_cli(target, "export", self.file + "2")
        before, after = ({each.get("key", ""): each["expires"] for each in lines_of(file)[1:]}
                         for file in (self.file, self.file + "2"))
        for key, expires in before.items():
            self.assertLessEqual(after[key], expires, key)
            self.assertGreater(after[key], expires - 60000, key)

    def test_standard_output_and_input_do_as_well_as_files(self):
        source, target = self.node(), self.node()
        fill(source, {"a": b"1", "b": b"2"})
        done = self.run_cli(source, "export")
        self.assertEqual(self.run_cli(target, "import", data=done.stdout).stdout, b"imported 2 entries\n")
        self.assertEqual(target.keys(), ["a", "b"])
        done = self.run_cli(source, "export", "-", "--prefix", "b", "--json")
        self.assertEqual(json.loads(done.stderr), {"exported": 1, "ended": 0, "complete": True})
        self.assertEqual([json.loads(line).get("key") for line in done.stdout.splitlines()], [None, "b"])

    def test_many_large_values_go_through_little_memory(self):
        source = self.node(REPRAM_MAX_STORAGE_MB=400)
        value, count = os.urandom(1 << 20), 150  # 200 MiB of lines
        quick_to_free = {"ASAN_OPTIONS": "quarantine_size_mb=1"}  # which would count what is freed
        fill(source, {f"k{at:03}": value for at in range(count)})
        with subprocess.Popen([harness.BINARY, "export", "--json", "--server", f"127.0.0.1:{source.port}"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=quick_to_free) as process:
            sizes = [len(line) for line in process.stdout]
            done = json.loads(process.stderr.read())
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual((process.returncode, done["exported"], len(sizes) - 1), (OK, count, count))
        self.assertGreater(min(sizes[1:]), len(value))
        self.assertLess(usage.ru_maxrss, 64 << 10)  # KiB; all of it at once would be three times as much

    def test_a_reader_that_has_had_enough_is_no_fault_worth_a_line(self):
        source = self.node()
        fill(source, {f"k{at}": os.urandom(1 << 20) for at in range(3)})
        with subprocess.Popen([harness.BINARY, "export", "--server", f"127.0.0.1:{source.port}"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={}) as process:
            self.assertIn(b"exported_at", process.stdout.readline())
            process.stdout.close()
            self.assertEqual(process.stderr.read(), b"")
        self.assertEqual(process.returncode, FAILED)

    def test_a_failure_in_the_middle_of_a_batch_leaves_what_came_before(self):
        shown = {"found": True, "expires_at": "2026-11-30T12:01:40.500Z",
                 "created_at": "2026-11-30T12:00:00.000Z"}
        with Scripted({"/v1/status": Answer(Scripts.STATUS), "/v1/keys": Answer({"keys": ["a", "b"]}),
                       "/v1/mget": Answer({"entries": [{**shown, "value": "dg=="},
                                                       {**shown, "value_omitted": True, "etag": "e"}]}),
                       "/v1/data/b": problem(500, "internal", "no")}) as server:
            done = self.run_cli(server, "export", self.file, "--json", code=FAILED)
        self.assertIn(b'{"exported":1,"ended":0,"complete":false}', done.stderr)
        self.assertEqual([each.get("key") for each in lines_of(self.file)], [None, "a"])

    def test_what_is_there_stays_unless_overwrite_is_said(self):
        source, target = self.node(), self.node()
        fill(source, {"a": b"new", "b": b"new"})
        fill(target, {"a": b"old"})
        self.run_cli(source, "export", self.file)
        done = self.imported(target)
        self.assertEqual((done["imported"], done["already_there"]), (1, 1))
        self.assertEqual(target.get("a").body, b"old")
        self.assertEqual(self.imported(target, "--overwrite")["imported"], 2)
        self.assertEqual(target.get("a").body, b"new")

    def test_what_has_ended_or_lies_outside_the_bounds_is_skipped_and_counted(self):
        target = self.node(REPRAM_MIN_TTL=300, REPRAM_DEFAULT_TTL=400, REPRAM_MAX_TTL=600)
        self.write(HEAD, entry("ended", -1), entry("ending", 0.1), entry("short", 299),
                   entry("fits", 400), entry("long", 700))
        done = self.imported(target)
        self.assertIn(done["ended"], (1, 2))  # the one that is ending may have
        self.assertEqual((done["imported"], done["ended"] + done["outside_ttl_bounds"]), (1, 4))
        self.assertEqual(target.keys(), ["fits"])
        text = self.run_cli(target, "import", self.file).stdout.decode()
        self.assertRegex(text, r"^imported 0 entries\nskipped 1: there already\nskipped [12]: ended\n"
                               r"skipped [23]: outside the target's bounds of a TTL\n$")


class Faults(Transfer):
    def test_a_bad_line_is_named_by_its_number(self):
        target = self.node()
        good = entry("good", 600)
        for bad, wrong in (("nonsense\n", "line 3: it is no JSON object"),
                           ({**good, "value": "?"}, "line 3: its value is no base64"),
                           ('{"key":"cut', "line 3: it is no JSON object, and it has no end: the export was "
                                           "broken off")):
            with self.subTest(bad=bad):
                self.write(HEAD, good, bad, entry("behind", 600))
                if isinstance(bad, str) and not bad.endswith("\n"):
                    self.write(HEAD, good, bad)
                done = self.run_cli(target, "import", self.file, code=FAILED)
                self.assertIn(wrong.encode(), done.stderr)
                self.assertIn(self.file.encode(), done.stderr)
                self.assertEqual(target.keys(), ["good"])

    def test_what_is_no_export_is_refused(self):
        target = self.node()
        for lines, wrong in (((), "is empty"), ((entry("k", 600),), "line 1: it is no head"),
                             (({**HEAD, "version": 2},), "line 1: its version is not 1")):
            self.write(*lines)
            self.assertIn(wrong.encode(), self.run_cli(target, "import", self.file, code=FAILED).stderr)
        done = self.run_cli(target, "import", "/nowhere", code=FAILED)
        self.assertIn(b"/nowhere: No such file or directory", done.stderr)
        self.assertIn(b"Is a directory", self.run_cli(target, "import", "/tmp", code=FAILED).stderr)

    def test_a_full_target_ends_the_import_and_a_full_disk_the_export(self):
        target = self.node(REPRAM_MAX_STORAGE_MB=1)
        self.write(HEAD, *(entry(f"k{at}", 600, b"v" * 100000) for at in range(30)))
        done = self.imported(target, code=FAILED)
        self.assertFalse(done["complete"])
        self.assertEqual(done["imported"], len(target.keys()))
        self.assertIn(b"the node is full", self.run_cli(target, "import", self.file, code=FAILED).stderr)
        done = self.run_cli(target, "export", "/dev/full", code=FAILED)
        self.assertIn(b"/dev/full: No space left on device", done.stderr)
        with open("/dev/full", "wb") as full:
            done = subprocess.run([harness.BINARY, "export", "--server", f"127.0.0.1:{target.port}"],
                                  stdout=full, stderr=subprocess.PIPE, env={}, check=False, timeout=30)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"cannot write the output: No space left on device", done.stderr)
        self.assertEqual(done.stderr.count(b"No space"), 1)

    def test_an_entry_that_the_target_refuses_is_named_and_the_others_go_in(self):
        target = self.node(REPRAM_MAX_VALUE_SIZE=1000)
        self.write(HEAD, entry("a", 600), entry("big", 600, b"v" * 1001), entry("z", 600))
        done = self.run_cli(target, "import", self.file, code=FAILED)
        self.assertIn(b"line 3: the node answers 413 value_too_large", done.stderr)
        self.assertIn(b"skipped 1: refused", done.stdout)
        self.assertEqual(target.keys(), ["a", "z"])

    def test_words_that_make_no_sense_are_refused(self):
        for words in (("export", "--resume"), ("export", "f", "--resume", "--after", "k"),
                      ("export", "--after", ""), ("export", "--after", "k" * 1025),
                      ("export", "a", "b"), ("import", "a", "b")):
            with self.subTest(words=words):
                self.assertEqual(cli(*words).returncode, USAGE)


class Resuming(Transfer):
    def test_an_export_goes_on_behind_its_last_whole_line(self):
        source = self.node()
        fill(source, {f"k{at:03}": b"v" for at in range(300)})
        self.run_cli(source, "export", self.file)
        with open(self.file, "rb") as file:
            whole = file.read()
        for size in (len(whole), len(whole) - 5, len(whole) // 2, 200, 20, 0):
            with self.subTest(size=size):
                with open(self.file, "wb") as file:
                    file.write(whole[:size])
                self.run_cli(source, "export", self.file, "--resume")
                self.assertEqual(lines_of(self.file)[1:], [json.loads(line) for line in whole.splitlines()[1:]])
        rest = self.run_cli(source, "export", "--after", "k297").stdout
        self.assertEqual([json.loads(line)["key"] for line in rest.splitlines()], ["k298", "k299"])

    def test_an_import_that_was_killed_begins_anew_and_writes_what_is_missing(self):
        target = self.node()
        self.write(HEAD, *(entry(f"k{at:06}", 3600) for at in range(20000)))
        with open(self.file, "rb") as file, subprocess.Popen(
                [harness.BINARY, "import", "--server", f"127.0.0.1:{target.port}"], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, env={}) as broken:
            broken.stdin.write(file.read(1 << 20))
            broken.stdin.flush()
            wait_until(lambda: target.status()["storage"]["keys"] > 1000, "some are there")
            broken.send_signal(signal.SIGKILL)
        there = target.status()["storage"]["keys"]
        done = self.imported(target)
        self.assertEqual((done["imported"], done["already_there"]), (20000 - there, there))

    def test_both_outlive_a_node_that_starts_again(self):
        base = harness.free_base(2)
        first, second = (Node(base=base, max_ports=2) for _ in range(2))
        self.addCleanup(first.close)
        self.addCleanup(second.close)
        harness.wait_formed([first, second])
        count = 30000
        self.write(HEAD, *(entry(f"k{at:06}", 3600, b"v" * 100) for at in range(count)))
        restarted = []

        def restart():
            wait_until(lambda: second.status()["storage"]["keys"] > count // 10, "it is under way")
            first.kill()
            restarted.append(Node(base=base, max_ports=2))

        helper = threading.Thread(target=restart)
        helper.start()
        done = self.imported(first)
        helper.join()
        self.addCleanup(restarted[0].close)
        self.assertEqual(done["imported"] + done["already_there"], count)
        self.assertTrue(done["complete"])
        wait_until(lambda: second.status()["storage"]["keys"] == count, "all are there")

    def test_an_export_ends_where_a_lone_node_starts_again(self):
        node = self.node()
        count = 8000
        self.write(HEAD, *(entry(f"k{at:06}", 3600, b"v" * 100) for at in range(count)))
        self.imported(node)
        with subprocess.Popen([harness.BINARY, "export", "--json", "--server", f"127.0.0.1:{node.port}"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={}) as process:
            lines = [process.stdout.readline() for _ in range(100)]  # and then it waits for its reader
            node.kill()
            self.addCleanup(Node(base=node.port, max_ports=1).close)
            lines += process.stdout.readlines()
            err = process.stderr.read()
        self.assertEqual(process.returncode, FAILED)
        self.assertIn(f"127.0.0.1:{node.port} was started again, or another node answers there".encode(), err)
        done = json.loads(err.splitlines()[-1])
        self.assertEqual(done, {"exported": len(lines) - 1, "ended": 0, "complete": False})
        self.assertLess(len(lines), count)

    def test_an_import_into_a_lone_node_that_starts_again_is_not_whole(self):
        node = self.node()
        self.write(HEAD, *(entry(f"k{at:06}", 3600, b"v" * 100) for at in range(2000)))
        with subprocess.Popen([harness.BINARY, "import", "--json", "--server", f"127.0.0.1:{node.port}"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={}) as process, open(self.file, "rb") as file:
            process.stdin.write(file.read(200000))
            process.stdin.flush()
            wait_until(lambda: node.status()["storage"]["keys"] > 500, "some are there")
            node.kill()
            second = Node(base=node.port, max_ports=1)
            self.addCleanup(second.close)
            out, err = process.communicate(file.read(), timeout=30)
        self.assertEqual((process.returncode, json.loads(out)["complete"]), (FAILED, False))
        self.assertIn(b"what only it held may be lost; import again", err)
        self.assertTrue(self.imported(second)["complete"])
        self.assertEqual(second.status()["storage"]["keys"], 2000)

    def test_a_node_that_stays_away_is_given_up_with_what_was_done(self):
        node = self.node()
        self.write(HEAD, *(entry(f"k{at:06}", 3600, b"v" * 100) for at in range(5000)))
        with subprocess.Popen([harness.BINARY, "import", "--timeout", "1s", "--json", "--server",
                               f"127.0.0.1:{node.port}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env={}) as broken, open(self.file, "rb") as file:
            broken.stdin.write(file.read(300000))
            broken.stdin.flush()
            wait_until(lambda: node.status()["storage"]["keys"] > 0, "some are there")
            node.kill()
            out, err = broken.communicate(file.read(), timeout=30)
        self.assertEqual(broken.returncode, FAILED)
        self.assertFalse(json.loads(out)["complete"])
        self.assertRegex(err.decode(), rf"127\.0\.0\.1:{node.port} fails: ")


class Scripts(Transfer):
    """What a healthy node never says."""

    STATUS = {"uuid": "1" * 32, "clock": {"time": "2026-11-30T12:00:00.000Z"}, "network": "n", "enclave": "e",
              "state": "ready", "storage": {"keys": 1}, "limits": {"min_ttl_s": 10, "max_ttl_s": 1000}}
    EXPIRES = 1796040000000 + 100900  # 100.9 s after it

    def scripted(self, **answers):
        server = Scripted({"/v1/status": Answer(self.STATUS),
                           **{f"/v1/{name}": answer for name, answer in answers.items()}})
        self.addCleanup(server.close)
        return server

    def test_an_entry_that_was_taken_late_is_written_again_shorter(self):
        late = f"{self.EXPIRES - 99300:012x}" + 36 * "0"  # 1.6 s after the clock was read: 100 s are too long
        on_time = f"{self.EXPIRES - 99300:012x}" + 35 * "0" + "1"
        server = self.scripted(**{"data/k": [
            Answer(b"OK", 201, {"ETag": f'"{late}"', "X-Original-TTL": "100"}),
            Answer(b"OK", 201, {"ETag": f'"{on_time}"', "X-Original-TTL": "99"})]})
        self.assertEqual(self.import_one(server)["imported"], 1)
        self.assertEqual(self.data_asked(server), [("PUT", "?ttl=100", "*", None),
                                                   ("PUT", "?ttl=99", None, f'"{late}"')])

    LOST = Answer(is_lost=True)
    THERE = problem(412, "precondition_failed", "no")

    def import_one(self, server, *arguments, code=OK):
        self.write(HEAD, {"key": "k", "value": base64.b64encode(b"v").decode(), "expires": self.EXPIRES})
        return self.imported(server, *arguments, code=code)

    @staticmethod
    def data_asked(server):
        """Method, query, and the two conditions of what was asked about the entry."""
        return [(method, target.partition("/v1/data/k")[2], headers.get("If-None-Match"), headers.get("If-Match"))
                for method, target, _, headers in server.asked if "/data/" in target]

    @staticmethod
    def shown(created, ttl=100, value=b"v"):
        """A GET's answer: written at that second of the minute in which the import begins."""
        return Answer(value, 200, {"ETag": '"e1"', "X-Created-At": f"2026-11-30T12:00:{created:06.3f}Z",
                                   "X-Original-TTL": str(ttl)})

    def taken(self, written_ms, ttl):
        return Answer(b"OK", 201, {"ETag": f'"{self.EXPIRES - written_ms:012x}{36 * "0"}"',
                                   "X-Original-TTL": str(ttl)})

    def test_a_write_whose_answer_was_lost_is_looked_at_where_the_key_is_there(self):
        again = [("PUT", "?ttl=100", "*", None), ("PUT", "?ttl=100", "*", None), ("GET", "", None, None)]
        shorter = ("PUT", "?ttl=95", None, '"e1"')
        for shown, count, more in (
                ([self.shown(5.2), self.taken(95300, 95)], "imported", [shorter]),  # ours, 5.2 s late
                ([self.shown(0.4)], "imported", []),  # ours, in time
                ([self.shown(5.2), self.LOST, self.THERE, self.shown(5.3, 95)], "imported",
                 [shorter, shorter, ("GET", "", None, None)]),
                ([self.shown(5.2, ttl=101)], "already_there", []),
                ([self.shown(5.2, value=b"w")], "already_there", []),
                ([self.shown(5.2, value=b"")], "already_there", []),
                ([Answer(b"v", 200, {"ETag": '"e1"', "X-Created-At": "2026-11-30T11:59:59.999Z",
                                     "X-Original-TTL": "100"})], "already_there", []),
                ([problem(404, "not_found", "no")], "already_there", [])):
            with self.subTest(shown=[answer.headers for answer in shown]):
                server = self.scripted(**{"data/k": [self.LOST, self.THERE, *shown]})
                done = self.import_one(server)
                self.assertEqual((done["imported"] + done["already_there"], done[count], done["longer"]), (1, 1, 0))
                self.assertEqual(self.data_asked(server), again + more)

    def test_an_answer_that_is_longer_than_any_is_told_as_that(self):
        server = self.scripted(**{"data/k": Answer(b"", 201, {"Content-Length": str(80 << 20)})})
        self.write(HEAD, {"key": "k", "value": base64.b64encode(b"v").decode(), "expires": self.EXPIRES})
        done = self.run_cli(server, "import", self.file, code=FAILED)
        self.assertIn(b"line 2: the answer is longer than allowed", done.stderr)

    def test_a_write_that_was_refused_for_now_was_not_done(self):
        server = self.scripted(**{"data/k": [problem(429, "rate_limited", "later"), self.THERE]})
        self.assertEqual(self.import_one(server)["already_there"], 1)
        self.assertEqual(self.data_asked(server), 2 * [("PUT", "?ttl=100", "*", None)])

    def test_lines_of_one_key_are_written_in_their_order(self):
        busy = problem(503, "overloaded", "later")
        for words, last in (((), "already_there"), (("--overwrite",), "imported")):
            server = self.scripted(**{"data/k": [busy, self.LOST, self.taken(100900, 100),
                                                 self.taken(100900, 100) if words else self.THERE]})
            self.write(HEAD, *({"key": "k", "value": base64.b64encode(value).decode(), "expires": self.EXPIRES}
                               for value in (b"first", b"second")))
            self.assertGreater(self.imported(server, *words)[last], 0)
            self.assertEqual([body for method, _, body, _ in server.asked if method == "PUT"],
                             [b"first", b"first", b"first", b"second"])

    def test_a_stamp_that_runs_ahead_of_the_clock_is_told_from_an_end_too_late(self):
        server = self.scripted(**{"data/k": [self.taken(0, 100), self.shown(0.3)]})
        self.assertEqual(self.import_one(server)["longer"], 0)

    def bounded(self, ttl_min, *answers):
        server = self.scripted(**{"data/k": list(answers)})
        server.answers["/v1/status"] = [Answer({**self.STATUS,
                                                "limits": {"min_ttl_s": ttl_min, "max_ttl_s": 1000}})]
        return server

    def test_what_cannot_be_made_to_end_in_time_is_counted_and_no_success(self):
        server = self.bounded(95, self.taken(0, 100), self.shown(59))
        done = self.import_one(server, code=FAILED)
        self.assertEqual((done["imported"], done["longer"], done["complete"]), (1, 1, True))
        server = self.bounded(95, self.taken(0, 100), self.shown(59))
        done = self.run_cli(server, "import", self.file, code=FAILED)
        self.assertEqual(done.stdout, b"imported 1 entries\n1 of them end later than they did\n")

    def test_an_entry_that_could_not_be_shortened_is_not_begun(self):
        for ttl_min, outside in ((98, 0), (99, 1), (100, 1)):  # it has 100 s left
            with self.subTest(ttl_min=ttl_min):
                server = self.bounded(ttl_min, self.taken(100500, 100))
                done = self.import_one(server)
                self.assertEqual((done["imported"], done["outside_ttl_bounds"]), (1 - outside, outside))
                self.assertEqual(len(self.data_asked(server)), 1 - outside)

    def test_a_node_that_is_busy_is_asked_again(self):
        busy = problem(503, "overloaded", "later")
        busy.headers = {"Retry-After": "1"}
        answer = Answer({"keys": []})
        server = self.scripted(keys=[busy, busy, answer])
        self.run_cli(server, "export", self.file)
        self.assertEqual(len([target for target in server.targets() if "keys" in target]), 3)

    FOUND = {"found": True, "expires_at": "2026-11-30T12:01:40.500Z", "created_at": "2026-11-30T12:00:00.000Z"}

    def test_what_another_run_of_the_node_does_not_list_is_not_taken_for_all(self):
        other = Answer({**self.STATUS, "uuid": "2" * 32})
        page = Answer({"keys": ["a", "b"], "next_cursor": "Yg=="})
        both = Answer({"entries": [{**self.FOUND, "value": ""}, {**self.FOUND, "value": ""}]})
        one = Answer({"entries": [{**self.FOUND, "value": ""}, {"found": False}]})
        large = Answer({"entries": [{**self.FOUND, "value": ""},
                                    {**self.FOUND, "value_omitted": True, "etag": "e"}]})
        for mget, same, keys in ((both, 2, ["a", "b"]),  # the second page is another one's
                                 (one, 2, ["a"]), (large, 2, ["a"])):  # the second entry is
            with self.subTest(mget=mget.body):
                server = self.scripted(keys=[page, Answer({"keys": []})], mget=mget)
                server.answers["/v1/status"] = [Answer(self.STATUS)] * same + [other]
                done = self.run_cli(server, "export", self.file, "--json", code=FAILED)
                self.assertIn(f"{server.name} was started again, or another node".encode(), done.stderr)
                self.assertIn(b'"ended":0,"complete":false', done.stderr)
                self.assertEqual([each["key"] for each in lines_of(self.file)[1:]], keys)
        server = self.scripted(keys=Answer({"keys": ["b"]}), mget=Answer({"entries": [{**self.FOUND, "value": ""}]}))
        server.answers["/v1/status"] = [other]
        self.run_cli(server, "export", self.file, "--resume")
        self.assertIn("/v1/keys?limit=2000&cursor=YQ", server.targets())
        self.assertEqual([each["key"] for each in lines_of(self.file)[1:]], ["a", "b"])

    def test_entries_that_others_hold_too_outlive_the_node_that_took_them(self):
        for replicas, code in (("2/2", OK), ("1/2", FAILED), ("1/1", FAILED)):
            taken = self.taken(100500, 100)
            taken.headers["X-Replicas"] = replicas
            server = self.scripted(**{"data/k": taken})
            server.answers["/v1/status"] = [Answer(self.STATUS), Answer({**self.STATUS, "uuid": "2" * 32})]
            self.assertEqual(self.import_one(server, code=code)["complete"], code == OK)

    def test_a_node_that_is_not_ready_is_not_exported(self):
        with Scripted({"/v1/status": Answer({**self.STATUS, "state": "joining"})}) as server:
            done = self.run_cli(server, "export", code=FAILED)
            self.assertEqual(done.stderr, b"repram export: the node is not ready: joining\n")

    def test_answers_that_make_no_sense_end_an_export(self):
        for keys in (Answer({"no": "keys"}), Answer({"keys": [7]}), Answer(b"<html>"),
                     Answer({"keys": [], "next_cursor": "x" * 5000}), Answer({"keys": [], "next_cursor": 7})):
            server = self.scripted(keys=keys)
            done = self.run_cli(server, "export", code=FAILED)
            self.assertIn(b"the answer to /v1/keys makes no sense", done.stderr)
        times = {"expires_at": "2026-11-30T12:01:40.500Z", "created_at": "2026-11-30T12:00:00.000Z"}
        for entries in ([], [{"found": True}], [{"found": True, "expires_at": "x", "created_at": "y"}],
                        [{"found": True, "etag": "a", **times}]):
            server = self.scripted(keys=Answer({"keys": ["k"]}), mget=Answer({"entries": entries}),
                                   **{"data/k": problem(412, "precondition_failed", "no")})
            done = self.run_cli(server, "export", code=FAILED)
            self.assertIn(b"the answer to /v1/mget makes no sense", done.stderr)

    def test_a_large_value_that_changes_meanwhile_is_read_anew(self):
        def shown(etag, **value):
            return Answer({"entries": [{"key": "k", "found": True, "expires_at": "2026-11-30T12:01:40.500Z",
                                        "created_at": "2026-11-30T12:00:00.000Z", "etag": etag, **value}]})
        changed = problem(412, "precondition_failed", "no")
        for second, get, expected in (
                (shown("b", value_omitted=True), [changed, Answer(b"large")], ["bGFyZ2U="]),
                (shown("b", value="c21hbGw="), [changed], ["c21hbGw="]),
                (Answer({"entries": [{"key": "k", "found": False}]}), [changed], []),
                (shown("a"), [problem(404, "not_found", "no")], [])):
            server = self.scripted(keys=Answer({"keys": ["k"]}), mget=[shown("a", value_omitted=True), second],
                                   **{"data/k": get})
            self.run_cli(server, "export", self.file)
            self.assertEqual([each["value"] for each in lines_of(self.file)[1:]], expected)
        server = self.scripted(keys=Answer({"keys": ["k"]}), mget=shown("a", value_omitted=True),
                               **{"data/k": changed})
        done = self.run_cli(server, "export", self.file, code=FAILED)
        self.assertIn(b"changes faster than it can be read", done.stderr)


class Terminal(Transfer):
    def test_a_terminal_sees_how_far_it_is(self):
        target = self.node()
        self.write(HEAD, *(entry(f"k{at:06}", 3600) for at in range(5000)))
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        with subprocess.Popen([harness.BINARY, "import", "--server", f"127.0.0.1:{target.port}"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=slave, env={}) as process, \
                open(self.file, "rb") as file:
            os.close(slave)
            shown = []  # in pieces, as they come

            def is_shown():
                process.stdin.write(file.readline())
                process.stdin.flush()
                if select.select([master], [], [], 0)[0]:
                    shown.append(os.read(master, 65536).decode())
                return re.search(r"imported \d+ entries, \d+ a second", "".join(shown))

            wait_until(is_shown, "how far it is is shown")
            process.stdin.write(b"no entry\n")
            process.stdin.close()
            self.assertEqual(process.wait(timeout=30), FAILED)
            shown.append(os.read(master, 65536).decode())
        # What is said is no part of the line that is written over.
        self.assertRegex("".join(shown), r"a second\r\x1b\[Krepram import: [^\r]*no JSON object")


if __name__ == "__main__":
    harness.main()
