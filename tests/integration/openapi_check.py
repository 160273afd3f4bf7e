"""openapi_check: holds running nodes to docs/openapi.yaml.

    openapi_check.py HOST:PORT    checks that node, with a handful of small entries of its own
    openapi_check.py              starts nodes, and also provokes what needs a node made for it

Every documented operation is asked, under both path generations, for each status that can be
provoked. The answer's status, headers, media type and JSON must be as described, and nothing may be
there that is not described. The last line is 'N passed, N failed'; the exit code is 1 when any
failed.
"""

import hashlib
import http.client
import json
import os
import re
import signal
import sys
import tempfile
import time

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
DOCUMENT = os.path.join(HERE, "../../docs/openapi.yaml")
METHODS = ("get", "head", "put", "post", "delete", "options", "patch")
DATE_TIME = re.compile(r"\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")

# Headers that HTTP itself or CORS bring, and that the document describes once for all answers.
EVERYWHERE = {"date", "connection", "keep-alive", "content-length", "transfer-encoding",
              "content-type", "access-control-allow-origin", "access-control-expose-headers"}
EXPOSED = {"etag", "x-created-at", "x-original-ttl", "x-remaining-ttl", "x-replicas", "retry-after"}


# ---- The document ----

class Document:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.root = yaml.safe_load(file)
        self.paths = self.root["paths"]

    def resolve(self, node):
        while "$ref" in node:
            reference = node["$ref"]
            node = self.root
            for part in reference.removeprefix("#/").split("/"):
                node = node[part]
        return node

    def response(self, template, method, status):
        """The described answer, and which (method, template, status) describes it, None for a
        default. HEAD is described by GET, and methods that are not described at all by what GET, or
        the first one that is, says of 405."""
        operations = self.paths[template]
        name = next(name for name in [method.lower(), "get", *operations]
                    if name in operations and name in METHODS)
        responses = operations[name]["responses"]
        found = responses.get(str(status))
        described_as = (name.upper(), template, status) if found is not None else None
        if found is None and status >= 400:
            found = responses.get("default")
        return (self.resolve(found) if found is not None else None), described_as

    def documented(self):
        """(method, template, status) of everything described by its number."""
        return {(method.upper(), template, int(status))
                for template, operations in self.paths.items()
                for method, operation in operations.items() if method in METHODS
                for status in operation["responses"] if status != "default"}

    # -- Schemas: the part of JSON Schema that the document uses, and an error for any other --

    TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int,
             "number": (int, float)}
    KNOWN = {"type", "description", "example", "format", "enum", "pattern", "minLength", "minimum",
             "maximum", "minItems", "maxItems", "items", "properties", "required", "anyOf"}

    def mismatches(self, value, schema, where):
        schema = self.resolve(schema)
        unknown = set(schema) - self.KNOWN
        if unknown:
            raise ValueError(f"the checker does not know {sorted(unknown)} in a schema")
        if "anyOf" in schema:
            tried = [self.mismatches(value, one, where) for one in schema["anyOf"]]
            return [] if [] in tried else [f"{where} is nothing of anyOf: {value!r}", *sum(tried, [])]
        kind = schema.get("type")
        if kind is not None:
            right = isinstance(value, self.TYPES[kind])
            if isinstance(value, bool) and kind != "boolean":
                right = False
            if not right:
                return [f"{where} is no {kind}: {value!r}"]
        found = []
        if "enum" in schema and value not in schema["enum"]:
            found.append(f"{where} is none of {schema['enum']}: {value!r}")
        if isinstance(value, str):
            found += self._text(value, schema, where)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
                found.append(f"{where} is out of range: {value!r}")
        elif isinstance(value, list):
            found += self._array(value, schema, where)
        elif isinstance(value, dict):
            found += self._object(value, schema, where)
        return found

    def _text(self, value, schema, where):
        found = []
        if "pattern" in schema and not re.search(schema["pattern"], value):
            found.append(f"{where} does not match {schema['pattern']}: {value[:200]!r}")
        if len(value) < schema.get("minLength", 0):
            found.append(f"{where} is too short: {value!r}")
        if schema.get("format") == "date-time" and not DATE_TIME.fullmatch(value):
            found.append(f"{where} is no RFC 3339 time: {value!r}")
        return found

    def _array(self, value, schema, where):
        found = []
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            found.append(f"{where} has {len(value)} items")
        for i, item in enumerate(value):
            found += self.mismatches(item, schema.get("items", {}), f"{where}[{i}]")
        return found

    def _object(self, value, schema, where):
        properties = schema.get("properties", {})
        found = [f"{where}.{name} is missing" for name in schema.get("required", [])
                 if name not in value]
        for name, item in value.items():
            if name in properties:
                found += self.mismatches(item, properties[name], f"{where}.{name}")
            else:
                found.append(f"{where}.{name} is not described")
        return found


