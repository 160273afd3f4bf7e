"""The client commands against a running cluster: output, exit codes, choosing a server."""

import json
import re
import subprocess

import harness
from harness import FAILED, USAGE, Case, cli, cluster, wait_until

BAD_CONFIGURATION = 78
COMMANDS = ("launch", "node", "put", "get", "head", "keys", "watch", "peers", "status", "health", "wait",
            "bench", "export", "import", "keygen", "acl", "completion", "version", "help")


class Help(Case):
    def test_the_overview_names_exactly_these(self):
        named = re.findall(rb"(?m)^  ([a-z]+)  ", cli("help").stdout)
        self.assertEqual(sorted(name.decode() for name in named), sorted(COMMANDS))

    def test_every_command_has_help_with_examples(self):
        for command in COMMANDS:
            with self.subTest(command=command):
                done = cli("help", command)
                self.assertEqual(done.returncode, 0)
                self.assertIn(f"usage: repram {command}".encode(), done.stdout)
                if command not in ("version", "help"):
                    self.assertIn(b"examples:", done.stdout)
                shown = cli(command, "--help")
                self.assertEqual(shown.returncode, 0)
                if command != "version":
                    self.assertEqual(shown.stdout, done.stdout)

    def test_what_is_not_built_yet_is_absent(self):
        for command in ("doctor", "no-such-command"):
            with self.subTest(command=command):
                done = cli(command)
                self.assertEqual(done.returncode, USAGE)
                self.assertIn(b"no command", done.stderr)
        self.assertNotRegex(cli("help").stdout, rb"(?m)^  doctor")

    def test_settings_are_listed_with_flags(self):
        done = cli("help", "settings")
        self.assertEqual(done.returncode, 0)
        for text in (b"BASE_PORT", b"--base-port", b"REPRAM_REPLICATION", b"accepted and unused"):
            self.assertIn(text, done.stdout)

    def test_what_may_have_been_meant_is_said(self):
        for arguments, meant in ((("statsu",), b"did you mean status?"),
                                 (("help", "gte"), b"did you mean get?"),
                                 (("get", "k", "--jsn"), b"did you mean --json?"),
                                 (("node", "--base-prot", "1"), b"did you mean --base-port?"),
                                 (("peers", "--state", "ded"), b"did you mean dead?")):
            with self.subTest(arguments=arguments):
                done = cli(*arguments)
                self.assertEqual(done.returncode, USAGE)
                self.assertIn(meant, done.stderr)
        done = cli("node", "--check-config", "--strict", env={"REPRAM_NETWRK": "x"})
        self.assertEqual(done.returncode, BAD_CONFIGURATION)
        self.assertIn(b"did you mean REPRAM_NETWORK?", done.stderr)

    def test_the_version_is_there_for_scripts(self):
        version = json.loads(cli("version", "--json").stdout)["version"]
        self.assertEqual(cli("version").stdout.decode(), f"repram {version}\n")

    def test_usage_errors_end_with_2(self):
        for arguments in ((), ("put",), ("get",), ("get", "a", "b"), ("keys", "--limit", "0"),
                          ("put", "k", "v", "--ttl", "soon"), ("get", "k", "--timeout", "0"),
                          ("get", "k", "--server", "a:b"), ("wait",), ("wait", "--members", "0"),
                          ("put", "k", "v", "--file", "/dev/null"), ("version", "x"),
                          ("help", "get", "x"), ("help", "x")):
            with self.subTest(arguments=arguments):
                done = cli(*arguments)
                self.assertEqual(done.returncode, USAGE, done.stderr)
                self.assertTrue(done.stderr)


