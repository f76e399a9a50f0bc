"""The file `env` of a stack: every password, key and address that the Rust side is started with.

Made at random at the first start, kept afterwards; addresses are written anew each time,
because the port offset may have changed. Nothing in it is in the repository.
"""
import secrets
import shlex

from stack.place import private_file

DATABASES = ("identity", "commerce", "sale", "pricing", "inventory", "ledger", "outreach", "invoice", "backbone")
ROLES = DATABASES + ("reader",)


def _hex32():
    return secrets.token_hex(32)


def _password():
    # Hex, so that it needs no escaping in a URL, a properties file or a shell.
    return secrets.token_hex(16)


# Made once. The order is the order in the file.
SECRETS = {
    "SLUICE_POSTGRES_PASSWORD": _password,
    "SLUICE_REDIS_PASSWORD": _password,
    "SLUICE_REGISTRY_DB_PASSWORD": _password,
    "APP_ENV_TYPESENSE_API_KEY": _password,
    "APP_ENV_APPLICATION_SECRET": _hex32,
    "APP_ENV_CURSOR_SECRET": _hex32,
    "APP_ENV_AUDIT_KEY": _hex32,
    "APP_ENV_INVOICE_CREDENTIALS_KEY": _hex32,
    "APP_ENV_REPLICATION_PASSWORD": _password,
    "APP_ENV_BOOTSTRAP_PASSWORD": _password,
    **{f"APP_ENV_DB_PASSWORD_{role.upper()}": _password for role in ROLES},
}


def read(path):
    values = {}
    try:
        text = path.read_text()
    except FileNotFoundError:
        return values
    for line in text.splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            values[key.strip()] = "".join(shlex.split(value))
    return values


def addresses(place, kept):
    pg, host = place.port("postgres"), "127.0.0.1"
    registry = f"http://{host}:{place.port('registry')}"
    values = {
        "APP_ENV_ADMIN_DB_URL": f"postgres://postgres:{kept['SLUICE_POSTGRES_PASSWORD']}@{host}:{pg}/postgres",
        "APP_ENV_POSTGRES_HOST": host,
        "APP_ENV_POSTGRES_PORT": str(pg),
        "APP_ENV_KAFKA_BROKERS": f"{host}:{place.port('kafka')}",
        "APP_ENV_SCHEMA_REGISTRY_URL": registry + "/apis/ccompat/v7",
        "APP_ENV_CONNECT_URL": f"http://{host}:{place.port('connect')}",
        "APP_ENV_CONNECT_REGISTRY_URL": registry + "/apis/registry/v2",
        "APP_ENV_CONNECT_SECRETS_FILE": str(secrets_file(place)),
        "APP_ENV_REDIS_URL": f"redis://:{kept['SLUICE_REDIS_PASSWORD']}@{host}:{place.port('redis')}/0",
        "APP_ENV_TYPESENSE_URL": f"http://{host}:{place.port('typesense')}",
        "APP_ENV_MEDIA_URL": (place.folder / "media").as_uri(),
        "APP_ENV_AUDIT_HEADS_URL": (place.folder / "audit").as_uri(),
        "APP_ENV_PORT_OFFSET": str(place.offset),
        "APP_ENV_OPS_PORT": str(place.port("ops")),
        "APP_ENV_BOOTSTRAP_EMAIL": "admin@sluice.local",
    }
    for name in DATABASES:
        password = kept[f"APP_ENV_DB_PASSWORD_{name.upper()}"]
        values[f"{name.upper()}__APP_ENV_DB_URL"] = f"postgres://{name}:{password}@{host}:{pg}/{name}"
    # what search-sync reads aggregates with
    reader = kept["APP_ENV_DB_PASSWORD_READER"]
    values["COMMERCE_READER__APP_ENV_DB_URL"] = f"postgres://reader:{reader}@{host}:{pg}/commerce"
    return values


def secrets_file(place):
    return place.conf / "connect-secrets.properties"


def settle(place):
    """Reads what is there, adds what is missing, writes the file only when something changed."""
    old = read(place.env_file)
    kept = {key: old.get(key) or make() for key, make in SECRETS.items()}
    values = {**addresses(place, kept), **kept}
    # What somebody added by hand stays.
    values.update({key: value for key, value in old.items() if key not in values})
    if values != old:
        lines = ["# Made by the stack, kept from start to start. Secrets: do not copy this into the repository."]
        lines += [f"{key}={shlex.quote(value)}" for key, value in values.items()]
        private_file(place.env_file, "\n".join(lines) + "\n")
    properties = f"replication.password={values['APP_ENV_REPLICATION_PASSWORD']}\n"
    if not secrets_file(place).exists() or secrets_file(place).read_text() != properties:
        private_file(secrets_file(place), properties)
    return values
