"""Stops everything, those first that lean on others, and looks whether anything is left."""
import sys
import threading
import time

from stack import environment, ports, supervise
from stack.place import Place
from stack.progress import Progress
from stack.servers import all_servers, observers
from stack.servers.sluice import Sluice


def stop(place, progress, only=None):
    values = environment.read(place.env_file)
    servers = [*all_servers(place, values), Sluice(place, values), *observers(place, values)]
    left = [s for s in servers if only is None or s.name in only]
    ended = []

    def one(server):
        begin = time.monotonic()
        end = supervise.stop(place, server.name, server.stop_with, server.patience)
        ended.append(server.name)
        if end != "was down":
            progress.say(server.name, f"{end} in {time.monotonic() - begin:.1f} s")

    while left:
        leaned_on = {need for s in left for need in s.needs}
        now = [s for s in left if s.name not in leaned_on]
        threads = [threading.Thread(target=one, args=(s,)) for s in now]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        left = [s for s in left if s not in now]
    return ended


def main():
    place, progress = Place(), Progress()
    if not place.folder.exists():
        print(f"nothing to stop: there is no {place.folder}")
        return
    only = sys.argv[1:] or None
    known = {s.name: s for s in [*all_servers(place, {}), Sluice(place, {}), *observers(place, {})]}
    for name in only or ():
        if name not in known:
            raise SystemExit(f"{name}: no such server. Known: {', '.join(known)}")
    with place.alone():
        stop(place, progress, only)
    names = only or list(known)
    stuck = [ports.who_holds(place.port(port), port) for n in names for port in known[n].ports if not ports.is_free(place.port(port))]
    if stuck:
        raise SystemExit("still taken, by something this stack did not start:\n" + "\n".join(stuck))
    print("down" if only is None else "down: " + ", ".join(only))


if __name__ == "__main__":
    main()
