"""Random bytes where peers speak: the node counts them, changes nothing, and goes on."""

import os
import random
import socket

import harness
from harness import Case, cluster, wait_until

SEED = int(os.environ.get("REPRAM_TEST_SEED", "1"))
UPGRADE = (b"GET /gossip HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
           b"Upgrade: repram-gossip/1\r\n\r\n")


def total(metrics, *words):
    """The sum of the counters whose name has one of the words."""
    return sum(value for name, value in metrics.items() if any(word in name for word in words))


def refused(node):
    return total(node.metrics(), "malformed", "stranger", "unknown")


class BadPeer(Case):
    def setUp(self):
        self.random = random.Random(SEED)
        print(f"REPRAM_TEST_SEED={SEED}")
        _, self.nodes = cluster()
        self.assertEqual(self.nodes[0].put("kept", "value").status, 201)
        for node in self.nodes:
            wait_until(lambda n=node: n.holds("kept", b"value"), f"{node} has it", 2)
        self.states = [node.states() for node in self.nodes]

    def assert_unchanged(self):
        for node, states in zip(self.nodes, self.states):
            self.assertTrue(node.holds("kept", b"value"))
            self.assertEqual(node.keys(), ["kept"])
            self.assertEqual(set(node.states()), set(states))
        wait_until(lambda: harness.formed(self.nodes), "the cluster is whole", 10)

    def test_random_datagrams_change_nothing_and_are_counted(self):
        node = self.nodes[0]
        before = refused(node)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for i in range(2000):
                size = self.random.choice((0, 1, 15, 16, 17, 60, 200, 1399, 1400, 1401, 9000))
                sender.sendto(self.random.randbytes(size), (node.address, node.port))
                if i % 50 == 0:
                    node.health()  # lets the node keep up: its socket's buffer is bounded
        wait_until(lambda: refused(node) > before + 500, "they are counted", 10)
        self.assert_unchanged()

    def link(self, node):
        """A connection that has been upgraded to a peer link; what the peer said first is read."""
        connection = socket.create_connection((node.address, node.port), timeout=10 * harness.SLOW)
        connection.sendall(UPGRADE)
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(4096)
            self.assertTrue(piece, f"closed after {head!r}")
            head += piece
        self.assertTrue(head.startswith(b"HTTP/1.1 101 "), head)
        return connection

    def ends(self, connection):
        """Reads until the other side ends it."""
        try:
            while connection.recv(65536):
                pass
        except ConnectionError:
            pass
        connection.close()

    def test_random_bytes_on_a_link_end_it_and_nothing_else(self):
        node = self.nodes[1]
        before = refused(node)
        for size in (1, 7, 8, 16, 100, 5000, 200_000):
            connection = self.link(node)
            try:
                connection.sendall(self.random.randbytes(size))
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it may be refused while it is still being sent
            self.ends(connection)
        self.assertGreater(refused(node), before)
        self.assert_unchanged()

    def test_links_that_say_nothing_are_bounded_and_do_not_stop_the_node(self):
        node = self.nodes[2]
        idle = [self.link(node) for _ in range(20)]
        self.assertEqual(node.put("kept", "value").status, 201)
        self.assert_unchanged()
        for connection in idle:
            connection.close()

    def test_an_upgrade_to_another_protocol_is_no_link(self):
        reply = self.nodes[0].request("GET", "/gossip", headers={
            "Connection": "Upgrade", "Upgrade": "websocket"})
        self.assertGreaterEqual(reply.status, 400)
        self.assertLess(reply.status, 500)
        self.assert_unchanged()


if __name__ == "__main__":
    harness.main()
