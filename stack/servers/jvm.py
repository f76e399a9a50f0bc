"""The one Java runtime of the stack, and how Kafka, Connect and the registry are run on it."""
from stack import fetch, versions


# The first compiler only. Half the CPU until it serves, and less memory, which on two cores next to
# a build is what one waits for; for a server that is busy for hours at a time it would be wrong.
QUICK = "-XX:TieredStopAtLevel=1"


def java(heap, *more):
    return [fetch.java_home() / "bin/java", *heap,
            # Two cores: a collector with threads of its own takes them from the server.
            "-XX:+UseSerialGC",
            # No /tmp/hsperfdata, and no socket in /tmp for tools that attach.
            "-XX:-UsePerfData", "-XX:+DisableAttachMechanism",
            # Kafka's libraries know: four lines of warning at each start.
            "--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED",
            "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true", *more]


def kafka_classes(place):
    log4j = place.conf / "log4j2.properties"
    return [f"-Dlog4j2.configurationFile={log4j}", "-cp", f"{versions.folder('kafka')}/*"]


LOG4J = """status=error
appender.c.type=Console
appender.c.name=c
appender.c.layout.type=PatternLayout
appender.c.layout.pattern=%d %p %m (%c{1})%n
rootLogger.level=warn
rootLogger.appenderRef.c.ref=c
logger.dbz.name=io.debezium
logger.dbz.level=info
logger.srv.name=kafka.server.KafkaRaftServer
logger.srv.level=info
# The converter's folder brings an old JsonConverter that cannot be loaded there; nobody uses it, yet each
# start would report it as an error, several times. A connector whose plugin is really missing says so itself.
logger.iso.name=org.apache.kafka.connect.runtime.isolation
logger.iso.level=fatal
# Debezium's own metrics queue, full during every bulk load: of no consequence to the changes.
logger.mea.name=io.debezium.metrics
logger.mea.level=error
# One line for each setting nobody asked for, at every client: hides the lines that matter.
logger.cfg.name=org.apache.kafka.common.config.AbstractConfig
logger.cfg.level=error
"""


def write_log4j(place):
    (place.conf / "log4j2.properties").write_text(LOG4J)


def properties(path, pairs):
    path.write_text("".join(f"{key}={value}\n" for key, value in pairs.items()))
    path.chmod(0o600)
    return path