# ---- Asking ----

class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = [(name.lower(), value) for name, value in headers]
        self.body = body

    def header(self, name):
        values = [value for key, value in self.headers if key == name.lower()]
        return values[0] if values else None


def until_live(reply):
    """The beginning of a stream of events, or all of one that is refused."""
    lines = []
    while not lines or lines[-2:] != [b"data: {}\n", b"\n"]:
        lines.append(reply.readline())
        if not lines[-1] and b"event: end\n" in lines:
            break
        if not lines[-1]:
            raise ValueError("the stream ended before it was live")
    return b"".join(lines)


def ask(node, method, target, headers=None, body=None):
    """One request on a connection of its own. The target goes out as it is. A Content-Length among
    the headers stands for a body that is announced and never sent."""
    connection = http.client.HTTPConnection(*node, timeout=30)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers or []:
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        reply = connection.getresponse()
        is_endless = reply.headers.get_content_type() == "text/event-stream" and method != "HEAD"
        return Answer(reply.status, reply.getheaders(),
                      until_live(reply) if is_endless else reply.read())
    finally:
        connection.close()


def one_each(pairs):
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise ValueError(f"a JSON object names a member twice: {names}")
    return dict(pairs)


# ---- Judging ----

class Checker:
    def __init__(self, document):
        self.document = document
        self.passed = 0
        self.failed = 0
        self.provoked = set()

    def check(self, node, method, template, status, target, headers=None, body=None, code=None):
        """Asks, and compares with what the document and the caller expect. Returns the answer."""
        label = f"{method} {target[:60]} {status}" + (f" {code}" if code else "")
        try:
            answer = ask(node, method, target, headers, body)
            found = self._judge(method, template, status, code, answer)
        except (OSError, http.client.HTTPException, ValueError) as error:
            answer, found = None, [repr(error)]
        self.note(label, found)
        return answer

    def note(self, label, found):
        if found:
            self.failed += 1
            print(f"FAIL {label}")
            for line in found:
                print(f"     {line}")
        else:
            self.passed += 1
            print(f"ok   {label}")

    def _judge(self, method, template, status, code, answer):
        if answer.status != status:
            return [f"answered {answer.status} {answer.body[:200]!r}"]
        response, described_as = self.document.response(template, method, status)
        if response is None:
            return ["this status is not described"]
        self.provoked.add(described_as)
        found = self._headers(response, answer) + self._cors(answer)
        found += self._body(method, response, code, answer)
        return found

    def _headers(self, response, answer):
        found = []
        described = {name.lower(): self.document.resolve(header)
                     for name, header in response.get("headers", {}).items()}
        for name, header in described.items():
            value = answer.header(name)
            if value is not None:
                found += self.document.mismatches(value, header["schema"], name)
            elif header.get("required"):
                found.append(f"the header {name} is missing")
        names = [name for name, _ in answer.headers]
        found += [f"the header {name} is not described" for name in names
                  if name not in described and name not in EVERYWHERE]
        found += [f"the header {name} is there twice" for name in sorted(set(names))
                  if names.count(name) > 1 and name != "connection"]
        return found

    def _cors(self, answer):
        found = []
        if answer.header("access-control-allow-origin") != "*":
            found.append("Access-Control-Allow-Origin is not *")
        exposed = answer.header("access-control-expose-headers")
        if exposed is None:
            found.append("Access-Control-Expose-Headers is missing")
        elif not EXPOSED <= {name.strip().lower() for name in exposed.split(",")}:
            found.append(f"Access-Control-Expose-Headers lacks some: {exposed}")
        return found

    def _events(self, schema, text):
        """The data of each event is as described; the last one may have come in part."""
        found = [] if re.match(r"retry: \d+\n", text) else [f"the stream begins with {text[:40]!r}"]
        for block in text.split("\n\n")[:-1]:
            fields = [line.split(": ", 1) for line in block.splitlines() if ": " in line]
            for name, value in fields:
                if name == "data":
                    found += self.document.mismatches(json.loads(value), schema, "event")
        return found

    def _body(self, method, response, code, answer):
        content = response.get("content", {})
        media = (answer.header("content-type") or "").split(";")[0].strip()
        if not content:
            return [f"a body that is not described: {answer.body[:200]!r}"] if answer.body else []
        if media not in content:
            return [f"the media type is not described: {media!r}"]
        if method == "HEAD":
            return [f"HEAD has a body: {answer.body[:200]!r}"] if answer.body else []
        schema = content[media]["schema"]
        if media == "text/event-stream":
            return self._events(schema, answer.body.decode())
        if media.endswith("json"):
            value = json.loads(answer.body, object_pairs_hook=one_each)
            found = self.document.mismatches(value, schema, "body")
            if media == "application/problem+json":
                if value.get("status") != answer.status:
                    found.append(f"the problem's status is {value.get('status')}")
                if code is not None and value.get("code") != code:
                    found.append(f"the problem's code is {value.get('code')}")
            return found
        if self.document.resolve(schema).get("format") == "binary":
            return []
        return self.document.mismatches(answer.body.decode(), schema, "body")


