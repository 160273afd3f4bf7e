"""Charts and tables of docs/scale.md, from data small enough to follow, and from the simulator."""

import json
import os
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import plot  # noqa: E402
import scale  # noqa: E402
import tables  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"
TIMES = ("forming", "crash_each", "crash_all", "kill_each", "kill_all", "delivery", "last_copy",
         "heal_views", "heal_digests")


def run(series, nodes, value=1000000, count=3, **others):
    times = {f"{name}_us": {"count": count, "median": value, "p99": 2 * value, "max": 3 * value}
             for name in TIMES}
    result = {"nodes": nodes, "loss_ppm": 0, "stream_loss_ppm": 0, "datagram_bytes_per_node_s": 300,
              "stream_bytes_per_node_s": 20, "stream_header_bytes_per_node_s": 5, "undelivered": 0,
              "copies_per_write_and_node": 1.0, "node_hours": 2.0, "false_deaths": 1,
              "false_deaths_per_node_hour": 0.5, **times, **others}
    return {"series": series, "engine": "1234567", "command": f"repram-sim --nodes {nodes} --loss <1",
            "result": result}


class Charts(unittest.TestCase):
    def chart(self, runs, name):
        return ElementTree.fromstring(plot.draw(runs)[name])

    def test_every_point_is_drawn_inside_the_axes(self):
        root = self.chart([run("kill", 10), run("kill", 1000, 5000000)], "kill")
        circles = root.findall(f".//{SVG}g/{SVG}circle")
        self.assertEqual(len(circles), 2)
        for circle in circles:
            self.assertTrue(plot.LEFT <= float(circle.get("cx")) <= plot.WIDTH - plot.RIGHT)
            self.assertTrue(0 < float(circle.get("cy")) <= plot.HEIGHT - plot.BOTTOM)
        self.assertLess(float(circles[1].get("cy")), float(circles[0].get("cy")))

    def test_the_commands_stand_in_the_description(self):
        root = self.chart([run("idle", 10), run("idle", 100)], "idle")
        self.assertIn("repram-sim --nodes 100 --loss <1", root.find(f"{SVG}desc").text)

    def test_a_chart_without_two_points_is_not_drawn(self):
        self.assertEqual(plot.draw([run("kill", 10)]), {})
        self.assertEqual(plot.draw([run("kill", 10, count=0), run("kill", 100, count=0)]), {})

    def test_a_title_names_the_size_that_was_run(self):
        runs = [run("writes-loss", 64, loss_ppm=ppm) for ppm in (0, 250000)]
        root = self.chart(runs, "delivery-datagram-loss")
        self.assertIn("64 members", root.find(f"{SVG}title").text)

    def test_ticks_cover_what_is_drawn(self):
        for low, high in ((0.1, 0.9), (10, 10000), (3, 4), (0.002, 800)):
            linear = plot.Linear(low, high)
            self.assertEqual(linear.ticks()[0], 0)
            self.assertGreaterEqual(linear.ticks()[-1] * 1.000001, high)
            self.assertTrue(3 <= len(linear.ticks()) <= 9, linear.ticks())
            self.assertTrue(plot.Logarithmic(low, high, 2).ticks())

    def test_the_same_data_gives_the_same_bytes(self):
        runs = [run("crash-0", nodes) for nodes in (10, 100)]
        self.assertEqual(plot.draw(runs), plot.draw(list(runs)))


