"""Old rows move to Parquet: nothing is lost, nothing doubled, and what was published stays as it is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from typer.testing import CliRunner

from assets.market.archive import BARS, archive_bars
from assets.publication.mart_specs import read_specs
from assets.publication.retention import SNAPSHOTS, archive_snapshots
from assets.publication.tables import ensure_marts
from assets.warehouse import dbt
from assets.warehouse.archive import ArchiveError, Moved, query
from assets.warehouse.database import Connection, connect
from orchestration.command_line import app
from orchestration.maintenance import archive_what_is_old, build_maintenance_job, forget_old_runs
from orchestration.settings import Settings, find_project_root
from tests.market_holdings import hold
from tests.pipeline_runs import marts, portfolio, run, write_inputs

NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)
OLD = datetime(2025, 3, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVERY = (BARS, SNAPSHOTS)


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, autocommit=True) as connection:
        yield connection


def insert_bars(
    conn: Connection, instrument: str, first: datetime, hours: int, source: str = "binance", resolution: str = "1h",
    currency: str = "fiat:USD", **more: Any,
) -> None:  # fmt: skip
    """An hourly bar each, with values that no binary number holds."""
    row = conn.execute(
        "insert into raw.batches (kind, source, content_hash, row_count, status) values ('bars', %s, %s, %s, 'accepted')"
        " returning batch_id",
        [source, f"{instrument}{first}{resolution}{source}", hours],
    ).fetchone()
    values = {"status": "accepted", "reason": None, **more}
    conn.execute(
        "insert into raw.bars (instrument_id, source, resolution, opened_at, priced_at, close, volume, currency, batch_id,"
        " status, reason) select %(instrument)s, %(source)s, %(resolution)s, at, at + interval '1 hour - 1 microsecond',"
        " 100.1 + n / 10.0 + 1e-40, case when n %% 2 = 0 then n end, %(currency)s, %(batch)s, %(status)s, %(reason)s"
        " from (select n, %(first)s::timestamptz + n * interval '1 hour' as at from generate_series(0, %(last)s) as n) as t",
        {
            "instrument": instrument, "source": source, "resolution": resolution, "currency": currency,
            "batch": row[0] if row else 0, "first": first, "last": hours - 1, **values,
        },
    )  # fmt: skip


def stored(conn: Connection, where: str = "true") -> list[tuple[Any, ...]]:
    return conn.execute(
        "select bar_id, (opened_at at time zone 'UTC')::timestamp, close, volume, status, reason from raw.bars"
        f" where {where} order by bar_id".encode()
    ).fetchall()


def archived(conn: Connection, root: Path) -> list[tuple[Any, ...]]:
    """The same columns from the archive, exact."""
    frame = query(
        conn, root, EVERY, "select bar_id, opened_at, close, volume, status, reason from bars_exact order by bar_id"
    )
    return [
        (number, at, Decimal(close), None if volume is None else Decimal(volume), status, reason)
        for number, at, close, volume, status, reason in frame.iter_rows()
    ]


def test_what_the_marts_were_made_of_stays_and_the_rest_moves_exactly(conn: Connection, tmp_path: Path) -> None:
    insert_bars(conn, "crypto:BTC", OLD, 48)
    insert_bars(conn, "crypto:BTC", OLD, 2, source="kraken", status="refused", reason="ohlc")
    insert_bars(conn, "crypto:BTC", OLD + 2 * HOUR, 1, source="kraken", status="held", reason="outlier")
    insert_bars(conn, "crypto:ETH", OLD, 24, currency="crypto:USDT")
    insert_bars(conn, "crypto:USDT", OLD, 24)
    insert_bars(conn, "fiat:EUR", OLD, 24)
    insert_bars(conn, "crypto:SOL", OLD, 3, resolution="1d")
    insert_bars(conn, "crypto:SOL", NOW - 30 * 24 * HOUR, 5)
    # valued at 13:30 of the first day; the second one nobody looked at
    insert_bars(conn, "crypto:DOT", OLD, 48)
    hold(conn, "crypto:DOT", since=OLD + 13.5 * HOUR)
    # ... and what it is a form of stays with it, over two steps
    insert_bars(conn, "crypto:POLKA", OLD, 24)
    conn.execute(
        "insert into registry.instruments (instrument, canonical_instrument)"
        " values ('crypto:DOT', 'crypto:WDOT'), ('crypto:WDOT', 'crypto:POLKA')"
    )
    before = stored(conn)

    moved = archive_bars(conn, tmp_path, NOW)

    counts = dict(conn.execute("select instrument_id || ' ' || status, count(*) from raw.bars group by 1").fetchall())
    assert counts == {
        "crypto:BTC accepted": 2, "crypto:BTC held": 1, "crypto:ETH accepted": 1, "crypto:USDT accepted": 24,
        "fiat:EUR accepted": 24, "crypto:SOL accepted": 8, "crypto:DOT accepted": 25,
        "crypto:POLKA accepted": 24,
    }  # fmt: skip
    closes = stored(conn, "instrument_id = 'crypto:BTC' and status = 'accepted'")
    assert [row[1].hour for row in closes] == [23, 23]
    assert moved == Moved(46 + 2 + 23 + 23, 1)
    assert sorted(stored(conn) + archived(conn, tmp_path), key=lambda row: row[0]) == before
    assert archive_bars(conn, tmp_path, NOW) == Moved()
    # the archive's own view calculates
    answer = query(conn, tmp_path, EVERY, "select count(*), round(max(close), 1) from bars where currency = 'fiat:USD'")
    assert answer.rows() == [(71, 104.7)]


def test_each_resolution_has_its_own_time(conn: Connection, tmp_path: Path) -> None:
    for resolution, days in {"1m": 7, "5m": 30, "15m": 365, "1h": 365, "tick": 365, "1d": 5000}.items():
        for age in (days - 1, days + 40):
            # two on one day: the last of them stays
            insert_bars(conn, f"crypto:{resolution}", NOW - timedelta(days=age), 2, resolution=resolution)
    archive_bars(conn, tmp_path, NOW)
    left = dict(conn.execute("select resolution, count(*) from raw.bars group by 1").fetchall())
    assert left == {"1m": 3, "5m": 3, "15m": 3, "1h": 3, "tick": 3, "1d": 4}


_KILLED = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from assets.market.archive import archive_bars
from assets.warehouse.database import connect
url, root, now, step = sys.argv[1:]
def at(done):
    if done == step:
        os.kill(os.getpid(), signal.SIGKILL)
with connect(url, autocommit=True) as conn:
    archive_bars(conn, Path(root), datetime.fromisoformat(now), rows=10, at=at)
"""


