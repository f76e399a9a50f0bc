"""`make observe`: the alert rules checked and tested, and Prometheus and Alertmanager beside the stack that is up.

`--check` installs and tests, and starts nothing."""
import shutil
import signal
import subprocess
import sys

from stack import environment, packages, ports, start, supervise
from stack.place import ROOT, Place
from stack.progress import Progress
from stack.servers import observers
from stack.servers.prometheus import RULES


def installed():
    return not packages.missing(("observe",))


def check():
    """True when promtool finds the rules sound and their tests pass."""
    rules, tests = sorted(RULES.glob("*.yaml")), sorted((RULES / "tests").glob("*.yaml"))
    promtool = shutil.which("promtool")
    return all([subprocess.run([promtool, *words], cwd=ROOT, stdin=subprocess.DEVNULL).returncode == 0
                for words in (["check", "rules", *rules], ["test", "rules", *tests])])


def up(place, progress):
    """Starts them, and tells a running Prometheus of rules that have changed."""
    begun = {server.name for server in observers(place, {}) if supervise.running(place, server.name)}
    start.start(place, progress, observers(place, environment.read(place.env_file)))
    it = supervise.running(place, "prometheus")
    if it and "prometheus" in begun:
        supervise.tell(it, signal.SIGHUP)


def main():
    place, progress = Place(), Progress()
    packages.ensure(progress, ("observe",))
    if not check():
        raise SystemExit(1)
    if "--check" in sys.argv:
        return
    if not supervise.running(place, "sluice"):
        print("the rules are sound. Prometheus is not started: sluice is not up. Type: make up")
        return
    with place.alone():
        try:
            up(place, progress)
        except (start.NotServing, ports.PortTaken) as error:
            raise SystemExit(str(error))
    print(f"alerts http://127.0.0.1:{place.port('prometheus')}/alerts, alertmanager http://127.0.0.1:{place.port('alertmanager')}")


if __name__ == "__main__":
    main()
