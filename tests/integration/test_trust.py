"""What the client commands trust and show: https, certificates, tokens, and who never gets one."""

import os
import tempfile

import harness
from certificates import Authority
from harness import FAILED, USAGE, Case, cli
from scripted import Answer, Scripted, problem

BAD_CONFIGURATION = 78
TOKEN = "rt1_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
SIGNED = f"Bearer {TOKEN}"
WITH_TOKEN = {"REPRAM_TOKEN": TOKEN}
HEADERS = {"ETag": '"e"', "X-Original-TTL": "600", "X-Remaining-TTL": "600", "X-Replicas": "1/1",
           "X-Created-At": "2026-01-01T00:00:00Z"}
HEALTH = {"status": "healthy", "node_id": "n", "uuid": "u", "network": "private", "enclave": "default",
          "uptime": "1s", "active_peers": 0}
STATUS = {"uuid": "u", "network": "private", "enclave": "default", "state": "ready",
          "storage": {"keys": 1}, "limits": {"min_ttl_s": 1, "max_ttl_s": 1000000},
          "clock": {"time": "2026-01-01T00:00:00.000Z", "is_set": True}, "data": {"root_digest": "d"}}
NODE = {
    "/v1/data/k": Answer(b"v", 200, HEADERS), "/v1/keys": Answer({"keys": ["k"]}),
    "/v1/peers": Answer({"peers": []}), "/v1/status": Answer(STATUS), "/health": Answer(HEALTH),
    "/v1/health": Answer(HEALTH), "/v1/livez": Answer({}), "/v1/readyz": Answer({"alive": 1, "reasons": []}),
    "/v1/watch": Answer(b"event: live\ndata: {}\n\nevent: end\ndata: {\"code\":\"draining\"}\n\n", 200,
                        {"Content-Type": "text/event-stream"}),
}
STORED = Answer(b"OK", 201, HEADERS)
PROBES = {"/health", "/v1/livez", "/v1/readyz"}
COMMANDS = (("get", "k"), ("head", "k"), ("keys",), ("peers",), ("status",),
            ("wait", "-n", "1", "--converged"))
HEALTH_COMMANDS = (("health",), ("health", "--all"))


