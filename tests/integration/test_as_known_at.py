"""What was published before can still be asked: by day what was held, and by moment what was known of it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from assets.publication.mart_specs import Column, MartSpec, read_specs
from assets.publication.tables import ensure_marts
from assets.warehouse.database import connect
from assets.warehouse.dbt import MANIFEST
from tests.pipeline_runs import daily_prices, one, portfolio, rows, run, write_inputs

PORTFOLIOS = [portfolio("late"), portfolio("steady", user_id="somebody", cash="implicit")]
TRANSACTIONS = [
    "late,main,2024-01-01,DEPOSIT,fiat:USD,10000,,,,,,,,d1",
    "late,main,2024-01-02,BUY,etf:SPY,10,101,,USD,,,,,b1",
    "late,main,2024-01-04,SELL,etf:SPY,4,103,,USD,,,,,s1",
    "steady,main,2024-01-03,BUY,etf:SPY,1,102,,USD,,,,,b2",
]
#: Told a week after it happened: the lots of the sale before it stay, everything from its day on is restated.
LATE = "late,main,2024-01-06,SELL,etf:SPY,2,105,,USD,,,,,s2"
PRICES = daily_prices("etf:SPY", [100, 101, 102, 103, 104, 105, 106, 107, 108, 110])
DAYS_FROM_LATE = 5


@pytest.fixture(scope="module")
def url(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three publications: the first, one with the late sale, and one after the file with every trade vanished."""
    folder: Path = tmp_path_factory.mktemp("as-known")
    inputs, home = folder / "inputs", folder / "home"
    for transactions in (TRANSACTIONS, [*TRANSACTIONS, LATE]):
        write_inputs(inputs, PORTFOLIOS, transactions, PRICES)
        assert run(inputs, module_database_url, home).summary["status"] == "published"
    (inputs / "transactions" / "ledger.csv").unlink()
    (inputs / "transactions" / "rest.csv").write_text(
        "portfolio,account,executed_at,type,instrument,quantity\nlate,main,2024-01-01,DEPOSIT,fiat:USD,10\n"
    )
    assert run(inputs, module_database_url, home).summary["status"] == "published"
    return module_database_url


@pytest.fixture(scope="module")
def published(url: str) -> list[datetime]:
    """When each publication began to be seen; index 0 is the first one."""
    return [at for (at,) in rows(url, "select published_at from marts.publications order by publication_id")]


def known(url: str, mart: str, at: datetime, what: str = "*", where: str = "true") -> list[tuple[Any, ...]]:
    return rows(url, f"select {what} from marts.{mart}_as_known_at(%s) where {where} order by 1, 2", at)


def test_each_moment_has_its_publication(url: str, published: list[datetime]) -> None:
    first, second, third = published
    held = "instrument_id = 'etf:SPY' and portfolio_id = 'late' and valid_to is null"
    for at, quantities in (
        (first, [6]), (second - timedelta(microseconds=1), [6]), (second, [4]), (third, []),
        (third + timedelta(days=365), []),
    ):  # fmt: skip
        assert known(url, "positions", at, "portfolio_id, quantity", held) == [("late", q) for q in quantities], at
    gains = "disposal_date::text, gain_base"
    assert known(url, "realized_gains", first, gains) == [("2024-01-04", 8)]
    assert known(url, "realized_gains", second, gains) == [("2024-01-04", 8), ("2024-01-06", 8)]
    value = "valuation_date::text, value_base"
    last_day = "portfolio_id = 'late' and valuation_date = '2024-01-10'"
    assert known(url, "portfolio_daily", first, value, last_day) == [("2024-01-10", 9402 + 6 * 110)]
    assert known(url, "portfolio_daily", second, value, last_day) == [("2024-01-10", 9612 + 4 * 110)]


def test_now_is_what_the_mart_says(url: str) -> None:
    for spec in read_specs(MANIFEST):
        assert one(
            url,
            f"select count(*) from ((table marts.{spec.name} except all select * from marts.{spec.name}_as_known_at(now()))"
            f" union all (select * from marts.{spec.name}_as_known_at(now()) except all table marts.{spec.name})) as x",
        ) == 0, spec.name  # fmt: skip
    assert one(url, "select count(*) from marts.portfolio_daily_as_known_at(now())") > 0


def test_nothing_was_known_before_the_first_publication(url: str, published: list[datetime]) -> None:
    before = published[0] - timedelta(microseconds=1)
    for spec in read_specs(MANIFEST):
        assert rows(url, f"select 1 from marts.{spec.name}_as_known_at(%s)", before) == [], spec.name
    assert rows(url, "select 1 from marts.positions_as_known_at(null)") == []


def test_a_late_transaction_restates_its_portfolio_from_its_day_on(url: str, published: list[datetime]) -> None:
    restated = rows(
        url,
        "select portfolio_id, valuation_date::text from (select * from marts.portfolio_daily_as_known_at(%s)"
        " except select * from marts.portfolio_daily_as_known_at(%s)) as restated order by 2",
        published[1],
        published[0],
    )
    assert restated == [("late", f"2024-01-{day:02d}") for day in range(6, 11)]
    assert len(restated) == DAYS_FROM_LATE
    assert one(url, "select count(*) from history.portfolio_daily_versions where published_from = 2") == DAYS_FROM_LATE
    assert one(url, "select count(*) from history.portfolio_daily_versions where published_to = 2") == DAYS_FROM_LATE


