"""HTTPS on the one port: certificates of both sides, what plain HTTP still serves, files that change
under load, and what a handshake agrees on (OpenSSL's own client asks)."""

import contextlib
import hashlib
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import harness
from certificates import Authority
from harness import Case, Host, Node, Program, SLOW, free_base, wait_until

BAD_CONFIGURATION = 78
PROBES = ("/health", "/livez", "/readyz", "/v1/health")
HANDSHAKES = 128  # unfinished at a time, of the node's own host; and of all others together
HANDSHAKES_EACH = 16  # of one other address


def trusting(authority, identity=None):
    """A client that believes this authority, and shows a certificate if it has one."""
    context = ssl.create_default_context(cafile=authority.cert)
    if identity is not None:
        context.load_cert_chain(identity.cert, identity.key)
    return context


def blind():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def ask(node, context, method, path, body=None, headers=None):
    """One request over HTTPS, on a connection of its own."""
    with contextlib.closing(http.client.HTTPSConnection(node.address, node.port, context=context,
                                                        timeout=10 * SLOW)) as connection:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return harness.Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())


def metrics(node, context):
    lines = ask(node, context, "GET", "/metrics").body.decode().splitlines()
    return {name: float(value) for name, value in
            (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))}


def handshakes(node, context, kind, result):
    return metrics(node, context)[f'repram_tls_handshakes_total{{kind="{kind}",result="{result}"}}']


def reloads(node, context, result):
    return metrics(node, context)[f'repram_tls_reloads_total{{result="{result}"}}']


class Tls(Case):
    def setUp(self):
        self.authority = Authority()
        self.addCleanup(self.authority.close)
        self.server = self.authority.issue("server")
        self.context = trusting(self.authority)

    def settings(self, server=None, **more):
        server = server or self.server
        return {"REPRAM_TLS_CERT": server.cert, "REPRAM_TLS_KEY": server.key, **more}

    def node(self, **more):
        node = Node(env=self.settings(**more))
        wait_until(node.is_ready, "the node is ready")
        return node

    def other_authority(self):
        other = Authority("other")
        self.addCleanup(other.close)
        return other


