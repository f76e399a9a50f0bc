"""Reads versions.json: the one place where a version or a checksum is written."""
import hashlib
import json
from pathlib import Path

from stack.place import cache

FILE = Path(__file__).with_name("versions.json")


def load():
    return json.loads(FILE.read_text())


def artifacts():
    return load()["artifacts"]


def folder(name, artifact=None):
    """Where an artifact lies unpacked. Its checksums are in the name: another pin, another folder."""
    artifact = artifact or artifacts()[name]
    pins = json.dumps(artifact["sha256"], sort_keys=True)
    return cache() / f"{name}-{artifact['version']}-{hashlib.sha256(pins.encode()).hexdigest()[:8]}"


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