class Trust(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority, cls.other = Authority(), Authority("other")
        cls.addClassCleanup(cls.authority.close)
        cls.addClassCleanup(cls.other.close)
        cls.good = cls.authority.issue("good")
        cls.foreign = cls.authority.issue("foreign", "DNS:example.org")
        cls.expired = cls.authority.issue("expired", days=-1)
        cls.client = cls.authority.issue("client", "")
        cls.trusting = ("--cacert", cls.authority.cert)

    def server(self, answers=None, **tls):
        server = Scripted(NODE if answers is None else answers, **tls)
        self.addCleanup(server.close)
        return server

    def node(self, identity=None):
        return self.server(identity=identity or self.good)

    def is_signed(self, server):
        """Each request has the token, but the probes, which have none."""
        for _, target, _, headers in server.asked:
            expected = None if target in PROBES else SIGNED
            self.assertEqual(headers.get("Authorization"), expected, target)


class Https(Trust):
    def test_every_command_speaks_https_and_shows_the_token_where_one_is_needed(self):
        for command in COMMANDS:
            node = self.node()
            with self.subTest(command=command):
                done = cli(*command, "--server", node.name, *self.trusting, env=WITH_TOKEN)
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                self.assertNotEqual(node.asked, [])
                self.is_signed(node)
        for command in HEALTH_COMMANDS:
            node = self.node()
            done = cli(*command, "--server", node.name, *self.trusting, env=WITH_TOKEN)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertEqual([headers for *_, headers in node.asked if "Authorization" in headers], [])

    def test_a_write_and_a_watch_too(self):
        node = self.node()
        node.answers["/v1/data/k"] = [STORED]
        done = cli("put", "k", "v", "--server", node.name, *self.trusting, env=WITH_TOKEN)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(node.asked[0][2], b"v")
        node.answers["/v1/watch"] += [problem(403, "forbidden", "No longer.")]
        done = cli("watch", "--server", node.name, *self.trusting, env=WITH_TOKEN)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"the node ends the stream: draining", done.stderr)
        self.assertIn(b"the node answers 403 forbidden: No longer.", done.stderr)
        self.is_signed(node)

    def test_bench_loads_by_https_with_the_token(self):
        keys = {f"/v1/data/bench-00000{at}": Answer(b"v", 201, keeps=True) for at in range(4)}
        for tls in ({"identity": self.good}, {}):
            node = self.server({**NODE, **keys}, **tls)
            done = cli("bench", "-n", "60", "--keys", "4", "-c", "2", "--server", node.name,
                       *(self.trusting if tls else ()), "--json", env=WITH_TOKEN)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertEqual(len(node.asked), 1 + 4 + 60)  # its health, and every key once first
            self.is_signed(node)

    def test_with_an_authority_servers_without_a_scheme_are_asked_by_https(self):
        node = self.node()
        bare = node.name.removeprefix("https://")
        for more, env in ((self.trusting, {}), ((), {"REPRAM_CACERT": self.authority.cert})):
            done = cli("get", "k", "--server", bare, *more, env=env)
            self.assertEqual((done.returncode, done.stdout), (0, b"v"), done.stderr)
        ports = {"BASE_PORT": node.port, "MAX_PORTS": 1}
        done = cli("get", "k", *self.trusting, env={**ports, **WITH_TOKEN})
        self.assertEqual((done.returncode, done.stdout), (0, b"v"), done.stderr)
        done = cli("get", "k", "--server", f"http://{bare}", *self.trusting)
        self.assertEqual(done.returncode, USAGE)
        self.assertEqual(done.stderr, b"repram get: --cacert, --cert and --key are for https, and every server "
                                      b"is named by http://\n")

    def test_who_is_not_who_he_should_be_is_sent_nothing(self):
        for identity, authority, words in (
                (self.good, self.other, "no authority that is trusted here has signed it"),
                (self.good, None, "no authority that is trusted here has signed it"),
                (self.foreign, self.authority, "it is for example.org, not for 127.0.0.1: name the server as the certificate does, or have "
                 "IP:127.0.0.1 put into it (subjectAltName)"),
                (self.expired, self.authority, "certificate has expired by this host's clock")):
            node = self.node(identity)
            trusting = ("--cacert", authority.cert) if authority is not None else ()
            done = cli("get", "k", "--server", node.name, *trusting, env=WITH_TOKEN)
            with self.subTest(words=words):
                self.assertEqual((done.returncode, done.stdout), (FAILED, b""))
                self.assertIn(f"127.0.0.1:{node.port} does not answer: certificate refused: ",
                              done.stderr.decode())
                self.assertIn(words, done.stderr.decode())
                self.assertNotIn(TOKEN.encode(), done.stderr)
                self.assertEqual(node.asked, [])

    def test_a_certificate_is_shown_by_options_or_by_the_environment(self):
        node = self.server(identity=self.good, authority=self.authority)
        where = ("--server", node.name, *self.trusting)
        done = cli("get", "k", *where)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"the server asks for a certificate", done.stderr)
        self.assertEqual(cli("get", "k", *where, "--cert", self.client.cert, "--key", self.client.key).stdout, b"v")
        env = {"REPRAM_CACERT": self.authority.cert, "REPRAM_CLIENT_CERT": self.client.cert,
               "REPRAM_CLIENT_KEY": self.client.key}
        self.assertEqual(cli("get", "k", "--server", node.name, env=env).stdout, b"v")

    def test_files_that_cannot_be_used_are_named(self):
        for words, why in ((("--cacert", "/none"), "/none: No such file or directory"),
                           (("--cert", self.client.cert, "--key", self.good.key),
                            f"{self.good.key}: the key is not the certificate's")):
            done = cli("get", "k", *words)
            self.assertEqual((done.returncode, done.stderr.decode()), (BAD_CONFIGURATION, f"repram get: {why}\n"))
        done = cli("get", "k", "--key", self.client.key)
        self.assertEqual(done.returncode, BAD_CONFIGURATION)
        self.assertIn(b"--cert (REPRAM_CLIENT_CERT) is missing", done.stderr)

    def test_tls_where_http_is_and_the_reverse_are_told_apart(self):
        plain = self.server()
        done = cli("get", "k", "--server", f"https://{plain.name}", "--timeout", "5s")
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"what answers there does not speak TLS", done.stderr)
        done = cli("get", "k", "--server", self.node().name.replace("https", "http"))
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"does not answer", done.stderr)


