"""The charts of docs/performance.md are those that its figures make."""

import os
import sys
import unittest
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import curves  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"


def point(curve, line, x, us):
    return {"curve": curve, "line": line, "x": x, "us": us}


class Curves(unittest.TestCase):
    def test_the_charts_in_the_tree_are_drawn_from_the_figures_in_the_tree(self):
        drawn = curves.draw(curves.read())
        self.assertEqual(set(drawn), set(curves.CHARTS))
        for name, text in drawn.items():
            with open(os.path.join(curves.FOLDER, name + ".svg"), encoding="utf-8") as file:
                self.assertEqual(file.read(), text, name)

    def test_every_figure_is_a_mark_and_the_order_does_not_matter(self):
        figures = [point("bytes", "get", 100, 4.0), point("bytes", "put", 1000, 9.0),
                   point("bytes", "get", 1000, 5.0), point("bytes", "put", 100, 8.0)]
        drawn = curves.draw(figures)
        self.assertEqual(list(drawn), ["bytes"])
        self.assertEqual(drawn, curves.draw(figures[::-1]))
        root = ElementTree.fromstring(drawn["bytes"])
        texts = [title.text for title in root.findall(f".//{SVG}g/{SVG}title")]
        self.assertEqual(texts, ["PUT: 100, 8", "PUT: 1,000, 9", "GET: 100, 4", "GET: 1,000, 5"])

    def test_a_curve_of_one_point_is_not_drawn(self):
        self.assertEqual(curves.draw([point("nodes", "sum", 3, 20.0)]), {})


if __name__ == "__main__":
    unittest.main()
