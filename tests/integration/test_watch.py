"""Watching: every node reports changes as they happen, and loses none on the way."""

import base64
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import harness
from harness import Case, Node, cluster, free_base, wait_until

NGINX = shutil.which("nginx")
HAPROXY = shutil.which("haproxy")


def pour(node, requests):
    """Sends them all on one connection and reads the answers meanwhile, whatever the sockets hold."""
    last = b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with socket.create_connection((node.address, node.port)) as pipe:
        sender = threading.Thread(target=pipe.sendall, args=(requests + last,))
        sender.start()
        while pipe.recv(1 << 20):
            pass
        sender.join()


class Event:
    def __init__(self, kind, data, identity, at):
        self.kind = kind
        self.data = data
        self.id = identity  # the last one that was said, with this event or before
        self.at = at        # time.monotonic()

    def __repr__(self):
        return f"<{self.kind} {self.data} {self.id}>"


class Watcher(threading.Thread):
    """Reads one stream until it ends or is closed."""

    def __init__(self, node, query="", last_id=None, port=None, headers=None):
        super().__init__(daemon=True)
        self.events = []
        self.comments = 0
        self.last_id = None
        self.is_over = False
        self.connection = http.client.HTTPConnection(node.address, port or node.port, timeout=60)
        headers = dict(headers or {})
        if last_id:
            headers["Last-Event-ID"] = last_id
        self.connection.request("GET", f"/watch?{query}", headers=headers)
        self.reply = self.connection.getresponse()
        if self.reply.status == 200:
            self.start()

    def run(self):
        kind, data = "message", []
        try:
            for line in self.reply:
                line = line.decode().rstrip("\n")
                name, _, value = line.partition(": ")
                if line == "":
                    if data:
                        self.events.append(Event(kind, json.loads("\n".join(data)), self.last_id,
                                                 time.monotonic()))
                    kind, data = "message", []
                elif line.startswith(":"):
                    self.comments += 1
                elif name == "event":
                    kind = value
                elif name == "data":
                    data.append(value)
                elif name == "id":
                    self.last_id = value
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            pass
        self.is_over = True

    def close(self):
        try:
            if self.connection.sock is not None:
                self.connection.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        if self.is_alive():
            self.join(10)
        self.connection.close()

    def of(self, kind):
        return [event for event in list(self.events) if event.kind == kind]

    def keys(self, kind="put"):
        return [event.data.get("key") for event in self.of(kind)]

    def await_live(self):
        wait_until(lambda: self.of("live"), "the watch is live", 10)
        return self


class Watch(Case):
    def setUp(self):
        self.watchers = []

    def tearDown(self):
        for watcher in self.watchers:
            watcher.close()

    def watch(self, node, query="", last_id=None, **options):
        watcher = Watcher(node, query, last_id, **options)
        self.watchers.append(watcher)
        return watcher

    def node(self, **env):
        node = Node(free_base(), env=env)
        wait_until(node.is_ready, "the node is ready")
        return node

    def assert_ended(self, watcher, code):
        """That the node's last words are an event `end`, after which an EventSource comes back."""
        self.assertEqual(watcher.reply.status, 200)
        self.assertEqual((watcher.events[-1].kind, watcher.events[-1].data["code"]), ("end", code))
        self.assertTrue(watcher.events[-1].data["detail"])


