"""Which server a client command asks: of several, and of the nodes of this host."""

import os
import signal
import threading

import harness
from harness import FAILED, USAGE, Case, Node, cli, cluster, wait_until
from scripted import Answer, Scripted, problem

OK = 0
BAD_CONFIGURATION = 78
STORED = Answer(b"OK", 201, {"ETag": '"e"', "X-Original-TTL": "600", "X-Remaining-TTL": "600",
                             "X-Replicas": "1/1"})
JOINING = problem(503, "joining", "not yet")


CUT = Answer(b"O", 201, {"Content-Length": "9"})  # the connection ends before the answer does


def busy(code="overloaded", after="1", status=503):
    answer = problem(status, code, "later")
    answer.headers = {"Retry-After": after}
    return answer


def named(*servers):
    return ("--server", ",".join(server.name for server in servers))


class Several(Case):
    """Of several servers the next one is asked when one fails."""

    def server(self, answers):
        server = Scripted(answers)
        self.addCleanup(server.close)
        return server

    def test_a_read_goes_on_to_the_next_server_after_any_failure_of_one(self):
        good = self.server({"/v1/data/k": Answer(b"v"), "/v1/keys": Answer({"keys": ["k"]})})
        for status in (500, 502, 503, 504, 507):
            bad = self.server({"/v1/data/k": problem(status, "internal", "no"),
                               "/v1/keys": problem(status, "internal", "no")})
            with self.subTest(status=status):
                done = cli("get", "k", *named(bad, good))
                self.assertEqual((done.returncode, done.stdout), (OK, b"v"), done.stderr)
                self.assertEqual(cli("keys", *named(bad, good)).stdout, b"k\n")
                self.assertEqual(bad.targets().count("/v1/data/k"), 1)

    def test_a_key_that_one_server_does_not_have_is_not_asked_for_elsewhere(self):
        first, second = self.server({}), self.server({"/v1/data/k": Answer(b"v")})
        self.assertEqual(cli("get", "k", *named(first, second)).returncode, FAILED)
        self.assertEqual(second.asked, [])

    def test_the_refusal_is_told_when_all_fail_also_before_one_that_is_silent(self):
        refusing = self.server({"/v1/data/k": problem(500, "internal", "out of order")})
        nobody = f"127.0.0.1:{harness.free_base(1)}"
        done = cli("get", "k", "--server", refusing.name, "--server", nobody)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"500 internal: out of order", done.stderr)

    def test_a_write_that_was_refused_for_now_goes_to_the_next_server(self):
        for code in ("joining", "draining", "overloaded", "clock_ahead"):
            refusing = self.server({"/v1/data/k": busy(code)})
            taking = self.server({"/v1/data/k": STORED})
            with self.subTest(code=code):
                done = cli("put", "k", "v", *named(refusing, taking))
                self.assertEqual(done.returncode, OK, done.stderr)
                self.assertEqual([len(refusing.asked), len(taking.asked)], [1, 1])
                self.assertEqual(taking.asked[0][2], b"v")

    def test_what_is_refused_for_now_is_said_again_after_retry_after(self):
        limited = busy("rate_limited", status=429)
        server = self.server({"/v1/data/k": [busy(after="soon"), limited, STORED]})
        done = cli("put", "k", "v", *named(server))
        self.assertEqual(done.returncode, OK, done.stderr)
        self.assertEqual([body for _, _, body, _ in server.asked], [b"v"] * 3)
        server = self.server({"/v1/data/k": [limited, busy(), Answer(b"v")]})
        self.assertEqual(cli("get", "k", *named(server)).stdout, b"v")

    def test_a_server_of_which_too_much_was_asked_is_passed_over(self):
        for answer, *command in ((STORED, "put", "k", "v"), (Answer(b"v"), "get", "k")):
            limited = self.server({"/v1/data/k": busy("rate_limited", "60", 429)})
            with self.subTest(command=command):
                done = cli(*command, *named(limited, self.server({"/v1/data/k": answer})))
                self.assertEqual(done.returncode, OK, done.stderr)

    def test_any_other_failure_of_a_write_is_final(self):
        for status in (500, 501, 502, 504, 507):
            bad, good = self.server({"/v1/data/k": problem(status, "internal", "no")}), self.server({})
            with self.subTest(status=status):
                done = cli("put", "k", "v", *named(bad, good))
                self.assertEqual((done.returncode, done.stderr),
                                 (FAILED, f"repram put: the node answers {status} internal: no\n".encode()))
                self.assertEqual((len(bad.asked), good.asked), (1, []))

    def test_a_write_whose_answer_is_lost_goes_to_one_more_server(self):
        silent = Answer(b"O", 201, {"Content-Length": "9"}, stays=True)
        nobody = f"127.0.0.1:{harness.free_base(1)}"
        for lost in (CUT, silent):
            first, good = self.server({"/v1/data/k": lost}), self.server({"/v1/data/k": STORED})
            done = cli("put", "k", "v", "--server", nobody, *named(first), "--server", nobody, *named(good),
                       "--timeout", "3s")
            self.assertEqual((done.returncode, done.stderr), (OK, b""))
            self.assertEqual([len(first.asked), len(good.asked)], [1, 1])
            second, third = self.server({"/v1/data/k": lost}), self.server({"/v1/data/k": STORED})
            for servers in ((first, second, third), (first,)):
                done = cli("put", "k", "v", *named(*servers), "--timeout", "1s")
                self.assertEqual(done.returncode, FAILED)
                self.assertIn(b"it may have been stored all the same", done.stderr)
            self.assertEqual([len(first.asked), len(second.asked), len(third.asked)], [3, 1, 0])

    def test_a_write_is_not_said_again_beyond_the_timeout_nor_without_retry_after(self):
        for answer in (busy(after="5"), JOINING):
            server = self.server({"/v1/data/k": answer})
            done = cli("put", "k", "v", "--timeout", "3s", *named(server))
            self.assertEqual(done.returncode, FAILED)
            self.assertIn(b"503", done.stderr)
            self.assertEqual(len(server.asked), 1)

    def test_what_is_wrong_with_a_write_is_told_at_once(self):
        wrong, taking = (self.server({"/v1/data/k": problem(413, "value_too_large", "no")}),
                         self.server({"/v1/data/k": STORED}))
        done = cli("put", "k", "v", *named(wrong, taking))
        self.assertEqual(done.returncode, FAILED)
        self.assertEqual(taking.asked, [])

    def test_a_listing_goes_on_from_the_same_cursor_when_its_server_fails(self):
        first = self.server({"/v1/keys": [Answer({"keys": ["a"], "next_cursor": "YQ"}),
                                          problem(500, "internal", "no")]})
        second = self.server({"/v1/keys": Answer({"keys": ["b"]})})
        done = cli("keys", *named(first, second))
        self.assertEqual((done.returncode, done.stdout), (OK, b"a\nb\n"), done.stderr)
        self.assertIn("cursor=YQ", second.targets()[0])

    def test_words_that_are_no_server_are_named(self):
        for text, word in (("a:1, [fe80::1%lo]:1", b"'[fe80::1%lo]:1'"), ("a:1,,b:2", b"''"),
                           ("a:1,b:x", b"'b:x'")):
            with self.subTest(text=text):
                done = cli("get", "k", "--server", text)
                self.assertEqual(done.returncode, USAGE)
                self.assertIn(b"--server: " + word + b" is no server", done.stderr)
                done = cli("get", "k", env={"REPRAM_SERVER": text})
                self.assertEqual(done.returncode, BAD_CONFIGURATION)
                self.assertIn(b"REPRAM_SERVER: " + word, done.stderr)


