"""One node as a process: what it hands to a launcher, its log, its name, and how it ends."""

import json
import os
import signal
import subprocess

import harness
from harness import FAILED, USAGE, Case, Launcher, Node, Program, cli, wait_formed, wait_until

NO_PORT, BAD_CONFIGURATION = 69, 78


class Ready(Case):
    def start(self, base, descriptor):
        """A node that says its port there, as a launcher's would."""
        process = subprocess.Popen(
            [harness.BINARY, "node", f"--ready-fd={descriptor}"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(descriptor,),
            env={"PATH": os.environ["PATH"], "BASE_PORT": str(base)})
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_the_port_is_said_in_a_line_and_nothing_after_it(self):
        base = harness.free_base()
        reader, writer = os.pipe()
        self.start(base, writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as said:
            self.assertEqual(said.read(), f"port {base}\n".encode())
        self.assertTrue(harness.Client(base).health()["uuid"])

    def test_what_is_no_open_descriptor_is_refused(self):
        for word in ("99", "x", "-1", "1048577", ""):
            done = cli("node", f"--ready-fd={word}", env={"BASE_PORT": harness.free_base()})
            self.assertEqual((done.returncode, done.stdout, done.stderr.decode()), (
                USAGE, b"", f"repram node: --ready-fd {word} is not an open descriptor\n"))


class Name(Case):
    def test_nodes_of_a_launcher_have_the_programs_name_and_say_what_is_odd_once(self):
        launcher = Launcher(2, env={"REPRAM_NO_SUCH_THING": "1"})
        wait_formed(launcher.nodes())
        for pid in (launcher.pid, *harness.children(launcher.pid)):
            with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                self.assertEqual(file.read(), "repram\n")
        self.assertEqual(launcher.output().count("REPRAM_NO_SUCH_THING"), 1)

    def test_a_node_without_a_launcher_says_itself_what_is_odd(self):
        self.assertEqual(Node(env={"REPRAM_NO_SUCH_THING": "1"}).output().count("REPRAM_NO_SUCH"), 1)

    def test_lines_of_a_json_log_name_the_node(self):
        node = Node(env={"REPRAM_LOG_FORMAT": "json", "REPRAM_NODE_ID": "n-7"})
        lines = [json.loads(line) for line in node.output().splitlines()]
        self.assertEqual({line["node"] for line in lines}, {"n-7"})


class Reload(Case):
    def test_a_hangup_takes_the_log_level_and_a_bad_file_changes_nothing(self):
        with harness.tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            def rewrite(text):
                file.seek(0)
                file.truncate()
                file.write(text)
                file.flush()
                program.signal(signal.SIGHUP)

            base = harness.free_base()
            program = Program("node", "--config", file.name, env={"BASE_PORT": base})
            node = harness.Client(base)
            wait_until(node.health, "it serves")
            rewrite("REPRAM_LOG_LEVEL=warn\nREPRAM_DEFAULT_TTL=soon\nREPRAM_MIN_TTL=x\n")
            wait_until(lambda: "no setting has changed" in program.output(), "it refuses")
            wrong = [line for line in program.output().splitlines() if "no setting has changed" in line]
            self.assertEqual(len(wrong), 1)
            self.assertRegex(wrong[0], r" error config +no setting has changed: REPRAM_\w+=\w+ \(file ")
            rewrite("REPRAM_LOG_LEVEL=debug\n")
            wait_until(lambda: "the log level is debug" in program.output(), "it takes the level")


class Libevent(Case):
    def test_its_words_are_lines_of_the_log_when_that_is_verbose(self):
        for level in ("debug", "info"):
            with self.subTest(level=level):
                node = Node(env={"EVENT_SHOW_METHOD": "1", "REPRAM_LOG_LEVEL": level})
                said = [line for line in node.output().splitlines() if "libevent using" in line]
                self.assertEqual(len(said), 1 if level == "debug" else 0, said)
                for line in said:
                    self.assertRegex(line, r"Z debug libevent +libevent using: epoll$")


class End(Case):
    def test_why_a_node_ends_is_its_last_line_and_its_code(self):
        base = harness.free_base()
        with harness.socket.create_server(("127.0.0.1", base)):
            node = Node(base, max_ports=1, env={"REPRAM_BIND": "127.0.0.1"}, wait=False)
            self.assertEqual(node.wait(60), NO_PORT)
        self.assertRegex(node.output().splitlines()[-1],
                         r" error exit +the node ends: no port is free$")
        node = Node(base, env={"REPRAM_BIND": "192.0.2.77"}, wait=False)
        self.assertEqual(node.wait(60), BAD_CONFIGURATION)
        self.assertRegex(node.output().splitlines()[-1], r" error exit +the node ends: \w")

    def test_told_to_stop_it_ends_with_0_and_says_no_reason(self):
        node = Node()
        self.assertEqual(node.stop(), 0)
        self.assertNotIn("the node ends", node.output())

    def test_a_domain_that_does_not_exist_ends_it_before_anything_else(self):
        done = cli("node", env={"DISCOVERY_DOMAIN": "a..b", "BASE_PORT": harness.free_base()})
        self.assertIn(done.returncode, (BAD_CONFIGURATION, FAILED))
        self.assertIn(b"DISCOVERY_DOMAIN=a..b", done.stderr)


if __name__ == "__main__":
    harness.main()
