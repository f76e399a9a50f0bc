"""System packages: what is missing, and how to have it."""
import glob
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

from stack import versions


def missing(purposes=("servers", "fetch", "build")):
    """apt names of what this machine lacks. Asked by file, so a hand-made install counts too."""
    def there(has):
        return bool(glob.glob(has)) if has.startswith("/") else shutil.which(has) is not None
    return [p["apt"] for p in versions.load()["packages"]
            if p["for"] in purposes and not any(there(has) for has in p["has"])]


def command(names):
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get update && {sudo}apt-get install -y {' '.join(names)}"


def ensure(progress, purposes=("servers", "fetch", "build")):
    names = missing(purposes)
    if not names:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise SystemExit(f"missing on this machine: {', '.join(names)}. Type:\n  {command(names)}")
    progress.say("packages", f"installing {', '.join(names)}")
    with progress.phase("system packages"), _nothing_starts():
        _apt(["update", "-qq"])
        _apt(["install", "-y", "-qq", "--no-install-recommends", *names])
    left = missing(purposes)
    if left:
        raise SystemExit(f"apt installed without complaint, but still missing: {', '.join(left)}")


def _apt(words):
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    # Another apt (unattended upgrades on a fresh machine) holds the lock for a while: wait for it.
    done = subprocess.run(["apt-get", "-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=5", *words], env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(f"apt-get {' '.join(words)} failed:\n" + "\n".join(done.stdout.splitlines()[-15:]))


@contextmanager
def _nothing_starts():
    """Debian starts a server as it installs it, and makes a Postgres cluster. We bring our own,
    so both are held back for the length of the installation, and only if nobody set them before."""
    policy = Path("/usr/sbin/policy-rc.d")
    cluster = Path("/etc/postgresql-common/createcluster.d/sluice.conf")
    ours = []
    if not policy.exists():
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        ours.append(policy)
    cluster.parent.mkdir(parents=True, exist_ok=True)
    cluster.write_text("create_main_cluster = false\n")
    ours.append(cluster)
    try:
        yield
    finally:
        for path in ours:
            path.unlink(missing_ok=True)
