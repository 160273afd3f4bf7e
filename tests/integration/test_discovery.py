"""Finding peers: static, DNS with several addresses, Flux's list with its ghosts, wrong certificates."""

import collections
import contextlib
import http.server
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

import harness
from harness import Case, Host, Launcher, Node, formed, stays, wait_formed, wait_until
from name_servers import BRIDGE, Dnsmasq, use_servers

APP = "fade-repram"
FOUNDED = "this host's clock is the cluster's"
FAILED = 1


def count_lines(programs, text):
    return sum(program.output().count(text) for program in programs)


class Static(Case):
    def test_a_peer_that_is_down_at_start_is_found_when_it_comes(self):
        base = harness.free_base()
        here, there = base, base + 10
        first = Node(here, max_ports=1, env={"REPRAM_DISCOVERY": "static",
                                             "REPRAM_PEERS": f"127.0.0.1:{there}"})
        wait_until(first.is_ready, "it does not wait for the missing one", 5)
        second = Node(there, max_ports=1, env={"REPRAM_DISCOVERY": "static",
                                               "REPRAM_PEERS": "127.0.0.1:1"})
        wait_formed([first, second], 45)

    def test_one_of_several_is_enough_and_the_rest_is_learned(self):
        base = harness.free_base()
        env = {"REPRAM_DISCOVERY": "static", "REPRAM_PEERS": f"localhost:{base},127.0.0.1:1"}
        wait_formed([Node(base + i, max_ports=1, env=env) for i in range(4)])


class NameServer(threading.Thread):
    """Answers on the bridge for one name. `mode` is what it does: answer, silence, fail (SERVFAIL),
    refuse, truncate, or fail6 (it answers, but fails for AAAA)."""

    CODES = {"fail": 2, "refuse": 5}

    def __init__(self, name, addresses):
        super().__init__(daemon=True)
        self.labels = [label.encode() for label in name.split(".")]
        self.addresses = addresses
        self.mode = "answer"
        self.asked = collections.Counter()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((BRIDGE, 53))
        self.socket.settimeout(0.1)
        self.is_over = threading.Event()
        self.start()

    def run(self):
        while not self.is_over.is_set():
            with contextlib.suppress(TimeoutError):
                message, sender = self.socket.recvfrom(512)
                answer = self.answer(message)
                if answer is not None:
                    self.socket.sendto(answer, sender)

    def answer(self, message):
        labels, at = [], 12
        while message[at] != 0:
            labels.append(message[at + 1:at + 1 + message[at]].lower())
            at += 1 + message[at]
        question, kind = message[12:at + 5], struct.unpack(">H", message[at + 1:at + 3])[0]
        self.asked[self.mode] += 1
        code, flags, records = 0, 0x8400, []
        if self.mode == "silence":
            return None
        if self.mode in self.CODES or (self.mode == "fail6" and kind == 28):
            code = self.CODES.get(self.mode, 2)
        elif self.mode == "truncate":
            flags |= 0x0200
        elif labels != self.labels:
            code = 3
        elif kind == 1:
            records = [b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + socket.inet_aton(address)
                       for address in self.addresses]
        return (message[:2] + struct.pack(">HHHHH", flags | code, 1, len(records), 0, 0) + question
                + b"".join(records))

    def close(self):
        self.is_over.set()
        self.join()
        self.socket.close()