class Serving(Tls):
    def test_expired_cert_serves_and_warns(self):
        base = free_base(2)
        expired = self.authority.issue("expired", days=-1)
        nodes = [Node(base, 2, env=self.settings(expired, BASE_PORT=base)) for _ in range(2)]
        for node in nodes:
            wait_until(lambda n=node: n.is_ready() and
                       b'"alive":1' in ask(n, blind(), "GET", "/status").body, "both know each other")
        self.assertEqual(ask(nodes[0], blind(), "PUT", "/data/a", b"v").status, 201)
        wait_until(lambda: ask(nodes[1], blind(), "GET", "/data/a").body == b"v", "the link carries it")
        with self.assertRaisesRegex(ssl.SSLCertVerificationError, "expired"):
            ask(nodes[0], self.context, "GET", "/data/a")
        for node in nodes:
            self.assertRegex(node.output(), r"error tls +the certificate has expired at 20")
            expiry = metrics(node, blind())["repram_tls_certificate_expiry_seconds"]
            self.assertTrue(0 < expiry < time.time())

    def test_plain_http_serves_probes_alone_and_before_any_body(self):
        node = self.node()
        for path in PROBES:
            self.assertEqual(node.request("GET", path).status, 200, path)
            self.assertEqual(node.request("HEAD", path).status, 200, path)
        for method, path in (("GET", "/data/a"), ("GET", "/"), ("GET", "/fade/"), ("GET", "/metrics"),
                             ("GET", "/watch"), ("POST", "/health"), ("OPTIONS", "/data/a"), ("GET", "/no")):
            reply = node.request(method, path)
            self.assertEqual((reply.status, reply.json()["code"]), (403, "tls_required"), path)
        with socket.create_connection((node.address, node.port), timeout=10 * SLOW) as plain:
            plain.sendall(b"PUT /data/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n")
            self.assertIn(b" 403 ", plain.recv(4096))
        with socket.create_connection((node.address, node.port), timeout=10 * SLOW) as plain:
            plain.sendall(b"GET /data/a HTTP/1.1\r\nHost: a\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = b""
            while b"200 OK" not in answer:  # the connection is kept
                answer += plain.recv(4096) or self.fail(answer)

    def test_link_over_https_without_psk_403(self):
        node = self.node()
        reply = ask(node, self.context, "GET", "/gossip", headers={"Connection": "Upgrade",
                                                                   "Upgrade": "repram-gossip/1"})
        self.assertEqual((reply.status, reply.json()["code"]), (403, "forbidden"))

    def test_requests_of_all_kinds(self):
        node = self.node()
        large = os.urandom(3_000_000)
        self.assertEqual(ask(node, self.context, "PUT", "/data/large", large).status, 201)
        self.assertEqual(ask(node, self.context, "GET", "/data/large").body, large)
        kept = http.client.HTTPSConnection(node.address, node.port, context=self.context, timeout=10 * SLOW)
        self.addCleanup(kept.close)
        for round_ in range(3):
            kept.request("PUT", f"/data/{round_}", body=(b"x" * 1000 for _ in range(20)),
                         encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
            answer = kept.getresponse()
            self.assertEqual((answer.status, answer.read()), (201, b"OK"))
        kept.request("HEAD", "/data/large")
        answer = kept.getresponse()
        self.assertEqual((answer.getheader("Content-Length"), answer.read()), (str(len(large)), b""))
        curl = subprocess.run(["curl", "-sS", "--cacert", self.authority.cert, "-T", "-", "-H",
                               "Expect: 100-continue", "-o", "/dev/null", "-w", "%{http_code}",
                               f"https://localhost:{node.port}/data/c"], input=b"y" * 100_000,
                              capture_output=True, timeout=20 * SLOW, check=False)
        self.assertEqual(curl.stdout, b"201", curl.stderr)
        self.assertEqual(handshakes(node, self.context, "https", "failed"), 0)

    def test_a_pipeline_in_one_record_and_a_stream_that_is_drained(self):
        node = self.node()
        ask(node, self.context, "PUT", "/data/p", b"value")
        with self.context.wrap_socket(socket.create_connection((node.address, node.port), timeout=10 * SLOW),
                                      server_hostname="localhost") as tls:
            tls.sendall(b"GET /data/p HTTP/1.1\r\nHost: a\r\n\r\n" * 40)
            answer = b""
            while answer.count(b"value") < 40:
                answer += tls.recv(65536) or self.fail(answer)
            tls.sendall(b"GET /watch HTTP/1.1\r\nHost: a\r\n\r\n")
            while b"event: live" not in answer:
                answer += tls.recv(65536)
            node.signal(signal.SIGTERM)
            while True:
                piece = tls.recv(65536)  # an end without close_notify would be an error here
                if not piece:
                    break
                answer += piece
            self.assertIn(b"event: end", answer)
        self.assertEqual(node.wait(), 0)


class Clients(Tls):
    def setUp(self):
        super().setUp()
        self.client = self.authority.issue("client", names="")

    def test_wrong_ca_only_probes(self):
        other = self.other_authority()
        node = self.node(REPRAM_TLS_CA=self.authority.cert)
        good = trusting(self.authority, self.client)
        self.assertEqual(ask(node, good, "PUT", "/data/a", b"v").status, 201)
        for who in (None, other.issue("stranger", names=""), other):
            context = trusting(self.authority, who)
            for path in PROBES:
                self.assertEqual(ask(node, context, "GET", path).status, 200)
            for method, path in (("GET", "/data/a"), ("PUT", "/data/a"), ("GET", "/status"), ("GET", "/")):
                reply = ask(node, context, method, path)
                self.assertEqual((reply.status, reply.json()["code"]), (403, "forbidden"), path)
        self.assertEqual(ask(node, good, "GET", "/data/a").body, b"v")
        self.assertIn("clients are asked for theirs", node.output())

    def test_browser_certificate_with_origin_has_no_rights(self):
        node = self.node(REPRAM_TLS_CA=self.authority.cert)
        good = trusting(self.authority, self.client)
        self.assertEqual(ask(node, good, "PUT", "/data/a", b"v").status, 201)
        for method in ("GET", "PUT", "OPTIONS"):
            reply = ask(node, good, method, "/data/a", headers={"Origin": "https://page.example"})
            self.assertEqual((reply.status, reply.json()["code"]), (403, "forbidden"))
        self.assertEqual(ask(node, good, "GET", "/livez", headers={"Origin": "null"}).status, 200)
        self.assertEqual(ask(node, good, "GET", "/data/a").body, b"v")

    def test_beside_a_certificate_a_page_may_what_its_token_may(self):
        rules = os.path.join(self.authority.folder.name, "acl")
        with open(rules, "w", encoding="utf-8") as file:
            file.write(f"user page sha256:{hashlib.sha256(b'good').hexdigest()}\nallow read,write fade/\n"
                       "user *\nallow read\n")
        node = self.node(REPRAM_TLS_CA=self.authority.cert, REPRAM_ACL_FILE=rules, REPRAM_BIND="127.0.0.1")
        origin = ("-H", f"Origin: https://localhost:{node.port}")
        certificate = ("--cert", self.client.cert, "--key", self.client.key)
        token, wrong = ("-H", "Authorization: Bearer good"), ("-H", "Authorization: Bearer wrong")
        put = ("-X", "PUT", "-d", "hello", "-H", "Content-Type: text/plain")
        for words, path, status in (
                ((*certificate, *origin, *token, *put), "data/fade/a", "201"),
                ((*certificate, *origin, *token), "data/fade/a", "200"),
                ((*certificate, *origin, *token, *put), "data/other", "403"),
                ((*certificate, *origin, *wrong, *put), "data/fade/a", "401"),
                ((*certificate, *origin, *put), "data/fade/a", "401"),
                ((*certificate, *origin), "data/fade/a", "401"),  # what user * may is for nobody's page
                (certificate, "data/fade/a", "200"),
                ((*certificate, *wrong), "data/fade/a", "401"),
                ((*certificate, *origin, "-X", "OPTIONS"), "data/fade/a", "204"),
                ((*certificate, *origin), "fade/", "200"),
                ((*origin, *token), "data/fade/a", "403"),  # without a certificate probes alone
                (token, "data/fade/a", "403"),
                (origin, "fade/", "403"),
                ((*origin, "-X", "OPTIONS"), "data/fade/a", "403"),
                (origin, "readyz", "200")):
            done = subprocess.run(["curl", "-sS", "--cacert", self.authority.cert, *words, "-o", "/dev/null", "-w",
                                   "%{http_code}", f"https://localhost:{node.port}/{path}"], capture_output=True,
                                  timeout=20 * SLOW, check=False)
            self.assertEqual(done.stdout.decode(), status, (words, path, done.stderr))


class Files(Tls):
    def setUp(self):
        super().setUp()
        self.second = self.authority.issue("second")
        self.folder = os.path.dirname(self.server.cert)
        for name in ("live.pem", "live.key"):
            self.put(self.server, name)

    def put(self, identity, name):
        """As what renews certificates does: another file takes the place of the one that is read."""
        source = identity.cert if name.endswith(".pem") else identity.key
        shutil.copy(source, os.path.join(self.folder, name + ".new"))
        os.replace(os.path.join(self.folder, name + ".new"), os.path.join(self.folder, name))

    def live(self):
        node = Node(env={"REPRAM_TLS_CERT": os.path.join(self.folder, "live.pem"),
                         "REPRAM_TLS_KEY": os.path.join(self.folder, "live.key")})
        wait_until(node.is_ready, "the node is ready")
        return node

    def served(self, node):
        with self.context.wrap_socket(socket.create_connection((node.address, node.port), timeout=10 * SLOW),
                                      server_hostname="localhost") as tls:
            return dict(pair[0] for pair in tls.getpeercert()["subject"])["commonName"]

    def test_cert_and_key_swapped_under_load(self):
        node = self.live()
        ask(node, self.context, "PUT", "/data/a", b"v")
        kept = http.client.HTTPSConnection(node.address, node.port, context=self.context, timeout=10 * SLOW)
        self.addCleanup(kept.close)
        stop, failures, done = threading.Event(), [], []

        def load():
            while not stop.is_set():
                try:
                    reply = ask(node, self.context, "GET", "/data/a")
                    (done if reply.body == b"v" else failures).append(reply)
                except OSError as error:
                    failures.append(error)

        threads = [threading.Thread(target=load) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for swap, identity in enumerate((self.second, self.server, self.second), start=2):
                self.put(identity, "live.key")
                node.signal(signal.SIGHUP)  # finds a pair that does not fit
                before = len(done)
                wait_until(lambda b=before: len(done) > b + 5 or failures, "others are served meanwhile")
                self.put(identity, "live.pem")
                node.signal(signal.SIGHUP)
                wait_until(lambda s=swap: reloads(node, self.context, "taken") == s, "it is taken")
                kept.request("GET", "/data/a")
                self.assertEqual(kept.getresponse().read(), b"v")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(self.served(node), "second")
        self.assertIn("changed to a certificate that is valid until", node.output())

    def test_mismatch_on_hup_keeps_old(self):
        node = self.live()
        self.put(self.second, "live.key")
        node.signal(signal.SIGHUP)
        wait_until(lambda: reloads(node, self.context, "refused") == 1, "it is refused")
        self.assertIn("the key does not belong to the certificate", node.output())
        self.assertIn("the certificate from before is served", node.output())
        self.assertEqual(self.served(node), "server")
        self.assertEqual(metrics(node, self.context)['repram_tls_reloads_total{result="taken"}'], 1)
        self.put(self.second, "live.pem")
        node.signal(signal.SIGHUP)
        wait_until(lambda: reloads(node, self.context, "taken") == 2, "it is taken")
        self.assertEqual(self.served(node), "second")

    def test_a_key_that_every_user_can_read_is_warned_of(self):
        for mode, is_warned in ((0o600, False), (0o640, False), (0o644, True)):
            os.chmod(self.server.key, mode)
            program = Program("launch", "--check-config", env=self.settings())
            self.assertEqual(program.wait(), 0, program.output())
            self.assertEqual(f"{self.server.key}, which holds REPRAM_TLS_KEY, can be read by every user of this host; "
                             "better: by its owner alone (chmod 600)" in program.output(), is_warned, mode)

    def test_what_cannot_be_served_is_refused_at_the_start(self):
        other = self.other_authority()
        missing = os.path.join(self.folder, "missing.pem")
        cert, key = {"REPRAM_TLS_CERT": self.server.cert}, {"REPRAM_TLS_KEY": self.server.key}
        for settings, text in ((cert, "REPRAM_TLS_KEY is not set"), (key, "REPRAM_TLS_CERT is not set"),
                               ({"REPRAM_TLS_CA": other.cert}, "REPRAM_TLS_CERT is not set"),
                               ({**key, "REPRAM_TLS_CERT": missing}, "missing.pem: No such file"),
                               ({**cert, "REPRAM_TLS_KEY": other.key}, "the key does not belong"),
                               ({**key, "REPRAM_TLS_CERT": self.server.key}, "the certificate cannot be read"),
                               ({**cert, **key, "REPRAM_TLS_CA": self.server.key},
                                f"{self.server.key}: the authorities of clients")):
            for command in (("launch", "--check-config"), ("node",)):
                with self.subTest(text=text, command=command):
                    program = Program(*command, env=settings)
                    self.assertEqual(program.wait(), BAD_CONFIGURATION, program.output())
                    self.assertIn(text, program.output())
        program = Program("launch", "--check-config", env={**cert, **key, "REPRAM_TLS_CA": other.cert})
        self.assertEqual(program.wait(), 0, program.output())


class Handshakes(Tls):
    def client(self, node, *words, typed=b""):
        """What OpenSSL's client says of a connection."""
        done = subprocess.run(["openssl", "s_client", "-connect", f"{node.address}:{node.port}", "-CAfile",
                               self.authority.cert, *words], input=typed, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=20 * SLOW, check=False)
        return done.stdout.decode(errors="replace")

    def test_versions_suites_renegotiation_tickets(self):
        node = self.node()
        for words in (("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"), ("-tls1", "-cipher", "DEFAULT@SECLEVEL=0"),
                      ("-tls1_2", "-cipher", "AES128-GCM-SHA256"),  # without forward secrecy
                      ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"), ("-alpn", "h2"),
                      ("-alpn", "repram-gossip/1")):  # there is no secret
            self.assertRegex(self.client(node, *words), "alert|no peer certificate|no ciphers", words)
        for version in ("-tls1_2", "-tls1_3"):
            text = self.client(node, version, "-alpn", "h2,http/1.1", typed=b"Q\n")
            self.assertIn("Verify return code: 0 (ok)", text)
            self.assertIn("ALPN protocol: http/1.1", text)
            self.assertIn("Compression: NONE", text)
        self.assertIn("Secure Renegotiation IS supported", self.client(node, "-tls1_2", typed=b"Q\n"))
        self.assertIn("no renegotiation", self.client(node, "-tls1_2", typed=b"R\n"))
        self.assertIn("Reused, TLSv1.2", self.client(node, "-tls1_2", "-reconnect", typed=b"Q\n"))
        session = os.path.join(self.authority.folder.name, "session")
        asked = b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        text = self.client(node, "-tls1_3", "-sess_out", session, "-ign_eof", typed=asked)
        self.assertEqual(text.count("Post-Handshake New Session Ticket arrived"), 2, text)
        self.assertIn("Max Early Data: 0", text)
        self.assertIn("Reused, TLSv1.3", self.client(node, "-tls1_3", "-sess_in", session, "-ign_eof", typed=asked))
        self.assertEqual(handshakes(node, self.context, "link", "failed"), 1)

    def test_unfinished_handshakes_are_bounded_and_end(self):
        node = self.node(REPRAM_REQUEST_TIMEOUT="3")
        open_ = [socket.create_connection((node.address, node.port), timeout=20 * SLOW)
                 for _ in range(HANDSHAKES + 1)]
        for each in open_:
            self.addCleanup(each.close)
        for each in open_[:-1]:
            each.sendall(b"\x16")
        wait_until(lambda: node.request("GET", "/livez").status == 200, "plain HTTP is served")
        open_[-1].sendall(b"\x16")
        for each in open_:
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(each.recv(1), b"")
        found = metrics(node, self.context)
        self.assertEqual(found['repram_tls_handshakes_total{kind="other",result="limited"}'], 1)
        self.assertEqual(found['repram_tls_handshakes_total{kind="other",result="timeout"}'], HANDSHAKES)

    def test_another_address_has_a_part_of_them_and_its_oldest_gives_way(self):
        host = Host()
        self.addCleanup(host.close)
        node = Node(env=self.settings(), host=host)
        context = blind()
        open_ = []
        for _ in range(HANDSHAKES_EACH):
            each = socket.create_connection((node.address, node.port), timeout=20 * SLOW)
            self.addCleanup(each.close)
            each.sendall(b"\x16")
            open_.append(each)
        wait_until(lambda: node.request("GET", "/livez").status == 200, "plain HTTP is served")
        self.assertEqual(ask(node, context, "GET", "/livez").status, 200)
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(open_[0].recv(1), b"")
        self.assertEqual(handshakes(node, context, "other", "limited"), 1)


if __name__ == "__main__":
    harness.main()
