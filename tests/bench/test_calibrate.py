"""What calibrate.py and rig.py conclude from what they have seen, without any node."""

import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "integration"), HERE]

import calibrate  # noqa: E402
import figures  # noqa: E402
import rig  # noqa: E402


class Figures(unittest.TestCase):
    SIM = {"count": 9, "median": 2000000, "p99": 4000000, "max": 5000000}

    def figure(self, real, margin=(0.1, 0.1), **options):
        return calibrate.Figure("name", real, self.SIM, "s", margin, "", **options)

    def test_medians_within_the_margin_agree_and_beyond_differ(self):
        self.assertTrue(self.figure([1, 2.29, 9]).agrees)
        self.assertFalse(self.figure([1, 2.31, 9]).agrees)
        self.assertFalse(self.figure([1, 1.69, 9]).agrees)

    def test_p99_is_compared_where_that_is_asked_for(self):
        self.assertTrue(self.figure([1, 1, 4.4], which="p99").agrees)
        self.assertFalse(self.figure([1, 1, 4.6], which="p99").agrees)

    def test_without_a_margin_nothing_is_compared(self):
        figure = self.figure([100], margin=None)
        self.assertTrue(figure.agrees)
        self.assertIn("not compared", figure.row())

    def test_p99_of_fewer_than_a_hundred_is_not_told(self):
        for count, is_told in ((99, False), (100, True)):
            times = [number / 1000 for number in range(1, count + 1)]
            self.assertEqual("p99 99.0 ms" in figures.spread(times), is_told)
            self.assertIn(f"max {count}.0 ms ({count} runs)", figures.spread(times))
            measured = self.figure(times).row().split()[1:4]
            self.assertEqual(measured[1] != "-", is_told)


class Renew(unittest.TestCase):
    def test_some_scenarios_figures_take_the_place_of_their_like(self):
        old = {"nodes": 16, "busy": {"kill": 0.1, "idle": 0.2}, "node_hours": 1, "commands": ["a"],
               "figures": [{"name": "x", "margin": 1}, {"name": "y", "margin": 1}]}
        new = {"nodes": 16, "busy": {"kill": 0.3}, "node_hours": 2, "commands": ["a", "b"],
               "figures": [{"name": "y", "margin": 2}, {"name": "z", "margin": 2}]}
        both = calibrate.renew(old, new)
        self.assertEqual([(one["name"], one["margin"]) for one in both["figures"]],
                         [("x", 1), ("y", 2), ("z", 2)])
        self.assertEqual(both["busy"], {"kill": 0.3, "idle": 0.2})
        self.assertEqual(both["commands"], ["a", "b"])
        self.assertEqual(both["node_hours"], 3)


class Judge(unittest.TestCase):
    """rig.Cluster on lines that no node wrote."""

    def cluster(self, seen, ended=()):
        cluster = rig.Cluster([])
        cluster.seen, cluster.ended = list(seen), dict(ended)
        return cluster

    def test_the_death_of_a_living_member_is_false_and_counts_once(self):
        cluster = self.cluster([(100, "a", "dead", "b"), (103, "c", "dead", "b")])
        self.assertEqual(cluster.false_deaths(), [(100, "a", "b")])

    def test_the_ended_may_be_called_dead_and_their_word_is_no_word(self):
        cluster = self.cluster([(100, "a", "dead", "b"), (101, "b", "dead", "a")], [("b", 99)])
        self.assertEqual(cluster.false_deaths(), [])

    def test_lines_of_members_are_read_with_and_without_an_address(self):
        text = ("2026-11-20T16:14:31.128Z info  member    n10.11 (10.77.0.11:8081) joined\n"
                "2026-11-20T16:14:31.128Z warn  member    n17.18 is dead\n"
                "2026-11-20T16:14:31.128Z info  link      linked with n2.3\n")
        self.assertEqual([(member, rig.WORDS[what]) for _, member, what in rig.MEMBER.findall(text)],
                         [("n10.11", "joined"), ("n17.18", "dead")])


class Wire(unittest.TestCase):
    HOST, ONE, TWO, THREE = (10, 77, 0, 254), (10, 77, 0, 1), (10, 77, 0, 2), (10, 77, 0, 3)

    def packet(self, source, target, payload):
        header = bytearray(54)
        header[26:30], header[30:34] = bytes(source), bytes(target)
        header[14], header[46] = 0x45, 0x50  # twenty bytes of IP and of TCP
        return bytes(header) + payload

    def test_a_put_and_its_copies_are_told_apart(self):
        seen = rig.Deliveries()
        seen.take(self.packet(self.HOST, self.ONE, b"PUT /data/write-000001 HTTP/1.1"), 1.0)
        seen.take(self.packet(self.ONE, self.TWO, b"..write-000001..write-000002"), 1.5)
        seen.take(self.packet(self.ONE, self.TWO, b"..write-000001"), 1.7)
        seen.take(self.packet(self.HOST, self.TWO, b"GET /data/write-000001 HTTP/1.1"), 1.8)
        seen.take(self.packet(self.TWO, self.ONE, b"..write-000001"), 1.9)
        self.assertEqual(seen.puts, {b"write-000001": (1.0, "10.77.0.1")})
        self.assertEqual(seen.copies[b"write-000001"], {"10.77.0.2": (1.5, 2),
                                                        "10.77.0.1": (1.9, 1)})
        self.assertEqual(seen.delays(b"write-000001"), [0.5])

    def test_a_key_in_two_segments_of_one_connection_is_one(self):
        text = b"..write-000001.."
        for cut in range(len(text) + 1):
            seen = rig.Deliveries()
            for part in (text[:cut], b"", text[cut:]):
                seen.take(self.packet(self.ONE, self.TWO, part), 1.0)
            self.assertEqual(seen.copies, {b"write-000001": {"10.77.0.2": (1.0, 1)}}, cut)
        seen = rig.Deliveries()
        seen.take(self.packet(self.ONE, self.TWO, b"..write-"), 1.0)
        seen.take(self.packet(self.THREE, self.TWO, b"000001.."), 1.0)
        self.assertEqual(seen.copies, {})


if __name__ == "__main__":
    unittest.main(verbosity=2)
