"""The client commands, the launcher and the libraries on a cluster with an access list: what works for
everybody, what with a token, and what is said to the others."""

import hashlib
import json
import os
import tempfile

import harness
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
        cls.launcher = Launcher(2, max_ports=2, arguments=("--require-all", "--start-timeout", "20s"), env={
            "REPRAM_BIND": "127.0.0.1", "REPRAM_ACL_FILE": cls.acl, "REPRAM_MIN_TTL": 1})
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


if __name__ == "__main__":
    harness.main()
