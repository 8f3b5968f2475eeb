"""Loads by COPY keep every value apart, the pipeline has one holder, and bi_reader reads without writing."""

import datetime
import math
from decimal import Decimal

import polars
import psycopg
import pytest

from assets.warehouse.database import (
    PipelineBusyError,
    PipelineLockLostError,
    connect,
    copy_frame,
    copy_rows,
    pipeline_lock,
)
from assets.warehouse.roles import READER_ROLE, ensure_reader_role
from orchestration import embedded_postgres
from orchestration.embedded_postgres import EmbeddedPostgresError
from orchestration.settings import load_settings

NOON = datetime.datetime(2024, 5, 1, 12, 0, 0, 123456, tzinfo=datetime.UTC)


def test_connections_are_in_utc_and_named(module_database_url: str) -> None:
    with connect(module_database_url, application_name="holdfast " + "x" * 90) as connection:
        row = connection.execute("select current_setting('timezone'), length(current_setting('application_name'))")
        assert row.fetchone() == ("UTC", 63)
        assert connection.autocommit is False


def test_copy_frame_tells_null_from_empty_and_keeps_odd_texts_and_digits(module_database_url: str) -> None:
    texts = ["", None, 'say "x", y', "\\N", "\\.", "two\nlines", "ünï ☃"]
    amounts = [Decimal("1.000000000000000000000000000001"), None, *[Decimal("-0.5")] * 5]
    ratios = [0.1 + 0.2, None, 1e-300, math.nan, math.inf, -math.inf, 0.0]
    frame = polars.DataFrame(
        {
            "text": texts,
            "amount": polars.Series(amounts, dtype=polars.Decimal(38, 30)),
            "ratio": ratios,
            "at": [NOON, None, *[NOON.replace(tzinfo=None).replace(tzinfo=datetime.UTC)] * 5],
            "day": [NOON.date(), None, *[NOON.date()] * 5],
            "flag": [True, None, False, True, True, True, True],
            "number": list(range(7)),
        }
    )
    with connect(module_database_url) as connection:
        connection.execute(
            'create temp table "odd Name" (number int, text text, amount numeric, ratio float8, at timestamptz,'
            " day date, flag bool)"
        )
        assert copy_frame(connection, "odd Name", frame) == 7
        rows = connection.execute(
            'select text, amount, ratio, at, day, flag from "odd Name" order by number'
        ).fetchall()
    assert [row[0] for row in rows] == texts
    assert [row[1] for row in rows] == amounts
    assert repr([row[2] for row in rows]) == repr(ratios)
    assert [row[3] for row in rows] == frame["at"].to_list()
    assert rows[1] == (None,) * 6
    assert [row[5] for row in rows] == frame["flag"].to_list()


def test_copy_frame_of_one_column_and_of_no_rows(module_database_url: str) -> None:
    with connect(module_database_url) as connection:
        connection.execute("create temp table one (text text)")
        assert copy_frame(connection, "one", polars.DataFrame({"text": [None, "", "\\.", "x"]})) == 4
        assert copy_frame(connection, "one", polars.DataFrame({"text": []}, schema={"text": polars.String})) == 0
        assert connection.execute("select text from one").fetchall() == [(None,), ("",), ("\\.",), ("x",)]


def test_copy_rows(module_database_url: str) -> None:
    rows = [(1, None, Decimal("0.1"), NOON), (2, "", Decimal("1e-20"), None), (3, "\\N\t\n", None, NOON)]
    with connect(module_database_url) as connection:
        connection.execute("create temp table r (number int, text text, amount numeric, at timestamptz)")
        assert copy_rows(connection, "r", ["number", "text", "amount", "at"], iter(rows)) == 3
        assert connection.execute("select * from r order by number").fetchall() == rows


def test_a_number_that_is_none_is_refused_by_the_type(module_database_url: str) -> None:
    with connect(module_database_url) as connection:
        connection.execute("create temp table f (ratio ops.ratio)")
        with pytest.raises(psycopg.errors.CheckViolation):
            copy_frame(connection, "f", polars.DataFrame({"ratio": [1.0, math.nan]}))


