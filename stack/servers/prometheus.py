"""Prometheus, of the distribution: scrapes `sluice dev` and evaluates the rules of k8s/alerts."""
import json
import shutil

from stack.place import ROOT, private_file
from stack.servers import Server
from stack.servers.probe import http_ok

RULES = ROOT / "k8s/alerts"


def binary():
    return shutil.which("prometheus")


class Prometheus(Server):
    name = "prometheus"
    needs = ("alertmanager", "sluice")
    ports = ("prometheus",)

    def settings(self):
        def at(port):
            return {"targets": [f"127.0.0.1:{self.place.port(port)}"]}
        return {
            "global": {"scrape_interval": "10s", "evaluation_interval": "10s"},
            "rule_files": [str(RULES / "*.yaml")],
            "alerting": {"alertmanagers": [{"static_configs": [at("alertmanager")]}]},
            "scrape_configs": [{"job_name": "sluice", "static_configs": [at("ops")]}],
        }

    def prepare(self):
        (self.place.data / "prometheus").mkdir(exist_ok=True)
        # JSON is YAML.
        private_file(self.place.conf / "prometheus.yaml", json.dumps(self.settings(), indent=1) + "\n")

    def argv(self):
        return [binary(), f"--config.file={self.place.conf / 'prometheus.yaml'}",
                f"--storage.tsdb.path={self.place.data / 'prometheus'}", "--storage.tsdb.retention.time=2d",
                f"--web.listen-address=127.0.0.1:{self.port()}"]

    def ready(self):
        return http_ok(self.port(), "/-/ready")
