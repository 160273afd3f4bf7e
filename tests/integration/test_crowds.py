"""Crowds: strangers who take what is limited, slowly and by the hundred. Others are served beside
them."""

import json
import os
import socket
import threading

import harness
from harness import Case, Node, free_base, wait_until
from http_raw import Raw

STORAGE_MIB = 8
FIRST_BYTES = 4200  # of a body, which take twice as much
RATE_BYTES = 1100  # then so many each second


class Slow:
    """Clients who announce large bodies and send little; each comes back when it is ended."""

    def __init__(self, node, count):
        self.address = (node.address, node.port)
        self.is_over = threading.Event()
        self.ended = 0
        self.made = 0
        self.sockets = [self.open() for _ in range(count)]
        self.thread = threading.Thread(target=self.go_on)
        self.thread.start()

    def open(self):
        self.made += 1
        one = socket.create_connection(self.address, timeout=20 * harness.SLOW)
        head = f"PUT /data/slow-{self.made} HTTP/1.1\r\nHost: a\r\n"
        if self.made % 2 == 0:
            one.sendall(f"{head}Content-Length: 10000000\r\n\r\n".encode() + b"s" * FIRST_BYTES)
        else:
            one.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n{10 ** 7:x}\r\n".encode() +
                        b"s" * FIRST_BYTES)
        one.setblocking(False)
        return one

    def step(self, one):
        """Sends a second's bytes; another connection when this one has ended."""
        try:
            if one.recv(4096) is not None:
                self.ended += 1
                one.close()
                return self.open()
        except BlockingIOError:
            pass
        try:
            one.send(b"s" * RATE_BYTES)
        except BlockingIOError:
            pass
        return one

    def go_on(self):
        while not self.is_over.wait(1):
            self.sockets = [self.step(one) for one in self.sockets]

    def close(self):
        self.is_over.set()
        self.thread.join()
        for one in self.sockets:
            one.close()


class Bodies(Case):
    def setUp(self):
        self.node = Node(free_base(), env={"REPRAM_MAX_STORAGE_MB": STORAGE_MIB})
        self.addCleanup(self.node.close)
        wait_until(self.node.is_ready, "it is ready", 5)

    def test_slow_bodies_keep_no_other_out(self):
        for count in (7, 70, 500):
            slow = Slow(self.node, count)
            try:
                for size in (64 << 10, 1 << 20) * 2:
                    value = os.urandom(size)
                    reply = self.node.put("k", value)
                    self.assertEqual(reply.status, 201, (count, size, reply))
            finally:
                slow.close()
            wait_until(lambda: self.node.metrics()["repram_http_connections_open"] == 1,
                       "they are gone", 10)
        self.assertGreater(self.node.metrics()["repram_http_bodies_outpaced_total"], 0)

    def test_one_that_is_ended_hears_why_and_the_other_goes_on(self):
        size = 1200 << 10  # two of which have no room at once
        head = f"PUT /data/k HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode()
        stalled, quick = (Raw((self.node.address, self.node.port), 20) for _ in range(2))
        self.addCleanup(stalled.sock.close)
        self.addCleanup(quick.sock.close)
        stalled.send(head + b"s" * (size - 1))
        quick.pour(head + b"q" * size)
        self.assertEqual(quick.response()[0], 201)
        status, _, body = stalled.response()
        self.assertEqual((status, json.loads(body)["code"]), (408, "overloaded"))


if __name__ == "__main__":
    harness.main()