# ---- What any node can be asked ----

PAGES = ["/keys", "/scan", "/health", "/livez", "/readyz", "/peers", "/topology", "/status",
         "/metrics"]


def check_values(c, node, base, key):
    def at(method, status, target=f"/data/{key}", headers=None, body=None, code=None):
        return c.check(node, method, "/data/{key}", status, base + target, headers, body, code)

    at("GET", 404, code="not_found")
    at("HEAD", 404)
    written = at("PUT", 201, f"/data/{key}?ttl=10m", body=b"a value")
    etag = written.header("etag") if written else None
    read = at("GET", 200)
    same = (read and read.body == b"a value" and read.header("etag") == etag
            and read.header("x-original-ttl") == written.header("x-original-ttl"))
    c.note(f"{base}/data: what was written is read", [] if same else ["it is not"])
    at("HEAD", 200)
    if etag is None:
        return
    other = '"' + "0" * 48 + '"'
    at("GET", 304, headers=[("If-None-Match", f"{other}, W/{etag}")])
    at("GET", 412, headers=[("If-Match", other)], code="precondition_failed")
    at("GET", 400, headers=[("If-Match", "unquoted")], code="invalid_request")
    at("PUT", 412, headers=[("If-None-Match", "*")], body=b"", code="precondition_failed")
    at("PUT", 412, headers=[("If-Match", f"W/{etag}")], body=b"", code="precondition_failed")
    at("PUT", 400, headers=[("If-Match", '"a" "b"')], body=b"", code="invalid_request")
    at("PUT", 201, headers=[("If-Match", etag), ("X-TTL", "6m40s")], body=b"")


def check_value_refusals(c, node, base, key):
    def at(method, status, target=f"/data/{key}", headers=None, body=None, code=None):
        return c.check(node, method, "/data/{key}", status, base + target, headers, body, code)

    for wrong in ("", "-1", "600.5", "5x", "30m1h", "%20", "1&ttl=1"):
        at("PUT", 400, f"/data/{key}?ttl={wrong}", body=b"x", code="invalid_ttl")
    at("PUT", 400, headers=[("X-TTL", "soon")], body=b"x", code="invalid_ttl")
    at("PUT", 400, headers=[("X-TTL", "600"), ("X-TTL", "600")], body=b"x", code="invalid_ttl")
    for method, body in (("GET", None), ("PUT", b"x")):
        at(method, 400, "/data/", body=body, code="invalid_key")
        at(method, 400, "/data/a%0", body=body, code="invalid_key")
        at(method, 400, "/data/a%00b", body=body, code="invalid_key")
        at(method, 414, "/data/" + "k" * 1025, body=body, code="key_too_long")
    at("PUT", 413, headers=[("Content-Length", str(1 << 30))], code="value_too_large")
    at("DELETE", 405, code="method_not_allowed")
    at("POST", 405, body=b"x", code="method_not_allowed")
    at("PATCH", 405, body=b"x", code="method_not_allowed")
    at("OPTIONS", 204)


