#!/usr/bin/env python3
"""http_raw: requests byte by byte, as no HTTP library would send them, against a running node.

    http_raw.py [--request-timeout SECONDS] HOST:PORT

A table of smuggling attempts, oversize and slow clients, and the edges of HTTP/1.1, each on a
connection of its own; any server of the repram contract will do. One line a case, then
"N passed, N failed"; exit code 0 only if all passed. --request-timeout is the server's
REPRAM_REQUEST_TIMEOUT, when that is not 15. Without HOST:PORT a node of its own is started
(REPRAM_BINARY, by harness.py). """

import argparse
import concurrent.futures
import json
import os
import socket
import sys
import threading
import time

HOST = b"Host: localhost\r\n"
ANSWER_S = 60  # for an answer that nothing delays, on a machine that is busy
CHUNKED = b"Transfer-Encoding: chunked\r\n"
FOUND_OR_NOT = {200, 404, 503}  # a miss is 503 on a node that still joins
STORED = {201, 202}


class Failure(Exception):
    pass


class Raw:
    """One connection, and what came back on it."""

    def __init__(self, address, timeout):
        self.sock = socket.create_connection(address, timeout=timeout)
        self.timeout = timeout
        self.input = b""
        self.is_eof = False

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server may have refused already: its answer is what counts

    def pour(self, data, is_last=False):
        """Sends while answers are read: sockets need not hold it all. `is_last`: then the end.
        Returns the thread."""
        twin = self.sock.dup()
        twin.settimeout(self.timeout)

        def send():
            with twin:
                try:
                    twin.sendall(data)
                    if is_last:
                        twin.shutdown(socket.SHUT_WR)
                except OSError:
                    pass  # what was not answered is what counts
        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        return thread

    def more(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise Failure("no answer in time, so far %r" % self.input[:80])
        self.sock.settimeout(left)
        try:
            data = self.sock.recv(65536)
        except socket.timeout:
            raise Failure("no answer in time, so far %r" % self.input[:80]) from None
        except ConnectionResetError:
            raise Failure("reset, after %r" % self.input[:80]) from None
        self.is_eof = not data
        self.input += data
        return not self.is_eof

    def response(self, is_head=False):
        """The next response as (status, headers, body); None at the end of the connection."""
        deadline = time.monotonic() + self.timeout
        while b"\r\n\r\n" not in self.input:
            if not self.more(deadline):
                if self.input:
                    raise Failure("ended inside a head: %r" % self.input[:80])
                return None
        head, self.input = self.input.split(b"\r\n\r\n", 1)
        lines = head.split(b"\r\n")
        words = lines[0].split(b" ", 2)
        if words[0] != b"HTTP/1.1" or len(words) != 3:
            raise Failure("not a status line: %r" % lines[0])
        status = int(words[1])
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            headers.setdefault(name.lower().decode(), value.strip().decode())
        body = b""
        if not is_head and status >= 200 and status not in (204, 304):
            if headers.get("transfer-encoding") == "chunked":
                body = self.chunks(deadline)
            else:
                body = self.exactly(int(headers["content-length"]), deadline)
        return status, headers, body

    def exactly(self, count, deadline):
        while len(self.input) < count:
            if not self.more(deadline):
                raise Failure("ended inside a body")
        data, self.input = self.input[:count], self.input[count:]
        return data

    def chunks(self, deadline):
        body = b""
        while True:
            while b"\r\n" not in self.input:
                if not self.more(deadline):
                    raise Failure("ended inside a chunk")
            line, self.input = self.input.split(b"\r\n", 1)
            size = int(line, 16)
            data = self.exactly(size + 2, deadline)
            if size == 0:
                return body
            body += data[:-2]

    def expect_end(self):
        deadline = time.monotonic() + self.timeout
        while not self.is_eof:
            self.more(deadline)
        if self.input:
            raise Failure("more was answered: %r" % self.input[:80])


def check_problem(status, headers, body):
    if headers.get("content-type") != "application/problem+json":
        raise Failure("an error that is %r" % headers.get("content-type"))
    if "access-control-allow-origin" not in headers:
        raise Failure("an error without Access-Control-Allow-Origin")
    if "Retry-After" not in headers.get("access-control-expose-headers", ""):
        raise Failure("an error of which pages cannot read Retry-After")
    problem = json.loads(body)
    if problem["status"] != status or not problem["code"] or not problem["title"]:
        raise Failure("not the problem of the status: %r" % problem)
    if status in (429, 503) and "retry-after" not in headers:
        raise Failure("no Retry-After")
    if status == 405 and "allow" not in headers:
        raise Failure("no Allow")


def expect(raw, wanted, is_head=False):
    """One response with a status of `wanted`; errors are problems."""
    answer = raw.response(is_head)
    if answer is None:
        raise Failure("closed without an answer")
    status, headers, body = answer
    if status not in wanted:
        raise Failure("status %d, wanted %s" % (status, "/".join(map(str, sorted(wanted)))))
    if status >= 400 and not is_head:
        check_problem(status, headers, body)
    return answer


CASES = []


def case(name):
    def add(function):
        CASES.append((name, function))
        return function
    return add


def refused(name, data, status):
    """The request is refused with that status, nothing after it is acted on, and the end follows."""
    def run(raw, _):
        raw.send(data)
        expect(raw, status if isinstance(status, set) else {status})
        raw.expect_end()
    CASES.append((name, run))


def request(line, *headers, body=b""):
    return line + b" HTTP/1.1\r\n" + HOST + b"".join(h + b"\r\n" for h in headers) + b"\r\n" + body


GET = request(b"GET /data/http-raw")
SMUGGLED = request(b"PUT /data/http-raw-smuggled", b"Content-Length: 1", body=b"x")

# ---- Two opinions on where a request ends ----

refused("Content-Length and Transfer-Encoding",
        request(b"PUT /data/http-raw", b"Content-Length: 4", CHUNKED[:-2],
                body=b"0\r\n\r\n" + SMUGGLED), 400)
refused("Transfer-Encoding and Content-Length",
        request(b"PUT /data/http-raw", CHUNKED[:-2], b"Content-Length: 4",
                body=b"0\r\n\r\n" + SMUGGLED), 400)
refused("two Content-Lengths", request(b"PUT /data/http-raw", b"Content-Length: 1",
                                       b"Content-Length: 2", body=b"xx" + SMUGGLED), 400)
refused("the same Content-Length twice", request(b"PUT /data/http-raw", b"Content-Length: 1",
                                                 b"Content-Length: 1", body=b"x"), 400)
refused("a list of Content-Lengths",
        request(b"PUT /data/http-raw", b"Content-Length: 1, 1", body=b"x"), 400)
for number in (b"+1", b"-1", b"0x1", b"1e1", b"", b"1 1", b"\x0b1", b"99999999999999999999999"):
    refused("Content-Length: %r" % number.decode("latin1"),
            request(b"PUT /data/http-raw", b"Content-Length: " + number, body=b"x"), {400, 413})
for coding, status in ((b"gzip", 400), (b"gzip, chunked", 501), (b"chunked, gzip", 400),
                       (b"chunked, chunked", 400), (b"identity", 400), (b"xchunked", 400),
                       (b"chunked;q=1", 400), (b"\"chunked\"", 400), (b"\x0bchunked", 400)):
    refused("Transfer-Encoding: %r" % coding.decode("latin1"),
            request(b"PUT /data/http-raw", b"Transfer-Encoding: " + coding,
                    body=b"0\r\n\r\n" + SMUGGLED), status)
refused("two Transfer-Encodings", request(b"PUT /data/http-raw", b"Transfer-Encoding: gzip",
                                          CHUNKED[:-2], body=b"0\r\n\r\n"), 400)
refused("Transfer-Encoding on HTTP/1.0",
        b"PUT /data/http-raw HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n0\r\n\r\n", 400)
refused("space before the colon",
        request(b"PUT /data/http-raw", b"Content-Length : 1", body=b"x"), 400)
refused("a folded header", request(b"GET /data/http-raw", b"X: a", b" b"), 400)
refused("a folded Transfer-Encoding",
        request(b"PUT /data/http-raw", b"Transfer-Encoding:", b" chunked", body=b"0\r\n\r\n"), 400)
refused("bare LF", b"GET /data/http-raw HTTP/1.1\nHost: localhost\n\n", 400)
refused("bare LF at the end of the head",
        b"GET /data/http-raw HTTP/1.1\r\nHost: localhost\r\n\n" + SMUGGLED, 400)
refused("bare CR in a value", request(b"GET /data/http-raw", b"X: a\rY: b"), 400)
for name, chunks in (("LF after a chunk size", b"1\nx\r\n0\r\n\r\n"),
                     ("LF after a chunk extension", b"1;a\nx\r\n0\r\n\r\n"),
                     ("LF after a chunk", b"1\r\nx\n0\r\n\r\n"),
                     ("a chunk longer than its size", b"1\r\nxy\r\n0\r\n\r\n"),
                     ("a chunk size with a sign", b"+1\r\nx\r\n0\r\n\r\n"),
                     ("a chunk size of 0x1", b"0x1\r\nx\r\n0\r\n\r\n"),
                     ("a chunk size past 64 bits", b"10000000000000001\r\nx\r\n0\r\n\r\n"),
                     ("an empty chunk size", b"\r\nx\r\n0\r\n\r\n"),
                     ("a folded trailer", b"0\r\nX: a\r\n b\r\n\r\n"),
                     ("LF in a trailer", b"0\r\nX: a\n\r\n")):
    refused(name, request(b"PUT /data/http-raw", CHUNKED[:-2], body=chunks), 400)

# ---- Request lines and heads ----

refused("no version (HTTP/0.9)", b"GET /data/http-raw\r\n", 400)
refused("HTTP/2.0", b"GET /data/http-raw HTTP/2.0\r\n" + HOST + b"\r\n", 505)
refused("HTTP/2 by prior knowledge", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505)
refused("http in lower case", b"GET /data/http-raw http/1.1\r\n" + HOST + b"\r\n", 400)
refused("an RTSP request", b"SETUP /data/http-raw RTSP/1.0\r\n" + HOST + b"\r\n", {400, 501})
refused("an ICE request", b"SOURCE /data/http-raw ICE/1.0\r\n" + HOST + b"\r\n", {400, 501})
refused("an RTSP method over HTTP", request(b"SETUP /data/http-raw"), 501)
refused("an unknown method", request(b"BREW /data/http-raw"), 501)
refused("a method in lower case", request(b"get /data/http-raw"), 501)
refused("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400)
refused("CONNECT", request(b"CONNECT localhost:80"), 501)
refused("a target in authority form", request(b"GET localhost:80"), 400)
refused("a target in asterisk form", request(b"GET *"), 400)
refused("a relative target", request(b"GET data/http-raw"), 400)
refused("a target of another scheme", request(b"GET ftp://localhost/data/http-raw"), 400)
refused("two spaces in the request line", request(b"GET  /data/http-raw"), 400)
refused("a raw byte in the target", request(b"GET /data/\xff"), 400)
refused("NUL in the target", request(b"GET /data/a\x00b"), 400)
refused("NUL in a header", request(b"GET /data/http-raw", b"X: a\x00b"), 400)
refused("a control byte in a header", request(b"GET /data/http-raw", b"X: a\x07b"), 400)
refused("an empty header name", request(b"GET /data/http-raw", b": x"), 400)
refused("a header without a colon", request(b"GET /data/http-raw", b"nonsense"), 400)
refused("no Host", b"GET /data/http-raw HTTP/1.1\r\n\r\n" + SMUGGLED, 400)
refused("two Hosts", request(b"GET /data/http-raw", b"Host: other"), 400)
refused("a Host that is none", b"GET /data/http-raw HTTP/1.1\r\nHost: a b\r\n\r\n", 400)
refused("an unknown expectation",
        request(b"PUT /data/http-raw", b"Expect: tea", b"Content-Length: 1", body=b"x"), 417)

# ---- Sizes ----

refused("a length past 64 bits",
        request(b"PUT /data/http-raw", b"Content-Length: 18446744073709551616"), 413)
refused("a request line of 9 KiB", request(b"GET /data/" + b"a" * 9216), 414)
refused("a request line without end", b"GET /data/" + b"a" * 100000, 414)
refused("headers of 17 KiB", request(b"GET /data/http-raw", b"X: " + b"a" * 17408), 431)
refused("a header without end", b"GET /data/x HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 100000, 431)
refused("101 headers", request(b"GET /data/http-raw", *[b"X: y"] * 100), 431)
refused("a chunk extension without end",
        request(b"PUT /data/http-raw", CHUNKED[:-2], body=b"1;" + b"a" * 100000), 400)
refused("trailers without end",
        request(b"PUT /data/http-raw", CHUNKED[:-2], body=b"0\r\n" + b"X: y\r\n" * 20000), 400)


@case("a value announced as too large is refused before it is sent")
def announced(raw, _):
    raw.send(request(b"PUT /data/http-raw", b"Content-Length: 999999999999",
                     b"Expect: 100-continue"))
    expect(raw, {413})
    raw.expect_end()


@case("a client that sends a too large value anyway can read the refusal")
def sent_anyway(raw, _):
    raw.send(request(b"PUT /data/http-raw", b"Content-Length: 999999999999"))
    raw.send(b"x" * (1 << 20))
    expect(raw, {413})


@case("100 headers and 8 KiB of them are fine")
def large_head(raw, _):
    raw.send(request(b"GET /data/http-raw", *[b"X: " + b"y" * 78] * 99))
    expect(raw, FOUND_OR_NOT)


# ---- What must work ----

@case("PUT and GET, whole and in single bytes")
def put_get(raw, _):
    raw.send(request(b"PUT /data/http-raw-bytes?ttl=600", b"Content-Length: 5", body=b"a\r\n\x00b"))
    expect(raw, STORED)
    for byte in request(b"GET /data/http-raw-bytes"):
        raw.send(bytes([byte]))
    if expect(raw, {200})[2] != b"a\r\n\x00b":
        raise Failure("another value came back")


@case("a chunked value, extensions and trailers")
def put_chunked(raw, _):
    raw.send(request(b"PUT /data/http-raw-chunks?ttl=600", CHUNKED[:-2],
                     body=b"3 ; a = \"b\"\r\nabc\r\n0002\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n"))
    expect(raw, STORED)
    raw.send(request(b"GET /data/http-raw-chunks"))
    if expect(raw, {200})[2] != b"abcde":
        raise Failure("another value came back")


@case("100 Continue, then the value")
def put_continue(raw, _):
    raw.send(request(b"PUT /data/http-raw-continue?ttl=600", b"Content-Length: 2",
                     b"Expect: 100-continue"))
    expect(raw, {100})
    raw.send(b"hi")
    expect(raw, STORED)


@case("pipelined requests are answered in order")
def pipelined(raw, _):
    raw.send(request(b"PUT /data/http-raw-pipe?ttl=600", b"Content-Length: 3", body=b"one")
             + request(b"GET /data/http-raw-pipe") + request(b"HEAD /data/http-raw-pipe")
             + request(b"DELETE /data/http-raw-pipe") + request(b"GET /data/http-raw-pipe"))
    expect(raw, STORED)
    if expect(raw, {200})[2] != b"one":
        raise Failure("another value came back")
    if expect(raw, {200}, is_head=True)[1].get("content-length") != "3":
        raise Failure("HEAD has another length than GET")
    expect(raw, {405})
    expect(raw, {200})


@case("200 pipelined requests are all answered")
def many_pipelined(raw, _):
    raw.pour(request(b"GET /health") * 200)
    for _ in range(200):
        expect(raw, {200})


BURST_VALUE = b"v" * 2000
PUT_BURST = request(b"PUT /data/http-raw-burst?ttl=600", b"Content-Length: 2000", body=BURST_VALUE)
GET_BURST = request(b"GET /data/http-raw-burst")


def burst(raw, requests, statuses=frozenset({200}), is_head=False):
    """All at once, and then an answer to each."""
    raw.send(PUT_BURST)
    expect(raw, STORED)
    sender = raw.pour(b"".join(requests))
    for number, _ in enumerate(requests, 1):
        try:
            expect(raw, statuses, is_head)
        except Failure as failure:
            raise Failure("answer %d of %d: %s" % (number, len(requests), failure)) from None
    sender.join()


@case("a burst of 400 values is answered to its end")
def burst_of_values(raw, _):
    burst(raw, [GET_BURST] * 400)


@case("a burst of 20 metrics pages is answered to its end")
def burst_of_metrics(raw, _):
    burst(raw, [request(b"GET /metrics")] * 20)


@case("a burst of 1000 probes is answered to its end")
def burst_of_probes(raw, _):
    burst(raw, [request(b"GET /livez")] * 1000)


@case("a burst of 1000 HEADs is answered to its end")
def burst_of_heads(raw, _):
    burst(raw, [request(b"HEAD /metrics")] * 1000, is_head=True)


@case("a burst of lists is answered to its end")
def burst_of_lists(raw, _):
    body = b'{"keys":["http-raw-burst"]}'
    mget = request(b"POST /mget", b"Content-Length: %d" % len(body), body=body)
    burst(raw, [request(b"GET /keys"), request(b"GET /scan"), mget] * 60, {200, 503})


@case("a burst of puts and gets is answered to its end")
def burst_of_puts(raw, _):
    burst(raw, [PUT_BURST, GET_BURST] * 100, STORED | {200})


@case("the end of what is sent behind a burst cuts nothing off")
def burst_half_close(raw, _):
    raw.send(PUT_BURST)
    expect(raw, STORED)
    raw.pour(GET_BURST * 400, is_last=True)
    for _ in range(400):
        expect(raw, {200})
    raw.expect_end()


@case("a close in the middle of a burst is the last answer")
def burst_close(raw, _):
    burst(raw, [GET_BURST] * 99 + [request(b"GET /data/http-raw-burst", b"Connection: close")])
    raw.expect_end()


@case("a burst that is read late and slowly is answered to its end")
def burst_slow_reader(raw, _):
    # A fraction of it all, and more than a segment of loopback: into a smaller window a kernel sends a
    # little every 200 ms.
    raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
    sender = raw.pour(PUT_BURST + GET_BURST * 2000)
    time.sleep(0.5)
    expect(raw, STORED)
    for number in range(2000):
        expect(raw, {200})
        if number % 500 == 0:
            time.sleep(0.05)
    sender.join()


@case("a watch behind a burst begins at once")
def burst_watch(raw, _):
    burst(raw, [GET_BURST] * 40)
    raw.pour(GET_BURST * 40 + request(b"GET /watch?prefix=http-raw-burst"))
    for _ in range(40):
        expect(raw, {200})
    deadline = time.monotonic() + ANSWER_S
    while b"event: live" not in raw.input:
        raw.more(deadline)
    # A late event comes with the heartbeat, which is a comment.
    if b"\n:" in raw.input.split(b"event: live")[0]:
        raise Failure("only with the heartbeat: %r" % raw.input[:80])


@case("empty lines before a request are skipped")
def empty_lines(raw, _):
    raw.send(b"\r\n\r\n" + GET)
    expect(raw, FOUND_OR_NOT)


@case("an absolute target is its path")
def absolute(raw, _):
    raw.send(request(b"GET http://elsewhere.example:80/health"))
    expect(raw, {200})


@case("OPTIONS * and OPTIONS of a path")
def options(raw, _):
    raw.send(request(b"OPTIONS *") + request(b"OPTIONS /data/http-raw"))
    expect(raw, {200, 204})
    expect(raw, {200, 204})


@case("HTTP/1.7 is answered as HTTP/1.1")
def later_minor(raw, _):
    raw.send(b"GET /health HTTP/1.7\r\n" + HOST + b"\r\n" + request(b"GET /health"))
    expect(raw, {200})
    expect(raw, {200})


@case("HTTP/1.0 without Host is answered and closed")
def http10(raw, _):
    raw.send(b"GET /health HTTP/1.0\r\n\r\n")
    expect(raw, {200})
    raw.expect_end()


@case("HTTP/1.0 with keep-alive is kept")
def http10_kept(raw, _):
    for _ in range(2):
        raw.send(b"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        if expect(raw, {200})[1].get("connection") != "keep-alive":
            raise Failure("not kept")


@case("Connection: close is done")
def close(raw, _):
    raw.send(request(b"GET /health", b"Connection: close"))
    if expect(raw, {200})[1].get("connection") != "close":
        raise Failure("not said")
    raw.expect_end()


@case("a client that shuts down its sending side gets its answer")
def half_close(raw, _):
    raw.send(request(b"PUT /data/http-raw-half?ttl=600", b"Content-Length: 1", body=b"x"))
    raw.sock.shutdown(socket.SHUT_WR)
    expect(raw, STORED)
    raw.expect_end()


@case("a request cut short is 400")
def cut_short(raw, _):
    raw.send(request(b"PUT /data/http-raw-cut", b"Content-Length: 10", body=b"x"))
    raw.sock.shutdown(socket.SHUT_WR)
    expect(raw, {400})
    raw.expect_end()


@case("nothing that was smuggled has arrived")
def smuggled(raw, _):
    raw.send(request(b"GET /data/http-raw-smuggled"))
    expect(raw, {404, 503})


# ---- Slow clients ----

@case("headers that dribble in are 408 in time")
def slow_head(raw, timeout):
    start = time.monotonic()
    raw.timeout = 3 * timeout + ANSWER_S
    raw.send(b"GET /data/http-raw HTTP/1.1\r\n" + HOST)
    raw.sock.settimeout(timeout / 10)
    while time.monotonic() < start + 2 * timeout + ANSWER_S:
        raw.send(b"X")
        try:
            data = raw.sock.recv(65536)
        except socket.timeout:
            continue
        except ConnectionResetError:
            raise Failure("reset without an answer") from None
        raw.input += data
        break
    expect(raw, {408})
    if time.monotonic() - start < timeout / 2:
        raise Failure("too early")


@case("a value that stops coming is 408 in time")
def slow_body(raw, timeout):
    raw.timeout = 3 * timeout + ANSWER_S
    raw.send(request(b"PUT /data/http-raw", b"Content-Length: 100000", body=b"x"))
    expect(raw, {408})
    raw.expect_end()


@case("while slow clients wait, others are served")
def others(raw, _):
    for _ in range(20):
        raw.send(request(b"GET /health"))
        expect(raw, {200})


def run_case(address, name, function, request_timeout):
    try:
        raw = Raw(address, ANSWER_S)
    except OSError as error:
        return name, "cannot connect: %s" % error
    try:
        function(raw, request_timeout)
    except (Failure, OSError, ValueError, KeyError, IndexError) as error:
        return name, str(error) or repr(error)
    finally:
        raw.sock.close()
    return name, None


def run(address, request_timeout):
    """Runs all cases, some side by side, the one about smuggling last; True when all passed."""
    last = [entry for entry in CASES if entry[1] is smuggled]
    rest = [entry for entry in CASES if entry[1] is not smuggled]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        # The slow ones start first, so that the others run beside them.
        rest.sort(key=lambda entry: entry[1] not in (slow_head, slow_body))
        for cases in (rest, last):
            results = [pool.submit(run_case, address, name, function, request_timeout)
                       for name, function in cases]
            for result in results:
                name, error = result.result()
                failed += error is not None
                print("%s  %s%s" % ("ok  " if error is None else "FAIL", name,
                                    "" if error is None else ": " + error))
    print("%d passed, %d failed" % (len(CASES) - failed, failed))
    return failed == 0


def run_own():
    """Against a node started here, with a short request timeout."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import harness
    node = harness.Node(base=harness.free_base(), env={"REPRAM_REQUEST_TIMEOUT": "2"})
    try:
        return run(("127.0.0.1", node.port), 2)
    finally:
        node.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--request-timeout", type=float, default=15, metavar="SECONDS")
    parser.add_argument("server", nargs="?", metavar="HOST:PORT")
    options = parser.parse_args()
    if options.server is None:
        return 0 if run_own() else 1
    host, _, port = options.server.rpartition(":")
    if not host or not port.isdigit():
        parser.error("HOST:PORT is wanted, not %r" % options.server)
    return 0 if run((host.strip("[]"), int(port)), options.request_timeout) else 1


if __name__ == "__main__":
    sys.exit(main())