class Events(Watch):
    def test_a_write_on_one_node_is_told_on_every_node(self):
        _, nodes = cluster(3)
        nodes[0].put("board/old", "before")
        for node in nodes:
            wait_until(lambda node=node: node.holds("board/old", b"before"), "it is everywhere")
        watchers = [self.watch(node, "prefix=board/&values=1").await_live() for node in nodes]
        for watcher in watchers:
            self.assertEqual(watcher.keys(), ["board/old"])
            self.assertEqual([event.kind for event in watcher.events], ["reset", "put", "live"])
        etag = nodes[1].put("board/new", "hello").headers["etag"].strip('"')
        nodes[1].put("other/new", "hello")
        for watcher in watchers:
            wait_until(lambda watcher=watcher: "board/new" in watcher.keys(), "it is told", 5)
            data = watcher.of("put")[-1].data
            self.assertEqual((data["etag"], data["size"]), (etag, 5))
            self.assertEqual(base64.b64decode(data["value"]), b"hello")
            # By its own clock, which may be some milliseconds off that of the node that was asked.
            self.assertTrue(0 < data["ttl_ms"] <= 600100, data)

    def test_an_expiry_is_told_when_it_happens(self):
        node = self.node()
        watcher = self.watch(node, "prefix=short").await_live()
        keys = [f"short{i}" for i in range(20)]
        asked = {}
        for key in keys:
            asked[key] = time.monotonic()
            node.put(key, "x", ttl=1)
            time.sleep(0.013)
        wait_until(lambda: sorted(watcher.keys("expire")) == sorted(keys), "all are told", 10)
        born = {event.data["key"]: event for event in watcher.of("put")}
        for event in watcher.of("expire"):
            put = born[event.data["key"]]
            self.assertEqual(event.data["etag"], put.data["etag"])
            late_ms = (event.at - asked[event.data["key"]]) * 1000 - put.data["ttl_ms"]
            # To the millisecond on the node; the rest is this machine's business.
            self.assertGreater(late_ms, -20, event)
            self.assertLess(late_ms, 500 * harness.SLOW, event)
        self.assertEqual(node.get("short0").status, 404)

    def test_a_version_that_is_over_when_it_comes_ends_the_one_before_and_is_told(self):
        launcher, nodes = cluster(3, env={"REPRAM_MIN_TTL": 1})
        nodes[0].put("k", "first", ttl=60)
        wait_until(lambda: nodes[2].holds("k", b"first"), "it is on the third node")
        watcher = self.watch(nodes[2]).await_live()
        pid = launcher.node_pids()[nodes[2].port]
        os.kill(pid, signal.SIGSTOP)
        try:
            nodes[0].put("k", "second", ttl=1)
            wait_until(lambda: nodes[0].get("k").status == 404, "the second is over", 5)
        finally:
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: nodes[2].get("k").status == 404, "the third node has heard of it")
        wait_until(lambda: watcher.keys("expire") == ["k"], "so has its watcher")
        self.assertEqual([event.kind for event in watcher.events], ["reset", "put", "live", "expire"])
        self.assertEqual(watcher.events[3].data["etag"], watcher.events[1].data["etag"])

    def test_keys_that_are_no_text_and_large_values_are_marked(self):
        node = self.node()
        watcher = self.watch(node, "values=1").await_live()
        node.put("%ff", "x")
        node.put("large", b"y" * (16 * 1024 + 1))
        node.put("fits", b"y" * (16 * 1024))
        wait_until(lambda: len(watcher.of("put")) == 3, "all are told")
        binary, large, fits = [event.data for event in watcher.of("put")]
        self.assertEqual(base64.b64decode(binary["key_base64"]), b"\xff")
        self.assertNotIn("key", binary)
        self.assertEqual((large["value_omitted"], large["size"]), (True, 16 * 1024 + 1))
        self.assertEqual(len(base64.b64decode(fits["value"])), 16 * 1024)

    def test_an_old_client_gets_the_bare_stream_until_it_ends(self):
        node = self.node()
        node.put("k", "x")
        with socket.create_connection(("127.0.0.1", node.port), timeout=10 * harness.SLOW) as old:
            old.sendall(b"GET /watch HTTP/1.0\r\n\r\n")
            text = b""
            while b"event: live\ndata: {}\n\n" not in text:
                text += old.recv(65536)
            head, _, body = text.partition(b"\r\n\r\n")
            self.assertNotIn(b"chunked", head)
            self.assertIn(b"Connection: close", head)
            self.assertTrue(body.startswith(b"retry: "), body)
            self.assertEqual(node.stop(), 0)
            last = text
            while text:
                text = old.recv(65536)
                last += text
            self.assertIn(b"retry: 1000\nevent: end\ndata: {\"code\":\"draining\"", last)

    def test_many_that_expire_at_once_stop_neither_the_node_nor_other_watchers(self):
        node = self.node()
        watcher = self.watch(node, "prefix=calm").await_live()
        storm = self.watch(node, "prefix=storm").await_live()
        pour(node, b"".join(
            b"PUT /data/storm%d?ttl=4 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" % i
            for i in range(20000)))
        wait_until(lambda: node.metrics()["repram_entries_expired_total"] >= 20000,
                   "all have expired", 30)
        node.put("calm", "x")
        wait_until(lambda: watcher.keys() == ["calm"], "the other watcher is told", 5)
        # This one got each of them, or the news that it was too slow for them.
        wait_until(lambda: storm.is_over or len(storm.of("expire")) == 20000, "it is told", 30)
        if storm.is_over:
            self.assert_ended(storm, "overloaded")

    def test_silence_is_broken_within_ten_seconds(self):
        node = self.node()
        watcher = self.watch(node, "prefix=quiet").await_live()
        node.put("loud", "x")
        before = watcher.last_id
        wait_until(lambda: watcher.comments >= 1, "a heartbeat", 10)
        self.assertEqual([event.kind for event in watcher.events], ["reset", "live"])
        # It also says where to go on: what is not for this watcher is not missed by it.
        self.assertNotEqual(watcher.last_id, before)


