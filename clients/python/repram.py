"""A client for REPRAM nodes in one file: Python 3.9 or later, and nothing but its library.

    from repram import Client

    repram = Client("10.0.0.1:8081,10.0.0.2:8081")
    repram.put("rooms/12/topic", "hello", ttl=600)
    print(repram.get("rooms/12/topic").value)
    for change in repram.watch("rooms/"):
        print(change.kind, change.key)

Any node answers for all, so each request goes to one server, and to the next where that one fails or
is no node. A request is given up after `timeout` seconds in all, and then raises `Unavailable`. What a
node refuses raises `Error` with its `status` and `code`. Keys are text or bytes; those that come back
are text where they are UTF-8. All times are seconds. A client holds no connection between requests, and
threads may share it.
"""

import base64
import contextlib
import http.client
import io
import ipaddress
import json
import math
import random
import ssl
import time
from typing import NamedTuple, Optional, Union
from urllib.parse import SplitResult, quote_from_bytes, urlencode, urlsplit

SILENT_S = 3.0  # for a connection, and for a read's answer, before the next server is tried
SHARE = 2 / 3  # of the time that is left, where one more server may be asked: nodes wait for a quorum for 5 s
PAUSE_S = (0.1, 2.0)  # between rounds, at least, and where no server says how long, at most
SILENCE_S = 15.0  # of a watch, whose node sends a comment each 5 s, before it is lost
MGET_KEYS, MGET_BYTES = 1000, 240 << 10  # of one request, as nodes allow them
PASSING = (429, 503)  # nothing was done, and soon it may be
KNOWN = (*PASSING, 507)  # of a write: nothing was done

LOST = (OSError, http.client.HTTPException)
STRANGE = (ValueError, LookupError, TypeError, AttributeError)  # what comes of reading an answer that is no node's

Key = Union[str, bytes]


class Error(Exception):
    """What a node answered: its `status`, its `code` for programs, and `detail` for people.
    `may_be_done`: another try of this write has had no node's answer, and may have been done."""

    def __init__(self, status, code, detail):
        super().__init__(f"{status} {code}".strip() + f": {detail}" if status else detail)
        self.status, self.code, self.detail, self.may_be_done = status, code, detail, False


class PreconditionFailed(Error):
    """412: the key is not as `if_match` or `if_none_match` wanted it."""


class Unavailable(Error):
    """No server did it within the timeout; `status` and `code` are the last answer's, 0 and "" if none
    came. A write may have been done all the same where `may_be_done` says so."""


class Put(NamedTuple):
    etag: str
    ttl: int  # as stored: the node's bounds hold
    has_quorum: bool  # False: 202, it is held by fewer nodes so far
    replicas: str  # "2/3", those known to hold it of those that count


class Entry(NamedTuple):
    value: Optional[bytes]  # None of head()
    etag: str
    ttl: float  # what was left
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


