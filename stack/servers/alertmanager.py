"""Alertmanager, of the distribution: holds what Prometheus tells it. It tells nobody here; who is told is the cluster's matter."""
import shutil

from stack.place import private_file
from stack.servers import Server
from stack.servers.probe import http_ok


def binary():
    return shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


class Alertmanager(Server):
    name = "alertmanager"
    ports = ("alertmanager",)

    def prepare(self):
        (self.place.data / "alertmanager").mkdir(exist_ok=True)
        private_file(self.place.conf / "alertmanager.yaml", "\n".join([
            "route:", "  receiver: nobody", "  group_by: [team, alertname]", "receivers:", "  - name: nobody", ""]))

    def argv(self):
        return [binary(), f"--config.file={self.place.conf / 'alertmanager.yaml'}",
                f"--storage.path={self.place.data / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{self.port()}",
                # Alone: no gossip, which would listen on every address.
                "--cluster.listen-address="]

    def ready(self):
        return http_ok(self.port(), "/-/ready")
