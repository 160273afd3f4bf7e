"""A client for REPRAM nodes in one file: Python 3.9 or later, and nothing but its library.

    from repram import Client

    repram = Client("10.0.0.1:8081,10.0.0.2:8081")
    repram.put("rooms/12/topic", "hello", ttl=600)
    print(repram.get("rooms/12/topic").value)
    for change in repram.watch("rooms/"):
        print(change.kind, change.key)

Any node answers for all, so each request goes to one server, and to the next where that one fails. A
request is given up after `timeout` seconds in all, and then raises `Unavailable`. What a node refuses
raises `Error` with its `status` and `code`. Keys are text or bytes; those that come back are text where
they are UTF-8. A client holds no connection between requests, and threads may share it.
"""

import base64
import http.client
import json
import random
import time
from typing import NamedTuple, Optional, Union
from urllib.parse import quote_from_bytes, urlencode, urlsplit

SILENT_S = 3.0  # for a connection, and for a read's answer, before the next server is tried
PAUSE_S = (0.1, 2.0)  # between rounds in which no server said how long to wait: first, and at most
SILENCE_S = 15.0  # of a watch, whose node sends a comment each 5 s, before it is lost
FIRST_SHARE = 2 / 3  # of the time, for a write that may go to one more server
MGET_KEYS, MGET_BYTES = 1000, 240 << 10  # of one request, as nodes allow them
PASSING = (429, 503)  # the node has done nothing, and may soon

Key = Union[str, bytes]


class Error(Exception):
    """What a node answered: its `status`, its `code` for programs, and `detail` for people."""

    def __init__(self, status, code, detail):
        super().__init__(f"{status} {code}: {detail}" if status else detail)
        self.status, self.code, self.detail = status, code, detail


class PreconditionFailed(Error):
    """412: the key is not as `if_match` or `if_none_match` wanted it."""


class Unavailable(Error):
    """No server did it within the timeout; `status` and `code` are the last answer's, 0 and "" if none
    came. A write may have been done all the same, unless the status is 429 or 503."""


class Put(NamedTuple):
    etag: str
    ttl: int  # seconds, as stored: the node's bounds hold
    has_quorum: bool  # False: 202, it is held by fewer nodes so far
    replicas: str  # "2/3", those known to hold it of those that count


class Entry(NamedTuple):
    value: Optional[bytes]  # None of head()
    etag: str
    ttl: float  # seconds that were left
    created_at: str
    size: int


class Change(NamedTuple):
    """`reset`: forget what you hold; every live entry follows as `put`, then comes `live`. `put` and
    `expire` have the other fields."""

    kind: str
    key: Optional[Key] = None
    etag: str = ""
    ttl: float = 0.0
    size: int = 0
    value: Optional[bytes] = None  # of a put, with values=True, up to 16 KiB


def _bytes(key):
    return key.encode() if isinstance(key, str) else bytes(key)


def _key(members):
    """The key of a JSON object, which has it in base64 where it is not UTF-8."""
    return members["key"] if "key" in members else base64.b64decode(members["key_base64"])


def _path(key):
    return "/v1/data/" + quote_from_bytes(_bytes(key), safe="")


def _batches(keys):
    """As many keys together as one request may ask for."""
    batch, size = [], 0
    for key in keys:
        cost = len(_bytes(key)) * 4 // 3 + 8
        if len(batch) == MGET_KEYS or size + cost > MGET_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(key)
        size += cost
    if batch:
        yield batch


def _server_of(name):
    if "://" in name:
        return urlsplit(name)
    server = urlsplit("http://" + name)
    return server if server.port else server._replace(netloc=f"{server.netloc}:8081")


