"""The client commands before a server that answers as a test says: what each prints of which answer,
to the byte, what it asks for, and how it ends."""

import json
import os
import subprocess
import tempfile

import harness
from harness import FAILED, USAGE, Case, cli, wait_until
from scripted import Answer, Scripted, problem

STORED = {"ETag": '"e1"', "X-Original-TTL": "60", "X-Replicas": "2/3"}
SHOWN = {"ETag": '"e1"', "X-Created-At": "2026-01-02T03:04:05Z", "X-Original-TTL": "60",
         "X-Remaining-TTL": "59"}
TIMEOUT = ("--timeout", "20s")


class Answers(Case):
    def ask(self, answers, *arguments, data=b"", env=None):
        """Runs a command against one server. Returns (what ended, the server)."""
        with Scripted(answers) as server:
            done = cli(*arguments, "--server", server.name, *TIMEOUT, data=data, env=env)
        return done, server

    def expect(self, done, code, out, err=""):
        """`out` and `err` are bytes or text, to the byte."""
        found = done.returncode, done.stdout, done.stderr
        out, err = (each if isinstance(each, bytes) else each.encode() for each in (out, err))
        self.assertEqual(found, (code, out, err))


class Put(Answers):
    def put(self, answer, *arguments, data=b""):
        return self.ask({"/v1/data/k": answer}, "put", "k", *arguments, data=data)

    def test_what_was_stored_is_said_in_a_line(self):
        quorum, least = "on a quorum of 3 members; the others get it too", "(the least that the node takes),"
        for status, headers, line in (
                (201, {}, f"OK: stored for 1m {quorum}\n"),
                (202, {}, "Accepted: stored for 1m on 2 of 3 members so far; the quorum is pending\n"),
                (201, {"X-Replicas": "3/3"}, "OK: stored for 1m on all 3 members\n"),
                (201, {"X-Replicas": "1/1"}, "OK: stored for 1m on the only member\n"),
                (201, {"X-Replicas": "many", "X-Original-TTL": "x"}, "OK: stored\n"),
                (201, {"X-Original-TTL": "3661"}, f"OK: stored for 1h1m1s, not 1m {least} {quorum}\n"),
                (201, {"X-Original-TTL": "59"},
                 f"OK: stored for 59s, not 1m {least.replace('least', 'most')} {quorum}\n")):
            done, server = self.put(Answer(status=status, headers={**STORED, **headers}), "v", "--ttl", "1m")
            self.expect(done, 0, line)
            self.assertEqual(server.asked[0][:3], ("PUT", "/v1/data/k?ttl=60", b"v"))
            self.assertRegex(server.asked[0][3]["User-Agent"], r"^repram/\d")

    def test_and_for_scripts_as_json(self):
        done, server = self.put(Answer(status=202, headers=STORED), "v", "--json")
        self.expect(done, 0, '{"key":"k","status":202,"etag":"e1","ttl":60,'
                             '"replicas":"2/3"}\n')
        self.assertEqual(server.targets(), ["/v1/data/k"])
        done, _ = self.put(Answer(status=201), "v", "--json")
        self.expect(done, 0, '{"key":"k","status":201,"etag":"","ttl":null,"replicas":""}\n')

    def test_any_other_answer_is_a_failure_that_is_told(self):
        for status in (200, 203, 400, 500):
            done, _ = self.put(Answer(status=status, headers=STORED), "v")
            self.expect(done, FAILED, "", f"repram put: the node answers {status}\n")
        done, _ = self.put(problem(507, "storage_full", "No room."), "v")
        self.expect(done, FAILED, "", "repram put: the node answers 507 storage_full: No room.\n")
        done, _ = self.put(Answer({"detail": "Why not."}, 400), "v")
        self.expect(done, FAILED, "", "repram put: the node answers 400: Why not.\n")

    def test_a_file_goes_out_whole_whatever_its_size(self):
        for size in (0, 1, 65536, 131072, 131073, 500001):
            value = os.urandom(size)
            with tempfile.NamedTemporaryFile() as file:
                file.write(value)
                file.flush()
                done, server = self.put(Answer(status=201, headers=STORED), "--file", file.name)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertTrue(server.asked[0][2] == value, size)

    def test_standard_input_may_be_named_by_a_dash(self):
        for arguments in (("--file", "-"), ("-",), ()):
            _, server = self.put(Answer(status=201, headers=STORED), *arguments, data=b"piped")
            self.assertEqual(server.asked[0][2], b"piped")

    def test_a_file_that_cannot_be_read_is_named_with_the_reason(self):
        for path, why in (("/nonexistent", "No such file or directory"), ("/", "Is a directory")):
            done, server = self.put(Answer(status=201), "--file", path)
            self.expect(done, FAILED, "", f"repram put: {path}: {why}\n")
            self.assertEqual(server.asked, [])

    def test_more_than_64_MiB_are_refused_before_anything_is_sent(self):
        with tempfile.NamedTemporaryFile() as file:
            file.truncate((64 << 20) + 4097)
            done, server = self.put(Answer(status=201), "--file", file.name)
        self.expect(done, FAILED, "", f"repram put: {file.name}: longer than 64 MiB\n")
        self.assertEqual(server.asked, [])

    def test_what_is_wrong_with_the_command_line_is_said(self):
        for arguments, why in (
                (("k", "--ttl", "soon"),
                 "--ttl soon is not allowed; allowed: seconds, or a duration such as 1h30m"),
                (("k", "v", "--file", "x"),
                 "a value and --file are one too many; see repram put --help"),
                (("ä" * 512 + "x", "v"), "the key is too long; allowed: 1024 bytes")):
            done = cli("put", *arguments)
            self.expect(done, USAGE, "", f"repram put: {why}\n")


