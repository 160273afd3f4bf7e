"""Several hosts: partitions, datagrams that do not pass, loss, and a public address that is shared."""

import harness
from harness import Case, Host, Launcher, Node, Program, stays, wait_formed, wait_until


@harness.needs_isolation
class Hosts(Case):
    def hosts(self, count):
        hosts = [Host() for _ in range(count)]
        for host in hosts:
            self.addCleanup(host.close)
        return hosts

    def nodes(self, hosts, **env):
        """One node on each host, which knows all others."""
        peers = ",".join(f"{host.address}:8081" for host in hosts)
        return [Node(8081, host=host, env={"REPRAM_DISCOVERY": "static", "REPRAM_PEERS": peers, **env})
                for host in hosts]


class Partition(Hosts):
    def test_both_halves_go_on_and_converge_when_it_heals(self):
        hosts = self.hosts(4)
        nodes = wait_formed(self.nodes(hosts), 20)
        for host in hosts[:2]:
            host.cut_off(*hosts[2:])
        for here, there in ((nodes[:2], nodes[2:]), (nodes[2:], nodes[:2])):
            others = {node.uuid() for node in there}
            wait_until(lambda h=here, o=others: all(not node.alive() & o for node in h),
                       "each half gives the other up", 30)
        self.assertEqual(nodes[0].put("left", "l").status, 201)
        self.assertEqual(nodes[2].put("right", "r").status, 201)
        self.assertEqual(nodes[1].put("both", "older").status, 201)
        # By more than the round trip within which their clocks agree.
        stays(lambda: nodes[0].holds("both", b"older"), "the first half keeps the older one", 0.2)
        self.assertEqual(nodes[3].put("both", "newer").status, 201)
        for host in hosts[:2]:
            host.firewall()
        wait_formed(nodes, 60)
        for node in nodes:
            for key, value in (("left", b"l"), ("right", b"r"), ("both", b"newer")):
                wait_until(lambda n=node, k=key, v=value: n.holds(k, v),
                           f"{node} has '{key}', which one half took", 30)
        wait_until(lambda: harness.converged(nodes), "the digests are equal", 30)


class WithoutIpv4(Hosts):
    """A host that has no IPv4 at all, not on loopback either."""

    def test_nodes_find_each_other_and_the_launcher_and_clients_find_them(self):
        host, = self.hosts(1)
        for interface in ("lo", "eth0"):
            harness.run(*host.inside("ip", "-4", "addr", "flush", "dev", interface))
        env = {"BASE_PORT": harness.free_base()}
        launcher = Program("launch", "--require-all", env=env, host=host)
        wait_until(lambda: "nodes are ready after" in launcher.output(), "the cluster forms", 20)
        self.assertIn(f"http://[::1]:{env['BASE_PORT']}", launcher.output())
        for command in (("health", "--all"), ("peers",), ("wait", "--members", "3", "--converged")):
            program = Program(*command, env=env, host=host)
            self.assertEqual(program.wait(), 0, program.output())
        self.assertEqual(launcher.stop(), 0)


class Datagrams(Hosts):
    def test_without_them_membership_goes_over_the_links(self):
        hosts = self.hosts(3)
        for host in hosts:
            host.firewall("input meta l4proto udp drop", "output meta l4proto udp drop")
        nodes = wait_formed(self.nodes(hosts), 40)
        for node in nodes:
            self.assertNotIn("127.0.0.1:", node.output())  # each is alone on its host
        self.assertEqual(nodes[0].put("key", "value").status, 201)
        for node in nodes:
            wait_until(lambda n=node: n.holds("key", b"value"), f"{node} has it", 5)
        stays(lambda: all(len(node.alive()) == 2 for node in nodes), "nobody is suspected", 5)
        uuid = nodes[2].uuid()
        nodes[2].kill()
        wait_until(lambda: all(uuid not in node.alive() for node in nodes[:2]),
                   "the dead one is noticed", 20)

    def test_one_in_five_lost_kills_nobody(self):
        hosts = self.hosts(4)
        nodes = wait_formed(self.nodes(hosts), 20)
        for host in hosts:
            host.firewall("input meta l4proto udp numgen random mod 100 < 20 drop")

        def nobody_dead():
            return all(state in ("alive", "suspect") for node in nodes
                       for state in node.states().values())
        stays(nobody_dead, "no member is declared dead", 15)
        self.assertEqual(nodes[0].put("key", "value").status, 201)
        for host in hosts:
            host.firewall()
        wait_formed(nodes, 20)


