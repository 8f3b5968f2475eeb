"""The embedded PostgreSQL server: started on demand, found again by the next command, stopped by `holdfast down`.

Belongs here: the life cycle (initialise, start, find, stop) and the URL of the database. Must not be here: where the
server may live and as whom (server_place), what is in the database (assets.warehouse). The server listens on
127.0.0.1 alone, asks for a generated password, writes durably, and outlives the command that started it.
"""

import fcntl
import os
import re
import secrets
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import psycopg
from psycopg import sql

from assets.warehouse.database import connect, safe_error
from assets.warehouse.roles import READER_ROLE
from orchestration.data_directory import OWNER, initialise, last_lines, reset_password
from orchestration.postmaster import Postmaster, disarm_stale_lock, is_alive, read_postmaster
from orchestration.server_configuration import choose_port, server_configuration
from orchestration.server_place import (
    POSTGRES_MAJOR,
    EmbeddedPostgresError,
    ServerPlace,
    find_binaries,
    find_folder,
    find_place,
    give_away,
    read_state,
    write_file,
    write_state,
)
from orchestration.settings import Settings

__all__ = [
    "EmbeddedPostgresError",
    "ServerInfo",
    "ServerStatus",
    "database_url",
    "ensure_running",
    "reader_password",
    "reader_url",
    "status",
    "stop",
]

DATABASE = "holdfast"
PASSWORD_FILE = "postgres.password"  # noqa: S105 (the file's name)
READER_PASSWORD_FILE = "bi_reader.password"  # noqa: S105
OLDEST_SERVER_VERSION = 15
START_SECONDS = 300  # crash recovery replays up to max_wal_size
STOP_SECONDS = 120
_PORT_ATTEMPTS = 5
_ORPHAN_SECONDS = 30  # backends of a killed postmaster notice its death and go, within moments


@dataclass(frozen=True)
class ServerInfo:
    """A running embedded server. `url` holds the owner's password and is left out of `repr`."""

    url: str = field(repr=False)
    data_directory: Path
    pid: int
    port: int
    version: str


@dataclass(frozen=True)
class ServerStatus:
    """What `status` found: `server` is None unless it runs and answers."""

    server: ServerInfo | None
    data_directory: Path
    log_file: Path
    message: str


def ensure_running(home: Path, *, server_settings: Mapping[str, str] | None = None) -> ServerInfo:
    """Return the running server of `home`; initialise it, start it or restart it first where needed.

    Several commands may call it at once: one starts the server, the others wait for it.

    Args:
        home: the state folder; made where it does not exist.
        server_settings: PostgreSQL settings on top of ours, used only if this call starts the server.

    Raises:
        EmbeddedPostgresError: the server cannot run.
    """
    home = _absolute(home)
    with _permissions_explained(home):
        if server := _find_running(home):
            return server
        home.mkdir(parents=True, exist_ok=True)
        with _locked(home):
            return _find_running(home) or _bring_up(home, server_settings or {})


def stop(home: Path) -> bool:
    """Stop the server of `home`, ending its connections; False when none was running.

    Raises:
        EmbeddedPostgresError: it did not stop in time.
    """
    home = _absolute(home)
    with _permissions_explained(home):
        if not home.is_dir():
            return False
        with _locked(home):
            return _stop_found(home)


def status(home: Path) -> ServerStatus:
    """Tell whether the server of `home` runs, without starting anything."""
    home = _absolute(home)
    with _permissions_explained(home):
        folder = find_folder(home)
        server = _find_running(home)
        if server:
            message = f"PostgreSQL {server.version} runs on 127.0.0.1:{server.port} (process {server.pid})"
        elif read_postmaster(folder / "data"):
            message = "PostgreSQL is starting, stopping, or does not accept the stored password"
        else:
            message = "PostgreSQL is stopped" if (folder / "data").exists() else "PostgreSQL was never started here"
    return ServerStatus(server, folder / "data", folder / "server.log", message)


