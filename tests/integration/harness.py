"""harness: what the integration tests share.

As a program, `harness.py FILE [ARGUMENT...]` runs a test file in network, mount and process
namespaces of its own: its loopback is private, so that any port is free and tests run side by side,
and whatever it leaves behind ends with it, however it ends. Where namespaces are not allowed the
file runs without; tests that need them skip themselves.

As a module: launchers, single nodes, hosts (network namespaces on one bridge), an HTTP client, and
waiting. Nothing here sleeps for a fixed time: waits have a condition and a deadline. The deadlines are
written for a quiet machine, and REPRAM_TEST_SLOW stretches them: by 10, because no verdict may
depend on how busy a machine is; the sanitizers' builds set more. REPRAM_TEST_TCP_BUFFERS gives
the TCP sockets of every namespace other buffers (tests/steady.sh sets it).
"""

import atexit
import http.client
import itertools
import json
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE_DIR = os.environ.get(
    "REPRAM_SOURCE_DIR",
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BINARY = os.environ.get("REPRAM_BINARY", os.path.join(SOURCE_DIR, "build/dev/repram"))
SLOW = float(os.environ.get("REPRAM_TEST_SLOW", "10"))
SANITIZED = os.environ.get("REPRAM_TEST_SANITIZED") == "1"
ISOLATED = os.environ.get("REPRAM_TEST_ISOLATED") == "1"
FAILED, USAGE, SKIPPED, INTERRUPTED = 1, 2, 77, 130  # exit codes

# What a report of a sanitizer or a failed assertion of ours looks like in a node's log.
CRASH = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|assertion .*failed|ASSERT",
                   re.IGNORECASE)

needs_isolation = unittest.skipUnless(ISOLATED, "namespaces are not allowed here")


# ---- Waiting ----

class Timeout(AssertionError):
    pass


def wait_until(condition, what, seconds=10, every=0.02):
    """Polls until the condition is true and returns its value. Errors of a connection count as
    false; at the deadline the last one is raised."""
    deadline = time.monotonic() + seconds * SLOW
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = None
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            last = error
        if time.monotonic() >= deadline:
            tail = f"; last: {last!r}" if last else ""
            raise Timeout(f"not within {seconds * SLOW:g} s: {what}{tail}")
        time.sleep(every)


def stays(condition, what, seconds):
    """The opposite: asserts that the condition holds all that time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not condition():
            raise AssertionError(f"did not stay so for {seconds:g} s: {what}")
        time.sleep(0.05)


# ---- Ports ----

def is_free(port):
    """Nobody listens on the port or has bound it for datagrams."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET6, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("::", port))
            except OSError:
                return False
    return True


_bases = itertools.count(21000, 20)
_held = []


def _hold(base):
    """Takes a range for this process, by binding a name that only one process at a time can have in
    a network namespace: nodes of two tests on one range would make one cluster."""
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        holder.bind(f"\0repram-test-ports-{base}")
    except OSError:
        holder.close()
        return False
    _held.append(holder)
    return True


def free_base(count=10):
    """The first port of a range that is free now, and that no earlier test of this process used, nor
    any other process. Below the ephemeral range, so that no connection takes one of them."""
    for base in _bases:
        if base + count > 32000:
            raise AssertionError("no range of ports is free")
        if _hold(base) and all(is_free(port) for port in range(base, base + count)):
            return base
    return None


# ---- HTTP ----

class Reply:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # names in lower case
        self.body = body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:200]!r}>"


def request(address, port, method, path, body=None, headers=None, timeout=10):
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout * SLOW)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        data = answer.read()
        names = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, names, data)
    finally:
        connection.close()


# ---- Hosts ----

def run(*command, **options):
    return subprocess.run(command, check=True, **options)


def sysctl(name, value):
    with open("/proc/sys/" + name.replace(".", "/"), "w", encoding="ascii") as file:
        file.write(value)


def set_buffers(inside=()):
    """Least, usual and most bytes of a TCP socket's buffers, where they were asked for: a new network
    namespace has the machine's."""
    sizes = os.environ.get("REPRAM_TEST_TCP_BUFFERS")
    if sizes:
        for name in ("tcp_wmem", "tcp_rmem"):
            run(*inside, "sh", "-c", f"echo {sizes} >/proc/sys/net/ipv4/{name}")