def test_killed_after_any_step_nothing_is_lost_and_nothing_doubled(
    conn: Connection, database_url: str, tmp_path: Path
) -> None:
    insert_bars(conn, "crypto:BTC", OLD, 72)
    before = stored(conn)
    for step in ("read", "written", "compared", "renamed", "deleted", "committed"):
        process = subprocess.run(
            [sys.executable, "-c", _KILLED, database_url, str(tmp_path), NOW.isoformat(), step],
            cwd=find_project_root(), check=False, capture_output=True,
        )  # fmt: skip
        assert process.returncode == -9, process.stderr.decode()
        moved = archived(conn, tmp_path)
        assert len(moved) == (10 if step == "committed" else 0), step
        assert sorted(stored(conn) + moved, key=lambda row: row[0]) == before, step
    assert archive_bars(conn, tmp_path, NOW, rows=10) == Moved(59, 6)
    assert sorted(stored(conn) + archived(conn, tmp_path), key=lambda row: row[0]) == before
    # what the killed ones had left was written again under the same names
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 7


def test_a_file_that_reads_back_differently_deletes_nothing(conn: Connection, tmp_path: Path) -> None:
    insert_bars(conn, "crypto:BTC", OLD, 24)
    before = stored(conn)

    def spoil(step: str) -> None:
        if step == "written":
            import polars as pl

            path = next(tmp_path.rglob("*.part"))
            pl.read_parquet(path).with_columns(close=pl.col("close") + "1").write_parquet(path)

    with pytest.raises(ArchiveError, match=r"unfinished\.part: read back 23 rows .* nothing was deleted"):
        archive_bars(conn, tmp_path, NOW, at=spoil)
    assert stored(conn) == before
    assert archived(conn, tmp_path) == []


