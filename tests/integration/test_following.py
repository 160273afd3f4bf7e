"""`repram wait` and `repram watch` before servers that answer as a test says: what is missing, what is
told of a stream, and when another try is made."""

import base64
import json
import signal
import subprocess

import harness
from harness import FAILED, USAGE, Case, cli, wait_until
from scripted import Answer, Scripted, problem

TIMEOUT = ("--timeout", "20s")


def ready(alive=2, reasons=(), status=200):
    return Answer({"reasons": list(reasons), "alive": alive}, status)


class Member(Scripted):
    """A node as `wait` sees it: its peers, whether it is ready, its data."""

    def __init__(self, digest="d1"):
        super().__init__({"/v1/status": Answer({"data": {"root_digest": digest}})})
        self.sees()

    def sees(self, *peers):
        self.answers["/v1/peers"] = [Answer({"peers": list(peers)})]
        self.answers["/v1/readyz"] = [ready(1 + sum(peer["state"] == "alive" for peer in peers))]

    def card(self, **other):
        """What others list it as."""
        return {"state": "alive", "address": "127.0.0.1", "port": self.port, **other}


class Wait(Case):
    def setUp(self):
        self.one, self.two = Member(), Member()
        self.addCleanup(self.one.close)
        self.addCleanup(self.two.close)
        self.one.sees(self.two.card())
        self.two.sees(self.one.card())

    def wait(self, *arguments, timeout="20s"):
        return cli("wait", "-s", self.one.name, "--timeout", timeout, *arguments)

    def reached(self, *arguments):
        done = self.wait(*arguments)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return done.stdout.decode()

    def missing(self, text, *arguments):
        """Is not reached, and says this: in the time that is left in its last round, so perhaps not
        at the first try."""
        expected = (FAILED, b"", f"repram wait: not after 200 ms: {text}\n".encode())

        def is_said():
            done = self.wait(*arguments, timeout="200ms")
            found = (done.returncode, done.stdout, done.stderr)
            return found == expected or self.seen.append(found)
        self.seen = []
        wait_until(is_said, f"{expected} is said", 5)

    def test_it_returns_when_all_see_all_and_are_ready(self):
        self.assertEqual(self.reached("--members", "2"), "2 members see each other and are ready\n")
        self.assertEqual(self.reached("-n", "2", "--json"), '{"members":2,"converged":null}\n')
        self.assertEqual(self.reached("--converged"), "2 members see each other and are ready, and hold "
                                                      "the same data\n")
        self.assertEqual(self.reached("--converged", "--json"), '{"members":2,"converged":true}\n')

    def test_a_lone_member_sees_nobody_and_no_plural_is_said_of_it(self):
        self.one.sees()
        self.assertEqual(self.reached("-n", "1"), "1 member is ready and knows no other\n")
        self.assertEqual(self.reached("--converged"), "1 member is ready and knows no other, and holds "
                                                      "its data\n")

    def test_it_asks_again_until_it_is_so(self):
        self.two.answers["/v1/readyz"] = [ready(2, ["syncing"], 503), ready()]
        self.reached("--members", "2")
        self.assertEqual(self.two.targets().count("/v1/readyz"), 2)

    def test_who_sees_fewer_or_more_is_named(self):
        self.two.sees(self.one.card(state="suspect"))
        self.missing(f"{self.two.name} sees 1 of 2 members", "--members", "2")
        self.missing(f"{self.one.name} sees 2 of 3 members", "--members", "3")
        self.missing(f"{self.one.name} sees 2 of 1 members", "--members", "1")

    def test_who_is_not_ready_is_named_with_the_first_reason(self):
        for answer, why in ((ready(2, ["syncing", "joining"], 503), "syncing"),
                            (ready(2, ["storage_full", "syncing"], 503), "storage_full"),
                            (Answer(b"", 503), "it does not say why"),
                            (ready(2, [], 503), "it does not say why")):
            self.two.answers["/v1/readyz"] = [answer]
            self.missing(f"{self.two.name} is not ready: {why}", "--members", "2")
        self.two.answers["/v1/readyz"] = [Answer(b"{}")]
        self.missing(f"{self.two.name} does not say how many it sees", "--members", "2")

    def test_a_full_node_is_ready(self):
        self.two.answers["/v1/readyz"] = [ready(2, ["storage_full"])]
        self.reached("--members", "2")

    def test_a_member_without_an_address_is_counted_and_cannot_be_asked(self):
        for other in ({"port": 0}, {"port": 65536}, {"port": "x"}, {"address": None},
                      {"address": "a" * 256}):
            self.one.sees(self.two.card(**other))
            self.missing("1 of 2 members have an address", "--members", "2")

    def test_other_data_is_told_with_both_digests(self):
        for digest in ("d2", "d" * 39):
            self.two.answers["/v1/status"] = [Answer({"data": {"root_digest": digest}})]
            self.missing(f"the data differs: root digest d1, and {digest} at {self.two.name}",
                         "--converged")
        for status in ({"data": {"root_digest": "d" * 40}}, {"data": {}}, {}):
            self.two.answers["/v1/status"] = [Answer(status)]
            self.missing(f"{self.two.name} has no root digest", "--converged")

    def test_what_a_member_answers_instead_is_told(self):
        self.one.answers["/v1/peers"] = [Answer(b"{}", 500)]
        self.missing(f"{self.one.name} answers /v1/peers with 500", "--members", "2")
        self.one.answers["/v1/peers"] = [Answer(b"nonsense")]
        self.missing(f"{self.one.name} answers /v1/peers with 200", "--members", "2")

    def test_who_may_not_list_the_members_asks_the_servers_that_he_knows(self):
        """How many a node sees, and whether it is ready, it says to everybody."""
        for refusal in (problem(401, "unauthorized", "no"), problem(403, "forbidden", "no"),
                        problem(403, "tls_required", "no")):
            self.one.answers["/v1/peers"] = [refusal]
            self.assertEqual(self.reached("-n", "2"), "2 members are seen by the node that may be asked "
                                                      "without a right to more, and it is ready\n")
            self.assertEqual(self.reached("-n", "2", "-s", self.two.name, "--json"),
                             '{"members":2,"asked":2,"converged":null}\n')
            self.two.answers["/v1/readyz"] = [ready(1)]
            self.missing(f"{self.two.name} sees 1 of 2 members", "-n", "2", "-s", self.two.name)
            self.two.answers["/v1/readyz"] = [ready(2)]
            self.missing(f"{self.one.name} answers /v1/peers with {refusal.status}", "--converged")

    def test_the_first_server_that_lists_peers_names_the_members(self):
        strange = Scripted({"/v1/peers": Answer({"peers": 1})})
        self.addCleanup(strange.close)
        self.assertEqual(self.reached("--members", "2", "-s", strange.name), self.reached("-n", "2"))
        done = cli("wait", "-n", "2", "-s", f"{strange.name},{self.one.name}", *TIMEOUT)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_what_is_wrong_with_the_command_line_is_said(self):
        for arguments, why in (
                ((), "--members N, --converged, or both; see repram wait --help"),
                (("--members", "16386"),
                 "--members 16386 is not allowed; allowed: a whole number, 1 to 16385"),
                (("-n", "0"), "--members 0 is not allowed; allowed: a whole number, 1 to 16385")):
            done = cli("wait", *arguments)
            self.assertEqual((done.returncode, done.stdout, done.stderr),
                             (USAGE, b"", f"repram wait: {why}\n".encode()))


