"""Which figures of pages are said to have moved: a page whose figures are right, and what is planted in it."""

import contextlib
import io
import json
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import moved  # noqa: E402
import scale  # noqa: E402
import tables  # noqa: E402

SIM = os.environ["REPRAM_SIM"]
COMMAND = "repram-sim --nodes 4 --minutes 0.2 --seeds 1-2 --scenario kill --writes 0"


def one(value, margin, program="print(\"n\", 1)", where="n (.*)"):
    """A page that says 1, with a mark."""
    return f"There is 1 in it.\n<!-- figure {value} ± {margin}: python3 -c '{program}': {where} -->\n"


class Moved(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.result, why = scale.simulate(SIM, COMMAND.split()[1:], 60)
        assert why is None, why

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = os.path.join(folder.name, "docs")
        os.makedirs(os.path.join(self.out, "scale"))
        self.data(self.result)
        self.put("other.md", one(1, 0))

    def put(self, name, text):
        with open(os.path.join(self.out, name), "w", encoding="utf-8") as file:
            file.write(text)

    def data(self, result):
        runs = [{"series": "kill", "engine": "1234567", "command": COMMAND, "result": result}]
        self.put("scale/figures.json", json.dumps({"runs": runs}))
        self.put("scale.md", "<!-- table engines -->\n<!-- end -->\n")
        tables.fill(self.out, runs, [])

    def check(self, *more):
        told = io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(io.StringIO()):
            code = scale.main(["--check", "--sim", SIM, "--out", self.out, "--first-seed", "901", *more])
        return code, told.getvalue()

    def test_what_is_right_is_so_with_other_seeds(self):
        code, text = self.check()
        self.assertIn("3 figures compared, 0 moved by more than their margin, 0 other complaints", text)
        self.assertEqual(code, 0)

    def test_a_planted_figure_of_a_run_has_moved(self):
        sample = self.result["kill_all_us"]
        self.data({**self.result, "kill_all_us": {**sample, "max": sample["max"] * 40}})
        code, text = self.check()
        self.assertEqual(code, 1)
        self.assertRegex(text, r"scale.md: kill, 4 nodes: kill_all max: [\d.]+ s in the page, [\d.]+ s now "
                               r"with seeds 901-902; its margin is")
        self.assertIn(" 1 moved by more", text)

    def test_a_planted_figure_of_a_mark_has_moved(self):
        self.put("other.md", one(3, 1.9).replace("is 1", "are 3"))
        code, text = self.check("--only", "marks")
        self.assertEqual(code, 1)
        self.assertIn("other.md: 3: 3 in the page, 1 now; its margin is 1.9", text)

    def test_a_mark_of_the_simulator_names_a_place_in_its_output(self):
        value = f"{self.result['kill_all_us']['median'] / 1e6:.3f} s"
        for margin, code in ((3, 0), (0, 1)):  # other seeds have another median
            self.put("other.md", f"It takes {value}.\n<!-- figure {value} ± {margin}: {COMMAND}: "
                                 "kill_all_us.median -->\n")
            self.assertEqual(self.check("--only", "marks")[0], code)

    def test_a_text_that_says_otherwise_than_its_mark_is_told(self):
        for text in ("There is 3 in it.", "There are 1.5, 21 and 1,000 in it.", "1 is not here.\n\nThere."):
            self.put("other.md", one(1, 0).replace("There is 1 in it.", text))
            self.assertIn("other.md: the paragraph before the mark does not say 1", self.check()[1])

    def test_a_table_that_was_edited_by_hand_is_told(self):
        with open(os.path.join(self.out, "scale.md"), encoding="utf-8") as file:
            text = file.read()
        self.put("scale.md", text.replace("1234567", "7654321"))
        self.assertIn("scale.md: its tables are not what scale/figures.json makes", self.check()[1])

    def test_a_command_that_says_nothing_is_told(self):
        self.put("other.md", one(1, 0, "exit(3)") + one(1, 0, "print(2)", "absent (.*)"))
        code, text = self.check()
        self.assertEqual(code, 1)
        self.assertIn("exit code 3", text)
        self.assertIn("nothing like 'absent (.*)'", text)

    def test_a_check_that_compares_nothing_is_told(self):
        code, text = self.check("--only", "kill,kil")
        self.assertIn("--only: there is no series kil\n", text)
        self.assertIn(" 1 other complaints", text)
        self.assertEqual(code, 1)
        code, text = self.check("--only", "kill", "--max-nodes", "3")
        self.assertIn("nothing was compared", text)
        self.assertEqual(code, 1)

    def test_a_series_that_is_none_is_not_run(self):
        with self.assertRaises(SystemExit) as ended:
            scale.main(["--only", "kil", "--sim", SIM, "--out", self.out])
        self.assertIn("there is no series kil", str(ended.exception.code))

    def test_seeds_are_as_many_others(self):
        self.assertEqual(moved.with_other_seeds(["--seeds", "3-7", "--loss", "1"], 901),
                         (["--seeds", "901-905", "--loss", "1"], "901-905"))
        self.assertEqual(moved.with_other_seeds(["--seed", "3"], 901), (["--seed", "901"], "901"))
        self.assertEqual(moved.with_other_seeds(["--nodes", "3"], 901), (["--nodes", "3"], ""))


class Pages(unittest.TestCase):
    """The real ones, without a run."""

    def test_tables_are_what_the_data_makes_and_texts_say_what_their_marks_do(self):
        folder = os.path.join(tables.TOP, "docs")
        runs = scale.read(os.path.join(folder, "scale", "figures.json"))["runs"]
        sizes = scale.read(os.path.join(folder, "scale", "calibration.json"))["sizes"]
        self.assertEqual(moved.stale(folder, runs, sizes), [])
        self.assertTrue(list(moved.marks(folder)))
        self.assertEqual({run["series"] for run in runs} - set(moved.SHOWN), set())


if __name__ == "__main__":
    unittest.main(verbosity=2)
