"""Crowds: strangers who take what is limited, slowly and by the hundred. Others are served beside
them."""

import json
import os
import resource
import selectors
import socket
import struct
import threading

import harness
from harness import Case, Node, free_base, needs_isolation, wait_until
from http_raw import Raw
from test_strangers import PING, UPGRADE, Forge, some_uuid

STORAGE_MIB = 8
FIRST_BYTES = 4200  # of a body, which take twice as much
RATE_BYTES = 1100  # then so many each second
HELLO, PACKET, RECORDS = 1, 3, 27  # kinds of frames


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


class Prefixes(Case):
    """Clients who watch, each another prefix."""

    WATCHERS = 3000
    PUTS = 2000

    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.node = Node(free_base())
        self.addCleanup(self.node.close)
        wait_until(self.node.is_ready, "it is ready", 5)

    def watch(self, count):
        head = b"GET /watch?prefix=other-%06d HTTP/1.1\r\nHost: a\r\n\r\n"
        for i in range(count):
            one = socket.create_connection((self.node.address, self.node.port), 20 * harness.SLOW)
            self.addCleanup(one.close)
            one.sendall(head % i)
            told = b""
            while b"event: live" not in told:
                told += one.recv(4096)

    def put_cost(self):
        """The processor time that PUTs of a key take which nobody watches, the least of some tries."""
        raw = Raw((self.node.address, self.node.port), 20)
        one = b"PUT /data/k HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nv"
        costs = []
        for _ in range(5):
            before = self.node.metrics()["process_cpu_seconds_total"]
            raw.pour(one * self.PUTS)
            for _ in range(self.PUTS):
                self.assertEqual(raw.response()[0], 201)
            costs.append(self.node.metrics()["process_cpu_seconds_total"] - before)
        raw.sock.close()
        return min(costs)

    def test_many_other_prefixes_make_no_put_dear(self):
        alone = self.put_cost()
        self.watch(self.WATCHERS)
        beside = self.put_cost()
        self.assertLess(beside, 3 * alone, f"{alone:.4f} s of {self.PUTS} PUTs, then {beside:.4f} s")


SAYS_NOTHING, READS_NOTHING, READS_HELLO, ANSWERS = range(4)  # what a stranger does on its links


class Links:
    """Strangers' links to a node, each under a uuid of its own."""

    def __init__(self, node, forge, manner):
        self.address = (node.address, node.port)
        self.forge = forge
        self.manner = manner
        self.selector = selectors.DefaultSelector()
        self.open = 0

    def dial(self, source):
        one = socket.create_connection(self.address, 20 * harness.SLOW, (source, 0))
        uuid = some_uuid()
        one.sendall(UPGRADE)
        if self.manner == READS_NOTHING:
            self.say_hello(one, uuid, 0)
        one.setblocking(False)
        self.selector.register(one, selectors.EVENT_READ, [uuid, b""])
        self.open += 1

    def say_hello(self, one, uuid, token):
        one.send(self.forge("hello", cookie=token, me=f"{uuid},1,s,default,7", seen_as="127.0.0.1,80"))

    def answer(self, one, uuid, payload):
        body = 48 if payload[1] & 1 else 16
        if self.manner == ANSWERS and payload[body] == PING:
            ack = self.forge("ack", uuid=uuid, seq=struct.unpack_from("!I", payload, body + 1)[0])
            one.send(struct.pack("!BBI", PACKET, 1, len(ack)) + ack)

    def take(self, one, known, data):
        """Frames, after the answer to the upgrade."""
        known[1] += data
        if known[1].startswith(b"HTTP/1.1 101"):
            known[1] = known[1].partition(b"\r\n\r\n")[2]
        while len(known[1]) >= 6:
            kind, _, size = struct.unpack_from("!BBI", known[1])
            if len(known[1]) < 6 + size:
                break
            payload, known[1] = known[1][6:6 + size], known[1][6 + size:]
            if kind == PACKET:
                self.answer(one, known[0], payload)
            elif kind == HELLO and self.manner >= READS_HELLO:
                self.say_hello(one, known[0], struct.unpack_from("!Q", payload, 10)[0])

    def turn(self):
        for key, _ in self.selector.select(0.05):
            try:
                data = key.fileobj.recv(65536)
                if data:
                    self.take(key.fileobj, key.data, data)
            except ConnectionError:
                data = b""
            if not data:
                self.drop(key.fileobj)

    def drop(self, one):
        self.selector.unregister(one)
        one.close()
        self.open -= 1

    def all(self):
        return [key.fileobj for key in self.selector.get_map().values()]

    def close(self):
        for one in self.all():
            self.drop(one)
        self.selector.close()


@needs_isolation
class Peers(Case):
    """Links from addresses that are none of the node's host."""

    def setUp(self):
        harness.run("ip", "route", "replace", "local", "10.66.7.0/24", "dev", "lo")
        self.forge = Forge()
        self.addCleanup(self.forge.close)
        self.node = Node(free_base(), env={"REPRAM_MAX_STORAGE_MB": STORAGE_MIB})
        self.addCleanup(self.node.close)
        wait_until(self.node.is_ready, "it is ready", 5)

    def links(self, manner):
        links = Links(self.node, self.forge, manner)
        self.addCleanup(links.close)
        return links

    def test_of_one_address_so_many_that_answer_nothing_have_links(self):
        links = self.links(SAYS_NOTHING)
        for _ in range(40):
            links.dial("10.66.7.1")
        wait_until(lambda: links.turn() or links.open <= 16, "the others are ended", 5)
        metrics = self.node.metrics()
        self.assertGreater(metrics["repram_links_refused_addr_total"] +
                           metrics["repram_links_displaced_total"], 0)
        self.assertEqual(self.node.put("k", "v").status, 201)
        links.manner = READS_HELLO
        links.dial("10.66.7.2")
        wait_until(lambda: links.turn() or self.node.metrics()["repram_links_up"] > 0,
                   "another address gets its link", 5)

    def test_who_reads_nothing_on_its_links_makes_no_members(self):
        links = self.links(READS_NOTHING)
        for i in range(200):
            links.dial(f"10.66.7.{1 + i % 50}")
            links.turn()
        wait_until(lambda: links.turn() or links.open == 0, "all are ended", 5)
        self.assertEqual(self.node.states(), {})
        self.assertEqual(self.node.put("k", "v").headers["x-replicas"], "1/1")

    def test_links_that_hold_much_end(self):
        links = self.links(ANSWERS)
        for i in range(600):
            links.dial(f"10.66.7.{1 + i % 50}")
            links.turn()
            if i % 100 == 99:  # 128 that have not answered yet are too many
                wait_until(lambda n=i + 1: links.turn() or self.node.metrics()["repram_links_up"] == n,
                           "all are members", 10)
        half = struct.pack("!BBI", RECORDS, 1, 69000) + b"h" * 68000
        for one in links.all():
            one.setblocking(True)
            one.sendall(half)
            one.setblocking(False)
        # Each takes 128 KiB.
        wait_until(lambda: links.turn() or links.open <= 128, "the others are ended", 5)
        self.assertGreater(self.node.metrics()["repram_links_outgrown_total"], 400)


if __name__ == "__main__":
    harness.main()