class Client:
    def __init__(self, servers="localhost:8081", timeout=10.0):
        """`servers`: a list or a comma list of host, host:port, [ipv6]:port, or http or https URLs."""
        names = servers.split(",") if isinstance(servers, str) else servers
        self._servers = [_server_of(name.strip()) for name in names]
        self._timeout = timeout
        self._at = 0  # of the server that is asked first: the last that answered

    def put(self, key: Key, value: Union[str, bytes], ttl=None, if_match=None, if_none_match=None) -> Put:
        """Writes; `ttl` is seconds or text as "1h30m". Without a condition a write whose answer was lost
        goes to one more server, once; else its outcome is unknown, and `Unavailable` is raised."""
        headers = {name: tag if tag == "*" else f'"{tag}"'
                   for name, tag in (("If-Match", if_match), ("If-None-Match", if_none_match)) if tag}
        query = "" if ttl is None else "?" + urlencode({"ttl": ttl})
        status, head, _ = self._ask("PUT", _path(key) + query, _bytes(value), headers)
        return Put(head["ETag"].strip('"'), int(head["X-Original-TTL"]), status == 201, head["X-Replicas"])

    def get(self, key: Key) -> Optional[Entry]:
        """The entry, or None."""
        return self._entry("GET", key)

    def head(self, key: Key) -> Optional[Entry]:
        """The entry without its value, or None."""
        return self._entry("HEAD", key)

    def mget(self, keys) -> dict:
        """The entries of many keys, by key; those that are not there are not in it."""
        found = {}
        for batch in _batches(keys):
            found.update(self._mget(batch))
        return found

    def keys(self, prefix: Key = "", page=1000):
        """Yields the keys in the order of their bytes, and asks for a page when one is used up."""
        query = {"prefix": _bytes(prefix), "limit": page}
        while True:
            members = json.loads(self._ask("GET", "/v1/keys?" + urlencode(query))[2])
            yield from sorted(members["keys"] + [base64.b64decode(key) for key in members.get("keys_base64", ())],
                              key=_bytes)
            if "next_cursor" not in members:
                return
            query["cursor"] = members["next_cursor"]

    def watch(self, prefix: Key = "", values=False):
        """Yields each `Change`, without an end: after a lost connection, a restart, or on another server
        what was missed follows, or `reset` and everything. Break out of it to end it. Only what every
        node would refuse raises `Error`."""
        path = "/v1/watch?" + urlencode({"prefix": _bytes(prefix), "values": int(values)})
        place = _Place()
        at, pause = self._at, PAUSE_S[0]
        while True:
            place.retry, is_told = None, False
            try:
                for change in _stream(self._servers[at % len(self._servers)], path, place):
                    is_told, pause = True, PAUSE_S[0]
                    yield change
            except (OSError, http.client.HTTPException, ValueError):
                pass
            # Only the node that was lost can resume where it was; so it is asked first, and once.
            is_ended = place.retry is not None
            at += is_ended or not is_told
            wait = place.retry if is_ended and len(self._servers) == 1 else pause
            pause = min(2 * pause, PAUSE_S[1])
            time.sleep(wait * random.uniform(0.8, 1.2))

    def _entry(self, method, key):
        try:
            _, head, value = self._ask(method, _path(key))
        except Error as error:
            if error.status == 404:
                return None
            raise
        return Entry(value if method == "GET" else None, head["ETag"].strip('"'),
                     float(head["X-Remaining-TTL"]), head["X-Created-At"], int(head["Content-Length"]))

    def _mget(self, batch):
        body = {"keys_base64": [base64.b64encode(_bytes(key)).decode() for key in batch]}
        members = json.loads(self._ask("POST", "/v1/mget", json.dumps(body).encode())[2])
        for key, entry in zip(batch, members["entries"]):
            if "value" in entry:
                yield key, Entry(base64.b64decode(entry["value"]), entry["etag"], entry["ttl_ms"] / 1000,
                                 entry["created_at"], entry["size"])
            elif entry["found"]:  # too large for an answer about many
                alone = self.get(key)
                if alone is not None:
                    yield key, alone

    def _ask(self, method, path, body=None, headers=None):
        """Status, headers and body of the first server that does it."""
        deadline = time.monotonic() + self._timeout
        pause, lost = PAUSE_S[0], None
        while True:
            waits = []
            for _ in self._servers:
                left = deadline - time.monotonic()
                # A write goes to one more server where its answer is lost.
                is_last = method != "PUT" or headers or lost or len(self._servers) == 1
                try:
                    answer = self._ask_one(method, path, body, headers or {},
                                           max(left if is_last else left * FIRST_SHARE, 0.001))
                    if answer[0] < 400:
                        return answer
                    failure = _refusal(method, *answer)
                    after = answer[1].get("Retry-After", "")  # of a proxy it may be a date
                    waits.append(float(after) if after.isdecimal() else pause)
                except (OSError, http.client.HTTPException) as why:
                    failure = Unavailable(0, "", f"{self._server().netloc}: {why or type(why).__name__}")
                    if method == "PUT" and not isinstance(why, _NotAsked):
                        if is_last:
                            self._at += 1
                            raise failure from why
                        lost = failure
                self._at += 1
            wait = min(waits, default=pause)
            if time.monotonic() + wait > deadline:
                raise lost or failure
            time.sleep(wait)
            pause = min(2 * pause, PAUSE_S[1])

    def _server(self):
        return self._servers[self._at % len(self._servers)]

    def _ask_one(self, method, path, body, headers, timeout):
        server = self._server()
        # A write may take long, and a read is as well asked of another.
        patience = timeout if method == "PUT" or len(self._servers) == 1 else min(timeout, SILENT_S)
        connection = _connect(server, min(timeout, SILENT_S))
        try:
            sock = connection.sock
            sock.settimeout(patience)
            connection.request(method, server.path.rstrip("/") + path, body, headers)
            response = connection.getresponse()
            sock.settimeout(timeout)
            return response.status, response.headers, response.read()
        finally:
            connection.close()


