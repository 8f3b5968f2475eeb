"""The database of the tests: one server of their own per session, one fresh database per test (or per module).

Belongs here: fixtures that need PostgreSQL, and the guard before anything is destroyed. Tests under tests/unit use
none of them. Databases are copies of a template that holds the migrations and the role bi_reader, or of what a first
whole run left (`published_url`): a run spends 10 s of processor time, a copy 0.3 s.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from psycopg import sql

from assets.warehouse.database import connect
from assets.warehouse.dbt import MANIFEST
from assets.warehouse.migrate import migrate
from assets.warehouse.roles import ensure_reader_role
from orchestration import embedded_postgres
from orchestration.embedded_postgres import ServerInfo
from orchestration.postmaster import is_alive

if TYPE_CHECKING:
    from orchestration.pipeline import Outcome

SERVER_FOLDER_PREFIX = "holdfast-test-"
TEMPLATE = "holdfast_template"
#: Files of many whole runs, the longest first.
LONGEST = (
    "integration/test_days.py", "integration/test_pipeline.py", "integration/test_readers.py",
    "integration/test_wallets.py", "integration/test_command_line.py", "integration/test_as_known_at.py",
    "golden/test_performance_cases.py", "integration/test_market.py", "integration/test_export.py",
    "integration/test_wallet_ledger.py", "integration/test_readme.py", "integration/test_embedded_postgres.py",
    "integration/test_archive.py", "integration/test_reconciliation.py", "integration/test_order_of_inputs.py",
    "integration/test_accounts.py", "integration/test_price_sources.py", "dbt/test_unit_tests.py",
    "integration/test_demo_chains.py", "unit/performance/test_compiled.py",
)  # fmt: skip
# tests need no durability, and several servers may share the machine
FAST_SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "shared_buffers": "128MB"}


def pytest_configure(config: pytest.Config) -> None:
    """No test reaches a live service; each of several test processes has a dbt target of its own: what one writes there another may be reading."""
    os.environ["HOLDFAST_SOURCES"] = "none"
    # xdist would begin with the files of the most tests; those of whole runs have few
    config.option.loadscopereorder = False
    if os.environ.get("PYTEST_XDIST_WORKER"):
        target = tempfile.mkdtemp(prefix="holdfast-dbt-")
        os.environ["DBT_TARGET_PATH"] = target
        parsed = MANIFEST.with_name("partial_parse.msgpack")
        if parsed.exists():  # what was parsed before is not parsed again by each process
            shutil.copy2(parsed, target)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files: one that begins last keeps a process busy while the others have nothing to do."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Delete it."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shutil.rmtree(os.environ["DBT_TARGET_PATH"], ignore_errors=True)


@pytest.fixture(autouse=True, scope="session")
def _no_live_source() -> Iterator[None]:
    """No test reaches a live service: one that asks chains names them, and its own nodes, itself."""
    before = os.environ.get("HOLDFAST_SOURCES")
    os.environ["HOLDFAST_SOURCES"] = "none"
    yield
    if before is None:
        del os.environ["HOLDFAST_SOURCES"]
    else:
        os.environ["HOLDFAST_SOURCES"] = before


def make_home() -> Path:
    """A new temporary home which a server's own OS user can enter; its name tells the test process."""
    home = Path(tempfile.mkdtemp(prefix=f"{SERVER_FOLDER_PREFIX}{os.getpid()}-"))
    home.chmod(0o755)
    return home


def assert_own_server(server: ServerInfo) -> None:
    """Refuse to destroy anything unless the server answering at this URL is one that a test made."""
    with connect(server.url, autocommit=True) as connection:
        row = connection.execute("select current_setting('data_directory')").fetchone()
    assert row is not None
    data = Path(row[0])
    assert data.samefile(server.data_directory), f"{server.url} answers from {data}"
    ancestors = [folder.name for folder in data.parents]
    assert any(name.startswith(SERVER_FOLDER_PREFIX) for name in ancestors), f"{data} was not made by a test"
    if Path("/proc/self/cwd").exists():
        working_directory = Path(f"/proc/{server.pid}/cwd")
        assert working_directory.samefile(data), f"process {server.pid} is not the postmaster of {data}"


def remove_home(home: Path) -> None:
    """Stop the server of a test's home and delete the home."""
    assert home.name.startswith(SERVER_FOLDER_PREFIX), f"{home} was not made by a test"
    assert home.parent == Path(tempfile.gettempdir()), f"{home} is not a temporary directory"
    embedded_postgres.stop(home)
    shutil.rmtree(home)


