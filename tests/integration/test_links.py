"""Links of a sealed cluster: made by a handshake that proves a key of the secret, by nobody else, and
ended when their key is removed."""

import datetime
import glob
import os
import select
import signal
import socket
import ssl
import tempfile
import threading
import time
import unittest

import harness
from harness import Case, Node, cli, wait_formed, wait_until

PROTOCOL = "repram-gossip/1"
UPGRADE = {"Connection": "Upgrade", "Upgrade": PROTOCOL}
LARGE = bytes(range(256)) * 4096 * 3  # goes in pieces, each of several records
LIBRARY = (glob.glob("/usr/lib/*/faketime/libfaketime.so.1") or [None])[0]


def key():
    return cli("keygen").stdout.decode().split()[0]


class SecretFile:
    """What REPRAM_CLUSTER_SECRET_FILE names, for one node."""

    def __init__(self, folder, name, text):
        self.path = f"{folder}/{name}"
        self.write(text)

    def write(self, text):
        with open(self.path, "w", encoding="ascii", opener=_private) as file:
            file.write(text)


def _private(path, flags):
    return os.open(path, flags, 0o600)


class Proxy(threading.Thread):
    """Leads every connection to another port, and counts what passed it."""

    def __init__(self, to_port):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.silent.bind(("127.0.0.1", self.port))  # or refused datagrams would settle it
        self.to_port = to_port
        self.ended = 0
        self.first = b""
        self.start()

    def run(self):
        while True:
            try:
                here, _ = self.listener.accept()
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self.to_port))
            threading.Thread(target=self.pass_on, args=(here, there), daemon=True).start()

    def pass_on(self, here, there):
        other = {here: there, there: here}
        while True:
            for readable in select.select(list(other), [], [])[0]:
                data = readable.recv(65536)
                if not data:
                    here.close()
                    there.close()
                    self.ended += 1
                    return
                self.first = self.first or data
                other[readable].sendall(data)


def handshake(node, **options):
    """What comes of a TLS handshake that asks for a link: the version, or the error."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([PROTOCOL])
    for name, value in options.items():
        setattr(context, name, value)
    with socket.create_connection((node.address, node.port), timeout=10) as plain:
        try:
            with context.wrap_socket(plain) as secure:
                return secure.version()
        except ssl.SSLError as error:
            return error.reason


def links(node):
    """uuid of the member to when its link came up, in seconds."""
    def seconds(text):
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    return {link["uuid"]: seconds(link["up_since"]) for link in node.status()["links"]}


def keys_of(node):
    """The ids of the keys that its links were made with."""
    return {link["key"] for link in node.status()["links"]}


def kept(node, before):
    """Those of the links that are what they were; the node's clock may have moved a little."""
    return [uuid for uuid, since in links(node).items() if abs(since - before.get(uuid, 0)) < 0.05]


