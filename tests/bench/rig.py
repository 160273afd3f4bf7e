"""rig: a cluster of real nodes, each in a network namespace of its own, all on one bridge; what can
be done to it, and how to see what happens without disturbing it.

Needs the integration tests' harness, and to run in its namespaces. Faults of the network act where
the bridge forwards (nft's bridge family): a share of all datagrams or segments lost, one
half cut off from the other, a cable pulled. Requests to the nodes come from the bridge itself and are
not forwarded: no fault and no count of bytes touches them.

The nodes' own log lines, with milliseconds of one machine's clock, show what they believe: nobody
is polled while something is timed. A packet socket on the bridge's ports shows the writes. /status
has the final word. """

import concurrent.futures
import datetime
import json
import os
import re
import select
import signal
import socket
import struct
import tempfile
import threading
import time

import harness
from harness import Host, Node, run

PORT = 8081
BRIDGE = "10.77.0.254"  # where the harness, and so every request, comes from
MEMBER = re.compile(r"^(\S+Z) +\w+ +member +(\S+)(?: \(\S+\))? "
                    r"(joined|does not answer and is suspect|is alive after all|is dead|left)",
                    re.MULTILINE)
WORDS = {"joined": "joined", "does not answer and is suspect": "suspect",
         "is alive after all": "alive", "is dead": "dead", "left": "left"}
KEY = re.compile(rb"write-\d{6}")


def hosts(count):
    """That many, each with fixed entries for all others in its ARP table and the bridge's tables: the
    kernel's ARP table is one for all namespaces and holds 1,024 that are not fixed, which is fewer
    than 48 hosts need. A pulled cable is then silence, as it is behind a router."""
    made = [Host() for _ in range(count)]
    known = [(host.address, hardware(host.address)) for host in made]
    known.append((BRIDGE, hardware(BRIDGE)))
    entries = "".join(f"neigh replace {address} lladdr {mac} dev eth0 nud permanent\n"
                      for address, mac in known)
    run("ip", "link", "set", "br0", "address", hardware(BRIDGE))
    for host in made:
        mac = hardware(host.address)
        run(*host.inside("ip", "link", "set", "eth0", "address", mac))
        run(*host.inside("ip", "-batch", "-"), input=entries, text=True)
        run("bridge", "fdb", "replace", mac, "dev", cable(host), "master", "static")
        run("ip", "neigh", "replace", host.address, "lladdr", mac, "dev", "br0", "nud", "permanent")
    return made


def hardware(address):
    return "02:00:" + ":".join(f"{byte:02x}" for byte in socket.inet_aton(address))


def cable(host):
    """The host's end of the bridge."""
    return "v" + host.name[1:]


class Life:
    """One process, and the lines of its log so far."""

    def __init__(self, number, host, name, peers, prefix=()):
        self.number = number
        self.host = host
        self.name = name
        self.started = time.time()
        self.ended = None
        self.spent = 0.0  # processor seconds before it could start
        self.node = Node(PORT, max_ports=1, host=host, wait=False, prefix=prefix, env={
            "REPRAM_NODE_ID": name, "REPRAM_DISCOVERY": "static", "REPRAM_PEERS": peers,
            "REPRAM_ADDRESS": host.address})
        self._read = 0

    def processor_seconds(self):
        """How long it has run or waited for a processor: what a simulated node never does."""
        with open(f"/proc/{self.node.pid}/schedstat", encoding="ascii") as file:
            ran, waited, _ = file.read().split()
        return (int(ran) + int(waited)) / 1e9

    def new_lines(self):
        """(seconds since 1970, what, of whom) of each line about a member since the last call."""
        with open(self.node.log.name, "rb") as file:
            file.seek(self._read)
            data = file.read()
        data = data[:data.rfind(b"\n") + 1]
        self._read += len(data)
        return [(datetime.datetime.fromisoformat(at).timestamp(), WORDS[text], member)
                for at, member, text in MEMBER.findall(data.decode("utf-8", "replace"))]


