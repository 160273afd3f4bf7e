#!/usr/bin/python3
"""What HTTPS costs a node, beside plain HTTP and beside nginx's HTTPS.

    tests/bench/tls.py [--seconds 3] [--rounds 5] [--connections 32]

Needs the preset `release`, wrk and nginx (not as a service). Servers run on the first core, one after
the other in each round (A B C A B C ...), the load on the second; each answers 100 bytes. Processor
time a request is the server's user and system time over the requests that were answered, with
connections kept; a handshake is a full one (P-256, TLS 1.3, no ticket used) with one request, by
`openssl s_time`, less the kept request's time. Prints medians over the rounds, and of ratios of one
round. It judges nothing."""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tests/integration"), os.path.join(TOP, "tests/bench")]
# pylint: disable=wrong-import-position
os.environ.setdefault("REPRAM_BINARY", os.path.join(TOP, "build/release/repram"))
import figures
import harness
from certificates import Authority

VALUE = b"v" * 100
SERVER_CORE, LOAD_CORE = "0", "1"


class Nginx:
    def __init__(self, identity):
        self.folder = tempfile.TemporaryDirectory(prefix="repram-tls-")
        self.port = harness.free_base(1)
        path = os.path.join(self.folder.name, "conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"""daemon off; master_process off; pid {self.folder.name}/pid; error_log /dev/null;
                events {{}}
                http {{ access_log off; keepalive_requests 100000000; server {{
                    listen 127.0.0.1:{self.port} ssl; ssl_protocols TLSv1.2 TLSv1.3;
                    ssl_certificate {identity.cert}; ssl_certificate_key {identity.key};
                    location / {{ return 200 "{VALUE.decode()}"; }} }} }}""")
        self.process = subprocess.Popen(["taskset", "-c", SERVER_CORE, "nginx", "-c", path],
                                        stderr=subprocess.DEVNULL)
        self.pid = self.process.pid

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


def node(**settings):
    made = harness.Node(env=settings, prefix=("taskset", "-c", SERVER_CORE))
    harness.wait_until(made.is_ready, "the node is ready")
    return made


def load(*command, seconds):
    return subprocess.run(["taskset", "-c", LOAD_CORE, *command], capture_output=True, text=True,
                          timeout=60 + 5 * seconds, check=True).stdout


def kept(server, scheme, seconds, connections):
    """Microseconds a request."""
    url = f"{scheme}://127.0.0.1:{server.port}/data/key"
    before = figures.cpu_seconds(server.pid)
    out = load("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", url, seconds=seconds)
    used = figures.cpu_seconds(server.pid) - before
    if "Non-2xx" in out:
        sys.exit(out)
    return used * 1e6 / int(re.search(r"(\d+) requests in", out).group(1))


def handshakes(server, seconds):
    """The same of a connection with a full handshake and one request."""
    before = figures.cpu_seconds(server.pid)
    out = load("openssl", "s_time", "-connect", f"127.0.0.1:{server.port}", "-www", "/data/key", "-new",
               "-time", str(seconds), seconds=seconds)
    used = figures.cpu_seconds(server.pid) - before
    return used * 1e6 / int(re.search(r"(\d+) connections in \d+ real", out).group(1))


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seconds", type=int, default=3)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--connections", type=int, default=32)
    chosen = options.parse_args()
    authority = Authority()
    server = authority.issue("server")
    plain, secure = node(), node(REPRAM_TLS_CERT=server.cert, REPRAM_TLS_KEY=server.key)
    nginx = Nginx(server)
    plain.put("key", VALUE)
    subprocess.run(["curl", "-sSf", "--cacert", authority.cert, "-X", "PUT", "--data-binary", VALUE,
                    f"https://localhost:{secure.port}/data/key"], stdout=subprocess.DEVNULL, check=True)
    rows = []
    for _ in range(chosen.rounds):
        row = [kept(plain, "http", chosen.seconds, chosen.connections),
               kept(secure, "https", chosen.seconds, chosen.connections),
               kept(nginx, "https", chosen.seconds, chosen.connections),
               handshakes(secure, chosen.seconds), handshakes(nginx, chosen.seconds)]
        row[3] -= row[1]
        row[4] -= row[2]
        rows.append(row)
        print("  ".join(f"{value:7.2f}" for value in row), file=sys.stderr)
    nginx.close()
    median = [statistics.median(column) for column in zip(*rows)]
    print(f"GET, kept: plain {median[0]:.2f} us, HTTPS {median[1]:.2f} us, nginx HTTPS {median[2]:.2f} us; "
          f"HTTPS is {statistics.median(r[1] / r[0] for r in rows):.2f} x plain and "
          f"{statistics.median(r[1] / r[2] for r in rows):.2f} x nginx")
    print(f"full handshake (P-256): {median[3]:.0f} us, {1e6 / median[3]:.0f} a second; nginx {median[4]:.0f} us, "
          f"{1e6 / median[4]:.0f} a second; {statistics.median(r[4] / r[3] for r in rows):.2f} x nginx's rate")
    plain.close()
    secure.close()
    authority.close()


if __name__ == "__main__":
    main()
