"""`make up`: the servers and the build side by side, then the platform's own steps, then `sluice dev`."""
import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

from stack import doctor, environment, observe, packages, ports, start, supervise
from stack.place import ROOT, Place
from stack.progress import Progress, heartbeat
from stack.servers.sluice import Sluice, binary, rust_env

# Done once the servers serve, in this order, before `sluice dev`; `demo` needs its services.
BEFORE = (("migrate",), ("schemas", "push"), ("connectors", "apply"))
AFTER = (("demo",),)


class StepFailed(Exception):
    pass


def cargo():
    return shutil.which("cargo") or str(Path("~/.cargo/bin/cargo").expanduser())


def build(place, progress):
    """Cargo writes a line for each crate; here one every few seconds, the rest in the log."""
    place.make()
    seen = {"crates": 0, "now": "starting"}
    log = place.log("cargo")

    def still():
        return f"{seen['crates']} crates compiled, now: {seen['now']}"

    with progress.phase("cargo build"), heartbeat(progress, "cargo", still), open(log, "w") as out:
        # The servers come first: they are few seconds of work, and the steps after need both.
        job = subprocess.Popen(["nice", "-n", "10", cargo(), "build", "--locked", "--bin", "sluice"], cwd=ROOT, text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for line in job.stdout:
            out.write(line)
            words = line.strip()
            if words.startswith("Compiling"):
                seen["crates"] += 1
            if words:
                seen["now"] = words[:100]
        out.flush()
        if job.wait():
            raise StepFailed("cargo build failed:\n" + "\n".join(log.read_text().splitlines()[-40:]) + f"\n  log: {log}")


def step(place, progress, words):
    name = " ".join(words)
    log = place.log("sluice-" + "-".join(words))
    with progress.phase(name):
        with open(log, "w") as out:
            done = subprocess.run([str(binary()), *words], cwd=ROOT, env=rust_env(place),
                                  stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    last = log.read_text().splitlines()
    if done.returncode:
        raise StepFailed(f"sluice {name} failed:\n" + "\n".join(last[-25:]) + f"\n  log: {log}")
    # The demo's last lines say where to click and how to log in; of the others one line is enough.
    for line in last[-25:] if words in AFTER else last[-1:]:
        progress.say("sluice", f"{name}: {line}")


def fingerprint(place):
    """What the steps depend on. The same again: there is nothing to migrate, push or apply."""
    newest = 0
    for folder in ("migrations", "schemas", "connectors"):
        for file in (ROOT / folder).rglob("*"):
            newest = max(newest, file.stat().st_mtime_ns)
    servers = {name: it.start for name in Sluice.needs if (it := supervise.running(place, name))}
    return {"binary": binary().stat().st_mtime_ns, "sources": newest, "servers": servers, "offset": place.offset}


def platform_up(place, progress):
    stamp = place.folder / "applied"
    sluice = Sluice(place, environment.read(place.env_file))
    it = supervise.running(place, sluice.name)
    if it and binary().stat().st_mtime > it.since:
        progress.say("sluice", "the binary is newer than the process: starting it again")
        supervise.stop(place, sluice.name, sluice.stop_with, sluice.patience)
        it = None
    want = fingerprint(place)
    same = stamp.exists() and json.loads(stamp.read_text()) == want
    if same and it and sluice.ready():
        progress.say("sluice", "up already, nothing to migrate, push or apply")
        return
    # The stamp goes first: a step that fails half way has to be done again.
    stamp.unlink(missing_ok=True)
    if not same:
        for words in BEFORE:
            step(place, progress, words)
    start.start(place, progress, [sluice])
    for words in AFTER:
        step(place, progress, words)
    stamp.write_text(json.dumps(fingerprint(place)))


def side_by_side(*jobs):
    wrong = []

    def run(job):
        try:
            job()
        except (Exception, SystemExit) as error:  # told after the other one came to its end too
            wrong.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise StepFailed("\n".join(str(w) for w in wrong))


def main():
    progress, place = Progress(), Place()
    servers_only = os.environ.get("SLUICE_SERVERS_ONLY") == "1"
    begin = time.monotonic()
    try:
        # Before both: two apt-get at once would wait for each other's lock.
        packages.ensure(progress, ("servers", "fetch") if servers_only else ("servers", "fetch", "build"))
        if servers_only:
            start.servers_up(place, progress)
        else:
            side_by_side(lambda: start.servers_up(place, progress), lambda: build(place, progress))
            with place.alone():
                platform_up(place, progress)
                if observe.installed():
                    observe.up(place, progress)
    except (StepFailed, start.NotServing, ports.PortTaken, RuntimeError) as error:
        progress.summary()
        doctor.after_failure(place, error)
    if time.monotonic() - begin > 3:
        progress.summary()
    print(f"up: stack {place.folder}, ops http://127.0.0.1:{place.port('ops')}, environment {place.env_file}")


if __name__ == "__main__":
    main()
