"""A cluster of real processes on one host: forming, replication, expiry, crashes, enclaves, leaving."""

import concurrent.futures
import os
import random
import signal
import socket
import struct
import threading
import time

import harness
from harness import Case, Launcher, Node, cluster, stays, wait_formed, wait_until

VALUE_BYTES_MAX = 10 * 1024 * 1024


class Replication(Case):
    def test_three_nodes_form_and_a_write_on_each_is_read_on_all(self):
        _, nodes = cluster()
        for node in nodes:
            reply = node.put(f"from-{node.port}", f"value {node.port}")
            self.assertEqual(reply.status, 201, reply)
            have, members = reply.headers["x-replicas"].split("/")
            self.assertEqual(members, "3")
            self.assertGreaterEqual(int(have), 2)
        for node in nodes:
            for origin in nodes:
                wait_until(lambda n=node, o=origin: n.holds(f"from-{o.port}",
                                                            f"value {o.port}".encode()),
                           f"{node} has what {origin} took", 2)

    def test_etag_and_times_are_equal_on_every_node(self):
        _, nodes = cluster()
        etag = nodes[0].put("same", "x", ttl=600).headers["etag"]
        for node in nodes:
            wait_until(lambda n=node: n.get("same").status == 200, f"{node} has it", 2)
        replies = [node.get("same") for node in nodes]
        self.assertEqual({r.headers["etag"] for r in replies}, {etag})
        self.assertEqual(len({r.headers["x-created-at"] for r in replies}), 1)
        self.assertEqual({r.headers["x-original-ttl"] for r in replies}, {"600"})

    def test_a_lone_node_is_its_own_quorum_and_says_so(self):
        node = Node(harness.free_base())
        wait_until(node.is_ready, "alone, it is ready", 5)
        reply = node.put("lonely", "x")
        self.assertEqual((reply.status, reply.headers["x-replicas"]), (201, "1/1"))

    def test_a_write_without_a_quorum_is_202_and_arrives_later(self):
        # Two of three nodes are stopped: silent, but alive in the third one's eyes for a while. A
        # write that comes too late finds them no longer members, and the test tries again.
        launcher, nodes = cluster(env={"REPRAM_WRITE_TIMEOUT": 1})
        pids = launcher.node_pids()
        stopped = [pids[node.port] for node in nodes[1:]]
        for _ in range(10):
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            try:
                reply = nodes[0].put("pending", "x")
            finally:
                for pid in stopped:
                    os.kill(pid, signal.SIGCONT)
            if reply.headers["x-replicas"].endswith("/3"):
                break
            wait_formed(nodes)
        self.assertEqual((reply.status, reply.headers["x-replicas"]), (202, "1/3"))
        for node in nodes:
            wait_until(lambda n=node: n.holds("pending", b"x"), f"{node} has it", 20)

    def test_concurrent_writes_to_one_key_settle_equally(self):
        _, nodes = cluster()
        with concurrent.futures.ThreadPoolExecutor(9) as pool:
            jobs = [pool.submit(node.put, f"contended-{i % 20}", f"{node.port}-{i}")
                    for i in range(200) for node in nodes]
            for job in jobs:
                self.assertIn(job.result().status, (201, 202))

        def settled():
            for i in range(20):
                replies = [node.get(f"contended-{i}") for node in nodes]
                if len({(r.status, r.body, r.headers.get("etag")) for r in replies}) != 1:
                    return False
            return True
        wait_until(settled, "every key has one value everywhere", 10)
        wait_until(lambda: harness.converged(nodes), "the digests are equal", 15)

    def test_a_large_value_replicates_while_small_writes_stay_quick(self):
        _, nodes = cluster()
        big = random.Random(1).randbytes(VALUE_BYTES_MAX)
        slowest = 0.0
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            job = pool.submit(nodes[0].put, "big", big, timeout=30)
            while not job.done():
                began = time.monotonic()
                self.assertEqual(nodes[1].put("small", "x").status, 201)
                slowest = max(slowest, time.monotonic() - began)
            self.assertEqual(job.result().status, 201)
        for node in nodes:
            wait_until(lambda n=node: n.holds("big", big), f"{node} has the large one", 15)
        self.assertLess(slowest, 1.0 * harness.SLOW)

    def test_every_size_around_the_limits_of_a_frame_arrives_intact(self):
        _, nodes = cluster()
        sizes = [0, 1, 4095, 4096, 4097, 65535, 65536, 65537, 131072, 1000003]
        values = {size: random.Random(size).randbytes(size) for size in sizes}
        for size, value in values.items():
            self.assertEqual(nodes[size % 3].put(f"size-{size}", value).status, 201)
        for size, value in values.items():
            for node in nodes:
                wait_until(lambda n=node, s=size, v=value: n.holds(f"size-{s}", v),
                           f"{node} has {size} bytes", 5)

    def test_enclaves_share_membership_but_not_data(self):
        base = harness.free_base()
        reds = [Node(base, env={"REPRAM_ENCLAVE": "red"}) for _ in range(2)]
        blues = [Node(base, env={"REPRAM_ENCLAVE": "blue"}) for _ in range(2)]
        wait_formed(reds + blues)
        reply = reds[0].put("colour", "red")
        self.assertEqual((reply.status, reply.headers["x-replicas"].split("/")[1]), (201, "2"))
        wait_until(lambda: reds[1].holds("colour", b"red"), "the other red one has it", 2)
        stays(lambda: all(blue.get("colour").status == 404 for blue in blues),
              "blue ones do not have it", 1)


