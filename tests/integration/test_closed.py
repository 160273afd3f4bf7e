"""The client commands and the launcher on a sealed cluster with an access list, and on one by https alone: what
works for everybody, what with a token or an authority's file, and what is said to the others."""

import hashlib
import json
import os
import tempfile

import harness
from certificates import Authority
from harness import FAILED, Case, Launcher, cli, wait_until

ALL = "rt1_all-0123456789abcdefghijklmnopqrstuvwxyzABC"
READER = "rt1_reader-0123456789abcdefghijklmnopqrstuvwxyz"


def list_of(**rules):
    """The file of an access list: for each token's user, what it may do."""
    tokens = {"all": ALL, "reader": READER}
    return "".join(f"user {name} sha256:{hashlib.sha256(tokens[name].encode()).hexdigest()}\n" +
                   "".join(f"allow {rule}\n" for rule in allowed) for name, allowed in rules.items())


class Closed(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.acl = os.path.join(folder.name, "acl")
        with open(cls.acl, "w", encoding="utf-8") as file:
            file.write(list_of(all=["all"], reader=["read,list,watch app/"]))
        secret = os.path.join(folder.name, "secret")
        cli("keygen", "--out", secret)
        cls.launcher = Launcher(2, max_ports=2, arguments=("--require-all", "--start-timeout", "20s"), env={
            "REPRAM_CLUSTER_SECRET_FILE": secret, "REPRAM_ACL_FILE": cls.acl, "REPRAM_MIN_TTL": 1})
        # It has no token, and so is told by nobody who his peers are.
        wait_until(lambda: "2 nodes are ready" in cls.launcher.output(), "the launcher sees its nodes form", 20)
        cls.base = cls.launcher.base

    def cli(self, *words, token=None, **options):
        env = {"BASE_PORT": self.base, "MAX_PORTS": 2, "NODE_COUNT": 2}
        if token is not None:
            env["REPRAM_TOKEN"] = token
        done = cli(*words, env=env, **options)
        self.assertNotIn(b"rt1_", done.stderr)
        return done

    def test_who_has_no_right_still_learns_whether_the_cluster_is_well(self):
        for words in (("health", "--all"), ("wait", "--members", "2"), ("wait", "--members", "2", "--json")):
            done = self.cli(*words)
            self.assertEqual((done.returncode, done.stderr), (0, b""), words)
        self.assertEqual(json.loads(done.stdout), {"members": 2, "asked": 2, "converged": None})
        done = self.cli("wait", "--members", "3", "--timeout", "300ms")
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"sees 2 of 3 members", done.stderr)

    def test_without_a_token_all_else_is_refused_and_says_where_one_is_taken_from(self):
        for words in (("put", "app/k", "v"), ("get", "app/k"), ("head", "app/k"), ("keys",), ("watch",), ("peers",),
                      ("status",), ("export", "-"), ("import", "/dev/null")):
            done = self.cli(*words)
            self.assertEqual((done.returncode, done.stdout), (FAILED, b""), words)
            self.assertIn(b"the node answers 401", done.stderr)
            self.assertIn(b"REPRAM_TOKEN_FILE", done.stderr)

    def test_with_a_token_every_command_does_its_work(self):
        self.assertEqual(self.cli("put", "app/k", "v", "--ttl", "10m", token=ALL).returncode, 0)
        self.assertEqual(self.cli("get", "app/k", token=ALL).stdout, b"v")
        for words in (("head", "app/k"), ("keys",), ("peers",), ("status",), ("health", "--all"),
                      ("wait", "-n", "2", "--converged"),
                      ("bench", "-n", "50", "--keys", "4", "-c", "2", "--ttl", "10")):
            done = self.cli(*words, token=ALL)
            self.assertEqual((done.returncode, done.stderr), (0, b""), words)
        exported = self.cli("export", "-", "--prefix", "app/k", token=ALL)
        self.assertEqual(exported.returncode, 0, exported.stderr)
        done = self.cli("import", "-", token=ALL, data=exported.stdout)
        self.assertIn(b"skipped 1: there already", done.stdout)

    def test_a_token_that_may_less_is_told_what_it_may_not(self):
        self.assertEqual(self.cli("put", "app/r", "v", token=ALL).returncode, 0)
        self.assertEqual(self.cli("get", "app/r", token=READER).stdout, b"v")
        self.assertIn(b"app/r\n", self.cli("keys", "--prefix", "app/", token=READER).stdout)
        for words in (("put", "app/r", "w"), ("get", "other"), ("keys",), ("peers",), ("status",)):
            done = self.cli(*words, token=READER)
            self.assertEqual((done.returncode, done.stdout), (FAILED, b""), words)
            self.assertIn(b"the node answers 403 forbidden: ", done.stderr)
        self.assertEqual(self.cli("wait", "-n", "2", token=READER).returncode, 0)
        done = self.cli("get", "app/r", token=READER + "x")
        self.assertIn(b"the node answers 401 unauthorized: ", done.stderr)