def check_pages(c, node, base):
    for page in PAGES:
        c.check(node, "GET", page, 200, base + page)
        c.check(node, "HEAD", page, 200, base + page)
        c.check(node, "PUT", page, 405, base + page, body=b"x", code="method_not_allowed")
    c.check(node, "GET", "/metrics", 200, base + "/metrics",
            [("Accept", "application/openmetrics-text;q=0.5, text/plain;q=0.3")])
    c.check(node, "GET", "/gossip", 426, base + "/gossip", code="unsupported")
    c.check(node, "POST", "/gossip", 405, base + "/gossip", body=b"", code="method_not_allowed")


def check_listing(c, node, base, key):
    names = [f"{key}/{i}" for i in range(3)] + [f"{key}/%ff"]
    for name in names:
        c.check(node, "PUT", "/data/{key}", 201, f"{base}/data/{name}", body=b"x")
    found, binary, cursor = [], [], ""
    for _ in range(len(names) + 1):
        page = c.check(node, "GET", "/keys", 200, f"{base}/keys?prefix={key}/&limit=1{cursor}")
        value = json.loads(page.body) if page else {}
        found += value.get("keys", [])
        binary += value.get("keys_base64", [])
        if "next_cursor" not in value:
            break
        cursor = "&cursor=" + value["next_cursor"]
    complete = found == names[:3] and len(binary) == 1
    c.note(f"{base}/keys: pages give every key once, in order", [] if complete else [found, binary])
    for query in ("limit=0", "limit=10001", "limit=x", "cursor=!", "cursor=Zg==", "prefix=%",
                  "limit=1&limit=1"):
        c.check(node, "GET", "/keys", 400, f"{base}/keys?{query}", code="invalid_request")


def check_files(c, node, base):
    def at(method, status, target, headers=None, code=None, body=None):
        return c.check(node, method, "/fade/{page}", status, base + target, headers, body, code)

    page = at("GET", 200, "/fade/favicon.svg")
    at("HEAD", 200, "/fade/favicon.svg")
    at("GET", 200, "/fade/favicon.svg", [("Accept-Encoding", "gzip")])
    at("GET", 304, "/fade/favicon.svg", [("If-None-Match", page.header("etag") if page else "*")])
    at("GET", 404, "/fade/no-such-page", code="not_found")
    at("GET", 404, "/fade/../status", code="not_found")
    at("POST", 405, "/fade/favicon.svg", code="method_not_allowed", body=b"x")
    if ask(node, "GET", base + "/fade/").status == 200:
        at("GET", 200, "/fade/")
        c.check(node, "GET", "/", 302, "/", [("Accept", "text/html")])


def check_batch(c, node, base, key):
    def at(method, status, body=None, headers=None, code=None):
        return c.check(node, method, "/mget", status, base + "/mget", headers, body, code)

    c.check(node, "PUT", "/data/{key}", 201, f"{base}/data/{key}", body=b"a value")
    c.check(node, "PUT", "/data/{key}", 201, f"{base}/data/{key}/large", body=bytes(20000))
    asked = {"keys": [key, key + "/none", key + "/large", key], "keys_base64": ["/w=="]}
    read = at("POST", 200, json.dumps(asked).encode())
    entries = json.loads(read.body)["entries"] if read else []
    told = [entry.get("key", entry.get("key_base64")) for entry in entries]
    right = (told == asked["keys"] + asked["keys_base64"]
             and [entry["found"] for entry in entries] == [True, False, True, True, False]
             and entries[0]["value"] == "YSB2YWx1ZQ==" and entries[2]["value_omitted"])
    c.note(f"{base}/mget: the entries are what was asked for, in order", [] if right else entries)
    at("POST", 200, b'{"keys":[]}')
    for body in (b"", b"[]", b'{"keys":["a"]', b'{"keys":"a"}', b'{"keys":[1]}', b'{"other":[]}'):
        at("POST", 400, body, code="invalid_request")
    for body in (b'{"keys":[""]}', b'{"keys_base64":["!"]}',
                 json.dumps({"keys": ["k" * 1025]}).encode()):
        at("POST", 400, body, code="invalid_key")
    at("POST", 413, headers=[("Content-Length", str(1 << 20))], code="value_too_large")
    at("GET", 405, code="method_not_allowed")
    at("PUT", 405, b"x", code="method_not_allowed")