class GetAndHead(Answers):
    def test_get_gives_the_value_and_nothing_else(self):
        for value in (b"", b"v", bytes(range(256)), b"x" * 300000):
            done, server = self.ask({"/v1/data/a%20b": Answer(value, headers=SHOWN)}, "get", "a b")
            self.expect(done, 0, value)
            self.assertEqual(server.asked[0][:2], ("GET", "/v1/data/a%20b"))

    def test_get_gives_scripts_everything(self):
        for value, name, text in ((b"caf\xc3\xa9", "value", "caf\u00e9"),
                                  (b"a\0b", "value_base64", "YQBi"),
                                  (b"\xff", "value_base64", "/w==")):
            done, _ = self.ask({"/v1/data/k": Answer(value, headers=SHOWN)}, "get", "k", "--json")
            self.assertEqual(
                list(json.loads(done.stdout).items()),
                [("key", "k"), ("size", len(value)), ("created_at", "2026-01-02T03:04:05Z"),
                 ("original_ttl", 60), ("remaining_ttl", 59), ("etag", "e1"), (name, text)])
            self.assertEqual((done.returncode, done.stdout.count(b"\n")), (0, 1))

    def test_a_key_that_is_no_text_stands_in_base64(self):
        done, _ = self.ask({"/v1/data/%FF": Answer(b"v")}, "get", b"\xff", "--json")
        self.assertEqual(json.loads(done.stdout)["key_base64"], "/w==")

    def test_head_is_a_row_for_each_header(self):
        answer = Answer(headers={**SHOWN, "Content-Length": "7"})
        done, server = self.ask({"/v1/data/k": answer}, "head", "k")
        self.expect(done, 0, "size\t7\ncreated_at\t2026-01-02T03:04:05Z\noriginal_ttl\t60\n"
                             'remaining_ttl\t59\netag\te1\n')
        self.assertEqual(server.asked[0][0], "HEAD")
        done, _ = self.ask({"/v1/data/k": answer}, "head", "k", "--json")
        self.expect(done, 0, '{"key":"k","size":7,"created_at":"2026-01-02T03:04:05Z",'
                             '"original_ttl":60,"remaining_ttl":59,"etag":"e1"}\n')

    def test_what_is_no_200_is_told_and_gives_nothing(self):
        for command in ("get", "head"):
            for answer, why in ((Answer(b"", 404), "no such key, or its time is over"),
                                (Answer(b"", 201), "the node answers 201"),
                                (Answer(b"", 503), "the node answers 503")):
                done, _ = self.ask({"/v1/data/k": answer}, command, "k")
                self.expect(done, FAILED, "", f"repram {command}: {why}\n")
            done = cli(command, "ä" * 512 + "x")
            self.expect(done, USAGE, "",
                        f"repram {command}: the key is too long; allowed: 1024 bytes\n")