class Resume(Watch):
    def test_on_the_same_node_nothing_is_told_twice_and_nothing_is_missed(self):
        node = self.node()
        node.put("a/0", "x")
        told, last_id = [], None
        for part in range(5):
            watcher = self.watch(node, "prefix=a/", last_id).await_live()
            self.assertEqual(len(watcher.of("reset")), 1 if part == 0 else 0)
            for i in range(10):
                node.put(f"a/{part}-{i}", "x")
            wanted = 10 if part == 0 else 20  # what was written meanwhile comes first
            wait_until(lambda w=watcher, n=wanted: len(w.of("put")) >= n, "they are told")
            watcher.close()
            told += watcher.keys()
            last_id = watcher.events[-1].id
            for i in range(10):
                node.put(f"a/{part}-while-away-{i}", "x")
                node.put(f"b/{part}-{i}", "x")
        last = self.watch(node, "prefix=a/", last_id).await_live()
        told += last.keys()
        self.assertEqual(len(told), len(set(told)), "told twice")
        self.assertEqual(sorted(told), sorted(k for k in node.keys() if k.startswith("a/")))

    def test_another_node_begins_anew_with_everything(self):
        launcher, nodes = cluster(3)
        watcher = self.watch(nodes[0], "prefix=k").await_live()
        for i in range(30):
            nodes[0].put(f"k{i}", "x")
        wait_until(lambda: len(watcher.of("put")) == 30, "all are told")
        os.kill(launcher.node_pids()[nodes[0].port], signal.SIGKILL)
        wait_until(lambda: watcher.is_over, "the stream ends with its node")
        other = self.watch(nodes[1], "prefix=k", watcher.events[-1].id).await_live()
        self.assertEqual([event.kind for event in other.events],
                         ["reset"] + ["put"] * 30 + ["live"])
        self.assertEqual(other.events[0].data["reason"], "other_node")
        self.assertEqual(set(other.keys()), {f"k{i}" for i in range(30)})

    def test_a_restarted_node_is_another_one(self):
        node = self.node()
        watcher = self.watch(node).await_live()
        port = node.port
        node.stop()
        again = Node(port, max_ports=1)
        wait_until(again.is_ready, "it is ready again")
        second = self.watch(again, "", watcher.events[-1].id).await_live()
        self.assertEqual(second.events[0].kind, "reset")

    def test_too_late_is_said(self):
        node = self.node()
        watcher = self.watch(node, "prefix=none").await_live()
        pour(node, b"PUT /data/k HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" * 17000)
        late = self.watch(node, "prefix=none", watcher.of("live")[0].id).await_live()
        self.assertEqual(late.events[0].data, {"reason": "too_late"})