class _NotAsked(OSError):
    """There was no connection, so nothing was asked for."""


class _Place:
    """How far a watch has come."""

    id = ""  # of the last change; "" before the first and after `reset`
    retry = None  # seconds to wait, once `end` has come


def _connect(server, timeout):
    kind = http.client.HTTPSConnection if server.scheme == "https" else http.client.HTTPConnection
    connection = kind(server.hostname, server.port, timeout=timeout)
    try:
        connection.connect()
    except OSError as why:
        raise _NotAsked(str(why)) from why
    return connection


def _refusal(method, status, _, body):
    """The error of an answer after which another server is asked; raises one that is final."""
    try:
        problem = json.loads(body)
        words = status, problem["code"], problem["detail"]
    except (ValueError, KeyError, TypeError):  # of a proxy, or of HEAD
        words = status, "", http.client.responses.get(status, "")
    if status == 412:
        raise PreconditionFailed(*words)
    if status in PASSING or (status >= 500 and method != "PUT"):
        return Unavailable(*words)
    raise Error(*words)


def _stream(server, path, place):
    """The changes of one connection, up to `end`; an OSError or an HTTPException when it is lost."""
    connection = _connect(server, SILENT_S)
    try:
        connection.sock.settimeout(SILENCE_S)
        connection.request("GET", server.path.rstrip("/") + path,
                           headers={"Last-Event-ID": place.id} if place.id else {})
        response = connection.getresponse()
        if response.status != 200:
            _refusal("GET", response.status, None, response.read())
            raise OSError(f"{server.netloc}: {response.status}")
        retry, fields = 1.0, {}
        for line in response:
            name, _, text = line.decode().rstrip("\r\n").partition(":")
            if name == "retry":
                retry = int(text) / 1000
            elif line.strip():
                fields[name] = text[1:] if text.startswith(" ") else text  # a comment's name is empty
            else:
                place.id = fields.get("id", place.id)
                if fields.get("event") == "end":
                    place.retry = retry
                    return
                if "event" in fields:
                    yield _change(fields["event"], json.loads(fields["data"]))
                fields = {}
    finally:
        connection.close()


def _change(kind, members):
    if kind not in ("put", "expire"):
        return Change(kind)
    value = base64.b64decode(members["value"]) if "value" in members else None
    return Change(kind, _key(members), members["etag"], members["ttl_ms"] / 1000, members["size"], value)