class Output(Answers):
    def get_into(self, output):
        """`get` with standard output there. Returns its code and what it says."""
        with Scripted({"/v1/data/k": Answer(b"x" * 1000000)}) as server:
            done = subprocess.run([harness.BINARY, "get", "k", "-s", server.name, *TIMEOUT],
                                  stdout=output, stderr=subprocess.PIPE, check=False)
        return done.returncode, done.stderr.decode()

    def test_output_that_cannot_be_written_is_a_failure_with_the_reason(self):
        with open("/dev/full", "wb") as full:
            self.assertEqual(self.get_into(full), (
                FAILED, "repram: cannot write the output: No space left on device\n"))

    def test_output_that_nobody_reads_is_a_failure_without_a_word(self):
        reader, writer = os.pipe()
        os.close(reader)
        try:
            self.assertEqual(self.get_into(writer), (FAILED, ""))
        finally:
            os.close(writer)


class Keys(Answers):
    def keys(self, pages, *arguments):
        return self.ask({"/v1/keys": pages}, "keys", *arguments)

    def test_pages_follow_each_other_by_their_cursor(self):
        pages = [Answer({"keys": ["a", "b"], "next_cursor": "c/1"}),
                 Answer({"keys": ["c"], "next_cursor": "c2"}), Answer({"keys": ["d"]})]
        done, server = self.keys(pages, "--prefix", "a/+ ")
        self.expect(done, 0, "a\nb\nc\nd\n")
        self.assertEqual(server.targets(), ["/v1/keys?limit=1000&prefix=a%2F%2B%20",
                                            "/v1/keys?limit=1000&prefix=a%2F%2B%20&cursor=c%2F1",
                                            "/v1/keys?limit=1000&prefix=a%2F%2B%20&cursor=c2"])

    def test_without_a_cursor_it_is_the_end_and_with_one_of_no_sense_it_is_not_all(self):
        wrong = ("repram keys: the answer to /v1/keys makes no sense: it says no place to go on from, and these "
                 "are not all keys\n")
        for cursor, code, count in (("", 0, 1), (None, 0, 1), (7, FAILED, 1), ("c" * 4096, FAILED, 1),
                                    ("same", FAILED, 2)):
            done, server = self.keys([Answer({"keys": ["a"], "next_cursor": cursor})])
            self.expect(done, code, "a\n" * count, wrong if code == FAILED else "")
            self.assertEqual(len(server.asked), count)
        done, _ = self.keys([Answer({"keys": ["a"], "next_cursor": 7})], "--limit", "1")
        self.expect(done, 0, "a\n")
        _, server = self.keys([Answer({"keys": [], "next_cursor": "c" * 4095}),
                               Answer({"keys": []})])
        self.assertTrue(server.targets()[1].endswith("&cursor=" + "c" * 4095))

    def test_no_more_than_the_limit_is_printed_or_asked_for(self):
        pages = [Answer({"keys": ["a", "b"], "next_cursor": "c"}), Answer({"keys": ["c", "d"]})]
        done, server = self.keys(pages, "--limit", "3")
        self.expect(done, 0, "a\nb\nc\n")
        self.assertEqual(server.targets(), ["/v1/keys?limit=3", "/v1/keys?limit=1&cursor=c"])
        done, server = self.keys(pages, "--limit", "2")
        self.expect(done, 0, "a\nb\n")
        self.assertEqual(len(server.asked), 1)
        done, server = self.keys([Answer({"keys": ["a"]})], "--limit", "1001")
        self.assertEqual(server.targets(), ["/v1/keys?limit=1000"])
        for limit in ("0", "x", "-1"):
            self.expect(cli("keys", "--limit", limit), USAGE, "",
                        f"repram keys: --limit {limit} is not allowed; allowed: a whole number from 1 "
                        "on\n")

    def test_a_key_is_one_line_whatever_is_in_it(self):
        answer = Answer({"keys": ["a b", "\x1f%\x7f~é"],
                         "keys_base64": ["/w==", "IQ==", "YSBi", "fn8l", "++//", "a*b", "QUJD"]})
        done, _ = self.keys(answer)
        self.expect(done, 0, "a b\n%1F%25%7F~é\n%FF\n!\na b\n~%7F%25\n%FB%EF%FF\n\nABC\n")

    def test_json_is_one_object_with_what_is_no_text_at_its_end(self):
        pages = [Answer({"keys": ["a", 'b"'], "keys_base64": ["/w=="], "next_cursor": "c"}),
                 Answer({"keys": ["c"], "keys_base64": ["IQ=="]})]
        done, _ = self.keys(pages, "--json")
        self.expect(done, 0, '{"keys":["a",\n"b\\"",\n"c"],"keys_base64":["/w==","IQ=="]}\n')
        done, _ = self.keys(Answer({"keys": []}), "--json")
        self.expect(done, 0, '{"keys":[]}\n')

    def test_what_is_no_list_is_said_and_ends_with_1(self):
        for answer in (Answer(b"nonsense"), Answer({"keys": 1}), Answer({})):
            done, _ = self.keys(answer)
            self.expect(done, FAILED, "", "repram keys: the answer is not a list of keys\n")
        done, _ = self.keys([Answer({"keys": ["a"], "next_cursor": "c"}), Answer(b"", 503)])
        self.expect(done, FAILED, "a\n", "repram keys: the node answers 503\n")

    def test_a_prefix_beyond_a_targets_length_is_refused(self):
        done = cli("keys", "--prefix", "ä" * 5000)
        self.expect(done, FAILED, "", "repram keys: the prefix is too long; allowed: 1024 bytes\n")
        long = Answer({"keys": [], "next_cursor": "/" * 4000})
        done, server = self.keys(long)
        self.expect(done, FAILED, "", "repram keys: the prefix is too long; allowed: 1024 bytes\n")
        self.assertEqual(len(server.asked), 1)


