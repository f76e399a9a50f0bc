"""Where one stack lives: its folder, its cache, its port offset."""
import fcntl
import hashlib
import os
import pwd
from contextlib import contextmanager
from pathlib import Path

from stack import ports

ROOT = Path(__file__).resolve().parent.parent


def cache():
    return Path(os.environ.get("SLUICE_CACHE") or "~/.cache/sluice").expanduser().absolute()


class Place:
    """One stack: everything it keeps is under one folder, so two of them never meet."""

    def __init__(self, folder=None, offset=None):
        # A relative folder belongs to the checkout, not to wherever the caller stands.
        self.folder = (ROOT / (folder or os.environ.get("SLUICE_STACK_DIR") or ".stack")).resolve()
        self.logs = self.folder / "logs"
        self.data = self.folder / "data"
        self.conf = self.folder / "conf"
        self.pids = self.folder / "pids"
        self.env_file = self.folder / "env"
        self.offset = ports.checked_offset(offset if offset is not None else self._wanted_offset())

    def _wanted_offset(self):
        given = os.environ.get("SLUICE_PORT_OFFSET")
        if given not in (None, ""):
            return given
        # A stack once started at an offset stays there: `make status` must not look elsewhere.
        try:
            for line in self.env_file.read_text().splitlines():
                if line.startswith("APP_ENV_PORT_OFFSET="):
                    return line.split("=", 1)[1]
        except OSError:
            pass
        return 0

    def port(self, name):
        return ports.BASE[name] + self.offset

    def log(self, name):
        return self.logs / (name + ".log")

    @property
    def mark(self):
        """Short and the same for the same folder: for paths that have to lie outside of it."""
        return hashlib.sha256(str(self.folder).encode()).hexdigest()[:10]

    def make(self):
        # Root runs Postgres as another user, who has to pass through here to its data:
        # x but not r. Every file with a secret is 600 on its own.
        passage = 0o711 if os.geteuid() == 0 else 0o700
        for folder, mode in ((self.folder, passage), (self.data, passage), (self.logs, 0o700),
                             (self.conf, 0o700), (self.pids, 0o700), (self.folder / "media", 0o700)):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(mode)

    @contextmanager
    def alone(self, say=print):
        """Two `make up` in one checkout wait for each other instead of starting servers twice."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                say(f"another command is working on {self.folder}, waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def private_file(path, text):
    """Written whole or not at all, and never readable by others, not even for a moment."""
    fresh = path.with_name(path.name + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
    os.replace(fresh, path)


def postgres_user():
    """The OS user that runs Postgres: it refuses root, so root lends it the one the package made."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return None


def can_pass(user, folder):
    """Whether `user` may walk to `folder`: every folder on the way needs an x for it."""
    for step in [folder, *folder.parents]:
        if not step.exists():
            continue
        st = step.stat()
        bit = 0o100 if st.st_uid == user.pw_uid else 0o010 if st.st_gid == user.pw_gid else 0o001
        if not st.st_mode & bit:
            return False
    return True
