"""Every port of the stack, and who holds one that is taken.

SLUICE_PORT_OFFSET moves all of them together. All stay below 32768, where Linux starts
to hand out ports to outgoing connections: a port up there is sometimes taken at random.
"""
import os
import socket
from pathlib import Path

BASE = {
    "postgres": 15432,
    "redis": 16379,
    "registry": 18081,
    "registry-management": 18082,
    "connect": 18083,
    "typesense-peering": 18107,
    "typesense": 18108,
    "ops": 18990,
    "kafka": 19092,
    "kafka-controller": 19093,
    "prometheus": 19095,
    "alertmanager": 19096,
    "identity": 31010,
    "commerce": 31020,
    "sale": 31030,
    "pricing": 31040,
    "inventory": 31050,
    "ledger": 31060,
    "signal": 31070,
    "outreach": 31100,
    "invoice": 31150,
}
CEILING = 32768
SHELLS = tuple(name for name, port in BASE.items() if port >= 31000)


class PortTaken(Exception):
    pass


def checked_offset(value):
    try:
        offset = int(value)
    except ValueError:
        raise SystemExit(f"SLUICE_PORT_OFFSET={value!r} is not a whole number")
    room = CEILING - 1 - max(BASE.values())
    if not 0 <= offset <= room:
        raise SystemExit(f"SLUICE_PORT_OFFSET={offset}: use 0 to {room}, so that every port stays below {CEILING}")
    # A shift by a small number can lay one server's port on another's (18107 + 1 = 18108),
    # which two stacks side by side would only notice when the second one fails.
    if offset % 100:
        raise SystemExit(f"SLUICE_PORT_OFFSET={offset}: use a multiple of 100")
    return offset


def is_free(port):
    with socket.socket() as probe:
        # As the servers do themselves: what lingers in TIME_WAIT is not in the way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _listening_inodes(port):
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            field = row.split()
            if field[3] == "0A" and int(field[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(f"socket:[{field[9]}]")
    return inodes


def holders(port):
    """(pid, command line) of each process that listens on the port, as far as we may see."""
    wanted = _listening_inodes(port)
    found = []
    if not wanted:
        return found
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(fd) in wanted for fd in (proc / "fd").iterdir()):
                words = (proc / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                found.append((int(proc.name), words))
        except OSError:
            continue
    return found


def who_holds(port, name):
    """One sentence for a port that is taken: by whom, and what to type."""
    found = holders(port)
    if not found:
        return (f"port {port} ({name}) is taken by a process of another user: "
                f"sudo ss -ltnp 'sport = :{port}'  or use other ports: SLUICE_PORT_OFFSET=500 make up")
    pid, words = min(found)
    # A command line may carry a password, and this text goes to logs: the program is enough.
    program = words.split(" ")[0] or "?"
    try:
        where = os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        where = "?"
    return (f"port {port} ({name}) is taken by pid {pid}, {program} (working in {where}): "
            f"stop it with: kill {pid}   or use other ports: SLUICE_PORT_OFFSET=500 make up")


def demand_free(pairs):
    """Names every taken port at once, so that nobody mends them one by one."""
    taken = [who_holds(port, name) for name, port in pairs if not is_free(port)]
    if taken:
        raise PortTaken("\n".join(taken))
