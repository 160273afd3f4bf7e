"""`repram launch`: forming, the table, all or nothing, crash loops, signals, logs."""

import json
import os
import re
import resource
import signal
import socket
import time

import harness
from harness import Case, Launcher, Program, children, wait_formed, wait_until

USAGE, NO_PORT, NOT_FORMED, BAD_CONFIGURATION = 2, 69, 75, 78


def table_of(launcher):
    """The rows of the table of nodes, once it was printed: name to (port, pid, peers, url)."""
    lines = launcher.output().splitlines()
    for number, line in enumerate(lines):
        if line.split() == ["NODE", "PORT", "PID", "PEERS", "URL"]:
            rows = [row.split() for row in lines[number + 1:number + 1 + launcher.count]]
            if len(rows) == launcher.count and all(len(row) == 5 for row in rows):
                return {row[0]: (int(row[1]), int(row[2]), int(row[3]), row[4]) for row in rows}
    return None


def held_range(count):
    """A range of ports, and listening sockets on all of them."""
    base = harness.free_base(count)
    sockets = []
    for port in range(base, base + count):
        listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("::", port))
        listener.listen()
        sockets.append(listener)
    return base, sockets


class Forming(Case):
    def test_three_nodes_see_each_other_within_a_second(self):
        launcher = Launcher(3)
        table = wait_until(lambda: table_of(launcher), "the table is printed", 15)
        took = re.search(r"3 nodes are ready after (\d+) ms", launcher.output())
        self.assertIsNotNone(took, launcher.output())
        self.assertLess(int(took.group(1)), 1000 * harness.SLOW)
        self.assertEqual(sorted(table), ["flux-node-1", "flux-node-2", "flux-node-3"])
        self.assertEqual({port: pid for port, pid, _, _ in table.values()}, launcher.node_pids())
        for name, (port, _, peers, url) in table.items():
            self.assertEqual(peers, 2)
            self.assertEqual(url, f"http://localhost:{port}")
            self.assertEqual(harness.Client(port).health()["node_id"], name)

    def test_every_node_takes_a_write_as_soon_as_the_table_stands(self):
        for _ in range(5):
            launcher = Launcher(3, arguments=("--require-all",))
            table = wait_until(lambda: table_of(launcher), "the table is printed", 15)
            for name, (port, _, _, _) in table.items():
                reply = harness.Client(port).put(f"key-{name}", b"value")
                self.assertEqual(reply.status, 201, launcher.output())
            launcher.stop()

    def test_nodes_are_named_after_the_setting(self):
        launcher = Launcher(2, env={"NODE_ID": "edge"})
        table = wait_until(lambda: table_of(launcher), "the table is printed", 15)
        self.assertEqual(sorted(table), ["edge-1", "edge-2"])

    def test_one_node_with_a_port_of_its_own_is_started_there(self):
        port = harness.free_base(1)
        launcher = Launcher(1, env={"REPRAM_HTTP_PORT": port})
        table = wait_until(lambda: table_of(launcher), "the table is printed", 15)
        self.assertEqual([row[0] for row in table.values()], [port])
        self.assertIn(f"starting 1 node on port {port}\n", launcher.output())

    def test_the_table_counts_members_that_came_before_a_node_was_ready(self):
        first = Launcher(2)
        wait_formed(first.nodes())
        second = Launcher(1, base=first.base)
        table = wait_until(lambda: table_of(second), "the table is printed", 15)
        self.assertEqual([row[2] for row in table.values()], [2])

    def test_flags_and_the_file_reach_the_nodes(self):
        with harness.tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("REPRAM_ENCLAVE=blue\n")
            file.flush()
            launcher = Launcher(2, arguments=("--config", file.name, "--network=staging"))
            nodes = wait_formed(launcher.nodes())
            for node in nodes:
                self.assertEqual(node.health()["network"], "staging")
                self.assertEqual(node.health()["enclave"], "blue")

    def test_the_output_of_each_node_carries_its_name(self):
        launcher = Launcher(2)
        wait_until(lambda: table_of(launcher), "the table is printed", 15)
        for name in ("flux-node-1", "flux-node-2"):
            self.assertRegex(launcher.output(), rf"(?m)^\[{name}\] \S+Z info +claim ")

    def test_json_logs_are_json_line_by_line(self):
        launcher = Launcher(2, env={"REPRAM_LOG_FORMAT": "json"})
        wait_formed(launcher.nodes())
        self.assertEqual(launcher.stop(), 0)
        lines = [json.loads(line) for line in launcher.output().splitlines()]
        self.assertTrue(lines)
        for line in lines:
            self.assertLessEqual({"time", "level", "event", "message"}, set(line))
        self.assertLessEqual({"flux-node-1", "flux-node-2"}, {line.get("node") for line in lines})


