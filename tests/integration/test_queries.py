"""Queries as clients build them: form encoding, in which a space is '+' and a plus is '%2B'."""

import json
import subprocess
import urllib.parse

import harness
from harness import Case, Node, cli

KEYS = ["py x/1", "py+x/1", "py/x"]


class Queries(Case):
    def setUp(self):
        self.node = Node()
        for key in KEYS:
            self.assertEqual(self.node.put(urllib.parse.quote(key), b"v").status, 201)

    def listed(self, query):
        answer = self.node.request("GET", f"/v1/keys?{query}")
        self.assertEqual(answer.status, 200)
        return answer.json()["keys"]

    def test_urlencode_finds_spaces_and_plus_signs(self):
        for key in KEYS:
            query = urllib.parse.urlencode({"prefix": key[:4]})
            self.assertEqual(self.listed(query), [key], query)

    def test_curls_data_urlencode_finds_them_too(self):
        for key in KEYS:
            done = subprocess.run(
                ["curl", "-sSG", "--data-urlencode", f"prefix={key[:4]}",
                 f"http://127.0.0.1:{self.node.port}/keys"], capture_output=True, check=True)
            self.assertEqual(json.loads(done.stdout), {"keys": [key]})

    def test_a_cursor_goes_on_behind_a_key_of_plus_signs(self):
        """In standard base64 this key's cursor would hold one."""
        key = "q>>>>>"
        self.assertEqual(self.node.put(urllib.parse.quote(key), b"v").status, 201)
        found, cursor = [], None
        while cursor is not None or not found:
            fields = {"limit": 1, **({"cursor": cursor} if cursor else {})}
            page = self.node.request("GET", f"/keys?{urllib.parse.urlencode(fields)}").json()
            found += page["keys"]
            cursor = page.get("next_cursor")
        self.assertEqual(found, sorted([*KEYS, key]))

    def test_the_commands_say_a_plus_as_percent_2b(self):
        server = f"127.0.0.1:{self.node.port}"
        for key in KEYS:
            done = cli("keys", "--server", server, "--prefix", key[:4])
            self.assertEqual((done.returncode, done.stdout), (0, f"{key}\n".encode()))
            done = cli("get", "--server", server, key)
            self.assertEqual((done.returncode, done.stdout), (0, b"v"))


if __name__ == "__main__":
    harness.main()
