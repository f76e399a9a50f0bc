"""Where the services are, and a token of the administrator."""
import os

import httpx

OFFSET = int(os.environ.get("APP_ENV_PORT_OFFSET", "0"))
PORTS = {"identity": 31010, "commerce": 31020, "inventory": 31050, "invoice": 31150}


def base(service):
    """The service's address, without its base path."""
    return f"http://127.0.0.1:{PORTS[service] + OFFSET}"


def document(service):
    """The address of the service's OpenAPI document."""
    return f"{base(service)}/v1/api/{service}/doc/openapi.json"


def token():
    """An access token of the first administrator."""
    answer = httpx.post(
        f"{base('identity')}/v1/api/identity/tokens",
        json={
            "grant_type": "password",
            "email": os.environ["APP_ENV_BOOTSTRAP_EMAIL"],
            "password": os.environ["APP_ENV_BOOTSTRAP_PASSWORD"],
        },
    )
    answer.raise_for_status()
    return answer.json()["access_token"]
