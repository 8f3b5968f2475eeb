"""Correlations and exposures of a run against a real PostgreSQL: the universe, the reading, and no hold on the scope."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from assets.correlation import diversification, loading
from assets.correlation.store import run_correlations
from assets.correlation.watching import watch
from assets.warehouse.database import Connection, connect, copy_rows
from quality.correlation_gates import CORRELATION_GATES
from quality.gate import evaluate

AS_OF, DAYS = date(2024, 6, 30), 400
FIRST = AS_OF - timedelta(days=DAYS - 1)
# the tables that dbt builds, with the columns that this room reads
BUILT = """
create table intermediate.int_instruments (
    instrument_id text primary key, canonical_instrument text, pricing_instrument_id text, asset_class text,
    category text, trust text not null default 'trusted', chain text, protocol text,
    annualization_days integer not null default 365, max_price_age_days integer not null default 2
);
create table intermediate.int_portfolios (portfolio_id text primary key, base_currency text);
create table intermediate.int_price_daily (
    instrument_id text, valuation_date date, price numeric, currency text, priced_at timestamptz, is_observed boolean
);
create table intermediate.int_fx_daily (currency text, quote text, fx_date date, rate numeric);
create table intermediate.int_splits (instrument_id text, ex_date date, ratio numeric);
create table intermediate.int_factors (factor text, preference integer, instrument_id text);
insert into intermediate.int_factors values ('equity_market', 1, 'etf:SPY'), ('equity_market', 2, 'index:SPX');
create table build.portfolio_assets (portfolio_id text, instrument_id text, weight double precision, balance numeric default 1);
create table build.portfolio_daily (
    portfolio_id text, valuation_date date, twr_return double precision, usd_rate numeric,
    risk_free_rate double precision, is_complete boolean, is_market_day boolean, trades_daily boolean, flow_basis text,
    value_base numeric default 1, inflow_base numeric default 0, outflow_base numeric default 0,
    realized_pnl_base numeric default 0, unrealized_change_base numeric default 0, income_base numeric default 0,
    fees_base numeric default 0, taxes_base numeric default 0, trade_fees_base numeric default 0,
    currency_effect_base numeric default 0
);
"""
NEWEST = datetime(2024, 7, 1, 9, 45, tzinfo=UTC)
READING = """
    select window_days, average_correlation, first_eigenvalue_share, diversification_ratio
    from ops.correlation_readings where as_of > '2024-07-01' order by window_days