class Show(Answers):
    PEER = {"id": "n1", "address": "10.0.0.1", "port": 81, "state": "alive", "enclave": "e",
            "incarnation": 3, "rtt_ms": 0.25, "last_seen": None, "uuid": "u1"}

    def test_peers_are_rows_and_what_is_missing_is_empty(self):
        done, server = self.ask({"/v1/peers": Answer({"peers": [self.PEER, {"id": "a\tb"}]})},
                                "peers")
        rows = "a?b\t\t\t\t\t\t\t\t\nn1\t10.0.0.1\t81\talive\te\t3\t0.25\t\tu1\n"
        self.expect(done, FAILED, rows, "repram peers: the node answers 404 not_found: no such thing\n")
        self.assertEqual(server.targets(), ["/v1/peers", "/v1/health"])

    def test_peers_has_the_node_itself_first(self):
        done, server = self.ask({"/v1/peers": Answer({"peers": [self.PEER], "last_updated": "now"}),
                                 "/v1/health": Answer({"node_id": "z", "uuid": "u0", "enclave": "e"})},
                                "peers")
        self.expect(done, 0, f"z\t127.0.0.1\t{server.port}\talive\te\t\t\tnow\tu0\n"
                             "n1\t10.0.0.1\t81\talive\te\t3\t0.25\t\tu1\n")

    def test_status_is_a_row_for_each_value_with_its_path(self):
        deep = leaf = {}
        for _ in range(9):
            leaf["d"] = {}
            leaf = leaf["d"]
        status = {"a": {"b": 1, "c": [True, {"d": "x"}]}, "e": [], "f": {}, "g": None, **deep}
        done, server = self.ask({"/v1/status": Answer(status)}, "status")
        self.expect(done, 0, "a.b\t1\na.c[0]\ttrue\na.c[1].d\tx\ne\t[]\nf\t{}\ng\t\n"
                             "d.d.d.d.d.d.d.d\t{\"d\":{}}\n")
        self.assertEqual(server.asked[0][:2], ("GET", "/v1/status"))

    def test_json_is_what_the_node_said(self):
        for command in ("peers", "status"):
            done, _ = self.ask({f"/v1/{command}": Answer(b'{"x": [ ]}')}, command, "--json")
            self.expect(done, 0, '{"x": [ ]}\n')

    def test_what_is_no_object_and_what_is_no_200_is_told(self):
        for answer, why in ((Answer(b"nonsense"), "the answer is not JSON"),
                            (Answer(b"[]"), "the answer is not JSON"),
                            (problem(503, "not_ready", "Not yet."),
                             "the node answers 503 not_ready: Not yet."),
                            (Answer(b"{}", 201), "the node answers 201")):
            done, _ = self.ask({"/v1/peers": answer}, "peers", "--json")
            self.expect(done, FAILED, "", f"repram peers: {why}\n")


