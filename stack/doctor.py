"""What is missing, wrong or taken on this machine, and exactly what to type."""
import platform
import shutil
import sys
from pathlib import Path

from stack import environment, fetch, packages, ports, supervise, versions
from stack.place import Place, cache
from stack.servers import all_servers
from stack.servers.sluice import Sluice, binary
from stack.status import state_of

# (good?, what was looked at, what to type). good is None where it is worth knowing but no fault.


def machine():
    fits = sys.platform == "linux" and platform.machine() == "x86_64"
    yield fits, f"{sys.platform} {platform.machine()}", "the pinned servers are for Linux x86_64: use such a machine"
    yield sys.version_info >= (3, 9), f"Python {platform.python_version()}", "sudo apt-get install -y python3"


def system_packages():
    names = packages.missing()
    yield not names, f"system packages{': missing ' + ', '.join(names) if names else ''}", packages.command(names)


def rust():
    cargo = shutil.which("cargo") or (Path("~/.cargo/bin/cargo").expanduser().exists() and "there, but not on PATH")
    todo = "export PATH=$HOME/.cargo/bin:$PATH" if cargo else "install rustup from your distribution, then: rustup toolchain install"
    yield bool(shutil.which("cargo")), f"cargo: {cargo or 'missing'}", todo
    nextest = shutil.which("cargo-nextest") or Path("~/.cargo/bin/cargo-nextest").expanduser().exists()
    yield (True if nextest else None), "cargo-nextest" + ("" if nextest else " is absent; plain cargo test is used"), \
        "optional: cargo install --locked cargo-nextest"


def room(place):
    for what, folder, need in (("data", place.folder, 5), ("cache", cache(), 2)):
        while not folder.exists():
            folder = folder.parent
        free = shutil.disk_usage(folder).free / 1e9
        yield free >= need, f"disk for {what}: {free:.0f} GB free, {need} wanted", f"make room on the disk of {folder}: df -h {folder}"
    info = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(info["MemAvailable"].split()[0]) / 1e6
    up = any(supervise.running(place, name) for name in ("kafka", "connect"))
    need = 1 if up else 3
    yield free >= need, f"memory: {free:.1f} GB available, {need} wanted", "end something large: ps aux --sort=-rss | head"


def cached(thorough=True):
    for name in versions.artifacts():
        if not fetch.is_there(name):
            yield False, f"cache: {name} is not there", "stack/run fetch"
            continue
        broken = fetch.damaged(name) if thorough else []
        yield not broken, f"cache: {name}" + (f", {len(broken)} files differ, such as {broken[0]}" if broken else " verified" if thorough else " is there"), \
            f"rm -r {versions.folder(name)} && stack/run fetch"


def taken(place, servers):
    for server in servers:
        it = supervise.running(place, server.name)
        for port in server.ports:
            if it is None and not ports.is_free(place.port(port)):
                said, _, todo = ports.who_holds(place.port(port), port).partition(": ")
                todo = todo.replace("stop it with: ", "")
                yield False, said, todo


def stack(place, servers):
    if not place.env_file.exists():
        yield None, f"no stack in {place.folder} yet", "make up"
        return
    mode = place.env_file.stat().st_mode & 0o077
    yield mode == 0, f"{place.env_file} is for its owner only", f"chmod 600 {place.env_file}"
    for server in servers:
        state, it = state_of(place, server)
        words = f"{server.name}: {state}"
        if it and it.offset != place.offset:
            yield False, f"{words}, at port offset {it.offset} instead of {place.offset}", f"SLUICE_PORT_OFFSET={it.offset} make down && make up"
        elif state == "stopped":
            yield None, words, "make up"
        elif state == "up":
            yield True, words, ""
        else:
            last = supervise.last_useful_line(place.log(server.name)) or "its log is empty"
            yield False, f"{words}\n          last said: {last}\n          log: {place.log(server.name)}", \
                "make up" if it is None else f"stack/run down {server.name} && make up"


def look(place, thorough=True):
    """Prints every finding; true when nothing is wrong."""
    servers = all_servers(place, environment.read(place.env_file))
    if binary().exists():
        servers.append(Sluice(place, {}))
    good = True
    for findings in (machine(), system_packages(), rust(), room(place), cached(thorough), taken(place, servers), stack(place, servers)):
        for fine, what, todo in findings:
            print(f"  {'ok' if fine else '..' if fine is None else 'WRONG':<6}  {what}")
            if not fine and todo:
                print(f"          type: {todo}")
            good = good and fine is not False
    return good


def after_failure(place, error):
    """What `make up` says when it gave up: the error first, then everything else that is wrong."""
    print(f"\n{error}\n\nThe doctor says:", file=sys.stderr, flush=True)
    sys.stderr.flush()
    look(place, thorough=False)
    raise SystemExit(1)


def main():
    place = Place()
    print(f"stack {place.folder}, port offset {place.offset}, cache {cache()}")
    sys.exit(0 if look(place, thorough="--quick" not in sys.argv) else 1)


if __name__ == "__main__":
    main()