def test_questions_only_read_the_archive(conn: Connection, tmp_path: Path) -> None:
    insert_bars(conn, "crypto:BTC", OLD, 24)
    archive_bars(conn, tmp_path, NOW)
    outside = tmp_path.parent / "outside.csv"
    outside.write_text("a\n1\n")
    file = next(tmp_path.rglob("*.parquet"))
    content = file.read_bytes()
    for question, message in {
        f"copy bars to '{file}'": "read only",
        "drop view bars": "read only",
        "select 1; select 2": "2 statements",
        "": "0 statements",
        f"select * from read_csv('{outside}')": "cannot answer",
        "select nothing from bars": "nothing",
        "selec 1": "syntax error",
    }.items():
        with pytest.raises(ArchiveError, match=message):
            query(conn, tmp_path, EVERY, question)
    assert file.read_bytes() == content
    file.unlink()
    with pytest.raises(ArchiveError, match=f"{file.name} is missing .* restore"):
        query(conn, tmp_path, EVERY, "select 1")


def test_snapshots_leave_with_all_their_versions(conn: Connection, tmp_path: Path) -> None:
    with conn.transaction():
        ensure_marts(conn, read_specs(dbt.prepare()))
    conn.execute("create table history.snapshots_all partition of history.portfolio_snapshots default")
    for kind, days, published_to in (
        ("auto", 89, None), ("auto", 91, None), ("auto", 92, 2), ("manual", 800, None), ("daily", 700, 2),
        ("daily", 731, 2), ("daily", 732, None), ("weekly", 3000, None), ("monthly", 3000, None),
    ):  # fmt: skip
        at = NOW - timedelta(days=days)
        conn.execute(
            "insert into history.portfolio_snapshots (portfolio_id, user_id, snapshot_type, snapshot_timestamp,"
            " snapshot_date, total_value_usd, daily_change_percent, is_complete, published_from, published_to)"
            " values ('p', 'u', %s, %s, %s, 1234567890123456.789, 1e-7, true, 1, %s)",
            [kind, at, at.date(), published_to],
        )
    conn.execute(
        "insert into ops.runs (run_id, status, as_of, cutoff_at, as_of_date, inputs_path, inputs_fingerprint, is_as_of_given)"
        " values ('r', 'published', %s, %s, %s, '', '', false)",
        [NOW, NOW, NOW.date()],
    )
    conn.execute(
        "insert into ops.publications values (1, 'r', %s, '', 0, 0, 1, 0, 9, '{\"portfolio_snapshots\": 6}')", [NOW]
    )

    assert archive_snapshots(conn, tmp_path, NOW) == Moved(3, 2)

    left = conn.execute("select snapshot_type from marts.portfolio_snapshots order by 1").fetchall()
    assert left == [("auto",), ("daily",), ("manual",), ("monthly",), ("weekly",)]
    assert conn.execute("select table_rows from ops.publications").fetchone() == ('{"portfolio_snapshots": 5}',)
    assert query(conn, tmp_path, EVERY, "select * from bars").rows() == []
    answer = query(
        conn, tmp_path, EVERY,
        "select snapshot_type, total_value_usd, daily_change_percent::double, published_to from snapshots_exact"
        " order by 1, snapshot_timestamp",
    )  # fmt: skip
    assert answer.rows() == [
        ("auto", "1234567890123456.789", 1e-7, 2), ("auto", "1234567890123456.789", 1e-7, None),
        ("daily", "1234567890123456.789", 1e-7, 2),
    ]  # fmt: skip