def sweep_abandoned_homes() -> None:
    """A killed test session leaves its server running; the next one ends it, one test process at a time."""
    with Path(tempfile.gettempdir(), f"holdfast-sweep-{os.geteuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for home in Path(tempfile.gettempdir()).glob(f"{SERVER_FOLDER_PREFIX}*"):
            process = home.name.removeprefix(SERVER_FOLDER_PREFIX).partition("-")[0]
            is_abandoned = process.isdecimal() and not is_alive(int(process))
            if is_abandoned and home.is_dir() and home.stat().st_uid == os.geteuid():
                remove_home(home)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[ServerInfo]:
    """A server of this session's own, stopped and removed at its end."""
    sweep_abandoned_homes()
    home = make_home()
    try:
        server = embedded_postgres.ensure_running(home, server_settings=FAST_SETTINGS)
        assert_own_server(server)
        yield server
    finally:
        remove_home(home)


@pytest.fixture(scope="session")
def template_database(postgres_server: ServerInfo) -> str:
    """The name of the database that fresh ones are copied from: migrated, with the reading role."""
    url = database_url_of(postgres_server, TEMPLATE)
    with connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(TEMPLATE)))
    with connect(url, autocommit=True) as connection:
        migrate(connection)
        assert ensure_reader_role(connection).is_ready
    return TEMPLATE


@pytest.fixture
def database_url(postgres_server: ServerInfo, template_database: str) -> Iterator[str]:
    """The URL of a fresh, migrated database for one test."""
    with fresh_database(postgres_server, template_database) as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(postgres_server: ServerInfo, template_database: str) -> Iterator[str]:
    """The URL of a fresh, migrated database shared by the tests of one module."""
    with fresh_database(postgres_server, template_database) as url:
        yield url


@dataclass(frozen=True)
class FirstRun:
    """How a whole run of `two_portfolios` ended, and the database that it left, which is only copied."""

    template: str
    outcome: Outcome


@pytest.fixture(scope="session")
def first_run(
    postgres_server: ServerInfo, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FirstRun]:
    """The run that comes before what most tests of whole runs look at, made once."""
    from tests.pipeline_runs import run, two_portfolios

    folder = tmp_path_factory.mktemp("first_run")
    with fresh_database(postgres_server, template_database) as url:
        outcome = run(two_portfolios(folder / "inputs"), url, folder / "home")
        assert outcome.summary["status"] == "published", outcome.messages
        name = url.rpartition("/")[2]
        with connect(postgres_server.url, autocommit=True) as connection:
            # dbt keeps its session until it is asked again, and what is in use cannot be copied
            connection.execute(
                "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = %s", [name]
            )
        yield FirstRun(name, outcome)


@pytest.fixture
def published_url(postgres_server: ServerInfo, first_run: FirstRun) -> Iterator[str]:
    """The URL of a database for one test in which `two_portfolios` is published."""
    with fresh_database(postgres_server, first_run.template) as url:
        yield url


@pytest.fixture(scope="module")
def module_published_url(postgres_server: ServerInfo, first_run: FirstRun) -> Iterator[str]:
    """The same, shared by the tests of one module."""
    with fresh_database(postgres_server, first_run.template) as url:
        yield url


@pytest.fixture
def empty_database_url(postgres_server: ServerInfo) -> Iterator[str]:
    """The URL of a fresh database with nothing in it."""
    with fresh_database(postgres_server, "template1") as url:
        yield url


@contextmanager
def fresh_database(server: ServerInfo, template: str) -> Iterator[str]:
    """Copy `template`, give the copy's URL, and drop it after, with whatever connections a test left open."""
    name = f"test_{secrets.token_hex(6)}"
    with connect(server.url, autocommit=True) as connection:
        # file_copy forces a checkpoint, which costs little without fsync: 0.28 s against 0.40 s with wal_log, measured
        # on two busy cores
        statement = sql.SQL("create database {} template {} strategy file_copy")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield database_url_of(server, name)
    finally:
        assert_own_server(server)
        with connect(server.url, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def database_url_of(server: ServerInfo, database: str) -> str:
    """The owner's URL of another database on the same server."""
    return f"{server.url.rpartition('/')[0]}/{database}"
