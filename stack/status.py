"""What runs, where, since when and how much memory it takes. Ends with 1 when something is down."""
import sys
import time

from stack import environment, supervise
from stack.place import Place
from stack.servers import all_servers, observers
from stack.servers.sluice import Sluice, binary


def state_of(place, server):
    """(state, running or None). Asked, not remembered."""
    it = supervise.running(place, server.name)
    if it is None:
        return ("down" if supervise.noted(place, server.name) else "stopped"), None
    return ("up" if server.ready() else "not serving"), it


def ago(seconds):
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def report(place):
    values = environment.read(place.env_file)
    if not values:
        print(f"nothing was started in {place.folder} yet. Type: make up")
        return False
    servers = all_servers(place, values)
    if binary().exists() or supervise.noted(place, "sluice"):
        servers.append(Sluice(place, values))
    servers += [server for server in observers(place, values) if supervise.noted(place, server.name)]
    print(f"{'server':<13}{'state':<13}{'address':<18}{'pid':>8}{'up for':>9}{'PSS MB':>8}")
    total, lines, good = 0, [], True
    for server in servers:
        state, it = state_of(place, server)
        good = good and state == "up"
        address = f"127.0.0.1:{server.port()}"
        if it is None:
            print(f"{server.name:<13}{state:<13}{address:<18}")
        else:
            pss = supervise.pss_kib(it.pid)
            total += pss
            print(f"{server.name:<13}{state:<13}{address:<18}{it.pid:>8}{ago(time.time() - it.since):>9}{pss / 1024:>8.0f}")
        if state in ("down", "not serving"):
            gone = "" if it else f"pid {supervise.noted(place, server.name)['pid']} is gone, nobody stopped it from here; "
            lines.append(f"{server.name}: {gone}last said: {supervise.last_useful_line(place.log(server.name)) or 'nothing'}")
    print(f"{'together':<61}{total / 1024:>8.0f}")
    for line in lines:
        print(line)
    if not good:
        print("Type: make up")
    return good


def main():
    sys.exit(0 if report(Place()) else 1)


if __name__ == "__main__":
    main()
