"""Refusals at the start: they name the setting, its value and the allowed values, with exit code
78."""

import os
import re
import signal
import tempfile

import harness
from harness import Case, Program, cli, wait_until

BAD_CONFIGURATION = 78

# Setting, value, and where it is more than one, the rest of the environment.
REFUSED = [
    ("BASE_PORT", "0"), ("BASE_PORT", "65536"), ("BASE_PORT", "80x"), ("BASE_PORT", "-1"),
    ("BASE_PORT", "65530"),  # the range would end past the last port
    ("MAX_PORTS", "0"), ("MAX_PORTS", "many"),
    ("NODE_COUNT", "0"), ("NODE_COUNT", "11"), ("NODE_COUNT", "three"),
    ("REPLICATION_FACTOR", "0"), ("REPLICATION_FACTOR", "1.5"), ("REPLICATION_FACTOR", "64"),
    ("REPRAM_HTTP_PORT", "70000"),
    ("REPRAM_BIND", "not an address"),
    ("REPRAM_DISCOVERY", "port-range,carrier-pigeon"),
    ("REPRAM_CLAIM_CHECK", "perhaps"),
    ("REPRAM_FLUX_API", "ftp://example.org"), ("FLUX_APP_NAME", "../fade"),
    ("REPRAM_PEERS", "host-without-port"), ("REPRAM_PEERS", "host:0"), ("REPRAM_PEERS", "a:1,:2"),
    ("REPRAM_DEFAULT_TTL", "soon"), ("REPRAM_MIN_TTL", "0"), ("REPRAM_MIN_TTL", "-5"),
    ("REPRAM_MAX_TTL", "99999999999999999999"),
    ("REPRAM_MAX_VALUE_SIZE", "10QiB"), ("REPRAM_MAX_VALUE_SIZE", "0"),
    ("REPRAM_MAX_STORAGE_MB", "-1"), ("REPRAM_MAX_STORAGE_MB", "lots"),
    ("REPRAM_WRITE_TIMEOUT", "0"), ("REPRAM_RATE_LIMIT", "-1"),
    ("REPRAM_MAX_CONNECTIONS", "none"), ("REPRAM_IDLE_TIMEOUT", "0"),
    ("REPRAM_TRUST_PROXY", "10.0.0.0/33"), ("REPRAM_TRUST_PROXY", "maybe"),
    ("REPRAM_FADE", "perhaps"), ("REPRAM_FADE_DIR", "/nowhere"),
    ("REPRAM_LOG_LEVEL", "loud"), ("REPRAM_LOG_FORMAT", "xml"),
    ("REPRAM_CORS", "example.org"), ("REPRAM_CORS", "https://a.example/"), ("REPRAM_CORS", "null"),
    ("REPRAM_ACL_FILE", "/nowhere"),
]


def check(env, *arguments):
    """Exit code and output of `launch --check-config` with these settings."""
    program = Program("launch", "--check-config", *arguments, env=env)
    return program.wait(), program.output()


class Refused(Case):
    def test_a_bad_value_is_named_with_its_setting(self):
        for name, value in REFUSED:
            with self.subTest(name=name, value=value):
                code, output = check({name: value})
                self.assertEqual(code, BAD_CONFIGURATION, output)
                self.assertIn(name, output)
                self.assertIn(value.split(",")[-1], output)

    def test_ttl_bounds_that_cross_are_refused(self):
        code, output = check({"REPRAM_MIN_TTL": "600", "REPRAM_MAX_TTL": "300"})
        self.assertEqual(code, BAD_CONFIGURATION, output)

    def test_typo_in_secret_exits_78(self):
        key = cli("keygen").stdout.decode().strip()
        for secret, problem in (
                ("do-not-print-this-one", "item 1 is neither a key"), (f"{key},", "item 2 is empty"),
                (f"open,{key[:-1]}", "item 2 is 50 characters long, a key is 51"),
                (key[:9] + ("b" if key[9] == "a" else "a") + key[10:], "item 1 is mistyped"),
                (f"{key},{key}", "item 2 is the same as item 1")):
            for command in ("launch", "node"):
                with self.subTest(problem=problem, command=command):
                    program = Program(command, "--print-config", env={"REPRAM_CLUSTER_SECRET": secret})
                    self.assertEqual(program.wait(), BAD_CONFIGURATION, program.output())
                    self.assertIn(problem, program.output())
                    for piece in (secret, key, key[8:20]):
                        self.assertNotIn(piece, program.output())
        code, output = check({"REPRAM_CLUSTER_SECRET": f"{key},open"})
        self.assertEqual(code, 0, output)

    def test_aliases_that_differ_are_refused_with_both_names(self):
        code, output = check({"REPLICATION_FACTOR": "2", "REPRAM_REPLICATION": "3"})
        self.assertEqual(code, BAD_CONFIGURATION, output)
        self.assertIn("REPLICATION_FACTOR", output)
        self.assertIn("REPRAM_REPLICATION", output)

    def test_aliases_that_agree_are_taken(self):
        self.assertEqual(check({"REPLICATION_FACTOR": "2", "REPRAM_REPLICATION": "2"})[0], 0)


