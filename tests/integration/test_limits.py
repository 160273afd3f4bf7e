"""The interface's limits on a real node, each at one less, at the limit and at one more; and answers
that are as long as they say."""

import json
import os

import yaml

import harness
from harness import Case, Node, cli, free_base, wait_until
from http_raw import Raw

KIB = 1024
VALUE_MAX, TTL_MIN, TTL_MAX = 5000, 10, 1000
ENV = {"REPRAM_MAX_VALUE_SIZE": VALUE_MAX, "REPRAM_MIN_TTL": TTL_MIN, "REPRAM_MAX_TTL": TTL_MAX,
       "REPRAM_DEFAULT_TTL": TTL_MIN, "REPRAM_MAX_WATCHERS": 3}


def head(line, *headers, body=b""):
    """A request after which the connection ends."""
    lines = [line + " HTTP/1.1", "Host: a", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def posted(path, body):
    return head(f"POST {path}", f"Content-Length: {len(body)}", body=body)


def mget(count):
    return posted("/mget", json.dumps({"keys": ["k"] * count}).encode())


def mget_bytes(size):
    start, end = b'{"keys":["k"', b"]}"
    return posted("/mget", start + b" " * (size - len(start) - len(end)) + end)


def line_bytes(size):
    line = "GET /livez?"
    return head(line + "a" * (size - len(line + " HTTP/1.1")))


def header_lines(count):
    return head("GET /livez", *["A: b"] * (count - 2))


def header_bytes(size):
    """Of all header lines, each with its end."""
    others = len("Host: a\r\nConnection: close\r\nA: \r\n")
    return head("GET /livez", "A: " + "b" * (size - others))


# Name, limit, the request of that size, its answer up to the limit and past it.
LIMITS = [
    ("bytes of a key", 1024, lambda n: head("GET /data/" + "k" * n), 404, 414),
    ("bytes of an encoded key", 1024, lambda n: head("GET /data/" + "%6b" * n), 404, 414),
    ("bytes of a value", VALUE_MAX,
     lambda n: head("PUT /data/k", f"Content-Length: {n}", body=b"v" * n), 201, 413),
    ("bytes of a chunked value", VALUE_MAX,
     lambda n: head("PUT /data/k", "Transfer-Encoding: chunked",
                    body=b"%x\r\n%s\r\n0\r\n\r\n" % (n, b"v" * n)), 201, 413),
    ("bytes of a body that nobody wants", 64 * KIB,
     lambda n: head("GET /livez", f"Content-Length: {n}", body=b"b" * n), 200, 413),
    ("bytes of the request line", 8 * KIB, line_bytes, 200, 414),
    ("header lines", 100, header_lines, 200, 431),
    ("bytes of header lines", 16 * KIB, header_bytes, 200, 431),
    ("characters of a ttl", 128, lambda n: head("PUT /data/k?ttl=" + "0" * (n - 2) + "60"), 201, 400),
    ("keys of a page", 10000, lambda n: head(f"GET /keys?limit={n}"), 200, 400),
    ("characters of a page's limit", 16, lambda n: head("GET /keys?limit=" + "7".zfill(n)), 200, 400),
    ("bytes of a prefix", 1024, lambda n: head("GET /keys?prefix=" + "p" * n), 200, 400),
    ("keys of a batch", 1000, mget, 200, 400),
    ("bytes of a batch", 256 * KIB, mget_bytes, 200, 413),
]


def routes():
    """Those that the interface's description has, and that are read without more and end."""
    with open(os.path.join(harness.SOURCE_DIR, "docs/openapi.yaml"), encoding="utf-8") as file:
        paths = yaml.safe_load(file)["paths"]
    found = [path for path, methods in paths.items() if "get" in methods and "{" not in path]
    return [path for path in found if not path.endswith(("/watch", "/gossip"))]


class Limits(Case):
    def setUp(self):
        self.node = Node(free_base(), env=ENV)
        wait_until(self.node.is_ready, "it is ready", 5)

    def ask(self, data, is_head=False):
        """The answer, after which there is nothing more."""
        raw = Raw((self.node.address, self.node.port), 20)
        try:
            raw.pour(data)
            answer = raw.response(is_head)
            raw.expect_end()
            return answer
        finally:
            raw.sock.close()

    def test_each_limit_at_one_less_at_it_and_at_one_more(self):
        wrong = []
        for name, limit, request_of, within, past in LIMITS:
            for n in (limit - 1, limit, limit + 1):
                status = self.ask(request_of(n))[0]
                if status != (within if n <= limit else past):
                    wrong.append(f"{n} {name}: {status}")
        self.assertEqual(wrong, [])

    def test_the_commands_take_keys_and_servers_up_to_their_most(self):
        here = f"{self.node.address}:{self.node.port}"
        for length in (1023, 1024, 1025, 9000):
            for words in (("put", "k" * length, "v"), ("get", "k" * length), ("head", "k" * length)):
                done = cli(*words, "--server", here)
                self.assertEqual(done.returncode == 0, length <= 1024, (length, done.stderr))
                if length > 1024 and words[0] != "head":  # to which a node says no reason
                    self.assertIn(b"1024 bytes", done.stderr)
        for count in (999, 1000, 1001):
            done = cli("get", "k" * 1024, "--server", ",".join([here] * count))
            self.assertEqual(done.returncode, 0 if count <= 1000 else 2, (count, done))

    def test_times_to_live_become_the_nearest_that_is_allowed(self):
        for asked in (0, 1, TTL_MIN - 1, TTL_MIN, TTL_MIN + 1, TTL_MAX - 1, TTL_MAX, TTL_MAX + 1):
            kept = min(max(asked, TTL_MIN), TTL_MAX)
            for answer in (self.node.put("k", "v", ttl=asked),
                           self.node.request("PUT", "/data/k", "v", {"X-TTL": str(asked)})):
                self.assertEqual((answer.status, answer.headers.get("x-original-ttl")),
                                 (201, str(kept)), asked)

    def test_there_are_as_many_watchers_as_allowed(self):
        raws = [Raw((self.node.address, self.node.port), 20) for _ in range(4)]
        for i, raw in enumerate(raws):
            raw.send(b"GET /watch HTTP/1.1\r\nHost: a\r\n\r\n")
            while b"\n\n" not in raw.input:
                raw.more(harness.time.monotonic() + 20)
            self.assertEqual(raw.input.split()[1], b"200")
            self.assertEqual(b"event: end" in raw.input, i == 3)
        self.assertEqual(self.node.metrics()["repram_watchers_refused_total"], 1)
        for raw in raws:
            raw.sock.close()

    def test_answers_are_as_long_as_they_say_and_those_to_head_have_none(self):
        for i in range(300):
            self.assertEqual(self.node.put(f"key-{i}", b"v" * i, ttl=TTL_MAX).status, 201)
        etag = self.node.get("key-7").headers["etag"]
        self.assertIn("/status", routes())
        for path in routes() + ["/", "/data/key-0", "/data/key-299", "/data/absent", "/data/", "/keys?limit=7",
                                "/keys?prefix=key-29", "/scan?prefix=none", "/fade/absent", "/absent"]:
            status, headers, body = self.ask(head(f"GET {path}"))
            if "content-length" in headers:
                self.assertEqual(headers["content-length"], str(len(body)), path)
            else:
                self.assertEqual(headers["transfer-encoding"], "chunked", path)
            told, told_headers, nothing = self.ask(head(f"HEAD {path}"), is_head=True)
            self.assertEqual((told, nothing), (status, b""), path)
            if path.startswith("/data/"):
                self.assertEqual(told_headers["content-length"], str(len(body)), path)
        for line, header, expected in (("GET", f"If-None-Match: {etag}", 304),
                                       ("HEAD", f"If-None-Match: {etag}", 304),
                                       ("GET", 'If-Match: "0"', 412)):
            status, headers, body = self.ask(head(f"{line} /data/key-7", header), line == "HEAD")
            self.assertEqual(status, expected)
            self.assertEqual(body == b"", expected == 304)
            self.assertEqual(headers.get("content-length", "0") == "0", expected == 304, headers)

    def test_a_listing_and_a_batch_have_all_and_end_where_they_end(self):
        keys = sorted(f"key-{i}" for i in range(300))
        for key in keys:
            self.assertEqual(self.node.put(key, key, ttl=TTL_MAX).status, 201)
        status, _, body = self.ask(head("GET /keys"))
        self.assertEqual((status, json.loads(body)["keys"]), (200, keys))
        for limit in (299, 300, 301):
            page = json.loads(self.ask(head(f"GET /keys?limit={limit}"))[2])
            self.assertEqual(page["keys"], keys[:limit])
            self.assertEqual("next_cursor" in page, limit < 300)
        status, _, body = self.ask(posted("/mget", json.dumps({"keys": keys}).encode()))
        self.assertEqual((status, [entry["key"] for entry in json.loads(body)["entries"]]), (200, keys))


if __name__ == "__main__":
    harness.main()
