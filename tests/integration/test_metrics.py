"""The metrics page: accepted by promtool, and telling the truth about a small cluster."""

import fcntl
import http.client
import math
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import harness
from harness import Case, Node, cluster, free_base, wait_until

PROMTOOL = shutil.which("promtool") or os.path.join(harness.SOURCE_DIR, "build/tools/promtool")
V2_NAMES = ["repram_peers_active", "repram_peer_evictions_total", "repram_peer_joins_total",
            "repram_ping_failures_total"]


PROCESS_NAMES = {"process_cpu_seconds_total", "process_resident_memory_bytes",
                 "process_virtual_memory_bytes", "process_open_fds", "process_max_fds",
                 "process_start_time_seconds"}
OPENMETRICS = "application/openmetrics-text"
# What Prometheus 2.53 sends.
SCRAPER = (f"{OPENMETRICS};version=1.0.0;q=0.5,{OPENMETRICS};version=0.0.1;q=0.4,"
           "text/plain;version=0.0.4;q=0.3,*/*;q=0.2")
SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:\w+="[^"\\]*",?)*\})? (\S+)')
SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}


def open_families(page):
    """{family: (type, [(suffix, labels, value)])} of a page of OpenMetrics, or an AssertionError that
    says what is against its rules."""
    families, last = {}, None
    *lines, end, rest = page.split("\n")
    assert (end, rest) == ("# EOF", ""), "the page ends otherwise"
    for line in lines:
        if line.startswith("# HELP "):
            last = line.split()[2]
            assert last not in families, f"{last} comes twice"
            families[last] = (None, [])
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name == last and kind in SUFFIXES, line
            assert not (kind == "counter" and name.endswith("_total")), line
            families[name] = (kind, [])
        else:
            name, labels, value = SAMPLE.fullmatch(line).groups()
            suffix = name.removeprefix(last)
            assert name.startswith(last) and suffix in SUFFIXES[families[last][0]], line
            families[last][1].append((suffix, labels or "", float(value)))
    return families


