"""Discovery by name servers as they are: large names, dead and ignorant servers, services, changes."""

import harness
from harness import Case, Host, Node, wait_formed, wait_until
from name_servers import BESIDE, BRIDGE, Dnsmasq, add_address, silence, use_servers

GHOSTS = [f"10.77.0.{last}" for last in range(150, 208)]  # 58 addresses at which nobody is
CONSUL_PORT = 8600


class Rig(Case):
    """Two hosts, and settings of their nodes."""

    SETTINGS = {}

    def setUp(self):
        self.hosts = [Host() for _ in range(2)]
        for host in self.hosts:
            self.addCleanup(host.close)
        self.addresses = [host.address for host in self.hosts]

    def node(self, index, port=8081, wait=True, **env):
        return Node(port, max_ports=1, host=self.hosts[index], wait=wait,
                    env={**self.SETTINGS, **env})


@harness.needs_isolation
class Names(Rig):
    SETTINGS = {"REPRAM_DISCOVERY": "dns", "DISCOVERY_DOMAIN": "cluster.test", "REPRAM_CLAIM_CHECK": "off"}

    def finds_within(self, seconds, **env):
        """Two nodes know all 60 addresses of the name that soon, and each other."""
        nodes = [self.node(index, wait=False, **env) for index in range(2)]
        for node in nodes:
            wait_until(lambda n=node: "dns: addresses named: 60" in n.output(), "60 are known", seconds)
            node.await_port()
        wait_formed(nodes, 30)
        for node in nodes:
            self.assertNotIn("it is asked again", node.output())

    def test_a_name_with_sixty_addresses_is_known_at_once(self):
        Dnsmasq(self, {"cluster.test": GHOSTS + self.addresses})
        use_servers(self, BRIDGE)
        self.finds_within(1)

    def test_a_first_server_that_is_dead_hides_no_name(self):
        add_address(self, BESIDE)
        silence(self, BESIDE)
        Dnsmasq(self, {"cluster.test": GHOSTS + self.addresses})
        use_servers(self, BESIDE, BRIDGE)
        self.finds_within(2)

    def test_a_first_server_that_refuses_hides_no_name(self):
        add_address(self, BESIDE)
        ignorant = Dnsmasq(self, address=BESIDE, is_local=False)
        Dnsmasq(self, {"cluster.test": GHOSTS + self.addresses})
        use_servers(self, BESIDE, BRIDGE)
        self.finds_within(1)
        self.assertGreater(ignorant.asked("A", "cluster.test"), 0)

    def test_servers_are_asked_in_their_order_whatever_the_question(self):
        add_address(self, BESIDE)
        second = Dnsmasq(self, {"cluster.test": []}, address=BESIDE)
        first = Dnsmasq(self, {"cluster.test": GHOSTS + self.addresses})
        use_servers(self, BRIDGE, BESIDE)
        self.finds_within(1)
        self.assertGreater(first.asked("A", "cluster.test"), 0)
        self.assertGreater(first.asked("AAAA", "cluster.test"), 0)
        self.assertEqual(second.asked("A", "cluster.test") + second.asked("AAAA", "cluster.test"), 0)

    def test_the_search_list_is_followed_as_the_file_says(self):
        server = Dnsmasq(self, {"cluster.test": GHOSTS + self.addresses})
        use_servers(self, BRIDGE, rest="search nowhere.test test\noptions ndots:2\n")
        self.finds_within(1, DISCOVERY_DOMAIN="cluster")
        self.assertGreater(server.asked("A", "cluster.nowhere.test"), 0)
        self.assertEqual(server.asked("A", "cluster"), 0)

    def test_a_node_that_comes_before_its_name_finds_the_others_when_that_is_there(self):
        server = Dnsmasq(self, {"other.test": self.addresses})
        use_servers(self, BRIDGE)
        nodes = [self.node(index) for index in range(2)]
        for node in nodes:
            wait_until(node.is_ready, "alone, it is ready", 10)
            self.assertIn("cluster.test: there is no such name", node.output())
        server.stop()
        Dnsmasq(self, {"cluster.test": self.addresses})
        wait_formed(nodes, 20)


