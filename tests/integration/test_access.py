"""Rules of REPRAM_ACL_FILE on a running cluster: who may do what, and what happens when they change."""

import contextlib
import datetime
import hashlib
import http.client
import json
import os
import signal
import socket
import tempfile
import time

import harness
from harness import FAILED, Case, Launcher, Node, Program, cli, cluster, free_base, wait_until
from test_watch import Watcher

BAD_CONFIGURATION = 78
SOON = 1.0  # seconds in which a watcher hears that its right is gone; the machine may be slow, the node not
RULES = """
user alice {alice}
allow read,write,list app/
allow watch app/
allow write small/ ttl<=10m size<=10
user bob {bob}
allow all
user carol {carol}{end}
allow watch,read app/
user *
allow status,metrics
"""


def hashed(token):
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


class Access(Case):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.file = os.path.join(self.folder.name, "acl")
        self.watchers = []
        self.addCleanup(lambda: [watcher.close() for watcher in self.watchers])
        self.write()

    def write(self, text=RULES, end="", **tokens):
        hashes = {name: hashed(tokens.get(name, name)) for name in ("alice", "bob", "carol")}
        with open(self.file + ".new", "w", encoding="utf-8") as file:
            file.write(text.format(end=end, **hashes))
        os.rename(self.file + ".new", self.file)

    def watch(self, node, token, query="prefix=app/", last_id=None):
        watcher = Watcher(node, query, last_id, headers=bearer(token))
        self.watchers.append(watcher)
        return watcher

    def start(self):
        return cluster(3, env={"REPRAM_BIND": "127.0.0.1", "REPRAM_ACL_FILE": self.file})

    def reload(self, launcher, nodes, name="repram_acl_reloads_total"):
        before = [node.metrics()[name] for node in nodes]
        launcher.signal(signal.SIGHUP)
        for node, count in zip(nodes, before):
            wait_until(lambda node=node, count=count: node.metrics()[name] > count, "the rules were read")

    def ended(self, watcher):
        wait_until(lambda: watcher.is_over, "the stream has ended", 5)
        self.assertEqual(watcher.events[-1].kind, "end")
        return watcher.events[-1].data["code"]

    def test_the_recipe_revoke(self):
        # token_revoked_mid_watch, other_watchers_untouched_by_reload, bad_acl_reload_keeps_old,
        # resume_with_other_rights_is_reset, and what each may do on each node.
        launcher, nodes = self.start()
        alice, bob = bearer("alice"), bearer("bob")
        for number, node in enumerate(nodes):
            self.assertEqual(node.put(f"app/{number}", b"x", headers=alice).status, 201)
            self.assertEqual(node.put("other", b"x", headers=alice).status, 403)
            self.assertEqual(node.put("small/k", b"0123456789", headers=alice, ttl=600).status, 201)
            self.assertEqual(node.put("small/k", b"0123456789+", headers=alice, ttl=600).status, 403)
            self.assertEqual(node.put("small/k", b"x", headers=alice, ttl=601).status, 403)
            self.assertEqual(node.get("app/0").status, 401)
            self.assertEqual(node.get("app/0").headers["www-authenticate"], "Bearer")
            self.assertEqual(node.get("app/0", headers=bearer("nobody")).status, 401)
            self.assertEqual(node.get("app/0", headers=alice).status, 200)
            self.assertEqual(node.request("GET", "/keys", headers=alice).status, 403)
            self.assertEqual(node.request("GET", "/keys", headers=bob).status, 200)
            self.assertEqual(node.request("GET", "/readyz").status, 200)
            for path in ("/", "/fade/", "/fade/board.js"):
                self.assertEqual(node.request("GET", path).status, 200)

        # A reload that changes nothing for them leaves streams alone.
        of_alice = self.watch(nodes[0], "alice").await_live()
        of_bob = self.watch(nodes[1], "bob", "prefix=").await_live()
        of_carol = self.watch(nodes[0], "carol", "prefix=app/&values=1").await_live()
        self.write(alice="alice")
        self.reload(launcher, nodes)
        self.assertEqual(nodes[2].put("app/told", b"x", headers=bob).status, 201)
        for watcher in (of_alice, of_bob, of_carol):
            wait_until(lambda watcher=watcher: "app/told" in watcher.keys(), "it heard of the write")
            self.assertFalse(watcher.is_over)

        # Whoever comes back for what he watched goes on; for anything else he begins anew.
        last = of_alice.last_id
        again = self.watch(nodes[0], "alice", last_id=last).await_live()
        self.assertEqual(again.of("reset"), [])
        other = self.watch(nodes[0], "bob", "prefix=app", last_id=last).await_live()
        self.assertEqual([event.data["reason"] for event in other.of("reset")], ["other_watch"])
        more = self.watch(nodes[0], "carol", "prefix=app/&values=1", last_id=last).await_live()
        self.assertEqual([event.data["reason"] for event in more.of("reset")], ["other_watch"])

        # A file with a mistake changes nothing.
        self.write("user alice {alice}\nallow nothing\n")
        self.reload(launcher, nodes, "repram_acl_reloads_failed_total")
        self.assertIn("line 2: 'nothing' is no verb", launcher.output())
        self.assertEqual(nodes[0].get("app/0", headers=alice).status, 200)
        self.assertFalse(of_alice.is_over)

        # Alice's token is taken back for another one, and carol's right to values.
        made = cli("keygen", "--token", "alice").stdout.decode().split("\n")
        token = made[0]
        self.assertEqual(made[1:], [f"user alice {hashed(token)}", ""])
        self.write(RULES.replace("watch,read app/", "watch app/"), alice=token)
        began = time.monotonic()
        self.reload(launcher, nodes)
        self.assertEqual(self.ended(of_alice), "forbidden")
        self.assertEqual(self.ended(of_carol), "forbidden")
        self.assertLess(of_alice.events[-1].at - began, SOON * harness.SLOW + 1)
        self.assertEqual(nodes[0].get("app/0", headers=alice).status, 401)
        self.assertEqual(nodes[1].put("app/last", b"x", headers=bearer(token)).status, 201)
        wait_until(lambda: "app/last" in of_bob.keys(), "bob goes on")
        self.assertFalse(of_bob.is_over)
        # An export without the right to read all that is listed ends, as it would lack entries.
        self.write(RULES.replace("allow all", "allow list,status\nallow read app/"))
        self.reload(launcher, nodes)
        done = cli("export", "--server", f"127.0.0.1:{nodes[0].port}", env={"REPRAM_TOKEN": "bob"})
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"the token may list keys that it may not read", done.stderr)
        output = launcher.output()
        self.assertIn("the rules are read anew: 4 users, 6 lines, digest ", output)
        with open(self.file, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()[:16]
        for node in nodes:  # so whoever has revoked something sees that all nodes know
            self.assertEqual(node.request("GET", "/status", headers=bearer("bob")).json()["access"],
                             {"users": 4, "rules": 7, "digest": digest})
        self.assertRegex(output, r"refused: user alice from 127\.0\.0\.1: write /data/other")
        self.assertNotIn(token, output)
        self.assertNotIn("Bearer", output)

    def test_a_healthy_start_and_probes_are_refused_nothing(self):
        self.write("user alice {alice}\nallow read\n")
        launcher = Launcher(3, env={"REPRAM_BIND": "127.0.0.1", "REPRAM_ACL_FILE": self.file})
        wait_until(lambda: "nodes are ready after" in launcher.output(), "the table is there")
        env = {"BASE_PORT": launcher.base, "NODE_COUNT": 3}
        self.assertEqual(cli("health", "--all", env=env).returncode, 0)
        self.assertRegex(launcher.output(), r"127\.0\.0\.1|localhost")
        self.assertNotIn("refused", launcher.output())
        # Who waits may ask for the members once, and goes on by what everybody is answered.
        for members, code in ((3, 0), (4, FAILED)):
            done = cli("wait", "--members", str(members), "--timeout", "1s", env=env)
            self.assertEqual(done.returncode, code, done.stderr)
        self.assertLessEqual(launcher.output().count("refused: no token"), 2)

    def test_a_storm_of_hups_and_files_that_are_none_keep_nobody_waiting(self):
        comment = "#" * 79 + "\n"
        self.write(RULES + comment * 50_000)  # near its limit of 4 MiB
        node = Node(free_base(), env={"REPRAM_BIND": "127.0.0.1", "REPRAM_ACL_FILE": self.file})
        wait_until(node.is_ready, "the node is ready")
        watchers = [self.watch(node, "bob", "prefix=").await_live() for _ in range(3)]
        before = node.metrics()["repram_acl_reloads_total"]
        began = time.monotonic()
        for number in range(1000):
            node.signal(signal.SIGHUP)
            if number % 250 == 0:
                self.assertEqual(node.put(f"app/{number}", b"x", headers=bearer("bob")).status, 201)
        wait_until(lambda: node.metrics()["repram_acl_reloads_total"] > before, "the rules were read")
        wait_until(lambda: all("app/750" in watcher.keys() for watcher in watchers), "streams went on")
        count = node.metrics()["repram_acl_reloads_total"] - before
        gaps = (time.monotonic() - began) / 0.1
        self.assertLessEqual(count, gaps + 2)  # once for all HUPs of 100 ms
        # What cannot be read leaves the rules as they were, whatever stands there.
        for number, make in enumerate((
                lambda: os.mkdir(self.file), lambda: os.mkfifo(self.file), lambda: os.symlink(self.file, self.file),
                lambda: os.symlink("/dev/zero", self.file), lambda: None), start=1):
            if os.path.isdir(self.file):
                os.rmdir(self.file)
            elif os.path.lexists(self.file):
                os.unlink(self.file)
            make()
            node.signal(signal.SIGHUP)
            wait_until(lambda n=number: node.metrics()["repram_acl_reloads_failed_total"] == n, "it is refused")
            self.assertEqual(node.put("app/still", b"x", headers=bearer("alice")).status, 201)
        for words in ("Is a directory", "it is a pipe or a device", "Too many levels of symbolic links", "too long",
                      "No such file or directory"):
            self.assertIn(f"cannot be read: {words}", node.output())
        self.assertFalse(any(watcher.is_over for watcher in watchers))

    def test_a_body_in_chunks_that_outgrows_its_bound_is_refused_as_soon_as_that_is_known(self):
        self.write("user alice {alice}\nallow write small/ size<=10\nallow write large/\nallow read,metrics\n")
        node = Node(free_base(), env={"REPRAM_BIND": "127.0.0.1", "REPRAM_ACL_FILE": self.file})
        wait_until(node.is_ready, "the node is ready")
        alice = bearer("alice")
        for chunks, status in (([b"10 bytes.."], 201), ([b"1"] * 10, 201), ([b"1"] * 11, 403), ([b"11 bytes..."], 403)):
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", node.port, timeout=10 * harness.SLOW)) as kept:
                kept.request("PUT", "/data/small/k", iter(chunks), headers=alice, encode_chunked=True)
                answer = kept.getresponse()
                self.assertEqual(answer.status, status, chunks)
                if status == 403:
                    problem = json.loads(answer.read())
                    self.assertEqual((problem["code"], problem["detail"]),
                                     ("forbidden", "This token may write here at most 10 bytes."))
        # One that has announced too much is refused before it comes, and what it was is nowhere.
        with socket.create_connection(("127.0.0.1", node.port), timeout=10 * harness.SLOW) as connection:
            connection.sendall(b"PUT /data/small/other HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer alice\r\n"
                               b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n400000\r\n")
            answer = b""
            while b"at most 10 bytes" not in answer:
                answer += connection.recv(4096) or self.fail(answer)
            self.assertIn(b" 403 ", answer)
        self.assertEqual(node.get("small/other", headers=alice).status, 404)
        self.assertEqual(node.request("GET", "/metrics", headers=alice).body.count(b"repram_acl_forbidden_total 3"), 1)
        self.assertEqual(node.output().count("refused: user alice from 127.0.0.1: write /data/small/"), 3)
        # Rules that become narrower while a body comes are kept to as well.
        with socket.create_connection(("127.0.0.1", node.port), timeout=10 * harness.SLOW) as connection:
            connection.sendall(b"PUT /data/large/k HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer alice\r\n"
                               b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
            self.assertIn(b" 100 ", connection.recv(4096))
            connection.sendall(b"14\r\n" + b"x" * 20 + b"\r\n")
            self.write("user alice {alice}\nallow write large/ size<=10\nallow read,metrics\n")
            node.signal(signal.SIGHUP)
            wait_until(lambda: "the rules are read anew" in node.output(), "the rules were read")
            connection.sendall(b"0\r\n\r\n")
            self.assertIn(b" 403 ", connection.recv(4096))
        self.assertEqual(node.get("large/k", headers=alice).status, 404)

    def test_token_expires_mid_watch(self):
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)
        self.write(end=f" expires={end.strftime('%Y-%m-%dT%H:%M:%S')}Z")
        node = Node(free_base(), env={"REPRAM_BIND": "127.0.0.1", "REPRAM_ACL_FILE": self.file})
        wait_until(node.is_ready, "the node is ready")
        going, staying = self.watch(node, "carol"), self.watch(node, "bob")
        self.assertEqual(self.ended(going), "forbidden")
        self.assertFalse(staying.is_over)
        self.assertEqual(node.get("app/x", headers=bearer("carol")).status, 401)
        self.assertEqual(node.metrics()["repram_acl_bad_token_total"], 1)

    def test_wrong_tokens_are_slowed_and_good_ones_behind_the_same_address_are_not(self):
        node = Node(free_base(), env={"REPRAM_BIND": "127.0.0.1", "REPRAM_ACL_FILE": self.file})
        wait_until(node.is_ready, "the node is ready")
        statuses = [node.get("app/x", headers=bearer("guess")).status for _ in range(60)]
        self.assertEqual(statuses[:10], [401] * 10)
        self.assertIn(429, statuses)
        self.assertEqual({node.get("app/x", headers=bearer("alice")).status for _ in range(30)}, {404})
        self.assertGreater(node.metrics()["repram_acl_bad_token_limited_total"], 0)
        self.assertLessEqual(node.output().count("refused: "), 10 * 20)

    def test_an_acl_needs_a_secret_unless_it_stays_on_this_host(self):
        program = Program("node", env={"REPRAM_ACL_FILE": self.file})
        self.assertEqual(program.wait(), BAD_CONFIGURATION)
        self.assertIn("REPRAM_CLUSTER_SECRET has no key", program.output())
        checked = cli("node", "--check-config", env={"REPRAM_ACL_FILE": self.file,
                                                     "REPRAM_BIND": "127.0.0.1"})
        self.assertEqual((checked.returncode, checked.stdout), (0, b"the configuration is good\n"))
        self.write("user alice {alice}\nallow all ttl<=x\n")
        checked = cli("launch", "--check-config", env={"REPRAM_ACL_FILE": self.file,
                                                       "REPRAM_BIND": "127.0.0.1"})
        self.assertEqual(checked.returncode, BAD_CONFIGURATION)
        self.assertIn(b"line 2: ttl<= takes", checked.stderr)

    def test_a_hup_does_not_take_the_last_key_from_a_node_with_rules(self):
        secret = os.path.join(self.folder.name, "secret")
        self.assertEqual(cli("keygen", "--out", secret).returncode, 0)
        node = Node(free_base(), env={"REPRAM_ACL_FILE": self.file, "REPRAM_CLUSTER_SECRET_FILE": secret})
        wait_until(node.is_ready, "the node is ready")
        self.assertIn("tokens cross the network unencrypted", node.output())
        self.assertEqual(node.get("app/x", headers=bearer("alice")).status, 404)
        self.assertEqual(node.get("app/x").status, 401)
        self.assertEqual(node.request("GET", "/gossip", headers=bearer("bob")).status, 403)
        with open(secret, "w", encoding="utf-8") as file:
            file.write("open\n")
        node.signal(signal.SIGHUP)
        wait_until(lambda: "REPRAM_CLUSTER_SECRET has no key any more" in node.output(), "it says no", 5)
        self.assertEqual(node.request("GET", "/gossip").status, 403)

    def test_a_launcher_refuses_at_a_hup_what_its_nodes_refuse(self):
        secret = os.path.join(self.folder.name, "secret")
        self.assertEqual(cli("keygen", "--out", secret).returncode, 0)
        launcher = Launcher(2, env={"REPRAM_ACL_FILE": self.file, "REPRAM_CLUSTER_SECRET_FILE": secret})
        harness.wait_formed(launcher.nodes())
        with open(secret, "w", encoding="utf-8") as file:
            file.write("open\n")
        launcher.signal(signal.SIGHUP)
        said = "no setting has changed: REPRAM_CLUSTER_SECRET has no key any more"
        wait_until(lambda: launcher.output().count(said) == 3, "the launcher and both nodes say no", 5)
        # So one that comes back has the key, and does not end for want of one.
        os.kill(next(iter(launcher.node_pids().values())), signal.SIGKILL)
        wait_until(lambda: launcher.output().count("serves on port") == 3, "a node comes back")
        for node in harness.wait_formed(launcher.nodes(), 30):
            self.assertEqual(node.request("GET", "/gossip").status, 403)

    def test_acl_check_says_what_would_be_decided_and_by_which_line(self):
        token = os.path.join(self.folder.name, "token")
        with open(token, "w", encoding="utf-8") as file:
            file.write("alice\n")
        mine = ("--token-file", token, "--request")
        with open(self.file, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()[:16].encode()
        for code, said, arguments in (
                (0, b"the rules are good: 4 users, 6 lines, digest " + digest + b"\n", ()),
                (0, b"write: allowed by line 3\nallowed: PUT /data/app/x by user alice\n",
                 (*mine, "PUT /data/app/x")),
                (FAILED, b"write: line 5 allows at most 10 bytes\nrefused, 403: "
                         b"PUT /data/small/x?ttl=5m by user alice\n",
                 (*mine, "PUT /data/small/x?ttl=5m", "--size", "11")),
                (FAILED, b"write: line 5 allows at most 600 s to live, and this would have 3600\n"
                         b"read: allowed with these prefixes alone: app/\n"
                         b"refused, 403: PUT /v1/data/small/x by user alice\n",
                 (*mine, "PUT /v1/data/small/x", "--conditional")),
                (FAILED, b"list: allowed with these prefixes alone: app/\n"
                         b"refused, 403: GET /scan by user alice\n", (*mine, "GET /scan")),
                (0, b"read: each key of the body is judged by itself\n"
                    b"allowed: POST /mget by user alice\n", (*mine, "POST /mget")),
                (0, b"allowed: GET /readyz takes no right\n", ("--request", "GET /readyz")),
                (0, b"status: allowed by line 11\nallowed: GET /peers by user *\n",
                 ("--request", "GET /peers")),
                (FAILED, b"read: no line allows it\nrefused, 401: GET /data/x by user *\n",
                 ("--request", "GET /data/x"))):
            with self.subTest(arguments=arguments):
                done = cli("acl", "check", self.file, *arguments)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (code, said, b""))
        # What no right helps is said as a node says it.
        for code, said, request in (
                (FAILED, "write: line 5 allows at most 600 s to live, and this says nothing that can be read\n"
                         "refused, 403: {} by user alice\n", "PUT /data/small/x?ttl=bad"),
                (FAILED, "write: allowed by line 3\nrefused, 400: {}: A time to live is", "PUT /data/app/x?ttl=bad"),
                (FAILED, "read: allowed by line 3\nrefused, 400: {}: A key has 1 to 1024 bytes", "GET /data/app/%00"),
                (FAILED, "read: allowed with these prefixes alone: app/\nrefused, 403: ", "GET /data/"),
                (FAILED, "list: allowed by line 3\nrefused, 400: {}: limit is", "GET /keys?prefix=app/&limit=x"),
                (FAILED, "watch: allowed by line 4\nrefused, 400: {}: snapshot is 0 or 1",
                 "GET /watch?prefix=app/&snapshot=x"),
                (FAILED, "refused, 405: {}: REPRAM has no delete, by design", "DELETE /data/app/x"),
                (FAILED, "refused, 405: {}: The methods of a key are GET, HEAD and PUT", "get /data/app/x"),
                (FAILED, "refused, 405: {}: This path is only read", "PUT /keys"),
                (FAILED, "refused, 404: {}: No such path", "GET //"),
                (FAILED, "refused, 404: {}: No such path", "GET /nothing"),
                (FAILED, "refused, 426: {}: This path is for links between nodes", "GET /gossip"),
                (0, "allowed: {} takes no right\n", "OPTIONS /data/app/x"),
                (0, "allowed: {} takes no right\n", "GET /fade/")):
            with self.subTest(request=request):
                done = cli("acl", "check", self.file, *mine, request)
                self.assertEqual((done.returncode, done.stderr), (code, b""))
                self.assertTrue(done.stdout.decode().startswith(said.format(request)), done.stdout)
        done = cli("acl", "check", self.file, *mine, "PUT /data/app/x", "--size", "11MiB")
        self.assertIn(b"refused, 413: ", done.stdout)
        done = cli("acl", "check", self.file, "--token-file", "/nowhere", "--request", "GET /readyz")
        self.assertEqual((done.returncode, done.stdout), (BAD_CONFIGURATION, b""))
        self.assertIn(b"--token-file=/nowhere cannot be read: No such file or directory", done.stderr)
        with open(token, "w", encoding="utf-8") as file:
            file.write("somebody\n")
        done = cli("acl", "check", self.file, *mine, "GET /data/x")
        self.assertEqual((done.returncode, done.stdout),
                         (FAILED, b"refused, 401: the token is nobody's in this file\n"))
        self.write("user carol {carol} expires=2020-01-01T00:00:00Z\n")
        with open(token, "w", encoding="utf-8") as file:
            file.write("carol\n")
        done = cli("acl", "check", self.file, *mine, "GET /data/x")
        self.assertEqual((done.returncode, done.stdout), (FAILED, b"refused, 401: the token is over\n"))
        done = cli("acl", "check", self.file)
        self.assertRegex(done.stdout.decode(), "^the rules are good: 1 user, 0 lines, digest [0-9a-f]{16}\n$")
        for arguments in ((), ("check",), ("look", self.file), ("check", self.file, "more"),
                          ("check", self.file, "--size", "1"), (*("check", self.file), "--request", "x"),
                          ("check", self.file, "--request", ""), ("check", self.file, "--request", "CONNECT a:1"),
                          ("check", self.file, "--request", "GET /x", "--size", "x")):
            self.assertEqual(cli("acl", *arguments).returncode, harness.USAGE, arguments)
        self.assertEqual(cli("acl", "check", "/nowhere").returncode, BAD_CONFIGURATION)


class Origins(Case):
    def test_only_pages_of_the_origins_named_may_read(self):
        node = Node(free_base(), env={"REPRAM_CORS": "https://a.example,http://localhost:3000"})
        wait_until(node.is_ready, "the node is ready")
        for origin, allowed in (("https://a.example", "https://a.example"),
                                ("http://localhost:3000", "http://localhost:3000"),
                                ("https://b.example", None), ("null", None)):
            for method, path in (("GET", "/health"), ("GET", "/data/none"), ("OPTIONS", "/data/k"),
                                 ("PUT", "/data/k")):
                reply = node.request(method, path, headers={"Origin": origin})
                self.assertEqual(reply.headers.get("access-control-allow-origin"), allowed, (origin, path))
                self.assertIn("Origin", reply.headers["vary"])
        self.assertIsNone(node.request("OPTIONS", "/data/k").headers.get("access-control-allow-headers"))


if __name__ == "__main__":
    harness.main()
