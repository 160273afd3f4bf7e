"""Name servers for tests: dnsmasq on the tests' bridge, one that says nothing, and the hosts' resolv.conf."""

import os
import re
import socket
import subprocess
import tempfile

import harness
from harness import wait_until

BRIDGE, BESIDE = "10.77.0.254", "10.77.0.253"


def use_servers(case, *servers, rest=""):
    """Every host asks these from now on; `rest` is what else resolv.conf says."""
    with tempfile.NamedTemporaryFile("w", encoding="ascii", delete=False) as file:
        file.writelines(f"nameserver {server}\n" for server in servers)
        file.write(rest)
    case.addCleanup(os.unlink, file.name)
    harness.run("mount", "--bind", file.name, "/etc/resolv.conf")
    case.addCleanup(harness.run, "umount", "/etc/resolv.conf")


def add_address(case, address):
    """Gives the bridge one more address."""
    harness.run("ip", "addr", "add", f"{address}/24", "dev", "br0")
    case.addCleanup(harness.run, "ip", "addr", "del", f"{address}/24", "dev", "br0")


def silence(case, address, port=53):
    """Somebody has the port there, and never answers."""
    deaf = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    case.addCleanup(deaf.close)
    deaf.bind((address, port))


class Dnsmasq:
    """`hosts` is {name: [address]}; `services` a list of dnsmasq's --srv-host values. It knows all of
    .test, and refuses the rest; without `is_local` it refuses what it has not got."""

    def __init__(self, case, hosts=(), services=(), address=BRIDGE, port=53, ttl=0, is_local=True):
        self.folder = tempfile.TemporaryDirectory()
        case.addCleanup(self.folder.cleanup)
        case.addCleanup(self.stop)
        os.chmod(self.folder.name, 0o755)
        self.path = os.path.join(self.folder.name, "hosts")
        with open(self.path, "w", encoding="ascii") as file:
            for name, addresses in dict(hosts).items():
                file.writelines(f"{address} {name}\n" for address in addresses)
        self.services, self.at = list(services), (address, port)
        self.options = [f"--local-ttl={ttl}"] + (["--local=/test/"] if is_local else [])
        self.log = tempfile.NamedTemporaryFile(prefix="repram-test-dnsmasq-", suffix=".log")
        case.addCleanup(self.log.close)
        self.process = None
        self.start()

    def start(self):
        address, port = self.at
        self.process = subprocess.Popen(
            ["dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--pid-file=",
             "--cache-size=0", "--log-queries", "--bind-interfaces", f"--listen-address={address}",
             f"--port={port}", f"--addn-hosts={self.path}", *self.options,
             *[f"--srv-host={service}" for service in self.services]], stderr=self.log)
        wait_until(self._answers, "dnsmasq answers", 5)

    def _answers(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.2)
            probe.connect(self.at)
            probe.send(b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\7nothing\4test\0\0\1\0\1")
            return probe.recv(512)

    def stop(self):
        self.process.kill()
        self.process.wait()

    def asked(self, kind, name):
        """How often, for records of that kind."""
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            return len(re.findall(rf"query\[{kind}\] {re.escape(name)} ", file.read()))
