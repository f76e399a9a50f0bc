"""The reference of the drain: the JDBC sink, fetched as the stack fetches, in a Connect worker of its own.

A worker of its own, so that its CPU and memory are its own, with the heap, the collector and the two compilers that
the sink was tuned with: what the stack's worker saves for a laptop would make the reference slower.
"""
import fcntl
import json
import shutil
import sys
import tempfile
from pathlib import Path

from stack import environment, fetch, maven, ports, start, supervise, versions
from stack.place import Place, cache
from stack.progress import Progress
from stack.servers import jvm
from stack.servers.connect import Connect

FILE = Path(__file__).with_name("versions.json")
NAME = "jdbc-sink"
ports.BASE["sink"] = 18084


def artifact():
    return json.loads(FILE.read_text())["artifacts"][NAME]


def plugin():
    return versions.folder(NAME, artifact())


def ensure(progress):
    if (plugin() / ".complete").exists():
        return
    with open(cache() / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        work = Path(tempfile.mkdtemp(prefix="fetch-", dir=cache()))
        try:
            progress.say("fetch", f"{NAME} {artifact()['version']}: {artifact()['bytes'] / 1e6:.0f} MB into {cache()}")
            maven.fetch({NAME: artifact()}, work)
            fetch.UNPACK[NAME] = fetch.UNPACK["debezium"]
            fetch._install(NAME, artifact(), work / NAME)
        finally:
            shutil.rmtree(work, ignore_errors=True)


class Sink(Connect):
    name = "sink"
    needs = ()
    ports = ("sink",)

    def settings(self):
        own = {"group.id": "bench-sink", "plugin.path": self.place.folder / "sink-plugins"}
        for kind in ("config", "offset", "status"):
            own[f"{kind}.storage.topic"] = f"bench.sink.{kind}s"
        return {**super().settings(), **own}

    def prepare(self):
        folder = self.place.folder / "sink-plugins"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "jdbc").symlink_to(plugin())
        (folder / "converter").symlink_to(versions.folder("converter"))
        jvm.write_log4j(self.place)
        jvm.properties(self.place.conf / "sink.properties", self.settings())

    def argv(self):
        words = [str(word) for word in jvm.java(["-Xmx1g"])]
        words = ["-XX:+UseG1GC" if word == "-XX:+UseSerialGC" else word for word in words]
        return [*words, *jvm.kafka_classes(self.place), "org.apache.kafka.connect.cli.ConnectDistributed",
                self.place.conf / "sink.properties"]


def main():
    verb, progress, place = sys.argv[1], Progress(), Place()
    if verb == "fetch":
        ensure(progress)
    elif verb == "stop":
        supervise.stop(place, Sink.name, Sink.stop_with, Sink.patience)
    elif verb == "start":
        with place.alone():
            start.start(place, Progress(), [Sink(place, environment.read(place.env_file))])
        running = supervise.running(place, Sink.name)
        (place.conf / "sink.env").write_text(f"BENCH_SINK_URL=http://127.0.0.1:{place.port('sink')}\nBENCH_SINK_PID={running.pid}\n")
    elif verb == "pin":
        pin(progress)


def pin(progress):
    """Writes the checksum anew after the version was changed by hand in versions.json."""
    book = json.loads(FILE.read_text())
    work = Path(tempfile.mkdtemp(prefix="pin-"))
    try:
        maven.fetch({NAME: book["artifacts"][NAME]}, work)
        came = sorted(file for file in (work / NAME).iterdir() if file.is_file())
        book["artifacts"][NAME]["sha256"] = {file.name: versions.sha256(file) for file in came}
        book["artifacts"][NAME]["bytes"] = sum(file.stat().st_size for file in came)
    finally:
        shutil.rmtree(work)
    FILE.write_text(json.dumps(book, indent=1) + "\n")
    progress.say("pin", "now read: git diff bench/versions.json")


if __name__ == "__main__":
    main()
