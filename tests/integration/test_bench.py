"""`repram bench` against real nodes: what it counts, how it ends, how it fails."""

import json
import os
import pty
import signal
import subprocess

import harness
from harness import FAILED, USAGE, Case, Node, cli, cluster, wait_until
from scripted import Answer, Scripted


class Bench(Case):
    @classmethod
    def setUpClass(cls):
        cls.launcher, cls.nodes = cluster(3)
        cls.env = {"BASE_PORT": cls.launcher.base}
        cls.servers = [f"127.0.0.1:{node.port}" for node in cls.nodes]

    @classmethod
    def tearDownClass(cls):
        cls.launcher.close()

    def bench(self, *arguments, code=0):
        done = cli("bench", "--json", *arguments, env=self.env)
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout)

    def test_what_it_counts_is_what_the_nodes_hold(self):
        found = self.bench("--requests", "1000", "--reads", "0", "--keys", "50", "--size", "7",
                           "--prefix", "counted/", "--ttl", "10m", "-s", self.servers[0])
        self.assertEqual(found["requests"], 1000)
        self.assertEqual(found["put"]["requests"], 1000)
        self.assertEqual(found["failed"], 0)
        self.assertEqual(set(found["put"]["statuses"]), {"201"})
        latency = found["put"]["latency_us"]
        self.assertTrue(0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p99_9"]
                        <= latency["max"], latency)
        keys = json.loads(cli("keys", "--prefix", "counted/", "--json", "-s",
                              self.servers[0]).stdout)["keys"]
        self.assertTrue(0 < len(keys) <= 50)
        self.assertTrue(set(keys) <= {f"counted/{number:06}" for number in range(50)})
        head = json.loads(cli("head", keys[0], "--json", "-s", self.servers[0]).stdout)
        self.assertEqual((head["size"], head["original_ttl"]), (7, 600))

    def test_the_report_says_what_was_asked_for(self):
        usual = {"connections": 32, "pipeline": 1, "burst": False, "reads_percent": 50, "keys": 10000,
                 "size_min": 100, "size_max": 100, "ttl_s": 0, "rate": 0}
        for arguments, other in (
                ((), {}),
                (("--reads", "100", "--keys", "4294967295"), {"reads_percent": 100, "keys": 4294967295}),
                (("--reads", "0", "--keys", "1", "--size", "0"),
                 {"reads_percent": 0, "keys": 1, "size_min": 0, "size_max": 0}),
                (("--reads", "100", "--size", "1KiB-64MiB"),
                 {"reads_percent": 100, "size_min": 1024, "size_max": 64 << 20}),
                (("-c", "1", "-p", "1024", "--ttl", "1h"),
                 {"connections": 1, "pipeline": 1024, "ttl_s": 3600}),
                (("--burst", "1024", "-c", "2"), {"connections": 2, "pipeline": 1024, "burst": True}),
                (("--rate", "10000000"), {"rate": 10000000}),
                (("--rate", "900", "--burst", "30"), {"rate": 900, "pipeline": 30, "burst": True}),
                (("--duration", "7d", "--warm-up", "1ms"), {}),
                (("--prefix", "p" * 500), {})):
            with self.subTest(arguments=arguments):
                found = self.bench("-n", "3", "--no-fill", "-s", self.servers[0], *arguments)
                self.assertEqual(found["setup"], {**usual, **other})
                self.assertEqual((found["requests"], found["failed"]), (3, 0))

    def test_a_time_ends_it(self):
        found = self.bench("-d", "200ms", "--warm-up", "0", "--no-fill", "-s", self.servers[0])
        self.assertGreaterEqual(found["seconds"], 0.2)
        self.assertFalse(found["interrupted"])

    def test_reads_find_what_was_written_first(self):
        found = self.bench("--requests", "400", "--reads", "100", "--keys", "30", "--prefix",
                           "filled/", "-s", self.servers[0])
        self.assertEqual(found["fill"], {"requests": 30, "errors": 0})
        self.assertEqual(found["get"]["statuses"], {"200": 400})
        self.assertIsNone(found["get"]["latency_us"]["p99_9"])  # of fewer than 1,000
        found = self.bench("--requests", "40", "--reads", "100", "--prefix", "empty/", "--no-fill",
                           "-s", self.servers[0])
        self.assertEqual(found["get"]["statuses"], {"404": 40})
        self.assertEqual(found["failed"], 0)

    def test_several_servers_share_the_load(self):
        found = self.bench("--requests", "900", "-c", "9", "-p", "4", "-s",
                           ",".join(self.servers[:2]), "-s", self.servers[2])
        self.assertEqual([server["server"] for server in found["servers"]], self.servers)
        self.assertEqual(sum(server["requests"] for server in found["servers"]), 900)
        for server in found["servers"]:
            self.assertGreater(server["requests"], 0)
        self.assertEqual(found["failed"], 0)

    def test_without_a_name_it_is_the_first_node_of_the_local_range(self):
        found = self.bench("--requests", "50")
        self.assertEqual([server["server"] for server in found["servers"]],
                         [f"127.0.0.1:{self.launcher.base}"])

    def test_large_values_of_any_size_come_and_go(self):
        found = self.bench("--requests", "60", "--size", "1KiB-300KiB", "--keys", "20", "-c", "4",
                           "-p", "3", "-s", self.servers[0])
        self.assertEqual(found["failed"], 0)
        self.assertGreater(found["bytes_in"] + found["bytes_out"], 60 * 1024)

    def test_bursts_are_answered_to_their_end(self):
        found = self.bench("--burst", "400", "--size", "2000", "--keys", "50", "--reads", "90",
                           "-c", "3", "-n", "4000", "-t", "60s", "-s", self.servers[0])
        self.assertEqual((found["requests"], found["failed"]), (4000, 0))
        self.assertTrue(found["setup"]["burst"])

    def test_a_rate_is_kept(self):
        found = self.bench("--requests", "100", "--rate", "200", "-s", self.servers[0])
        self.assertEqual(found["requests"], 100)
        self.assertGreaterEqual(found["seconds"], 0.495)

    def test_bursts_leave_by_the_rate(self):
        found = self.bench("--requests", "200", "--rate", "400", "--burst", "50", "-c", "2", "-s",
                           self.servers[0], "-s", self.servers[1])
        self.assertEqual((found["requests"], found["failed"], found["unsent"]), (200, 0, 0))
        self.assertEqual([server["requests"] for server in found["servers"]], [100, 100])
        self.assertGreaterEqual(found["seconds"], 0.375)  # the fourth burst is due then

    def test_the_text_is_a_table_for_people(self):
        done = cli("bench", "-n", "200", "-s", ",".join(self.servers), env=self.env)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        text = done.stdout.decode()
        self.assertRegex(text, r"KIND +REQUESTS +PER_S +ERRORS +MEAN_MS +P50_MS +P90_MS +P99_MS "
                               r"+P99\.9_MS +MAX_MS\nGET ")
        self.assertRegex(text, r"\nall +200 ")
        self.assertRegex(text, r"\nSERVER +REQUESTS +PER_S +ERRORS +FAULTS\n127\.0\.0\.1:")
        self.assertRegex(text, r"answers: \d+ x 200 to GET, \d+ x 201 to PUT\n")

    def test_an_interrupt_ends_it_early_with_its_result(self):
        process = subprocess.Popen(
            [harness.BINARY, "bench", "-d", "1h", "--warm-up", "0", "--json", "--keys", "10",
             "--prefix", "interrupted/", "-s", self.servers[0]],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            # The measured part writes each key again.
            first = wait_until(lambda: self.etag("interrupted/000000"), "the keys are filled")
            wait_until(lambda: self.etag("interrupted/000000") != first, "requests are measured")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20 * harness.SLOW)
        finally:
            process.kill()
        self.assertEqual((process.returncode, err), (harness.INTERRUPTED, b""))
        found = json.loads(out)
        self.assertTrue(found["interrupted"])
        self.assertGreater(found["requests"], 0)

    def etag(self, key):
        done = cli("head", key, "--json", "-s", self.servers[0])
        return json.loads(done.stdout)["etag"] if done.returncode == 0 else None

    def test_unless_it_is_told_otherwise_it_measures_for_10_s(self):
        master, slave = pty.openpty()
        with os.fdopen(master, "rb", buffering=0) as terminal:
            process = subprocess.Popen([harness.BINARY, "bench", "--warm-up", "0", "--no-fill",
                                        "-s", self.servers[0]],
                                       stdout=subprocess.DEVNULL, stderr=slave)
            os.close(slave)
            shown = b""
            while b" a second" not in shown:
                shown += terminal.read(4096)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(20 * harness.SLOW), harness.INTERRUPTED)
        self.assertRegex(shown, rb"\r\x1b\[Kmeasuring \d+ s of 10 s, \d+ a second")

    def test_a_line_of_progress_is_for_terminals_only(self):
        master, slave = pty.openpty()
        with os.fdopen(master, "rb", buffering=0) as terminal:
            process = subprocess.Popen(
                [harness.BINARY, "bench", "-d", "3s", "--warm-up", "0", "-s", self.servers[0]],
                stdout=subprocess.PIPE, stderr=slave)
            os.close(slave)
            shown = b""
            while True:
                try:
                    piece = terminal.read(4096)
                except OSError:  # the other end is closed
                    break
                if not piece:
                    break
                shown += piece
            out, _ = process.communicate(timeout=20 * harness.SLOW)
        self.assertEqual(process.returncode, 0)
        self.assertRegex(shown, rb"\r\x1b\[Kmeasuring \d+ s of 3 s, \d+ a second, (p99|max) [\d.]+ ms")
        self.assertTrue(shown.endswith(b"\r\x1b[K"), shown[-80:])
        self.assertNotIn(b"\r", out)