class Host:
    """A network namespace with one interface on the tests' bridge: 10.77.0.n and fd77::n. The
    bridge itself is 10.77.0.254 and fd77::fe, in the namespace where the test runs."""

    _numbers = itertools.count(1)
    _bridge = False

    def __init__(self):
        if not Host._bridge:
            # An address of its own: else it is that of some host's end, and changes when that host goes.
            run("ip", "link", "add", "br0", "address", "02:00:00:00:00:fe", "type", "bridge",
                "forward_delay", "0")
            run("ip", "addr", "add", "10.77.0.254/24", "dev", "br0")
            run("ip", "addr", "add", "fd77::fe/64", "dev", "br0", "nodad")
            run("ip", "link", "set", "br0", "up")
            os.makedirs("/run/netns", exist_ok=True)
            Host._bridge = True
        number = next(Host._numbers)
        self.name = f"h{number}"
        self.address = f"10.77.0.{number}"
        self.address6 = f"fd77::{number:x}"
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", f"v{number}", "type", "veth", "peer", "name", "eth0",
            "netns", self.name)
        run("ip", "link", "set", f"v{number}", "master", "br0", "up")
        for command in (["addr", "add", f"{self.address}/24", "dev", "eth0"],
                        ["addr", "add", f"{self.address6}/64", "dev", "eth0", "nodad"],
                        ["link", "set", "lo", "up"], ["link", "set", "eth0", "up"]):
            run(*self.inside("ip", *command))
        set_buffers(self.inside())

    def inside(self, *command):
        return ["nsenter", f"--net=/run/netns/{self.name}", "--", *command]

    def firewall(self, *rules):
        """Replaces the host's packet filter. A rule is 'input ...' or 'output ...' in nft's words;
        none at all lets everything pass."""
        lines = ["table inet test", "delete table inet test", "table inet test {"]
        for hook in ("input", "output"):
            lines.append(f"chain {hook} {{ type filter hook {hook} priority 0;")
            lines += [rule.split(" ", 1)[1] for rule in rules if rule.startswith(hook + " ")]
            lines.append("}")
        lines.append("}")
        run(*self.inside("nft", "-f", "-"), input="\n".join(lines) + "\n", text=True)

    def cut_off(self, *others):
        """Drops everything from and to these hosts."""
        self.firewall(*[f"{hook} {family} {side} {address} drop"
                        for other in others
                        for family, address in (("ip", other.address), ("ip6", other.address6))
                        for hook, side in (("input", "saddr"), ("output", "daddr"))])

    def close(self):
        run("ip", "netns", "del", self.name)


# ---- Processes ----

def alive(pid):
    """Runs, and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def children(pid):
    """The process's children that run, zombies left out."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] not in "ZX":
                found.append(int(name))
    return sorted(found)


def zombies(pid):
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            count += int(fields[1]) == pid and fields[0] == "Z"
    return count


def listening_ports(pid):
    """The TCP ports that a process listens on, from /proc."""
    inodes = set()
    try:
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            try:
                link = os.readlink(f"/proc/{pid}/fd/{descriptor}")
            except OSError:
                continue
            if link.startswith("socket:["):
                inodes.add(link[8:-1])
    except OSError:
        return set()
    ports = set()
    for table in ("tcp", "tcp6"):
        try:
            with open(f"/proc/{pid}/net/{table}", encoding="ascii") as file:
                rows = [line.split() for line in file.readlines()[1:]]
        except OSError:
            continue
        ports |= {int(row[1].rsplit(":", 1)[1], 16) for row in rows
                  if row[3] == "0A" and row[9] in inodes}
    return ports


class Program:
    """A process of the binary under test. Its environment has only what is given, its output goes
    to a file, and it ends with the test that started it."""

    all = []

    def __init__(self, *arguments, env=None, host=None, prefix=()):
        self.env = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
                    "LC_ALL": "C.UTF-8", "REPRAM_MIN_TTL": "1", "REPRAM_DRAIN_GRACE": "0"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.env.update({name: str(value) for name, value in (env or {}).items()})
        self.log = tempfile.NamedTemporaryFile(prefix="repram-test-", suffix=".log")
        command = [*prefix, BINARY, *arguments]
        if host is not None:
            command = host.inside(*command)
        self.process = subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=subprocess.STDOUT)
        self.pid = self.process.pid
        Program.all.append(self)

    def output(self):
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait(self, seconds=15):
        """The exit code; a Timeout when it has not ended by then."""
        try:
            return self.process.wait(timeout=seconds * SLOW)
        except subprocess.TimeoutExpired:
            raise Timeout(f"pid {self.pid} has not ended after {seconds * SLOW:g} s") from None

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """As a crash would end it."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self, seconds=12):
        """Stops it as an operator would; returns its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.wait(seconds)

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=10 * SLOW)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self in Program.all:
            Program.all.remove(self)


