"""The metrics page: accepted by promtool, and telling the truth about a small cluster."""

import os
import shutil
import subprocess
import unittest

import harness
from harness import Case, cluster, wait_until

PROMTOOL = shutil.which("promtool") or os.path.join(harness.SOURCE_DIR, "build/tools/promtool")
V2_NAMES = ["repram_peers_active", "repram_peer_evictions_total", "repram_peer_joins_total",
            "repram_ping_failures_total"]


class Metrics(Case):
    @unittest.skipUnless(os.access(PROMTOOL, os.X_OK), "promtool is not here")
    def test_promtool_accepts_the_page(self):
        _, nodes = cluster()
        nodes[0].put("key", "value")
        page = nodes[0].request("GET", "/metrics")
        self.assertEqual(page.status, 200)
        self.assertTrue(page.headers["content-type"].startswith("text/plain; version=0.0.4"))
        checked = subprocess.run([PROMTOOL, "check", "metrics"], input=page.body,
                                 capture_output=True, check=False)
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, b""))

    def test_the_figures_follow_what_happens(self):
        _, nodes = cluster()
        before = nodes[0].metrics()
        for name in V2_NAMES:
            self.assertIn(name, before)
        self.assertEqual(before["repram_peers_active"], 2)
        for i in range(10):
            self.assertEqual(nodes[0].put(f"key-{i}", "value").status, 201)
        wait_until(lambda: len(nodes[1].keys()) == 10, "the other one has them", 5)
        after = nodes[0].metrics()
        changed = {name for name in after if after[name] != before.get(name)}
        self.assertTrue([name for name in changed if "put" in name or "write" in name], changed)

    def test_every_name_is_ours_and_is_in_the_documentation(self):
        _, nodes = cluster(1)
        page = nodes[0].request("GET", "/metrics").body.decode()
        names = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE ")}
        self.assertTrue(names)
        self.assertFalse([name for name in names if not name.startswith("repram_")])
        path = os.path.join(harness.SOURCE_DIR, "docs/metrics.md")
        with open(path, encoding="utf-8") as file:
            documented = file.read()
        self.assertFalse(sorted(name for name in names if name not in documented),
                         "names that docs/metrics.md lacks")


if __name__ == "__main__":
    harness.main()
