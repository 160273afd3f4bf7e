"""Sixteen hosts: the simulator's states and counts for larger clusters hold for real processes.
tests/bench/calibrate.py compares times."""

import os
import random
import sys

import harness
from harness import Case, wait_until

sys.path.insert(0, os.path.join(harness.SOURCE_DIR, "tests/bench"))

import rig  # noqa: E402

COUNT = 16


@harness.needs_isolation
class Sixteen(Case):
    @classmethod
    def setUpClass(cls):
        cls.hosts = rig.hosts(COUNT) if harness.ISOLATED else []

    def cluster(self, **faults):
        rig.network(**faults)
        cluster = rig.Cluster(self.hosts)
        self.addCleanup(cluster.__exit__)
        cluster.start_all()
        cluster.await_joined()
        cluster.await_rest()
        cluster.await_ready()
        return cluster

    def assert_known_dead(self, cluster, index, at):
        observers = {life.name for life in cluster.lives if life.ended is None}
        name = cluster.lives[index].name
        self.assertEqual(set(cluster.await_lines("dead", name, observers, at)), observers)

    def test_a_quarter_of_the_datagrams_lost_hides_no_crash_and_invents_none(self):
        cluster = self.cluster(datagram_loss=0.25)
        self.assert_known_dead(cluster, 3, cluster.pull_cable(3))
        self.assert_known_dead(cluster, 7, cluster.kill(7))
        for index in (3, 7):
            cluster.replace(index)
        cluster.await_joined()
        cluster.await_rest()
        self.assertEqual(cluster.false_deaths(), [])

    def test_halves_become_one_again_with_all_that_was_written(self):
        cluster = self.cluster()
        left, right = self.hosts[:6], self.hosts[6:]
        rig.network(cuts=[(left, right), (right, left)])
        for index in (0, 6):
            gone = cluster.lives[6 if index == 0 else 0].name
            wait_until(lambda i=index, g=gone: g not in {
                peer["id"] for peer in cluster.lives[i].node.peers() if peer["state"] == "alive"},
                "each half gives the other up", 40)
            reply = cluster.lives[index].node.put(f"half-{index}", b"kept", timeout=20)
            self.assertIn(reply.status, (201, 202))
        rig.network()
        cluster.await_rest()
        for life in cluster.lives:
            for index in (0, 6):
                self.assertTrue(life.node.holds(f"half-{index}", b"kept"), f"{life.name} {index}")

    def test_a_write_comes_to_each_member_about_once(self):
        cluster = self.cluster()
        capture = rig.Capture()
        keys = [f"write-{number:06d}" for number in range(40)]
        drawn = random.Random(1)
        for key in keys:
            reply = cluster.lives[drawn.randrange(COUNT)].node.put(key, b"x" * 100)
            self.assertEqual(reply.status, 201)
        cluster.await_rest()
        self.assertEqual(capture.close(), 0, "the capture missed packets")
        for key in keys:
            self.assertEqual(len(capture.delays(key.encode())), COUNT - 1, key)
        received, synced = cluster.counters("repram_records_received_total",
                                            "repram_sync_records_received_total")
        # A tree takes its shape by duplicates; a flood would bring every copy several times.
        self.assertLess((received - synced) / len(keys) / (COUNT - 1), 2)


if __name__ == "__main__":
    harness.main()