"""
BRIDGED = "eip155:10/erc20:0xusdc"  # of no category of its own
COIN, FORM, SPLIT, EURO, INDEX = "crypto:BTC", "eip155:1/erc20:0xwbtc", "equity:SPLIT", "equity:EUR", "index:SPX"


@pytest.fixture
def warehouse(database_url: str) -> Iterator[Connection]:
    with connect(database_url) as connection:
        connection.execute(BUILT)
        for name, settings in {
            COIN: {}, FORM: {"canonical": COIN, "pricing": COIN}, SPLIT: {}, EURO: {}, INDEX: {},
            "crypto:USDC": {"category": "stablecoin"}, BRIDGED: {"canonical": "crypto:USDC"}, "fiat:USD": {"asset_class": "fiat"},
            "crypto:SPAM": {"trust": "spam"}, "custom:art": {},
        }.items():  # fmt: skip
            connection.execute(
                "insert into intermediate.int_instruments (instrument_id, canonical_instrument, pricing_instrument_id,"
                " asset_class, category, trust) values (%s, %s, %s, %s, %s, %s)",
                [
                    name,
                    settings.get("canonical", name),
                    settings.get("pricing", name),
                    settings.get("asset_class", "crypto"),
                    settings.get("category"),
                    settings.get("trust", "trusted"),
                ],
            )
        split_date = FIRST + timedelta(days=300)
        connection.execute("insert into intermediate.int_splits values (%s, %s, 4)", [SPLIT, split_date])
        returns = steps()
        levels = {name: 100 * np.cumprod(1 + returns[name]) for name in (COIN, SPLIT, EURO, INDEX)}
        levels[SPLIT][300:] /= 4
        rates = 1.1 * np.cumprod(1 + np.random.default_rng(9).normal(0, 0.004, DAYS))
        levels[EURO] /= rates
        for name, prices in levels.items():
            add_prices(connection, name, prices, "fiat:EUR" if name == EURO else "fiat:USD")
        connection.execute(
            "insert into intermediate.int_fx_daily select 'fiat:EUR', 'fiat:USD', %s::date + day::integer - 1, rate"
            " from unnest(%s::numeric[]) with ordinality as rates (rate, day)",
            [FIRST, [str(rate) for rate in rates]],
        )
        yield connection


def steps() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(4)
    common = generator.normal(0, 0.02, DAYS)
    return {name: common + generator.normal(0, 0.01, DAYS) for name in (COIN, SPLIT, EURO, INDEX)}


def add_prices(connection: Connection, name: str, prices: np.ndarray, currency: str) -> None:
    copy_rows(
        connection,
        "intermediate.int_price_daily",
        ("instrument_id", "valuation_date", "price", "currency", "priced_at", "is_observed"),
        [
            (name, day, float(price), currency, datetime(day.year, day.month, day.day, 21, tzinfo=UTC), True)
            for day, price in ((FIRST + timedelta(days=n), price) for n, price in enumerate(prices))
        ],
    )


def add_portfolio(connection: Connection, name: str, weights: dict[str, float]) -> None:
    """Its return is that of its weights, and it holds as many units."""
    connection.execute("insert into intermediate.int_portfolios values (%s, 'fiat:USD')", [name])
    returns = steps()
    own = sum(weight * returns[instrument] for instrument, weight in weights.items() if instrument in returns)
    connection.execute(
        "insert into build.portfolio_daily (portfolio_id, valuation_date, twr_return, is_market_day, trades_daily)"
        " select %s, %s::date + day::integer - 1, twr, true, true"
        " from unnest(%s::float8[]) with ordinality as days (twr, day)",
        [name, FIRST, list(map(float, own))],
    )
    for instrument, weight in weights.items():
        connection.execute("insert into build.portfolio_assets values (%s, %s, %s)", [name, instrument, weight])
        connection.execute(
            "insert into intermediate.ledger_positions (portfolio_id, account_id, instrument_id, valid_from, quantity)"
            " values (%s, 'main', %s, %s, %s)",
            [name, instrument, FIRST, weight],
        )


def enter(connection: Connection, *names: str) -> None:
    connection.execute("truncate ops.run_scope")
    for name in names:
        connection.execute("insert into ops.run_scope (portfolio_id, fingerprint) values (%s, 'f')", [name])


def rows(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode()).fetchall()


def everything(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    return {
        "pairs": rows(connection, "select * from intermediate.asset_correlations order by window_days, 3, 4"),
        "readings": rows(
            connection,
            "select as_of, window_days, assets, average_correlation, regime, changed, breached"
            " from ops.correlation_readings order by 1, 2",
        ),
        "exposures": rows(
            connection, "select * from intermediate.factor_exposures where portfolio_id = 'a' order by 3"
        ),
        "ratio": rows(connection, "select * from intermediate.diversification where portfolio_id = 'a'"),
    }


def test_pairs_are_of_all_that_anybody_holds_whatever_the_scope(warehouse: Connection) -> None:
    add_portfolio(warehouse, "a", {COIN: 0.25, FORM: 0.25, SPLIT: 0.5})
    add_portfolio(warehouse, "b", {EURO: 0.6, "crypto:USDC": 0.1, BRIDGED: 0.1, "fiat:USD": 0.1, "crypto:SPAM": 0.1})
    enter(warehouse, "a")
    run_correlations(warehouse, AS_OF)
    alone = everything(warehouse)
    enter(warehouse, "a", "b")
    summary = run_correlations(warehouse, AS_OF)

    assert everything(warehouse) == alone
    assert summary.assets == 3
    pairs = {(row[1], row[2], row[3]): row for row in alone["pairs"]}
    assert set(pairs) == {
        (days, *pair) for days in (30, 90, 365) for pair in ((COIN, EURO), (COIN, SPLIT), (EURO, SPLIT))
    }
    returns = steps()
    for (days, one, other), row in pairs.items():
        # the split and the euro are undone: what is left is what both were made from
        expected = np.corrcoef(returns[one][-days:], returns[other][-days:])[0, 1]
        assert row[4] == pytest.approx(expected, abs=1e-9)
        assert row[5] == days
        assert row[0] == datetime(2024, 6, 30, 21, tzinfo=UTC)


def test_exposures_take_the_first_listed_instrument_with_prices(warehouse: Connection) -> None:
    add_portfolio(warehouse, "a", {COIN: 0.5, SPLIT: 0.5})
    enter(warehouse, "a")
    run_correlations(warehouse, AS_OF)
    found = rows(
        warehouse,
        "select factor, window_days, instrument_id, beta, observations from intermediate.factor_exposures order by 2",
    )
    returns = steps()
    own = (returns[COIN] + returns[SPLIT]) / 2
    assert [row[:3] for row in found] == [("equity_market", 90, INDEX), ("equity_market", 365, INDEX)]
    for _, days, _, beta, observations in found:
        assert beta == pytest.approx(np.polyfit(returns[INDEX][-days:], own[-days:], 1)[0])
        assert observations == days
    # two assets at equal weights: 2 / sqrt(...) of their covariance
    covariance = np.cov(returns[COIN][-365:], returns[SPLIT][-365:])
    ratio = np.sqrt(np.diag(covariance)).sum() / np.sqrt(covariance.sum())
    assert rows(warehouse, "select diversification_ratio from intermediate.diversification") == [
        (pytest.approx(ratio),)
    ]


def test_a_ratio_says_that_a_holding_has_no_price(warehouse: Connection) -> None:
    add_portfolio(warehouse, "a", {COIN: 0.5, SPLIT: 0.5})
    add_portfolio(warehouse, "b", {COIN: 0.5, SPLIT: 0.5})
    # what only a chain shows and a balance of zero are nothing that is missing
    warehouse.execute(
        "insert into build.portfolio_assets values"
        " ('a', 'custom:art', null, 3), ('b', 'crypto:SPAM', null, 3), ('b', 'custom:art', null, 0)"
    )
    enter(warehouse, "a", "b")
    run_correlations(warehouse, AS_OF)
    (with_art, without) = rows(warehouse, "select * from intermediate.diversification order by 1")
    assert with_art[1] == without[1] is not None
    assert (with_art[2], without[2]) == ("coverage:missing_price", None)


def test_a_ratio_does_not_hang_on_what_others_hold(warehouse: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    add_portfolio(warehouse, "a", {COIN: 0.5, SPLIT: 0.25, BRIDGED: 0.25})
    enter(warehouse, "a")
    run_correlations(warehouse, AS_OF)
    alone = everything(warehouse)["ratio"]
    assert alone[0][1] is not None
    add_portfolio(warehouse, "b", {COIN: 50.0, EURO: 50.0})
    monkeypatch.setattr(loading, "MOST_ASSETS", 2)
    run_correlations(warehouse, AS_OF)
    assert rows(warehouse, "select distinct instrument_b from intermediate.asset_correlations") == [(EURO,)]
    assert everything(warehouse)["ratio"] == alone


def test_readings_stay_and_a_change_is_one_from_the_reading_before(warehouse: Connection) -> None:
    add_portfolio(warehouse, "a", {COIN: 0.5, SPLIT: 0.5})
    enter(warehouse, "a")
    run_correlations(warehouse, AS_OF - timedelta(days=1))
    run_correlations(warehouse, AS_OF)
    run_correlations(warehouse, AS_OF)  # without a new price there is no new reading
    found = rows(
        warehouse, "select as_of::date, changed, regime from ops.correlation_readings where window_days = 30 order by 1"
    )
    assert [(row[0], row[1]) for row in found] == [(AS_OF - timedelta(days=1), False), (AS_OF, False)]

    other = "crisis" if found[0][2] != "crisis" else "low"
    warehouse.execute("update ops.correlation_readings set regime = %s where as_of::date < %s", [other, AS_OF])
    run_correlations(warehouse, AS_OF)
    found = rows(warehouse, "select changed from ops.correlation_readings where window_days = 30 order by as_of")
    assert found == [(False,), (True,)]


def test_too_many_assets_and_one_without_a_price_leave_no_number(
    warehouse: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_portfolio(warehouse, "a", {COIN: 0.5, SPLIT: 0.5})
    add_portfolio(warehouse, "b", {COIN: 50.0, "custom:art": 1.0})
    enter(warehouse, "a", "b")
    for module in (loading, diversification):
        monkeypatch.setattr(module, "MOST_ASSETS", 1)
    run_correlations(warehouse, AS_OF)
    assert rows(warehouse, "select count(*) from intermediate.asset_correlations") == [(0,)]
    reason = "diversification_ratio:missing_correlation"
    assert rows(warehouse, "select * from intermediate.diversification order by 1") == [
        ("a", None, reason),
        ("b", None, reason),
    ]
    assert rows(warehouse, "select regime, undefined_reason from ops.correlation_readings where window_days = 30") == [
        (None, "average_correlation:fewer_than_2_assets")
    ]


def add_bar(connection: Connection, name: str, moment: datetime, price: float, currency: str = "crypto:USDT") -> None:
    connection.execute(
        "insert into raw.bars (instrument_id, source, resolution, opened_at, priced_at, close, currency, batch_id, status)"
        " values (%s, 'binance', 'latest', %s, %s, %s, %s, 1, 'accepted')",
        [name, moment, moment, price, currency],
    )


def test_newest_prices_make_a_reading_between_two_runs(warehouse: Connection) -> None:
    """A quote in a token counts by how far it moved; as if the next run had seen both."""
    add_portfolio(warehouse, "a", {COIN: 0.5, SPLIT: 0.25, INDEX: 0.25})
    enter(warehouse, "a")
    warehouse.execute(
        "insert into ops.runs (run_id, as_of, cutoff_at, as_of_date, is_as_of_given, status)"
        " values ('r', %s, %s, %s, false, 'running')",
        [NEWEST, NEWEST, AS_OF],
    )
    warehouse.execute("insert into ops.current_run (run_id) values ('r')")
    warehouse.execute(
        "insert into raw.batches (batch_id, kind, source, content_hash, row_count, status)"
        " overriding system value values (1, 'bars', 'binance', 'h', 1, 'accepted')"
    )
    warehouse.execute("alter table intermediate.int_price_daily add column source text default 'binance'")
    close = datetime(2024, 6, 30, 21, tzinfo=UTC)
    run_correlations(warehouse, AS_OF)
    add_bar(warehouse, COIN, close, 50.0)
    add_bar(warehouse, SPLIT, close, 10.0)
    assert watch(warehouse) is None  # a run is at work
    warehouse.execute("update ops.runs set status = 'published'")
    assert watch(warehouse) is None  # nothing newer than what it saw

    add_bar(warehouse, COIN, NEWEST - timedelta(minutes=30), 80.0)
    add_bar(warehouse, COIN, NEWEST, 60.0)
    add_bar(warehouse, SPLIT, NEWEST - timedelta(minutes=15), 11.0)
    add_bar(warehouse, INDEX, NEWEST, 1.0)  # told by no source before: its owner's file says what counts
    found = watch(warehouse)
    assert found is not None
    assert (found.as_of, found.moved) == (NEWEST, 2)
    watched = rows(warehouse, READING)

    tomorrow = AS_OF + timedelta(days=1)
    for name, ratio in ((COIN, 1.2), (SPLIT, 1.1)):
        warehouse.execute(
            "insert into intermediate.int_price_daily (instrument_id, valuation_date, price, currency, priced_at, is_observed)"
            " select instrument_id, %s, price * %s, currency, %s, true from intermediate.int_price_daily"
            " where instrument_id = %s and valuation_date = %s",
            [tomorrow, ratio, NEWEST, name, AS_OF],
        )
    run_correlations(warehouse, tomorrow)
    assert rows(warehouse, READING) == [tuple(pytest.approx(value) for value in row) for row in watched]
    assert len(watched) == 3


def test_the_gate_warns_when_assets_begin_to_move_as_one(warehouse: Connection) -> None:
    (gate,) = CORRELATION_GATES
    warehouse.execute(
        "create table build.correlation_regimes as select as_of, window_days, assets, average_correlation, regime,"
        " breached from ops.correlation_readings"
    )

    def told(hours: int, *, is_breached: bool) -> list[str]:
        warehouse.execute(
            "insert into build.correlation_regimes values (%s, 30, 7, 0.8123, 'crisis', %s)",
            [NEWEST + timedelta(hours=hours), is_breached],
        )
        return [text for result in evaluate(warehouse, gate) for text in result.first_offenders]

    def publish(number: int, hours: int) -> None:
        moment = NEWEST + timedelta(hours=hours)
        warehouse.execute(
            "insert into ops.runs (run_id, as_of, cutoff_at, as_of_date, is_as_of_given) values (%s, %s, %s, %s, false)",
            [str(number), moment, moment, moment],
        )
        warehouse.execute(
            "insert into ops.publications values (%s, %s, %s, 'f', 1, 0, 1, 0, 1, 't')", [number, str(number), moment]
        )

    warning = ["30 days: average correlation 0.81 of 7 assets, crisis"]
    assert told(0, is_breached=True) == warning  # nothing was ever published
    publish(1, 0)
    assert told(1, is_breached=True) == []
    assert told(2, is_breached=False) == []
    publish(2, 2)
    assert told(3, is_breached=True) == warning
    assert told(4, is_breached=True) == warning  # a reading between two runs has told nobody
    assert not any(result.holds_run for result in evaluate(warehouse, gate))


def test_nothing_held_is_no_reading(warehouse: Connection) -> None:
    assert run_correlations(warehouse, AS_OF).as_of is None
    assert rows(warehouse, "select count(*) from ops.correlation_readings") == [(0,)]
