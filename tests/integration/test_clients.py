"""The clients of clients/, both held to the same: keys of any bytes, refusals, servers that fail, and
streams whose node is killed."""

import base64
import contextlib
import itertools
import json
import os
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time
import unittest

import harness
from certificates import Authority
from harness import Case, Node, Program, free_base, wait_formed, wait_until
from scripted import Answer, Scripted, problem

CLIENTS = os.path.join(os.environ["REPRAM_SOURCE_DIR"], "clients")
sys.path.insert(0, os.path.join(CLIENTS, "python"))
import repram  # noqa: E402  (it is not installed)

TAG = {"ETag": f'"{"a" * 48}"', "X-Original-TTL": "60", "X-Replicas": "1/1"}
DONE = Answer(b"OK", 201, TAG)
LOST = Answer(b"O", 201, {"Content-Length": "9"})
FOUND = Answer(b"v", 200, {**TAG, "X-Remaining-TTL": "60", "X-Created-At": "2026-11-20T08:00:08.500Z"})
STREAM = {"Content-Type": "text/event-stream"}
NO_NODE = [Answer(b"", 301, {"Location": "http://127.0.0.1:9/"}), Answer(b"<html>", 200, {"Content-Type": "text/html"}),
           Answer(b"<html>", 403, {"Content-Type": "text/html"}), Answer({}, 200), Answer([1], 200)]

ODD_KEYS = ["a", "a/b", "a//b/", "/", ".", "..", "a/../b", "./x", "+", "a+b c", "%41", "?#&=;", "K", "ü",
            "\U0001f600", "k" * 1024, b"\xff\xfe", b"\x01\x80", b"\xc3"]


def to_bytes(key):
    return key.encode() if isinstance(key, str) else key


class PythonClient:
    """clients/python/repram.py, in this process."""

    def __init__(self, servers, timeout, token=None, authority=None):
        self.client = repram.Client(servers, timeout, token=token, tls=authority)

    def put(self, key, value, **options):
        return self.client.put(key, value, **options)._asdict()

    def get(self, key):
        entry = self.client.get(key)
        return entry and entry._asdict()

    def head(self, key):
        entry = self.client.head(key)
        return entry and entry._asdict()

    def mget(self, keys):
        return {key: entry._asdict() for key, entry in self.client.mget(keys).items()}

    def keys(self, prefix, page):
        return list(self.client.keys(prefix, page))

    def watch_error(self, prefix):
        next(self.client.watch(prefix))

    def watch(self, prefix, values, take):
        def follow():
            for change in self.client.watch(prefix, values):
                take(change._asdict())
        threading.Thread(target=follow, daemon=True).start()

    def close(self):
        pass


class JavascriptClient:
    """clients/javascript/repram.js, in a node of its own."""

    def __init__(self, servers, timeout, token=None, authority=None):
        env = {**os.environ, **({"NODE_EXTRA_CA_CERTS": authority} if authority else {})}
        here = os.path.dirname(os.path.abspath(__file__))
        self.process = subprocess.Popen(
            ["node", os.path.join(here, "client_driver.mjs"), os.path.join(CLIENTS, "javascript/repram.js"),
             servers, str(timeout * 1000), token or ""],
            env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.numbers = itertools.count()
        self.takers = {}
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            number, result = json.loads(line, object_hook=self.decoded)
            self.takers[number](result)

    @staticmethod
    def decoded(members):
        """As Python has it: bytes and names."""
        if "base64" in members:
            return base64.b64decode(members["base64"])
        names = {"createdAt": "created_at", "hasQuorum": "has_quorum"}
        return {names.get(name, name): value for name, value in members.items()}

    def send(self, take, method, *words):
        number = next(self.numbers)
        self.takers[number] = take
        line = json.dumps([number, method, *words], default=lambda data: {"base64": base64.b64encode(data).decode()})
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, method, *words, is_list=False):
        results, is_over = [], threading.Event()

        def take(result):
            is_end = isinstance(result, dict) and ("error" in result or "end" in result)
            if not is_end:
                results.append(result)
            if is_end or not is_list:
                results.append(result)
                is_over.set()
        self.send(take, method, *words)
        if not is_over.wait(30 * harness.SLOW):
            raise harness.Timeout(f"{method} has no result")
        if isinstance(results[-1], dict) and "error" in results[-1]:
            error = results[-1]["error"]
            kind = getattr(repram, error["name"] if error["name"] != "ApiError" else "Error")
            failure = kind(error["status"], error["code"], error["message"])
            failure.may_be_done = error["mayBeDone"]
            raise failure
        return results[:-1] if is_list else results[-1]

    def put(self, key, value, **options):
        names = {"if_match": "ifMatch", "if_none_match": "ifNoneMatch", "ttl": "ttl"}
        return self.ask("put", key, value, {names[name]: value for name, value in options.items()})

    def get(self, key):
        return self.ask("get", key)

    def head(self, key):
        return self.ask("head", key)

    def mget(self, keys):
        return {key: entry for key, entry in self.ask("mget", keys)}

    def keys(self, prefix, page):
        return self.ask("keys", prefix, {"page": page}, is_list=True)

    def watch_error(self, prefix):
        self.ask("watch", prefix, is_list=True)

    def watch(self, prefix, values, take):
        self.send(take, "watch", prefix, {"values": values})

    def close(self):
        self.process.stdin.close()
        self.process.wait(10 * harness.SLOW)
        self.process.stdout.close()


