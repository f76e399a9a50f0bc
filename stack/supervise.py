"""Processes that outlive the command that started them.

A pid alone is not a name: numbers come round again, and a pid file survives a reboot. A
process is ours when pid, start time and boot are the ones we wrote down.
"""
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Running:
    name: str
    pid: int
    start: int
    offset: int
    since: float


def _boot():
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _stat(pid):
    """(state, parent, start time in ticks), or None. The name may contain blanks and brackets."""
    try:
        field = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return field[0], int(field[1]), int(field[19])


def start_time(pid):
    stat = _stat(pid)
    # A zombie has ended: nobody has asked for its exit status yet, that is all.
    return None if stat is None or stat[0] in "ZX" else stat[2]


def write_down(place, name, pid):
    start = start_time(pid)
    if start is None:
        return
    note = {"pid": pid, "start": start, "boot": _boot(), "offset": place.offset, "since": time.time()}
    (place.pids / name).write_text(json.dumps(note))


def noted(place, name):
    try:
        return json.loads((place.pids / name).read_text())
    except (OSError, ValueError):
        return None


def running(place, name):
    note = noted(place, name)
    if not note or note.get("boot") != _boot() or start_time(note["pid"]) != note["start"]:
        return None
    return Running(name, note["pid"], note["start"], note["offset"], note["since"])


def forget(place, name):
    (place.pids / name).unlink(missing_ok=True)


def spawn(place, name, argv, env=None, cwd=None, user=None):
    log = place.log(name)
    if log.exists() and log.stat().st_size > 20_000_000:
        os.replace(log, log.with_suffix(".log.1"))
    extra = {}
    if user is not None:
        extra = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    with open(log, "ab") as out:
        log.chmod(0o600)
        # A session of its own: ^C in the terminal that ran `make up` must not reach the servers.
        child = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                 start_new_session=True, env=env, cwd=str(cwd or place.folder), **extra)
    write_down(place, name, child.pid)
    return child


def children_of(pid):
    """The process and everything below it."""
    below = {}
    for entry in Path("/proc").glob("[0-9]*"):
        stat = _stat(entry.name)
        if stat:
            below.setdefault(stat[1], []).append(int(entry.name))
    family, todo = [], [pid]
    while todo:
        one = todo.pop()
        family.append(one)
        todo.extend(below.get(one, ()))
    return family


def pss_kib(pid):
    """Memory of the whole family. PSS, not RSS: Postgres' children would count its buffers each."""
    total = 0
    for one in children_of(pid):
        try:
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
                    break
        except OSError:
            continue
    return total


def stop(place, name, how=signal.SIGTERM, patience=20.0):
    """Ask, wait, insist. Returns how it ended: 'was down', 'stopped' or 'killed'."""
    it = running(place, name)
    if it is None:
        forget(place, name)
        return "was down"
    family = {pid: start_time(pid) for pid in children_of(it.pid)}
    try:
        os.kill(it.pid, how)
    except ProcessLookupError:
        pass
    end = "stopped"
    if not _gone(it.pid, it.start, patience):
        end = "killed"
        for pid, start in family.items():
            if start is not None and start_time(pid) == start:
                _kill(pid)
        _gone(it.pid, it.start, 5.0)
    # Children that the parent left behind would keep its port.
    for pid, start in family.items():
        if start is not None and not _gone(pid, start, 3.0):
            _kill(pid)
    forget(place, name)
    return end


def tell(it, what):
    """A signal to a process that was seen running."""
    if start_time(it.pid) == it.start:
        os.kill(it.pid, what)


def _kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _gone(pid, start, patience):
    end = time.monotonic() + patience
    while start_time(pid) == start:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


NOISE = ("WARNING: ", "\tat ", "    at ", "\t... ", "Caused by: java.lang.Thread")
SIGNS = ("ERROR", "FATAL", "PANIC", "panicked", "Exception", "refused", "denied", "in use", "OutOfMemory", "# Fatal")


def last_useful_line(log, tail=65536):
    """The line a person would look for: the last complaint, or the last words."""
    try:
        with open(log, "rb") as f:
            f.seek(max(0, os.fstat(f.fileno()).st_size - tail))
            lines = f.read().decode(errors="replace").splitlines()
    except OSError:
        return None
    lines = [line.strip() for line in lines if line.strip() and not line.startswith(NOISE)]
    for line in reversed(lines[-200:]):
        if any(sign in line for sign in SIGNS):
            return line[:300]
    return lines[-1][:300] if lines else None
