"""Typesense, the search engine."""
from stack import versions
from stack.place import private_file
from stack.servers import Server
from stack.servers.probe import http_json


class Typesense(Server):
    name = "typesense"
    ports = ("typesense", "typesense-peering")

    def prepare(self):
        home = self.place.data / "typesense"
        home.mkdir(exist_ok=True)
        # The key in a file: on the command line every user of the machine could read it.
        private_file(self.place.conf / "typesense.ini", "\n".join([
            "[server]", f"api-key = {self.values['APP_ENV_TYPESENSE_API_KEY']}", f"data-dir = {home}",
            "api-address = 127.0.0.1", f"api-port = {self.port()}",
            "peering-address = 127.0.0.1", f"peering-port = {self.port('typesense-peering')}",
            # A stack that moved to other ports finds its old address in its own peer list.
            "reset-peers-on-error = true", "thread-pool-size = 4", ""]))

    def argv(self):
        return [versions.folder("typesense") / "typesense-server", f"--config={self.place.conf / 'typesense.ini'}"]

    def ready(self):
        health = http_json(self.port(), "/health")
        return bool(health and health.get("ok"))
