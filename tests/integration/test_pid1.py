"""The launcher as PID 1 of a process namespace, as it is in a container, and what it owes there."""

import os
import signal
import subprocess
import time

import harness
from harness import Case, Launcher, wait_formed, wait_until

IN_NAMESPACE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


class FirstProcess(Launcher):
    """A launcher that is PID 1; unshare is its parent and passes its exit code on."""

    def __init__(self, **options):
        super().__init__(prefix=IN_NAMESPACE, **options)

    def launcher_pid(self):
        found = harness.children(self.pid)
        return found[0] if found else -1

    def close(self):
        # Not unshare, which keeps SIGTERM from itself as long as it waits for its child.
        pid = self.launcher_pid()
        if self.process.poll() is None and pid > 0:
            os.kill(pid, signal.SIGTERM)
            try:
                self.wait(10)
            except harness.Timeout:
                pass
        super().close()


@harness.needs_isolation
class PidOne(Case):
    def test_it_starts_a_cluster(self):
        launcher = FirstProcess()
        wait_formed(launcher.nodes())
        with open(f"/proc/{launcher.launcher_pid()}/status", encoding="ascii") as file:
            line = [line for line in file if line.startswith("NSpid:")][0]
        self.assertEqual(line.split()[-1], "1")

    def test_it_reaps_orphans_that_are_not_its_own(self):
        launcher = FirstProcess()
        wait_formed(launcher.nodes())
        pid = launcher.launcher_pid()
        for _ in range(5):
            # The shell ends at once; what it leaves behind becomes a child of PID 1.
            subprocess.run(["nsenter", f"--target={pid}", "--pid", "sh", "-c",
                            "(sleep 0.2; exit 3) & exit 0"], check=True)
        wait_until(lambda: len(harness.children(pid)) == 3 and harness.zombies(pid) == 0,
                   "nothing but the nodes is left", 10)
        self.assertEqual(len(launcher.nodes()), 3)

    def test_told_to_stop_it_drains_and_ends_with_0(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                launcher = FirstProcess()
                wait_formed(launcher.nodes())
                pids = list(launcher.node_pids().values())
                began = time.monotonic()
                os.kill(launcher.launcher_pid(), number)
                self.assertEqual(launcher.wait(12), 0)
                self.assertLess(time.monotonic() - began, 8 * harness.SLOW)
                self.assertFalse([pid for pid in pids if harness.alive(pid)])

    def test_a_node_that_does_not_leave_is_killed_after_7_seconds(self):
        launcher = FirstProcess()
        nodes = wait_formed(launcher.nodes())
        pids = launcher.node_pids()
        os.kill(pids[nodes[0].port], signal.SIGSTOP)
        began = time.monotonic()
        os.kill(launcher.launcher_pid(), signal.SIGTERM)
        launcher.wait(12)
        took = time.monotonic() - began
        self.assertGreater(took, 6)
        self.assertLess(took, 7 + 2 * harness.SLOW)
        self.assertFalse([pid for pid in pids.values() if harness.alive(pid)])

    def test_a_hangup_stops_nothing(self):
        launcher = FirstProcess()
        nodes = wait_formed(launcher.nodes())
        uuids = {node.uuid() for node in nodes}
        os.kill(launcher.launcher_pid(), signal.SIGHUP)
        harness.stays(lambda: harness.alive(launcher.launcher_pid()), "it runs", 1)
        self.assertEqual({node.uuid() for node in nodes}, uuids)


class Supervision(Case):
    def test_nodes_die_with_a_launcher_that_is_killed(self):
        launcher = Launcher(3)
        launcher.nodes()
        pids = list(launcher.node_pids().values())
        launcher.kill()
        wait_until(lambda: not [pid for pid in pids if harness.alive(pid)], "no node is left", 5)

    def test_a_node_that_ends_is_started_again(self):
        launcher = Launcher(3)
        nodes = wait_formed(launcher.nodes())
        pid = launcher.node_pids()[nodes[1].port]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not harness.alive(pid), "it is dead", 5)
        wait_formed(launcher.nodes(20), 20)
        self.assertNotIn(pid, launcher.node_pids().values())


if __name__ == "__main__":
    harness.main()
