"""What the client commands print must arrive: a full disk, a closed output and a reader that has gone."""

import array
import fcntl
import os
import signal
import subprocess
import tempfile
import termios
import time

import harness
from harness import FAILED, INTERRUPTED, Case, wait_until

NO_SPACE = b"repram: cannot write the output: No space left on device\n"
CLOSED = b"repram: cannot write the output: Bad file descriptor\n"
LARGE = b"x" * 300000  # more than the buffers of stdio and of a pipe


def has_no_room_for(pipe, size):
    waiting = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, waiting)
    return waiting[0] > fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) - size


class Output(Case):
    @classmethod
    def setUpClass(cls):
        cls.node = harness.Node(wait=True)
        wait_until(cls.node.is_ready, "it is ready")
        cls.server = f"127.0.0.1:{cls.node.port}"
        cls.node.put("k", b"v")
        cls.node.put("large", LARGE)
        for number in range(1500):  # two pages, and more than a buffer
            cls.node.put(f"list/{number:030}", b"v")

    @classmethod
    def tearDownClass(cls):
        cls.node.close()

    def shell(self, arguments, rest, data=b""):
        """The command in a shell, with a redirection or a pipe behind it."""
        script = f"unset ${{!REPRAM_*}}; {harness.BINARY} {arguments} {rest}"
        return subprocess.run(["bash", "-c", script], input=data, capture_output=True,
                              timeout=30 * harness.SLOW, check=False)

    def commands(self):
        asking = ("get k", "get k --json", "get large", "get large --json", "head k", "head k --json",
                  "keys", "keys --json", "keys --limit 1", "peers", "peers --json", "status",
                  "status --json", "health", "health --json", "put new v", "put new v --json",
                  "wait --members 1", "wait --members 1 --json", "watch", "watch --json",
                  "bench --requests 20 --keys 5", "bench --requests 20 --keys 5 --json")
        own = ("help", "help settings", "version", "help get", "get --help", "--version",
               "node --print-config", "launch --check-config", "launch --help")
        return [f"{command} -s {self.server}" for command in asking] + list(own)

    def test_what_a_full_disk_did_not_take_is_a_failure(self):
        for command in self.commands():
            with self.subTest(command=command):
                done = self.shell(command, ">/dev/full")
                self.assertEqual((done.returncode, done.stderr), (FAILED, NO_SPACE))

    def test_what_a_closed_output_did_not_take_is_a_failure(self):
        for command in self.commands():
            with self.subTest(command=command):
                done = self.shell(command, ">&-")
                self.assertEqual((done.returncode, done.stderr), (FAILED, CLOSED))

    def test_a_token_whose_line_could_not_be_written_is_not_left_behind(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "token")
            for rest in (">/dev/full", ">&-"):
                done = self.shell(f"keygen --token alice --out {path}", rest)
                self.assertEqual(done.returncode, FAILED)
                self.assertIn(b"no token is left there, as the line with its hash could not be written",
                              done.stderr)
                self.assertEqual(os.listdir(folder), [])
            # What is said of a key is no part of it.
            done = self.shell(f"keygen --out {path}", ">/dev/full")
            self.assertEqual((done.returncode, done.stderr), (FAILED, NO_SPACE))
            self.assertEqual(os.listdir(folder), ["token"])

    def test_a_failure_keeps_its_code_and_its_words(self):
        done = self.shell(f"get never-stored -s {self.server}", ">/dev/full")
        self.assertEqual(done.returncode, FAILED)
        self.assertEqual(done.stderr, b"repram get: no such key, or its time is over\n")

    def test_a_closed_input_is_no_empty_value(self):
        done = self.shell(f"put closed - -s {self.server}", "<&-")
        self.assertEqual(done.returncode, FAILED)
        self.assertEqual(done.stderr, b"repram put: standard input: Bad file descriptor\n")
        self.assertEqual(self.node.get("closed").status, 404)

    def test_a_reader_that_has_had_enough_ends_it_quietly(self):
        for command in (f"get large -s {self.server}", f"keys -s {self.server}", "help settings"):
            with self.subTest(command=command):
                done = self.shell(command, "| head -c 1")
                self.assertEqual((done.returncode, len(done.stdout), done.stderr), (0, 1, b""))

    def test_an_output_that_does_not_wait_gets_every_byte(self):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        with subprocess.Popen([harness.BINARY, "get", "large", "-s", self.server],
                              stdout=writer) as process:
            os.close(writer)
            with open(reader, "rb") as output:
                self.assertEqual(output.read(), LARGE)
            self.assertEqual(process.wait(30 * harness.SLOW), 0)

    def test_watch_ends_when_its_reader_has_gone(self):
        """Without a further event, which would be the next write: none comes here."""
        for rest in ("| head -1", "| grep -m1 list/", "> >(head -1)"):
            for options in ("", "--json"):
                with self.subTest(rest=rest, options=options):
                    done = self.shell(f"watch -s {self.server} {options}", rest)
                    self.assertEqual((done.returncode, done.stdout.count(b"\n"), done.stderr),
                                     (0 if rest[0] == "|" else FAILED, 1, b""))

    def test_watch_ends_soon_after_its_reader_and_also_between_two_nodes(self):
        """The figure that is promised is 0.2 s. The line comes first, then nothing happens."""
        other = harness.Node(wait=True)
        self.addCleanup(other.close)
        wait_until(other.is_ready, "it is ready")
        for is_lost in (False, True):
            with subprocess.Popen([harness.BINARY, "watch", "--new", "--json", "-s",
                                   f"127.0.0.1:{other.port}"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
                while b"live" not in process.stdout.readline():
                    pass
                other.put("line", b"v")
                self.assertIn(b"line", process.stdout.readline())
                if is_lost:
                    other.stop()
                    self.assertIn(b"the node ends the stream", process.stderr.readline())
                began = time.monotonic()
                process.stdout.close()
                self.assertEqual(process.wait(20 * harness.SLOW), FAILED)
                took = time.monotonic() - began
                print(f"watch ended {took * 1000:.0f} ms after its reader")
                self.assertLess(took, 0.2 * harness.SLOW)
                self.assertNotIn(b"cannot write", process.stderr.read())

    def test_watch_without_a_reader_says_nothing(self):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([harness.BINARY, "watch"], stdout=writer, stderr=subprocess.PIPE,
                              env={"BASE_PORT": str(self.node.port), "MAX_PORTS": "1"}, check=False,
                              timeout=30 * harness.SLOW)
        os.close(writer)
        self.assertEqual((done.returncode, done.stderr), (FAILED, b""))

    def test_a_stop_does_not_wait_for_a_reader_that_does_not_read(self):
        for number, code in ((signal.SIGINT, INTERRUPTED), (signal.SIGTERM, 0)):
            reader, writer = os.pipe()
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
            with subprocess.Popen([harness.BINARY, "watch", "--json", "-s", self.server],
                                  stdout=writer) as process:
                wait_until(lambda: has_no_room_for(reader, 150), "no line has room in the pipe")
                process.send_signal(number)
                self.assertEqual(process.wait(30 * harness.SLOW), code)
            os.close(reader)
            os.close(writer)

    def test_an_interrupt_is_told_apart_from_a_stop(self):
        for number, code in ((signal.SIGINT, INTERRUPTED), (signal.SIGTERM, 0)):
            with subprocess.Popen([harness.BINARY, "watch", "-s", self.server],
                                  stdout=subprocess.PIPE) as process:
                self.assertIn(b"put", process.stdout.readline())
                process.send_signal(number)
                process.communicate(timeout=20 * harness.SLOW)
                self.assertEqual(process.returncode, code)


if __name__ == "__main__":
    harness.main()