class Expiry(Case):
    def test_an_entry_goes_from_every_node_at_the_same_moment(self):
        _, nodes = cluster()
        began = time.monotonic()
        reply = nodes[0].put("brief", "x", ttl=4)
        self.assertEqual(reply.status, 201)
        taken = time.monotonic() - began
        for node in nodes:
            wait_until(lambda n=node: n.get("brief").status == 200, f"{node} has it", 1)
        gone = {}

        def watch(node):
            while node.get("brief").status == 200:
                pass
            gone[node] = time.monotonic() - began
        threads = [threading.Thread(target=watch, args=(node,)) for node in nodes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20 * harness.SLOW)
        self.assertEqual(len(gone), 3, "it never expired on some node")
        # The clocks agree to some ms on one host; a loaded machine answers late.
        self.assertGreater(min(gone.values()), 3.9)
        self.assertLess(max(gone.values()), 4.0 + taken + 0.5 * harness.SLOW)
        for node in nodes:
            self.assertNotIn("brief", node.keys())

    def test_a_shorter_lived_version_is_not_followed_by_the_one_before(self):
        _, nodes = cluster()
        self.assertEqual(nodes[0].put("twice", "long", ttl=600).status, 201)
        wait_until(lambda: nodes[1].holds("twice", b"long"), "the next writer has seen it", 2)
        self.assertEqual(nodes[1].put("twice", "short", ttl=1).status, 201)
        for node in nodes:
            wait_until(lambda n=node: n.get("twice").status == 404, f"gone from {node}", 5)
        stays(lambda: all(node.get("twice").status == 404 for node in nodes),
              "the older version is not back", 2)


    def test_four_writes_of_two_keys_of_one_digest_end_nobody(self):
        # For any digest that everybody can compute, somebody can find two keys with one digest;
        # these come from arithmetic.
        def twin(is_other):
            key = bytearray(b"k" * 321)
            key[0:8] = bytes.fromhex("efd1ec4122212121")
            key[64:72] = bytes.fromhex("452e0124696a6a6a")
            key[4] += is_other
            key[68] -= is_other
            return "".join(f"%{byte:02x}" for byte in key)
        first, second = twin(0), twin(1)
        _, nodes = cluster()
        for key, value, ttl in ((second, "a", 20), (second, "b", 1), (first, "c", 4)):
            self.assertEqual(nodes[0].put(key, value, ttl=ttl).status, 201)
        for node in nodes:
            wait_until(lambda n=node: n.status()["storage"]["shadows"] == 1,
                       f"{node} has a shadow of the one", 10)
        self.assertEqual(nodes[0].put(first, "d", ttl=60).status, 201)
        for node in nodes:
            wait_until(lambda n=node: n.holds(first, b"d"), f"{node} has the other", 5)

        def all_as_they_should():
            return all(node.holds(first, b"d") and node.get(second).status == 404
                       for node in nodes)
        stays(all_as_they_should, "the one is over, the other is there", 4)


