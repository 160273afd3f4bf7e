"""The commands of docs/security.md, and those in the head of deploy/kubernetes-sealed.yaml, as they stand there,
run by a shell: whoever copies them gets what the page says."""

import json
import os
import re
import signal
import subprocess
import tempfile

import harness
from harness import BINARY, SOURCE_DIR, Case, Node, cli, wait_formed, wait_until

# Where `pgrep -x -o repram` finds the launcher of the recipe, and no other.
ALONE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


def read(*path):
    with open(os.path.join(SOURCE_DIR, *path), encoding="utf-8") as file:
        return file.read()


def recipe(page, words):
    """The one block of commands on the page that has these words."""
    found = [block for block in re.findall(r"```sh\n(.*?)```", read(*page), re.DOTALL) if words in block]
    if len(found) != 1:
        raise AssertionError(f"{len(found)} blocks of {page} have {words!r}")
    return found[0]


def key_ids(node):
    return [key["id"] for key in node.status()["sealing"]["keys"]]


def in_background(block):
    """The launcher of a recipe stays in the foreground, for whoever has another terminal."""
    lines = [line + " > log 2>&1 &\nuntil curl -fso /dev/null http://localhost:8081/readyz; do sleep 0.05; done"
             if line.endswith("repram launch") else line for line in block.splitlines()]
    if "\n".join(lines) == block.rstrip("\n"):
        raise AssertionError("no launcher is started")
    return "\n".join(lines)


class Recipes(Case):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        os.mkdir(os.path.join(self.folder.name, "bin"))
        os.symlink(BINARY, os.path.join(self.folder.name, "bin", "repram"))

    def read(self, name):
        with open(os.path.join(self.folder.name, name), encoding="utf-8") as file:
            return file.read()

    def shell(self, *pieces):
        """Runs them one after the other, and returns what was printed; a command that fails ends all."""
        env = {"PATH": os.path.join(self.folder.name, "bin") + ":" + os.environ["PATH"], "HOME": self.folder.name}
        done = subprocess.run([*ALONE, "bash", "-euo", "pipefail", "-c", "\n".join(pieces)], env=env, capture_output=True,
                              cwd=self.folder.name, timeout=60 * harness.SLOW, check=False)
        log = os.path.join(self.folder.name, "log")
        said = self.read("log") if os.path.exists(log) else ""
        self.assertEqual(done.returncode, 0, (done.stdout + done.stderr).decode() + said)
        return done.stdout.decode()


@harness.needs_isolation
class Security(Recipes):
    PAGE = ("docs", "security.md")
    AS_ROOT_OF_RULES = "user root sha256:4813494d137e1631bba301d5acab6e7bb7aa74ce1185d456565ef51d737677b2\nallow all\n"

    def test_sealing_and_changing_the_key(self):
        said = self.shell(
            in_background(recipe(self.PAGE, "repram keygen --out secret\nREPRAM_CLUSTER_SECRET_FILE=secret repram launch")),
            "curl -fsS http://localhost:8081/status > before",
            recipe(self.PAGE, "cp -p secret old"),
            "until curl -fsS http://localhost:8081/status > after; grep -q '\"keys\":\\[{[^}]*}\\]' after; do sleep 0.05; done",
            "cmp secret new && ! cmp -s secret old && stat -c %a secret")
        before, after = json.loads(self.read("before"))["sealing"], json.loads(self.read("after"))["sealing"]
        self.assertEqual((before["state"], after["state"]), ("sealed", "sealed"))
        self.assertEqual((len(before["keys"]), len(after["keys"])), (1, 1))
        self.assertNotEqual(before["keys"][0]["id"], after["keys"][0]["id"])
        self.assertTrue(said.endswith("600\n"), said)
        self.assertNotIn("rk1_", said + self.read("log"))

    def test_rules_and_their_revocation(self):
        ask = "curl -s -o /dev/null -w '%{http_code}\\n' -H \"Authorization: Bearer $(cat alice.token)\" " \
              "http://localhost:8081/data/app/x"
        rules = in_background(recipe(self.PAGE, "repram keygen --token alice --out alice.token > acl"))
        self.assertEqual(rules.count("\nREPRAM_ACL_FILE=acl"), 1)
        # Others stand around her in the file, with blanks of other kinds.
        rules = rules.replace("\nrepram acl check", "\ncat root acl root2 > all && mv all acl\nrepram acl check", 1)
        with open(os.path.join(self.folder.name, "root"), "w", encoding="utf-8") as file:
            file.write(self.AS_ROOT_OF_RULES)
        with open(os.path.join(self.folder.name, "root2"), "w", encoding="utf-8") as file:
            file.write("\tuser\t*\n allow status\n")
        said = self.shell(
            "repram keygen --out secret", rules, ask, recipe(self.PAGE, "of_alice"),
            f"until [ \"$({ask})\" = 401 ]; do sleep 0.05; done", ask,
            "curl -fsS http://localhost:8081/status > status")
        self.assertIn("write: allowed by line 4\nallowed: PUT /data/app/x by user alice\n", said)
        self.assertIn("OK200\n", said)
        self.assertTrue(said.endswith("401\n"), said)
        self.assertEqual(self.read("acl"), self.AS_ROOT_OF_RULES + "\tuser\t*\n allow status\n")
        digest = re.search(r"the rules are good: 2 users, 2 lines, digest (\w{16})", said).group(1)
        self.assertEqual(json.loads(self.read("status"))["access"], {"users": 2, "rules": 2, "digest": digest})
        self.assertNotIn("rt1_", self.read("log"))