class Cluster:
    """`lives[i]` is the process on host i. `seen` has every line about a member, in no order:
    (seconds since 1970, observer's name, what, of whom)."""

    def __init__(self, the_hosts):
        self.hosts = the_hosts
        self.peers = ",".join(f"{host.address}:{PORT}" for host in the_hosts)
        self.lives = []
        self.count = len(the_hosts)
        self.serial = 0
        self.seen = []
        self.ended = {}  # name: when its process was ended or cut off
        self.node_seconds = 0.0
        self._pool = concurrent.futures.ThreadPoolExecutor(8)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        network()
        for life in self.lives:
            if life.ended is None:
                self._end(life, time.time())
            life.node.kill()
            self.read()
            life.node.close()
        self._pool.shutdown()

    # ---- Lives ----

    def _new_life(self, index, prefix=()):
        self.serial += 1
        return Life(index, self.hosts[index], f"n{index}.{self.serial}", self.peers, prefix)

    def start_all(self):
        """Lets all begin at one moment, and returns it: each waits at a pipe that ends then."""
        with tempfile.TemporaryDirectory() as folder:
            gate = os.path.join(folder, "gate")
            os.mkfifo(gate)
            holder = os.open(gate, os.O_RDWR)
            prefix = ("sh", "-c", f'exec 9<{gate}; read -r _ <&9; exec 9<&-; exec "$@"', "sh")
            self.lives = [self._new_life(index, prefix) for index in range(self.count)]
            for life in self.lives:
                harness.wait_until(lambda pid=life.node.pid: waits_at(pid, gate),
                                   "a node waits at the gate")
            before = [life.processor_seconds() for life in self.lives]
            begun = time.time()
            os.close(holder)
        for life, spent in zip(self.lives, before):
            life.started = begun
            life.spent = spent
            life.node.port = PORT
        return begun

    def kill(self, index, number=signal.SIGKILL):
        """The moment of it."""
        life = self.lives[index]
        at = time.time()
        life.node.process.send_signal(number)
        if number == signal.SIGKILL:
            self._end(life, at)
        return at

    def pull_cable(self, index):
        run("ip", "link", "set", cable(self.hosts[index]), "down")
        at = time.time()
        self._end(self.lives[index], at)
        return at

    def _end(self, life, at):
        life.ended = self.ended[life.name] = at
        self.node_seconds += at - life.started

    def replace(self, index):
        """A new process on the host, its cable plugged in; the old one has ended by now."""
        old = self.lives[index]
        old.node.kill()
        self.read()
        old.node.close()
        run("ip", "link", "set", cable(self.hosts[index]), "up")
        self.lives[index] = self._new_life(index)
        self.lives[index].node.port = PORT

    # ---- What they see ----

    def read(self):
        """Reads and returns what has been logged since the last call."""
        new = [(at, life.name, what, whom) for life in self.lives
               for at, what, whom in life.new_lines()]
        self.seen += new
        return new

    def await_lines(self, what, whom, observers, since, seconds=60):
        """When each of these reported it of the member; those that did not are left out."""
        times = {}
        deadline = time.time() + seconds * harness.SLOW
        while len(times) < len(observers) and time.time() < deadline:
            self.read()
            times = {}
            for at, observer, word, member in self.seen:
                if word == what and member == whom and observer in observers and at >= since - 0.001:
                    times[observer] = min(at, times.get(observer, at))
            time.sleep(0.05)
        return times

    def all_joined_at(self):
        """When the last of those that live now was listed by the last other; None if not all are."""
        names = {life.name for life in self.lives}
        joined = {}
        for at, observer, word, member in self.seen:
            if word == "joined" and observer in names and member in names:
                joined.setdefault((observer, member), at)
        wanted = self.count * (self.count - 1)
        return max(joined.values(), default=0) if len(joined) == wanted else None

    def await_joined(self, seconds=60):
        """As all_joined_at(), waited for."""
        deadline = time.time() + seconds * harness.SLOW
        while True:
            self.read()
            at = self.all_joined_at()
            if at is not None:
                return at
            if time.time() > deadline:
                raise harness.Timeout(f"{self.count} nodes do not all list each other")
            time.sleep(0.05)

    def statuses(self):
        """/status of all, 8 asked at a time."""
        return list(self._pool.map(lambda life: life.node.status(), self.lives))

    def has_full_view(self, statuses):
        """All count all others as alive, and their digests are equal."""
        return (all(s["membership"]["alive"] == self.count - 1 and s["membership"]["suspect"] == 0
                    for s in statuses)
                and len({s["membership"]["digest"] for s in statuses}) == 1)

    def is_converged(self, statuses):
        return len({(s["data"]["root_digest"], s["storage"]["keys"]) for s in statuses}) == 1

    def await_rest(self, seconds=120, every=0.05, views_only=False):
        """(when all views were full, when all digests were equal too, the longest time between two
        looks), each the end of the look that saw it."""
        deadline = time.time() + seconds * harness.SLOW
        views, last, longest = None, time.time(), 0.0
        while True:
            try:
                statuses = self.statuses()
            except OSError:
                statuses = None  # not yet listening
            now = time.time()
            longest, last = max(longest, now - last), now
            if statuses is not None and self.has_full_view(statuses):
                views = views or now
                if views_only or self.is_converged(statuses):
                    return views, now, longest
            else:
                views = None
            if now > deadline:
                raise harness.Timeout(f"{self.count} nodes have not come to rest")
            time.sleep(every)

    def await_ready(self, seconds=60):
        """All take reads and writes."""
        harness.wait_until(lambda: all(s["state"] == "ready" for s in self.statuses()),
                           f"{self.count} nodes are ready", seconds)

    def counters(self, *names):
        """Sums over all nodes of metrics."""
        pages = list(self._pool.map(lambda life: life.node.metrics(), self.lives))
        return [sum(page[name] for page in pages) for name in names]

    # ---- What they should not have reported ----

    def false_deaths(self, excused=()):
        """Deaths of members that lived and were reachable, as reported by such members; of one
        member once within 10 s. `excused`: (from, to, names), when reports by and about these are
        no wonder."""
        told, found = {}, []
        for at, observer, word, member in sorted(self.seen):
            if word != "dead":
                continue
            if any(at >= self.ended.get(name, float("inf")) for name in (observer, member)):
                continue
            if any(begin <= at <= end and (observer in names or member in names)
                   for begin, end, names in excused):
                continue
            if at - told.get(member, 0) > 10:
                found.append((at, observer, member))
            told[member] = at
        return found