class Client:
    def __init__(self, servers="localhost:8081", timeout=10.0, token=None, token_in_clear=False, tls=None):
        """`servers`: a list or a comma list of host, host:port, [ipv6]:port, or http or https URLs. `token`:
        of an access list; by http it goes to this host alone, unless `token_in_clear`. `tls`, for https: the
        file of the authorities to trust in place of the system's, or an `ssl.SSLContext`."""
        names = servers.split(",") if isinstance(servers, str) else servers
        context = ssl.create_default_context(cafile=tls) if isinstance(tls, str) else tls
        self._servers = [_server_of(name.strip(), context, token, token_in_clear) for name in names]
        self._timeout = timeout
        self._at = 0  # of the server that is asked first: the last that did not fail

    def put(self, key: Key, value: Union[str, bytes], ttl=None, if_match=None, if_none_match=None) -> Put:
        """Writes; `ttl` is a number, of which whole seconds count, or text as "1h30m". Without a condition
        a write whose answer was lost goes to one more server, once; else `Unavailable` is raised at once."""
        headers = {name: tag if tag == "*" else f'"{tag}"'
                   for name, tag in (("If-Match", if_match), ("If-None-Match", if_none_match)) if tag}
        query = "" if ttl is None else "?" + urlencode({"ttl": ttl if isinstance(ttl, str) else math.floor(ttl)})

        def read(status, head, _):
            return Put(_header(head, "ETag").strip('"'), int(_header(head, "X-Original-TTL")), status == 201,
                       _header(head, "X-Replicas"))
        return self._ask("PUT", _path(key) + query, read, _bytes(value), headers)

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
            body = {"keys_base64": [base64.b64encode(_bytes(key)).decode() for key in batch]}
            entries = self._ask("POST", "/v1/mget", lambda *answer: _entries(len(batch), *answer),
                                json.dumps(body).encode())
            for key, entry in zip(batch, entries):
                if entry == "alone":
                    entry = self.get(key)
                if entry is not None:
                    found[key] = entry
        return found

    def keys(self, prefix: Key = "", page=1000):
        """Yields the keys in the order of their bytes, and asks for a page when one is used up."""
        query = {"prefix": _bytes(prefix), "limit": page, "cursor": ""}

        def read(_, __, body):
            members = json.loads(body)
            others = [base64.b64decode(key) for key in members.get("keys_base64", ())]
            return sorted(members["keys"] + others, key=_bytes), members.get("next_cursor")
        while query["cursor"] is not None:
            asked = urlencode({name: value for name, value in query.items() if value != ""})
            keys, query["cursor"] = self._ask("GET", "/v1/keys?" + asked, read)
            yield from keys

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
                    is_told = True
                    yield change
            except LOST:
                pass
            except (Unavailable, *STRANGE):
                is_told = False
            # Only the node that was lost can resume where it was; so it is asked first, and once.
            is_ended = place.retry is not None
            at += is_ended or not is_told
            pause = PAUSE_S[0] if is_told else pause
            wait = place.retry if is_ended and len(self._servers) == 1 else pause
            pause = min(2 * pause, PAUSE_S[1])
            time.sleep(wait * random.uniform(0.8, 1.2))

    def _entry(self, method, key):
        def read(_, head, value):
            size = len(value) if method == "GET" else int(_header(head, "Content-Length"))
            return Entry(value if method == "GET" else None, _header(head, "ETag").strip('"'),
                         float(_header(head, "X-Remaining-TTL")), _header(head, "X-Created-At"), size)
        try:
            return self._ask(method, _path(key), read)
        except Error as error:
            if error.status == 404 and not isinstance(error, Unavailable):
                return None
            raise

    def _ask(self, method, path, read, body=None, headers=()):
        """What `read` makes of status, headers and body of the first server that does it."""
        deadline, pause, may_be_done = time.monotonic() + self._timeout, PAUSE_S[0], False
        at, is_write, failure = self._at, method == "PUT", Unavailable(0, "", "no time to ask")
        while True:
            waits = []
            for others in reversed(range(len(self._servers))):
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                server = self._servers[at]
                is_last = headers or may_be_done or len(self._servers) == 1 if is_write else not others
                patience = left if is_last else left * SHARE
                if not is_write and len(self._servers) > 1:
                    patience = min(patience, SILENT_S)
                try:
                    with _asked(server, patience, method, path, body, headers) as (wire, response):
                        wire.deadline = deadline
                        if response.length is None and not response.chunked:
                            raise ValueError("no answer of a node, without an end")
                        answer = response.status, response.headers, response.read()
                    if response.status in ((201, 202) if is_write else (200,)):
                        return read(*answer)
                    failure = _refusal(method, *answer)
                    is_refused = response.status < 500 and not isinstance(failure, Unavailable)
                    is_known = is_refused or response.status in KNOWN
                    after = response.headers.get("Retry-After", "")  # of a proxy it may be a date
                    waits.append(int(after) if after.isdecimal() else 0)
                except (*LOST, *STRANGE) as why:
                    failure = Unavailable(0, "", f"{server.url.netloc}: {why or type(why).__name__}")
                    is_known = isinstance(why, _NotAsked)
                may_be_done = may_be_done or (is_write and not is_known)
                failure.may_be_done = may_be_done
                if not isinstance(failure, Unavailable):
                    raise failure
                following = (at + 1) % len(self._servers)
                if self._at == at:  # another thread may have gone on already
                    self._at = following
                at = following
                if is_write and is_last and not is_known:  # a condition would fail by the write itself
                    raise failure
            wait = max(pause, min(waits, default=0))
            if time.monotonic() + wait > deadline:
                raise failure
            time.sleep(wait)
            pause = min(2 * pause, PAUSE_S[1])


class _Server(NamedTuple):
    url: SplitResult
    context: Optional[ssl.SSLContext]  # None: the system's authorities
    headers: dict  # of each request


class _NotAsked(OSError):
    """There was no connection, so nothing was asked for."""


class _Place:
    """How far a watch has come."""

    id = ""  # of the last change; "" before the first and after `reset`
    retry = None  # seconds to wait, once `end` has come


class _Wire(io.RawIOBase):
    """A socket as http.client wants one, that waits for nothing beyond its deadline."""

    def __init__(self, sock, deadline):
        self.sock, self.deadline = sock, deadline

    def _in_time(self):
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        self.sock.settimeout(left)
        return self.sock

    def sendall(self, data):
        rest = memoryview(data)
        while rest:
            rest = rest[self._in_time().send(rest):]

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._in_time().recv_into(buffer)

    def makefile(self, *_):
        return io.BufferedReader(self)

    def close(self):
        """Not by http.client, whose answers outlive it."""