class Data(Case):
    @classmethod
    def setUpClass(cls):
        cls.launcher, cls.nodes = cluster(3)
        cls.env = {"BASE_PORT": cls.launcher.base}
        cls.server = f"127.0.0.1:{cls.nodes[1].port}"

    @classmethod
    def tearDownClass(cls):
        cls.launcher.close()

    def cli(self, *arguments, **options):
        return cli(*arguments, env=self.env, **options)

    def test_a_value_goes_in_and_comes_out_byte_for_byte(self):
        value = bytes(range(256)) * 300
        done = self.cli("put", "bytes", "-", "--ttl", "10m", data=value)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, rb"^OK: stored for 10m on (all 3 members|a quorum of 3 members; the "
                                      rb"others get it too)\n$")
        for node in self.nodes:
            wait_until(lambda node=node: node.holds("bytes", value), "it is everywhere", 5)
            done = self.cli("get", "bytes", "--server", f"127.0.0.1:{node.port}")
            self.assertEqual(done.stdout, value)

    def test_the_value_may_be_a_word_a_file_or_standard_input(self):
        with harness.tempfile.NamedTemporaryFile() as file:
            file.write(b"from a file")
            file.flush()
            for arguments, value in ((("hello",), b"hello"), ((), b"piped"), (("",), b""),
                                     (("--file", file.name), b"from a file"),
                                     (("--", "-dash"), b"-dash")):
                with self.subTest(arguments=arguments):
                    done = self.cli("put", "-s", self.server, "ways", *arguments, data=b"piped")
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertEqual(self.cli("get", "-s", self.server, "ways").stdout, value)

    def test_keys_with_any_characters_are_encoded(self):
        for key in ("a b", "a/b?c#d%e", "café", "..", "x//y", "+", "\n"):
            with self.subTest(key=key):
                self.assertEqual(self.cli("put", "-s", self.server, key, "v").returncode, 0)
                self.assertEqual(self.cli("get", "-s", self.server, key).stdout, b"v")

    def test_a_key_that_is_not_there_ends_with_1_and_a_word_about_it(self):
        for command in ("get", "head"):
            done = self.cli(command, "never-stored")
            self.assertEqual(done.returncode, FAILED)
            self.assertEqual(done.stdout, b"")
            self.assertIn(b"no such key", done.stderr)

    def test_a_refusal_tells_code_and_reason(self):
        done = self.cli("put", "", "v")
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"400", done.stderr)
        self.assertIn(b"invalid_key", done.stderr)

    def test_a_key_of_1024_bytes_is_taken_and_a_longer_one_is_a_wrong_word(self):
        for command, more in (("put", ("v",)), ("get", ()), ("head", ())):
            done = self.cli(command, "k" * 1024, *more)
            self.assertEqual(done.returncode, 0, done.stderr)
            done = self.cli(command, "k" * 1025, *more)
            self.assertEqual(done.returncode, USAGE)
            self.assertIn(b"the key is too long; allowed: 1024 bytes", done.stderr)

    def test_head_shows_what_get_would_not(self):
        self.cli("put", "-s", self.server, "meta", "12345", "--ttl", "1h")
        done = self.cli("head", "-s", self.server, "meta", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        head = json.loads(done.stdout)
        self.assertEqual(head["key"], "meta")
        self.assertEqual(head["size"], 5)
        self.assertEqual(head["original_ttl"], 3600)
        self.assertRegex(head["etag"], r'^[0-9a-f]{48}$')
        plain = self.cli("head", "-s", self.server, "meta").stdout.decode()
        self.assertIn("size\t5\n", plain)

    def test_get_gives_scripts_the_value_and_what_head_shows(self):
        for value, name, text in ((b"caf\xc3\xa9", "value", "café"),
                                  (b"\xff\x00", "value_base64", "/wA=")):
            with self.subTest(name=name):
                self.cli("put", "-s", self.server, "shown", "-", "--ttl", "1h", data=value)
                done = self.cli("get", "-s", self.server, "shown", "--json")
                self.assertEqual(done.returncode, 0, done.stderr)
                shown = json.loads(done.stdout)
                self.assertEqual((shown["key"], shown[name], shown["size"]),
                                 ("shown", text, len(value)))
                self.assertEqual(shown["original_ttl"], 3600)
        self.assertEqual(self.cli("get", "never-stored", "--json").returncode, FAILED)

    def test_put_tells_scripts_what_was_stored(self):
        stored = json.loads(self.cli("put", "json", "v", "--ttl", "20m", "--json").stdout)
        self.assertEqual((stored["key"], stored["status"], stored["ttl"]), ("json", 201, 1200))
        self.assertRegex(stored["replicas"], r"^[23]/3$")

    def test_keys_follows_every_page(self):
        node = self.nodes[0]
        for number in range(1234):
            node.put(f"page/{number:04}", b"v")
        server = f"127.0.0.1:{node.port}"
        wanted = [f"page/{number:04}" for number in range(1234)]
        done = self.cli("keys", "-s", server, "--prefix", "page/")
        self.assertEqual(done.stdout.decode().split(), wanted)
        done = self.cli("keys", "-s", server, "-p", "page/", "--limit", "1100", "--json")
        self.assertEqual(json.loads(done.stdout)["keys"], wanted[:1100])
        done = self.cli("keys", "-s", server, "-p", "nothing-here", "--json")
        self.assertEqual(json.loads(done.stdout), {"keys": []})
        self.assertEqual(self.cli("keys", "-s", server, "-p", "nothing-here").stdout, b"")

    def test_keys_of_nobody_print_nothing(self):
        done = self.cli("keys", "--json", "-s", f"127.0.0.1:{harness.free_base(1)}")
        self.assertEqual((done.returncode, done.stdout), (FAILED, b""))

    def test_a_lifetime_outside_the_bounds_is_brought_into_them_as_by_http_and_that_is_said(self):
        for ttl, stored, words in (("0", 1, b"for 1s, not 0s (the least that the node takes)"),
                                   ("2d", 86400, b"for 1d, not 2d (the most that the node takes)"),
                                   ("9" * 30, 86400, b"for 1d, not so long (the most"),
                                   ("1h30m", 5400, b"for 1h30m on")):
            with self.subTest(ttl=ttl):
                done = self.cli("put", "bounds", "v", "--ttl", ttl)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(words, done.stdout)
                head = json.loads(self.cli("head", "bounds", "--json").stdout)
                self.assertEqual(head["original_ttl"], stored)

    def test_keys_that_would_break_a_line_are_encoded(self):
        self.cli("put", "-s", self.server, "odd/\n%", "v")
        done = self.cli("keys", "-s", self.server, "-p", "odd/")
        self.assertEqual(done.stdout, b"odd/%0A%25\n")
        done = self.cli("keys", "-s", self.server, "-p", "odd/", "--json")
        self.assertEqual(json.loads(done.stdout)["keys"], ["odd/\n%"])

    def test_a_reader_that_goes_away_is_no_crash(self):
        self.nodes[0].put("large", b"x" * 1000000)
        done = subprocess.run(
            ["sh", "-c", f"{harness.BINARY} get large -s 127.0.0.1:{self.nodes[0].port} | head -c 1"],
            capture_output=True, timeout=30 * harness.SLOW, check=True)
        self.assertEqual((done.stdout, done.stderr), (b"x", b""))


class Cluster(Case):
    @classmethod
    def setUpClass(cls):
        cls.launcher, cls.nodes = cluster(3)
        cls.env = {"BASE_PORT": cls.launcher.base}

    @classmethod
    def tearDownClass(cls):
        cls.launcher.close()

    def cli(self, *arguments, **options):
        return cli(*arguments, env=self.env, **options)

    def test_peers_lists_the_node_and_then_the_others(self):
        rows = [line.split("\t") for line in self.cli("peers").stdout.decode().splitlines()]
        self.assertEqual(len(rows), 3)
        self.assertEqual({row[3] for row in rows}, {"alive"})
        peers = json.loads(self.cli("peers", "--json").stdout)["peers"]
        self.assertEqual([row[0] for row in rows[1:]], sorted(peer["id"] for peer in peers))
        by_port = {node.port: node for node in self.nodes}
        self.assertEqual(rows[0][8], by_port[int(rows[0][2])].uuid())
        self.assertEqual(self.cli("peers", "--wide").stdout.count(b"\n"), 3)

    def test_peers_of_a_state_only(self):
        self.assertEqual(self.cli("peers", "--state", "dead").stdout, b"")
        self.assertEqual(self.cli("peers", "--state", "dead,alive").stdout.count(b"\n"), 3)
        self.assertEqual(json.loads(self.cli("peers", "--state", "left", "--json").stdout)["peers"], [])
        self.assertEqual(len(json.loads(self.cli("peers", "--state", "alive", "--json").stdout)["peers"]), 2)

    def test_status_is_flat_for_people_and_json_for_scripts(self):
        rows = dict(line.split("\t") for line in self.cli("status").stdout.decode().splitlines())
        self.assertEqual(rows["membership.alive"], "2")
        status = json.loads(self.cli("status", "--json").stdout)
        self.assertEqual(status["membership"]["alive"], 2)
        self.assertRegex(rows["data.root_digest"], "^[0-9a-f]{16}$")

    def test_health_counts_the_local_range(self):
        self.assertEqual(self.cli("health").returncode, 0)
        done = self.cli("health", "--all", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([node["health"] for node in json.loads(done.stdout)], ["healthy"] * 3)
        self.assertEqual([node["active_peers"] for node in json.loads(done.stdout)], [2] * 3)
        done = cli("health", "--all", env={**self.env, "NODE_COUNT": 4})
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"3 healthy, 4 wanted", done.stderr)
        done = cli("health", "--all", env={**self.env, "REPRAM_NETWORK": "another"})
        self.assertEqual(done.returncode, FAILED)

    def test_health_names_the_one_that_hangs_rather_than_the_ports_that_nobody_holds(self):
        with harness.socket.create_server(("127.0.0.1", self.launcher.base + 5)) as silent:
            done = cli("health", "--all", "--timeout", "1", env={**self.env, "NODE_COUNT": 4})
            self.assertEqual(done.returncode, FAILED)
            self.assertIn(f"127.0.0.1:{silent.getsockname()[1]}: timed out".encode(), done.stderr)

    def test_the_first_server_that_answers_is_asked(self):
        alive = f"127.0.0.1:{self.nodes[0].port}"
        nobody = f"127.0.0.1:{harness.free_base(1)}"
        for arguments, env in ((("--server", nobody, "--server", alive), {}),
                               (("--server", f"{nobody},{alive}"), {}),
                               ((), {"REPRAM_SERVER": f"{nobody},{alive}"}),
                               (("--server", alive), {"REPRAM_SERVER": nobody})):
            with self.subTest(arguments=arguments, env=env):
                done = cli("status", "--json", *arguments, env=env)
                self.assertEqual(done.returncode, 0, done.stderr)
        done = cli("status", "--server", nobody)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(nobody.encode(), done.stderr)

    def test_nobody_in_the_local_range_is_said_with_the_range(self):
        base = harness.free_base()
        done = cli("status", env={"BASE_PORT": base})
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(f"127.0.0.1:{base} to port {base + 9}".encode(), done.stderr)

    def test_settings_that_make_no_sense_end_with_78(self):
        self.assertEqual(cli("status", env={"BASE_PORT": "x"}).returncode, BAD_CONFIGURATION)
        self.assertEqual(cli("status", env={"REPRAM_SERVER": "x:"}).returncode, BAD_CONFIGURATION)

    def test_wait_returns_when_all_see_all_and_hold_the_same(self):
        self.nodes[0].put("converge", b"v")
        done = self.cli("wait", "--members", "3", "--converged", "--timeout", "20s")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(harness.converged(self.nodes))
        done = self.cli("wait", "--converged", "--timeout", "20s", "--json")
        self.assertEqual(json.loads(done.stdout), {"members": 3, "converged": True})

    def test_wait_says_what_is_missing_at_its_timeout(self):
        done = self.cli("wait", "--members", "4", "--timeout", "500ms")
        self.assertEqual(done.returncode, FAILED)
        self.assertRegex(done.stderr.decode(), r"sees 3 of 4 members")
        done = cli("wait", "--members", "1", "--timeout", "300ms",
                   env={"BASE_PORT": harness.free_base()})
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"no node answers", done.stderr)

    def test_a_server_that_never_answers_costs_the_timeout_only(self):
        with harness.socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            began = harness.time.monotonic()
            done = cli("get", "k", "--server", f"127.0.0.1:{port}", "--timeout", "400ms")
            self.assertEqual(done.returncode, FAILED)
            self.assertIn(b"no answer within 400 ms", done.stderr)
            self.assertLess(harness.time.monotonic() - began, 2 * harness.SLOW)


if __name__ == "__main__":
    harness.main()
