#!/usr/bin/python3
"""What a scrape of /metrics costs a node that holds many entries.

    tests/bench/scrape.py [--binary build/release/repram] [--entries 1000000] [--scrapes 1000]

One node on loopback takes the entries; then it is asked for both forms of the page, one request after
the other on one connection. Prints the processor time of the node for each, by the scheduler's books,
and the page's size. Runs in a network namespace of its own where that is allowed (root). The exit code
is 1 when a scrape takes a millisecond or more."""

import argparse
import http.client
import os
import signal
import socket
import subprocess
import sys

import figures
from figures import TOP, say, until
from prefixes import PORT, PORTION, TTL, cpu_us, put

LIMIT_US = 1000
FORMS = {"text": "text/plain", "openmetrics": "application/openmetrics-text"}


def fill():
    connection = socket.create_connection(("127.0.0.1", PORT))
    for first in range(0, ARGUMENTS.entries, PORTION):
        put(connection, None, [f"scrape-{number:09d}" for number in range(first, first + PORTION)], TTL)
    connection.close()


def scrape(node, accept):
    """Microseconds of processor time a scrape, and the last page."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    before = cpu_us(node.pid)
    for _ in range(ARGUMENTS.scrapes):
        connection.request("GET", "/metrics", headers={"Accept": accept})
        page = connection.getresponse().read()
    spent = cpu_us(node.pid) - before
    connection.close()
    return spent / ARGUMENTS.scrapes, page.decode()


def main():
    figures.isolate()
    environment = dict(os.environ, REPRAM_PORT=str(PORT), BASE_PORT=str(PORT), MAX_PORTS="1",
                       REPRAM_LOG_LEVEL="warn", REPRAM_MAX_STORAGE_MB="2048")
    node = subprocess.Popen([ARGUMENTS.binary, "node"], env=environment)
    worst = 0
    try:
        until(lambda: figures.asked(PORT, "/readyz") is not None)
        fill()
        for name, accept in FORMS.items():
            spent, page = scrape(node, accept)
            worst = max(worst, spent)
            keys = [line for line in page.splitlines() if line.startswith("repram_storage_keys ")]
            say("scrape", f"{name}: {spent:.0f} us of processor time, {len(page)} bytes; {keys[0]}")
    finally:
        node.send_signal(signal.SIGTERM)
        node.wait(30)
    return 0 if worst < LIMIT_US else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--binary", default=os.path.join(TOP, "build/release/repram"),
                        type=os.path.abspath)
    parser.add_argument("--entries", type=int, default=1000000)
    parser.add_argument("--scrapes", type=int, default=1000)
    ARGUMENTS = parser.parse_args()
    sys.exit(main())