def test_a_vanished_file_is_retracted_and_can_still_be_asked(url: str, published: list[datetime]) -> None:
    assert one(url, "select count(*) from marts.positions where instrument_id = 'etf:SPY'") == 0
    assert one(url, "select count(*) from marts.realized_gains") == 0
    assert len(known(url, "positions", published[1], where="instrument_id = 'etf:SPY'")) > 0
    assert len(known(url, "transactions", published[1])) == len(TRANSACTIONS) + 1
    assert len(known(url, "transactions", published[2])) == 1


def documented(title: str) -> bytes:
    """A query of docs/bi.md, psql's variables as parameters."""
    page = (Path(__file__).parents[2] / "docs" / "bi.md").read_text(encoding="utf-8")
    query = page.split(f"-- {title}\n", 1)[1].split("```", 1)[0]
    return re.sub(r":'(\w+)'", r"%(\1)s", query).encode()


def test_what_was_held_on_a_day_as_it_was_known_then(url: str, published: list[datetime]) -> None:
    with connect(url) as connection:
        for at, held in ((published[0], 6), (published[1], 4)):
            found = connection.execute(
                documented("held on a day, as known at a moment"),
                {"portfolio": "late", "day": "2024-01-07", "moment": at},
            ).fetchall()
            # account, instrument, quantity, cost, price, currency, value
            assert [(row[1], row[2], row[4], row[6]) for row in found] == [
                ("etf:SPY", held, 106, held * 106),
                ("fiat:USD", 10000 - 1010 + 4 * 103 + (6 - held) * 105, None, None),
            ]


def test_the_other_queries_of_the_page(url: str, published: list[datetime]) -> None:
    moment = {"portfolio": "steady", "day": "2024-01-08", "moment": published[0]}
    with connect(url) as connection:
        restated = connection.execute(documented("restated since a moment"), moment | {"portfolio": "late"}).fetchall()
        assert len(restated) == len(PRICES)
        assert (restated[9][1], restated[9][2]) == (9402 + 6 * 110, 10)
        # bought at 102, so at 107 it has made 5 of 102; a year before there was no index
        assert connection.execute(documented("return of a year, as known at a moment"), moment).fetchone() == (None,)
        year = documented("return of a year, as known at a moment").replace(b"1 year", b"5 days")
        assert connection.execute(year, moment).fetchone() == (pytest.approx(107 / 102 - 1),)


def test_the_reader_asks_through_the_functions_alone(url: str, published: list[datetime]) -> None:
    with connect(url) as connection:
        connection.execute("set role bi_reader")
        for spec in read_specs(MANIFEST):
            connection.execute(f"select * from marts.{spec.name}_as_known_at(now())".encode())
        # so few rows are read whole, index or not, once they have been analysed
        connection.execute("set local enable_seqscan = off")
        plan = connection.execute(
            "explain select * from marts.portfolio_daily_as_known_at(%s) where portfolio_id = 'late'", published[:1]
        ).fetchall()
        # the function's query became part of the reader's: its filter finds the rows by an index
        assert "Function Scan on portfolio_daily_as_known_at" not in str(plan)
        assert "Index Cond: (portfolio_id = 'late'" in str(plan) or "Index Cond: ((portfolio_id = 'late'" in str(plan)
        for closed in ("history.positions_versions", "history.positions"):
            connection.execute("savepoint attempt")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"table {closed}".encode())
            connection.execute("rollback to savepoint attempt")


def test_a_later_column_reaches_the_function_and_what_stands_on_it(database_url: str) -> None:
    specs = read_specs(MANIFEST)
    identity = "select 'marts.positions_as_known_at'::regproc::oid::bigint"
    with connect(database_url) as connection:
        ensure_marts(connection, specs)
        before = connection.execute(identity).fetchone()
        connection.execute("create view bi.then as select * from marts.positions_as_known_at('2024-01-01')")
        ensure_marts(connection, [_with_column(s, "lately") if s.name == "positions" else s for s in specs])
        connection.execute("select lately, portfolio_id from marts.positions_as_known_at(now())")
        connection.execute("select portfolio_id from bi.then")
        assert connection.execute(identity).fetchone() == before


def test_earlier_versions_are_found_by_an_index_and_current_ones_stay_unique(database_url: str) -> None:
    with connect(database_url) as connection:
        specs = read_specs(MANIFEST)
        ensure_marts(connection, specs)
        # as the release before made it
        connection.execute("drop index history.income_ended")
        connection.execute("alter table history.income add primary key (portfolio_id, income_id, published_from)")
        connection.execute("delete from ops.relation_definitions where relation = 'marts.income'")
        ensure_marts(connection, specs)
        indexes = connection.execute(
            "select indexrelid::regclass::text from pg_index where indrelid = 'history.income'::regclass order by 1"
        ).fetchall()
        assert indexes == [("history.income_current",), ("history.income_ended",)]
        connection.execute("set local enable_seqscan = off")
        plan = connection.execute(
            "explain select * from marts.income_as_known_at('2024-01-01') where portfolio_id = 'p'"
        ).fetchall()
        # what the release before ended where it stood is still found
        found_by = {"income_current", "income_ended", "income_earlier_key"}
        assert {
            name for (line,) in plan for name in found_by if re.search(rf"Scan (on|using) {name}", line)
        } == found_by, plan
        required = connection.execute(
            "select count(*) from pg_attribute where attrelid = 'history.income'::regclass and attnotnull"
            " and attname in ('portfolio_id', 'income_id')"
        ).fetchone()
        assert required == (2,)


def _with_column(spec: MartSpec, name: str) -> MartSpec:
    return replace(spec, columns=(Column(name, "numeric", "A later column."), *spec.columns))