@harness.needs_isolation
class Services(Rig):
    """The same by SRV records, of a server with a port of its own; resolv.conf names one that is dead."""

    NAME = "_repram._tcp.test"
    SETTINGS = {"REPRAM_DISCOVERY": "srv", "DISCOVERY_DOMAIN": NAME,
                "REPRAM_DNS_SERVERS": f"{BRIDGE}:{CONSUL_PORT}"}

    def setUp(self):
        super().setUp()
        use_servers(self, BESIDE)

    def serve(self, *services, ttl=0):
        """`services` are pairs of a host's index and a port. Ghosts are n2 and so on."""
        names = {f"n{i}.test": [address] for i, address in enumerate(self.addresses + GHOSTS)}
        return Dnsmasq(self, names, [f"{self.NAME},n{index}.test,{port},1,1" for index, port in services],
                       port=CONSUL_PORT, ttl=ttl)

    def test_each_node_is_found_on_the_port_of_its_record(self):
        server = self.serve((0, 8085), (1, 8097))
        nodes = [self.node(0, 8085), self.node(1, 8097)]
        wait_formed(nodes, 20)
        self.assertEqual(nodes[0].put("key", "value").headers["x-replicas"], "2/2")
        self.assertEqual(server.asked("A", "n1.test"), 0)  # the address came along

    def test_a_name_that_has_the_others_address_too_keeps_nobody_from_that_port(self):
        """As Consul's names have it, while only one node is registered."""
        name = "repram.service.test"
        Dnsmasq(self, {name: self.addresses[:1], "n0.test": self.addresses[:1]}, [f"{name},n0.test,8085,1,1"],
                port=CONSUL_PORT)
        nodes = [self.node(index, 8085, DISCOVERY_DOMAIN=name) for index in range(2)]
        wait_formed(nodes, 20)

    def test_sixty_services_are_known_at_once(self):
        self.serve((0, 8085), (1, 8097), *[(2 + i, 8085) for i in range(58)])
        nodes = [self.node(0, 8085, wait=False), self.node(1, 8097, wait=False)]
        for node in nodes:
            wait_until(lambda n=node: "srv: addresses named: 60" in n.output(), "60 are known", 1)
            node.await_port()
        wait_formed(nodes, 30)

    def test_records_that_change_and_a_server_that_dies_and_comes_back(self):
        server = self.serve((0, 8085))
        first = self.node(0, 8085)
        wait_until(first.is_ready, "alone, it is ready", 10)
        server.stop()
        second = self.node(1, 8097, wait=False)
        for node in (first, second):
            wait_until(lambda n=node: f"srv: {self.NAME}: {BRIDGE}:{CONSUL_PORT} cannot be reached"
                       in n.output(), "it says what failed", 10)
        second.await_port()
        self.serve((1, 8097))  # the first one is not registered any more, but asks
        wait_formed([first, second], 30)

    def test_an_answer_is_not_asked_for_again_before_its_ttl_is_over(self):
        server = self.serve((0, 8085), ttl=300)
        node = self.node(0, 8085)
        wait_until(lambda: node.metrics()["repram_discovery_passes_total"] >= 3, "it has asked on", 20)
        self.assertEqual(server.asked("SRV", self.NAME), 1)

    def test_an_answer_without_a_ttl_is_asked_for_in_each_pass(self):
        server = self.serve((0, 8085))
        node = self.node(0, 8085)
        wait_until(lambda: node.metrics()["repram_discovery_passes_total"] >= 3, "it has asked on", 20)
        self.assertGreaterEqual(server.asked("SRV", self.NAME), 3)


if __name__ == "__main__":
    harness.main()
