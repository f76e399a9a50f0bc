"""Kafka Connect with Debezium and the Avro converter, one worker."""
from stack import environment, versions
from stack.servers import Server, jvm
from stack.servers.kafka import jvm_env
from stack.servers.probe import http_ok


class Connect(Server):
    name = "connect"
    needs = ("kafka",)
    ports = ("connect",)
    patience = 30.0

    def settings(self):
        return {
            "bootstrap.servers": f"127.0.0.1:{self.port('kafka')}",
            "group.id": "sluice-connect",
            "listeners": f"http://127.0.0.1:{self.port()}",
            "rest.advertised.host.name": "127.0.0.1",
            "rest.advertised.port": self.port(),
            "key.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "config.storage.topic": "connect.configs",
            "offset.storage.topic": "connect.offsets",
            "status.storage.topic": "connect.status",
            "config.storage.replication.factor": 1,
            "offset.storage.replication.factor": 1,
            "status.storage.replication.factor": 1,
            "offset.storage.partitions": 5,
            "status.storage.partitions": 5,
            "offset.flush.interval.ms": 5000,
            "topic.creation.enable": "true",
            "exactly.once.source.support": "disabled",
            "connector.client.config.override.policy": "All",
            "producer.max.request.size": 6291456,
            # Restarting the only worker should not wait five minutes for its tasks to come back.
            "scheduled.rebalance.max.delay.ms": 0,
            # A connector's JSON says ${file:PATH:replication.password}; the worker reads no other folder for it.
            "config.providers": "file",
            "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
            "config.providers.file.param.allowed.paths": environment.secrets_file(self.place),
            "plugin.path": self.place.folder / "plugins",
        }

    def prepare(self):
        jvm.write_log4j(self.place)
        # plugin.path takes every folder below it for a plugin, and the cache holds more than plugins.
        plugins = self.place.folder / "plugins"
        plugins.mkdir(exist_ok=True)
        for name in ("debezium", "converter"):
            link = plugins / name
            if not link.is_symlink() or link.readlink() != versions.folder(name):
                link.unlink(missing_ok=True)
                link.symlink_to(versions.folder(name))
        jvm.properties(self.place.conf / "connect.properties", self.settings())

    def argv(self):
        return [*jvm.java(["-Xms256m", "-Xmx768m"]), *jvm.kafka_classes(self.place),
                "org.apache.kafka.connect.cli.ConnectDistributed", self.place.conf / "connect.properties"]

    def env(self):
        return jvm_env()

    def ready(self):
        return http_ok(self.port(), "/connectors")