class Tokens(Trust):
    def test_a_token_comes_from_the_environment_or_a_file_and_from_one_of_them(self):
        server = self.server()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "token")
            for content, is_one in ((f"{TOKEN}\n", True), (f"{TOKEN}\r\n", True), ("", False), ("a b\n", False),
                                    ("a\nb\n", False), ("x" * 1024, True), ("x" * 1025, False)):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(content)
                done = cli("get", "k", "--server", server.name, env={"REPRAM_TOKEN_FILE": path})
                self.assertEqual(done.returncode, 0 if is_one else BAD_CONFIGURATION, content[:60])
            self.assertEqual([headers["Authorization"] for *_, headers in server.asked],
                             [SIGNED, SIGNED, "Bearer " + "x" * 1024])
            done = cli("get", "k", env={"REPRAM_TOKEN_FILE": path, **WITH_TOKEN})
            self.assertEqual(done.returncode, BAD_CONFIGURATION)
            self.assertEqual(done.stderr, b"repram: REPRAM_TOKEN and REPRAM_TOKEN_FILE are both set; allowed: one "
                                          b"of them\n")
        done = cli("get", "k", env={"REPRAM_TOKEN_FILE": "/none"})
        self.assertEqual(done.stderr, b"repram: REPRAM_TOKEN_FILE=/none cannot be read: No such file or directory\n")
        for token in ("two words", "line\nbreak", "umlaut\u00e4", "x" * 1025):
            done = cli("get", "k", "--server", server.name, env={"REPRAM_TOKEN": token})
            self.assertEqual(done.returncode, BAD_CONFIGURATION)
            self.assertNotIn(token.encode(), done.stderr)

    def test_no_option_takes_a_token(self):
        done = cli("get", "k", "--token", TOKEN)
        self.assertEqual(done.returncode, USAGE)
        self.assertIn(b"unknown option --token", done.stderr)
        self.assertNotIn(TOKEN.encode(), done.stderr)

    def test_by_plain_http_it_goes_to_this_host_alone_unless_that_is_allowed(self):
        for command in (("get", "k"), ("wait", "-n", "1"), ("export", "-")):
            done = cli(*command, "--server", "localhost:1,192.0.2.1:1", env=WITH_TOKEN)
            self.assertEqual(done.returncode, USAGE)
            self.assertIn(b"the token is not sent to 192.0.2.1:1 by plain http", done.stderr)
            self.assertNotIn(TOKEN.encode(), done.stderr)
        done = cli("get", "k", "--server", "192.0.2.1:1", "--token-in-clear", "--timeout", "300ms", env=WITH_TOKEN)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"192.0.2.1:1 does not answer", done.stderr)
        # Who asks for what everybody is answered needs none, and reads none.
        for env in (WITH_TOKEN, {"REPRAM_TOKEN_FILE": "/none"}):
            done = cli("health", "--server", "192.0.2.1:1", "--timeout", "300ms", env=env)
            self.assertEqual(done.returncode, FAILED)
            self.assertIn(b"0 healthy, 1 wanted", done.stderr)
        for name in ("localhost", "127.0.0.1"):
            server = self.server()
            done = cli("get", "k", "--server", f"{name}:{server.port}", env=WITH_TOKEN)
            self.assertEqual(done.stdout, b"v", done.stderr)
            self.is_signed(server)

    def test_another_program_on_a_local_port_is_not_sent_it(self):
        for answers in ({}, {"/health": Answer({**HEALTH, "network": "other"})}):
            program = self.server(answers)
            for command in COMMANDS + HEALTH_COMMANDS:
                cli(*command, "-t", "300ms", env={"BASE_PORT": program.port, "MAX_PORTS": 1, **WITH_TOKEN})
            self.assertGreaterEqual(len(program.asked), len(COMMANDS))
            self.assertEqual([headers for *_, headers in program.asked if "Authorization" in headers], [])

    def test_a_redirect_takes_it_nowhere(self):
        elsewhere = self.server()
        for status in (301, 302, 307, 308):
            server = self.server({"/v1/data/k": Answer(b"", status, {"Location": f"http://{elsewhere.name}/v1/data/k"})})
            done = cli("get", "k", "--server", server.name, env=WITH_TOKEN)
            self.assertEqual(done.returncode, FAILED)
            self.assertIn(f"the node answers {status}".encode(), done.stderr)
        self.assertEqual(elsewhere.asked, [])

    def test_refusals_say_what_can_be_done(self):
        words = {
            problem(401, "unauthorized", "Who is it?"):
                "401 unauthorized: Who is it?; a token is taken from REPRAM_TOKEN, or from the file that "
                "REPRAM_TOKEN_FILE names",
            problem(403, "forbidden", "Not that."): "403 forbidden: Not that.",
            problem(403, "tls_required", "By https."):
                "403 tls_required: By https.; name the server as https://, and by --cacert FILE the authority that "
                "signed its certificate where the system does not know it"}
        for refusal, text in words.items():
            server = self.server({"/v1/data/k": refusal, "/v1/keys": refusal, "/v1/status": refusal,
                                  "/v1/peers": refusal, "/v1/watch": refusal})
            for command in (("get", "k"), ("put", "k", "v"), ("keys",), ("status",), ("peers",), ("watch",),
                            ("export", "-"), ("import", "/dev/null")):
                done = cli(*command, "--server", server.name)
                self.assertEqual((done.returncode, done.stderr.decode()),
                                 (FAILED, f"repram {command[0]}: the node answers {text}\n"))
        server = self.server({"/v1/data/k": problem(401, "unauthorized", "Not this one.")})
        done = cli("get", "k", "--server", server.name, env=WITH_TOKEN)
        self.assertEqual(done.stderr, b"repram get: the node answers 401 unauthorized: Not this one.\n")

    def test_an_export_and_an_import_show_it_with_each_request(self):
        listing = {**NODE, "/v1/keys": Answer({"keys": []}), "/v1/mget": Answer({"entries": []})}
        for tls in ({}, {"identity": self.good}):
            node = self.server(listing, **tls)
            where = ("--server", node.name, *(self.trusting if tls else ()))
            done = cli("export", "-", *where, env=WITH_TOKEN)
            self.assertEqual(done.returncode, 0, done.stderr)
            done = cli("import", "-", *where, env=WITH_TOKEN, data=done.stdout)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertGreaterEqual(len(node.asked), 3)
            self.is_signed(node)


if __name__ == "__main__":
    harness.main()