class Crash(Case):
    def test_a_killed_node_is_noticed_and_its_successor_gets_every_entry(self):
        launcher, nodes = cluster()
        for i in range(300):
            self.assertEqual(nodes[i % 3].put(f"key-{i}", f"value {i}").status, 201)
        victim = nodes[2]
        uuid = victim.uuid()
        os.kill(launcher.node_pids()[victim.port], signal.SIGKILL)
        began = time.monotonic()
        wait_until(lambda: all(uuid not in node.alive() for node in nodes[:2]),
                   "nobody takes the dead one for alive", 5)
        self.assertLess(time.monotonic() - began, 5 * harness.SLOW)
        nodes = launcher.nodes(20)
        wait_formed(nodes, 20)
        self.assertNotIn(uuid, {node.uuid() for node in nodes})
        wait_until(lambda: harness.converged(nodes), "all hold the same", 20)
        for node in nodes:
            self.assertEqual(len(node.keys()), 300)
        for i in range(0, 300, 37):
            self.assertTrue(all(node.holds(f"key-{i}", f"value {i}".encode()) for node in nodes))

    def test_after_twenty_kills_everybody_shows_as_many_members_as_there_are(self):
        base = harness.free_base()
        nodes = [Node(base, env={"REPRAM_NODE_ID": f"eco-{i}"}) for i in range(3)]
        wait_formed(nodes)
        for _ in range(20):
            port, uuid = nodes[2].port, nodes[2].uuid()
            nodes[2].kill()
            nodes[2] = Node(base, env={"REPRAM_NODE_ID": "eco-2"})
            self.assertEqual(nodes[2].port, port)
            wait_until(lambda: all(sorted(peer["state"] for peer in node.peers()) == ["alive"] * 2
                                   for node in nodes), "everybody shows two others", 20)
            said = f"eco-2#{uuid[:8]} (127.0.0.1:{port}) is dead"
            wait_until(lambda s=said: s in nodes[0].output(), said, 5)
        for node in nodes:
            members = node.request("GET", "/status").json()["membership"]
            self.assertEqual((members["alive"], members["dead"]), (2, 0))
            rows = harness.cli("peers", "--server", str(node)).stdout.decode().splitlines()
            self.assertEqual(len(rows), 3, rows)  # itself and the two others
        nodes[2].kill()
        wait_until(lambda: all(sorted(peer["state"] for peer in node.peers()) == ["alive", "dead"]
                               for node in nodes[:2]), "the last one alone is dead", 20)

    def test_a_crash_of_the_writer_leaves_what_it_confirmed(self):
        launcher, nodes = cluster()
        pid = launcher.node_pids()[nodes[0].port]
        confirmed = []
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            def write(i):
                try:
                    if nodes[0].put(f"key-{i}", f"value {i}").status == 201:
                        confirmed.append(i)
                except (OSError, harness.http.client.HTTPException):
                    pass
            jobs = [pool.submit(write, i) for i in range(400)]
            wait_until(lambda: len(confirmed) > 50, "some are confirmed", 10)
            os.kill(pid, signal.SIGKILL)
            for job in jobs:
                job.result()
        survivors = nodes[1:]
        for node in survivors:
            wait_until(lambda n=node: all(n.holds(f"key-{i}", f"value {i}".encode())
                                          for i in list(confirmed)),
                       f"{node} has all {len(confirmed)} that were confirmed", 20)

    def test_a_node_that_starts_later_gets_everything(self):
        base = harness.free_base()
        first = Node(base)
        wait_until(first.is_ready, "the first is ready", 5)
        for i in range(500):
            self.assertEqual(first.put(f"key-{i}", f"value {i}").status, 201)
        late = Node(base)
        wait_formed([first, late])
        wait_until(lambda: len(late.keys()) == 500, "it holds all", 10)
        self.assertTrue(late.holds("key-123", b"value 123"))


class Leaving(Case):
    def test_told_to_stop_a_node_leaves_and_the_others_know_at_once(self):
        base = harness.free_base()
        nodes = [Node(base) for _ in range(3)]
        wait_formed(nodes)
        uuid = nodes[0].uuid()
        self.assertEqual(nodes[0].stop(), 0)
        wait_until(lambda: all(node.states().get(uuid, "left") == "left" for node in nodes[1:]),
                   "it is listed as left, or not at all", 3)
        reply = nodes[1].put("after", "x")
        self.assertEqual((reply.status, reply.headers["x-replicas"]), (201, "2/2"))

    def test_the_launcher_drains_and_ends_with_0(self):
        launcher, nodes = cluster()
        pids = list(launcher.node_pids().values())
        self.assertEqual(launcher.stop(), 0)
        self.assertFalse([pid for pid in pids if harness.alive(pid)])
        for node in nodes:
            with self.assertRaises(OSError):
                node.health()