class Load(threading.Thread):
    """Writes, one after the other, until it is stopped; what was answered."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node, self.statuses, self.is_over = node, [], False
        self.start()

    def run(self):
        while not self.is_over:
            self.statuses.append(self.node.put(f"load-{len(self.statuses)}", b"x").status)

    def stop(self):
        self.is_over = True
        self.join()
        return self.statuses


class Links(Case):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.base = harness.free_base()
        self.files = []

    def node(self, text, env=None):
        self.files.append(SecretFile(self.folder, str(len(self.files)), text))
        return Node(self.base, env={"REPRAM_CLUSTER_SECRET_FILE": self.files[-1].path, **(env or {})})

    def set_keys(self, nodes, text):
        for file, node in zip(self.files, nodes):
            file.write(text)
            node.signal(signal.SIGHUP)

    def test_who_has_a_key_is_linked_and_nobody_else(self):
        secret = key()
        nodes = wait_formed([self.node(secret) for _ in range(3)])
        self.assertEqual(nodes[0].put("small", b"value").status, 201)
        self.assertEqual(nodes[1].put("large", LARGE).status, 201)
        for node in nodes:
            wait_until(lambda n=node: n.holds("small", b"value") and n.holds("large", LARGE),
                       f"{node} has both", 10)
        # sealed_refuses_open_link
        reply = nodes[0].request("GET", "/gossip", headers=UPGRADE)
        self.assertEqual((reply.status, reply.json()["code"]), (403, "forbidden"))
        # Without a key no handshake comes to an end, for there is no certificate.
        self.assertIn("HANDSHAKE_FAILURE", handshake(nodes[0]))
        self.assertIn("PROTOCOL_VERSION",
                      handshake(nodes[0], maximum_version=ssl.TLSVersion.TLSv1_2))
        other = self.node(key())
        wait_until(other.is_ready, "it is alone")
        self.assertEqual(other.put("of", b"the other").status, 201)
        self.assertEqual((other.alive(), links(other)), (set(), {}))
        self.assertEqual({len(links(node)) for node in nodes}, {2})

    def test_removed_key_ends_links_within_5s(self):
        first, second = key(), key()
        nodes = wait_formed([self.node(first) for _ in range(3)])
        load = Load(nodes[0])
        for text in (f"{first},{second}", f"{second},{first}"):
            self.set_keys(nodes, text)
            wait_until(lambda: all(self.knows(n, 2) for n in nodes), "all know both keys")
        before = [links(node) for node in nodes]
        began = time.monotonic()
        self.set_keys(nodes, second)
        wait_until(lambda: all(len(links(n)) == 2 and not kept(n, b)
                               for n, b in zip(nodes, before)), "all links are new", 5)
        self.assertLess(time.monotonic() - began, 5 * harness.SLOW)
        statuses = load.stop()
        self.assertEqual(set(statuses), {201}, f"of {len(statuses)} writes")
        self.assertEqual([len(n.alive()) for n in nodes], [2, 2, 2])
        # Who skipped it all has none of the keys: its links end, and do not come back.
        self.set_keys(nodes[:2], key())
        wait_until(lambda: links(nodes[2]) == {}, "who was forgotten has no link", 5)

    @staticmethod
    def knows(node, count):
        return node.output().count("keys ") >= count

    def step(self, nodes, text):
        """All nodes get the next ring, and are linked afterwards."""
        said = [node.output().count(" secret ") for node in nodes]
        self.set_keys(nodes, text)
        wait_until(lambda: all(n.output().count(" secret ") > before for n, before in zip(nodes, said)),
                   f"all have read {text.count(',') + 1} items")
        wait_until(lambda: all(len(links(n)) == len(nodes) - 1 for n in nodes), "all are linked", 5)

    def test_open_to_sealed_under_load_and_back(self):
        secret = key()
        nodes = wait_formed([self.node("open") for _ in range(3)])
        load = Load(nodes[0])
        before = [links(node) for node in nodes]
        for text in (f"open,{secret}", f"{secret},open"):
            self.step(nodes, text)
        self.assertEqual([len(kept(n, b)) for n, b in zip(nodes, before)], [2, 2, 2])
        self.assertEqual([keys_of(node) for node in nodes], [{"open"}] * 3)
        self.step(nodes, secret)
        sealed = keys_of(nodes[0])
        self.assertEqual(([keys_of(node) for node in nodes], len(sealed - {"open"})), ([sealed] * 3, 1))
        self.assertFalse(any(kept(n, b) for n, b in zip(nodes, before)))
        self.assertEqual(nodes[0].request("GET", "/gossip", headers=UPGRADE).status, 403)
        for text in (f"{secret},open", f"open,{secret}", "open"):
            self.step(nodes, text)
        statuses = load.stop()
        self.assertEqual(set(statuses), {201}, f"of {len(statuses)} writes")
        self.assertEqual([len(n.alive()) for n in nodes], [2, 2, 2])

    def test_own_hello_reflected(self):
        proxy = Proxy(self.base)
        misled = self.node(key(), env={"REPRAM_HTTP_PORT": str(self.base),
                                       "REPRAM_DISCOVERY": "static",
                                       "REPRAM_PEERS": f"127.0.0.1:{proxy.port}"})
        wait_until(lambda: proxy.ended > 0, "it ends the link to itself", 15)
        self.assertEqual(proxy.first[0], 0x16)
        self.assertEqual((misled.alive(), links(misled)), (set(), {}))
        proxy.silent.close()
        proxy.listener.close()

    @unittest.skipUnless(LIBRARY, "libfaketime is not installed")
    @unittest.skipIf(harness.SANITIZED, "libfaketime and the sanitizers exclude each other")
    def test_wall_clock_1970_node_joins_sealed(self):
        secret = key()
        right = self.node(secret)
        wait_until(right.is_ready, "the first is ready", 5)
        self.assertEqual(right.put("key", b"value").status, 201)
        late = self.node(secret, env={
            "LD_PRELOAD": LIBRARY, "FAKETIME": f"-{int(time.time()) - 600}s",
            "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DISABLE_SHM": "1"})
        wait_formed([right, late])
        wait_until(lambda: late.holds("key", b"value"), "it has what there was", 5)
        self.assertEqual(len(links(late)), 1)
        self.assertEqual(late.put("more", b"value").status, 201)


if __name__ == "__main__":
    harness.main()