def check_watch(c, node, base, key):
    def at(method, status, target, headers=None, code=None, body=None):
        return c.check(node, method, "/watch", status, base + target, headers, body, code)

    c.check(node, "PUT", "/data/{key}", 201, f"{base}/data/{key}/a", body=b"a value")
    c.check(node, "PUT", "/data/{key}", 201, f"{base}/data/{key}/%ff", body=bytes(20000))
    watched = at("GET", 200, f"/watch?prefix={key}/&values=1")
    schema = {"$ref": "#/components/schemas/ChangeEvent"}
    events = [json.loads(block.split("data: ", 1)[1])
              for block in (watched.body.decode() if watched else "").split("\n\n")
              if "event: put" in block]
    found = [line for event in events for line in c.document.mismatches(event, schema, "event")]
    c.note(f"{base}/watch: its events are as described",
           found or ([] if len(events) == 2 else [f"{len(events)} events"]))
    at("HEAD", 200, "/watch")
    at("GET", 200, "/watch?snapshot=0", [("Last-Event-ID", "some-other-id")])
    for query in ("prefix=%", "values=2", "snapshot=", "prefix=a&prefix=b", "last_id=1&last_id=1"):
        at("GET", 400, f"/watch?{query}", code="invalid_request")
    at("POST", 405, "/watch", code="method_not_allowed", body=b"x")


def check_node(c, node):
    stamp = f"openapi-check-{os.getpid()}-{time.time_ns()}"
    for number, base in enumerate(["", "/v1"]):
        key = f"{stamp}-{number}"
        check_values(c, node, base, key)
        check_value_refusals(c, node, base, key)
        check_listing(c, node, base, key)
        check_pages(c, node, base)
        check_files(c, node, base)
        check_watch(c, node, base, f"{key}-watched")
        check_batch(c, node, base, f"{key}-batch")
    c.check(node, "GET", "/", 200, "/")
    c.check(node, "HEAD", "/", 200, "/")
    c.check(node, "POST", "/", 405, "/", body=b"", code="method_not_allowed")
    c.check(node, "GET", "/", 404, "/no/such/path", code="not_found")
    c.check(node, "OPTIONS", "/data/{key}", 204, "/no/such/path")
    c.check(node, "OPTIONS", "/data/{key}", 400, "/data/key", [("Content-Length", "x")],
            code="invalid_request")


# ---- What needs nodes made for it ----

def check_pending(c, harness):
    """The others stand still, so that the quorum is late."""
    launcher, nodes = harness.cluster(3, env={"REPRAM_WRITE_TIMEOUT": 1})
    check_node(c, ("127.0.0.1", nodes[0].port))
    pids = launcher.node_pids()
    stopped = [pids[node.port] for node in nodes[1:]]
    try:
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        c.check(("127.0.0.1", nodes[0].port), "PUT", "/data/{key}", 202, "/data/late", body=b"x")
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    launcher.close()