class Ends(Watch):
    def test_who_stops_reading_is_cut_off_and_costs_little(self):
        node = self.node(REPRAM_REQUEST_TIMEOUT=2)
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", node.port))
            slow.sendall(b"GET /watch?values=1 HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until(lambda: node.metrics()["repram_watchers"] == 1, "it watches")
            # Until the sockets take no more, however much that is on this machine: 200 are 2.2 MB.
            taken = 2 << 20
            for _ in range(100):
                sent = node.metrics()["repram_http_transmit_bytes_total"]
                for i in range(200):
                    node.put(f"k{i}", b"v" * 8000)
                taken = node.metrics()["repram_http_transmit_bytes_total"] - sent
                if taken < 256 * 1024:
                    break
            self.assertLess(taken, 256 * 1024)
            wait_until(lambda: node.metrics()["repram_watchers"] == 0, "it is cut off", 15)
        metrics = node.metrics()
        self.assertEqual(metrics["repram_watchers_cut_total"], 1)
        self.assertEqual(metrics["repram_http_timeouts_total"], 1)

    def test_who_leaves_is_noticed_at_once_and_was_not_slow(self):
        node = self.node()
        watcher = self.watch(node).await_live()
        watcher.close()
        wait_until(lambda: node.metrics()["repram_watchers"] == 0, "it is gone", 2)
        self.assertEqual(node.metrics()["repram_watchers_cut_total"], 0)

    def test_a_node_that_stops_says_so_to_its_watchers(self):
        node = self.node()
        watchers = [self.watch(node).await_live() for _ in range(5)]
        began = time.monotonic()
        self.assertEqual(node.stop(), 0)
        self.assertLess(time.monotonic() - began, 4 * harness.SLOW)
        for watcher in watchers:
            wait_until(lambda watcher=watcher: watcher.is_over, "its stream is over")
            self.assert_ended(watcher, "draining")

    def test_there_are_only_so_many(self):
        node = self.node(REPRAM_MAX_WATCHERS=2)
        for _ in range(2):
            self.watch(node).await_live()
        refused = self.watch(node)
        wait_until(lambda: refused.is_over, "it is told so")
        self.assert_ended(refused, "overloaded")
        self.assertEqual([len(refused.events), node.metrics()["repram_watchers_refused_total"]], [1, 1])
        self.watchers.pop().close()
        self.watchers.pop().close()
        wait_until(lambda: node.metrics()["repram_watchers"] == 1, "there is room")
        self.watch(node).await_live()


class Waiting(Watch):
    """A node that does not hold everything yet: who watches it waits, and misses nothing."""

    def expecting(self, port):
        """A node that catches up for as long as another one is missing."""
        return Node(port, env={"REPRAM_EXPECT_MEMBERS": 2})

    def test_who_watches_a_node_that_catches_up_begins_once_it_has(self):
        base = free_base()
        node = self.expecting(base)
        early = self.watch(node, "values=1")
        self.assertEqual(node.request("GET", "/data/k").json()["code"], "joining")
        self.assertEqual(early.reply.headers["Content-Type"], "text/event-stream")
        wait_until(lambda: early.comments >= 2, "it hears signs of life", 20)
        self.assertEqual(early.events, [])
        self.expecting(base)
        wait_until(node.is_ready, "the node is ready", 20)
        early.await_live()
        self.assertEqual([event.kind for event in early.events], ["reset", "live"])
        self.assertEqual(early.events[0].data, {"reason": "new"})
        node.put("k", "hello")
        wait_until(lambda: early.keys() == ["k"], "it is told")

    def test_a_node_that_stops_before_it_has_caught_up_says_so(self):
        node = self.expecting(free_base())
        early = self.watch(node, "", "0123456789abcdef-1")
        self.assertEqual(node.stop(), 0)
        wait_until(lambda: early.is_over, "its stream is over")
        self.assert_ended(early, "draining")
        self.assertEqual(len(early.events), 1)

    def test_who_comes_where_connections_or_requests_are_used_up_is_told_to_come_back(self):
        node = self.node(REPRAM_MAX_CONNECTIONS_PER_IP=1)
        self.watch(node).await_live()
        self.assertEqual(node.request("GET", "/keys").status, 503)
        second = self.watch(node)
        wait_until(lambda: second.is_over, "it is told")
        self.assert_ended(second, "overloaded")
        limited = self.node(REPRAM_RATE_LIMIT=1)
        wait_until(lambda: limited.request("GET", "/keys").status == 429, "its requests are used up",
                   every=0)
        third = self.watch(limited)
        wait_until(lambda: third.is_over, "it is told")
        self.assert_ended(third, "rate_limited")


class Command(Watch):
    """`repram watch`."""

    def start(self, *arguments):
        program = harness.Program("watch", *arguments)
        return program

    def lines(self, program):
        return program.output().splitlines()

    def await_line(self, program, part, seconds=10):
        wait_until(lambda: [line for line in self.lines(program) if part in line],
                   f"it prints {part!r}", seconds)

    def test_it_prints_what_is_there_and_what_happens_until_it_is_stopped(self):
        node = self.node()
        node.put("a/1", "hello")
        node.put("b/1", "hello")
        program = self.start("--prefix", "a/", "--values", "-s", f"127.0.0.1:{node.port}")
        self.await_line(program, "a/1")
        node.put("a/%1b%0a%ff", b"\x1b[2J", ttl=1)
        self.await_line(program, "expire")
        self.assertRegex(self.lines(program)[0], r"^put\t(600|5\d\d)s\t5\ta/1\thello$")
        self.assertRegex(self.lines(program)[1], r"^put\t1s\t4\ta/%1B%0A%FF\t%1B\[2J$")
        self.assertRegex(self.lines(program)[2], r"^expire\t0s\t4\ta/%1B%0A%FF$")
        program.signal(signal.SIGINT)
        self.assertEqual(program.wait(), harness.INTERRUPTED)

    def test_json_is_one_object_a_line(self):
        node = self.node()
        program = self.start("--json", "--new", "-s", f"127.0.0.1:{node.port}")
        self.await_line(program, "live")
        node.put("k", "v")
        self.await_line(program, "put")
        events = [json.loads(line) for line in self.lines(program)]
        self.assertEqual([event["event"] for event in events], ["reset", "live", "put"])
        self.assertEqual((events[2]["key"], events[2]["size"]), ("k", 1))
        self.assertRegex(events[2]["id"], "^[0-9a-f]{16}-[0-9a-f]{8}-1$")
        program.signal(signal.SIGTERM)
        self.assertEqual(program.wait(), 0)

    def test_a_lost_node_is_replaced_by_another_one_and_nothing_is_missed(self):
        launcher, nodes = cluster(3)
        servers = ",".join(f"127.0.0.1:{node.port}" for node in nodes[:2])
        program = self.start("--json", "--server", servers)
        self.await_line(program, "live")
        nodes[0].put("before", "x")
        self.await_line(program, "before")
        os.kill(launcher.node_pids()[nodes[0].port], signal.SIGKILL)
        nodes[2].put("meanwhile", "x")
        self.await_line(program, "meanwhile", 20)
        nodes[1].put("after", "x")
        self.await_line(program, "after")

    def test_a_stalled_stream_is_given_up_and_taken_up_again(self):
        node = self.node()
        program = self.start("--json", "-s", f"127.0.0.1:{node.port}", "--timeout", "1s")
        self.await_line(program, "live")
        node.put("before", "x")
        self.await_line(program, "before")
        # A node says something every 5 s, so this client gives up and comes back with its last id.
        self.await_line(program, "trying again")
        node.put("after", "x")
        self.await_line(program, "after")
        shown = [json.loads(line) for line in self.lines(program) if line.startswith("{")]
        self.assertEqual([event["key"] for event in shown if event["event"] == "put"],
                         ["before", "after"])

    def test_what_cannot_be_watched_ends_it(self):
        base = free_base()
        program = harness.Program("watch", env={"BASE_PORT": base})
        self.assertEqual(program.wait(), 1)
        self.assertIn("no node answers", program.output())
        program = self.start("-s", f"127.0.0.1:{base}")
        self.assertEqual(program.wait(), 1)
        self.assertIn("does not answer", program.output())
        node = self.node(REPRAM_MAX_WATCHERS=0)
        program = self.start("-s", f"127.0.0.1:{node.port}")
        self.assertEqual(program.wait(), 1)
        self.assertEqual(program.output(), "repram watch: the node ends the stream: overloaded\n")
        program = self.start("--prefix", "p" * 1025, "-s", f"127.0.0.1:{node.port}")
        self.assertEqual(program.wait(), 1)
        self.assertIn("400 invalid_request", program.output())


class Proxies(Watch):
    """As docs/http-api.md says that proxies are set up."""

    def check(self, node, port):
        wait_until(lambda: harness.request("127.0.0.1", port, "GET", "/health").status == 200,
                   "the proxy answers")
        watcher = self.watch(node, "prefix=p", port=port).await_live()
        for i in range(5):
            node.put(f"p{i}", "x")
            wait_until(lambda i=i: f"p{i}" in watcher.keys(), "each passes at once", 2)

    def configuration(self, begin, **places):
        path = os.path.join(harness.SOURCE_DIR, "docs/http-api.md")
        with open(path, encoding="utf-8") as file:
            text = file.read().split(begin, 1)[1].split("```", 2)[1].split("\n", 1)[1]
        for old, new in places.items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        return text

    @unittest.skipUnless(NGINX, "nginx is not here")
    def test_nginx(self):
        node = self.node()
        port = free_base()
        with tempfile.TemporaryDirectory() as folder:
            conf = os.path.join(folder, "nginx.conf")
            block = self.configuration("<!-- nginx -->").replace("listen 80;", f"listen {port};")
            with open(conf, "w", encoding="utf-8") as file:
                file.write(f"daemon off; pid {folder}/pid; error_log stderr; events {{}}\n"
                           f"http {{ access_log off; client_body_temp_path {folder}/b;\n"
                           f"proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;\n"
                           f"uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
                           + block.replace("127.0.0.1:8081", f"127.0.0.1:{node.port}") + "}\n")
            proxy = subprocess.Popen([NGINX, "-c", conf, "-p", folder],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.addCleanup(proxy.wait)
            self.addCleanup(proxy.terminate)
            self.check(node, port)

    @unittest.skipUnless(HAPROXY, "haproxy is not here")
    def test_haproxy(self):
        node = self.node()
        port = free_base()
        with tempfile.TemporaryDirectory() as folder:
            conf = os.path.join(folder, "haproxy.cfg")
            block = self.configuration("<!-- haproxy -->")
            with open(conf, "w", encoding="utf-8") as file:
                file.write(block.replace("bind :80", f"bind 127.0.0.1:{port}")
                           .replace("127.0.0.1:8081", f"127.0.0.1:{node.port}"))
            proxy = subprocess.Popen([HAPROXY, "-db", "-f", conf],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.addCleanup(proxy.wait)
            self.addCleanup(proxy.terminate)
            self.check(node, port)


if __name__ == "__main__":
    harness.main()