@harness.needs_isolation
class FailingDns(Case):
    """A name server that fails while nodes start, and comes back."""

    def setUp(self):
        self.hosts = [Host() for _ in range(2)]
        for host in self.hosts:
            self.addCleanup(host.close)
        use_servers(self, BRIDGE)
        self.server = NameServer("cluster.test", [host.address for host in self.hosts])
        self.addCleanup(self.server.close)

    def start(self):
        return [Node(8081, host=host, wait=False,
                     env={"DISCOVERY_DOMAIN": "cluster.test", "REPRAM_CLAIM_CHECK": "off"})
                for host in self.hosts]

    def is_one_cluster_after(self, mode, failure, seconds=20):
        self.server.mode = mode
        nodes = self.start()
        for node in nodes:
            wait_until(lambda n=node: failure in n.output(), "it says what failed", 20)
            node.await_port()
            self.assertEqual(node.request("GET", "/readyz").status, 503)
        self.server.mode = "answer"
        wait_formed(nodes, seconds)
        self.assertEqual(count_lines(nodes, FOUNDED), 1)
        self.assertEqual(count_lines(nodes, "going on without"), 0)
        for node in nodes:
            warnings = [line for line in node.output().splitlines() if failure in line]
            self.assertEqual(len(warnings), 1, warnings)
            self.assertIn("port-range: cluster.test: ", warnings[0])

    def test_nodes_of_one_host_meet_though_no_server_answers(self):
        self.server.mode = "silence"
        launcher = Launcher(3, base=8081, host=self.hosts[0],
                            env={"DISCOVERY_DOMAIN": "cluster.test"})
        wait_formed(launcher.nodes(), 30)
        self.assertEqual(count_lines([launcher], FOUNDED), 1)

    def test_a_silent_server_keeps_nobody_from_serving_for_long(self):
        self.server.mode = "silence"
        began = time.monotonic()
        Node(8081, host=self.hosts[0], env={"DISCOVERY_DOMAIN": "cluster.test"})
        # Its own time limit is a second; the resolver's are ten, and then it would not have started.
        self.assertLess(time.monotonic() - began, 1 * harness.SLOW)

    def claiming(self):
        """A node that asks a silent server who answers at its port."""
        node = Node(8081, host=self.hosts[0], wait=False, env={"DISCOVERY_DOMAIN": "cluster.test"})
        node.port = 8081
        return node

    def test_while_a_node_claims_its_port_it_says_only_who_it_is(self):
        self.server.mode = "silence"

        def is_seen():
            """Whether it was still claiming behind the last answer, so that all count."""
            node = self.claiming()
            try:
                first = wait_until(lambda: node.request("GET", "/health"), "it answers")
                others = [node.request("GET", path) for path in
                          ("/status", "/healty", "/v1/healty", "/v1/readyz", "/healthy", "/", "/watch/")]
                others.append(node.request("POST", "/watch"))
                last = node.request("GET", "/v1/health")
            finally:
                node.kill()
            if last.status != 503 or last.json()["status"] != "claiming":
                return False
            self.assertEqual(first.json(), last.json())
            self.assertEqual({(other.status, other.json()["code"]) for other in others},
                             {(503, "joining")})
            return True

        wait_until(is_seen, "it claims for as long as it is asked", 20)

    def test_a_node_that_is_stopped_while_it_claims_says_so_to_who_watches(self):
        self.server.mode = "silence"

        def is_seen():
            """Whether it was stopped before it had claimed its port."""
            node = self.claiming()
            wait_until(lambda: node.request("GET", "/health"), "it answers", every=0)
            with socket.create_connection((node.address, node.port), 10 * harness.SLOW) as stream:
                stream.sendall(b"GET /watch HTTP/1.1\r\nHost: a\r\n\r\n")
                text = stream.recv(65536)
                node.signal(signal.SIGTERM)
                while piece := stream.recv(65536):
                    text += piece
            self.assertEqual(node.wait(), 0)
            if b"event: reset" in text or "serves on port" in node.output():
                return False
            self.assertIn(b"retry: 1000\nevent: end\ndata: {\"code\":\"draining\"", text)
            return True

        wait_until(is_seen, "it is stopped while it claims", 20)

    def test_who_watches_a_node_that_claims_its_port_waits_and_begins(self):
        self.server.mode = "silence"

        def is_seen():
            """Whether the stream was there before the node had claimed its port."""
            node = self.claiming()
            try:
                wait_until(lambda: node.request("GET", "/health"), "it answers", every=0)
                with socket.create_connection((node.address, node.port), 10 * harness.SLOW) as stream:
                    stream.sendall(b"GET /v1/watch?prefix=a HTTP/1.1\r\nHost: a\r\n\r\n")
                    text = stream.recv(65536)
                    wrong = node.request("GET", "/watch?values=2")
                    if node.request("GET", "/health").json()["status"] != "claiming":
                        return False
                    self.assertEqual((wrong.status, wrong.json()["code"]), (400, "invalid_request"))
                    while b"event: live" not in text:
                        text += stream.recv(65536)
            finally:
                node.kill()
            self.assertTrue(text.startswith(b"HTTP/1.1 200 OK\r\n"), text)
            self.assertEqual(text.count(b"Access-Control-Allow-Origin: *\r\n"), 1)
            self.assertIn(b"retry: 1000\n: ", text)
            self.assertIn(b"event: reset\ndata: {\"reason\":\"new\"}", text)
            return True

        wait_until(is_seen, "it claims for as long as it is asked", 20)

    def test_a_server_that_is_silent_at_first_makes_one_cluster(self):
        self.is_one_cluster_after("silence", "10.77.0.254 does not answer")

    def test_a_server_that_fails_at_first_makes_one_cluster(self):
        self.is_one_cluster_after("fail", "10.77.0.254 fails (SERVFAIL)")

    def test_a_server_that_refuses_at_first_makes_one_cluster(self):
        self.is_one_cluster_after("refuse", "10.77.0.254 refuses to answer (REFUSED)")

    def test_an_answer_that_is_cut_without_tcp_for_the_rest_makes_one_cluster(self):
        self.is_one_cluster_after("truncate", "10.77.0.254 cannot be reached")

    def test_a_server_that_fails_for_one_family_holds_up_the_founding(self):
        self.server.mode = "fail6"
        nodes = self.start()
        for node in nodes:
            node.await_port()
        wait_until(lambda: len(nodes[0].alive()) == 1, "they find each other by the other", 10)
        self.assertEqual(nodes[0].request("GET", "/readyz").status, 503)
        wait_formed(nodes, 20)
        self.assertIn("going on without port-range, which has not said who is there: cluster.test: "
                      "10.77.0.254 fails (SERVFAIL)", nodes[0].output() + nodes[1].output())