def test_no_published_value_changes_when_old_bars_leave(database_url: str, tmp_path: Path) -> None:
    """An equity quoted in dollars, a coin quoted in a stablecoin, a reward valued at an instant, a base in euros."""
    bought = datetime(2022, 5, 2, tzinfo=UTC)
    trades = [
        "p,main,2022-05-02,DEPOSIT,fiat:USD,10000,,,,,,,,a",
        "p,main,2022-05-02,BUY,equity:AAA,10,100,,USD,,,,,b",
        "p,main,2022-05-03,DEPOSIT,crypto:BTC,2,,,,,,,,c",
        "p,main,2022-05-04T16:10:00,SELL,equity:AAA,3,101,,USD,,,,,s",
        "p,main,2022-05-05T13:30:00,STAKING_REWARD,crypto:BTC,1,,,,,,,,d",
    ]
    prices = ["equity:AAA,2022-05-02,100,USD"]
    first = [portfolio("p", base_currency="EUR", cash="ledger")]
    inputs = write_inputs(tmp_path / "inputs", first, transactions=trades, prices=prices)
    with connect(database_url, autocommit=True) as conn:
        insert_bars(conn, "equity:AAA", bought, 21)
        insert_bars(conn, "equity:AAA", bought + 24 * HOUR, 24 * 6 - 3)
        insert_bars(conn, "crypto:BTC", bought, 24 * 7, currency="crypto:USDT")
        insert_bars(conn, "crypto:USDT", bought, 24 * 7, source="kraken")
        insert_bars(conn, "fiat:EUR", bought, 24 * 7)
        assert run(inputs, database_url, tmp_path, as_of="2024-01-10").summary["status"] == "published"
        told = marts(database_url)
        settings = Settings(home=tmp_path, project_root=find_project_root(), database_url=database_url)
        kept = conn.execute("select count(*) from raw.bars").fetchone()

        maintained = archive_what_is_old(settings, database_url, "test", datetime.now(UTC))

        assert maintained.bars.rows > 24 * 10
        assert maintained.snapshots == Moved()
        assert conn.execute("select count(*) from raw.bars").fetchone() == (kept[0] - maintained.bars.rows,)
    write_inputs(
        tmp_path / "inputs", [*first, portfolio("q", base_currency="EUR")], prices=prices,
        transactions=[*trades, "q,main,2024-01-02,DEPOSIT,crypto:BTC,1,,,,,,,,e"],
    )  # fmt: skip
    assert run(inputs, database_url, tmp_path, as_of="2024-01-10").summary["status"] == "published"
    again = marts(database_url)
    for name in ("portfolio_daily", "realized_gains", "open_lots", "income", "cash_flows", "portfolio_snapshots"):
        assert told[name], name
        missing = [row for row in told[name] if row not in again[name]]
        assert not missing, name


def test_dagster_forgets_old_runs_but_not_those_that_made_an_asset_last() -> None:
    @dg.asset
    def made() -> None: ...

    with dg.DagsterInstance.ephemeral() as instance:
        runs = [dg.materialize([made], instance=instance).run_id for _ in range(3)]
        assert forget_old_runs(instance, datetime.now(UTC) + timedelta(days=29)) == 0
        assert forget_old_runs(instance, datetime.now(UTC) + timedelta(days=31)) == 2
        assert [record.dagster_run.run_id for record in instance.get_run_records()] == runs[2:]
        assert not instance.all_logs(runs[0])
        assert instance.get_latest_materialization_event(dg.AssetKey("made")) is not None


def test_the_job_and_the_commands(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", database_url)
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    with connect(database_url, autocommit=True) as conn:
        insert_bars(conn, "crypto:BTC", OLD, 24)
    runner = CliRunner()
    assert "nothing has been published yet" in runner.invoke(app, ["archive", "run"]).stdout
    with connect(database_url, autocommit=True) as conn:
        conn.execute("insert into ops.published_inputs (cutoff_at, as_of_date) values (%s, %s)", [NOW, NOW.date()])
    with dg.DagsterInstance.ephemeral() as instance:
        assert build_maintenance_job().execute_in_process(instance=instance).success

    listed = runner.invoke(app, ["archive", "list"])
    assert listed.exit_code == 0
    assert listed.stdout.split()[:4] == ["bars", "1h", "2025-03", "23"]
    asked = runner.invoke(app, ["archive", "query", "select count(*) as n, min(opened_at) as first from bars"])
    assert asked.stdout == "n,first\n23,2025-03-04T00:00:00.000000\n"
    refused = runner.invoke(app, ["archive", "query", "drop view bars"])
    assert refused.exit_code == 2
    assert "expected one select over the views bars, snapshots; the archive is read only" in refused.stderr