class Failures(Case):
    def test_bad_options_are_usage_errors(self):
        for arguments in (("--reads", "101"), ("--reads", "x"), ("--size", "9-1"),
                          ("--size", "65MiB"), ("--keys", "0"), ("--connections", "0"),
                          ("--connections", "10001"), ("--pipeline", "0"), ("--requests", "0"),
                          ("--duration", "0"), ("--duration", "8d"), ("--rate", "0"),
                          ("--ttl", "soon"), ("--ttl", "0"), ("--warm-up", "-1"),
                          ("--prefix", "p" * 501), ("--mix",), ("word",),
                          ("--connections", "10000", "--pipeline", "1000"),
                          ("--burst", "0"), ("--burst", "8", "--pipeline", "8")):
            with self.subTest(arguments=arguments):
                done = cli("bench", *arguments)
                self.assertEqual(done.returncode, USAGE, done.stderr)
                self.assertTrue(done.stderr.startswith(b"repram bench: "))
                self.assertEqual(done.stdout, b"")

    def test_a_refused_option_is_told_with_what_is_allowed(self):
        number, time = "a whole number, {} to {}", "seconds, or a duration such as 1m30s or 500ms, up to 7d"
        size = "bytes, as 100 or 1KiB or 1KiB-64KiB, up to 64MiB"
        for option, value, allowed in (
                ("reads", "101", number.format(0, 100)), ("keys", "0", number.format(1, 4294967295)),
                ("keys", "4294967296", number.format(1, 4294967295)),
                ("connections", "10001", number.format(1, 10000)),
                ("pipeline", "1025", number.format(1, 1024)), ("burst", "1025", number.format(1, 1024)),
                ("requests", "9007199254740993", number.format(1, 1 << 53)),
                ("rate", "10000001", number.format(1, 10000000)), ("duration", "0", time),
                ("duration", "604801", time), ("warm-up", "8d", time), ("size", "67108865", size),
                ("size", "2-1", size), ("size", "-1", size), ("size", "1-", size),
                ("ttl", "0", "seconds, or a duration such as 1h30m"),
                ("prefix", "p" * 501, "up to 500 bytes")):
            with self.subTest(option=option, value=value):
                done = cli("bench", f"--{option}={value}")
                self.assertEqual(done.stderr.decode(), f"repram bench: --{option} {value[:64]} is not "
                                                       f"allowed; allowed: {allowed}\n")
                self.assertEqual(done.returncode, USAGE)

    def test_options_that_do_not_fit_together_are_refused(self):
        both = "--burst does not go with --pipeline: both say how many requests are under way on each " \
               "connection"
        for arguments, why in (
                (("-c", "1025", "-p", "1024"),
                 "1025 connections with 1024 requests under way on each are more than 1048576"),
                (("-b", "2", "-p", "2"), both)):
            done = cli("bench", *arguments)
            self.assertEqual((done.returncode, done.stderr.decode()), (USAGE, f"repram bench: {why}\n"))

    def test_as_many_connections_as_servers_are_needed(self):
        with Scripted({"/health": Answer({})}) as one, Scripted({"/health": Answer({})}) as two:
            servers = f"{one.name},{two.name}"
            done = cli("bench", "-c", "1", "-s", servers)
            self.assertEqual((done.returncode, done.stderr),
                             (USAGE, b"repram bench: 1 connections are fewer than the 2 servers\n"))
            self.assertEqual([one.targets(), two.targets()], [["/health"], ["/health"]])

    def test_a_server_that_is_not_there_is_said_at_once(self):
        nobody = f"127.0.0.1:{harness.free_base(1)}"
        done = cli("bench", "-s", nobody)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(f"{nobody} does not answer".encode(), done.stderr)
        self.assertIn(b"refused", done.stderr)
        self.assertEqual(done.stdout, b"")

    def test_a_server_that_dies_under_the_load_ends_with_1_and_its_name(self):
        node = Node()
        try:
            server = f"127.0.0.1:{node.port}"
            wait_until(node.is_ready, "it is ready")
            process = subprocess.Popen(
                [harness.BINARY, "bench", "-d", "1h", "--timeout", "3s", "--warm-up", "0",
                 "--json", "--keys", "10", "-s", server],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                wait_until(lambda: node.get("bench-000009").status == 200, "the load has begun")
                node.kill()
                out, err = process.communicate(timeout=20 * harness.SLOW)
            finally:
                process.kill()
        finally:
            node.close()
        self.assertEqual(process.returncode, FAILED)
        self.assertIn(b"given up: " + server.encode(), err)
        if out:  # it was killed after the keys were filled
            found = json.loads(out)
            self.assertGreater(sum(found["faults"].values()), 0)

    def test_refusals_are_counted_by_status_and_end_with_1(self):
        node = Node(env={"REPRAM_MAX_VALUE_SIZE": "1KiB"})
        try:
            wait_until(node.is_ready, "it is ready")
            done = cli("bench", "-n", "50", "--size", "2KiB", "--reads", "0", "--json", "-s",
                       f"127.0.0.1:{node.port}")
        finally:
            node.close()
        self.assertEqual(done.returncode, FAILED)
        found = json.loads(done.stdout)
        self.assertEqual(found["put"]["statuses"], {"413": 50})
        self.assertEqual(found["put"]["errors"], 50)
        self.assertEqual(found["put"]["latency_us"]["max"], 0)


if __name__ == "__main__":
    harness.main()
