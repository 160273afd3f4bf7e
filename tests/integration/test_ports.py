"""Claiming a port: ranges held by other programs, by nodes, by both; fixed ports; self-connects."""

import contextlib
import socket

import harness
from harness import Case, Launcher, Node, Program, stays, wait_formed, wait_until

NO_PORT = 69  # sysexits.h: EX_UNAVAILABLE


@contextlib.contextmanager
def held(*ports, kind=socket.SOCK_STREAM):
    """Other programs hold these ports."""
    with contextlib.ExitStack() as stack:
        for port in ports:
            holder = stack.enter_context(socket.socket(socket.AF_INET, kind))
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(("0.0.0.0", port))
            if kind == socket.SOCK_STREAM:
                holder.listen()
        yield


class Range(Case):
    def test_the_lowest_free_ports_are_taken_in_order(self):
        base = harness.free_base()
        nodes = [Node(base) for _ in range(3)]
        self.assertEqual([node.port for node in nodes], [base, base + 1, base + 2])

    def test_ports_of_other_programs_are_passed_over(self):
        base = harness.free_base()
        with held(base, base + 2):
            launcher = Launcher(3, base=base)
            nodes = wait_formed(launcher.nodes())
            self.assertEqual([node.port for node in nodes], [base + 1, base + 3, base + 4])

    def test_a_port_whose_datagrams_are_taken_is_passed_over(self):
        base = harness.free_base()
        with held(base, kind=socket.SOCK_DGRAM):
            self.assertEqual(Node(base).port, base + 1)

    def test_other_programs_and_nodes_mixed(self):
        base = harness.free_base()
        with held(base, base + 3):
            first = [Node(base) for _ in range(2)]
            launcher = Launcher(2, base=base)
            nodes = first + launcher.nodes()
            wait_formed(nodes)
            self.assertEqual([node.port for node in nodes],
                             [base + 1, base + 2, base + 4, base + 5])

    def test_a_late_starter_joins_a_running_cluster(self):
        launcher = Launcher(2)
        nodes = wait_formed(launcher.nodes())
        late = Node(launcher.base)
        self.assertEqual(late.port, launcher.base + 2)
        wait_formed(nodes + [late])

    def test_the_port_of_a_killed_node_can_be_claimed_at_once(self):
        base = harness.free_base()
        first = Node(base)
        first.health()
        first.kill()
        self.assertEqual(Node(base).port, base)


class NoneFree(Case):
    def test_it_says_who_holds_each_port_and_ends_with_69(self):
        base = harness.free_base(3)
        with held(base, base + 2):
            node = Node(base, env={"REPRAM_NODE_ID": "the-holder"})
            self.assertEqual(node.port, base + 1)
            late = Node(base, max_ports=3, wait=False)
            self.assertEqual(late.wait(60), NO_PORT)
            output = late.output()
            for port in (base, base + 1, base + 2):
                self.assertIn(str(port), output)
            self.assertIn("another program", output)
            self.assertIn(node.uuid()[:8], output)
            self.assertIn("the-holder", output)

    def test_more_nodes_than_ports_is_refused_at_start_with_both_numbers(self):
        base = harness.free_base()
        launcher = Program("launch", env={"BASE_PORT": base, "MAX_PORTS": 4, "NODE_COUNT": 5})
        self.assertEqual(launcher.wait(), 78)
        self.assertRegex(launcher.output(), r"NODE_COUNT")
        self.assertRegex(launcher.output(), r"\b5\b")
        self.assertRegex(launcher.output(), r"\b4\b")


class Fixed(Case):
    def test_a_fixed_port_is_used_and_found_by_the_others(self):
        base = harness.free_base()
        fixed = Node(base, env={"REPRAM_HTTP_PORT": base + 7})
        self.assertEqual(fixed.port, base + 7)
        wait_formed([fixed, Node(base)])

    def test_a_fixed_port_that_is_taken_ends_with_69(self):
        base = harness.free_base()
        with held(base + 7):
            node = Node(base, env={"REPRAM_HTTP_PORT": base + 7}, wait=False)
            self.assertEqual(node.wait(60), NO_PORT)
            self.assertIn(str(base + 7), node.output())


    def test_an_address_of_another_host_is_refused_as_a_setting(self):
        node = Node(harness.free_base(), env={"REPRAM_BIND": "192.0.2.77"}, wait=False)
        self.assertEqual(node.wait(60), 78)
        self.assertIn("REPRAM_BIND=192.0.2.77", node.output())


class SelfConnect(Case):
    @harness.needs_isolation
    def test_a_range_inside_the_ephemeral_one_brings_no_peer_that_is_itself(self):
        # Every outgoing connection takes its port from the range that discovery asks: a connect to
        # an unheld port reaches itself sooner or later.
        base = harness.free_base()
        harness.sysctl("net.ipv4.ip_local_port_range", f"{base} {base + 29}")
        self.addCleanup(harness.sysctl, "net.ipv4.ip_local_port_range", "32768 60999")
        nodes = [Node(base) for _ in range(2)]
        uuids = {node.uuid() for node in nodes}
        wait_until(lambda: all(node.alive() == uuids - {node.uuid()} for node in nodes),
                   "they find each other", 20)
        # From here on connections need ports of their own.
        harness.sysctl("net.ipv4.ip_local_port_range", "32768 60999")
        stays(lambda: all(node.uuid() not in node.states() and len(node.states()) == 1
                          for node in nodes), "neither lists itself", 2)


if __name__ == "__main__":
    harness.main()