class Health(Answers):
    WELL = {"uuid": "u1", "node_id": "n1", "status": "healthy", "network": "public",
            "active_peers": 2, "uptime": "1h"}
    LIVES = Answer({"status": "alive", "reasons": []})

    def health(self, *answers, arguments=()):
        servers = [Scripted({"/v1/health": answer, "/v1/livez": self.LIVES}) for answer in answers]
        names = [server.name for server in servers]
        done = cli("health", *arguments, "--server", ",".join(names), *TIMEOUT)
        for server in servers:
            server.close()
        return done, names, servers

    def test_one_that_is_well_is_enough_and_the_rest_is_not_asked(self):
        done, names, servers = self.health(Answer(self.WELL), Answer(self.WELL))
        self.expect(done, 0, f"{names[0]}\tn1\thealthy\t2\t1h\n")
        self.assertEqual([server.targets() for server in servers], [["/v1/health", "/v1/livez"], []])

    def test_a_node_that_cannot_serve_is_not_well_whatever_it_says_of_its_health(self):
        for life, word in ((Answer({"status": "stuck", "reasons": ["x"]}, 503), "cannot serve"),
                           (Answer(b"", 404), "cannot serve")):
            with Scripted({"/v1/health": Answer(self.WELL), "/v1/livez": life}) as node:
                self.expect(cli("health", "--server", node.name, *TIMEOUT), FAILED,
                            f"{node.name}\tn1\t{word}\t2\t1h\n",
                            f"repram health: 0 healthy, 1 wanted; {node.name}: {word}\n")

    def test_all_are_asked_for_when_all_are_wanted(self):
        done, names, _ = self.health(Answer(self.WELL), Answer(self.WELL), arguments=("--all",))
        self.expect(done, 0, "".join(f"{name}\tn1\thealthy\t2\t1h\n" for name in names))

    def test_what_is_not_well_is_told_with_its_server(self):
        for answer, row, word in (
                (Answer({**self.WELL, "status": "degraded"}), "n1\tunhealthy\t2\t1h", "unhealthy"),
                (Answer(self.WELL, 503), "n1\tunhealthy\t2\t1h", "unhealthy"),
                (Answer({"status": "healthy"}), "\tnot a node\t\t", "not a node"),
                (Answer(b"nonsense"), "\tnot a node\t\t", "not a node")):
            done, names, _ = self.health(answer)
            self.expect(done, FAILED, f"{names[0]}\t{row}\n",
                        f"repram health: 0 healthy, 1 wanted; {names[0]}: {word}\n")

    def test_the_last_that_is_not_well_is_named_of_several(self):
        bad = Answer({"status": "healthy"})
        done, names, _ = self.health(Answer(self.WELL), bad, bad, arguments=("-a", "--json"))
        self.expect(done, FAILED, json.dumps(
            [{"server": names[0], "node_id": "n1", "health": "healthy", "active_peers": 2,
              "uptime": "1h"}] + [{"server": name, "node_id": "", "health": "not a node"}
                                  for name in names[1:]], separators=(",", ":")) + "\n",
                    f"repram health: 1 healthy, 3 wanted; {names[2]}: not a node\n")

    def test_a_server_that_refuses_is_named_only_where_no_other_reason_is(self):
        nobody = f"127.0.0.1:{harness.free_base(1)}"
        with Scripted({"/v1/health": Answer(b"nonsense")}) as strange:
            done = cli("health", "--all", "-s", f"{strange.name},{nobody}", *TIMEOUT)
            self.expect(done, FAILED, f"{strange.name}\t\tnot a node\t\t\n"
                                      f"{nobody}\t\trefused\t\t\n",
                        f"repram health: 0 healthy, 2 wanted; {strange.name}: not a node\n")
            done = cli("health", "-s", nobody, *TIMEOUT)
            self.assertIn(f"0 healthy, 1 wanted; {nobody}: refused".encode(), done.stderr)

    def test_of_the_local_range_only_nodes_of_this_network_count(self):
        with Scripted({"/v1/health": Answer(self.WELL), "/v1/livez": self.LIVES}) as node:
            env = {"REPRAM_HTTP_PORT": node.port}
            self.expect(cli("health", *TIMEOUT, env={**env, "REPRAM_NETWORK": "public"}), 0,
                        f"{node.name}\tn1\thealthy\t2\t1h\n")
            self.expect(cli("health", *TIMEOUT, env={**env, "REPRAM_NETWORK": "other"}), FAILED,
                        f"{node.name}\tn1\tof another cluster\t2\t1h\n",
                        f"repram health: 0 healthy, 1 wanted; {node.name}: of another cluster\n")
        self.expect(cli("health", *TIMEOUT, env=env), FAILED, "",
                    f"repram health: 0 healthy, 1 wanted; {node.name}: refused\n")


