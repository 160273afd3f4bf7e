"""The recipes of docs/security.md on real clusters: sealing one, changing its key and opening it under
load, without a refused write or a death; and what is not to be seen of a secret from outside."""

import base64
import json
import os
import re
import signal
import socket
import tempfile
import threading

import yaml

import harness
from harness import Case, Launcher, Node, Program, cli, wait_formed, wait_until


def new_key():
    return cli("keygen").stdout.decode().strip()


class Load:
    """Writes to all nodes in turn, from a thread, until it is asked what came of them."""

    def __init__(self, nodes):
        self.nodes, self.statuses, self.is_over = list(nodes), {}, False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        number = 0
        while not self.is_over:
            node = self.nodes[number % len(self.nodes)]
            try:
                answer = node.put(f"load/{number}", f"value {number}")
                status = answer.status if answer.status == 201 else f"{answer.status} of {node}: {answer.body}"
            except OSError as error:
                status = str(error)
            self.statuses[status] = self.statuses.get(status, 0) + 1
            number += 1

    def end(self):
        self.is_over = True
        self.thread.join(30)
        return self.statuses


class Sealed(Case):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, "secret")
        self.env = {"REPRAM_CLUSTER_SECRET_FILE": self.path}

    def write(self, text, path=None):
        """As an editor does: a new file in the old one's place."""
        path = path or self.path
        with open(path + ".new", "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text + "\n")
        os.replace(path + ".new", path)

    def apart(self, count, text):
        """Nodes with a secret file each, which knows the others."""
        base = harness.free_base(count)
        nodes = []
        for i in range(count):
            path = f"{self.path}-{i}"
            self.write(text, path)
            nodes.append(self.start(base, count, path))
        return wait_formed(nodes, 30)

    @staticmethod
    def start(base, count, path):
        node = Node(base, max_ports=count, env={"REPRAM_CLUSTER_SECRET_FILE": path})
        node.path = path
        return node

    def step(self, nodes, text):
        """One step on each of the nodes."""
        for node in nodes:
            self.write(text, node.path)
            node.signal(signal.SIGHUP)

    @staticmethod
    def states(nodes):
        return {node.status()["sealing"]["state"] for node in nodes}

    @staticmethod
    def keys_are(nodes, count):
        return all(len(node.status()["sealing"]["keys"]) == count for node in nodes)

    @staticmethod
    def status_keys(node):
        done = cli("status", "--keys", "--server", f"127.0.0.1:{node.port}")
        return done.returncode, done.stdout.decode()

    @staticmethod
    def ring(node):
        return [key["id"] for key in node.status()["sealing"]["keys"]]

    def await_ring(self, nodes, *ids):
        wait_until(lambda: all(self.ring(node) == list(ids) for node in nodes), f"all have {ids}")

    def await_lines(self, node, code, *lines):
        """What `repram status --keys` says of steps, once it does; `code`: what it ends with."""
        def said():
            done, shown = self.status_keys(node)
            found = re.findall(r"(?m)^  (may|wait) +(\S.*)$", shown)
            return done == code and len(found) == len(lines) and all(
                re.fullmatch(line, f"{word} {rest}") for line, (word, rest) in zip(lines, found))
        try:
            wait_until(said, f"{node} says {lines}", 30)
        except AssertionError as error:
            raise AssertionError(f"{error}; it says {self.status_keys(node)}") from error

    def wait_green(self, nodes):
        for node in nodes:
            wait_until(lambda n=node: self.status_keys(n)[0] == 0, f"{node} turns green", 30)

    def assert_unharmed(self, nodes, load):
        statuses = load.end()
        self.assertEqual(set(statuses), {201}, statuses)
        self.assertGreater(statuses[201], 20)
        for node in nodes:
            self.assertNotRegex(node.output(), r" is dead\b")
        wait_until(lambda: harness.converged(nodes), "the digests are equal", 30)


class Rotation(Sealed):
    def test_rotate_4_nodes_under_load_no_202_no_death(self):
        nodes = self.apart(4, new_key())
        with open(nodes[0].path, encoding="ascii") as file:
            a = file.read().strip()
        b, (old,) = new_key(), self.ring(nodes[0])
        load = Load(nodes)
        self.step(nodes[:2], f"{a},{b}")
        wait_until(lambda: self.keys_are(nodes[:2], 2), "two nodes have both keys")
        new = self.ring(nodes[0])[1]
        # The other two do not hold the new key, and know that they have missed something.
        self.await_lines(nodes[0], 1, rf"wait take {old} away \(3 of 3 members still send under it: .*\)",
                         rf"wait put {new} first \(2 of 3 members do not hold {new}: \S+, \S+\)",
                         rf"may take {new} away \(no member sends under it\)")
        self.await_lines(nodes[2], 1, r"wait any step \(2 of 3 members hold a key that this node does not: .*\)")
        self.step(nodes[2:], f"{a},{b}")
        self.await_ring(nodes, old, new)
        for node in nodes:
            self.await_lines(node, 0, rf"wait take {old} away \(3 of 3 members still send under it: .*\)",
                             rf"may put {new} first \(all members hold it\)",
                             rf"may take {new} away \(no member sends under it\)")
        # Within the next one, whoever is late and whoever is not say so alike.
        self.step(nodes[1:], f"{b},{a}")
        self.await_ring(nodes[1:], new, old)
        late = nodes[0].health()["node_id"]
        for node in nodes[1:]:
            self.await_lines(node, 1, rf"wait take {new} away \(2 of 3 members still send under it: .*\)",
                             rf"may put {old} first \(all members hold it\)",
                             rf"wait take {old} away \(1 of 3 members still send under it: {late}\)")
        self.await_lines(nodes[0], 1, rf"wait take {old} away \(this node sends under it\)",
                         rf"may put {new} first \(all members hold it\)",
                         rf"wait take {new} away \(3 of 3 members still send under it: .*\)")
        self.step(nodes[:1], f"{b},{a}")
        self.await_ring(nodes, new, old)
        for node in nodes:
            self.await_lines(node, 0, rf"wait take {new} away \(3 of 3 members still send under it: .*\)",
                             rf"may put {old} first \(all members hold it\)",
                             rf"may take {old} away \(no member sends under it\)")
        self.step(nodes[:3], b)
        self.await_ring(nodes[:3], new)
        late = nodes[3].health()["node_id"]
        self.await_lines(nodes[0], 1, rf"wait any step \(1 of 3 members hold a key that this node does not: {late}\)")
        self.step(nodes[3:], b)
        self.await_ring(nodes, new)
        for node in nodes:
            self.await_lines(node, 0)
        wait_formed(nodes)
        self.assert_unharmed(nodes, load)
        self.assertEqual(self.states(nodes), {"sealed"})

    def test_rotate_with_one_node_down_then_back_and_hup_in_any_order_and_all_at_once(self):
        a, b = new_key(), new_key()
        nodes = self.apart(4, a)
        base = min(node.port for node in nodes)
        gone = nodes.pop(1)
        self.assertEqual(gone.stop(), 0)
        load = Load(nodes)
        self.step(nodes, f"{a},{b}")
        self.wait_green(nodes)
        # Skips the step of which it heard nothing, and takes the next with the others.
        self.write(f"{b},{a}", gone.path)
        self.step(list(reversed(nodes)), f"{b},{a}")
        back = self.start(base, 4, gone.path)
        nodes.append(back)
        wait_formed(nodes, 30)
        load.nodes.append(back)  # until it was ready it refused writes
        self.wait_green(nodes)
        for node in nodes:
            self.write(b, node.path)
        for node in nodes:
            node.signal(signal.SIGHUP)
            node.signal(signal.SIGHUP)
        wait_until(lambda: self.keys_are(nodes, 1), "all have taken the last step")
        wait_formed(nodes, 30)
        self.assert_unharmed(nodes, load)

    def test_open_to_sealed_under_load_and_back_and_mixed_says_so_everywhere(self):
        key = new_key()
        nodes = self.apart(3, "open")
        self.assertEqual(self.states(nodes), {"open"})
        load = Load(nodes)
        for text, state in ((f"open,{key}", "mixed"), (f"{key},open", "mixed"), (key, "sealed"),
                            (f"{key},open", "mixed"), (f"open,{key}", "mixed"), ("open", "open")):
            self.step(nodes, text)
            wait_until(lambda t=text: self.keys_are(nodes, t.count(",") + 1), f"the step to {state}")
            wait_until(lambda s=state: self.states(nodes) == {s}, state)
            if state == "mixed":
                shown = cli("status", "--server", f"127.0.0.1:{nodes[0].port}").stdout.decode()
                self.assertRegex(shown, r"sealing.state\s+mixed")
                self.assertIn("mixed; other members: 2; dead, and not counted: 0", self.status_keys(nodes[0])[1])
                self.assertIn("mixed: keys", nodes[0].output())
                self.assertIn("can choose it", nodes[0].output())
            name = next((each for each in self.ring(nodes[0]) if each != "open"), None)
            ring = [word if word == "open" else name for word in text.split(",")]
            self.await_ring(nodes, *ring)
            for node in nodes:
                self.await_lines(node, 0, *(() if len(ring) == 1 else (
                    rf"wait take {ring[0]} away \(2 of 2 members still send under it: .*\)",
                    rf"may put {ring[1]} first \(all members hold it\)",
                    rf"may take {ring[1]} away \(no member sends under it\)")))
            wait_formed(nodes, 30)
        self.assert_unharmed(nodes, load)
        metrics = nodes[0].metrics()
        self.assertGreater(metrics['repram_seal_packets_total{key="open"}'], 0)
        self.assertEqual(metrics['repram_seal_members{key_state="first"}'], 2)

    def test_from_a_key_straight_to_open_a_skipped_step_only_delays(self):
        """Who still holds the key writes under it to who has `open` alone, until a plain link brings his card."""
        key = new_key()
        nodes = self.apart(3, key)
        self.step(nodes[:1], "open")
        self.await_ring(nodes[:1], "open")
        self.step(nodes[1:], f"{key},open")
        wait_until(lambda: self.states(nodes[1:]) == {"mixed"}, "the others are mixed")
        wait_formed(nodes, 60)
        self.step(nodes[1:], "open")
        for node in nodes:
            self.await_lines(node, 0)
        wait_formed(nodes, 60)
        wait_until(lambda: harness.converged(nodes), "the digests are equal", 30)

    def test_a_bad_ring_on_hup_keeps_the_old_one_and_who_would_be_cut_off_is_named(self):
        a, b = new_key(), new_key()
        nodes = self.apart(2, a)
        for text, problem in (("a phrase", "item 1 has a blank"), ("", "item 1 is empty"),
                              (f"{b},{b}", "item 2 is the same as item 1")):
            self.step(nodes[:1], text)
            wait_until(lambda p=problem: "no setting has changed: REPRAM_CLUSTER_SECRET" in nodes[0].output()
                       and p in nodes[0].output(), problem)
        os.unlink(nodes[0].path)
        nodes[0].signal(signal.SIGHUP)
        wait_until(lambda: "cannot be read: No such file" in nodes[0].output(), "the file is missed")
        self.assertTrue(harness.formed(nodes))
        self.assertEqual(self.states(nodes), {"sealed"})
        self.step(nodes[:1], f"{b},{a}")
        name = nodes[1].health()["node_id"]
        wait_until(lambda: re.search(f"cut off by taking the others away: .*{name}", nodes[0].output()),
                   "who lacks the first key is named")
        self.assertEqual(self.status_keys(nodes[0])[0], 1)


def memory_of(pid):
    """What a process could give away of itself: its readable memory."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as file:
        maps = [line.split() for line in file]
    found = []
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for row in maps:
            begin, end = (int(part, 16) for part in row[0].split("-"))
            if "r" in row[1] and not (len(row) > 5 and row[5].startswith("[v")):
                try:
                    memory.seek(begin)
                    found.append(memory.read(end - begin))
                except (OSError, ValueError, OverflowError):
                    pass
    return found


class Unseen(Sealed):
    def test_secret_in_no_log_status_config_environ_core(self):
        key = new_key()
        raw = base64.urlsafe_b64decode(key[4:47] + "=")
        for env in ({"REPRAM_CLUSTER_SECRET": key}, self.env):
            self.write(key)
            launcher = Launcher(2, env={**env, "REPRAM_LOG_LEVEL": "debug"})
            nodes = wait_formed(launcher.nodes())
            wait_until(lambda: "sealing: sealed" in launcher.output(), "the table is there")
            pids = [launcher.pid, *launcher.node_pids().values()]
            for pid in pids:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    self.assertNotIn(key.encode(), file.read())
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    self.assertNotIn(key[4:20].encode(), file.read())
                # The sanitizers keep a copy of the environment, and terabytes about memory.
                for piece in () if harness.SANITIZED else memory_of(pid):
                    self.assertFalse(key.encode() in piece, f"pid {pid} of {pids} has its text")
                    self.assertFalse(raw in piece, f"pid {pid} of {pids} has its bytes")
            config = Program("launch", "--print-config", env=env)
            self.assertEqual(config.wait(), 0)
            self.assertIn("(secret)", config.output())
            shown = config.output() + launcher.output()
            for node in nodes:
                shown += json.dumps(node.status()) + node.request("GET", "/metrics").body.decode()
            self.assertNotIn(key[4:20], shown)
            self.assertEqual(launcher.stop(), 0)

    def test_a_sealed_node_leaves_no_core_and_its_user_cannot_look_into_it(self):
        """Files in /proc belong to root while a process may not be dumped."""
        nobody = 65534
        os.chmod(self.folder.name, 0o755)
        self.write(new_key())
        os.chown(self.path, nobody, nobody)
        owners = {}
        for name, env in (("open", {}), ("sealed", self.env)):
            node = Node(harness.free_base(), env={**env, "REPRAM_BIND": "127.0.0.1"}, prefix=(
                "setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups"))
            owners[name] = os.stat(f"/proc/{node.pid}/mem").st_uid
            self.assertGreater(node.metrics()["process_open_fds"], 5)  # it still sees itself
            self.assertEqual(node.stop(), 0)
        self.assertEqual(owners, {"open": nobody, "sealed": 0})

    def test_a_secret_that_comes_by_hup_closes_the_process_and_one_that_goes_stays(self):
        """In the file of settings, or in the one that it names."""
        nobody, key = 65534, new_key()
        os.chmod(self.folder.name, 0o755)
        config = os.path.join(self.folder.name, "config")
        prefix = ("setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups")

        def write(text):
            for path, content in ((self.path, f"open,{key}"), (config, text)):
                self.write(content, path)
                os.chown(path, nobody, nobody)
        for command, secret in (("node", f"REPRAM_CLUSTER_SECRET=open,{key}"),
                                ("launch", f"REPRAM_CLUSTER_SECRET_FILE={self.path}")):
            with self.subTest(command=command):
                write("REPRAM_LOG_LEVEL=info")
                base = harness.free_base(1)
                program = Program(command, "--config", config, prefix=prefix, env={
                    "REPRAM_BIND": "127.0.0.1", "BASE_PORT": base, "MAX_PORTS": 1, "NODE_COUNT": 1})
                node = harness.Client(base)
                wait_until(node.is_ready, "the node is ready")
                pids = [program.pid, *harness.children(program.pid)]

                def owners(pids=pids):
                    return {os.stat(f"/proc/{pid}/mem").st_uid for pid in pids}
                self.assertEqual(owners(), {nobody})
                write(secret)
                program.signal(signal.SIGHUP)
                wait_until(lambda n=node: self.states([n]) == {"mixed"}, "the node has the key")
                wait_until(lambda: owners() == {0}, "nobody can look into them")
                self.assertNotIn("the keys stay", program.output())
                write("REPRAM_LOG_LEVEL=info")
                program.signal(signal.SIGHUP)
                said = "REPRAM_CLUSTER_SECRET is in no file that is read again: the keys stay as they are"
                wait_until(lambda p=program, n=len(pids): p.output().count(said) == n, "each says so")
                self.assertEqual(self.states([node]), {"mixed"})
                self.assertEqual(program.stop(), 0)

    def test_a_packet_capture_holds_no_key_and_no_value(self):
        key, value = new_key(), "a-value-that-nobody-on-the-path-may-read"
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        wire.bind(("lo", 0))
        wire.settimeout(0.2)
        captured, is_over = bytearray(), threading.Event()

        def capture():
            while not is_over.is_set():
                try:
                    captured.extend(wire.recv(1 << 17))
                except socket.timeout:
                    pass
        thread = threading.Thread(target=capture, daemon=True)
        thread.start()
        found = {}
        for name, env in (("sealed", self.env), ("open", {})):
            self.write(key)
            base = harness.free_base(2)
            nodes = wait_formed([Node(base, max_ports=2, env=env) for _ in range(2)])
            captured.clear()
            self.assertEqual(self.put_in_pieces(nodes[0].port, value.encode()), 201)
            # Nothing later is on the wire before what came earlier.
            nodes[0].put("last", "the last of it")
            wait_until(lambda: b"the last of it" in captured, "all was captured")
            found[name] = value.encode() in captured
            self.assertNotIn(key.encode(), captured)
            for node in nodes:
                self.assertEqual(node.stop(), 0)
        is_over.set()
        thread.join(5)
        wire.close()
        self.assertEqual(found, {"sealed": False, "open": True})

    @staticmethod
    def put_in_pieces(port, body):
        """A PUT whose value comes a byte a chunk, so that it stands nowhere whole on the wire."""
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"PUT /data/hidden?ttl=600 HTTP/1.1\r\nHost: n\r\n"
                               b"Transfer-Encoding: chunked\r\n\r\n")
            connection.sendall(b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n")
            return int(connection.recv(65536).split()[1])


class Deployed(Case):
    """What deploy/ says of the secret's file is one file, where the platform puts it."""

    @staticmethod
    def read(name):
        with open(os.path.join(os.environ["REPRAM_SOURCE_DIR"], "deploy", name), encoding="utf-8") as file:
            return file.read()

    def test_the_secret_is_a_file_where_its_setting_says(self):
        compose = yaml.safe_load(self.read("compose.sealed.yaml"))
        service = compose["services"]["repram"]
        self.assertIn("repram", yaml.safe_load(self.read("compose.yaml"))["services"])
        self.assertEqual(service["environment"]["REPRAM_CLUSTER_SECRET_FILE"],
                         f"/run/secrets/{service['secrets'][0]}")
        self.assertIn(service["secrets"][0], compose["secrets"])
        patch = yaml.safe_load(self.read("kubernetes-sealed.yaml"))
        base = [each for each in yaml.safe_load_all(self.read("kubernetes.yaml"))
                if (each["kind"], each["metadata"]["name"]) == (patch["kind"], patch["metadata"]["name"])]
        container, = patch["spec"]["template"]["spec"]["containers"]
        mount, = container["volumeMounts"]
        volume, = patch["spec"]["template"]["spec"]["volumes"]
        self.assertEqual([each["name"] for each in base[0]["spec"]["template"]["spec"]["containers"]],
                         [container["name"]])
        self.assertEqual(container["env"], [{"name": "REPRAM_CLUSTER_SECRET_FILE",
                                             "value": f"{mount['mountPath']}/cluster-secret"}])
        self.assertEqual((mount["name"], volume["secret"]["defaultMode"]), (volume["name"], 0o440))
        unit = self.read("repram.service.d-sealed.conf")
        self.assertRegex(unit, r"(?m)^LoadCredential=cluster-secret:/")
        self.assertIn("REPRAM_CLUSTER_SECRET_FILE=%d/cluster-secret\n", unit)
        job = self.read("repram.nomad.hcl")
        self.assertRegex(job, r'change_mode\s+= "signal"\s+change_signal = "SIGHUP"')
        self.assertRegex(job, r'destination\s+= "secrets/cluster-secret"')
        self.assertIn('REPRAM_CLUSTER_SECRET_FILE = var.sealed ? "/secrets/cluster-secret" : ""', job)


class Handed(Sealed):
    def test_a_fifo_and_credentials_of_systemd_are_read_once_and_handed_to_all_nodes(self):
        key = new_key()
        os.mkfifo(self.path)
        launcher = Launcher(2, env=self.env)
        with open(self.path, "w", encoding="ascii") as file:
            file.write(key + "\n")
        nodes = wait_formed(launcher.nodes())
        self.assertEqual(self.states(nodes), {"sealed"})
        # As LoadCredential= of systemd: a folder that the environment names.
        folder = os.path.join(self.folder.name, "credentials")
        os.mkdir(folder, 0o700)
        self.write(key, os.path.join(folder, "cluster-secret"))
        base = min(node.port for node in nodes)
        third = Node(base, env={"CREDENTIALS_DIRECTORY": folder}, prefix=(
            "sh", "-c", 'export REPRAM_CLUSTER_SECRET_FILE="$CREDENTIALS_DIRECTORY/cluster-secret"; exec "$0" "$@"'))
        wait_formed([*nodes, third])
        self.assertEqual(self.states([third]), {"sealed"})

    def test_the_launcher_hands_a_changed_ring_to_nodes_that_start_later(self):
        a, b = new_key(), new_key()
        self.write(a)
        launcher = Launcher(2, env=self.env)
        nodes = wait_formed(launcher.nodes())
        # As HEALTHCHECK and scripts beside it ask, with the same environment.
        env = {**self.env, "BASE_PORT": launcher.base, "NODE_COUNT": 2}
        for words in (("health", "--all"), ("wait", "--members", "2", "--converged")):
            done = cli(*words, env=env)
            self.assertEqual(done.returncode, 0, done.stderr)
        for text in (f"{a},{b}", f"{b},{a}"):
            self.write(text)
            launcher.signal(signal.SIGHUP)
            wait_until(lambda: self.keys_are(nodes, 2), "all nodes have both keys")
            self.wait_green(nodes)
        # A file that has gone bad since does not keep a node from coming back.
        self.write("nonsense")
        launcher.signal(signal.SIGHUP)
        wait_until(lambda: launcher.output().count("no setting has changed: ") >= 2, "it is refused")
        os.kill(next(iter(launcher.node_pids().values())), signal.SIGKILL)
        wait_until(lambda: launcher.output().count("serves on port") >= 3, "a node comes back")
        nodes = wait_formed(launcher.nodes(), 30)
        self.assertEqual(self.states(nodes), {"sealed"})
        self.assertTrue(self.keys_are(nodes, 2))


if __name__ == "__main__":
    harness.main()