def check_full(c, harness):
    started = harness.Node(harness.free_base(), env={"REPRAM_MAX_STORAGE_MB": 1})
    harness.wait_until(started.is_ready, "the node is ready")
    node = ("127.0.0.1", started.port)
    for size in (64 * 1024, 1024):  # large ones leave a gap
        for i in range(128):
            if ask(node, "PUT", f"/data/fill-{size}-{i}", body=bytes(size)).status == 507:
                break
    c.check(node, "PUT", "/data/{key}", 507, "/data/more", body=bytes(64 * 1024),
            code="storage_full")
    harness.wait_until(lambda: "storage_full" in started.status()["reasons"], "it says that it is full")
    c.check(node, "GET", "/readyz", 200, "/readyz")
    c.check(node, "GET", "/readyz", 503, "/readyz?for=writes")
    c.check(node, "GET", "/readyz", 503, "/v1/readyz?for=writes")
    c.check(node, "GET", "/readyz", 400, "/readyz?for=reads")
    c.check(node, "GET", "/status", 200, "/status")
    started.close()


def check_watchers(c, harness):
    started = harness.Node(harness.free_base(), env={"REPRAM_MAX_WATCHERS": 0})
    harness.wait_until(started.is_ready, "the node is ready")
    refused = c.check(("127.0.0.1", started.port), "GET", "/watch", 200, "/watch")
    _, _, data = refused.body.decode().partition("\nevent: end\ndata: ") if refused else ("",) * 3
    end = json.loads(data or "null")
    c.note("/watch: its last event is as described",
           c.document.mismatches(end, {"$ref": "#/components/schemas/EndEvent"}, "event"))
    started.close()


def check_limited(c, harness):
    started = harness.Node(harness.free_base(), env={"REPRAM_RATE_LIMIT": 1})
    node = ("127.0.0.1", started.port)
    for _ in range(10):
        if ask(node, "GET", "/status").status == 429:
            break
    c.check(node, "GET", "/status", 429, "/status", code="rate_limited")
    c.check(node, "GET", "/health", 200, "/health")
    started.close()


def check_access(c, harness):
    """Rules by which everybody may only look at the status, and a token nothing at all."""
    with tempfile.NamedTemporaryFile("w", suffix=".acl") as file:
        file.write(f"user nobody sha256:{hashlib.sha256(b'nobody').hexdigest()}\n"
                   f"user some sha256:{hashlib.sha256(b'some').hexdigest()}\nallow read,write mine/\n")
        file.flush()
        started = harness.Node(harness.free_base(), env={"REPRAM_ACL_FILE": file.name,
                                                         "REPRAM_BIND": "127.0.0.1"})
        harness.wait_until(started.is_ready, "the node is ready")
        node = ("127.0.0.1", started.port)
        for method, template, target in (
                ("GET", "/data/{key}", "/data/a"), ("PUT", "/data/{key}", "/data/a"),
                ("POST", "/mget", "/mget"), ("GET", "/keys", "/keys"), ("GET", "/scan", "/scan"),
                ("GET", "/watch", "/watch"), ("GET", "/peers", "/peers"), ("GET", "/status", "/status"),
                ("GET", "/topology", "/topology"), ("GET", "/metrics", "/metrics")):
            body = b'{"keys":["mine/a","other"]}' if method == "POST" else b"x" if method == "PUT" else None
            c.check(node, method, template, 401, target, body=body, code="unauthorized")
            c.check(node, method, template, 403, target, [("Authorization", "Bearer nobody")], body,
                    "forbidden")
            if method == "POST":
                c.check(node, method, template, 200, target, [("Authorization", "Bearer some")], body)
        started.close()


def check_started_nodes(c):
    import harness  # only here: a node that runs elsewhere is checked without it
    for check in (check_pending, check_full, check_watchers, check_limited, check_access):
        check(c, harness)


def main():
    if len(sys.argv) > 2:
        sys.exit("usage: openapi_check.py [HOST:PORT]")
    c = Checker(Document(DOCUMENT))
    if len(sys.argv) == 2:
        host, _, port = sys.argv[1].rpartition(":")
        check_node(c, (host.strip("[]"), int(port)))
    else:
        check_started_nodes(c)
    for method, template, status in sorted(c.document.documented() - c.provoked):
        print(f"not provoked: {method} {template} {status}")
    print(f"{c.passed} passed, {c.failed} failed")
    sys.exit(1 if c.failed else 0)


if __name__ == "__main__":
    main()
