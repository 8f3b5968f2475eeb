"""The optimisation of a run against a real PostgreSQL: what it reads, what it writes, what it leaves alone."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from assets.allocation.store import run_optimisation
from assets.warehouse.database import Connection, connect, copy_rows
from quality.analytics_gates import ANALYTICS_GATES
from quality.gate import evaluate

AS_OF = date(2024, 6, 30)
DAYS = 200
# The tables that dbt builds, with the columns that the optimisation reads.
BUILT = """
create table intermediate.int_instruments (
    instrument_id text primary key, asset_class text, chain text, protocol text, category text,
    annualization_days integer, max_price_age_days integer, pricing_instrument_id text, trust text not null default 'trusted',
    canonical_instrument text, decimals integer
);
create table intermediate.int_price_daily (
    instrument_id text, valuation_date date, price numeric, currency text, priced_at timestamptz, age_days integer,
    is_observed boolean
);
create table intermediate.int_fx_daily (currency text, quote text, fx_date date, rate numeric);
create table intermediate.int_splits (instrument_id text, ex_date date, ratio numeric);
create table build.portfolio_assets (
    portfolio_id text, account_id text, instrument_id text, balance numeric, price_base numeric, price_usd numeric,
    value_base numeric, value_usd numeric, weight double precision
);
create table build.portfolio_daily (portfolio_id text, valuation_date date, risk_free_rate double precision);
insert into registry.users (user_id) values ('alice');
"""
INSTRUMENTS: dict[str, dict[str, Any]] = {
    "crypto:BTC": {"seed": 1, "drift": 0.002},
    "crypto:ETH": {"seed": 2, "drift": 0.001},
    "crypto:SOL": {"seed": 3, "drift": 0.0005},
    "crypto:OLD": {"seed": 4, "stops_at": 150},
}


@pytest.fixture
def warehouse(database_url: str) -> Iterator[Connection]:
    with connect(database_url) as connection:
        connection.execute(BUILT)
        for name, settings in INSTRUMENTS.items():
            add_instrument(connection, name, walk(settings["seed"], settings.get("drift", 0.0)), **settings)
        yield connection


def walk(seed: int, drift: float) -> list[float]:
    steps = np.random.default_rng(seed).normal(drift, 0.02, DAYS)
    return [round(float(price), 6) for price in 100 * np.cumprod(1 + steps)]


def add_instrument(
    connection: Connection, name: str, prices: list[float], currency: str = "fiat:USD", stops_at: int = DAYS, **_: Any
) -> None:
    connection.execute(
        "insert into intermediate.int_instruments values (%s, 'crypto', null, null, null, 365, 2, %s, default, %s)",
        [name, name, name],
    )
    first = AS_OF - timedelta(days=DAYS - 1)
    rows = [
        (
            name,
            first + timedelta(days=i),
            prices[min(i, stops_at - 1)],
            currency,
            max(0, i - stops_at + 1),
            i < stops_at,
        )
        for i in range(DAYS)
    ]
    columns = ("instrument_id", "valuation_date", "price", "currency", "age_days", "is_observed")
    copy_rows(connection, "intermediate.int_price_daily", columns, rows)


def add_portfolio(
    connection: Connection,
    name: str,
    holdings: dict[str, tuple[str, str | None]],
    base_currency: str = "USD",
    in_scope: bool = True,
    **policy: Any,
) -> None:
    """Holdings: instrument -> (quantity, value in base currency and dollars alike)."""
    connection.execute(
        "insert into registry.portfolios (id, user_id, name, base_currency, risk_free_rate)"
        " values (%s, 'alice', %s, %s, '0')",
        [name, name, base_currency],
    )
    if in_scope:
        connection.execute("insert into ops.run_scope values (%s, 'f')", [name])
    for instrument, (quantity, value) in holdings.items():
        connection.execute(
            "insert into build.portfolio_assets"
            " (portfolio_id, account_id, instrument_id, balance, value_base, value_usd)"
            " values (%s, 'main', %s, %s, %s, %s)",
            [name, instrument, quantity, value, value],
        )
    if policy:
        columns = ["portfolio_id", *policy]
        connection.execute(
            f"insert into registry.policies ({', '.join(columns)}) values ({', '.join(['%s'] * len(columns))})",  # type: ignore[arg-type]
            [name, *policy.values()],
        )


def rows(connection: Connection, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    return connection.execute(query, parameters).fetchall()  # type: ignore[arg-type]


def weights(connection: Connection, portfolio: str) -> dict[str, float]:
    found = rows(
        connection, "select instrument_id, weight from intermediate.target_weights where portfolio_id = %s", portfolio
    )
    return dict(found)


def policy(objective: str = "max_sharpe", universe: list[str] | None = None, **more: Any) -> dict[str, Any]:
    # sample: Ledoit and Wolf shrink unrelated walks to equal variances, and every input would give equal weights
    return {"objective": objective, "universe": universe or ["held"], "covariance": "sample", **more}


HELD = {
    "crypto:BTC": ("4", "400"),
    "crypto:ETH": ("3", "300"),
    "crypto:SOL": ("3", "300"),
    "fiat:USD": ("1000", "1000"),
}


def test_what_is_held_limits_what_is_sold(warehouse: Connection) -> None:
    # half of it is cash, which buys without a sale: 20 % of BTC, 15 % of ETH and of SOL stay but for 1 %
    add_portfolio(warehouse, "p", HELD, **policy("risk_parity", max_turnover=0.01))
    # what has no history is kept as it is, and out of the sum: 40 % BTC and 60 % ETH, of which nothing may be sold
    add_portfolio(
        warehouse, "q", {"crypto:BTC": ("4", "400"), "crypto:ETH": ("6", "600"), "crypto:NEVER": ("1", "1000")},
        **policy("max_sharpe", max_turnover=0.0),
    )  # fmt: skip
    summary = run_optimisation(warehouse, AS_OF, "run-1")
    assert summary.statuses == {"optimal": 2}, summary.notes
    held = weights(warehouse, "p")
    sold = sum(max(now - held[name], 0) for name, now in
               {"crypto:BTC": 0.2, "crypto:ETH": 0.15, "crypto:SOL": 0.15}.items())  # fmt: skip
    assert sold <= 0.01 + 1e-6
    assert weights(warehouse, "q") == pytest.approx({"crypto:BTC": 0.4, "crypto:ETH": 0.6}, abs=1e-5)


def test_the_choice_of_holdings_is_published_with_its_gap(warehouse: Connection) -> None:
    add_portfolio(
        warehouse, "p", HELD, **policy("min_volatility", max_assets=2, min_holding=0.1, selection="annealing")
    )
    add_portfolio(warehouse, "q", HELD, **policy("min_volatility"))
    run_optimisation(warehouse, AS_OF, "run-1")
    found = rows(
        warehouse,
        "select portfolio_id, selection, selection_gap from intermediate.optimization_runs order by portfolio_id",
    )
    assert [row[0] for row in found] == ["p", "q"]
    assert found[0][1] in ("annealing", "exact")
    assert found[0][2] >= 0
    assert found[1][1:] == (None, None)
    assert sum(weight > 1e-6 for weight in weights(warehouse, "p").values()) <= 2


def test_weights_have_intervals_where_the_policy_asks(warehouse: Connection) -> None:
    add_portfolio(warehouse, "p", HELD, **policy("min_volatility", weight_intervals=True))
    add_portfolio(warehouse, "q", HELD, **policy("min_volatility"))
    # a limit that the compiled solver does not know: the reason is said
    add_portfolio(warehouse, "r", HELD, **policy("min_volatility", weight_intervals=True, max_turnover=1.0))
    summary = run_optimisation(warehouse, AS_OF, "run-1")
    found = rows(
        warehouse,
        "select portfolio_id, bool_and(weight_low <= weight_high and weight_low >= 0 and weight_high <= 1),"
        " count(weight_low), bool_or(weight between weight_low and weight_high)"
        " from intermediate.target_weights group by 1 order by 1",
    )
    assert found == [("p", True, 3, True), ("q", None, 0, None), ("r", None, 0, None)]
    assert "weights without an interval" in summary.notes["r"]
    assert "interval" not in summary.notes.get("q", "") + summary.notes.get("p", "")


def test_trading_costs_know_the_volumes_that_are_stored(warehouse: Connection) -> None:
    # a ten-thousandth of a BTC a day: its impact keeps it; that of the others is unknown and left out
    row = warehouse.execute(
        "insert into raw.batches (kind, source, content_hash, row_count, status) values ('bars', 'kraken', 'x', 20,"
        " 'accepted') returning batch_id"
    ).fetchone()
    assert row is not None
    warehouse.execute(
        "insert into raw.bars (instrument_id, source, resolution, opened_at, priced_at, high, low, close, volume,"
        " currency, batch_id, status) select 'crypto:BTC', 'kraken', '1d', day, day + interval '1 day', 101, 99, 100,"
        " 0.0001, 'fiat:USD', %s, 'accepted' from generate_series(%s::date - 20, %s::date - 1, '1 day') as day",
        [row[0], AS_OF, AS_OF],
    )
    for name, impact in (("free", None), ("dear", 1.0)):
        add_portfolio(
            warehouse, name, HELD, **policy("efficient_risk", target=0.3, cost_spread=0.0, cost_impact=impact)
        )
    assert run_optimisation(warehouse, AS_OF, "run-1").statuses == {"optimal": 2}
    ((notes,),) = rows(warehouse, "select notes from intermediate.optimization_runs where portfolio_id = 'dear'")
    assert "impact left out, value traded a day unknown: crypto:ETH, crypto:SOL" in notes
    moved = {name: abs(weights(warehouse, name)["crypto:BTC"] - 0.2) for name in ("free", "dear")}
    assert moved["dear"] < moved["free"] - 0.01


def test_a_policy_gives_weights_frontier_and_suggestions(warehouse: Connection) -> None:
    add_portfolio(warehouse, "p", HELD, **policy(max_weight=0.6, min_weight=0.1))
    said: list[str] = []
    summary = run_optimisation(warehouse, AS_OF, "run-1", said.append)
    warehouse.commit()
    assert summary.statuses == {"optimal": 1}
    assert summary.rows["target_weights"] == 3
    assert said == ["1 of 1 portfolios optimised or rebalanced"]
    assert str(summary).startswith("1 optimal; ")

    ((run_id, status, solver, reason, kkt, observations, version, condition),) = rows(
        warehouse,
        "select run_id, status, solver, fallback_reason, kkt_residual, observations, inputs_version, condition_number"
        " from intermediate.optimization_runs",
    )
    assert (run_id, status, solver, reason, observations) == ("run-1:p", "optimal", "compiled", None, DAYS - 1)
    assert kkt < 1e-5
    assert len(version) == 16
    assert condition >= 1

    ((total, low, high, previous),) = rows(
        warehouse,
        "select sum(weight), min(weight - lower), max(weight - upper), count(previous_weight)"
        " from intermediate.target_weights where run_id = 'run-1:p'",
    )
    assert total == pytest.approx(1, abs=1e-6)
    assert low >= -1e-6
    assert high <= 1e-6
    assert previous == 0

    ((points, steepest),) = rows(
        warehouse, "select count(*), max(sharpe_ratio) from intermediate.efficient_frontier where run_id = 'run-1:p'"
    )
    ((sharpe, sharpe_low, sharpe_high),) = rows(
        warehouse, "select sharpe_ratio, sharpe_low, sharpe_high from intermediate.optimization_runs"
    )
    assert points == 20
    assert steepest <= sharpe + 1e-9
    assert sharpe_low < sharpe < sharpe_high

    suggestions = rows(
        warehouse,
        "select instrument_id, action, value_usd, current_weight, target_weight, estimated_cost_usd"
        " from intermediate.rebalancing_suggestions order by 1",
    )
    # half is in cash, so that whatever the weights are, the largest has to be bought
    assert suggestions
    target = weights(warehouse, "p")
    for instrument, action, value, current, wanted, cost in suggestions:
        assert wanted == pytest.approx(target[instrument])
        assert action == ("buy" if wanted > current else "sell")
        assert float(value) == pytest.approx(abs(wanted - current) * 2000, rel=1e-6)
        assert float(cost) == pytest.approx(float(value) * 0.0005)  # half the spread of the class


def test_a_second_run_gives_the_same_and_replaces_the_first(warehouse: Connection) -> None:
    add_portfolio(warehouse, "p", HELD, **policy("min_volatility"))
    run_optimisation(warehouse, AS_OF, "run-1")
    first = weights(warehouse, "p")
    version = rows(warehouse, "select inputs_version from intermediate.optimization_runs")
    summary = run_optimisation(warehouse, AS_OF, "run-2")
    assert weights(warehouse, "p") == first
    assert rows(warehouse, "select inputs_version from intermediate.optimization_runs") == version
    assert rows(warehouse, "select run_id from intermediate.optimization_runs") == [("run-2:p",)]
    assert summary.rows["optimization_runs"] == 1


def test_a_split_is_undone(warehouse: Connection) -> None:
    plain = walk(7, 0.001)
    # 4 for 1 on the 100th day: a quarter of the price from then on
    split = [price if i < 100 else price / 4 for i, price in enumerate(plain)]
    add_instrument(warehouse, "equity:PLAIN", plain)
    add_instrument(warehouse, "equity:SPLIT", split)
    ex_date = AS_OF - timedelta(days=DAYS - 1 - 100)
    warehouse.execute("insert into intermediate.int_splits values ('equity:SPLIT', %s, 4)", [ex_date])
    for name in ("PLAIN", "SPLIT"):
        universe = ["crypto:BTC", "crypto:ETH", f"equity:{name}"]
        add_portfolio(warehouse, name.lower(), HELD, **policy("min_volatility", universe))
    run_optimisation(warehouse, AS_OF, "run")
    assert weights(warehouse, "split")["equity:SPLIT"] == pytest.approx(weights(warehouse, "plain")["equity:PLAIN"])
    assert weights(warehouse, "plain")["equity:PLAIN"] > 0.1


def test_prices_are_brought_to_the_base_currency(warehouse: Connection) -> None:
    dollars = walk(8, 0.001)
    rates = [0.8 + 0.001 * i for i in range(DAYS)]
    add_instrument(warehouse, "crypto:INEUR", [d * r for d, r in zip(dollars, rates, strict=True)], "fiat:EUR")
    add_instrument(warehouse, "crypto:INUSD", dollars, "fiat:USD")
    add_instrument(warehouse, "crypto:INGBP", walk(9, 0.0), "fiat:GBP")  # no rate at all
    # in dollars first, then in euro
    add_instrument(
        warehouse,
        "crypto:INBOTH",
        [d * (r if i >= 150 else 1) for i, (d, r) in enumerate(zip(dollars, rates, strict=True))],
        "fiat:EUR",
    )
    first = AS_OF - timedelta(days=DAYS - 1)
    rate_rows = [("fiat:USD", "fiat:EUR", first + timedelta(days=i), rate) for i, rate in enumerate(rates)]
    copy_rows(warehouse, "intermediate.int_fx_daily", ("currency", "quote", "fx_date", "rate"), rate_rows)
    warehouse.execute(
        "update intermediate.int_price_daily set currency = 'fiat:USD'"
        " where instrument_id = 'crypto:INBOTH' and valuation_date < %s",
        [first + timedelta(days=150)],
    )
    for name in ("INEUR", "INUSD", "INBOTH"):
        universe = ["crypto:BTC", f"crypto:{name}", "crypto:INGBP"]
        add_portfolio(warehouse, name.lower(), HELD, "EUR", **policy("min_volatility", universe))
    summary = run_optimisation(warehouse, AS_OF, "run")
    assert summary.statuses == {"optimal": 3}
    euro, dollar, both = (weights(warehouse, name) for name in ("ineur", "inusd", "inboth"))
    assert euro["crypto:INEUR"] == pytest.approx(dollar["crypto:INUSD"], abs=1e-6)
    assert both["crypto:INBOTH"] == pytest.approx(dollar["crypto:INUSD"], abs=1e-6)
    assert set(euro) == {"crypto:BTC", "crypto:INEUR"}
    assert "crypto:INGBP left out: missing_rate" in summary.notes["ineur"]


def test_a_stale_holding_is_left_out_kept_and_named(warehouse: Connection) -> None:
    add_portfolio(warehouse, "p", {**HELD, "crypto:OLD": ("10", "1000")}, **policy("min_volatility"))
    summary = run_optimisation(warehouse, AS_OF, "run")
    assert summary.statuses == {"optimal": 1}
    assert set(weights(warehouse, "p")) == {"crypto:BTC", "crypto:ETH", "crypto:SOL"}
    ((notes,),) = rows(warehouse, "select notes from intermediate.optimization_runs")
    assert "crypto:OLD left out: stale (last price 50 days ago, limit 2)" in notes
    ((action, quantity, reason),) = rows(
        warehouse,
        "select action, quantity, reason from intermediate.rebalancing_suggestions where instrument_id = 'crypto:OLD'",
    )
    assert (action, quantity) == ("hold", None)
    assert reason.startswith("Kept as it is: stale")


def test_forms_of_one_asset_count_towards_its_target(warehouse: Connection) -> None:
    """Ether on two chains: with a target of ether nothing is off, as a list it is what it names, held it is one."""
    forms = ("eip155:1/slip44:60", "eip155:42161/slip44:60")
    for form in forms:
        warehouse.execute(
            "insert into intermediate.int_instruments values"
            " (%s, 'crypto', null, null, null, 365, 2, 'crypto:ETH', default, 'crypto:ETH')",
            [form],
        )
    held = {"crypto:BTC": ("4", "400"), forms[0]: ("3", "200"), forms[1]: ("1", "400")}
    add_portfolio(warehouse, "fixed", held)
    warehouse.execute("insert into registry.targets values ('fixed', 'crypto:ETH', 0.6), ('fixed', 'crypto:BTC', 0.4)")
    add_portfolio(warehouse, "exit", held)
    warehouse.execute("insert into registry.targets values ('exit', 'crypto:ETH', 0.2), ('exit', 'crypto:BTC', 0.8)")
    add_portfolio(warehouse, "held", held, **policy("min_volatility"))
    add_portfolio(
        warehouse, "plain", {"crypto:BTC": ("4", "400"), "crypto:ETH": ("4", "600")}, **policy("min_volatility")
    )
    run_optimisation(warehouse, AS_OF, "run")
    found = rows(
        warehouse,
        "select instrument_id, action, current_weight, value_usd from intermediate.rebalancing_suggestions"
        " where portfolio_id in ('fixed', 'exit') order by 1",
    )
    assert [row[:3] for row in found] == [("crypto:BTC", "buy", 0.4), ("crypto:ETH", "sell", 0.6)]
    assert float(found[1][3]) == pytest.approx(400)
    assert weights(warehouse, "held") == weights(warehouse, "plain")


def test_fixed_targets_are_rebalanced_without_an_optimisation(warehouse: Connection) -> None:
    add_portfolio(warehouse, "p", HELD)
    warehouse.execute("insert into registry.targets values ('p', 'crypto:BTC', 0.5), ('p', 'fiat:USD', 0.5)")
    summary = run_optimisation(warehouse, AS_OF, "run")
    assert summary.statuses == {}
    assert summary.rows["optimization_runs"] == 0
    found = rows(
        warehouse,
        "select instrument_id, action, target_weight, quantity from intermediate.rebalancing_suggestions order by 1",
    )
    price = float(rows(warehouse, "select price from intermediate.int_price_daily where instrument_id = 'crypto:BTC'"
                       " and valuation_date = %s", AS_OF)[0][0])  # fmt: skip
    assert [row[:3] for row in found] == [
        ("crypto:BTC", "buy", 0.5),
        ("crypto:ETH", "sell", 0.0),
        ("crypto:SOL", "sell", 0.0),
    ]
    assert float(found[0][3]) == pytest.approx(600 / price)
    assert found[1][3] == 3


def test_held_foreign_and_inactive_portfolios_are_left_alone(warehouse: Connection) -> None:
    add_portfolio(warehouse, "held", HELD, **policy())
    add_portfolio(warehouse, "out-of-scope", HELD, in_scope=False, **policy())
    add_portfolio(warehouse, "inactive", HELD, **policy())
    add_portfolio(warehouse, "plain", HELD)
    warehouse.execute("insert into ops.held_portfolios values ('held', 'identity', 'broken')")
    warehouse.execute("update registry.portfolios set is_active = false where id = 'inactive'")
    summary = run_optimisation(warehouse, AS_OF, "run")
    assert summary.statuses == {}
    assert set(summary.rows.values()) == {0}
    assert str(summary) == "no portfolio with a policy"


def test_what_cannot_be_done_is_a_row_with_its_reason_and_no_weights(warehouse: Connection) -> None:
    add_portfolio(warehouse, "infeasible", HELD, **policy(max_weight=0.2))
    add_portfolio(warehouse, "no-history", HELD, **policy("hrp", ["crypto:NEVER", "crypto:OLD"]))
    add_portfolio(warehouse, "only-cash", {"fiat:USD": ("1", "1")}, **policy())
    summary = run_optimisation(warehouse, AS_OF, "run")
    assert summary.statuses == {"failed": 2, "skipped": 1}
    found = rows(
        warehouse,
        "select portfolio_id, status, fallback_reason, expected_return from intermediate.optimization_runs order by 1",
    )
    assert [(row[0], row[1], row[3]) for row in found] == [
        ("infeasible", "failed", None),
        ("no-history", "failed", None),
        ("only-cash", "skipped", None),
    ]
    assert found[0][2] == "max_weight × 3 instruments is 0.6, below 1: raise max_weight or add some"
    assert "crypto:OLD: stale" in found[1][2]
    for table in ("target_weights", "efficient_frontier", "rebalancing_suggestions"):
        assert rows(warehouse, f"select count(*) from intermediate.{table}") == [(0,)]


def test_the_last_published_weights_stand_beside_the_new_ones(warehouse: Connection) -> None:
    warehouse.execute(
        "create table history.target_weights (run_id text, portfolio_id text, instrument_id text, weight float8,"
        " published_from bigint, published_to bigint)"
    )
    warehouse.execute(
        "insert into history.target_weights values"
        " ('old:p', 'p', 'crypto:BTC', 0.9, 1, 2), ('new:p', 'p', 'crypto:BTC', 0.25, 2, null),"
        " ('new:p', 'p', 'crypto:ETH', 0.75, 2, null), ('new:q', 'q', 'crypto:BTC', 1, 2, null)"
    )
    add_portfolio(warehouse, "p", HELD, **policy("hrp"))
    run_optimisation(warehouse, AS_OF, "run")
    found = rows(warehouse, "select instrument_id, previous_weight from intermediate.target_weights order by 1")
    assert found == [("crypto:BTC", 0.25), ("crypto:ETH", 0.75), ("crypto:SOL", None)]


def test_views_groups_and_the_risk_free_rate_are_read(warehouse: Connection) -> None:
    warehouse.execute("update intermediate.int_instruments set category = 'major' where instrument_id = 'crypto:BTC'")
    add_portfolio(
        warehouse,
        "p",
        HELD,
        **policy(
            "black_litterman",
            views='[{"instrument": "crypto:SOL", "over": "crypto:BTC", "return": 0.5, "confidence": 0.8}]',
            group_limits='[{"by": "category", "group": "major", "min": 0.15, "max": 0.2}]',
        ),
    )
    run_optimisation(warehouse, AS_OF, "run")
    assert 0.15 - 1e-6 <= weights(warehouse, "p")["crypto:BTC"] <= 0.2 + 1e-6
    ((expected, volatility, sharpe),) = rows(
        warehouse, "select expected_return, volatility, sharpe_ratio from intermediate.optimization_runs"
    )
    assert sharpe == pytest.approx(expected / volatility)
    warehouse.execute("insert into build.portfolio_daily values ('p', %s, 0.03)", [AS_OF])
    run_optimisation(warehouse, AS_OF, "run")
    ((expected, volatility, sharpe),) = rows(
        warehouse, "select expected_return, volatility, sharpe_ratio from intermediate.optimization_runs"
    )
    assert sharpe == pytest.approx((expected - 0.03) / volatility)


def test_a_limit_of_a_group_that_nothing_can_be_in_is_told(warehouse: Connection) -> None:
    """Written by an application, past the checks of portfolios.yaml: a slip of the pen, and a dimension that there is not."""
    [gate] = [gate for gate in ANALYTICS_GATES if gate.name == "group_limits_are_known"]
    warehouse.execute("update intermediate.int_instruments set category = 'major' where instrument_id = 'crypto:BTC'")
    sound = '[{"by": "category", "group": "major"}, {"by": "chain", "group": "base"}, {"by": "asset_class", "group": "etf"}]'
    add_portfolio(warehouse, "sound", HELD, **policy("min_volatility", group_limits=sound))
    assert [result.passed for result in evaluate(warehouse, gate)] == [True]
    wrong = '[{"by": "chain", "group": "polygn", "max": 0.1}, {"by": "sector", "group": "energy", "max": 0.1}]'
    add_portfolio(warehouse, "wrong", HELD, **policy("min_volatility", group_limits=wrong))
    [told] = evaluate(warehouse, gate)
    assert (told.portfolio_id, told.severity, told.first_offenders) == (
        "wrong",
        "warn",
        ("chain polygn", "sector energy"),
    )
    run_optimisation(warehouse, AS_OF, "run")
    assert sum(weights(warehouse, "wrong").values()) == pytest.approx(1)


def test_an_unpriced_holding_makes_a_row_that_says_so(warehouse: Connection) -> None:
    add_portfolio(warehouse, "p", {**HELD, "crypto:NEVER": ("5", None)}, **policy("min_volatility"))
    run_optimisation(warehouse, AS_OF, "run")
    found = rows(
        warehouse,
        "select action, quantity, value_usd, reason from intermediate.rebalancing_suggestions"
        " where instrument_id = 'crypto:NEVER'",
    )
    assert found == [("hold", None, None, "Kept as it is: no_history (no price in the window).")]