@harness.needs_isolation
class Dns(Case):
    """dnsmasq answers on the bridge; every host uses it."""

    def resolve(self, table):
        """Serves name to addresses from now on."""
        Dnsmasq(self, table)
        use_servers(self, BRIDGE, rest="options timeout:1 attempts:2\n")

    def hosts(self, count):
        hosts = [Host() for _ in range(count)]
        for host in hosts:
            self.addCleanup(host.close)
        return hosts

    def test_a_name_with_several_addresses_is_several_hosts(self):
        hosts = self.hosts(3)
        self.resolve({"cluster.test": [host.address for host in hosts]})
        env = {"DISCOVERY_DOMAIN": "cluster.test", "NODE_COUNT": 1}
        launchers = [Launcher(2, base=8081, host=host, env=dict(env, NODE_COUNT=2))
                     for host in hosts]
        nodes = [node for launcher in launchers for node in launcher.nodes()]
        self.assertEqual([node.port for node in nodes], [8081, 8082] * 3)
        wait_formed(nodes, 30)
        self.assertEqual(nodes[0].put("key", "value").headers["x-replicas"].split("/")[1], "6")
        for node in nodes:
            wait_until(lambda n=node: n.holds("key", b"value"), f"{node} has it", 5)

    def test_a_name_with_addresses_of_both_families(self):
        hosts = self.hosts(2)
        self.resolve({"six.test": [host.address6 for host in hosts]})
        nodes = [Node(8081, host=host, env={"DISCOVERY_DOMAIN": "six.test"}) for host in hosts]
        wait_formed(nodes, 30)

    def test_the_dns_provider_asks_each_address_of_its_name(self):
        hosts = self.hosts(2)
        self.resolve({"pods.test": [host.address for host in hosts]})
        nodes = [Node(8081, host=host, env={"DISCOVERY_DOMAIN": "pods.test",
                                            "REPRAM_DISCOVERY": "dns"}) for host in hosts]
        wait_formed(nodes, 30)

    def test_a_name_that_does_not_resolve_yet_keeps_the_node_up(self):
        host = self.hosts(1)[0]
        self.resolve({"other.test": [host.address]})
        node = Node(8081, host=host, env={"DISCOVERY_DOMAIN": "nobody.test",
                                          "REPRAM_DISCOVERY": "dns"})
        wait_until(node.is_ready, "alone, it is ready", 10)
        self.assertIn("nobody.test", node.output())

    def test_a_name_that_is_not_there_yet_ends_no_node_and_parts_none_of_one_host(self):
        host = self.hosts(1)[0]
        self.resolve({"other.test": [host.address]})
        launcher = Launcher(2, base=8081, host=host, env={"DISCOVERY_DOMAIN": "nobody.test"})
        wait_formed(launcher.nodes(), 20)
        self.assertIn("port-range: nobody.test: there is no such name; ", launcher.output())

    def test_an_address_of_its_own_that_is_not_there_yet_is_no_bad_configuration(self):
        host = self.hosts(1)[0]
        self.resolve({"other.test": [host.address]})
        node = Node(8081, host=host, env={"REPRAM_ADDRESS": "nobody.test"}, wait=False)
        self.assertEqual(node.wait(30), FAILED)
        self.assertIn("REPRAM_ADDRESS=nobody.test (environment REPRAM_ADDRESS) does not resolve now",
                      node.output())