def test_the_pipeline_has_one_holder_and_the_error_names_it(database_url: str) -> None:
    with connect(database_url, autocommit=True) as connection:
        connection.execute(
            "insert into ops.runs (run_id, inputs_path, as_of, cutoff_at, as_of_date, is_as_of_given)"
            " values ('run-a', '/in', %s, %s, '2024-05-01', true)",
            [NOON, NOON],
        )
    with pipeline_lock(database_url, "run-a") as lock:
        lock.assert_held()
        with pytest.raises(
            PipelineBusyError, match=r"run run-a \(running, as of 2024-05-01 12:00:00 UTC, inputs /in\)"
        ):
            pipeline_lock(database_url, "run-b").__enter__()
        with pytest.raises(PipelineBusyError, match=r"held after waiting 0\.2 s by run run-a"):
            pipeline_lock(database_url, "run-b", wait_seconds=0.2).__enter__()
    with pipeline_lock(database_url, "run-b", wait_seconds=5) as lock:
        lock.assert_held()


def test_a_lost_lock_is_noticed_and_free_for_the_next(database_url: str) -> None:
    with pipeline_lock(database_url, "run-a") as lock:
        with connect(database_url, autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s, 5000)", [lock.connection.info.backend_pid])
        with pytest.raises(PipelineLockLostError, match="run-a lost the pipeline's lock"):
            lock.assert_held()
        with pipeline_lock(database_url, "run-b", wait_seconds=5) as next_lock:
            next_lock.assert_held()


def test_bi_reader_reads_what_is_published_and_nothing_else(database_url: str) -> None:
    with connect(database_url, autocommit=True) as owner:
        assert ensure_reader_role(owner, "a password").is_ready
        owner.execute("create view marts.later as select 1 as x")  # made after the grants, as dbt does
    reader_url = f"postgresql://{READER_ROLE}:a%20password@{database_url.rpartition('@')[2]}"
    with connect(reader_url, autocommit=True) as reader:
        assert reader.execute("select x from marts.later").fetchone() == (1,)
        assert reader.execute("select count(*) from quality.check_results").fetchone() == (0,)
        settings = "select current_setting('statement_timeout'), current_setting('default_transaction_read_only')"
        assert reader.execute(settings).fetchone() == ("5min", "on")
        for table in ("raw.prices", "ops.runs", "intermediate.ledger_lots", "registry.portfolios"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(f"table {table}")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            reader.execute("create temp table x (y int)")
        reader.execute("set default_transaction_read_only = off")
        for statement in ("create table marts.x (y int)", "create table public.x (y int)", "create table bi.x (y int)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(statement)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("delete from quality.check_results")


def test_the_role_is_set_up_once_and_skipped_where_it_may_not_be_made(database_url: str) -> None:
    with connect(database_url, autocommit=True) as owner:
        before = owner.execute("select setconfig from pg_db_role_setting where setdatabase = 0").fetchall()
        assert ensure_reader_role(owner).is_ready
        assert owner.execute("select setconfig from pg_db_role_setting where setdatabase = 0").fetchall() == before
        owner.execute("create role plain login password 'plain'")
        try:
            with connect(_as_plain(database_url), autocommit=True) as plain:
                answer = ensure_reader_role(plain, "x")
                assert not answer.is_ready
                assert "administrator can run: create role bi_reader" in answer.message
        finally:
            owner.execute("drop role plain")


def test_a_server_of_the_owners_own_is_checked(database_url: str) -> None:
    assert database_url == embedded_postgres.database_url(load_settings({"HOLDFAST_DATABASE_URL": database_url}))
    wrong = load_settings({"HOLDFAST_DATABASE_URL": database_url.replace("@", "x@")})
    with pytest.raises(EmbeddedPostgresError, match="cannot connect") as caught:
        embedded_postgres.database_url(wrong)
    assert database_url.split(":")[2].partition("@")[0] not in str(caught.value)
    with connect(database_url, autocommit=True) as owner:
        owner.execute("create role plain login password 'plain'")
        try:
            with pytest.raises(EmbeddedPostgresError, match="may not create schemas"):
                embedded_postgres.database_url(load_settings({"HOLDFAST_DATABASE_URL": _as_plain(database_url)}))
        finally:
            owner.execute("drop role plain")


def _as_plain(url: str) -> str:
    return f"postgresql://plain:plain@{url.rpartition('@')[2]}"