class AllOrNothing(Case):
    def test_a_cluster_that_forms_stays(self):
        launcher = Launcher(3, arguments=("--require-all", "--start-timeout", "20s"))
        wait_formed(launcher.nodes())
        wait_until(lambda: table_of(launcher), "the table is printed", 15)
        self.assertEqual(launcher.stop(), 0)

    def test_a_missing_port_ends_everything_with_75(self):
        base, sockets = held_range(3)
        sockets.pop().close()
        launcher = Launcher(3, base=base, max_ports=3,
                            arguments=("--require-all", "--start-timeout", "3s"))
        self.assertEqual(launcher.wait(30), NOT_FORMED, launcher.output())
        self.assertEqual(children(launcher.pid), [])
        self.assertIn("--require-all", launcher.output())
        for listener in sockets:
            listener.close()

    def test_without_it_those_that_found_a_port_serve(self):
        base, sockets = held_range(3)
        sockets.pop().close()
        launcher = Launcher(2, base=base, max_ports=3, arguments=("--start-timeout", "1s"))
        wait_until(lambda: len(launcher.node_pids()) == 1, "one node listens", 15)
        port = list(launcher.node_pids())[0]
        wait_until(lambda: harness.Client(port).is_ready(), "it serves", 15)
        wait_until(lambda: "the nodes are not all ready after" in launcher.output(), "it is said", 15)
        for listener in sockets:
            listener.close()
        wait_until(lambda: len(launcher.node_pids()) == 2, "the other finds a port", 60)


    def test_no_port_for_any_of_them_ends_with_69(self):
        base, sockets = held_range(3)
        launcher = Launcher(2, base=base, max_ports=3)
        self.assertEqual(launcher.wait(30), NO_PORT, launcher.output())
        self.assertIn(f"port {base} is held by another program", launcher.output())
        for listener in sockets:
            listener.close()


class Refused(Case):
    def test_more_nodes_than_ports_is_refused_with_both_numbers(self):
        program = Program("launch", env={"NODE_COUNT": 12})
        self.assertEqual(program.wait(), BAD_CONFIGURATION)
        self.assertIn("NODE_COUNT 12 is larger than MAX_PORTS 10", program.output())

    def test_more_nodes_than_open_files_is_refused_with_both_numbers(self):
        program = Program("launch", prefix=("prlimit", "--nofile=29:29"))
        self.assertEqual(program.wait(), BAD_CONFIGURATION)
        self.assertIn("NODE_COUNT 3 needs 30 open files, and the limit (ulimit -Hn) is 29",
                      program.output())

    def test_usage_errors_end_with_2(self):
        for arguments in (("launch", "--no-such-flag"), ("launch", "word"), ("node", "--base-port"),
                          ("launch", "--start-timeout", "soon"), ("launch", "--cluster-secret", "x")):
            with self.subTest(arguments=arguments):
                program = Program(*arguments)
                self.assertEqual(program.wait(), USAGE, program.output())

    def test_an_address_that_does_not_resolve_now_is_tried_again(self):
        program = Program("launch", env={"REPRAM_ADDRESS": "no-such-host.invalid", "NODE_COUNT": 1,
                                         "BASE_PORT": harness.free_base()})
        wait_until(lambda: program.output().count(
            "REPRAM_ADDRESS=no-such-host.invalid (environment REPRAM_ADDRESS) does not resolve now") >= 2,
            "it is started again", 20)
        self.assertIsNone(program.process.poll())
        program.stop()


