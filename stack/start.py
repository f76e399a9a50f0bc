"""Starts what is not running, each server as soon as those it needs serve."""
import threading
import time

from stack import environment, fetch, packages, ports, supervise
from stack.place import Place
from stack.progress import Progress
from stack.servers import all_servers


class NotServing(Exception):
    pass


def start(place, progress, servers):
    place.make()
    serves = {s.name: threading.Event() for s in servers}
    wrong, guard = {}, threading.Lock()
    _same_offset(place, servers)
    # Before anything starts: a person wants to hear of all taken ports at once.
    ports.demand_free([(name, place.port(name)) for s in servers if not supervise.running(place, s.name) for name in s.ports])

    def one(server):
        try:
            for need in server.needs:
                if need in serves:
                    serves[need].wait()
                if need in wrong:
                    raise NotServing(f"not started, because {need} is not up")
            begin = time.monotonic()
            fresh = _one(place, server)
            server.after()
            took = time.monotonic() - begin
            if fresh:
                progress.say(server.name, f"serves on 127.0.0.1:{server.port()} after {took:.1f} s")
                progress.done(server.name, took)
        except Exception as error:  # reported below, together with those of the others
            with guard:
                wrong[server.name] = error
        finally:
            serves[server.name].set()

    threads = [threading.Thread(target=one, args=(s,), daemon=True) for s in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise NotServing("\n".join(f"{name}: {error}" for name, error in wrong.items()))


def _same_offset(place, servers):
    for server in servers:
        it = supervise.running(place, server.name)
        if it and it.offset != place.offset:
            raise NotServing(f"{server.name} of this stack runs at port offset {it.offset}, you ask for {place.offset}: "
                             f"SLUICE_PORT_OFFSET={it.offset} make down  first")


def _one(place, server):
    """True when it had to be started."""
    it = supervise.running(place, server.name)
    child = None
    if it is None:
        server.prepare()
        child = supervise.spawn(place, server.name, server.argv(), server.env(), server.cwd(), server.user())
        pid = child.pid
    else:
        pid = it.pid
    await_ready(place, server, pid)
    return child is not None


def await_ready(place, server, pid):
    end = time.monotonic() + server.ready_within
    pause = 0.05
    while not server.ready():
        if supervise.start_time(pid) is None:
            raise NotServing(f"ended before it served: {supervise.last_useful_line(place.log(server.name))}\n  log: {place.log(server.name)}")
        if time.monotonic() > end:
            raise NotServing(f"runs (pid {pid}) but does not serve after {server.ready_within:.0f} s: "
                             f"{supervise.last_useful_line(place.log(server.name))}\n  log: {place.log(server.name)}")
        time.sleep(pause)
        pause = min(0.3, pause * 1.3)


def servers_up(place, progress):
    packages.ensure(progress, ("servers", "fetch") if fetch.lacking() else ("servers",))
    fetch.fetch(progress)
    with place.alone(lambda text: progress.say("stack", text)):
        place.make()
        values = environment.settle(place)
        servers = all_servers(place, values)
        before = [s.name for s in servers if supervise.running(place, s.name)]
        begin = time.monotonic()
        start(place, progress, servers)
        if len(before) == len(servers):
            progress.say("servers", "all up already")
        else:
            progress.done("servers together", time.monotonic() - begin)


def main():
    progress = Progress()
    place = Place()
    try:
        servers_up(place, progress)
    except (NotServing, ports.PortTaken, RuntimeError) as error:
        from stack import doctor
        doctor.after_failure(place, error)
    progress.summary()


if __name__ == "__main__":
    main()