class Unknown(Case):
    def test_an_unknown_name_is_a_warning_and_with_strict_an_error(self):
        code, output = check({"REPRAM_NO_SUCH_THING": "1"})
        self.assertEqual(code, 0, output)
        self.assertIn("REPRAM_NO_SUCH_THING", output)
        code, output = check({"REPRAM_NO_SUCH_THING": "1"}, "--strict")
        self.assertEqual(code, BAD_CONFIGURATION, output)

    def test_what_kubernetes_injects_is_ignored(self):
        code, output = check({"REPRAM_SERVICE_HOST": "10.0.0.1", "REPRAM_SERVICE_PORT": "8081",
                              "REPRAM_PORT": "tcp://10.0.0.1:8081",
                              "REPRAM_PORT_8081_TCP": "tcp://10.0.0.1:8081"}, "--strict")
        self.assertEqual(code, 0, output)
        for scheme in ("udp", "sctp"):
            code, output = check({"REPRAM_PORT": f"{scheme}://10.0.0.1:8081"}, "--strict")
            self.assertEqual(code, 0, output)


class Sources(Case):
    def test_flag_over_environment_over_file_over_default(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("# a comment\nREPRAM_DEFAULT_TTL=700\nREPRAM_LOG_LEVEL=warn\n")
            file.flush()
            program = Program("launch", "--config", file.name, "--print-config",
                              env={"REPRAM_DEFAULT_TTL": "800"})
            self.assertEqual(program.wait(), 0)
            output = program.output()
        lines = {line.split("=")[0].split()[0]: line for line in output.splitlines()
                 if line.strip() and line[0].isalpha()}
        self.assertIn("800", lines["REPRAM_DEFAULT_TTL"])
        self.assertIn("env", lines["REPRAM_DEFAULT_TTL"].lower())
        self.assertIn("warn", lines["REPRAM_LOG_LEVEL"])
        self.assertIn(file.name, lines["REPRAM_LOG_LEVEL"])
        self.assertIn("default", lines["REPRAM_MAX_TTL"].lower())

    def test_a_fifo_that_nobody_writes_to_is_refused_and_one_that_is_written_is_read(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "fifo")
            os.mkfifo(path)
            silent = [Program("node", "--check-config", "--config", path),
                      Program("node", "--check-config", env={"REPRAM_CLUSTER_SECRET_FILE": path})]
            for program, name in zip(silent, (f"--config {path}", "REPRAM_CLUSTER_SECRET_FILE")):
                self.assertEqual(program.wait(), BAD_CONFIGURATION)
                self.assertIn(name, program.output())
                self.assertIn("cannot be read: nobody has written to it for 5 s", program.output())
            program = Program("node", "--print-config", "--config", path)
            with open(path, "w", encoding="ascii") as file:
                file.write("REPRAM_LOG_LEVEL=warn\n")
            self.assertEqual(program.wait(), 0, program.output())
            self.assertRegex(program.output(), r"REPRAM_LOG_LEVEL\s+warn\s+file .* line 1")

    def test_a_fifo_is_no_file_for_nodes_of_a_launcher_and_is_read_no_second_time(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "fifo")
            os.mkfifo(path)
            program = Program("launch", "--config", path)
            self.assertEqual(program.wait(), BAD_CONFIGURATION)
            self.assertIn(f"--config {path}", program.output())
            self.assertIn("it is a pipe", program.output())
            program = Program("node", "--config", path)
            with open(path, "w", encoding="ascii") as file:
                file.write("REPRAM_LOG_LEVEL=info\n")
            wait_until(lambda: "serves on port" in program.output(), "the node serves")
            program.signal(signal.SIGHUP)
            wait_until(lambda: "no setting has changed: --config" in program.output(), "HUP was answered")
            self.assertIn("it is a pipe", program.output())
            program.kill()

    def test_no_descriptors_are_a_complaint_and_an_exit_code(self):
        program = Program("node", prefix=("bash", "-c", 'ulimit -n 5; exec "$0" "$@"'))
        self.assertEqual(program.wait(), 1)
        self.assertIn("the node ends: ", program.output())
        self.assertIn("Too many open files", program.output())

    def test_a_file_that_cannot_be_read_is_refused(self):
        program = Program("launch", "--config", "/nonexistent/repram.conf", "--check-config")
        self.assertIn(program.wait(), (BAD_CONFIGURATION, 2))
        self.assertIn("/nonexistent/repram.conf", program.output())


def bounds():
    """(setting, value) for the least and the greatest number that `help settings` allows each."""
    number = re.compile(r"(?m)^([A-Z_]+)(?:, .*)?\n(?:    .*\n)*?"
                        r"    default: .*allowed: .*?(\d+[a-z]*) to (\d+[a-z]*)\b.*; flag")
    return [(name, value) for name, *values in number.findall(cli("help", "settings").stdout.decode())
            for value in values]


class Bounds(Case):
    def test_a_node_serves_with_whatever_its_check_has_found_good(self):
        self.assertIn(("REPLICATION_FACTOR", "63"), bounds())
        for name, value in bounds():
            with self.subTest(name=name, value=value):
                if name in ("BASE_PORT", "REPRAM_HTTP_PORT") and value == "1" and os.geteuid() != 0:
                    continue  # the first ports are root's
                env = {"BASE_PORT": harness.free_base(), name: value}
                code, output = check({**env, "NODE_COUNT": 1})
                if code == BAD_CONFIGURATION:
                    self.assertIn(name, output)  # it does not fit the default of another
                    continue
                node = Program("node", env=env)
                wait_until(lambda: "serves on port" in node.output()
                           or node.process.poll() is not None, "a node serves or ends")
                self.assertIsNone(node.process.poll(), node.output())
                node.kill()


@harness.needs_isolation
class Loopback(Case):
    """RFC 6761: localhost is loopback, also where no file and no server says so."""

    @classmethod
    def setUpClass(cls):
        for path in ("/etc/hosts", "/etc/resolv.conf"):
            harness.run("mount", "--bind", "/dev/null", os.path.realpath(path))

    @classmethod
    def tearDownClass(cls):
        for path in ("/etc/hosts", "/etc/resolv.conf"):
            harness.run("umount", os.path.realpath(path))

    def test_names_of_loopback_are_settings_that_resolve(self):
        for name in ("localhost", "LOCALHOST", "fade.localhost"):
            code, output = check({"DISCOVERY_DOMAIN": name, "REPRAM_ADDRESS": name})
            self.assertEqual((code, output), (0, "the configuration is good\n"))
        code, output = check({"DISCOVERY_DOMAIN": "localhost.example"})
        self.assertEqual(code, 0)  # it may resolve later
        self.assertIn("warning: DISCOVERY_DOMAIN=localhost.example (environment DISCOVERY_DOMAIN) does "
                      "not resolve now", output)
        code, output = check({"DISCOVERY_DOMAIN": "localhost.example"}, "--strict")
        self.assertEqual(code, BAD_CONFIGURATION, output)

    def test_nodes_find_each_other_and_clients_find_them_by_such_a_name(self):
        _, nodes = harness.cluster(2, env={"DISCOVERY_DOMAIN": "fade.localhost"})
        self.assertEqual(nodes[0].put("k", b"v").status, 201)
        for name in ("localhost", "fade.localhost"):
            got = harness.cli("get", "k", "--server", f"{name}:{nodes[1].port}")
            self.assertEqual((got.returncode, got.stdout), (0, b"v"), got.stderr)


if __name__ == "__main__":
    harness.main()
