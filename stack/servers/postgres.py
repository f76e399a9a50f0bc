"""Postgres: a cluster of our own, never the distribution's."""
import glob
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from stack import versions
from stack.place import can_pass, postgres_user, private_file
from stack.servers import Server

SETTINGS = """# Written at every start: edit stack/servers/postgres.py instead.
port = {port}
listen_addresses = '127.0.0.1'
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700
password_encryption = 'scram-sha-256'
wal_level = logical
max_wal_senders = 40
max_replication_slots = 40
# A slot nobody reads must not fill the disk: past this it is lost, and the connector says so.
max_slot_wal_keep_size = 8GB
max_wal_size = 2GB
max_connections = 400
shared_buffers = 256MB
synchronous_commit = on
fsync = {fsync}
full_page_writes = {fsync}
logging_collector = off
log_destination = 'stderr'
log_line_prefix = '%m [%p] %q%u@%d '
log_min_messages = warning
log_checkpoints = off
log_timezone = 'UTC'
timezone = 'UTC'
"""


def programs(data=None):
    """The folder of initdb and postgres: the version that made the data, else the newest."""
    given = os.environ.get("SLUICE_PG_BIN")
    if given:
        return Path(given)
    found = {}
    for initdb in glob.glob("/usr/lib/postgresql/*/bin/initdb"):
        version = Path(initdb).parent.parent.name
        if version.isdigit():
            found[int(version)] = Path(initdb).parent
    on_path = shutil.which("initdb")
    if not found and on_path:
        version = re.search(r"(\d+)", subprocess.run([on_path, "--version"], capture_output=True, text=True).stdout)
        if version:
            found[int(version.group(1))] = Path(on_path).resolve().parent
    at_least = versions.load()["postgres"]["at_least"]
    found = {v: p for v, p in found.items() if v >= at_least}
    if not found:
        raise RuntimeError(f"no Postgres {at_least} or newer here: type  stack/doctor")
    try:
        made_by = int((data / "PG_VERSION").read_text()) if data else None
    except OSError:
        made_by = None
    if made_by and made_by not in found:
        raise RuntimeError(f"{data} was made by Postgres {made_by}, here is {max(found)}: install postgresql-{made_by}, or type  make clean")
    return found[made_by or max(found)]


def data_folder(place):
    """Under the stack, unless its user cannot get there (a checkout in /root): then where packages keep state."""
    inside = place.data / "postgres"
    user = postgres_user()
    if user is None or can_pass(user, place.data):
        return inside
    return Path("/var/lib/sluice-stack") / place.mark / "postgres"


def socket_folder(place):
    inside = place.folder / "socket"
    user = postgres_user()
    # 107 characters is what the kernel takes, and Postgres adds "/.s.PGSQL.15432.lock".
    if len(str(inside)) <= 85 and (user is None or can_pass(user, place.folder)):
        return inside
    return Path(f"/tmp/sluice-{place.mark}")


class Postgres(Server):
    name = "postgres"
    ports = ("postgres",)
    stop_with = signal.SIGINT  # its "fast": clients are sent away, nothing is lost
    patience = 30.0

    def __init__(self, place, values):
        super().__init__(place, values)
        self.data = data_folder(place)
        self.socket = socket_folder(place)

    def user(self):
        return postgres_user()

    def _own(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        user = self.user()
        if user:
            os.chown(folder, user.pw_uid, user.pw_gid)
        elif folder.stat().st_uid != os.geteuid():
            raise RuntimeError(f"{folder} belongs to somebody else: remove it")

    def prepare(self):
        if os.geteuid() == 0 and self.user() is None:
            raise RuntimeError("Postgres refuses to run as root and there is no user postgres: install the package postgresql")
        if self.data.parent != self.place.data:
            self.data.parent.mkdir(parents=True, exist_ok=True)
        self._own(self.socket)
        if not (self.data / "PG_VERSION").exists():
            self._initdb()
        self._forget_dead_postmaster()
        fsync = "off" if os.environ.get("SLUICE_STACK_FAST") == "1" else "on"
        self._write("sluice.conf", SETTINGS.format(port=self.port(), socket=self.socket, fsync=fsync))

    def _initdb(self):
        shutil.rmtree(self.data, ignore_errors=True)
        self._own(self.data)
        # The password goes by a file that only its reader can open, not by a command line that all can read.
        password = self.socket / "first-password"
        private_file(password, self.values["SLUICE_POSTGRES_PASSWORD"] + "\n")
        user = self.user()
        extra = {}
        if user:
            os.chown(password, user.pw_uid, user.pw_gid)
            extra = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        try:
            done = subprocess.run(
                [programs() / "initdb", "-D", self.data, "-U", "postgres", "--auth=scram-sha-256", f"--pwfile={password}",
                 "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/", **extra)
        finally:
            password.unlink()
        if done.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise RuntimeError("initdb failed:\n" + "\n".join(done.stdout.splitlines()[-5:]))
        with open(self.data / "postgresql.conf", "a") as conf:
            conf.write("include 'sluice.conf'\n")

    def _write(self, name, text):
        path = self.data / name
        path.write_text(text)
        user = self.user()
        if user:
            os.chown(path, user.pw_uid, user.pw_gid)

    def _forget_dead_postmaster(self):
        """After a reboot the pid in the lock may be any process of that user; Postgres would refuse to start."""
        lock = self.data / "postmaster.pid"
        try:
            pid = int(lock.read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return
        try:
            if os.readlink(f"/proc/{pid}/cwd") == str(self.data):
                raise RuntimeError(f"another Postgres (pid {pid}) runs on {self.data}: stop it with: kill -INT {pid}")
        except OSError:
            pass
        lock.unlink()

    def argv(self):
        return [programs(self.data) / "postgres", "-D", self.data]

    def env(self):
        return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "HOME": str(self.data)}

    def cwd(self):
        return self.data

    def ready(self):
        asked = subprocess.run([programs(self.data) / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port())])
        return asked.returncode == 0

    def sql(self, text, database="postgres"):
        """Statements go by standard input and the password by a file: neither is seen in a process list."""
        passfile = self.place.conf / "pgpass"
        private_file(passfile, f"127.0.0.1:{self.port()}:*:postgres:{self.values['SLUICE_POSTGRES_PASSWORD']}\n")
        done = subprocess.run(
            [programs(self.data) / "psql", "-X", "-q", "-At", "-w", "-v", "ON_ERROR_STOP=1",
             "-h", "127.0.0.1", "-p", str(self.port()), "-U", "postgres", "-d", database, "-f", "-"],
            input=text, capture_output=True, text=True, env={**os.environ, "PGPASSFILE": str(passfile)})
        if done.returncode:
            hint = ""
            if "password authentication failed" in done.stderr:
                hint = f"\nthe data was made with another password than {self.place.env_file} has: bring that file back, or type  make clean"
            raise RuntimeError(f"psql: {done.stderr.strip()}{hint}")
        return done.stdout

    def after(self):
        """The registry's own role and database. Every other one is made by the migrations."""
        password = self.values["SLUICE_REGISTRY_DB_PASSWORD"]
        self.sql(f"""
            select 'create role registry' where not exists (select from pg_roles where rolname = 'registry') \\gexec
            alter role registry login password '{password}';
            -- It inserts first and takes "already there" for an answer: an error line for each schema it meets.
            alter role registry set log_min_messages = fatal;
            select 'create database registry owner registry'
             where not exists (select from pg_database where datname = 'registry') \\gexec
        """)
