"""Migrations: applied once, in order, each whole or not at all; and a changed history is refused."""

import threading
from pathlib import Path

import psycopg
import pytest

from assets.warehouse.database import connect
from assets.warehouse.migrate import MigrationError, migrate, read_migrations


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_first.sql").write_text("create schema if not exists ops; create table ops.a (x integer);\n")
    (tmp_path / "0002_second.sql").write_text("insert into ops.a values (1);\n")
    return tmp_path


def test_the_product_migrates_an_empty_database_and_a_second_time_changes_nothing(empty_database_url: str) -> None:
    with connect(empty_database_url) as connection:
        assert migrate(connection) == [migration.name for migration in read_migrations()]
        assert connection.autocommit is False
        assert migrate(connection) == []
        row = connection.execute("select count(*) from ops.schema_migrations").fetchone()
        assert row == (len(read_migrations()),)
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("select 'NaN'::ops.amount")


def test_only_what_is_missing_is_applied(empty_database_url: str, folder: Path) -> None:
    with connect(empty_database_url) as connection:
        assert migrate(connection, folder) == ["0001_first.sql", "0002_second.sql"]
        (folder / "0003_third.sql").write_text("insert into ops.a values (2);")
        assert migrate(connection, folder) == ["0003_third.sql"]
        assert connection.execute("select array_agg(x order by x) from ops.a").fetchone() == ([1, 2],)


def test_a_failing_file_is_rolled_back_whole_and_the_one_before_stays(empty_database_url: str, folder: Path) -> None:
    (folder / "0002_second.sql").write_text("create table ops.b (x integer);\ninsert into ops.missing values (1);")
    with connect(empty_database_url) as connection:
        with pytest.raises(MigrationError, match=r"0002_second\.sql failed.*line 2.*ops\.missing"):
            migrate(connection, folder)
        tables = connection.execute("select to_regclass('ops.a')::text, to_regclass('ops.b')::text").fetchone()
        assert tables == ("ops.a", None)
        assert connection.execute("select array_agg(version) from ops.schema_migrations").fetchone() == ([1],)
        connection.rollback()
        (folder / "0002_second.sql").write_text("insert into ops.a values (1);")
        assert migrate(connection, folder) == ["0002_second.sql"]


def test_a_changed_file_is_refused_but_other_line_endings_are_not(empty_database_url: str, folder: Path) -> None:
    with connect(empty_database_url) as connection:
        migrate(connection, folder)
        (folder / "0002_second.sql").write_bytes(b"insert into ops.a values (1);\r\n")
        assert migrate(connection, folder) == []
        (folder / "0002_second.sql").write_text("insert into ops.a values (7);\n")
        with pytest.raises(MigrationError, match=r"0002_second\.sql was changed .* 0003_<name>\.sql"):
            migrate(connection, folder)
        assert connection.execute("select array_agg(x) from ops.a").fetchone() == ([1],)


def test_a_database_ahead_of_the_release_is_refused(empty_database_url: str, folder: Path) -> None:
    with connect(empty_database_url) as connection:
        migrate(connection, folder)
        (folder / "0002_second.sql").unlink()
        with pytest.raises(MigrationError, match=r"newer Holdfast \(it has 0002_second\.sql"):
            migrate(connection, folder)


@pytest.mark.parametrize("name", ["0004_gap.sql", "0002_double.sql", "3_short.sql", "0003_Upper.sql"])
def test_a_misnamed_file_is_refused_before_anything_is_applied(folder: Path, name: str) -> None:
    (folder / name).write_text("select 1")
    with pytest.raises(MigrationError, match="expected the name"):
        read_migrations(folder)


def test_an_open_transaction_is_refused(empty_database_url: str, folder: Path) -> None:
    with connect(empty_database_url) as connection:
        connection.execute("select 1")
        with pytest.raises(MigrationError, match="no transaction open"):
            migrate(connection, folder)


def test_two_at_once_apply_each_file_once(empty_database_url: str, folder: Path) -> None:
    (folder / "0001_first.sql").write_text(
        "create schema if not exists ops; create table ops.a (x int); select pg_sleep(0.3)"
    )
    applied: list[list[str]] = []

    def work() -> None:
        with connect(empty_database_url) as connection:
            applied.append(migrate(connection, folder))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(applied) == [[], ["0001_first.sql", "0002_second.sql"]]