def histograms(samples):
    """{labels without le: ([(bound, count)], sum, count)}"""
    found = {}
    for suffix, labels, value in samples:
        bound = re.search(r'le="([^"]*)"', labels)
        key = re.sub(r',?le="[^"]*"', "", labels).replace("{}", "")
        entry = found.setdefault(key, ([], [], []))
        entry[["_bucket", "_sum", "_count"].index(suffix)].append(
            (float(bound[1]), value) if bound else value)
    return {key: (buckets, *total, *count) for key, (buckets, total, count) in found.items()}


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

    def test_openmetrics_is_answered_to_a_scraper_and_keeps_its_rules(self):
        node = Node(free_base())
        self.assertEqual(node.put("key", "value").status, 201)
        page = node.request("GET", "/metrics", headers={"Accept": SCRAPER})
        self.assertEqual(page.headers["content-type"],
                         f"{OPENMETRICS}; version=1.0.0; charset=utf-8")
        families = open_families(page.body.decode())
        plain = {line.split()[2] for line in node.request("GET", "/metrics").body.decode().splitlines()
                 if line.startswith("# TYPE ")}
        self.assertEqual({name + ("_total" if kind == "counter" else "")
                          for name, (kind, _) in families.items()}, plain)
        names = [name + suffix for name, (_, samples) in families.items()
                 for suffix in {suffix for suffix, _, _ in samples}]
        self.assertEqual(len(names), len(set(names)), "a family has another's sample")

    def test_requests_and_writes_are_timed(self):
        _, nodes = cluster()
        node = nodes[0]
        began = time.monotonic()
        for i in range(20):
            self.assertEqual(node.put(f"key-{i}", "value").status, 201)
            self.assertTrue(node.holds(f"key-{i}", b"value"))
        self.assertEqual(node.request("DELETE", "/data/key").status, 405)
        seconds = time.monotonic() - began
        families = open_families(node.request("GET", "/metrics",
                                              headers={"Accept": OPENMETRICS}).body.decode())
        requests = histograms(families["repram_http_request_duration_seconds"][1])
        writes = histograms(families["repram_put_quorum_duration_seconds"][1])
        for buckets, total, count in [*requests.values(), *writes.values()]:
            bounds, counts = zip(*buckets)
            self.assertEqual((bounds[0], bounds[-2:], len(bounds)), (0.0001, (10, math.inf), 17))
            self.assertEqual((list(bounds), list(counts)), (sorted(bounds), sorted(counts)))
            self.assertEqual(counts[-1], count)
            self.assertGreaterEqual(total, 0)
        self.assertEqual(requests['{route="/data",method="GET"}'][2], 20)
        self.assertEqual(requests['{route="/data",method="PUT"}'][2], 20)
        self.assertEqual(requests['{route="other",method="other"}'][2], 1)
        self.assertEqual(writes[""][2], 20)
        # Each waited for another node, and was answered after that; and they came one by one.
        self.assertGreater(writes[""][1], 0)
        self.assertGreaterEqual(requests['{route="/data",method="PUT"}'][1], writes[""][1])
        self.assertLess(sum(total for _, total, _ in requests.values()), seconds)

    def test_the_process_is_as_the_kernel_shows_it(self):
        node = Node(free_base())
        page = node.metrics()
        with open(f"/proc/{node.pid}/statm", encoding="ascii") as file:
            size, resident = [int(word) * os.sysconf("SC_PAGESIZE")
                              for word in file.read().split()[:2]]
        with open(f"/proc/{node.pid}/stat", encoding="utf-8") as file:
            ticks = int(file.read().rsplit(")", 1)[1].split()[19])
        with open("/proc/uptime", encoding="ascii") as file:
            up = float(file.read().split()[0])
        started = time.time() - up + ticks / os.sysconf("SC_CLK_TCK")
        descriptors = len(os.listdir(f"/proc/{node.pid}/fd"))
        limit = resource.prlimit(node.pid, resource.RLIMIT_NOFILE)[0]
        self.assertTrue(-1 < page["process_start_time_seconds"] - started < 60, (page, started))
        self.assertEqual(node.metrics()["process_start_time_seconds"],
                         page["process_start_time_seconds"])
        self.assertEqual(page["process_max_fds"], limit)
        self.assertLessEqual(abs(page["process_open_fds"] - descriptors), 2)  # connections
        self.assertLess(abs(page["process_virtual_memory_bytes"] - size), size / 4)
        self.assertLess(abs(page["process_resident_memory_bytes"] - resident), resident / 2)
        self.assertGreater(page["process_cpu_seconds_total"], 0)

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
        self.assertFalse([name for name in names
                          if not name.startswith("repram_") and name not in PROCESS_NAMES])
        self.assertEqual(names & PROCESS_NAMES, PROCESS_NAMES)
        path = os.path.join(harness.SOURCE_DIR, "docs/metrics.md")
        with open(path, encoding="utf-8") as file:
            documented = file.read()
        self.assertFalse(sorted(name for name in names if name not in documented),
                         "names that docs/metrics.md lacks")

    def test_a_lone_node_shows_what_it_is_and_nothing_that_has_not_happened(self):
        began = time.monotonic()
        node = Node(free_base())
        wait_until(node.is_ready, "it is ready", 5)
        page = node.metrics()
        self.assertTrue(0 < page["repram_uptime_seconds"] < time.monotonic() - began, page)
        self.assertGreater(node.metrics()["repram_uptime_seconds"], page["repram_uptime_seconds"])
        self.assertEqual(page["repram_clock_set"], 1)
        self.assertEqual(page["repram_clock_offset_seconds"], 0)  # its wall clock is the cluster's
        self.assertGreaterEqual(page["repram_discovery_passes_total"], 1)
        self.assertGreater(page["repram_loop_stall_max_seconds"], 0)
        self.assertGreater(page["repram_loop_turn_cpu_max_seconds"], 0)
        for name in ("discovery_failures_total", "links_unacked_records", "watch_buffer_bytes",
                     "log_lines_dropped_total", "storage_shadow_bytes", 'members{state="alive"}',
                     'members{state="suspect"}', 'members{state="dead"}', 'members{state="left"}'):
            self.assertEqual(page["repram_" + name], 0, name)

    def test_what_is_left_of_an_entry_takes_bytes(self):
        node = Node(free_base())
        wait_until(node.is_ready, "it is ready", 5)
        self.assertEqual(node.put("key", "value", ttl=600).status, 201)
        self.assertEqual(node.put("key", "value", ttl=1).status, 201)
        wait_until(lambda: node.metrics()["repram_storage_shadows"] == 1, "a shadow is left", 5)
        page = node.metrics()
        self.assertEqual(page["repram_storage_keys"], 0)
        self.assertGreater(page["repram_storage_shadow_bytes"], len("key"))
        self.assertLessEqual(page["repram_storage_shadow_bytes"], page["repram_storage_bytes"])

    def test_what_is_kept_for_watchers_is_shown(self):
        node = Node(free_base())
        wait_until(node.is_ready, "it is ready", 5)
        watch = http.client.HTTPConnection(node.address, node.port, timeout=10)
        watch.request("GET", "/watch?values=1")
        self.assertEqual(watch.getresponse().status, 200)
        self.assertEqual(node.put("key", b"v" * 1000).status, 201)
        self.assertEqual(node.metrics()["repram_watch_events_total"], 1)
        self.assertTrue(0 < node.metrics()["repram_watch_buffer_bytes"] < 3000)
        watch.close()

    def test_what_a_stopped_member_has_not_acknowledged_and_that_it_falls_silent(self):
        launcher, nodes = cluster()
        pids = launcher.node_pids()
        self.assertEqual(nodes[0].metrics()['repram_members{state="alive"}'], 2)
        os.kill(pids[nodes[2].port], signal.SIGSTOP)
        try:
            self.assertEqual(nodes[0].put("key", "value").status, 201)
            wait_until(lambda: nodes[0].metrics()["repram_links_unacked_records"] == 1,
                       "one has not acknowledged it", 2)
            wait_until(lambda: nodes[0].metrics()['repram_members{state="alive"}'] == 1,
                       "it is suspect, or dead by now", 10)
            wait_until(lambda: sum(node.metrics()["repram_ping_failures_total"]
                                   for node in nodes[:2]) > 0, "who accused it had pinged it", 2)
        finally:
            os.kill(pids[nodes[2].port], signal.SIGCONT)
        wait_until(lambda: nodes[0].metrics()["repram_links_unacked_records"] == 0,
                   "it has acknowledged it", 20)

    def test_providers_that_do_not_answer_are_counted(self):
        node = Node(free_base(), env={"REPRAM_DISCOVERY": "port-range,flux",
                                      "FLUX_APP_NAME": "app",
                                      "REPRAM_FLUX_API": "http://127.0.0.1:1"})
        wait_until(lambda: node.metrics()["repram_discovery_failures_total"] > 0,
                   "the provider has failed", 10)

    def test_lines_that_nobody_reads_are_lost_and_counted(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "log")
            os.mkfifo(path)
            reader = os.open(path, os.O_RDWR | os.O_NONBLOCK)
            fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
            os.write(reader, b"x" * 4096)
            node = Node(free_base(), prefix=("sh", "-c", 'exec "$@" >"$0" 2>&1', path))
            wait_until(node.is_ready, "it is ready", 5)
            self.assertGreater(node.metrics()["repram_log_lines_dropped_total"], 0)
            self.assertEqual(node.stop(), 0)
            os.close(reader)


if __name__ == "__main__":
    harness.main()