def waits_at(pid, path):
    """Whether the process has the pipe open at its descriptor 9: the shell before the node."""
    try:
        return os.readlink(f"/proc/{pid}/fd/9") == path
    except OSError:
        return False


# ---- The network ----

def network(datagram_loss=0.0, segment_loss=0.0, cuts=()):
    """Replaces all faults of the network. Losses are shares of what the bridge forwards. A cut is
    (hosts, hosts): nothing passes from the first to the second."""
    lines = ["table bridge test", "delete table bridge test", "table bridge test {",
             "chain forwarded { type filter hook forward priority 0;"]
    for sources, targets in cuts:
        lines.append(f"iifname {names(sources)} oifname {names(targets)} drop")
    for protocol, share in (("udp", datagram_loss), ("tcp", segment_loss)):
        if share > 0:
            lines.append(f"ip protocol {protocol} numgen random mod 10000 < {share * 10000:.0f} drop")
    run("nft", "-f", "-", input="\n".join(lines) + "\n}\n}\n", text=True)


def names(the_hosts):
    return "{ " + ", ".join(cable(host) for host in the_hosts) + " }"


class Traffic:
    """Counts the bytes that hosts send to each other, IP headers included, as datagrams and as
    streams, from when it is made. Before any loss; ARP is not IP and not counted."""

    RULES = f"""table inet count
delete table inet count
table inet count {{
counter datagrams {{ }}
counter streams {{ }}
chain sent {{ type filter hook output priority 0;
oifname != "eth0" accept
ip daddr {BRIDGE} accept
meta l4proto udp counter name datagrams
meta l4proto tcp counter name streams
}}
}}
"""

    def __init__(self, the_hosts):
        self.hosts = the_hosts
        for host in the_hosts:
            run(*host.inside("nft", "-f", "-"), input=self.RULES, text=True)
        self.began = time.time()
        self.before = self._sums()

    def _sums(self):
        sums = {"datagrams": 0, "streams": 0}
        for host in self.hosts:
            page = run(*host.inside("nft", "-j", "list", "counters"), capture_output=True,
                       text=True).stdout
            for item in json.loads(page)["nftables"]:
                if "counter" in item:
                    sums[item["counter"]["name"]] += item["counter"]["bytes"]
        return sums

    def per_node_second(self):
        """(datagrams, streams): bytes."""
        after, seconds = self._sums(), time.time() - self.began
        return tuple((after[name] - self.before[name]) / seconds / len(self.hosts)
                     for name in ("datagrams", "streams"))


