"""scripted: a server that answers as a test says, for clients that must tell the answers apart.

What a healthy cluster never says is said here: refusals, cut and strange answers. Each test can see
what it was asked."""

import json
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answer:
    """What one request gets. `stays`: the connection is held open behind the body, without an end.
    `is_lost`: it ends without an answer. `keeps`: another request may come over it."""

    def __init__(self, body=b"", status=200, headers=None, stays=False, is_lost=False, keeps=False):
        self.keeps = keeps
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.status, self.headers, self.stays, self.is_lost = status, headers or {}, stays, is_lost


def problem(status, code, detail):
    return Answer({"code": code, "detail": detail}, status, {"Content-Type": "application/problem+json"})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle_one(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        answer = self.server.answer_to(self.command, self.path, body, dict(self.headers))
        self.close_connection = not answer.keeps
        if answer.is_lost:
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if not answer.stays and "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.body)))
        if not answer.keeps:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body if self.command != "HEAD" else b"")
        if answer.stays:
            self.wfile.flush()
            self.server.ending.wait()

    do_GET = do_HEAD = do_POST = do_PUT = handle_one


class Scripted(ThreadingHTTPServer):
    """`answers`: target without its query, or whole, to an answer or a list of them; the last of a list
    is given again. What is not there is a 404. It has a port of its own until close(). With an `identity`
    (certificates.py) it speaks TLS, and with an `authority` wants a certificate that this has signed."""

    daemon_threads = True
    address_family = socket.AF_INET

    def __init__(self, answers, port=0, identity=None, authority=None):
        super().__init__(("127.0.0.1", port), Handler)
        if identity is not None:
            self.speak_tls(identity, authority)
        self.answers = {target: list(each) if isinstance(each, list) else [each]
                        for target, each in answers.items()}
        self.asked = []  # (method, target, body, headers)
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self.port = self.server_address[1]
        self.name = f"{'' if identity is None else 'https://'}127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def speak_tls(self, identity, authority):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.cert, identity.key)
        if authority is not None:
            context.load_verify_locations(authority.cert)
            context.verify_mode = ssl.CERT_REQUIRED
        # The handshake is the thread's of each connection: none keeps the others waiting.
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.handle_error = lambda *_: None  # refused handshakes are what is tested

    def answer_to(self, method, target, body, headers):
        with self.lock:
            self.asked.append((method, target, body, headers))
            answers = self.answers.get(target) or self.answers.get(target.partition("?")[0])
            if answers is None:
                return problem(404, "not_found", "no such thing")
            return answers.pop(0) if len(answers) > 1 else answers[0]

    def targets(self):
        return [target for _, target, _, _ in self.asked]

    def close(self):
        self.ending.set()
        self.shutdown()
        self.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