def event(name, data, number=None):
    """In the words of a stream."""
    mark = f"id: {number}\n" if number is not None else ""
    return f"event: {name}\n{mark}data: {json.dumps(data)}\n\n".encode()


def encoded(value):
    return base64.b64encode(value).decode()


HEALTH = {"uuid": "u", "network": "private", "enclave": "default"}
GONE = problem(410, "gone", "No more.")
GONE_LINE = "repram watch: the node answers 410 gone: No more.\n"


class Watch(Case):
    def watch(self, *answers, arguments=()):
        """Watches one server; the last answer must end it. Returns (what ended, the server)."""
        with Scripted({"/v1/watch": list(answers)}) as server:
            done = cli("watch", *arguments, "-s", server.name, *TIMEOUT)
        return done, server

    def expect(self, done, out, err):
        """`out` is text, or bytes where it is none."""
        out = out if isinstance(out, bytes) else out.encode()
        self.assertEqual((done.returncode, done.stdout, done.stderr.decode()), (FAILED, out, err))

    def test_a_change_is_a_line_of_fields(self):
        done, server = self.watch(Answer(
            event("put", {"key": "k", "ttl_ms": 61499, "size": 3, "value": encoded(b"abc")}) +
            event("expire", {"key": "é%\x1f\x7f~ !", "size": 1}) +
            event("put", {"key_base64": encoded(b"\xff ~!%\x7f"), "value": encoded(b"\0")}) +
            event("put", {"key_base64": "*", "ttl_ms": "1"}) +
            event("other", {"key": "not shown"})))
        self.expect(done, "put\t61s\t3\tk\tabc\nexpire\t0s\t1\té%25%1F%7F~ !\n"
                          "put\t0s\t0\t%FF ~!%25%7F\t%00\nput\t0s\t0\t\n",
                    f"repram watch: {server.name} does not answer: the stream ended\n")
        self.assertEqual(server.targets(), ["/v1/watch?values=0&snapshot=1&prefix="])

    def test_scripts_get_every_event_as_an_object(self):
        done, server = self.watch(
            Answer(event("reset", {}) + event("put", {"key": "k"}, "a-1") + event("live", {}, "a-2")),
            GONE, arguments=("--json", "--values", "--new", "--prefix", "a/b+c"))
        self.expect(done, '{"event":"reset"}\n{"event":"put","id":"a-1","key":"k"}\n'
                          '{"event":"live","id":"a-2"}\n',
                    f"repram watch: {server.name}: the stream ended; trying again\n{GONE_LINE}")
        self.assertEqual(server.targets()[0], "/v1/watch?values=1&snapshot=0&prefix=a%2Fb%2Bc")

    def test_after_it_was_live_a_lost_stream_is_taken_up_behind_its_last_event(self):
        done, server = self.watch(Answer(event("live", {}, "a-1")), Answer(b"", 503),
                                  Answer(event("live", {}, "a-2")), GONE)
        ended = f"repram watch: {server.name}: the stream ended; trying again\n"
        self.expect(done, "", ended + "repram watch: the node answers 503\n" + ended + GONE_LINE)
        self.assertEqual([headers.get("Last-Event-ID") for _, _, _, headers in server.asked],
                         [None, "a-1", "a-1", "a-2"])

    def test_before_it_was_live_a_round_without_success_ends_it(self):
        two = Scripted({"/v1/watch": Answer(b"", 503)})
        self.addCleanup(two.close)
        with Scripted({"/v1/watch": Answer(b"")}) as one:
            done = cli("watch", "-s", f"{one.name},{two.name}", *TIMEOUT)
        self.expect(done, "", f"repram watch: {one.name} does not answer: the stream ended\n"
                              "repram watch: the node answers 503\n")
        self.assertEqual([len(one.asked), len(two.asked)], [1, 1])

    def test_a_node_that_refuses_for_now_says_so_in_its_stream(self):
        full = event("end", {"code": "overloaded", "detail": "Later."})
        done, _ = self.watch(Answer(full))
        self.expect(done, "", "repram watch: the node ends the stream: overloaded\n")
        done, server = self.watch(Answer(event("live", {})), Answer(full), GONE)
        self.expect(done, "", f"repram watch: {server.name}: the stream ended; trying again\n"
                              f"repram watch: the node ends the stream: overloaded\n{GONE_LINE}")

    def test_one_that_was_live_is_tried_again_first_and_then_the_next(self):
        two = Scripted({"/v1/watch": GONE})
        self.addCleanup(two.close)
        with Scripted({"/v1/watch": [Answer(event("live", {})), Answer(b"", 500)]}) as one:
            done = cli("watch", "-s", f"{one.name},{two.name}", *TIMEOUT)
        self.expect(done, "", f"repram watch: {one.name}: the stream ended; trying again\n"
                              f"repram watch: the node answers 500\n{GONE_LINE}")
        self.assertEqual([len(one.asked), len(two.asked)], [2, 1])

    def test_a_refusal_of_the_request_is_final_and_one_of_the_server_is_not(self):
        for status, count in ((399, 2), (400, 1), (428, 1), (429, 2), (430, 1), (499, 1), (500, 2)):
            two = Scripted({"/v1/watch": Answer(b"", 500)})
            self.addCleanup(two.close)
            with Scripted({"/v1/watch": Answer(b"", status)}) as one:
                done = cli("watch", "-s", f"{one.name},{two.name}", *TIMEOUT)
            self.assertEqual(done.returncode, FAILED)
            self.assertEqual(len(one.asked) + len(two.asked), count, status)

    def test_after_it_was_live_one_that_is_asked_too_often_is_asked_again(self):
        done, server = self.watch(Answer(event("live", {}, "a-1")), *2 * [problem(429, "rate_limited", "Less.")],
                                  GONE)
        busy = "repram watch: the node answers 429 rate_limited: Less.\n"
        self.expect(done, "", f"repram watch: {server.name}: the stream ended; trying again\n{2 * busy}{GONE_LINE}")
        self.assertEqual(server.asked[3][3].get("Last-Event-ID"), "a-1")

    def test_what_is_no_stream_of_events_is_left_and_tried_again(self):
        for garbage in (event("put", []), event("Put", {}), event("put", {}, 'a"b'),
                        event("put", {}, "g"), b"data: nonsense\n\n", b"x" * 70000):
            done, server = self.watch(Answer(event("live", {}, "a-1") + garbage + event("put", {"key": "k"}),
                                             stays=True), GONE)
            said = f"repram watch: {server.name} answers with something else than events"
            self.expect(done, "", f"{said}; trying again\n{GONE_LINE}")
            self.assertIsNone(server.asked[1][3].get("Last-Event-ID"))
            done, server = self.watch(Answer(garbage))
            self.expect(done, "", f"repram watch: {server.name} answers with something else than events\n")

    def test_a_new_beginning_and_an_end_are_told_with_their_reason(self):
        live = event("live", {})
        done, server = self.watch(Answer(
            event("reset", {"reason": "first"}) + live + event("reset", {"reason": "too_late"}) +
            event("reset", {"reason": "\x1b[2J"}) + event("reset", {}) + event("reset", {"reason": ""}) +
            event("end", {"code": "slow_client"}) + event("end", {"code": "A"}) +
            event("end", {})), GONE)
        again, ends = "repram watch: begins anew: ", "repram watch: the node ends the stream: "
        self.expect(done, "", f"{again}too_late\n{again}?\n{again}?\n{again}?\n{ends}slow_client\n"
                              f"{ends}?\n{ends}?\nrepram watch: {server.name}: the stream ended; trying "
                              f"again\n{GONE_LINE}")

    def test_in_the_local_range_only_a_node_is_watched(self):
        with Scripted({"/v1/watch": GONE}) as other:
            done = cli("watch", *TIMEOUT, env={"REPRAM_HTTP_PORT": other.port})
            self.expect(done, "", f"repram watch: no node answers on {other.name}; --server names another\n")
            self.assertEqual(other.targets(), ["/health"] * len(other.asked))
        with Scripted({"/v1/watch": GONE, "/health": Answer(HEALTH)}) as node:
            self.expect(cli("watch", *TIMEOUT, env={"REPRAM_HTTP_PORT": node.port}), "", GONE_LINE)

    def test_a_node_of_another_network_that_took_the_port_is_not_watched(self):
        other = {**HEALTH, "network": "other"}
        stream = Answer(event("live", {}) + event("put", {"key": "mine"}))
        theirs = Answer(event("live", {}) + event("put", {"key": "theirs"}), stays=True)
        with Scripted({"/health": [Answer(HEALTH), Answer(other)], "/v1/watch": [stream, theirs]}) as node:
            with subprocess.Popen([harness.BINARY, "watch"], env={"REPRAM_HTTP_PORT": str(node.port)},
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
                wait_until(lambda: len(node.asked) > 3, "it asks who is there", 20)
                process.terminate()
                self.assertEqual(process.stdout.read(), b"put\t0s\t0\tmine\n")
            self.assertEqual(node.targets().count("/v1/watch?values=0&snapshot=1&prefix="), 1)

    def test_told_to_stop_it_ends_with_its_line(self):
        for number, code in ((signal.SIGINT, harness.INTERRUPTED), (signal.SIGTERM, 0)):
            change = event("put", {"key": "k"})
            with Scripted({"/v1/watch": Answer(change, stays=True)}) as server:
                with subprocess.Popen([harness.BINARY, "watch", "-s", server.name],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
                    self.assertEqual(process.stdout.readline(), b"put\t0s\t0\tk\n")
                    process.send_signal(number)
                    out, err = process.communicate(timeout=20 * harness.SLOW)
            self.assertEqual((process.returncode, out, err), (code, b"", b""))

    def test_a_prefix_beyond_a_targets_length_is_refused(self):
        done = cli("watch", "--prefix", "ä" * 5000)
        self.assertEqual((done.returncode, done.stderr),
                         (USAGE, b"repram watch: the prefix is too long\n"))


if __name__ == "__main__":
    harness.main()