class FluxApi(http.server.ThreadingHTTPServer):
    """Flux's list of locations. `answer` is what it says: a list of addresses, or raw bytes."""

    def __init__(self, address, context=None):
        self.answer = []
        self.status = 200
        self.paths = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.server.paths.append(self.path)
                answer = self.server.answer
                if isinstance(answer, list):
                    answer = json.dumps({"status": "success", "data": [
                        {"name": APP, "hash": "0" * 64, "ip": ip,
                         "broadcastedAt": "2026-01-01T00:00:00.000Z",
                         "expireAt": "2026-01-01T02:05:00.000Z",
                         "runningSince": "2026-01-01T00:00:00.000Z"} for ip in answer]}).encode()
                self.send_response(self.server.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(answer)

            def log_message(self, *_):
                pass

        super().__init__((address, 0), Handler)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True,
                                              do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass  # a client that refuses the certificate is what is being tested


@harness.needs_isolation
class Flux(Case):
    def api(self):
        server = FluxApi("10.77.0.254")
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def hosts(self, count):
        hosts = [Host() for _ in range(count)]
        for host in hosts:
            self.addCleanup(host.close)
        return hosts

    def instance(self, host, api, count=1):
        """An instance as FluxOS starts it: its own address and the app's name in the environment."""
        return Launcher(count, base=8081, max_ports=5, host=host, env={
            "FLUX_APP_NAME": APP, "FLUX_NODE_HOST_IP": host.address,
            "REPRAM_FLUX_API": f"http://10.77.0.254:{api.server_address[1]}"})

    def test_instances_on_other_addresses_are_found_among_ghosts(self):
        hosts = self.hosts(3)
        api = self.api()
        ghosts = ["10.77.0.201", "10.77.0.202:16127", "10.77.0.203"]
        api.answer = ghosts[:2] + [f"{hosts[0].address}:16127", hosts[1].address,
                                   f"{hosts[2].address}:16137"] + ghosts[2:]
        launchers = [self.instance(host, api, 2) for host in hosts]
        nodes = [node for launcher in launchers for node in launcher.nodes()]
        wait_formed(nodes, 40)
        self.assertIn(f"/apps/location/{APP}", api.paths)
        self.assertEqual(nodes[0].put("key", "value").status, 201)
        for node in nodes:
            wait_until(lambda n=node: n.holds("key", b"value"), f"{node} has it", 5)

    def test_malformed_answers_change_nothing_and_good_ones_follow(self):
        hosts = self.hosts(2)
        api = self.api()
        api.answer = b'{"status":"success","data":[{"ip":17},{"ip":"not an address"},{},null]}'
        first = self.instance(hosts[0], api).nodes()[0]
        wait_until(first.is_ready, "it is ready nevertheless", 20)
        late = None
        for answer in (b"", b"<html>502</html>", b'{"status":"error"}', b'{"data":', b"[" * 5000,
                       b'{"status":"success","data":"none"}', b"x" * 3_000_000):
            api.answer = answer
            seen = len(api.paths)
            late = late or self.instance(hosts[1], api)
            wait_until(lambda s=seen: len(api.paths) > s, "it asks", 40)
        wait_until(late.nodes()[0].is_ready, "it is ready nevertheless", 20)
        self.assertEqual(first.request("GET", "/livez").status, 200)
        api.answer = [host.address for host in hosts]
        wait_until(lambda: formed([first] + late.nodes()), "they find each other", 60)

    def test_a_list_that_fails_at_first_makes_one_cluster(self):
        hosts = self.hosts(2)
        api = self.api()
        api.status = 500
        api.answer = [host.address for host in hosts]
        launchers = [self.instance(host, api, 2) for host in hosts]
        nodes = [node for launcher in launchers for node in launcher.nodes()]
        wait_until(lambda: len(api.paths) >= 12, "each has asked three times", 20)
        for node in nodes:
            self.assertEqual(node.request("GET", "/readyz").status, 503)
            self.assertIn("discovering", node.status()["reasons"])
        api.status = 200
        wait_formed(nodes, 20)
        self.assertEqual(count_lines(launchers, FOUNDED), 1)
        self.assertEqual(count_lines(launchers, "going on without"), 0)

    def test_a_node_that_restarts_does_not_wait_for_a_list_that_fails(self):
        host = self.hosts(1)[0]
        api = self.api()
        api.answer = [host.address]
        nodes = self.instance(host, api, 2).nodes()
        wait_formed(nodes, 20)
        api.status = 500
        began = time.monotonic()
        late = self.instance(host, api, 1)
        wait_formed(nodes + late.nodes(), 20)
        self.assertLess(time.monotonic() - began, 5 * harness.SLOW)


class Certificates(Case):
    """The Flux provider over https, with a certificate that no authority signed."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.certificate = os.path.join(folder.name, "certificate.pem")
        key = os.path.join(folder.name, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                        "-keyout", key, "-out", self.certificate],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self.server = FluxApi("127.0.0.1", context)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def start(self, host, **env):
        return Node(harness.free_base(), env={
            "REPRAM_DISCOVERY": "port-range,flux", "FLUX_APP_NAME": APP,
            "REPRAM_FLUX_API": f"https://{host}:{self.server.server_address[1]}", **env})

    def test_a_certificate_nobody_vouches_for_is_refused_and_nothing_is_asked(self):
        node = self.start("localhost")
        wait_until(lambda: "flux" in node.output().lower() and "certif" in node.output().lower(),
                   "the log says why", 20)
        self.assertEqual(self.server.paths, [])
        wait_until(node.is_ready, "the node is up nevertheless", 20)

    def test_a_certificate_for_another_name_is_refused(self):
        node = self.start("127.0.0.1", SSL_CERT_FILE=self.certificate)
        wait_until(node.is_ready, "the node is up nevertheless", 20)
        stays(lambda: self.server.paths == [], "nothing is asked", 3)

    def test_a_certificate_that_is_trusted_is_taken(self):
        self.start("localhost", SSL_CERT_FILE=self.certificate)
        wait_until(lambda: self.server.paths, "the list is asked for", 20)


if __name__ == "__main__":
    harness.main()