class Follower:
    """What a watcher holds, from the changes that it is told."""

    def __init__(self, client, prefix, values=False):
        self.held, self.kinds, self.values = {}, [], {}
        client.watch(prefix, values, self.take)

    def take(self, change):
        self.kinds.append(change["kind"])
        if change["kind"] == "reset":
            self.held = {}
        elif change["kind"] == "put":
            self.held[change["key"]] = change["etag"]
            self.values[change["key"]] = change.get("value")
        elif change["kind"] == "expire" and self.held.get(change["key"]) == change["etag"]:
            del self.held[change["key"]]


@contextlib.contextmanager
def silent():
    """The name of what takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def raw(*pieces, drip=b""):
    """The name of what answers with these bytes, whatever they are, and with `drip` until nobody listens."""
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(65536)
            with contextlib.suppress(OSError):
                self.request.sendall(b"".join(pieces))
                while drip and not over.wait(0.3):
                    self.request.sendall(drip)
    over = threading.Event()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            over.set()
            server.shutdown()


def stream(*events):
    return Answer("".join(f"{event}\n\n" for event in events).encode(), 200, STREAM)


def put_event(key, place=""):
    members = {"key": key, "ttl_ms": 5000, "size": 1, "etag": key * 48}
    return f"{place}event: put\ndata: {json.dumps(members)}"


RESET = 'retry: 1000\nid:\nevent: reset\ndata: {"reason":"new"}'
LIVE = "event: live\ndata: {}"


class Clients:
    """The tests, for one client or the other."""

    def client(self, *servers, timeout=10, **access):
        client = self.make(",".join(map(str, servers)), timeout * harness.SLOW, **access)
        self.addCleanup(client.close)
        return client

    def nodes(self, count=3):
        base = free_base(count)
        nodes = [Node(base, max_ports=count) for _ in range(count)]
        return wait_formed(nodes)

    def hurried(self, *servers, seconds):
        """A client with so much time, however slow the machine is."""
        return self.client(*servers, timeout=seconds / harness.SLOW)

    def failure(self, kind, function, *words, **options):
        with self.assertRaises(repram.Error) as caught:
            function(*words, **options)
        self.assertIs(type(caught.exception), kind, caught.exception)
        return caught.exception

    def error(self, *words, **options):
        failure = self.failure(*words, **options)
        return failure.status, failure.code

    def test_keys_of_any_bytes_and_values(self):
        client = self.client(*self.nodes(1))
        etags = {}
        for key in ODD_KEYS:
            value = b"value of " + to_bytes(key)
            written = client.put(key, value, ttl="1h30m")
            self.assertEqual((written["ttl"], written["has_quorum"], written["replicas"]), (5400, True, "1/1"))
            etags[key] = written["etag"]
            entry = client.get(key)
            self.assertEqual((entry["value"], entry["etag"], entry["size"]), (value, written["etag"], len(value)))
            self.assertTrue(5398 <= entry["ttl"] <= 5400, entry)
            head = client.head(key)
            self.assertEqual((head["etag"], head["size"], head.get("value")), (written["etag"], len(value), None))
        for page in (1, 7, 1000):
            self.assertEqual(client.keys("", page), sorted(ODD_KEYS, key=to_bytes))
        self.assertEqual(client.keys("a+", 10), ["a+b c"])
        self.assertEqual(client.keys(b"\xff", 10), [b"\xff\xfe"])
        self.assertIsNone(client.get("nothing"))
        self.assertIsNone(client.head("nothing"))
        follower = Follower(client, "")
        wait_until(lambda: "live" in follower.kinds, "the watch is up to date", 10)
        self.assertEqual(follower.held, etags)

    def test_many_keys_at_once_and_large_values(self):
        client = self.client(*self.nodes(1))
        keys = [f"{i:05}{'x' * 500}" for i in range(1100)]  # too many for a request, and too long
        for key in keys[::10]:
            client.put(key, key[:9])
        large = os.urandom(100000)
        client.put(keys[1], large)
        found = client.mget(keys)
        self.assertEqual({key: entry["value"] for key, entry in found.items()},
                         {**{key: key[:9].encode() for key in keys[::10]}, keys[1]: large})
        self.assertEqual(client.mget([]), {})

    def test_refusals_are_typed(self):
        client = self.client(*self.nodes(1))
        self.assertEqual(self.error(repram.Error, client.put, "", "v"), (400, "invalid_key"))
        self.assertEqual(self.error(repram.Error, client.put, "k", "v", ttl="soon"), (400, "invalid_ttl"))
        self.assertEqual(self.error(repram.Error, client.get, "k" * 1025), (414, "key_too_long"))
        etag = client.put("k", "v", if_none_match="*")["etag"]
        for options in ({"if_none_match": "*"}, {"if_match": "0" * 48}):
            self.assertEqual(self.error(repram.PreconditionFailed, client.put, "k", "w", **options),
                             (412, "precondition_failed"))
        client.put("k", "w", if_match=etag)
        self.assertEqual(self.error(repram.Error, client.put, "k", bytes(11 << 20)), (413, "value_too_large"))
        nobody = self.hurried(f"127.0.0.1:{free_base(1)}", seconds=1.5)
        self.assertEqual(self.error(repram.Unavailable, nobody.get, "k"), (0, ""))

    def test_what_is_no_server_is_refused_at_once(self):
        for servers in ("", "a:1,", "ftp://a:1", "http://"):
            with self.subTest(servers=servers):
                self.assertRegex(self.refusal_of(servers), "is no server")

    def test_a_token_goes_with_each_request_by_https_too(self):
        with Authority() as authority:
            answers = {"/v1/data/k": [DONE, FOUND], "/v1/keys": Answer({"keys": ["k"]}),
                       "/v1/mget": Answer({"entries": [{"found": False}]}), "/v1/watch": stream(RESET, LIVE)}
            for tls in ({}, {"identity": authority.issue("good")}):
                with Scripted(answers, **tls) as server:
                    client = self.client(server.name, token="rt1_t", authority=authority.cert if tls else None)
                    client.put("k", "v", if_none_match="*")
                    self.assertEqual(client.get("k")["value"], b"v")
                    self.assertEqual((client.keys("", 5), client.mget(["k"])), (["k"], {}))
                    follower = Follower(client, "")
                    wait_until(lambda: "live" in follower.kinds, "the watch is up to date", 10)
                    self.assertEqual({headers.get("Authorization", headers.get("authorization"))
                                      for *_, headers in server.asked}, {"Bearer rt1_t"})
                    self.assertGreaterEqual(len(server.asked), 5)
            with Scripted(answers, identity=authority.issue("good")) as server:
                self.failure(repram.Unavailable, self.hurried(server.name, seconds=0.5).get, "k")
                self.assertEqual(server.asked, [])

    def test_a_token_by_plain_http_to_another_host_is_refused_at_once_and_no_token_too(self):
        for servers in ("10.0.0.1", "localhost:1,http://a.example", "http://localhost.a:1", "http://127.0.0.1.a:1"):
            with self.subTest(servers=servers):
                self.assertRegex(self.refusal_of(servers, "rt1_t"), "the token is not sent to .* by plain http")
        for token in ("a b", "a\nb", "\u00e4"):
            self.assertRegex(self.refusal_of("localhost", token), "that is no token")
        self.client("localhost", "127.0.0.1:1", "[::1]:1", "https://a.example", token="rt1_t")

    def test_a_refusal_of_a_token_is_final(self):
        for status, code in ((401, "unauthorized"), (403, "forbidden"), (403, "tls_required")):
            with Scripted({"/v1/data/k": problem(status, code, "no"), "/v1/watch": problem(status, code, "no")}) as one:
                client = self.client(one.name, one.name)
                self.assertEqual(self.error(repram.Error, client.get, "k"), (status, code))
                self.assertEqual(self.error(repram.Error, client.put, "k", "v"), (status, code))
                self.assertEqual(self.error(repram.Error, client.watch_error, ""), (status, code))
                self.assertEqual(len(one.asked), 3)

    def test_a_key_of_many_that_may_not_be_read_is_no_key_that_is_not_there(self):
        with Scripted({"/v1/mget": Answer({"entries": [{"found": False}, {"forbidden": True}]}),
                       "/v1/data/b": problem(403, "forbidden", "no")}) as server:
            client = self.client(server.name)
            self.assertEqual(self.error(repram.Error, client.mget, ["a", "b"]), (403, "forbidden"))

    def test_what_passes_is_waited_for_and_what_fails_is_asked_elsewhere(self):
        busy = problem(503, "joining", "soon")
        busy.headers = {"Retry-After": "1"}
        dated = problem(503, "", "of a proxy")
        dated.headers = {"Retry-After": "Fri, 20 Nov 2026 08:00:08 GMT"}
        with Scripted({"/v1/data/k": [busy, dated, DONE]}) as server:
            began = time.monotonic()
            self.assertTrue(self.client(server.name).put("k", "v")["has_quorum"])
            self.assertEqual(len(server.asked), 3)
            self.assertGreater(time.monotonic() - began, 0.9)
        with Scripted({"/v1/data/k": problem(507, "storage_full", "no room")}) as full, \
                Scripted({"/v1/data/k": [problem(500, "internal", "oh")]}) as broken, \
                Scripted({"/v1/data/k": FOUND}) as good:
            both = self.client(full.name, good.name)
            self.assertEqual(self.error(repram.Error, both.put, "k", "v"), (507, "storage_full"))
            self.assertEqual(good.asked, [])
            self.assertEqual(self.client(broken.name, good.name).get("k")["value"], b"v")
            hopeless = self.hurried(broken.name, seconds=1.5)
            self.assertEqual(self.error(repram.Unavailable, hopeless.get, "k"), (500, "internal"))
        hasty = problem(503, "joining", "now")
        hasty.headers = {"Retry-After": "0"}
        with Scripted({"/v1/data/k": hasty}) as server:
            self.error(repram.Unavailable, self.hurried(server.name, seconds=1).get, "k")
            self.assertLess(len(server.asked), 10)

    def test_a_silent_server_leaves_time_for_the_others(self):
        with silent() as name, Scripted({"/v1/data/k": FOUND}) as good:
            client, results = self.client(name, good.name), []
            threads = [threading.Thread(target=lambda: results.append(client.get("k")["value"]))
                       for _ in range(40)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(results, [b"v"] * 40)
            good.answers["/v1/data/k"] = [DONE]
            self.hurried(name, good.name, seconds=4.5).put("k", "v")
            client = self.hurried(name, good.name, seconds=1.5)
            self.assertTrue(self.failure(repram.Unavailable, client.put, "k", "v", if_none_match="*").may_be_done)
            client.put("k", "v", if_none_match="*")  # the next one is asked first from now on
            dead = f"127.0.0.1:{free_base(1)}"
            self.client(dead, good.name).put("k", "v", if_none_match="*")  # it was not asked for anything

    def test_an_answer_in_drops_takes_no_longer_than_the_timeout(self):
        head = b"HTTP/1.1 200 OK\r\n"
        for pieces, drip in (((head, b"Content-Length: 200\r\n\r\n"), b"x"), ((head,), b"X-Y: z\r\n")):
            with raw(*pieces, drip=drip) as name:
                began = time.monotonic()
                self.assertEqual(self.error(repram.Unavailable, self.hurried(name, seconds=1).get, "k"), (0, ""))
                self.assertLess(time.monotonic() - began, 1 * harness.SLOW)

    def test_what_is_no_answer_of_a_node_is_asked_elsewhere(self):
        targets = ("/v1/data/k", "/v1/keys", "/v1/mget")
        with Scripted({"/v1/data/k": FOUND, "/v1/watch": [stream(RESET, put_event("a"), LIVE),
                                                          Answer(b"", 200, STREAM, stays=True)]}) as good:
            for answer in NO_NODE:
                with Scripted({**{target: answer for target in targets}, "/v1/watch": answer}) as strange:
                    alone = self.hurried(strange.name, seconds=0.15)
                    for call, *words in ((alone.put, "k", "v"), (alone.get, "k"), (alone.head, "k"),
                                         (alone.mget, ["k"]), (alone.keys, "", 10)):
                        self.failure(repram.Unavailable, call, *words)
                    both = self.client(strange.name, good.name)
                    self.assertEqual(both.get("k")["value"], b"v")
            with Scripted({"/v1/watch": NO_NODE}) as strange:
                follower = Follower(self.client(strange.name, good.name), "")
                wait_until(lambda: follower.held == {"a": "a" * 48}, "the other one is watched", 10)
            # A node that ends within its headers.
            with raw(b'HTTP/1.1 200 OK\r\nETag: "a"\r\nX-Remaining-TTL: 9\r\nX-Created-At: x\r\n') as cut:
                self.assertEqual(self.client(cut, good.name).get("k")["value"], b"v")

    def test_times_are_seconds_both_ways(self):
        client = self.client(*self.nodes(1))
        self.assertEqual(client.put("k", "v", ttl=600.9)["ttl"], 600)
        for entry in (client.get("k"), client.head("k"), client.mget(["k"])["k"]):
            self.assertTrue(500 < entry["ttl"] <= 600, entry)
            self.assertEqual(client.put("copy", "v", ttl=entry["ttl"])["ttl"], int(entry["ttl"]))

    def test_a_write_whose_answer_is_lost_is_done_again_once_unless_it_has_a_condition(self):
        with Scripted({"/v1/data/k": LOST}) as first, Scripted({"/v1/data/k": DONE}) as second:
            client = self.client(first.name, second.name)
            failure = self.failure(repram.Unavailable, client.put, "k", "v", if_none_match="*")
            self.assertEqual((failure.status, failure.code, failure.may_be_done), (0, "", True))
            self.assertEqual((len(first.asked), len(second.asked)), (1, 0))
            nobody = f"127.0.0.1:{free_base(1)}"
            self.client(nobody, first.name, nobody, second.name).put("k", "v")
            self.assertEqual((len(first.asked), len(second.asked)), (2, 1))
            with Scripted({"/v1/data/k": LOST}) as third:
                for servers in ((first, third, second), (third,)):
                    client = self.client(*(server.name for server in servers))
                    failure = self.failure(repram.Unavailable, client.put, "k", "v")
                    self.assertEqual((failure.status, failure.code, failure.may_be_done), (0, "", True))
                self.assertEqual((len(first.asked), len(third.asked), len(second.asked)), (3, 2, 1))

    def test_what_a_write_may_have_done_is_remembered(self):
        busy, full = problem(503, "joining", "later"), problem(507, "storage_full", "no room")
        for answer, kind in ((busy, repram.Unavailable), (full, repram.Error)):
            for first, may_be_done in ((LOST, True), (busy, False)):
                with Scripted({"/v1/data/k": [first, busy]}) as one, Scripted({"/v1/data/k": answer}) as other:
                    failure = self.failure(kind, self.hurried(one.name, other.name, seconds=1).put, "k", "v")
                    self.assertEqual((failure.status, failure.may_be_done), (answer.status, may_be_done))

    def restarted(self, node):
        again = Node(node.port, max_ports=1, env={"REPRAM_PEERS": node.others, "REPRAM_DISCOVERY": "static"},
                     wait=False)
        again.others, again.port = node.others, node.port
        return again

    def fixed(self, count):
        """Nodes that keep their ports when they come back."""
        base = free_base(count)
        names = [f"127.0.0.1:{base + i}" for i in range(count)]
        nodes = []
        for i in range(count):
            others = ",".join(name for name in names if name != names[i]) or "127.0.0.1:1"
            nodes.append(Node(base + i, max_ports=1, env={"REPRAM_PEERS": others, "REPRAM_DISCOVERY": "static"}))
            nodes[-1].others = others
        return wait_formed(nodes)

    def test_nodes_are_killed_and_no_request_fails_nor_is_a_change_missed(self):
        nodes = self.fixed(3)
        client = self.client(*nodes)
        follower = Follower(client, "k-", values=True)
        wait_until(lambda: "live" in follower.kinds, "the watch is up to date", 10)
        written, is_over, failures = {}, threading.Event(), []

        def write():
            for i in itertools.count():
                if is_over.is_set():
                    return
                try:
                    written[f"k-{i % 50}"] = client.put(f"k-{i % 50}", f"v-{i}", ttl=600)["etag"]
                    value = client.get(f"k-{i % 50}")["value"]
                    if value != f"v-{i}".encode():
                        failures.append((i, value))
                except Exception as why:
                    failures.append((i, why))
        writer = threading.Thread(target=write)
        writer.start()
        try:
            for i, end in enumerate((Program.kill, Program.stop, Program.kill)):
                before = len(follower.kinds)
                end(nodes[i])
                wait_until(lambda: len(follower.kinds) > before + 20, "changes come without it", 15)
                nodes[i] = self.restarted(nodes[i])
                wait_formed(nodes)
        finally:
            is_over.set()
            writer.join()
        self.assertEqual(failures, [])
        wait_until(lambda: follower.held == written, "the watcher holds what was written last", 15)
        self.assertGreater(follower.kinds.count("reset"), 1)

    def test_a_watch_of_one_node_goes_through_its_restarts(self):
        node, = self.fixed(1)
        client = self.client(node)
        follower = Follower(client, "")
        for end in (Program.kill, Program.stop):
            etag = client.put("k", "v")["etag"]
            wait_until(lambda: follower.held == {"k": etag}, "it has the change", 10)
            end(node)
            node = self.restarted(node)
            wait_until(lambda: follower.held == {}, "it knows that the new one has nothing", 15)

    def test_a_lost_stream_is_resumed_where_it_was(self):
        end = 'retry: 50\nevent: end\ndata: {"code":"draining","detail":""}'
        answers = [stream(RESET, put_event("a"), f"id: n-6\n{LIVE}", ": it is quiet\nid: n-7"),
                   problem(502, "", "no node"),
                   stream("id: x-1\nevent: put\ndata: [1]"),
                   stream(LIVE, put_event("b", "id: n-8\n"), end),
                   stream(RESET, put_event("c")),
                   stream(RESET, put_event("c"), put_event("d"), f"id: m-1\n{LIVE}"),
                   Answer(b"", 200, STREAM, stays=True)]
        with Scripted({"/v1/watch": answers}) as server:
            follower = Follower(self.client(server.name), "")
            wait_until(lambda: len(server.asked) == 7, "it has come back each time", 20)
            self.assertEqual(follower.held, {"c": "c" * 48, "d": "d" * 48})
            self.assertEqual(follower.kinds, ["reset", "put", "live", "live", "put", "reset", "put", "reset",
                                              "put", "put", "live"])
            self.assertEqual([headers.get("Last-Event-ID", headers.get("last-event-id"))
                              for _, _, _, headers in server.asked], [None, "n-7", "n-7", "n-7", "n-8", None, "m-1"])

    def test_a_watch_that_every_node_would_refuse_is_an_error(self):
        client = self.client(*self.nodes(1))
        self.assertEqual(self.error(repram.Error, client.watch_error, "k" * 1025), (400, "invalid_request"))


class Python(Clients, Case):
    make = PythonClient

    def refusal_of(self, servers, token=None):
        with self.assertRaises(ValueError) as caught:
            repram.Client(servers, token=token)
        return str(caught.exception)

    def test_the_refusal_of_a_value_that_a_node_does_not_read_to_its_end_is_read(self):
        client = self.client(*self.nodes(1))
        self.assertEqual(self.error(repram.Error, client.put, "k", bytes(40 << 20)), (413, "value_too_large"))


@unittest.skipIf(shutil.which("node") is None, "node is not here")
class Javascript(Clients, Case):
    make = JavascriptClient

    def refusal_of(self, servers, token=None):
        token = "undefined" if token is None else json.dumps(token)
        script = (f'import {{ Client }} from "{os.path.join(CLIENTS, "javascript/repram.js")}";'
                  f"new Client({json.dumps(servers)}, {{ token: {token} }});")
        done = subprocess.run(["node", "--input-type=module", "-e", script], capture_output=True, text=True,
                              check=False, timeout=30 * harness.SLOW)
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    def test_abort_ends_a_watch_between_its_connections(self):
        answer = stream(RESET, 'retry: 600000\nevent: end\ndata: {"code":"draining","detail":""}')
        with Scripted({"/v1/watch": answer}) as server:
            self.assertEqual(self.client(server.name).ask("aborted", "", is_list=True), [{"kind": "reset"}])

    def test_a_watch_is_not_cut_off_while_its_reader_is_busy(self):
        with Scripted({"/v1/watch": Answer(stream(RESET).body, 200, STREAM, stays=True)}) as server:
            self.assertEqual(self.client(server.name).ask("timers", ""), 0)


if __name__ == "__main__":
    harness.main()