class Waiting(Case):
    """A write whose quorum is late, as all other members stand still, and its client."""

    def silent(self):
        base = harness.free_base()
        nodes = [Node(base, env={"REPRAM_WRITE_TIMEOUT": 2}) for _ in range(3)]
        wait_formed(nodes)
        for node in nodes[1:]:
            node.signal(signal.SIGSTOP)
            self.addCleanup(node.signal, signal.SIGCONT)
        return nodes

    def begin(self, node, *writes):
        """A connection on which these are written at once, and wait."""
        client = socket.create_connection((node.address, node.port), timeout=30)
        self.addCleanup(client.close)
        client.sendall(b"".join(
            b"PUT /data/%s?ttl=%d HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx" % write
            for write in writes))
        wait_until(lambda: node.metrics()["repram_puts_waiting"] == len(writes), "they wait", 2,
                   every=0.005)
        return client

    def answers(self, client, count):
        """Status and headers of each."""
        text = b""
        while text.count(b"\r\n\r\n") < count:
            piece = client.recv(65536)
            self.assertTrue(piece, text)
            text += piece
        found = []
        for head in text.decode().split("HTTP/1.1 ")[1:]:
            lines = head.split("\r\n\r\n")[0].split("\r\n")
            found.append((int(lines[0][:3]), {name.lower(): value for name, value in
                                              (line.split(": ", 1) for line in lines[1:])}))
        return found

    def test_a_client_that_goes_away_leaves_only_its_write(self):
        nodes = self.silent()
        client = self.begin(nodes[0], (b"left", 600))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        wait_until(lambda: nodes[0].metrics()["repram_puts_waiting"] == 0, "it is settled", 10)
        figures = nodes[0].metrics()
        self.assertEqual(figures["repram_puts_pending_total"], 1)
        self.assertEqual(figures["repram_http_connections_open"], 1)  # the one that asks
        for node in nodes[1:]:
            node.signal(signal.SIGCONT)
        for node in nodes:
            wait_until(lambda n=node: n.holds("left", b"x"), f"{node} has it", 20)

    def test_writes_of_one_connection_wait_together_and_each_hears_of_its_own(self):
        node = self.silent()[0]
        client = self.begin(node, (b"first", 300), (b"second", 900))
        self.assertEqual((node.get("first").status, node.get("second").status), (200, 200))
        answers = self.answers(client, 2)
        for key, ttl, (status, headers) in zip(("first", "second"), ("300", "900"), answers):
            self.assertIn(status, (201, 202))
            self.assertEqual(headers["x-original-ttl"], ttl)
            self.assertEqual(headers["etag"], node.get(key).headers["etag"])

    def test_a_node_that_is_told_to_stop_still_answers_the_write_that_waits(self):
        node = self.silent()[0]
        client = self.begin(node, (b"last", 600))
        node.signal(signal.SIGTERM)
        (status, headers), = self.answers(client, 1)
        self.assertEqual((status, headers["connection"]), (202, "close"))
        self.assertEqual(headers["x-replicas"], "1/3")
        self.assertEqual(node.wait(), 0)


class Bounds(Case):
    def test_a_full_node_says_507_and_keeps_serving(self):
        node = Node(harness.free_base(), env={"REPRAM_MAX_STORAGE_MB": 4})
        wait_until(node.is_ready, "ready", 5)
        value = b"x" * 100_000
        statuses = [node.put(f"key-{i}", value).status for i in range(60)]
        self.assertEqual(statuses[0], 201)
        self.assertEqual(statuses[-1], 507)
        self.assertTrue(node.holds("key-0", value))
        self.assertEqual(node.request("GET", "/livez").status, 200)
        reply = node.request("GET", "/readyz")
        self.assertEqual((reply.status, reply.json()["reasons"]), (200, ["storage_full"]))
        self.assertEqual(node.request("GET", "/readyz?for=writes").status, 503)
        self.assertEqual(harness.cli("health", "--server", f"127.0.0.1:{node.port}").returncode, 0)
        self.assertEqual(harness.cli("wait", "--members", "1", "--server",
                                     f"127.0.0.1:{node.port}").returncode, 0)

    def test_where_two_of_three_are_full_the_client_is_told_at_once(self):
        base = harness.free_base()
        nodes = [Node(base, env={"REPRAM_MAX_STORAGE_MB": mb, "REPRAM_WRITE_TIMEOUT": 60})
                 for mb in (64, 1, 1)]
        wait_formed(nodes, 20)
        value = b"x" * 100_000
        replies = [nodes[0].put(f"key-{i}", value, timeout=50) for i in range(20)]
        self.assertEqual(replies[0].status, 201)
        self.assertEqual(replies[-1].status, 202)
        self.assertEqual(replies[-1].headers["x-replicas"], "1/3")

    def test_ten_nodes_form_one_cluster(self):
        launcher = Launcher(10)
        began = time.monotonic()
        wait_formed(launcher.nodes(20), 20)
        print(f"10 nodes formed {time.monotonic() - began:.1f} s after they listened")


if __name__ == "__main__":
    harness.main()