class Servers(Answers):
    """Who is asked, in which order, and what is said when nobody answers."""

    def test_nobody_in_the_local_range_is_said_with_its_ports(self):
        base = harness.free_base()
        self.expect(cli("get", "k", *TIMEOUT, env={"BASE_PORT": base}), FAILED, "",
                    f"repram get: no node answers on 127.0.0.1:{base} to port {base + 9}; --server "
                    "names another\n")
        self.expect(cli("get", "k", *TIMEOUT, env={"REPRAM_HTTP_PORT": base, "REPRAM_BIND": "127.0.0.9"}),
                    FAILED, "", f"repram get: no node answers on 127.0.0.9:{base}; "
                                "--server names another\n")
        self.expect(cli("get", "k", *TIMEOUT, env={"BASE_PORT": 65534, "MAX_PORTS": 2,
                                                   "REPRAM_BIND": "127.0.0.9"}),
                    FAILED, "", "repram get: no node answers on 127.0.0.9:65534 to port 65535; --server "
                                "names another\n")

    def test_nobody_of_those_named_is_said_with_the_last_reason(self):
        base = harness.free_base(2)
        names = [f"127.0.0.1:{base + i}" for i in range(2)]
        done = cli("get", "k", "-s", names[0], *TIMEOUT)
        self.assertRegex(done.stderr.decode(), f"^repram get: {names[0]} does not answer: {names[0]}.*\n$")
        done = cli("get", "k", "-s", names[0], "-s", names[1], *TIMEOUT)
        self.assertRegex(done.stderr.decode(),
                         f"^repram get: none of 2 servers answers; the last one: {names[1]}.*\n$")
        self.assertEqual((done.returncode, done.stdout), (FAILED, b""))

    def test_in_the_local_range_other_programs_are_passed_over(self):
        base = harness.free_base(3)
        value = {"/v1/data/k": Answer(b"v")}
        strange = {"/health": Answer({"id": 7}), **value}
        health = {"uuid": "u", "network": "private", "enclave": "default"}
        ill = {"/health": Answer(health, 503), **value}
        node = {"/health": Answer(health), **value}
        servers = [Scripted(answers, base + i) for i, answers in enumerate((strange, ill, node))]
        for server in servers:
            self.addCleanup(server.close)
        done = cli("get", "k", *TIMEOUT, env={"BASE_PORT": base, "MAX_PORTS": 3})
        self.expect(done, 0, "v")
        self.assertEqual([server.targets() for server in servers],
                         [["/health"], ["/health"], ["/health", "/v1/data/k"]])

    def test_one_that_is_silent_leaves_time_for_the_next(self):
        silent = harness.socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        with Scripted({"/v1/data/k": Answer(b"v")}) as server:
            servers = f"127.0.0.1:{silent.getsockname()[1]},{server.name}"
            # Where the machine is slow its half of the time may be too short.
            wait_until(lambda: cli("get", "k", "-s", servers, "--timeout", "4s").stdout == b"v",
                       "the second one is asked")

    def test_a_list_of_servers_that_makes_no_sense_is_refused(self):
        wrong = ("is no server; allowed: host, host:port, [IPv6]:port (without a zone), http://host, "
                 "https://host, or a comma list of them\n")
        self.expect(cli("get", "k", "-s", "a:1,"), USAGE, "",
                    f"repram get: --server: '' {wrong}")
        self.expect(cli("get", "k", env={"REPRAM_SERVER": "a:x"}), 78, "",
                    f"repram get: REPRAM_SERVER: 'a:x' {wrong}")
        for time in ("0", "86401", "soon"):
            self.expect(cli("get", "k", "-t", time), USAGE, "",
                        "repram get: --timeout takes seconds, or a duration such as 1m30s or 500ms, up to 24h; "
                        "see repram get --help\n")

    def test_words_too_few_and_too_many_are_said(self):
        self.expect(cli("get"), USAGE, "", "repram get: a key is missing; see repram get --help\n")
        self.expect(cli("get", "a", "b" * 70), USAGE, "", f"repram get: unexpected word '{'b' * 64}'; see "
                                                          "repram get --help\n")
        self.expect(cli("get", "a", "--no-such"), USAGE, "",
                    "repram get: unknown option --no-such; see repram get --help\n")


if __name__ == "__main__":
    harness.main()
