"""Members that are expected before a new enclave begins, and nodes that are bound to one address."""

import harness
from harness import Case, Host, Launcher, Node, formed, stays, wait_formed, wait_until


def reasons(node):
    """The node is ready except that the others cannot take its writes yet, which follows."""
    found = node.request("GET", "/readyz").json()["reasons"]
    return [reason for reason in found if reason != "no_quorum"]


class Expect(Case):
    def nodes(self, base, count, expected, **env):
        return [Node(base, env={"REPRAM_EXPECT_MEMBERS": expected, **env}) for _ in range(count)]

    def test_a_new_enclave_waits_for_its_members_and_says_so(self):
        base = harness.free_base()
        nodes = self.nodes(base, 2, 3)
        for node in nodes:
            wait_until(lambda n=node: reasons(n) == ["joining", "expecting 2 of 3"], "both wait", 5)
            status = node.status()
            self.assertEqual(status["state"], "joining")
            self.assertEqual(status["reasons"][:2], ["joining", "expecting 2 of 3"])
            self.assertEqual(node.metrics()['repram_not_ready{reason="expecting"}'], 1)
            reply = node.put("early", "x")
            self.assertEqual((reply.status, reply.json()["code"]), (503, "joining"))
            self.assertEqual(node.get("early").json()["code"], "joining")
        stays(lambda: not any(node.is_ready() for node in nodes), "both wait", 2)
        nodes += self.nodes(base, 1, 3)
        wait_formed(nodes, 5)
        for node in nodes:
            self.assertEqual(node.put(f"on-{node.port}", "x").status, 201)
        self.assertIn("waiting for the members of a new enclave: 2 of 3", nodes[0].output())

    def test_wait_returns_only_when_the_members_take_writes(self):
        base = harness.free_base()
        env = {"BASE_PORT": base}
        nodes = self.nodes(base, 2, 3)
        for node in nodes:
            wait_until(lambda n=node: len(n.alive()) == 1, "it knows the other", 5)
        done = harness.cli("wait", "--members", "2", "--timeout", "500ms", env=env)
        self.assertEqual((done.returncode, done.stdout), (harness.FAILED, b""))
        self.assertRegex(done.stderr.decode(), r"not after 500 ms: \S+ is not ready: joining")
        waiting = harness.Program("wait", "--members", "3", "--timeout", "20s", env=env)
        nodes += self.nodes(base, 1, 3)
        self.assertEqual(waiting.wait(20), 0, waiting.output())
        for node in nodes:
            self.assertEqual(node.put(f"on-{node.port}", "x").status, 201)

    def test_the_older_name_and_the_launcher_hand_it_on(self):
        launcher = Launcher(2, env={"BOOTSTRAP_EXPECT": 3})
        nodes = launcher.nodes()
        for node in nodes:
            wait_until(lambda n=node: "expecting 2 of 3" in reasons(n), "both wait", 5)
        late = Launcher(1, base=launcher.base, arguments=("--expect-members=3",))
        wait_until(lambda: formed(nodes + late.nodes()), "the third lets them begin", 10)

    def test_members_of_an_enclave_that_exists_are_restarted_one_by_one(self):
        base = harness.free_base()
        nodes = self.nodes(base, 3, 3)
        wait_formed(nodes, 10)
        self.assertEqual(nodes[0].put("key", "value").status, 201)
        for number in range(3):
            # Two are away, so fewer are there than are expected.
            for away in (number, (number + 1) % 3):
                self.assertEqual(nodes[away].stop(), 0)
            nodes[number] = self.nodes(base, 1, 3)[0]
            wait_until(nodes[number].is_ready, "it is not held up", 5)
            self.assertEqual(len(nodes[number].alive()), 1)
            nodes[(number + 1) % 3] = self.nodes(base, 1, 3)[0]
            wait_formed(nodes, 10)
        for node in nodes:
            self.assertTrue(node.holds("key", b"value"))

    def test_another_enclave_does_not_count(self):
        base = harness.free_base()
        wait_formed(self.nodes(base, 2, 2), 10)
        other = self.nodes(base, 1, 2, REPRAM_ENCLAVE="other")[0]
        wait_until(lambda: len(other.alive()) == 2, "it knows them", 5)
        wait_until(lambda: reasons(other) == ["joining", "expecting 1 of 2"], "it waits", 5)
        stays(lambda: reasons(other) == ["joining", "expecting 1 of 2"], "it waits", 2)


@harness.needs_isolation
class Bound(Case):
    def host(self):
        host = Host()
        self.addCleanup(host.close)
        return host

    def test_nodes_bound_to_one_address_find_each_other_on_localhost(self):
        host = self.host()
        for address in (host.address, host.address6):
            with self.subTest(address):
                launcher = Launcher(3, base=8081, host=host, env={"REPRAM_BIND": address})
                launcher.address = address
                wait_formed(launcher.nodes(), 10)
                launcher.stop()


if __name__ == "__main__":
    harness.main()