@atexit.register
def _end_programs():
    for program in list(Program.all):
        program.kill()


def cli(*arguments, env=None, data=b"", seconds=30):
    """Runs one command of the binary under test, in an environment that has only what is given."""
    settings = {"PATH": os.environ.get("PATH", "/usr/bin:/bin")}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
        if name in os.environ:
            settings[name] = os.environ[name]
    settings.update({name: str(value) for name, value in (env or {}).items()})
    return subprocess.run([BINARY, *arguments], input=data, env=settings,
                          capture_output=True, timeout=seconds * SLOW, check=False)


class Client:
    """One node as its clients see it."""

    def __init__(self, port, address="127.0.0.1"):
        self.port = port
        self.address = address

    def __repr__(self):
        return f"{self.address}:{self.port}"

    def request(self, method, path, body=None, headers=None, timeout=10):
        return request(self.address, self.port, method, path, body, headers, timeout)

    def put(self, key, value, ttl=600, **options):
        return self.request("PUT", f"/data/{key}?ttl={ttl}", body=value, **options)

    def get(self, key, **options):
        return self.request("GET", f"/data/{key}", **options)

    def holds(self, key, value):
        reply = self.get(key)
        return reply.status == 200 and reply.body == value

    def health(self):
        return self.request("GET", "/health").json()

    def uuid(self):
        return self.health()["uuid"]

    def peers(self):
        return self.request("GET", "/peers").json()["peers"]

    def states(self):
        """uuid to state, of every member but itself."""
        return {peer["uuid"]: peer["state"] for peer in self.peers()}

    def alive(self):
        return {peer["uuid"] for peer in self.peers() if peer["state"] == "alive"}

    def status(self):
        return self.request("GET", "/status").json()

    def is_ready(self):
        return self.request("GET", "/readyz").status == 200

    def keys(self):
        """Every key, through all pages."""
        found, cursor = [], ""
        while True:
            page = self.request("GET", f"/keys?limit=10000{cursor}").json()
            found += page["keys"]
            if "next_cursor" not in page:
                return found
            cursor = "&cursor=" + page["next_cursor"]

    def metrics(self):
        """Name (with labels) to number."""
        found = {}
        for line in self.request("GET", "/metrics").body.decode().splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                found[name] = float(value)
        return found


class Node(Program, Client):
    """One `repram node`. Ready for requests when the constructor returns, unless wait=False."""

    def __init__(self, base=None, max_ports=10, env=None, host=None, wait=True, prefix=()):
        settings = {"MAX_PORTS": max_ports}
        if base is not None:
            settings["BASE_PORT"] = base
        settings.update(env or {})
        Program.__init__(self, "node", env=settings, host=host, prefix=prefix)
        Client.__init__(self, None, host.address if host else "127.0.0.1")
        if wait:
            self.await_port()

    def await_port(self, seconds=15):
        def claimed():
            if self.process.poll() is not None:
                raise AssertionError(f"the node ended with {self.process.returncode}:\n"
                                     + self.output())
            ports = listening_ports(self.pid)
            if not ports:
                return False
            self.port = min(ports)
            return self.health()["uuid"]
        wait_until(claimed, "a node claims a port and answers", seconds)
        return self


class Launcher(Program):
    """`repram launch`, and its nodes as clients."""

    def __init__(self, count=3, base=None, max_ports=10, env=None, host=None, arguments=(),
                 prefix=()):
        self.count = count
        self.base = free_base(max_ports) if base is None else base
        self.address = host.address if host else "127.0.0.1"
        settings = {"BASE_PORT": self.base, "MAX_PORTS": max_ports, "NODE_COUNT": count}
        settings.update(env or {})
        super().__init__("launch", *arguments, env=settings, host=host, prefix=prefix)

    def launcher_pid(self):
        return self.pid

    def node_pids(self):
        """Port to pid of the children that listen."""
        found = {}
        for pid in children(self.launcher_pid()):
            for port in listening_ports(pid):
                found[port] = pid
        return found

    def nodes(self, seconds=15):
        """Waits for as many as the test asked for; in the order of their ports."""
        def all_there():
            if self.process.poll() is not None:
                raise AssertionError(f"the launcher ended with {self.process.returncode}:\n"
                                     + self.output())
            ports = sorted(self.node_pids())
            return ports if len(ports) == self.count else None
        ports = wait_until(all_there, f"{self.count} nodes listen", seconds)
        return [Client(port, self.address) for port in ports]


