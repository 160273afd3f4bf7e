"""Strangers: datagrams and HELLOs that no honest node would send, to the real nodes of an open
cluster. Whoever sends them can read what everybody can (who is a member and where), and may name any
source address, but neither sees what the nodes send each other nor receives what they answer. None
of it may disturb the cluster for more than two seconds."""

import collections
import os
import random
import re
import selectors
import socket
import struct
import subprocess
import threading
import time

import harness
from harness import BINARY, Case, Node, cluster, needs_isolation, stays, wait_formed, wait_until

FORGE = os.environ.get("REPRAM_FORGE", os.path.join(os.path.dirname(BINARY),
                                                    "tests/integration/forge"))
SEED = int(os.environ.get("REPRAM_TEST_SEED", "1"))
COUNT = 5
COST_S = 2 * harness.SLOW  # what a stranger may cost
NOWHERE = ("127.0.0.66", 6666)  # where nobody is
VICTIM = "10.66.0.77"  # the address of somebody who has asked for nothing
UPGRADE = (b"GET /gossip HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
           b"Upgrade: repram-gossip/1\r\n\r\n")
INCARNATIONS = [0, 1, 2, 3, 17, 0x3fffffff, 1 << 32, (1 << 63) + 5, (1 << 64) - 1]
HAS_CLOCK, HAS_RECORDS, IS_READY = 1, 2, 4
PING, COOKIE = 1, 9  # kinds of packets
HEADS, SYNS = 28, 2 * 60  # bytes of IP and UDP a datagram, and of a dial
TEN_YEARS_US = 10 * 365 * 86400 * 10 ** 6