class Ports(Case):
    def test_a_server_without_a_port_is_asked_at_base_port(self):
        node = Node()
        env = {"BASE_PORT": node.port}
        for server in ("127.0.0.1", "localhost", f"HTTP://127.0.0.1:{node.port}",
                       f"127.0.0.1:1, 127.0.0.1:{node.port}"):
            with self.subTest(server=server):
                done = cli("status", "--json", "--server", server, env=env)
                self.assertEqual(done.returncode, OK, done.stderr)
        done = cli("status", "--server", "127.0.0.1", env={"BASE_PORT": "x"})
        self.assertEqual(done.returncode, BAD_CONFIGURATION)
        done = cli("status", "--server", node.address + f":{node.port}", env={"BASE_PORT": "x"})
        self.assertEqual(done.returncode, OK, done.stderr)


class Neighbours(Case):
    """Nodes of other clusters on the ports of this host are passed over."""

    @classmethod
    def setUpClass(cls):
        cls.base = harness.free_base()
        cls.staging = Node(base=cls.base, env={"REPRAM_NETWORK": "staging"})
        cls.apart = Node(base=cls.base, env={"REPRAM_ENCLAVE": "apart"})
        cls.ours = Node(base=cls.base)
        cls.nodes = (cls.staging, cls.apart, cls.ours)

    @classmethod
    def tearDownClass(cls):
        for node in cls.nodes:
            node.close()

    def cli(self, *arguments, **env):
        return cli(*arguments, env={"BASE_PORT": self.base, **env})

    def test_a_write_goes_to_the_cluster_that_the_environment_names(self):
        for env, owner in (({}, self.ours), ({"REPRAM_NETWORK": "staging"}, self.staging),
                           ({"REPRAM_ENCLAVE": "apart"}, self.apart)):
            with self.subTest(env=env):
                done = self.cli("put", f"to-{owner.port}", "v", **env)
                self.assertEqual(done.returncode, OK, done.stderr)
                self.assertEqual([node for node in self.nodes if node.get(f"to-{owner.port}").status == 200],
                                 [owner])
                self.assertEqual(self.cli("get", f"to-{owner.port}", **env).stdout, b"v")
                self.assertEqual(self.cli("keys", "-p", "to-", **env).stdout,
                                 f"to-{owner.port}\n".encode())

    def test_what_is_not_about_data_asks_any_enclave_of_the_network(self):
        done = self.cli("status", "--json", REPRAM_ENCLAVE="third")
        self.assertEqual(done.returncode, OK, done.stderr)

    def test_nodes_that_were_passed_over_are_named_when_none_is_left(self):
        for command in (("put", "k", "v"), ("watch", "--new"), ("wait", "-n", "1", "-t", "300ms"),
                        ("bench", "-n", "1")):
            with self.subTest(command=command):
                done = self.cli(*command, REPRAM_NETWORK="third")
                self.assertEqual(done.returncode, FAILED)
                self.assertIn(b"(REPRAM_NETWORK)", done.stderr)
        done = self.cli("get", "k", REPRAM_ENCLAVE="third")
        self.assertIn(f"port {self.apart.port} is a node of enclave apart (REPRAM_ENCLAVE)".encode()
                      if self.apart.port > self.ours.port else b"of enclave default (REPRAM_ENCLAVE)",
                      done.stderr)