class Words(Case):
    """What the launcher says of itself, line by line."""

    @staticmethod
    def said(launcher):
        """Its own lines, without their times."""
        return [line.split(" ", 1)[1] for line in launcher.output().splitlines()
                if " launch    " in line]

    def test_from_the_start_to_the_end_each_step_is_a_line(self):
        launcher = Launcher(2, env={"REPRAM_BIND": "127.0.0.2", "REPRAM_LOG_LEVEL": "debug",
                                    "NODE_ID": "n" * 59})
        launcher.address = "127.0.0.2"
        nodes = sorted(wait_formed(launcher.nodes()), key=lambda node: node.health()["node_id"])
        table = wait_until(lambda: table_of(launcher), "the table is printed", 15)
        pids = launcher.node_pids()
        names = [f"{'n' * 59}-{number}" for number in (1, 2)]
        self.assertEqual(table, {name: (node.port, pids[node.port], 1, f"http://127.0.0.2:{node.port}")
                                 for name, node in zip(names, nodes)})
        launcher.signal(signal.SIGINT)
        self.assertEqual(launcher.wait(), 0)
        said = self.said(launcher)
        self.assertEqual(said[0], f"info  launch    starting 2 nodes on ports {launcher.base} to "
                                  f"{launcher.base + 9}")
        self.assertEqual(sorted(line for line in said if " started " in line),
                         [f"debug launch    started {name} as pid {pids[node.port]}"
                          for name, node in zip(names, nodes)])
        self.assertTrue(any(re.fullmatch(r"info  launch    2 nodes are ready after \d+ ms", line)
                            for line in said), said)
        self.assertEqual(said[-1], "info  launch    all nodes have ended")
        self.assertEqual(sorted(said[-4:-1]), sorted(
            [f"debug launch    {name} ended with exit code 0" for name in names] +
            ["info  launch    SIGINT: the nodes leave the cluster and stop"]))

    def test_a_node_that_is_killed_is_said_with_the_signal_and_the_pause(self):
        launcher = Launcher(2)
        wait_formed(launcher.nodes())
        port, pid = sorted(launcher.node_pids().items())[0]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: launcher.node_pids().get(port, pid) != pid, "it is there again", 15)
        self.assertIn("was killed by signal 9; it is started again in 100 ms",
                      [line.split(" ", 4)[-1] for line in self.said(launcher)
                       if "killed" in line][0])

    def test_a_flag_beyond_the_room_for_a_word_starts_nobody(self):
        peers = ",".join(["127.0.0.1:1"] * 100)
        launcher = Program("launch", f"--peers={peers}", "--node-count=1",
                           env={"BASE_PORT": harness.free_base()})
        wait_until(lambda: "flux-node-1 cannot be started: a flag is too long" in launcher.output(),
                   "it is said", 10)
        launcher.stop()

    def test_the_images_health_check_fails_while_a_node_cannot_serve(self):
        launcher = Launcher(2)
        wait_formed(launcher.nodes())
        env = {"BASE_PORT": launcher.base, "NODE_COUNT": 2}

        def checked(*arguments):
            return harness.cli("health", "--all", *arguments, env=env)
        self.assertEqual(checked().returncode, 0)
        port, pid = sorted(launcher.node_pids().items())[0]
        os.kill(pid, signal.SIGSTOP)
        try:
            done = checked("--timeout", f"{200 * harness.SLOW:.0f}ms")
            self.assertEqual(done.returncode, harness.FAILED)
            self.assertIn(f"1 healthy, 2 wanted; 127.0.0.1:{port}: timed out", done.stderr.decode())
        finally:
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: checked().returncode == 0, "it serves again", 10)

    def test_a_timeout_that_is_none_is_refused_with_what_is_allowed(self):
        for word in ("soon", "0"):
            done = harness.cli("launch", f"--start-timeout={word}")
            self.assertEqual((done.returncode, done.stdout, done.stderr.decode()), (
                USAGE, b"", f"repram launch: --start-timeout {word} is not allowed; allowed: seconds, "
                            "or a duration such as 1m30s or 500ms\n"))

    def test_a_bad_file_at_a_hangup_changes_nothing(self):
        with harness.tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            launcher = Launcher(1, arguments=("--config", file.name))
            wait_until(lambda: table_of(launcher), "the table is printed", 15)
            file.write("REPRAM_LOG_LEVEL=error\nREPRAM_MAX_TTL=x\n")
            file.flush()
            launcher.signal(signal.SIGHUP)
            wait_until(lambda: "no setting has changed" in launcher.output(), "the node has read it", 10)
            self.assertEqual(launcher.stop(), 0)
            self.assertIn("all nodes have ended", launcher.output())