class Forge:
    """The program that formats what we send; one for all."""

    def __init__(self):
        self.process = subprocess.Popen([FORGE], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)

    def __call__(self, kind, **fields):
        words = [kind, "network=private"]
        for name, value in fields.items():
            values = value if isinstance(value, list) else [value]
            words += [f"{name}={one}" for one in values]
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        return bytes.fromhex(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def spoof(sender, receiver, payload):
    """One datagram with any source address, by a raw socket."""
    source, target = (socket.inet_aton(address) for address, _ in (sender, receiver))
    udp = struct.pack("!HHHH", sender[1], receiver[1], 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0,
                       source, target)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(head + udp, (receiver[0], 0))


def token_in(heard):
    """What a node's HELLO on a link of ours asks for; None before it has come."""
    head, _, frames = heard.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101") or len(frames) < 6 + 18:
        return None
    return struct.unpack_from("!Q", frames, 6 + 10)[0]


def greet(link, forge, **fields):
    """Says HELLO on a new connection to a node, as one who reads there. What has been heard is returned."""
    link.sendall(UPGRADE)
    heard = b""
    while (token := token_in(heard)) is None:
        piece = link.recv(65536)
        assert piece, heard
        heard += piece
    link.sendall(forge("hello", cookie=token, **fields))
    return heard


def some_uuid():
    return random.randbytes(16).hex()


class Third:
    """Somebody at an address that strangers name: counts what comes, on datagram and stream ports."""

    PORTS = range(7001, 7033)

    def __init__(self):
        harness.run("ip", "addr", "replace", f"{VICTIM}/32", "dev", "lo")
        self.bytes = self.datagrams = self.dials = 0
        self.bytes_to = collections.Counter()  # by port
        self.selector = selectors.DefaultSelector()
        self.sockets = []
        for port in self.PORTS:
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                one = socket.socket(socket.AF_INET, kind)
                one.setblocking(False)
                if kind == socket.SOCK_STREAM:  # those of a test before may be in TIME_WAIT
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                one.bind((VICTIM, port))
                if kind == socket.SOCK_STREAM:
                    one.listen(64)
                self.selector.register(one, selectors.EVENT_READ, kind)
                self.sockets.append(one)

    def watch(self, seconds):
        """Takes what comes within so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for key, _ in self.selector.select(left):
                if key.data == socket.SOCK_DGRAM:
                    size = len(key.fileobj.recv(65536))
                    self.bytes += size
                    self.bytes_to[key.fileobj.getsockname()[1]] += size
                    self.datagrams += 1
                else:
                    connection, _ = key.fileobj.accept()
                    connection.close()
                    self.dials += 1

    def close(self):
        self.selector.close()
        for one in self.sockets:
            one.close()
        # Nodes that start while it is there take the address for one of their own, and answer by it.
        harness.run("ip", "addr", "del", f"{VICTIM}/32", "dev", "lo")


class Strangers(Case):
    count = COUNT

    def setUp(self):
        random.seed(SEED)
        print(f"REPRAM_TEST_SEED={SEED}")
        self.forge = Forge()
        self.addCleanup(self.forge.close)
        self.launcher, self.nodes = cluster(self.count)
        self.uuids = [node.uuid() for node in self.nodes]
        self.written = 0

    def send(self, node, data, sender=NOWHERE):
        spoof(sender, (node.address, node.port), data)

    def incarnation(self, uuid):
        node = next(node for node, own in zip(self.nodes, self.uuids) if own != uuid)
        return next(peer["incarnation"] for peer in node.peers() if peer["uuid"] == uuid)

    def write(self):
        """A PUT on some node must be a 201 by the quorum of all, and quick."""
        node = random.choice(self.nodes)
        self.written += 1
        before = time.monotonic()
        reply = node.put(f"key-{self.written}", f"value-{self.written}")
        took = time.monotonic() - before
        self.assertEqual(reply.status, 201, reply)
        have, members = map(int, reply.headers["x-replicas"].split("/"))
        self.assertEqual(members, self.count, f"write {self.written} on {node}")
        self.assertGreaterEqual(have, min(self.count, 3) // 2 + 1)
        self.assertLess(took, COST_S, f"write {self.written} on {node}")

    def assert_whole(self):
        """All see all, and hold all that was written."""
        wait_until(lambda: harness.formed(self.nodes), "all see all alive", COST_S)
        for node in self.nodes:
            wait_until(lambda n=node: len(n.keys()) == self.written, f"{node} holds all", COST_S)

    def links_opened(self):
        return sum(node.metrics()["repram_links_opened_total"] for node in self.nodes)

    def endings(self, uuid, incarnation):
        """Everything that says that a member has ended."""
        by = random.choice(self.uuids)
        return {"suspect": f"{uuid},{incarnation},{by}", "dead": f"{uuid},{incarnation},{by}",
                "left": f"{uuid},{incarnation}", "past": f"{uuid},{incarnation},dead,0"}


@needs_isolation
class Endings(Strangers):
    def test_deaths_at_any_incarnation_are_refuted(self):
        for incarnation in INCARNATIONS:
            for uuid in self.uuids:
                for kind in ("gossip", "ping"):
                    data = self.forge(kind, uuid=some_uuid(), seq=random.randrange(1, 1 << 31),
                                      **self.endings(uuid, incarnation))
                    for node in self.nodes:
                        self.send(node, data)
            self.write()
        self.assert_whole()

    def test_one_death_at_the_highest_incarnation_splits_nobody(self):
        data = self.forge("gossip", uuid=some_uuid(),
                          dead=f"{self.uuids[0]},{(1 << 64) - 1},{self.uuids[1]}")
        self.send(self.nodes[1], data)
        self.write()
        self.assert_whole()

    def test_a_storm_of_ordinary_endings_moves_no_quorum_and_no_link(self):
        opened = self.links_opened()
        end = time.monotonic() + 6
        while time.monotonic() < end:
            for _ in range(5):
                uuid, node = random.choice(self.uuids), random.choice(self.nodes)
                what = random.choice(["suspect", "dead", "left", "past"])
                ending = self.endings(uuid, self.incarnation(uuid))[what]
                spoken_by, sender = random.choice(
                    [(some_uuid(), NOWHERE)] +
                    [(own, (other.address, other.port))
                     for own, other in zip(self.uuids, self.nodes) if other is not node])
                self.send(node, self.forge("gossip", uuid=spoken_by, **{what: ending}), sender)
            self.write()
        self.assertEqual(self.links_opened(), opened)
        self.assert_whole()


@needs_isolation
class Cards(Strangers):
    def test_a_member_without_an_address_holds_up_no_write(self):
        for node in self.nodes:
            card = f"{some_uuid()},1,ghost,default,7"
            self.send(node, self.forge("gossip", uuid=some_uuid(), alive=card))
            self.write()
        self.assert_whole()

    def test_a_full_table_refuses_no_newcomer(self):
        for _ in range(16384 // 16):
            cards = [f"{some_uuid()},1,g,default,7" for _ in range(16)]
            data = self.forge("gossip", uuid=some_uuid(), alive=cards)
            for node in self.nodes:
                self.send(node, data)
        self.write()
        newcomer = Node(base=min(node.port for node in self.nodes))
        self.addCleanup(newcomer.close)
        wait_until(newcomer.is_ready, "the newcomer is ready", 10)
        self.nodes.append(newcomer)
        self.uuids.append(newcomer.uuid())
        self.count += 1
        self.assert_whole()
        self.write()

    def test_false_cards_of_members_change_neither_address_nor_enclave(self):
        for uuid in self.uuids:
            for more in (1, 2, 1 << 16, 1 << 17, 1 << 40):
                card = f"{uuid},{self.incarnation(uuid) + more},false,elsewhere,7," \
                       f"global,{NOWHERE[0]},{NOWHERE[1]}"
                for node in self.nodes:
                    self.send(node, self.forge("gossip", uuid=some_uuid(), alive=card))
        self.write()
        self.assert_whole()


class Alone(Strangers):
    count = 1

    @needs_isolation
    def test_a_card_makes_no_quorum_of_a_node_that_is_alone(self):
        for addresses in ("", f",global,{NOWHERE[0]},{NOWHERE[1]}"):
            card = f"{some_uuid()},1,ghost,default,7{addresses}"
            self.send(self.nodes[0], self.forge("ping", uuid=some_uuid(), seq=9, alive=card))
            self.write()


@needs_isolation
class Reflection(Strangers):
    """Somebody who has not asked gets no more than came in."""

    def setUp(self):
        super().setUp()
        self.third = Third()
        self.addCleanup(self.third.close)

    def test_answers_are_no_longer_than_what_came(self):
        # Each is sent from a port of its own, so that an answer that is late is not another's.
        ports = iter(Third.PORTS)
        sent = []
        for kind in ("ping", "pull", "gossip", "ping_req", "cards", "ack"):
            for known in (some_uuid(), self.uuids[0]):
                for is_long in (0, 1):
                    fields = {"width": 26, "count": 1} if kind == "pull" else {}
                    data = self.forge(kind, uuid=known, long=is_long, knows=is_long ^ 1,
                                      seq=random.randrange(1, 1 << 31), target=self.uuids[1],
                                      **fields)
                    sent.append((next(ports), len(data), (kind, is_long, known)))
                    self.send(self.nodes[1], data, (VICTIM, sent[-1][0]))
                    self.third.watch(0.25)
        self.third.watch(2)
        for port, length, what in sent:
            self.assertLessEqual(self.third.bytes_to[port], length, what)
        self.assertEqual(self.third.dials, 0)
        self.assert_whole()

    def test_cards_cause_no_more_than_they_weigh(self):
        sent = 0
        ports = iter(Third.PORTS)
        cards = []
        for _ in range(4):
            addresses = "".join(f",global,{VICTIM},{next(ports)}" for _ in range(4))
            cards.append(f"{some_uuid()},1,ghost,default,7{addresses}")
        data = self.forge("gossip", uuid=some_uuid(), alive=cards)
        for node in self.nodes:
            self.send(node, data)
            sent += len(data)
        self.third.watch(8)
        print(f"sent {sent} bytes, came {self.third.bytes} in {self.third.datagrams} datagrams "
              f"and {self.third.dials} dials")
        self.assertLessEqual(self.third.bytes, sent)
        self.assertLessEqual(self.third.dials, len(self.nodes))
        self.assert_whole()


    def test_hellos_cause_little_where_nobody_has_answered(self):
        ports = iter([*Third.PORTS] * 2)
        began = time.monotonic()
        for i in range(10):
            addresses = "".join(f",global,{VICTIM},{next(ports)}" for _ in range(4))
            node = self.nodes[i % self.count]
            with socket.create_connection((node.address, node.port), 10 * harness.SLOW) as link:
                greet(link, self.forge, me=f"{some_uuid()},1,ghost,default,7{addresses}",
                      seen_as="127.0.0.1,80")
                link.recv(65536)
        self.third.watch(4)
        # Of each node as gossip/wire/quiet.h says, however long it was, and no more for the news of
        # them among members.
        pings = self.count * (8 + 2 * (time.monotonic() - began))
        dials = self.count * (4 + 0.5 * (time.monotonic() - began))
        print(f"came {self.third.datagrams} datagrams and {self.third.dials} dials")
        self.assertGreater(self.third.datagrams, 0)
        self.assertLessEqual(self.third.datagrams, 2 * pings)
        self.assertLessEqual(self.third.dials, dials)

    def test_cards_in_a_members_name_cause_no_more_than_they_weigh(self):
        sent = 0
        self.third.watch(4)  # the pings to addresses that members named to each other
        end = time.monotonic() + 3
        while time.monotonic() < end:
            for i, node in enumerate(self.nodes):
                other = self.nodes[i - 1]
                cards = [f"{some_uuid()},1,g,d,7,global,{VICTIM},{random.choice(Third.PORTS)}"
                         for _ in range(random.choice([1, 2, 16]))]
                data = self.forge("gossip", uuid=self.uuids[i - 1], long=0, knows=1, alive=cards)
                self.send(node, data, (other.address, other.port))
                sent += HEADS + len(data)
            self.third.watch(0.05)
        self.third.watch(6)
        came = self.third.bytes + HEADS * self.third.datagrams + SYNS * self.third.dials
        print(f"sent {sent} bytes, came {came} in {self.third.datagrams} datagrams "
              f"and {self.third.dials} dials")
        self.assertGreater(came, 0)
        self.assertLessEqual(came, sent)
        self.assert_whole()


@needs_isolation
class Clocks(Strangers):
    def answer(self, one, stop, uuid):
        """A member by datagram alone, whose clock is ten years off."""
        me = f"{uuid},1,liar,default,7,global,{VICTIM},{one.getsockname()[1]}"
        while not stop.is_set():
            try:
                data, sender = one.recvfrom(65536)
            except TimeoutError:
                continue
            body = 48 if data[1] & 1 else 16
            if data[body] == COOKIE:
                cookie = struct.unpack_from("!Q", data, body + 5)[0]
                one.sendto(self.forge("ping", uuid=uuid, seq=5, alive=me, cookie=cookie), sender)
            if data[body] != PING:
                continue
            seq = struct.unpack_from("!I", data, body + 1)[0]
            clock_us = int(time.time() * 1e6) + TEN_YEARS_US
            one.sendto(self.forge("ack", uuid=uuid, seq=seq, clock_us=clock_us, alive=me,
                                  flags=HAS_CLOCK | HAS_RECORDS | IS_READY), sender)

    def test_a_member_by_datagram_alone_steers_no_clock(self):
        self.write()
        stop = threading.Event()
        harness.run("ip", "addr", "replace", f"{VICTIM}/32", "dev", "lo")
        uuid = "00" * 15 + "01"  # smaller than any
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind((VICTIM, 7100))
            one.settimeout(0.1)
            me = f"{uuid},1,liar,default,7,global,{VICTIM},7100"
            ping = self.forge("ping", uuid=uuid, seq=5, alive=me)
            thread = threading.Thread(target=self.answer, args=(one, stop, uuid))
            thread.start()
            try:
                for node in self.nodes:
                    one.sendto(ping, (node.address, node.port))
                wait_until(lambda: all(node.status()["clock"]["conflicts"] == 1
                                       for node in self.nodes), "all know its clock", 10)
                # The error includes what is yet to be slewed: ten years, if anybody followed.
                stays(lambda: all(node.status()["clock"]["error_ms"] < 1000
                                  for node in self.nodes), "no clock follows", 4)
                self.write()
            finally:
                stop.set()
                thread.join()


@needs_isolation
class Hellos(Strangers):
    def hello(self, node, **fields):
        """A link to a node that has said HELLO; what the node said is returned with it."""
        link = socket.create_connection((node.address, node.port), timeout=10 * harness.SLOW)
        heard = greet(link, self.forge, **fields)
        own = bytes.fromhex(self.uuids[self.nodes.index(node)])
        try:
            while own not in heard or link.settimeout(0.5) is None:  # what follows its HELLO comes at once
                piece = link.recv(65536)
                if not piece:
                    break
                heard += piece
        except (TimeoutError, ConnectionError):
            pass
        return link, heard

    def test_a_hello_with_a_members_uuid_ends_no_link_of_it(self):
        lost = sum(node.metrics()["repram_links_lost_total"] for node in self.nodes)
        opened = self.links_opened()
        links = []
        for uuid in self.uuids[1:]:
            me = f"{uuid},{self.incarnation(uuid)},false,default,7,global,{NOWHERE[0]},{NOWHERE[1]}"
            links.append(self.hello(self.nodes[0], me=me, seen_as="127.0.0.1,80")[0])
            self.write()
        self.addCleanup(lambda: [link.close() for link in links])
        self.assert_whole()
        self.assertEqual(sum(node.metrics()["repram_links_lost_total"] for node in self.nodes), lost)
        self.assertEqual(self.links_opened(), opened)

    def test_three_hundred_fill_no_log_and_say_no_more_in_it_than_their_names(self):
        node = self.nodes[0]
        prefix = f"[{node.health()['node_id']}] "
        before = self.launcher.output().count("\n")
        for i in range(300):
            me = f"{some_uuid()},1,x[flux-node-1]is;dead#{i},default,7"
            with socket.create_connection((node.address, node.port), timeout=10 * harness.SLOW) as link:
                greet(link, self.forge, me=me, seen_as="127.0.0.1,80")
                link.recv(65536)
        counted = re.compile(r'lines like "linked with ..." that were left out: [1-9]')
        wait_until(lambda: counted.search(self.launcher.output()), "those left out are counted", 25)
        lines = self.launcher.output().splitlines()[before:]
        linked = [line for line in lines if line.startswith(prefix) and " linked with x" in line]
        self.assertTrue(all("linked with x%5Bflux-node-1%5Dis%3Bdead%23" in line for line in linked))
        self.assertGreater(len(linked), 20)
        self.assertLess(len(linked), 50)
        self.assertNotIn("x[", self.launcher.output())

    def test_two_strangers_give_a_node_no_address(self):
        for i in range(3):
            me = f"{some_uuid()},1,s{i},default,7"
            link, _ = self.hello(self.nodes[0], me=me, seen_as="10.9.8.7,4444")
            link.close()
        link, heard = self.hello(self.nodes[0], me=f"{some_uuid()},1,s,default,7",
                                 seen_as="127.0.0.1,80")
        link.close()
        self.assertNotIn(socket.inet_aton("10.9.8.7"), heard)
        self.assertIn(bytes.fromhex(self.uuids[0]), heard)


if __name__ == "__main__":
    harness.main()
