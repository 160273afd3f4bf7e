"""A wrong wall clock on a node does no harm. The clock is set wrong by libfaketime, which leaves the
monotonic clocks alone; under the sanitizers, which must be loaded first, it cannot be used."""

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


if __name__ == "__main__":
    harness.main()