class OpenFiles(Case):
    def test_at_the_limit_all_nodes_serve_and_stop(self):
        # The soft limit is raised to the hard one.
        launcher = Launcher(3, prefix=("prlimit", "--nofile=20:30"))
        nodes = wait_formed(launcher.nodes())
        self.assertEqual(nodes[0].put("key", b"value").status, 201)
        self.assertEqual(launcher.stop(), 0, launcher.output())

    def test_a_limit_below_what_was_once_open_leaves_signals_and_output(self):
        launcher = Launcher(3)
        wait_until(lambda: table_of(launcher), "the table is printed", 15)
        # Signals and three pipes of output are left: as many as the limit, where three pipes more,
        # long closed, would not be taken.
        _, hard = resource.prlimit(launcher.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(launcher.pid, resource.RLIMIT_NOFILE, (4, hard))
        self.assertEqual(launcher.stop(5), 0, launcher.output())
        self.assertIn("all nodes have ended", launcher.output())


class Supervision(Case):
    def test_a_node_that_keeps_crashing_is_a_crash_loop_and_the_others_serve(self):
        launcher = Launcher(2)
        nodes = wait_formed(launcher.nodes())
        survivor = nodes[0].port
        doomed = {}

        def crash_again():
            if "CRASH LOOP" in launcher.output():
                return True
            pids = launcher.node_pids()
            for port, pid in pids.items():
                if port != survivor and pid not in doomed:
                    doomed[pid] = port
                    os.kill(pid, signal.SIGKILL)
            return False

        wait_until(crash_again, "the crash loop is said", 60)
        self.assertEqual(len(doomed), 5)
        self.assertEqual(harness.Client(survivor).health()["status"], "healthy")
        self.assertEqual(launcher.stop(), 0)

    def test_a_second_signal_kills_at_once(self):
        launcher = Launcher(2)
        wait_formed(launcher.nodes())
        pids = list(launcher.node_pids().values())
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        launcher.signal(signal.SIGTERM)
        wait_until(lambda: "SIGTERM" in launcher.output(), "it is told", 5)
        began = time.monotonic()
        launcher.signal(signal.SIGTERM)
        self.assertEqual(launcher.wait(5), 1)
        self.assertEqual(launcher.output().count("has not ended in time and is killed"), 2)
        self.assertLess(time.monotonic() - began, 3 * harness.SLOW)
        self.assertFalse([pid for pid in pids if harness.alive(pid)])

    def test_a_terminals_interrupt_reaches_the_nodes_once_and_they_drain(self):
        launcher = Launcher(2, prefix=("setsid",))
        wait_formed(launcher.nodes())
        os.killpg(os.getpgid(launcher.pid), signal.SIGINT)
        self.assertEqual(launcher.wait(12), 0, launcher.output())
        self.assertIn("leaving the cluster", launcher.output())

    def test_hangup_reads_the_log_level_from_the_file_again(self):
        with harness.tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("REPRAM_LOG_LEVEL=info\n")
            file.flush()
            launcher = Launcher(2, arguments=("--config", file.name))
            wait_formed(launcher.nodes())
            file.seek(0)
            file.write("REPRAM_LOG_LEVEL=debug\n")
            file.flush()
            launcher.signal(signal.SIGHUP)
            wait_until(lambda: launcher.output().count("the log level is debug") == 2,
                       "both nodes take the new level", 5)

    def test_nobody_reading_the_log_does_not_stop_the_cluster(self):
        reader, writer = os.pipe()
        base = harness.free_base()
        process = harness.subprocess.Popen(
            [harness.BINARY, "launch"], stdin=harness.subprocess.DEVNULL, stdout=writer,
            stderr=writer, env={"PATH": os.environ["PATH"], "BASE_PORT": str(base),
                                "NODE_COUNT": "2", "REPRAM_LOG_LEVEL": "debug"})
        os.close(writer)
        try:
            nodes = [harness.Client(base), harness.Client(base + 1)]
            wait_formed(nodes, 20)
            # Far more requests than the pipe has room for lines; nobody reads.
            for number in range(300):
                self.assertIn(nodes[0].put(f"key{number}", b"x").status, (201, 202))
            self.assertEqual(nodes[1].health()["status"], "healthy")
        finally:
            process.terminate()
            self.assertEqual(process.wait(15 * harness.SLOW), 0)
            os.close(reader)

    def serve_with(self, command, **options):
        """Runs a launcher by a shell command, in which $0 is the binary, until its nodes serve,
        then ends it. Returns what its nodes have open."""
        base = harness.free_base()
        process = harness.subprocess.Popen(
            ["sh", "-c", command, harness.BINARY], stdin=harness.subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "BASE_PORT": str(base), "NODE_COUNT": "2"}, **options)
        try:
            wait_formed([harness.Client(base), harness.Client(base + 1)], 20)
            opened = {}
            for pid in [process.pid, *children(process.pid)]:
                for number in range(3):
                    opened[pid, number] = os.readlink(f"/proc/{pid}/fd/{number}")
            return opened
        finally:
            process.terminate()
            self.assertEqual(process.wait(15 * harness.SLOW), 0)

    def test_without_standard_descriptors_no_other_one_takes_their_place(self):
        opened = self.serve_with('exec "$0" launch 0<&- 1>&- 2>&-')
        self.assertEqual(len(opened), 9)
        for (pid, number), target in opened.items():
            self.assertRegex(target, r"^(/dev/null|pipe:.*)$", f"{number} of {pid}")

    def test_a_reader_of_the_log_that_is_gone_does_not_stop_the_cluster(self):
        reader, writer = os.pipe()
        os.close(reader)
        # The misspelt name makes it write before anything else.
        self.serve_with('REPRAM_NO_SUCH_NAME=1 exec "$0" launch', stdout=writer, stderr=writer)
        os.close(writer)


if __name__ == "__main__":
    harness.main()
