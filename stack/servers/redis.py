"""Redis: a cache and a loudspeaker. Nothing in it has to survive, so nothing is written to disk."""
import shutil

from stack.place import private_file
from stack.servers import Server
from stack.servers.probe import talk


class Redis(Server):
    name = "redis"
    ports = ("redis",)

    def prepare(self):
        home = self.place.data / "redis"
        home.mkdir(exist_ok=True)
        private_file(self.place.conf / "redis.conf", "\n".join([
            "bind 127.0.0.1", f"port {self.port()}", "protected-mode yes",
            f"requirepass {self.values['SLUICE_REDIS_PASSWORD']}",
            f'dir "{home}"', 'save ""', "appendonly no", "daemonize no",
            "maxmemory 256mb", "maxmemory-policy volatile-lru", "loglevel notice", ""]))

    def argv(self):
        return [shutil.which("redis-server") or "/usr/bin/redis-server", self.place.conf / "redis.conf"]

    def ready(self):
        password = self.values["SLUICE_REDIS_PASSWORD"]
        return b"+PONG" in talk(self.port(), f"AUTH {password}\r\nPING\r\n".encode())