def database_url(settings: Settings) -> str:
    """The URL of the database to use: the owner's own server, checked, or the embedded one, started where needed.

    Raises:
        EmbeddedPostgresError: the server cannot be reached, is too old, or does not let us create schemas.
    """
    if settings.database_url is None:
        return ensure_running(settings.home).url
    try:
        with connect(settings.database_url, autocommit=True, application_name="holdfast check") as connection:
            version = connection.info.server_version
            row = connection.execute("select has_database_privilege(current_database(), 'CREATE')").fetchone()
    except psycopg.Error as error:
        raise EmbeddedPostgresError(
            f"HOLDFAST_DATABASE_URL: cannot connect: {safe_error(error)}. Check host, port, user, password and "
            "database name, or unset it to use the embedded server."
        ) from error
    if version // 10000 < OLDEST_SERVER_VERSION:
        raise EmbeddedPostgresError(
            f"HOLDFAST_DATABASE_URL: the server is PostgreSQL {version // 10000}.{version % 10000}; Holdfast needs "
            f"{OLDEST_SERVER_VERSION} or later. Upgrade the server, or unset the variable to use the embedded one."
        )
    if row is None or not row[0]:
        raise EmbeddedPostgresError(
            "HOLDFAST_DATABASE_URL: the user may not create schemas in this database. As its owner: "
            "grant create on database <database> to <user>."
        )
    return settings.database_url


def reader_password(home: Path) -> str:
    """The password of the role `bi_reader` on the embedded server, generated at the first call."""
    home = _absolute(home)
    home.mkdir(parents=True, exist_ok=True)
    with _locked(home):
        return _password(home, READER_PASSWORD_FILE) or _new_password(home, READER_PASSWORD_FILE)


def reader_url(home: Path, server: ServerInfo) -> str:
    """The URL with which a dashboard connects to the embedded server, as `bi_reader`."""
    return f"postgresql://{READER_ROLE}:{reader_password(home)}@127.0.0.1:{server.port}/{DATABASE}"


def _bring_up(home: Path, extra: Mapping[str, str]) -> ServerInfo:
    place = find_place(home)
    major = _data_major(place)
    binaries = find_binaries(place.user, major or POSTGRES_MAJOR)
    running = _settled(place)
    password = _password(home, PASSWORD_FILE)
    if password is None or (running and not _is_accepted(running, password)):
        if major is not None:
            _stop(place)
        password = _new_password(home, PASSWORD_FILE)
        if major is not None:
            reset_password(place, binaries, password)
    if major is None:
        initialise(place, binaries, password)
    postmaster = read_postmaster(place.data) or _start(place, binaries, extra)
    _create_database(postmaster.port, password)
    server = _find_running(home)
    if server is None:
        _fail(place, "PostgreSQL was started and is gone again")
    return server


def _data_major(place: ServerPlace) -> int | None:
    version = place.data / "PG_VERSION"
    return int(version.read_text()) if version.is_file() else None


def _start(place: ServerPlace, binaries: Path, extra: Mapping[str, str]) -> Postmaster:
    port = choose_port(place.home, read_state(place.home).get("port"))
    ports_tried, deadline = 1, time.monotonic() + _ORPHAN_SECONDS
    _rotate_log(place)
    while True:
        disarm_stale_lock(place.data, place.user)
        configuration = server_configuration(port, extra)
        write_file(place.data / "holdfast.conf", configuration, 0o600, place.user)
        log_offset = place.log.stat().st_size if place.log.exists() else 0
        try:
            postmaster = _wait_ready(place, _spawn(place, binaries), log_offset)
        except EmbeddedPostgresError as error:
            if "Address already in use" in str(error) and ports_tried < _PORT_ATTEMPTS:
                port, ports_tried = choose_port(place.home, port + 1), ports_tried + 1
            elif re.search(r"shared memory block.*in use|lock file .* already exists", str(error)) and (
                time.monotonic() < deadline
            ):
                time.sleep(0.3)
            else:
                raise
        else:
            write_state(place.home, port=port)
            return postmaster


def _spawn(place: ServerPlace, binaries: Path) -> int:
    """Start the postmaster as a daemon and return its process id.

    The shell is there so that the postmaster becomes the child of init: as ours it would stay a zombie after its
    death, and PostgreSQL takes a zombie's lock file for a living server's. (pg_ctl, which does the same, breaks on
    paths with a quote or a dollar sign.)
    """
    script = 'log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo "$!"'
    command = [str(binaries / "postgres"), "-D", str(place.data)]
    spawned = place.user.run(["/bin/sh", "-c", script, "sh", str(place.log), *command])
    if not spawned.stdout.strip().isdecimal():
        _fail(place, f"PostgreSQL cannot be started: {spawned.stderr.strip()}")
    return int(spawned.stdout)


def _wait_ready(place: ServerPlace, pid: int, log_offset: int) -> Postmaster:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        postmaster = read_postmaster(place.data)
        if postmaster and postmaster.is_ready:
            return postmaster
        if not is_alive(pid):
            _fail(place, "PostgreSQL did not start", log_offset)
        time.sleep(0.02)
    _fail(place, f"PostgreSQL is still not ready after {START_SECONDS} s (it goes on recovering)", log_offset)


