"""The pages under /fade/: from the binary, from a folder, and not at all."""

import base64
import gzip
import hashlib
import os
import re
import tempfile

import harness
from harness import Case, Node, Program, free_base

WEB = os.path.join(harness.SOURCE_DIR, "fade/web")
BAD_CONFIGURATION = 78


def node(**env):
    return Node(free_base(), env=env)


def built(name):
    """What the build makes of a file: a page has its style sheet inside; and what its policy adds."""
    with open(os.path.join(WEB, name), "rb") as file:
        content = file.read()
    link = re.search(rb'<link rel="stylesheet" href="([a-z]+[.]css)">', content)
    if link is None:
        return content, ""
    with open(os.path.join(WEB, link.group(1).decode()), "rb") as file:
        style = file.read()
    digest = base64.b64encode(hashlib.sha256(style).digest()).decode()
    return (content.replace(link.group(0), b"<style>" + style + b"</style>"), f" 'sha256-{digest}'")


class Embedded(Case):
    def test_every_file_of_the_folder_is_in_the_binary_byte_for_byte(self):
        served = node()
        names = [name for name in os.listdir(WEB) if "." in name]
        self.assertTrue(names)
        for name in names:
            with self.subTest(name=name):
                content, style = built(name)
                plain = served.request("GET", f"/fade/{name}")
                allowed = re.findall(r"style-src ([^;]*);", plain.headers["content-security-policy"])
                self.assertEqual(allowed, ["'self'" + style])
                self.assertEqual((plain.status, plain.body), (200, content))
                packed = served.request("GET", f"/fade/{name}",
                                        headers={"Accept-Encoding": "gzip"})
                body = packed.body
                if packed.headers.get("content-encoding") == "gzip":
                    self.assertLess(len(body), len(content))
                    self.assertNotEqual(packed.headers["etag"], plain.headers["etag"])
                    body = gzip.decompress(body)
                self.assertEqual(body, content)
                head = served.request("HEAD", f"/fade/{name}")
                self.assertEqual(head.headers["content-length"], str(len(content)))
                self.assertEqual(head.headers["etag"], plain.headers["etag"])
                same = served.request("GET", f"/fade/{name}",
                                      headers={"If-None-Match": plain.headers["etag"]})
                self.assertEqual((same.status, same.body), (304, b""))
                self.assertNotIn("content-length", same.headers)
                self.assertIn("default-src 'none'", plain.headers["content-security-policy"])

    def test_two_nodes_give_the_same_tags(self):
        first, second = node(), node()
        self.assertEqual(first.request("GET", "/fade/favicon.svg").headers["etag"],
                         second.request("GET", "/fade/favicon.svg").headers["etag"])


class Folder(Case):
    def test_a_folder_is_served_while_one_works_on_it(self):
        with tempfile.TemporaryDirectory() as folder:
            served = node(REPRAM_FADE_DIR=folder)
            path = os.path.join(folder, "index.html")
            for content in (b"one", b"the next one", b""):
                with open(path, "wb") as file:
                    file.write(content)
                self.assertEqual(served.request("GET", "/fade/").body, content)
            browser = served.request("GET", "/", headers={"Accept": "text/html"})
            self.assertEqual((browser.status, browser.headers["location"]), (302, "fade/"))
            self.assertEqual(served.request("GET", "/", headers={"Accept": "*/*"}).status, 200)
            secret = os.path.join(os.path.dirname(folder), "outside.txt")
            for target in ("/fade/../outside.txt", "/fade/..%2foutside.txt", f"/fade/{secret}",
                           "/fade//etc/passwd", "/fade/%2e%2e/outside.txt", "/fade/..",
                           "/fade/index.html%00.js"):
                self.assertEqual(served.request("GET", target).status, 404, target)

    def test_what_is_no_folder_is_refused_at_start(self):
        for value in ("/nowhere/at/all", __file__):
            program = Program("node", "--check-config", "--fade-dir", value)
            self.assertEqual(program.wait(), BAD_CONFIGURATION, program.output())
            self.assertIn(f"REPRAM_FADE_DIR={value}", program.output())


class Off(Case):
    def test_a_node_without_pages_serves_none_and_sends_no_browser_there(self):
        served = node(REPRAM_FADE="off")
        for target in ("/fade", "/fade/", "/fade/favicon.svg"):
            self.assertEqual(served.request("GET", target).status, 404)
        self.assertEqual(served.request("GET", "/", headers={"Accept": "text/html"}).status, 200)


if __name__ == "__main__":
    harness.main()
