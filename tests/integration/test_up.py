"""fade/up.sh: what it has started is seen and stopped from another terminal."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading

import harness
from harness import FAILED, USAGE, Case, wait_until

NOT_RUNNING = 3


class Up(Case):
    """The script, in a clone of which nothing needs to be installed or built."""

    user = None  # who runs it: root, as all tests

    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="repram-test-up-")
        self.addCleanup(shutil.rmtree, self.top)
        for folder in ("fade", ".ci", "bin", "build/release"):
            os.makedirs(os.path.join(self.top, folder))
        for name in ("up.sh", "nodes-of.sh"):
            shutil.copy(os.path.join(harness.SOURCE_DIR, "fade", name), os.path.join(self.top, "fade"))
        os.symlink(harness.BINARY, os.path.join(self.top, "build/release/repram"))
        self.write("build/release/build.ninja", "")
        self.write(".ci/packages.sh", "packages_install() { :; }\n")
        self.write("bin/cmake", "#!/bin/sh\n")
        os.chmod(os.path.join(self.top, "bin/cmake"), 0o755)
        self.env = {**os.environ, "PATH": f"{self.top}/bin:{os.environ['PATH']}", "NODE_COUNT": "2",
                    "BASE_PORT": str(harness.free_base()), "REPRAM_DRAIN_GRACE": "0"}

    def write(self, name, text):
        with open(os.path.join(self.top, name), "w", encoding="utf-8") as file:
            file.write(text)

    def start(self, *flags):
        """As in a terminal of its own; the URLs have been printed when it returns."""
        log = tempfile.TemporaryFile()
        self.addCleanup(log.close)
        process = subprocess.Popen([f"{self.top}/fade/up.sh", *flags], stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT, env=self.env, user=self.user)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

        def said():
            log.seek(0)
            return log.read().decode()
        wait_until(lambda: "Ctrl-C" in said(), "it has said where the nodes are", 30)
        return process, said()

    def up(self, *words):
        return subprocess.run([f"{self.top}/fade/up.sh", *words], env=self.env, user=self.user, capture_output=True,
                              text=True, check=False, timeout=60 * harness.SLOW)

    def test_status_and_stop_are_of_what_it_has_started(self):
        done = self.up("status")
        self.assertEqual((done.returncode, done.stdout), (NOT_RUNNING, "none is running\n"))
        process, said = self.start()
        self.assertIn(f"http://localhost:{self.env['BASE_PORT']}/", said)
        done = self.up("status")
        self.assertEqual(done.returncode, 0, done.stderr)
        launcher, *rows = done.stdout.splitlines()
        self.assertEqual(launcher, f"launcher {process.pid}")
        self.assertEqual(sorted(row.split("\t")[1:3] for row in rows),
                         [["flux-node-1", "healthy"], ["flux-node-2", "healthy"]])
        done = self.up("stop")
        self.assertEqual((done.returncode, done.stdout), (0, f"stopped launcher {process.pid}\n"))
        self.assertEqual(process.wait(10 * harness.SLOW), 0)
        self.assertEqual(self.up("status").returncode, NOT_RUNNING)
        done = self.up("stop")
        self.assertEqual((done.returncode, done.stdout), (0, "none is running\n"))

    def test_nodes_with_a_secret_are_found_and_stopped_by_their_user_who_is_not_root(self):
        """Their sockets and environment are hidden from everybody but root."""
        secret = os.path.join(self.top, "secret")
        harness.cli("keygen", "--out", secret)
        for folder, _, names in os.walk(self.top):
            for name in (".", *names):
                os.chown(os.path.join(folder, name), 65534, 65534, follow_symlinks=False)
        self.env["REPRAM_CLUSTER_SECRET_FILE"] = secret
        self.user = 65534
        process, said = self.start()
        self.assertIn(f"http://localhost:{self.env['BASE_PORT']}/", said)
        done = self.up("status")
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual((done.stdout.splitlines()[0], done.stdout.count("healthy")), (f"launcher {process.pid}", 2))
        self.assertEqual(self.up("stop").stdout, f"stopped launcher {process.pid}\n")

    def test_a_secret_that_can_be_read_only_once_is_the_launchers(self):
        key = harness.cli("keygen").stdout
        for name in ("", "REPRAM_ACL_FILE"):
            with self.subTest(name=name):
                pipe = os.path.join(self.top, f"pipe{name}")
                os.mkfifo(pipe)
                self.env["REPRAM_CLUSTER_SECRET_FILE"] = pipe
                if name:
                    self.write("acl", "user *\nallow all\n")
                    self.env[name] = os.path.join(self.top, "acl")
                def tell(path=pipe):
                    with open(path, "wb", 0) as writer:  # once somebody reads
                        writer.write(key)
                threading.Thread(target=tell, daemon=True).start()
                process, said = self.start()
                self.assertIn(f"http://localhost:{self.env['BASE_PORT']}/", said)
                self.assertIn("sealed: keys", said)
                self.assertEqual(self.up("status").returncode, 0)
                process.terminate()
                self.assertEqual(process.wait(10 * harness.SLOW), 0)

    def test_a_node_that_does_not_answer_shows_in_the_exit_code(self):
        process, _ = self.start()
        node = harness.children(process.pid)[0]
        os.kill(node, signal.SIGSTOP)
        try:
            self.assertEqual(self.up("status").returncode, FAILED)
        finally:
            os.kill(node, signal.SIGCONT)

    def test_a_node_that_has_crashed_and_is_not_back_is_missed(self):
        process, _ = self.start()
        os.kill(process.pid, signal.SIGSTOP)  # so that it is not started again
        try:
            os.kill(harness.children(process.pid)[0], signal.SIGKILL)
            wait_until(lambda: self.up("status").returncode == FAILED, "it is missed")
            self.assertIn("\n1 of 2 nodes listen\n", self.up("status").stdout)
        finally:
            os.kill(process.pid, signal.SIGCONT)
        wait_until(lambda: self.up("status").returncode == 0, "it is back")

    def test_flags_say_how_many_nodes_there_are(self):
        _, said = self.start("--node-count", "1")
        self.assertEqual(re.findall(r"(?m)^  (\d+) +\d+ +http://localhost:", said), ["1"])
        done = self.up("status")
        self.assertEqual((done.returncode, done.stdout.count("healthy")), (0, 1))

    def test_launchers_that_others_have_started_are_left_alone(self):
        other = harness.Launcher(1, env={"REPRAM_NETWORK": "other"})
        other.nodes()
        self.assertEqual(self.up("status").returncode, NOT_RUNNING)
        self.assertEqual(self.up("stop").returncode, 0)
        self.assertIsNone(other.process.poll())

    def test_words_that_say_nothing_are_refused_and_the_help_names_all(self):
        self.assertEqual(self.up("stop", "now").returncode, USAGE)
        done = self.up("--help")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, "(?s)^usage: .*status.*stop")


if __name__ == "__main__":
    harness.main()