class Kubernetes(Recipes):
    PATH = ("deploy", "kubernetes-sealed.yaml")

    def commands(self):
        head = read(*self.PATH).split("\napiVersion", 1)[0]
        return [line[3:].strip() for line in head.splitlines() if line.startswith("#   ")]

    def test_its_steps_take_a_cluster_that_runs_from_open_to_sealed(self):
        commands = self.commands()
        made = [line for line in commands if not line.startswith(("kubectl", "for ", "until ", "done"))]
        self.assertEqual(len(made), 2, made)
        self.shell(*made)
        # Which content the pods are replaced with, and which follow by HUP.
        created = [line for line in commands if line.startswith("kubectl create secret generic repram ")]
        steps = [re.search(r"--from-file=cluster-secret=(\w+)", line).group(1) for line in created]
        self.assertEqual(steps, ["step1", "step2"])
        patched = commands.index("kubectl patch statefulset repram --patch-file deploy/kubernetes-sealed.yaml")
        self.assertLess(commands.index(created[0]), patched)
        self.assertLess(patched, commands.index(created[1]))
        self.assertIn("kubectl exec repram-$n -- sh -c 'kill -HUP 1'", commands)

        base = harness.free_base(3)
        nodes = wait_formed([Node(base, 3) for _ in range(3)])
        self.assertEqual(nodes[0].put("before", b"x").status, 201)
        paths = [os.path.join(self.folder.name, f"pod-{number}") for number in range(3)]
        for number, path in enumerate(paths):  # as a rolling update does
            self.replace(path, "step1")
            nodes[number].stop()
            nodes[number] = Node(base, 3, env={"REPRAM_CLUSTER_SECRET_FILE": path})
            wait_formed(nodes, 30)
            self.assertEqual(nodes[number].put(f"during/{number}", b"x").status, 201)
        for step in ("step2", "step3"):
            for node in nodes:
                wait_until(lambda n=node: cli("status", "--keys", "--server", f"127.0.0.1:{n.port}").returncode == 0,
                           "the next step is safe", 30)
            for node, path in zip(nodes, paths):
                before = key_ids(node)
                self.replace(path, step)
                node.signal(signal.SIGHUP)
                wait_until(lambda n=node, old=before: key_ids(n) != old, "the step is taken")
        wait_until(lambda: {node.status()["sealing"]["state"] for node in nodes} == {"sealed"}, "all are sealed", 30)
        wait_formed(nodes, 30)
        for node in nodes:
            for key in ("before", "during/0", "during/1", "during/2"):
                self.assertEqual(node.get(key).status, 200, key)
            self.assertNotRegex(node.output(), r" is dead\b")

    def replace(self, path, step):
        with open(path + ".new", "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(self.read(step))
        os.replace(path + ".new", path)


if __name__ == "__main__":
    harness.main()
