"""Values of the sizes at which something changes, through every way in and out, byte for byte."""

import base64
import os
import random
import subprocess
import tempfile

import harness
from harness import Case, Node, cli, cluster, wait_until
from test_watch import Watcher

KIB, MIB = 1024, 1024 * 1024
VALUE_MAX = 3 * MIB + 1
# Inline in the store up to 2 KiB; shown in JSON up to 16 KiB; segments, pieces and frames of 64 KiB.
SIZES = [0, 1, *(edge + by for edge in (2 * KIB, 16 * KIB, 64 * KIB) for by in (-1, 0, 1)),
         128 * KIB, 128 * KIB + 1, MIB, VALUE_MAX - 1, VALUE_MAX]
SHOWN_MAX = 16 * KIB
ENV = {"REPRAM_MAX_VALUE_SIZE": VALUE_MAX}
PIECE = 10000  # of a chunked body


def value_of(size):
    return random.Random(size).randbytes(size)


def server(node):
    return ("--server", f"{node.address}:{node.port}")


def put_whole(node, key, value):
    """Its status; so do the other ways in."""
    return node.put(key, value).status


def put_chunked(node, key, value):
    pieces = (value[at:at + PIECE] for at in range(0, len(value), PIECE))
    return node.put(key, pieces).status


def stored(done):
    """The status that the command has seen."""
    if done.returncode == 0:
        return 201 if done.stdout.startswith(b"OK: ") else 202
    return 413 if b"value_too_large" in done.stderr else done.stderr


def put_file(node, key, value):
    with tempfile.NamedTemporaryFile() as file:
        file.write(value)
        file.flush()
        return stored(cli("put", key, "--file", file.name, *server(node)))


def put_input(node, key, value):
    return stored(cli("put", key, "-", *server(node), data=value))


WAYS_IN = {"length": put_whole, "chunked": put_chunked, "file": put_file, "input": put_input}


def get_to_pipe(node, key):
    return cli("get", key, *server(node)).stdout


def get_to_file(node, key):
    with tempfile.TemporaryFile() as file:
        subprocess.run([harness.BINARY, "get", key, *server(node)], stdout=file, check=True,
                       env={"PATH": os.environ.get("PATH", "/usr/bin:/bin")}, timeout=30)
        file.seek(0)
        return file.read()


class Values(Case):
    def check_read(self, node, key, value):
        """By itself, with its length, whole or none of it."""
        reply = node.get(key)
        self.assertEqual((reply.status, len(reply.body)), (200, len(value)), key)
        self.assertEqual(reply.body, value, key)
        self.assertEqual(reply.headers["content-length"], str(len(value)), key)
        head = node.request("HEAD", f"/data/{key}")
        self.assertEqual((head.status, head.body), (200, b""), key)
        self.assertEqual(head.headers["content-length"], str(len(value)), key)
        unchanged = node.get(key, headers={"If-None-Match": reply.headers["etag"]})
        self.assertEqual((unchanged.status, unchanged.body), (304, b""), key)

    def check_shown(self, shown, value, key):
        """In JSON, where a long one is left out."""
        self.assertEqual((shown["key"], shown["size"]), (key, len(value)))
        is_left_out = len(value) > SHOWN_MAX
        self.assertEqual(shown.get("value_omitted", False), is_left_out, key)
        if is_left_out:
            self.assertNotIn("value", shown, key)
        else:
            self.assertEqual(base64.b64decode(shown["value"]), value, key)

    def test_each_size_by_each_way_in_is_read_by_each_way_out_on_each_node(self):
        launcher, nodes = cluster(2, env=ENV)
        watcher = Watcher(nodes[1], "values=1").await_live()
        values = {}
        for way, put in WAYS_IN.items():
            for size in SIZES:
                key = f"{way}-{size}"
                values[key] = value_of(size)
                self.assertEqual(put(nodes[0], key, values[key]), 201, key)
        for key, value in values.items():
            wait_until(lambda k=key: nodes[1].get(k).status == 200, f"{key} has come", 5)
            for node in nodes:
                self.check_read(node, key, value)
        for size in SIZES:
            self.assertEqual(get_to_pipe(nodes[1], f"file-{size}"), value_of(size))
            self.assertEqual(get_to_file(nodes[1], f"input-{size}"), value_of(size))
        entries = nodes[1].request("POST", "/mget", body=harness.json.dumps(
            {"keys": list(values)})).json()["entries"]
        self.assertEqual([entry["key"] for entry in entries], list(values))
        for entry in entries:
            self.check_shown(entry, values[entry["key"]], entry["key"])
        wait_until(lambda: len(watcher.of("put")) == len(values), "all were told", 5)
        for event in watcher.of("put"):
            self.check_shown(event.data, values[event.data["key"]], event.data["key"])
        watcher.close()
        # And who comes later gets them all by joining.
        late = Node(min(node.port for node in nodes), env=ENV)
        wait_until(lambda: late.is_ready() and len(late.keys()) == len(values), "it has all", 10)
        for key, value in values.items():
            self.check_read(late, key, value)
        self.assertEqual(late.stop(), 0)
        self.assertEqual(launcher.stop(), 0)

    def test_a_byte_too_many_is_refused_by_each_way_in_and_leaves_nothing(self):
        _, nodes = cluster(2, env=ENV)
        for way, put in WAYS_IN.items():
            self.assertEqual(put(nodes[0], way, value_of(VALUE_MAX + 1)), 413, way)
        for node in nodes:
            self.assertEqual(node.keys(), [])


if __name__ == "__main__":
    harness.main()