class Tables(unittest.TestCase):
    PAGE = "before\n<!-- table glance -->\nold\n<!-- end -->\nafter\n"

    def filled(self, runs, sizes=()):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "scale.md")
            with open(path, "w", encoding="utf-8") as file:
                file.write(self.PAGE)
            tables.fill(folder, runs, list(sizes))
            with open(path, encoding="utf-8") as file:
                return file.read()

    def test_only_what_is_between_the_marks_changes(self):
        page = self.filled([run("kill", 100, 500000)])
        self.assertTrue(page.startswith("before\n<!-- table glance -->\n| what"))
        self.assertTrue(page.endswith("|\n<!-- end -->\nafter\n"))
        self.assertNotIn("old", page)
        self.assertIn("1.5 s (max of 3)", page)

    def test_what_was_not_run_is_a_dash(self):
        lines = tables.glance([run("kill", 100)], [])
        kill = next(line for line in lines if line.startswith("| killed"))
        self.assertEqual(kill.count(tables.NOTHING), 3)

    def test_a_figure_beyond_its_aim_is_said_to_be(self):
        text = "\n".join(tables.wanted([run("kill", 16, 700000, 100), run("kill", 128, 800000, 100)], []))
        self.assertIn("| 16 | 1.5 s | 1.4 s (100) | reached |", text)
        self.assertIn("| 128 | 1.5 s | 1.6 s (100) | **not reached** |", text)

    def test_p99_of_fewer_than_a_hundred_is_called_the_largest_of_so_many(self):
        for count, glance, loss in ((100, "2 s (100)", "2 ms"), (99, "3 s (max of 99)", "3 ms (max of 99)")):
            self.assertIn(f"| {glance} |", "\n".join(tables.glance([run("kill", 100, count=count)], [])))
            losses = tables.losses([run("writes-loss", 128, 1000, count)], [])
            self.assertIn(f"| 1 ms | {loss} | {loss} | 3 ms |", losses[-1])
        few = "\n".join(tables.wanted([run("kill", 16, 600000, 99)], []))
        self.assertIn("| 1.8 s (max of 99) | **not reached** |", few)  # its p99 would be 1.2
        for count, text in ((99, "1 / – / 3 s (99)"), (100, "1 / 2 / 3 s (100)")):
            sample = {"count": count, "median": 1, "p99": 2, "max": 3}
            self.assertEqual(tables.triple(sample, "s"), text)

    def test_a_chart_says_when_a_p99_of_it_is_the_largest(self):
        for count, is_told in ((99, True), (100, False)):
            runs = [run("kill", nodes, count=count) for nodes in (10, 100)]
            self.assertEqual("fewer than 100 is the largest" in plot.draw(runs)["kill"], is_told)

    def test_false_deaths_are_summed_by_the_share_lost(self):
        text = "\n".join(tables.well([run("kill", 16), run("idle", 16)], []))
        self.assertIn("| 4 | 2 | 0.5 |", text)

    def test_each_series_names_its_engines(self):
        later = {**run("kill", 1000), "engine": "89abcde"}
        text = "\n".join(tables.engines([run("kill", 10), run("kill", 16), later], []))
        self.assertIn("| `kill` | 10 and 16 | 1234567 |", text)
        self.assertIn("| `kill` | 1,000 | 89abcde |", text)

    def test_a_calibration_that_differs_is_said_to(self):
        sample = {"count": 2, "median": 1, "p99": 2, "max": 2}
        figure = {"name": "kill", "unit": "s", "measured": sample, "simulated": sample,
                  "margin": 0.5, "compared": "median", "agrees": False, "why": ""}
        text = "\n".join(tables.calibration([], [{"nodes": 16, "figures": [figure]}]))
        self.assertIn("**differs**", text)


class Driver(unittest.TestCase):
    def test_a_run_of_the_simulator_becomes_data_and_a_chart(self):
        scale.runs = lambda is_quick: [("idle", ["--nodes", str(nodes), "--minutes", "0.05",
                                                 "--writes", "0"]) for nodes in (3, 6)]
        binary = os.environ["REPRAM_SIM"]
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(scale.main(["--sim", binary, "--out", folder]), 0)
            with open(os.path.join(folder, "scale", "figures.json"), encoding="utf-8") as file:
                data = json.load(file)
            self.assertEqual([item["result"]["nodes"] for item in data["runs"]], [3, 6])
            self.assertTrue(os.path.exists(os.path.join(folder, "scale", "idle.svg")))

    def test_one_series_anew_keeps_all_other_runs_and_their_engines(self):
        words = {nodes: ["--nodes", str(nodes), "--minutes", "0.05", "--writes", "0"] for nodes in (3, 6)}
        scale.runs = lambda is_quick: [("idle", words[3]), ("idle", words[6]), ("kill", words[3])]
        with tempfile.TemporaryDirectory() as folder:
            fixed = ["--sim", os.environ["REPRAM_SIM"], "--out", folder]
            self.assertEqual(scale.main([*fixed, "--engine", "first"]), 0)
            again = [*fixed, "--engine", "second", "--only", "idle", "--max-nodes", "3"]
            self.assertEqual(scale.main(again), 0)
            with open(os.path.join(folder, "scale", "figures.json"), encoding="utf-8") as file:
                data = json.load(file)
            self.assertEqual([(item["result"]["nodes"], item["engine"]) for item in data["runs"]],
                             [(3, "second"), (6, "first"), (3, "first")])

    def test_a_run_that_fails_is_left_out_and_told(self):
        scale.runs = lambda is_quick: [("idle", ["--nodes", "0"])]
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(scale.main(["--sim", os.environ["REPRAM_SIM"], "--out", folder]), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
