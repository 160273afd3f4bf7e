#!/usr/bin/python3
"""What watchers of many prefixes cost a node: memory, and processor time for a PUT and an expiry.

    tests/bench/prefixes.py [--binary build/release/repram] [--watchers 10000] [--portions 20]

One node on loopback. PUTs go in portions of 1,000, pipelined on one connection, first without
watchers, then with as many as said, each with a prefix of its own:

    nobody   keys that nobody watches, each of which shares 16 bytes with all prefixes
    one      keys that one watcher has; delivering the event is in it
    deep     one key of 1,024 bytes; at each of them the prefix of some watcher parts from it
    expire   entries that nobody watches and that end during the measurement, their PUTs included

Prints the processor time of the node by the scheduler's books. Runs in a network namespace of its
own where that is allowed (root). It judges nothing."""

import argparse
import os
import select
import signal
import socket
import subprocess
import sys
import time

import figures
from figures import TOP, resident_bytes, say, until

PORT, PORTION, KEY_MAX = 8081, 1000, 1024
TTL, SHORT_TTL = 3600, 2


def cpu_us(pid):
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1000


def prefix(number):
    """Each another: the first part one by one from the longest key, the others only at their end."""
    return "k" * number + "-" if number < KEY_MAX else f"watched/of/many/{number:06d}/"


def start():
    environment = dict(os.environ, REPRAM_PORT=str(PORT), BASE_PORT=str(PORT), MAX_PORTS="1",
                       REPRAM_MIN_TTL="1", REPRAM_LOG_LEVEL="warn", REPRAM_IDLE_TIMEOUT="3600",
                       REPRAM_MAX_WATCHERS=str(ARGUMENTS.watchers))
    node = subprocess.Popen([ARGUMENTS.binary, "node"], env=environment)
    until(lambda: figures.asked(PORT, "/readyz") is not None)
    return node


class Watchers:
    """Streams that are read while something else is waited for."""

    def __init__(self, count):
        self.poll = select.epoll()
        self.streams = {}
        for number in range(count):
            stream = socket.create_connection(("127.0.0.1", PORT))
            stream.sendall(f"GET /watch?prefix={prefix(number)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            self.streams[stream.fileno()] = stream
            self.poll.register(stream, select.EPOLLIN)
        live = set()
        while len(live) < count:
            live |= {number for number, text in self.read(1) if b"event: live" in text}

    def read(self, seconds=0.0):
        ready = self.poll.poll(seconds)
        return [(number, self.streams[number].recv(1 << 16)) for number, _ in ready]


def put(connection, watchers, keys, ttl):
    """Sends them all, reads the answers, and meanwhile what the watchers are told."""
    requests = b"".join(f"PUT /data/{key}?ttl={ttl} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
                        .encode() for key in keys)
    stored, tail = 0, b""
    own = select.poll()
    connection.setblocking(False)
    while stored < len(keys):
        own.register(connection, select.POLLIN | (select.POLLOUT if requests else 0))
        own.poll(1000)
        try:
            requests = requests[connection.send(requests):] if requests else requests
        except BlockingIOError:
            pass
        try:
            text = tail + connection.recv(1 << 20)
            stored += text.count(b"HTTP/1.1 201")
            tail = text[-11:]
        except BlockingIOError:
            pass
        if watchers:
            watchers.read()


def measure(node, watchers, key, ttl=TTL):
    """Microseconds of processor time a PUT; when entries end soon, until they have."""
    connection = socket.create_connection(("127.0.0.1", PORT))
    before = cpu_us(node.pid)
    for portion in range(ARGUMENTS.portions):
        put(connection, watchers, [key(portion * PORTION + i) for i in range(PORTION)], ttl)
    end = time.monotonic() + (ttl + 1 if ttl < TTL else 0)
    while time.monotonic() < end:
        if watchers:
            watchers.read(0.01)
        else:
            time.sleep(0.01)
    spent = cpu_us(node.pid) - before
    connection.close()
    return spent / ARGUMENTS.portions / PORTION


KINDS = {"nobody": lambda i: f"watched/of/many/x{i:06d}",
         "one": lambda i: prefix(KEY_MAX + i % max(1, ARGUMENTS.watchers - KEY_MAX)) + "key",
         "deep": lambda i: "k" * KEY_MAX}


def measure_all(node, watchers):
    costs = {name: measure(node, watchers, key) for name, key in KINDS.items()}
    costs["expire"] = measure(node, watchers, KINDS["nobody"], SHORT_TTL)
    return costs


def main():
    figures.isolate()
    node = start()
    try:
        measure(node, None, KINDS["one"])  # warms the node up
        without = measure_all(node, None)
        before = resident_bytes(node.pid)
        watchers = Watchers(ARGUMENTS.watchers)
        say("memory", f"{(resident_bytes(node.pid) - before) / ARGUMENTS.watchers:.0f} bytes resident "
            f"for each of {ARGUMENTS.watchers} watchers of as many prefixes")
        costs = measure_all(node, watchers)
        for name, cost in costs.items():
            say(name, f"{without[name]:.1f} us a PUT without watchers, {cost:.1f} with them: "
                f"{cost - without[name]:+.1f}")
    finally:
        node.send_signal(signal.SIGTERM)
        node.wait(30)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--binary", default=os.path.join(TOP, "build/release/repram"),
                        type=os.path.abspath)
    parser.add_argument("--watchers", type=int, default=10000)
    parser.add_argument("--portions", type=int, default=20, help=f"of {PORTION} PUTs each")
    ARGUMENTS = parser.parse_args()
    main()
    sys.exit(0)
