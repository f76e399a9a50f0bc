import tempfile
import unittest

from stack import ports
from stack.place import Place
from stack.servers import observers
from stack.servers.prometheus import RULES


class Observe(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.place = Place(folder.name, 500)
        self.place.make()
        self.alertmanager, self.prometheus = observers(self.place, {})

    def test_both_listen_on_this_machine_alone_at_the_ports_of_the_stack(self):
        for server in (self.alertmanager, self.prometheus):
            address = f"--web.listen-address=127.0.0.1:{ports.BASE[server.name] + 500}"
            self.assertIn(address, server.argv())
        self.assertIn("--cluster.listen-address=", self.alertmanager.argv())

    def test_prometheus_reads_the_rules_of_the_repository_and_scrapes_this_stack(self):
        settings = self.prometheus.settings()
        self.assertEqual([str(RULES / "*.yaml")], settings["rule_files"])
        self.assertTrue(list(RULES.glob("*.yaml")))
        self.assertEqual([f"127.0.0.1:{ports.BASE['ops'] + 500}"], settings["scrape_configs"][0]["static_configs"][0]["targets"])

    def test_their_files_are_for_their_owner_only(self):
        for server in (self.alertmanager, self.prometheus):
            server.prepare()
            self.assertEqual(0o600, (self.place.conf / f"{server.name}.yaml").stat().st_mode & 0o777)


if __name__ == "__main__":
    unittest.main()
