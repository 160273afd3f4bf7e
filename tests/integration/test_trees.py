"""A large enclave of real processes: partial links, trees of writes, large values, crashes."""

import os
import signal

import harness
from harness import Case, cluster, wait_until

COUNT = 16
LARGE = 2 * 1024 * 1024


def counter(node, name):
    return sum(float(line.rsplit(" ", 1)[1]) for line in node.request("GET", "/metrics").body.decode()
               .splitlines() if line.startswith(name + " ") or line.startswith(name + "{"))


class Trees(Case):
    def test_writes_of_all_reach_all_of_sixteen_and_go_on_after_kills(self):
        launcher, nodes = cluster(count=COUNT, seconds=30, max_ports=20)
        for node in nodes:
            self.assertEqual(node.put(f"from-{node.port}", f"value {node.port}").status, 201)
        for origin in nodes:
            for node in nodes:
                wait_until(lambda n=node, o=origin: n.holds(f"from-{o.port}",
                                                            f"value {o.port}".encode()),
                           f"{node} has what {origin} took", 3)
        self.assertGreater(sum(counter(node, "repram_tree_eager_total") for node in nodes), 0)
        wait_until(lambda: max(len(node.status()["links"]) for node in nodes) < COUNT - 1,
                   "links that nobody wants have ended", 60)

        value = os.urandom(LARGE)
        self.assertEqual(nodes[3].put("large", value).status, 201)
        for node in nodes:
            wait_until(lambda n=node: n.holds("large", value), f"{node} has the large value", 10)

        pids = launcher.node_pids()
        killed = {nodes[2].port, nodes[7].port}
        for port in killed:
            os.kill(pids[port], signal.SIGKILL)
        living = [node for node in nodes if node.port not in killed]
        for node in living:
            self.assertEqual(node.put(f"after-{node.port}", "x").status, 201)
        for origin in living:
            for node in living:
                wait_until(lambda n=node, o=origin: n.holds(f"after-{o.port}", b"x"),
                           f"{node} has what {origin} took after the kills", 3)


if __name__ == "__main__":
    harness.main()