class Ending(Case):
    """One of three nodes ends, and the commands go on with the others."""

    def setUp(self):
        self.launcher, self.nodes = cluster(3)
        self.env = {"BASE_PORT": self.launcher.base}

    def all_go_on(self, *servers):
        for arguments in (("put", "k", "v2"), ("get", "k"), ("head", "k"), ("keys",)):
            done = cli(*arguments, *servers, env=self.env)
            self.assertEqual(done.returncode, OK, (arguments, done.stderr))
        self.assertEqual(cli("get", "k", *servers, env=self.env).stdout, b"v2")

    def test_a_killed_node_costs_nothing(self):
        self.assertEqual(cli("put", "k", "v", env=self.env).returncode, OK)
        self.launcher.signal(signal.SIGSTOP)  # so that it is not started again
        os.kill(self.launcher.node_pids()[self.nodes[0].port], signal.SIGKILL)
        wait_until(lambda: harness.is_free(self.nodes[0].port), "it is gone", 5)
        self.all_go_on("--server", ", ".join(f"127.0.0.1:{node.port}" for node in self.nodes))
        self.all_go_on()
        self.launcher.signal(signal.SIGCONT)

    def test_a_node_that_drains_refuses_and_the_next_takes_the_write(self):
        base = harness.free_base()
        env = {"REPRAM_DRAIN_GRACE": "0"}
        leaving, other = Node(base=base, env=env), Node(base=base, env=env)
        harness.wait_formed([leaving, other])
        seen = []
        stop = threading.Event()

        def write():
            number = 0
            while not stop.is_set():
                number += 1
                seen.append(cli("put", f"n{number}", "v", "--server",
                                f"127.0.0.1:{leaving.port},127.0.0.1:{other.port}"))

        writer = threading.Thread(target=write)
        writer.start()
        wait_until(lambda: len(seen) > 3, "writes pass", 10)
        leaving.signal(signal.SIGTERM)
        self.assertEqual(leaving.wait(), OK)
        count = len(seen)
        wait_until(lambda: len(seen) > count + 3, "writes go on", 10)
        stop.set()
        writer.join()
        self.assertEqual([done.stderr for done in seen if done.returncode != OK], [])
        self.assertEqual(other.keys(), sorted(f"n{at + 1}" for at in range(len(seen))))


if __name__ == "__main__":
    harness.main()
