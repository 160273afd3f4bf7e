"""A wrong wall clock on a node does no harm. The clock is set wrong by libfaketime, which leaves the
monotonic clocks alone; under the sanitizers, which must be loaded first, it cannot be used."""

import datetime
import glob
import time
import unittest

import harness
from harness import Case, Node, wait_formed, wait_until

LIBRARY = (glob.glob("/usr/lib/*/faketime/libfaketime.so.1") or [None])[0]


def wrong_by(offset):
    return {"LD_PRELOAD": LIBRARY, "FAKETIME": offset, "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DISABLE_SHM": "1"}


@unittest.skipUnless(LIBRARY, "libfaketime is not installed")
@unittest.skipIf(harness.SANITIZED, "libfaketime and the sanitizers exclude each other")
class WrongClock(Case):
    def test_nodes_an_hour_off_either_way_agree_on_every_expiry(self):
        base = harness.free_base()
        right = Node(base)
        wait_until(right.is_ready, "the first is ready", 5)
        nodes = [right, Node(base, env=wrong_by("+3600s")), Node(base, env=wrong_by("-3600s"))]
        wait_formed(nodes)
        began = time.monotonic()
        for node in nodes:
            self.assertEqual(node.put(f"by-{node.port}", "x", ttl=4).status, 201)
        for node in nodes:
            for origin in nodes:
                wait_until(lambda n=node, o=origin: n.get(f"by-{o.port}").status == 200,
                           f"{node} has what {origin} took", 1)
        for node in nodes:
            for origin in nodes:
                wait_until(lambda n=node, o=origin: n.get(f"by-{o.port}").status == 404,
                           f"{node} drops what {origin} took", 5)
        took = time.monotonic() - began
        self.assertGreater(took, 3.9)
        self.assertLess(took, 4.0 + 1.0 * harness.SLOW)

    def test_a_newer_write_wins_though_its_nodes_wall_clock_is_behind(self):
        base = harness.free_base()
        first = Node(base)
        wait_until(first.is_ready, "the first is ready", 5)
        behind = Node(base, env=wrong_by("-3600s"))
        wait_formed([first, behind])
        self.assertEqual(first.put("key", "older").status, 201)
        wait_until(lambda: behind.holds("key", b"older"), "it arrives", 2)
        self.assertEqual(behind.put("key", "newer").status, 201)
        wait_until(lambda: first.holds("key", b"newer"), "the newer one wins", 2)

    def test_stamps_that_run_ahead_lengthen_no_life(self):
        # Founded apart, 55 s from each other, each with a record: neither steps, both merge.
        ahead = Node(harness.free_base(), env=wrong_by("+55s"))
        right = Node(harness.free_base())
        for node in (ahead, right):
            wait_until(node.is_ready, f"{node} is ready", 5)
            self.assertEqual(node.put(f"by-{node.port}", "x").status, 201)
        Node(harness.free_base(), env={"REPRAM_PEERS": f"127.0.0.1:{ahead.port},127.0.0.1:{right.port}",
                                       "REPRAM_DISCOVERY": "static"})
        wait_until(lambda: right.holds(f"by-{ahead.port}", b"x"), "its stamps have come", 10)
        brief = right.put("brief", "x", ttl=1)
        self.assertEqual((brief.status, brief.json()["code"]), (503, "clock_ahead"))
        self.assertIn("retry-after", brief.headers)
        self.assertEqual(right.get("brief").status, 404)
        metrics = right.metrics()
        self.assertEqual(metrics["repram_puts_rejected_ahead_total"], 1)
        began = time.time()
        reply = right.put("minute", "x", ttl=60)
        self.assertEqual((reply.status, reply.headers["x-original-ttl"]), (201, "60"))
        reply = right.get("minute")
        self.assertEqual(reply.headers["x-original-ttl"], "60")
        left_s = int(reply.headers["x-remaining-ttl"])
        self.assertTrue(60 - (time.time() - began) - 1 <= left_s <= 60, left_s)
        created = datetime.datetime.fromisoformat(reply.headers["x-created-at"].replace("Z", "+00:00"))
        self.assertLess(abs(created.timestamp() - began), 2 * harness.SLOW)
        # By the other's clock it has 5 s left. It ends there then, as it does on every node whose
        # clock says so.
        wait_until(lambda: ahead.holds("minute", b"x"), "it has come to the one ahead", 3)
        self.assertEqual(ahead.get("minute").headers["x-original-ttl"], "60")
        wait_until(lambda: ahead.get("minute").status == 404, "it is over there", 8)

    def test_a_newcomer_takes_clock_and_data_of_the_many_and_not_of_a_loner(self):
        base = harness.free_base(20)
        healthy = [Node(base, max_ports=9) for _ in range(3)]
        wait_formed(healthy)
        loner = Node(base + 10, max_ports=5, env=wrong_by("-120s"))
        wait_until(loner.is_ready, "the loner is ready", 5)
        self.assertEqual(loner.put("lonely", "x").status, 201)
        self.assertEqual(healthy[0].put("healthy", "x").status, 201)
        # It is of another enclave and keeps no data: it makes both sides known to each other.
        usher = Node(base, max_ports=9, env={"REPRAM_ENCLAVE": "usher",
                                             "REPRAM_DISCOVERY": "port-range,static",
                                             "REPRAM_PEERS": f"127.0.0.1:{loner.port}"})
        for node in healthy:
            wait_until(lambda n=node: self.conflicts(n) == [loner.uuid()],
                       f"{node} sees the loner's clock", 15)
            self.assertEqual(node.status()["clock"]["conflicts"], 1)
            self.assertLess(node.status()["clock"]["error_ms"], 1000)
            self.assertEqual(node.status()["membership"]["quorum"], 2)
        wait_until(lambda: len(self.conflicts(loner)) >= 3, "the loner sees theirs", 15)
        self.assertEqual(loner.put("lonelier", "x").headers["x-replicas"], "1/1")
        self.assertIn("clock_conflict", loner.output())
        self.assertEqual(healthy[0].put("short", "x", ttl=4).status, 201)
        newcomer = Node(base, max_ports=9)
        wait_until(newcomer.is_ready, "the newcomer is ready", 5)
        self.assertLess(abs(newcomer.status()["clock"]["offset_ms"]), 5000)
        self.assertEqual(self.conflicts(newcomer), [loner.uuid()])
        self.assertTrue(newcomer.holds("healthy", b"x"))
        wait_until(lambda: newcomer.get("short").status == 404, "it ends as everywhere", 6)
        for node in healthy + [newcomer]:
            self.assertEqual(node.get("lonely").status, 404)
        self.assertEqual(loner.get("healthy").status, 404)
        usher.kill()

    @staticmethod
    def conflicts(node):
        return [peer["uuid"] for peer in node.peers() if peer["clock_conflict"]]


if __name__ == "__main__":
    harness.main()
