"""Questions that only a server that really serves can answer."""
import http.client
import json
import socket
import struct


def http_get(port, path, headers=None, timeout=2.0):
    """(status, body), or (0, b"") when nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def http_ok(port, path, **how):
    return http_get(port, path, **how)[0] == 200


def http_json(port, path, **how):
    status, body = http_get(port, path, **how)
    try:
        return json.loads(body) if status == 200 else None
    except ValueError:
        return None


def talk(port, words, timeout=2.0):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout) as s:
            s.sendall(words)
            return s.recv(4096)
    except OSError:
        return b""


def kafka_serves(port):
    """Metadata v0 for no topic: answered once the broker is registered and unfenced, and it names itself."""
    body = struct.pack(">hhih", 3, 0, 1, -1) + struct.pack(">i", 1) + struct.pack(">h", 1) + b"_"
    answer = talk(port, struct.pack(">i", len(body)) + body)
    if len(answer) < 12:
        return False
    _, correlation, brokers = struct.unpack(">iii", answer[:12])
    return correlation == 1 and brokers == 1