class Deliveries:
    """Of the writes `write-NNNNNN`: when the client's PUT went to its node, and when a copy went to
    each other node."""

    KEY_BYTES = 12

    def __init__(self):
        self.puts = {}    # key: (seconds since 1970, address of the node asked)
        self.copies = {}  # key: {address: (first, how many)}; a tree may bring one back, too
        self._ends = {}   # connection and direction: its last bytes, too few to be a key

    def take(self, data, at):
        """A frame of the Ethernet with TCP over IPv4. A key may begin in one and end in the next of
        its connection."""
        source, target = (socket.inet_ntoa(data[26 + i:30 + i]) for i in (0, 4))
        tcp = 14 + (data[14] & 15) * 4
        flow = data[26:34] + data[tcp:tcp + 4]
        text = self._ends.get(flow, b"") + data[tcp + (data[tcp + 12] >> 4) * 4:]
        self._ends[flow] = text[1 - self.KEY_BYTES:]
        for key in KEY.findall(text):
            if source == BRIDGE:
                if b"PUT /" in text:
                    self.puts.setdefault(key, (at, target))
            else:
                first, count = self.copies.setdefault(key, {}).get(target, (at, 0))
                self.copies[key][target] = (first, count + 1)

    def delays(self, key):
        """Seconds from the client's PUT to the first copy at each other node that had one."""
        begun, origin = self.puts[key]
        return [first - begun for address, (first, _) in self.copies.get(key, {}).items()
                if address != origin]


class Capture(Deliveries):
    """Sees the deliveries as they are handed to the nodes' cables, and not what was lost before
    that."""

    ETH_P_ALL, OUTGOING = 3, 4  # linux/if_ether.h; linux/if_packet.h
    SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35  # asm-generic/socket.h
    SOL_PACKET, PACKET_STATISTICS = 263, 6
    BUFFER_BYTES = 32 << 20
    TCP_OVER_IPV4 = (b"\x08\x00", socket.IPPROTO_TCP)

    def __init__(self):
        super().__init__()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(self.ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, self.SO_RCVBUFFORCE, self.BUFFER_BYTES)
        self._socket.setsockopt(socket.SOL_SOCKET, self.SO_TIMESTAMPNS, 1)
        self._until = None  # seconds since 1970
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self):
        """Takes what is on its way. Returns how many packets the kernel dropped because this
        program was slow."""
        self._until = time.time()
        self._thread.join()
        _, drops = struct.unpack("II", self._socket.getsockopt(
            self.SOL_PACKET, self.PACKET_STATISTICS, 8))
        self._socket.close()
        return drops

    def _listen(self):
        """Packets wait in the socket in the order of their time, so one later than the end, or none
        at all after it, says that all before it are taken. The network itself is never silent."""
        while True:
            until = self._until
            if not select.select([self._socket], [], [], 0.1)[0]:
                if until is not None:
                    return
                continue
            data, extra, _, (port, _, kind, *_) = self._socket.recvmsg(65536, 64)
            seconds, nanoseconds = struct.unpack("qq", extra[0][2])
            at = seconds + nanoseconds / 1e9
            if until is not None and at > until:
                return
            if (kind == self.OUTGOING and port.startswith("v") and len(data) > 54
                    and (data[12:14], data[23]) == self.TCP_OVER_IPV4):
                self.take(data, at)
