"""A node that is told to stop, before proxies know: it serves on, then leaves."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import harness
from harness import Case, Node, wait_formed, wait_until

HAPROXY = shutil.which("haproxy")


class Grace(Case):
    def trio(self, **env):
        """Three nodes, the first with these settings."""
        base = harness.free_base()
        nodes = [Node(base, env=env if n == 0 else {}) for n in range(3)]
        wait_formed(nodes)
        return nodes

    def test_it_is_not_ready_and_serves_reads_and_writes_until_it_leaves(self):
        # As long as it may be, so that what is asked here comes in its time; a second signal ends it.
        node, *others = self.trio(REPRAM_DRAIN_GRACE=60)
        uuid = node.uuid()
        node.put("before", b"x")
        node.signal(signal.SIGTERM)
        wait_until(lambda: not node.is_ready(), "it says that it is not ready", 5)
        self.assertEqual(node.request("GET", "/readyz").json()["reasons"], ["draining"])
        self.assertIn("not ready any more; serving for 60000 ms yet", node.output())
        self.assertTrue(node.holds("before", b"x"))
        reply = node.put("late", b"x")
        self.assertEqual((reply.status, reply.headers["x-replicas"].split("/")[1]), (201, "3"))
        for other in others:
            self.assertEqual(other.states()[uuid], "alive")
            self.assertEqual(other.put(f"by-{other.port}", b"x").status, 201)
            wait_until(lambda other=other: node.holds(f"by-{other.port}", b"x"), "it gets them", 5)
        node.signal(signal.SIGTERM)
        self.assertEqual(node.wait(5), 0)

    def test_after_it_the_node_leaves_and_ends_by_itself(self):
        node, *others = self.trio(REPRAM_DRAIN_GRACE="300ms")
        uuid = node.uuid()
        began = time.monotonic()
        self.assertEqual(node.stop(), 0)
        self.assertGreaterEqual(time.monotonic() - began, 0.3)
        self.assertIn("leaving the cluster and finishing requests", node.output())
        wait_until(lambda: all(other.states().get(uuid, "left") == "left" for other in others),
                   "the others know that it has left", 3)

    def test_who_was_not_ready_needs_none(self):
        node = Node(harness.free_base(), env={"REPRAM_DRAIN_GRACE": 60, "REPRAM_EXPECT_MEMBERS": 2})
        self.assertFalse(node.is_ready())
        self.assertEqual(node.stop(5), 0)
        self.assertNotIn("not ready any more", node.output())

    def test_a_write_without_its_quorum_is_answered_before_the_node_is_killed(self):
        node, *others = self.trio(REPRAM_WRITE_TIMEOUT=600)
        for other in others:
            other.signal(signal.SIGSTOP)
            self.addCleanup(other.signal, signal.SIGCONT)
        with socket.create_connection((node.address, node.port), timeout=30 * harness.SLOW) as client:
            client.sendall(b"PUT /data/k HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
            wait_until(lambda: node.holds("k", b"x"), "it is stored, and waits", 2)
            node.signal(signal.SIGTERM)
            self.assertTrue(client.recv(65536).startswith(b"HTTP/1.1 202 "))
        self.assertEqual(node.wait(), 0)
        self.assertNotIn("stopped with requests in progress", node.output())


class Load:
    """Clients that write, and read what all nodes hold, through one address on connections that they
    keep, until stopped; each request that is not answered as it should be is kept."""

    def __init__(self, port, clients=2):
        self.port = port
        self.failed = []
        self.written = set()
        self.is_over = False
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def ask(self, connection, method, path, wanted, body=None):
        try:
            connection.request(method, path, body=body)
            answer = connection.getresponse()
            answer.read()
            found = answer.status
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            found = repr(error)
        if found != wanted:
            self.failed.append((method, path, found))

    def run(self, number):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10 * harness.SLOW)
        turn = 0
        while not self.is_over:
            self.ask(connection, "PUT", f"/data/{number}-{turn}?ttl=600", 201, body=b"value")
            self.ask(connection, "GET", "/data/seed", 200)
            self.written.add(f"{number}-{turn}")
            turn += 1
        connection.close()

    def stop(self):
        self.is_over = True
        for thread in self.threads:
            thread.join()


@unittest.skipUnless(HAPROXY, "haproxy is not here")
class BehindAProxy(Case):
    """Nodes behind haproxy, set up as docs/http-api.md has it: it looks at /readyz each 200 ms, and
    does not try again what has failed."""

    COUNT = 3

    def start(self, base, number):
        return Node(env={"REPRAM_HTTP_PORT": base + number, "REPRAM_DRAIN_GRACE": 1,
                         "REPRAM_DISCOVERY": "static", "REPRAM_PEERS":
                         ",".join(f"127.0.0.1:{base + n}" for n in range(self.COUNT))})

    def proxy(self, base, folder):
        port = harness.free_base()
        path = os.path.join(harness.SOURCE_DIR, "docs/http-api.md")
        with open(path, encoding="utf-8") as file:
            text = file.read().split("<!-- haproxy -->")[1].split("```", 2)[1].split("\n", 1)[1]
        head, server = text.rsplit("    server node1 ", 1)
        self.assertIn("inter 200ms", head)
        servers = "".join(f"    server node{n} 127.0.0.1:{base + n} check\n"
                          for n in range(self.COUNT))
        self.assertEqual(server, "127.0.0.1:8081 check\n")
        conf = os.path.join(folder, "haproxy.cfg")
        with open(conf, "w", encoding="utf-8") as file:
            file.write(f"global\n    stats socket {folder}/stats\n"
                       + head.replace("bind :80", f"bind 127.0.0.1:{port}") + "    retries 0\n"
                       + servers)
        proxy = subprocess.Popen([HAPROXY, "-db", "-f", conf], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        self.addCleanup(proxy.wait)
        self.addCleanup(proxy.terminate)
        return port

    def up(self, folder):
        """The numbers of the servers that haproxy sends requests to."""
        with socket.socket(socket.AF_UNIX) as stats:
            stats.connect(f"{folder}/stats")
            stats.sendall(b"show stat\n")
            text = b""
            while piece := stats.recv(65536):
                text += piece
        rows = [line.split(",") for line in text.decode().splitlines()]
        return {int(row[1][4:]) for row in rows
                if len(row) > 17 and row[1].startswith("node") and row[17] == "UP"}

    def test_restarted_one_after_the_other_under_load_no_request_fails(self):
        base = harness.free_base()
        nodes = [self.start(base, n) for n in range(self.COUNT)]
        wait_formed(nodes)
        with tempfile.TemporaryDirectory() as folder:
            port = self.proxy(base, folder)
            all_up = set(range(self.COUNT))
            wait_until(lambda: self.up(folder) == all_up, "the proxy has found all", 5)
            nodes[0].put("seed", b"x")
            wait_until(lambda: all(node.holds("seed", b"x") for node in nodes), "all hold it", 5)
            load = Load(port)
            self.addCleanup(load.stop)
            for n in all_up:
                self.assertEqual(nodes[n].stop(), 0)
                self.assertNotIn("stopped with requests in progress", nodes[n].output())
                nodes[n] = self.start(base, n)
                wait_until(nodes[n].is_ready, "it is back", 10)
                wait_until(lambda: self.up(folder) == all_up, "the proxy knows", 5)
            load.stop()
            self.assertEqual(load.failed, [])
            self.assertGreater(len(load.written), 100)
            for node in nodes:
                wait_until(lambda node=node: load.written <= set(node.keys()), "no write is lost", 10,
                           every=0.2)

    def test_when_all_are_full_reads_pass(self):
        base = harness.free_base()
        nodes = [Node(env={"REPRAM_HTTP_PORT": base + n, "REPRAM_MAX_STORAGE_MB": 1,
                           "REPRAM_DISCOVERY": "static",
                           "REPRAM_PEERS": f"127.0.0.1:{base}"}) for n in range(self.COUNT)]
        wait_formed(nodes)
        with tempfile.TemporaryDirectory() as folder:
            port = self.proxy(base, folder)
            wait_until(lambda: len(self.up(folder)) == self.COUNT, "the proxy has found all", 5)
            nodes[0].put("small", b"x")
            number = 0
            for node in nodes:  # what one holds may be on its way to another yet
                while node.put(f"large-{number}", b"x" * 100_000).status != 507:
                    number += 1
            seen = nodes[0].metrics()['repram_http_responses_total{class="2xx"}']
            # Two looks of the proxy later it would have turned away from all.
            wait_until(lambda: nodes[0].metrics()['repram_http_responses_total{class="2xx"}'] >= seen + 8,
                       "it has been asked again and again", 10)
            self.assertEqual(len(self.up(folder)), self.COUNT)
            reply = harness.request("127.0.0.1", port, "GET", "/data/small")
            self.assertEqual((reply.status, reply.body), (200, b"x"))
            reply = harness.request("127.0.0.1", port, "PUT", "/data/new", body=b"x" * 200_000)
            self.assertEqual((reply.status, reply.json()["code"]), (507, "storage_full"))


if __name__ == "__main__":
    harness.main()
