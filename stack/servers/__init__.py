"""One file per server: how it is configured, started, asked whether it serves, and stopped."""
import signal
from typing import Dict, Tuple


class Server:
    name = ""
    needs: Tuple[str, ...] = ()       # servers that have to serve before this one is started
    ports: Tuple[str, ...] = ()       # names in ports.BASE; the first is the one to talk to
    stop_with = signal.SIGTERM
    patience = 20.0                   # seconds to stop by itself
    ready_within = 240.0              # seconds to serve; generous, since builds run beside

    def __init__(self, place, values: Dict[str, str]):
        self.place = place
        self.values = values

    def prepare(self):
        """Files and folders, before the process. May run a program once."""

    def argv(self):
        raise NotImplementedError

    def env(self):
        return None

    def cwd(self):
        return None

    def user(self):
        return None

    def ready(self):
        raise NotImplementedError

    def after(self):
        """Once it serves, at each start: what it has to hold for the others."""

    def port(self, name=None):
        return self.place.port(name or self.ports[0])


def all_servers(place, values):
    from stack.servers.connect import Connect
    from stack.servers.kafka import Kafka
    from stack.servers.postgres import Postgres
    from stack.servers.redis import Redis
    from stack.servers.registry import Registry
    from stack.servers.typesense import Typesense
    return [cls(place, values) for cls in (Postgres, Redis, Kafka, Registry, Connect, Typesense)]


def observers(place, values):
    """What looks at the others. Optional: `make observe` installs them."""
    from stack.servers.alertmanager import Alertmanager
    from stack.servers.prometheus import Prometheus
    return [cls(place, values) for cls in (Alertmanager, Prometheus)]