class Unheard(Hosts):
    def test_a_node_that_should_know_others_says_why_it_does_not(self):
        # Two nodes to which only datagrams pass, and two of a launcher to which nothing does.
        near, far, split = self.hosts(3)
        near.firewall(f"input ip saddr {far.address} meta l4proto tcp drop")
        split.firewall("input iifname lo meta l4proto tcp drop",
                       "input iifname lo meta l4proto udp drop")
        linked = self.nodes([near, far], REPRAM_WRITE_TIMEOUT=1)
        launcher = Launcher(2, base=8081, host=split)
        for node, other in zip(linked, (far, near)):
            said = f"is alive and cannot be linked with, dials in vain: 3: {other.address}:8081: " \
                   "timed out (ETIMEDOUT)"
            wait_until(lambda n=node, s=said: s in n.output(), said, 15)
            self.assertEqual([peer["state"] for peer in node.peers()], ["alive"])
            self.assertEqual(node.put("key", "value").status, 202)
            self.assertIn("undialed: 1 alive, and no link comes about", node.status()["reasons"])
        said = 'alone: asked 9 addresses, none of network "private" answered'
        wait_until(lambda: launcher.output().count(said) == 2, "both children say it", 15)
        for node in launcher.nodes():
            self.assertEqual(node.request("GET", "/status").json()["reasons"], [said])
            self.assertEqual(node.request("GET", "/readyz").status, 200)
            self.assertEqual(node.put("key", "value").headers["x-replicas"], "1/1")


class PublicAddress(Hosts):
    def test_nodes_of_one_container_meet_though_their_public_address_leads_nowhere(self):
        # As on Flux: three nodes in a container advertise one public address, and what they send to
        # it themselves is dropped. A node elsewhere reaches them by it.
        inside, outside = self.hosts(2)
        inside.firewall(f"output ip daddr {inside.address} drop")
        launcher = Launcher(3, base=8081, host=inside, env={
            "FLUX_NODE_HOST_IP": inside.address, "REPRAM_DISCOVERY": "port-range"})
        # Asked from the bridge: the container itself cannot use that address.
        nodes = wait_formed(launcher.nodes(), 20)
        remote = Node(8081, host=outside, env={
            "REPRAM_DISCOVERY": "static", "REPRAM_PEERS": f"{inside.address}:8082"})
        wait_formed(nodes + [remote], 40)
        self.assertEqual(remote.put("key", "value").headers["x-replicas"].split("/")[1], "4")
        for node in nodes:
            wait_until(lambda n=node: n.holds("key", b"value"), f"{node} has it", 5)
        listed = {peer["address"] for peer in remote.peers()}
        self.assertEqual(listed, {inside.address})
        self.assertFalse([address for address in listed if address.startswith("127.")])


class Strangers(Hosts):
    def test_another_networks_nodes_stay_strangers(self):
        base = harness.free_base()
        ours = [Node(base) for _ in range(2)]
        theirs = [Node(base, env={"REPRAM_NETWORK": "another"}) for _ in range(2)]
        wait_formed(ours)
        wait_formed(theirs)
        stays(lambda: all(len(node.states()) == 1 for node in ours + theirs),
              "neither cluster lists the other's", 3)
        self.assertEqual(ours[0].put("key", "ours").status, 201)
        self.assertEqual(theirs[0].get("key").status, 404)


if __name__ == "__main__":
    harness.main()
