#!/usr/bin/env python3
"""Read one topic of Sluice with stock clients and print each change as a line of JSON.

    pip install 'confluent-kafka[avro,schemaregistry]'
    python3 docs/examples/read_topic.py commerce.public.merchant --from-beginning

Coordinates come from the environment: APP_ENV_KAFKA_BROKERS, APP_ENV_SCHEMA_REGISTRY_URL.
"""

import argparse
import json
import os
import sys

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

# What stands in a text, json or jsonb column that the change did not touch and Postgres did not log.
UNCHANGED = "__debezium_unavailable_value"


def position(source):
    """Where a change stands: compare it as a pair of integers. For one row a later change has a larger one.

    The first part is null until the first commit on a new slot: the change's own position stands for it. An incremental
    snapshot's read has no lsn: the second part of the sequence is its own.
    """
    commit, own = json.loads(source["sequence"] or "[null, null]")
    lsn = source["lsn"] if source["lsn"] is not None else int(own)
    return (int(commit) if commit is not None else lsn, lsn)


def change(key, value):
    """One record as a plain dictionary; a tombstone (a null value) says only that nothing is left of the key."""
    if value is None:
        return {"key": key, "op": "tombstone"}
    row = value["after"]
    unchanged = [column for column, content in (row or {}).items() if content == UNCHANGED]
    return {
        "key": key,
        "op": value["op"],  # c create, u update, d delete, r read by a snapshot
        "position": position(value["source"]),
        "committed_ms": value["source"]["ts_ms"],
        # Columns that the change does not carry: keep what you have. Never store the placeholder.
        "unchanged": unchanged,
        "row": row and {column: content for column, content in row.items() if column not in unchanged},
    }


def assign(consumer, topic, start):
    """Reads every partition by itself. A service would subscribe() with a group id instead, and commit."""
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    if not partitions:
        sys.exit(f"there is no topic {topic}")
    consumer.assign([TopicPartition(topic, number, start) for number in partitions])
    return set(partitions)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("topic")
    arguments.add_argument("--from-beginning", action="store_true", help="everything that is kept, not only what comes")
    arguments.add_argument("--exit-at-end", action="store_true", help="stop when all that was there has been read")
    arguments = arguments.parse_args()

    registry = SchemaRegistryClient({"url": os.environ["APP_ENV_SCHEMA_REGISTRY_URL"]})
    decode = AvroDeserializer(registry)
    consumer = Consumer(
        {
            "bootstrap.servers": os.environ["APP_ENV_KAFKA_BROKERS"],
            "group.id": "read-topic-example",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            # Records may have up to 6 MiB here; Kafka's clients expect 1.
            "fetch.message.max.bytes": 6 * 1024 * 1024,
        }
    )
    unread = assign(consumer, arguments.topic, OFFSET_BEGINNING if arguments.from_beginning else OFFSET_END)
    while unread or not arguments.exit_at_end:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            if message.error().code() != KafkaError._PARTITION_EOF:
                sys.exit(str(message.error()))
            unread.discard(message.partition())
            continue
        key = decode(message.key(), SerializationContext(message.topic(), MessageField.KEY))
        value = decode(message.value(), SerializationContext(message.topic(), MessageField.VALUE))
        print(json.dumps(change(key, value), ensure_ascii=False), flush=True)
    consumer.close()


if __name__ == "__main__":
    main()