# ---- Clusters ----

def formed(nodes):
    """Each is ready and sees exactly the others alive."""
    uuids = {node.uuid() for node in nodes}
    return (len(uuids) == len(nodes)
            and all(node.alive() == uuids - {node.uuid()} and node.is_ready() for node in nodes))


def wait_formed(nodes, seconds=15):
    wait_until(lambda: formed(nodes), f"{nodes} form a cluster", seconds)
    return nodes


def converged(nodes):
    """Every node has the same content, by the digest of it."""
    digests = {node.status()["data"]["root_digest"] for node in nodes}
    return len(digests) == 1


def cluster(count=3, seconds=15, **options):
    """A launcher whose nodes know each other, and those nodes."""
    launcher = Launcher(count, **options)
    return launcher, wait_formed(launcher.nodes(seconds), seconds)


class Case(unittest.TestCase):
    """Ends every program that its test started, shows their logs when it failed, and fails it when a
    log has the report of a sanitizer or of an assertion."""

    def run(self, result=None):
        result = result if result is not None else self.defaultTestResult()
        before = len(result.failures) + len(result.errors)
        self._programs_before = list(Program.all)
        self.addCleanup(self._end)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            for command, text in self._logs:
                lines = text.splitlines()
                print(f"--- {command}: the last of {len(lines)} lines", file=sys.stderr)
                print("\n".join(lines[-60:]), file=sys.stderr)
        self._logs = []
        return result

    def _end(self):
        self._logs = []
        started = [p for p in Program.all if p not in self._programs_before]
        for program in started:
            program.close()
            self._logs.append((" ".join(program.process.args[-3:]), program.output()))
        crashed = [text for _, text in self._logs if CRASH.search(text)]
        if crashed:
            self.fail("a process reported: " + CRASH.search(crashed[0]).group(0))


def main():
    """unittest's main(), with exit code 77 and the reasons when every test was skipped. With
    REPRAM_TEST_FAILFAST the first failure ends it."""
    program = unittest.main(module="__main__", exit=False, verbosity=2,
                            failfast=os.environ.get("REPRAM_TEST_FAILFAST") == "1")
    result = program.result
    for test, reason in result.skipped:
        print(f"SKIPPED: {test.id().split('.', 1)[-1]}: {reason}")
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.skipped and len(result.skipped) == result.testsRun else 0)


# ---- Running a file in namespaces of its own ----

def _isolation():
    """The unshare command that is allowed here, or None."""
    flags = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    for command in (["unshare", *flags], ["unshare", "--map-root-user", *flags]):
        try:
            probe = subprocess.run([*command, "sh", "-c", "mount -t tmpfs none /run && "
                                    "ip link set lo up"], capture_output=True, check=False)
        except FileNotFoundError:
            return None
        if probe.returncode == 0:
            return command
    return None


def _reap_until(pid):
    """The duty of PID 1 of a process namespace: collect every child until the one that matters
    ends."""
    signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
    while True:
        ended, status = os.wait()
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


def _main():
    if len(sys.argv) < 2:
        sys.exit("usage: harness.py TEST_FILE [ARGUMENT...]")
    here = os.path.dirname(os.path.abspath(__file__))
    if os.environ.get("REPRAM_TEST_ISOLATED") == "1":
        run("mount", "-t", "tmpfs", "none", "/run")
        run("ip", "link", "set", "lo", "up")
        set_buffers()
        pid = os.fork()
        if pid != 0:
            code = _reap_until(pid)
            sys.exit(code if code >= 0 else 128 - code)
    else:
        command = _isolation()
        if command is not None:
            os.environ["REPRAM_TEST_ISOLATED"] = "1"
            os.execvp(command[0], [*command, sys.executable, "-B", os.path.abspath(__file__),
                                   *sys.argv[1:]])
    sys.argv = sys.argv[1:]
    # The file imports this module by its name, not as the main program that it is now.
    sys.path.insert(0, here)
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    _main()