class Https(Case):
    """Nodes with certificates, whose clients prove who they are by one too."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = Authority()
        cls.addClassCleanup(cls.authority.close)
        cls.client = cls.authority.issue("client", "")
        node = cls.authority.issue("node")
        cls.launcher = Launcher(2, max_ports=2, arguments=("--require-all", "--start-timeout", "20s"), env={
            "REPRAM_TLS_CERT": node.cert, "REPRAM_TLS_KEY": node.key, "REPRAM_TLS_CA": cls.authority.cert,
            "REPRAM_MIN_TTL": 1})
        wait_until(lambda: "2 nodes are ready" in cls.launcher.output(), "the launcher sees its nodes form", 20)
        cls.env = {"BASE_PORT": cls.launcher.base, "MAX_PORTS": 2, "NODE_COUNT": 2}
        cls.trusting = ("--cacert", cls.authority.cert)
        cls.shown = (*cls.trusting, "--cert", cls.client.cert, "--key", cls.client.key)

    def cli(self, *words, **options):
        return cli(*words, env=self.env, **options)

    def test_the_launchers_table_names_addresses_by_https(self):
        self.assertIn(f"https://localhost:{self.launcher.base}", self.launcher.output())

    def test_by_plain_http_only_probes_pass_and_all_else_is_told_of_https(self):
        for words in (("health", "--all"), ("wait", "--members", "2")):
            done = self.cli(*words)
            self.assertEqual((done.returncode, done.stderr), (0, b""), words)
        for words in (("put", "k", "v"), ("get", "k"), ("keys",), ("watch",), ("peers",), ("status",), ("export", "-")):
            done = self.cli(*words)
            self.assertEqual((done.returncode, done.stdout), (FAILED, b""), words)
            self.assertIn(b"the node answers 403 tls_required: ", done.stderr)
            self.assertIn(b"; name the server as https://, and by --cacert FILE the authority", done.stderr)

    def test_by_https_and_with_a_certificate_every_command_does_its_work(self):
        done = self.cli("put", "k", "v", "--ttl", "10m", *self.shown)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.cli("get", "k", *self.shown).stdout, b"v")
        for words in (("head", "k"), ("keys",), ("peers",), ("status",), ("health", "--all"),
                      ("wait", "-n", "2", "--converged"),
                      ("bench", "-n", "200", "--keys", "4", "-c", "2", "--size", "30000", "--ttl", "10"),
                      ("get", "k", "--server", f"https://localhost:{self.launcher.base}")):
            done = self.cli(*words, *self.shown)
            self.assertEqual((done.returncode, done.stderr), (0, b""), words)
        exported = self.cli("export", "-", "--prefix", "k", *self.shown)
        self.assertEqual(exported.returncode, 0, exported.stderr)
        done = self.cli("import", "-", *self.shown, data=exported.stdout)
        self.assertIn(b"skipped 1: there already", done.stdout)

    def test_a_large_value_goes_up_and_comes_back(self):
        value = os.urandom(5 << 20)
        done = self.cli("put", "large", "-", "--ttl", "10m", *self.shown, data=value)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.cli("get", "large", *self.shown).stdout, value)

    def test_who_shows_none_has_the_probes_alone_and_who_trusts_nobody_nothing(self):
        for words in (("health", "--all"), ("wait", "--members", "2")):
            done = self.cli(*words, *self.trusting)
            self.assertEqual((done.returncode, done.stderr), (0, b""), words)
        done = self.cli("keys", *self.trusting)
        self.assertEqual((done.returncode, done.stdout), (FAILED, b""))
        self.assertRegex(done.stderr, b"the node answers 40[13]")
        done = self.cli("get", "k", "--server", f"https://localhost:{self.launcher.base}")
        self.assertIn(b"no authority that is trusted here has signed it", done.stderr)


class Named(Case):
    """Nodes whose certificate is for a name alone, as public authorities sign it."""

    def test_a_certificate_that_lacks_the_address_is_told_with_what_it_has_by_every_command(self):
        authority = Authority()
        self.addCleanup(authority.close)
        node = authority.issue("node", "DNS:localhost,DNS:*.nodes.example")
        launcher = Launcher(2, max_ports=2, env={"REPRAM_TLS_CERT": node.cert, "REPRAM_TLS_KEY": node.key})
        wait_until(lambda: "2 nodes are ready" in launcher.output(), "the launcher sees its nodes form", 20)
        env = {"BASE_PORT": launcher.base, "MAX_PORTS": 2, "NODE_COUNT": 2}
        trusting = ("--cacert", authority.cert)
        words = (": certificate refused: it is for localhost, *.nodes.example, not for 127.0.0.1: name the server as "
                 "the certificate does, or have IP:127.0.0.1 put into it (subjectAltName)")
        named = ("--server", f"https://localhost:{launcher.base}")
        for command in (("get", "k"), ("put", "k", "v"), ("keys",), ("watch",), ("peers",), ("status",),
                        ("export", "-"), ("health",), ("health", "--all"), ("health", "--all", "--json"),
                        ("wait", "-n", "2", "--timeout", "300ms"), ("bench", "-n", "10"),
                        ("wait", "-n", "2", "--timeout", "300ms", *named)):  # which asks members where they say
            done = cli(*command, *trusting, env=env)
            self.assertEqual(done.returncode, FAILED, command)
            self.assertEqual(done.stderr.decode().count(words), 1, (command, done.stderr))
            self.assertEqual(done.stderr.count(b"\n"), 1, (command, done.stderr))
        for command in (("put", "k", "v"), ("get", "k"), ("peers",), ("health", "--all")):
            done = cli(*command, *trusting, *named, env=env)
            self.assertEqual(done.returncode, 0, (command, done.stderr))


if __name__ == "__main__":
    harness.main()
