"""Kafka, one node, broker and controller in one process."""
import base64
import os
import shutil
import subprocess
import uuid

from stack.servers import Server, jvm
from stack.servers.probe import kafka_serves


class Kafka(Server):
    name = "kafka"
    ports = ("kafka", "kafka-controller")
    patience = 30.0

    def settings(self):
        broker, controller = self.port("kafka"), self.port("kafka-controller")
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "listeners": f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self.place.data / "kafka",
            "num.partitions": 6,
            "default.replication.factor": 1,
            "min.insync.replicas": 1,
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 5,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 5,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "share.coordinator.state.topic.num.partitions": 1,
            "group.initial.rebalance.delay.ms": 0,
            "auto.create.topics.enable": "false",
            # A row with a large text is one record; the platform allows 6 MiB.
            "message.max.bytes": 6291456,
            "replica.fetch.max.bytes": 6291456,
            # The default takes 128 MiB of heap for compacting topics of this size.
            "log.cleaner.dedupe.buffer.size": 16777216,
            "num.network.threads": 2,
            "num.io.threads": 4,
        }

    def prepare(self):
        jvm.write_log4j(self.place)
        path = jvm.properties(self.place.conf / "kafka.properties", self.settings())
        data = self.place.data / "kafka"
        if (data / "meta.properties").exists():
            return
        shutil.rmtree(data, ignore_errors=True)
        # Kafka's own way to write a uuid; made here, it saves the start of one JVM.
        cluster = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        done = subprocess.run(
            [*jvm.java(["-Xmx128m", jvm.QUICK]), *jvm.kafka_classes(self.place),
             "kafka.tools.StorageTool", "format", "--standalone", "-t", cluster, "-c", str(path)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=jvm_env())
        if done.returncode:
            raise RuntimeError("kafka storage format failed:\n" + "\n".join(done.stdout.splitlines()[-5:]))

    def argv(self):
        return [*jvm.java(["-Xms256m", "-Xmx512m", jvm.QUICK]), *jvm.kafka_classes(self.place),
                "kafka.Kafka", self.place.conf / "kafka.properties"]

    def env(self):
        return jvm_env()

    def ready(self):
        return kafka_serves(self.port())


def jvm_env():
    """Without what would change a JVM behind our back or open a JMX port."""
    drop = {"JMX_PORT", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "KAFKA_OPTS", "CLASSPATH"}
    return {key: value for key, value in os.environ.items() if key not in drop}