def _bytes(key):
    return key.encode() if isinstance(key, str) else bytes(key)


def _path(key):
    return "/v1/data/" + quote_from_bytes(_bytes(key), safe="")


def _header(head, name):
    if head[name] is None:
        raise ValueError(f"no answer of a node, without {name}")
    return head[name]


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


def _entries(count, _, __, body):
    """What mget says of each of its keys: an entry, None, or "alone": to be asked for alone, as it is too
    large for an answer about many, or may not be read, and then that is refused."""
    entries = [Entry(base64.b64decode(one["value"]), one["etag"], one["ttl_ms"] / 1000, one["created_at"],
                     one["size"]) if "value" in one else
               "alone" if one.get("forbidden") or one["found"] else None
               for one in json.loads(body)["entries"]]
    if len(entries) != count:
        raise ValueError("no answer of a node, to other keys")
    return entries


def _server_of(name, context, token, is_clear_allowed):
    url = urlsplit(name if "://" in name else "http://" + name)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError(f"{name!r} is no server")
    if "://" not in name and not url.port:
        url = url._replace(netloc=f"{url.netloc}:8081")
    if token is None:
        return _Server(url, context, {})
    if not token or not all("!" <= char <= "~" for char in token):
        raise ValueError("that is no token")
    if url.scheme == "http" and not is_clear_allowed and not _is_this_host(url.hostname):
        raise ValueError(f"the token is not sent to {name} by plain http; see token_in_clear")
    return _Server(url, context, {"Authorization": f"Bearer {token}"})


def _is_this_host(name):
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(name).is_loopback
    return name == "localhost"


@contextlib.contextmanager
def _asked(server, patience, method, path, body, headers):
    """The socket, and the answer, whose headers come within `patience`."""
    deadline = time.monotonic() + patience
    where = {"host": server.url.hostname, "port": server.url.port, "timeout": min(patience, SILENT_S)}
    connection = (http.client.HTTPSConnection(**where, context=server.context) if server.url.scheme == "https"
                  else http.client.HTTPConnection(**where))
    try:
        connection.connect()
    except OSError as why:
        raise _NotAsked(str(why)) from why
    wire = connection.sock = _Wire(connection.sock, deadline)
    with wire.sock:
        with contextlib.suppress(OSError):  # a node that refuses a body says why, and does not read on
            connection.request(method, server.url.path.rstrip("/") + path, body,
                               {**server.headers, **dict(headers)})
        yield wire, connection.getresponse()


def _refusal(method, status, head, body):
    """The error of an answer: Unavailable, where another server may do better."""
    try:
        problem = json.loads(body)
        words = status, problem["code"], problem["detail"]
    except STRANGE:  # of a proxy, or of HEAD
        words = status, "", http.client.responses.get(status, "")
    is_node = head.get_content_type() == "application/problem+json"
    if status in PASSING or (method != "PUT" if status >= 500 else not is_node):
        return Unavailable(*words)
    return (PreconditionFailed if status == 412 else Error)(*words)


def _stream(server, path, place):
    """The changes of one connection, up to `end`; raises when it is lost, or no node's."""
    headers = {"Last-Event-ID": place.id} if place.id else {}
    with _asked(server, SILENT_S, "GET", path, None, headers) as (wire, response):
        if response.status != 200 or response.headers.get_content_type() != "text/event-stream":
            raise _refusal("GET", response.status, response.headers, response.read())
        retry, fields = 1.0, {}
        while True:
            wire.deadline = time.monotonic() + SILENCE_S
            line = response.readline().decode()
            if not line:
                return
            name, _, text = line.rstrip("\r\n").partition(":")
            if name == "retry":
                retry = int(text) / 1000
            elif line.strip():
                fields[name] = text[1:] if text.startswith(" ") else text  # a comment's name is empty
            else:
                change = _change(fields["event"], json.loads(fields["data"])) if "event" in fields else None
                place.id = fields.get("id", place.id)
                if fields.get("event") == "end":
                    place.retry = retry
                    return
                if change:
                    yield change
                fields = {}


def _change(kind, members):
    if kind not in ("put", "expire"):
        return Change(kind)
    key = members["key"] if "key" in members else base64.b64decode(members["key_base64"])
    value = base64.b64decode(members["value"]) if "value" in members else None
    return Change(kind, key, members["etag"], members["ttl_ms"] / 1000, members["size"], value)
