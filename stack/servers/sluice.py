"""`sluice dev`: every service and consumer in one process, supervised like the servers."""
import os

from stack import environment, ports
from stack.place import ROOT
from stack.servers import Server
from stack.servers.probe import http_ok


def binary():
    return ROOT / (os.environ.get("CARGO_TARGET_DIR") or "target") / "debug/sluice"


class Sluice(Server):
    name = "sluice"
    needs = ("postgres", "redis", "kafka", "registry", "connect", "typesense")
    ports = ("ops", *ports.SHELLS)
    patience = 20.0

    def argv(self):
        return [binary(), "dev"]

    def env(self):
        return rust_env(self.place)

    def cwd(self):
        return ROOT

    def ready(self):
        return http_ok(self.port(), "/readyz")


def rust_env(place):
    """The stack's file wins over the shell: a variable left from another stack must not send rows there."""
    return {**os.environ, **environment.read(place.env_file)}