def _settled(place: ServerPlace) -> Postmaster | None:
    """Let a server that is on its way up or down arrive there; None when it is down."""
    deadline = time.monotonic() + START_SECONDS
    while (postmaster := read_postmaster(place.data)) and not postmaster.is_ready:
        if time.monotonic() > deadline:
            _fail(place, f"PostgreSQL (process {postmaster.pid}) has been neither up nor down for {START_SECONDS} s")
        time.sleep(0.05)
    return postmaster


def _stop_found(home: Path) -> bool:
    return (find_folder(home) / "data").exists() and _stop(find_place(home))


def _stop(place: ServerPlace) -> bool:
    postmaster = read_postmaster(place.data)
    if postmaster is None:
        return False
    os.kill(postmaster.pid, signal.SIGINT)  # fast shutdown: connections end, data are written
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        if not is_alive(postmaster.pid):
            return True
        time.sleep(0.02)
    _fail(place, f"PostgreSQL (process {postmaster.pid}) did not stop within {STOP_SECONDS} s")


def _find_running(home: Path) -> ServerInfo | None:
    """The server of `home` if it runs, is this home's own, and accepts the stored password."""
    data = find_folder(home) / "data"
    postmaster = read_postmaster(data)
    password = _password(home, PASSWORD_FILE)
    if postmaster is None or not postmaster.is_ready or password is None:
        return None
    url = _url(postmaster.port, password)
    try:
        with connect(url, autocommit=True, application_name="holdfast check", connect_timeout=10) as connection:
            row = connection.execute("select current_setting('data_directory')").fetchone()
            version = connection.info.server_version
    except psycopg.Error:
        return None
    if row is None or not Path(row[0]).samefile(data):
        return None
    return ServerInfo(url, data, postmaster.pid, postmaster.port, f"{version // 10000}.{version % 10000}")


def _is_accepted(postmaster: Postmaster, password: str) -> bool:
    """False only where the server answers and refuses the password."""
    try:
        connect(_url(postmaster.port, password, "postgres"), application_name="holdfast check").close()
    except psycopg.OperationalError as error:
        return "password authentication failed" not in str(error)
    return True


def _create_database(port: int, password: str) -> None:
    with connect(_url(port, password, "postgres"), autocommit=True, application_name="holdfast check") as connection:
        if connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone() is None:
            connection.execute(sql.SQL("create database {} owner {}").format(*map(sql.Identifier, (DATABASE, OWNER))))


def _url(port: int, password: str, database: str = DATABASE) -> str:
    return f"postgresql://{OWNER}:{password}@127.0.0.1:{port}/{database}"


def _password(home: Path, name: str) -> str | None:
    try:
        return (home / name).read_text().strip() or None
    except (FileNotFoundError, NotADirectoryError):
        return None


def _new_password(home: Path, name: str) -> str:
    password = secrets.token_urlsafe(24)
    write_file(home / name, password + "\n", 0o600)
    return password


def _absolute(home: Path) -> Path:
    return Path(os.path.abspath(home.expanduser()))  # noqa: PTH100 (resolve() would follow symbolic links)


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Only one process at a time starts, stops or initialises the server of `home`."""
    path = home / "postgres.lock"
    is_new = not path.exists()
    with path.open("a") as stream:
        if is_new:
            give_away(path)
        deadline = time.monotonic() + START_SECONDS + 30
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise EmbeddedPostgresError(
                        f"Another command has been starting or stopping the database for {START_SECONDS + 30} s (lock "
                        f"{path}). See who it is with `fuser {path}`, and end it."
                    ) from None
                time.sleep(0.05)
        yield


@contextmanager
def _permissions_explained(home: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise EmbeddedPostgresError(
            f"The state folder {home} is not open to uid {os.geteuid()}: {error}. Run Holdfast as the user that made "
            "it, or set HOLDFAST_HOME to a folder of your own."
        ) from error


def _rotate_log(place: ServerPlace) -> None:
    if place.log.exists() and place.log.stat().st_size > 16 * 2**20:
        place.log.replace(place.log.with_name("server.log.1"))


def _fail(place: ServerPlace, what: str, log_offset: int = 0) -> NoReturn:
    tail = ""
    if place.log.exists():
        with place.log.open("rb") as stream:
            stream.seek(max(log_offset, place.log.stat().st_size - 16384))
            tail = stream.read().decode(errors="replace")
    raise EmbeddedPostgresError(
        f"{what}. Data: {place.data}, user: {place.user.name}. The end of {place.log}:\n{last_lines(tail)}\n"
        "Put right what it names and repeat the command, or set HOLDFAST_DATABASE_URL to a server of your own."
    )
