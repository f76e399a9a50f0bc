"""The schema registry (Apicurio), its schemas in Postgres."""
from stack import versions
from stack.servers import Server, jvm
from stack.servers.kafka import jvm_env
from stack.servers.probe import http_ok


class Registry(Server):
    name = "registry"
    needs = ("postgres",)
    ports = ("registry", "registry-management")

    def argv(self):
        return [*jvm.java(["-Xms64m", "-Xmx256m", jvm.QUICK]), "-jar", versions.folder("registry") / "quarkus-run.jar"]

    def env(self):
        return {
            **jvm_env(),
            "QUARKUS_HTTP_HOST": "127.0.0.1",
            "QUARKUS_HTTP_PORT": str(self.port()),
            # Without these two it listens on every address, port 9000.
            "QUARKUS_MANAGEMENT_HOST": "127.0.0.1",
            "QUARKUS_MANAGEMENT_PORT": str(self.port("registry-management")),
            "QUARKUS_BANNER_ENABLED": "false",
            "APICURIO_STORAGE_KIND": "sql",
            "APICURIO_STORAGE_SQL_KIND": "postgresql",
            "APICURIO_DATASOURCE_URL": f"jdbc:postgresql://127.0.0.1:{self.port('postgres')}/registry",
            "APICURIO_DATASOURCE_USERNAME": "registry",
            "APICURIO_DATASOURCE_PASSWORD": self.values["SLUICE_REGISTRY_DB_PASSWORD"],
        }

    def ready(self):
        return http_ok(self.port(), "/apis/ccompat/v7/subjects")
