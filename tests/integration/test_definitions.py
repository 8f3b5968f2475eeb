"""The definitions of docs/metrics.md and docs/contracts.md through files, SQL and the ledger at once: one run, many small portfolios.

Belongs here: definitions in which a model of dbt takes part (value, coverage, daily return, rates, what is NULL). Each case is
a portfolio of its own, written above the test that reads it; every expected number can be checked by hand. Must not be
here: what the engine alone decides (tests/unit/ledger), measures of a series of returns (tests/unit/performance).

As-of is 2024-01-10. ONE costs 100, 110, 99, 99 and then 120 USD a day, FLAT always 100; 1 USD is 0.9 CHF and 10 NOK, and
0.90, from the 3rd 0.80, from the 5th 0.75 EUR; 1 EUR is 0.95 CHF; GBP and PLN have no rate to anything; JPY has one on the first day alone.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal as D
from typing import Any

import pytest

from tests.pipeline_runs import daily_prices, portfolio, rows, run, write_inputs

ONE, FLAT, ETH = "equity:ONE", "equity:FLAT", "crypto:ETH"
WETH = "eip155:1/erc20:0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
PRICES = [
    *daily_prices(ONE, [100, 110, 99, 99] + [120] * 6),
    *daily_prices(FLAT, [100] * 10),
    *daily_prices("equity:SHO", [100, 100] + [115] * 4 + [100] * 4),
    *daily_prices("equity:REV", [10] * 4 + [30] * 6),
    *daily_prices(ETH, [2000] * 5 + [3000] * 5),
    *daily_prices("fiat:USD", ["0.9"] * 10, "CHF"),
    *daily_prices("fiat:USD", [10] * 10, "NOK"),
    *daily_prices("fiat:USD", ["0.9"] * 2 + ["0.8"] * 2 + ["0.75"] * 6, "EUR"),
    *daily_prices("equity:MAR", ["99.5"] * 2 + [110] * 2 + [120] * 6),
    *daily_prices("fiat:EUR", ["0.95"] * 10, "CHF"),
    "fiat:JPY,2024-01-01,0.01,USD",
    "equity:MID,2024-01-01,10,USD",
    "equity:MID,2024-01-03T00:00:00Z,20,USD",
    "crypto:NEW,2024-01-05,10,USD",
    "rate:US3M,2024-01-01,5,USD",
]
PORTFOLIOS: list[dict[str, Any]] = []
TRANSACTIONS: list[str] = []


def case(name: str, *transactions: str, **settings: Any) -> str:
    """Add a portfolio with the accounts `main` and `side`.

    A transaction is `when TYPE instrument quantity`, then any of `price@currency`, and name=value pairs.
    """
    accounts = [{"id": "main", "kind": "manual"}, {"id": "side", "kind": "manual"}]
    PORTFOLIOS.append(portfolio(name, **({"cash": "implicit", "accounts": accounts} | settings)))
    for text in transactions:
        when, kind, instrument, quantity, *rest = text.split()
        fields = dict(word.split("=", 1) for word in rest if "=" in word)
        for word in rest:
            if "@" in word:
                fields["price"], fields["currency"] = word.split("@")
        tail = ("price", "amount", "currency", "fee", "fee_currency", "tax", "group_id", "external_id")
        line = [name, fields.get("account", "main"), f"2024-01-{when}", kind, instrument, quantity]
        TRANSACTIONS.append(",".join([*line, *(fields.get(column, "") for column in tail)]))
    return name


@pytest.fixture(scope="module")
def url(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("definitions")
    inputs = write_inputs(folder / "inputs", PORTFOLIOS, TRANSACTIONS, PRICES)
    (inputs / "instruments.csv").write_text(
        "instrument,name,asset_class,asset_type,quote_currency,canonical_instrument\n"
        f"{WETH},Wrapped Ether,crypto,token,EUR,{ETH}\n"
    )
    outcome = run(inputs, module_database_url, folder / "home")
    assert outcome.summary["status"] == "published", outcome.messages
    assert outcome.summary["held_portfolios"] == []
    return module_database_url


def days(url: str, name: str, columns: str) -> dict[str, Any]:
    """Columns of portfolio_daily by day of the month; a single column comes without its tuple."""
    found = rows(
        url, f"select valuation_date, {columns} from marts.portfolio_daily where portfolio_id = %s order by 1", name
    )
    return {f"{day:%d}": rest[0] if len(rest) == 1 else tuple(rest) for day, *rest in found}


def whole(url: str, name: str, columns: str) -> tuple[Any, ...]:
    """Columns of the whole history's performance."""
    query = f"select {columns} from marts.portfolio_performance where portfolio_id = %s and period_type = 'all'"
    return rows(url, query, name)[0]


def kinds(url: str, name: str) -> list[tuple[str, D | None]]:
    query = "select kind, amount_base from marts.cash_flows where portfolio_id = %s order by flowed_at, kind, flow_id"
    return rows(url, query, name)


def undefined(url: str, name: str) -> set[str]:
    return set((whole(url, name, "undefined_reason")[0] or "").split(";"))


def test_every_day_of_every_case_adds_up(url: str) -> None:
    assert rows(url, "select portfolio_id from marts.portfolio_daily where abs(residual_base) > 1e-12") == []


# -- cost -------------------------------------------------------------------------------------------------------------

GRID = {  # units for 10 and 30 in main and for 60 in side; one is sold in main for 40
    ("FIFO", "account"): 30, ("LIFO", "account"): 10, ("HIFO", "account"): 10, ("ACB", "account"): 20,
    ("FIFO", "portfolio"): 30, ("LIFO", "portfolio"): -20, ("HIFO", "portfolio"): -20,
    ("ACB", "portfolio"): 40 - D(100) / 3,
}  # fmt: skip
for (_method, _scope), _cash in [(choice, cash) for choice in GRID for cash in ("ledger", "implicit")]:
    _money = ["01 DEPOSIT fiat:USD 500", "01 DEPOSIT fiat:USD 500 account=side"] if _cash == "ledger" else []
    case(
        f"grid-{_method}-{_scope}-{_cash}".lower(), *_money,
        f"01 BUY {FLAT} 1 10@USD", f"02 BUY {FLAT} 1 30@USD", f"03 BUY {FLAT} 1 60@USD account=side",
        f"04 SELL {FLAT} 1 40@USD", cost_basis=_method, lot_scope=_scope, cash=_cash,
    )  # fmt: skip


@pytest.mark.parametrize("cash", ["ledger", "implicit"])
@pytest.mark.parametrize(("method", "scope"), list(GRID))
def test_method_and_scope_choose_the_cost_and_cash_mode_only_the_flows(
    url: str, method: str, scope: str, cash: str
) -> None:
    name, gain = f"grid-{method}-{scope}-{cash}".lower(), GRID[method, scope]
    [(found, sold_in)] = rows(
        url, "select sum(gain_base), min(account_id) from marts.realized_gains where portfolio_id = %s", name
    )
    assert (found, sold_in) == (pytest.approx(gain, abs=D("1e-20")), "main")
    lots = "select sum(quantity), sum(cost_base) from marts.open_lots where instrument_id = %s and portfolio_id = %s"
    assert rows(url, lots, FLAT, name) == [(2, pytest.approx(60 + gain, abs=D("1e-20")))]
    by_place = "select account_id, balance from marts.portfolio_assets where instrument_id = %s and portfolio_id = %s order by 1"
    assert rows(url, by_place, FLAT, name) == [("main", 1), ("side", 1)]
    inflows = {day: amount for day, amount in days(url, name, "inflow_base").items() if amount}
    assert inflows == ({"01": 1000} if cash == "ledger" else {"01": 10, "02": 30, "03": 60})
    outflows = {day: amount for day, amount in days(url, name, "outflow_base").items() if amount}
    assert outflows == ({} if cash == "ledger" else {"04": 40})
    assert days(url, name, "value_base")["10"] == (1140 if cash == "ledger" else 200)


REVERSE = case(
    "reverse-split", "01 BUY equity:REV 5 9@USD", "02 BUY equity:REV 5 11@USD", "05 SPLIT equity:REV 1:3",
    "06 SELL equity:REV 0.33333333333333333333 30@USD", "07 SELL equity:REV 3 30@USD",
)  # fmt: skip


def test_reverse_split_keeps_lots_cost_and_value_and_its_fraction_ends_flat(url: str) -> None:
    assert days(url, REVERSE, "twr_return")["05"] == pytest.approx(0, abs=1e-12)
    assert days(url, REVERSE, "value_base")["05"] == pytest.approx(100, abs=D("1e-20"))
    found = rows(
        url,
        "select acquired_at::date::text, sum(cost_base) from marts.realized_gains where portfolio_id = %s group by 1 order by 1",
        REVERSE,
    )
    assert found == [
        ("2024-01-01", pytest.approx(45, abs=D("1e-20"))),
        ("2024-01-02", pytest.approx(55, abs=D("1e-20"))),
    ]
    assert rows(url, "select 1 from marts.open_lots where portfolio_id = %s", REVERSE) == []
    assert days(url, REVERSE, "value_base")["07"] == 0


OPENING = case("opening", f"02 OPENING {ONE} 1 50@USD fee=2")


def test_opening_comes_in_at_market_value_with_its_own_cost(url: str) -> None:
    assert kinds(url, OPENING) == [("opening", 110)]
    assert days(url, OPENING, "twr_return, unrealized_change_base")["02"] == (0, 0)
    assert days(url, OPENING, "unrealized_pnl_base")["02"] == 58
    assert days(url, OPENING, "unrealized_change_base")["03"] == -11
    assert rows(
        url, "select cost_base, acquired_at::date::text from marts.open_lots where portfolio_id = %s", OPENING
    ) == [(52, "2024-01-02")]


GAS = case("fee-of-what-is-not-held", f"02 FEE {ETH} 0.1")


def test_a_fee_in_what_was_never_held_is_a_missing_acquisition(url: str) -> None:
    gains = "select proceeds_base, cost_base, is_missing_acquisition from marts.realized_gains where portfolio_id = %s"
    assert rows(url, gains, GAS) == [(200, 0, True)]
    assert days(url, GAS, "fees_base, realized_pnl_base, value_base")["02"] == (200, 200, 0)


MOVED = case(
    "moved", f"02T09:00:00 BUY {ETH} 2 1900@USD", f"02T10:00:00 TRANSFER_OUT {ETH} 1.5 group_id=m fee=0.01 fee_currency={ETH}",
    f"02T10:30:00 TRANSFER_IN {ETH} 1.49 group_id=m account=side",
)  # fmt: skip


def test_a_transfer_carries_cost_and_date_and_its_fee_counts_once(url: str) -> None:
    lots = "select account_id, quantity, cost_base, acquired_at::text from marts.open_lots where portfolio_id = %s order by 1"
    assert rows(url, lots, MOVED) == [
        ("main", D("0.5"), 950, "2024-01-02 09:00:00+00"),
        ("side", D("1.49"), 2831, "2024-01-02 09:00:00+00"),
    ]
    assert kinds(url, MOVED) == [("trade", 3800)]
    assert days(url, MOVED, "fees_base, realized_pnl_base")["02"] == (20, 1)  # 0.01 x 2000, which cost 19


# -- returns ----------------------------------------------------------------------------------------------------------

AGAIN = case("in-again", f"01 BUY {ONE} 1 100@USD", f"03 SELL {ONE} 1 99@USD", f"05 BUY {ONE} 1 100@USD")


def test_the_chain_pauses_while_nothing_is_held_and_a_cheap_purchase_is_a_gain_of_its_day(url: str) -> None:
    found = days(url, AGAIN, "twr_return, twr_index, drawdown, twr_flag")
    assert found["02"] == pytest.approx((0.1, 1.1, 0, None))
    assert found["03"] == pytest.approx((-0.1, 0.99, -0.1, "large_flow"))
    assert found["04"] == pytest.approx((None, 0.99, -0.1, "no_base"))
    assert found["05"] == pytest.approx((0.2, 1.188, 0, None))
    assert whole(url, AGAIN, "twr, max_drawdown, drawdown_days") == pytest.approx((0.188, -0.1, 3))


FIRST = case("first-day", f"01 BUY {ONE} 1 80@USD")


def test_a_purchase_below_the_close_is_a_gain_of_the_first_day_too(url: str) -> None:
    assert days(url, FIRST, "twr_return")["01"] == pytest.approx(0.25)
    # all = 30d = ytd: a period longer than the history starts at inception, from nothing
    found = rows(
        url,
        "select period_type, period_start::text, start_value_base, twr from marts.portfolio_performance"
        " where portfolio_id = %s and period_type in ('30d', '1y', 'all')",
        FIRST,
    )
    assert [row[1:] for row in found] == [("2024-01-01", 0, pytest.approx(0.5))] * 3
    # 7d = 4 to 10 January starts from the close of the 3rd, 99
    [week] = rows(
        url,
        "select start_value_base, twr from marts.portfolio_performance where portfolio_id = %s and period_type = '7d'",
        FIRST,
    )
    assert week == (99, pytest.approx(120 / 99 - 1))


DEBT = case("below-zero", "01 DEPOSIT fiat:USD 100", "02 SELL equity:SHO 10 100@USD", "06 DEPOSIT fiat:USD 100",
            cash="ledger", allow_short=True)  # fmt: skip


def test_a_value_below_zero_has_a_return_and_the_day_after_has_none(url: str) -> None:
    assert list(days(url, DEBT, "value_base").values()) == [100, 100, -50, -50, -50, 50, 200, 200, 200, 200]
    returns = list(days(url, DEBT, "twr_return").values())
    assert returns == [pytest.approx(x) for x in (0, 0, -1.5, None, None, 0, 3, 0, 0, 0)]


def test_a_short_position_is_a_negative_row_beside_weights_of_one(url: str) -> None:
    assets = "select instrument_id, value_usd, weight, unrealized_pnl_usd from marts.portfolio_assets where portfolio_id = %s order by 1"
    assert rows(url, assets, DEBT) == [
        ("equity:SHO", -1000, pytest.approx(-1000 / 1200), 0), ("fiat:USD", 1200, 1, 0),
    ]  # fmt: skip


MARGIN = case(
    "margin", "01 DEPOSIT fiat:EUR 1000", "02 BUY equity:MAR 20 99.5@USD", "04 INTEREST_CHARGE fiat:USD 10",
    "05 SELL equity:MAR 10 120@USD", base_currency="EUR", cash="ledger", benchmark=FLAT,
    targets={FLAT: "0.5", "equity:MAR": "0.5"},
    accounts=[{"id": "main", "kind": "broker", "broker": "ib", "margin": True}],
)  # fmt: skip


def test_a_debt_in_foreign_money_gains_when_that_falls(url: str) -> None:
    """The case that tests/unit/ledger/test_margin.py works out by hand: of 300 EUR gained 291 are the debt's, 9 the share's."""
    parts = days(url, MARGIN, "value_base, fees_base, realized_pnl_base, unrealized_change_base, currency_effect_base")
    assert list(parts.values())[:5] == [
        (1000, 0, 0, 0, 0), (1000, 0, 0, 0, 0), (1168, 0, 0, 189, -220 + 199), (1160, 8, 0, 0, 0),
        (1300, 0, D("184.5"), D("-4.5"), -40),
    ]  # fmt: skip
    assert {residual for residual in days(url, MARGIN, "residual_base").values()} == {0}
    gains = "select instrument_id, gain_base, contribution from marts.portfolio_contribution where portfolio_id = %s and period_type = 'all'"
    found = {name: (gain, part) for name, gain, part in rows(url, gains, MARGIN)}
    assert {name: gain for name, (gain, _) in found.items()} == {
        "equity:MAR": pytest.approx(9), "fiat:EUR": 0, "fiat:USD": pytest.approx(291),
    }  # fmt: skip
    assert sum(part for _, part in found.values()) == pytest.approx(0.3)
    assert whole(url, MARGIN, "twr, absolute_gain_base, unrealized_pnl_base, fees_base") == (
        pytest.approx(0.3), 300, D("184.5"), 8,
    )  # fmt: skip
    effects = (
        "select sum(allocation + selection + interaction) from marts.performance_attribution"
        " where portfolio_id = %s and period_type = '7d'"
    )
    [(explained,)] = rows(url, effects, MARGIN)
    assert explained == pytest.approx(1300 / 1168 - 0.75 / 0.8)


def test_a_debt_is_a_negative_row_that_pays_for_nothing(url: str) -> None:
    """900 EUR in the share, 1,000 EUR of cash and 600 owed: 1,900 held, 1,300 net, 400 to spend: five of FLAT at 75 EUR."""
    assets = "select instrument_id, balance, value_base, weight, cost_base from marts.portfolio_assets where portfolio_id = %s order by 1"
    assert rows(url, assets, MARGIN) == [
        ("equity:MAR", 10, 900, pytest.approx(9 / 19), D("895.5")), ("fiat:EUR", 1000, 1000, pytest.approx(10 / 19), 1000),
        ("fiat:USD", -800, -600, pytest.approx(-6 / 19), D("-719.6")),
    ]  # fmt: skip
    lots = "select quantity, cost_base, acquired_at::date from marts.open_lots where portfolio_id = %s and instrument_id = 'fiat:USD'"
    assert rows(url, lots, MARGIN) == [(-800, D("-719.6"), date(2024, 1, 2))]
    assert judged(url, MARGIN) == {
        "leverage": pytest.approx(19 / 13), "long_exposure": pytest.approx(9 / 13), "short_exposure": 0,
        "gross_exposure": pytest.approx(9 / 13), "net_exposure": pytest.approx(9 / 13),
        "buying_power": pytest.approx(4 / 19), "largest_position": pytest.approx(9 / 19),
    }  # fmt: skip
    by_class = "select bucket, weight from marts.portfolio_allocation where portfolio_id = %s and dimension = 'asset_class' and value_base <> 0"
    assert dict(rows(url, by_class, MARGIN)) == {"equity": pytest.approx(9 / 19), "fiat": pytest.approx(4 / 19)}
    # a euro dearer by a tenth takes from the share what it does not take from the debt: 300 EUR are at stake, not 900
    stress = "select loss_base from marts.stress_tests where portfolio_id = %s and scenario = 'base_currency_up_10'"
    assert rows(url, stress, MARGIN) == [(pytest.approx(D(300) - D(300) / D("1.1")),)]
    trades = "select instrument_id, action, quantity, cash_after_base from marts.rebalancing_suggestions where portfolio_id = %s"
    assert rows(url, trades, MARGIN) == [(FLAT, "buy", 5, 25)]


UNDERWATER = case("underwater", "01 DEPOSIT fiat:USD 5", f"02 BUY {ONE} 1 110@USD", "09 INTEREST_CHARGE fiat:USD 100",
                  cash="ledger", accounts=[{"id": "main", "kind": "manual", "margin": True}])  # fmt: skip


def test_a_debt_above_all_that_is_held_leaves_nothing_to_be_a_share_of(url: str) -> None:
    assert list(days(url, UNDERWATER, "value_base").values()) == [5, 5, -6, -6, 15, 15, 15, 15, -85, -85]
    returns = list(days(url, UNDERWATER, "twr_return").values())
    assert returns == [pytest.approx(x) for x in (0, 0, -2.2, None, None, 0, 0, 0, -20 / 3, None)]
    assert judged(url, UNDERWATER) == dict.fromkeys(EXPOSURES) | {
        "buying_power": 0, "largest_position": pytest.approx(1),
    }  # fmt: skip
    assert rows(url, "select is_held, held_reason from marts.portfolios where portfolio_id = %s", UNDERWATER) == [
        (False, None)
    ]
    assert "twr_annualized:period_under_365_days" in undefined(url, UNDERWATER)


EXPOSURES = ("leverage", "long_exposure", "short_exposure", "gross_exposure", "net_exposure")


def judged(url: str, name: str) -> dict[str, Any]:
    """Metric by rule: exposures, cash and the largest position."""
    asked = "select rule, metric from marts.allocation_risk where portfolio_id = %s and rule = any(%s)"
    return dict(rows(url, asked, name, [*EXPOSURES, "buying_power", "largest_position"]))


LARGE = case("large-flow", f"01 BUY {ONE} 1 100@USD", f"02 BUY {ONE} 1 105@USD")


def test_a_large_flow_on_a_day_that_moved_is_flagged(url: str) -> None:
    found = days(url, LARGE, "twr_return, twr_flag")
    assert found["02"] == (pytest.approx(220 / 205 - 1), "large_flow")
    assert found["03"] == (pytest.approx(-0.1), None)  # moved without a flow
    assert {flag for day, (_, flag) in found.items() if day != "02"} == {None}


RISK_FREE = case("risk-free", f"01 BUY {ONE} 1 100@USD", risk_free_rate="rate:US3M")
NO_RISK_FREE = case("no-risk-free", f"01 BUY {ONE} 1 100@USD", risk_free_rate="bond:NONE")


def test_the_risk_free_rate_is_percent_a_year_and_a_missing_one_is_not_zero(url: str) -> None:
    returns = [0, 0.1, -0.1, 0, 120 / 99 - 1, 0, 0, 0, 0, 0]
    mean = sum(returns) / 10
    deviation = (sum((r - mean) ** 2 for r in returns) / 9) ** 0.5
    expected = (mean - 0.05 / 252) / deviation * 252**0.5
    assert whole(url, RISK_FREE, "risk_free_rate, sharpe_ratio") == pytest.approx((0.05, expected))
    assert whole(url, NO_RISK_FREE, "risk_free_rate, sharpe_ratio, sortino_ratio") == (None, None, None)
    assert {"sharpe_ratio:missing_risk_free_rate", "sortino_ratio:missing_risk_free_rate"} <= undefined(
        url, NO_RISK_FREE
    )
    assert whole(url, NO_RISK_FREE, "volatility")[0] == pytest.approx(deviation * 252**0.5)


# -- time -------------------------------------------------------------------------------------------------------------

MIDNIGHT = case("midnight", "01 BUY equity:MID 2 10@USD", "04T00:00:00Z SELL equity:MID 1 20@USD")


def test_midnight_begins_the_new_day_for_trades_and_prices(url: str) -> None:
    assert list(days(url, MIDNIGHT, "value_base").values())[:4] == [20, 20, 40, 20]
    assert days(url, MIDNIGHT, "outflow_base")["04"] == 20


TWINS = case("twins", f"02 BUY {FLAT} 1 100@USD", f"02 BUY {FLAT} 1 100@USD")
LATER = case("later", f"02 BUY {FLAT} 1 100@USD", f"11 SELL {FLAT} 1 100@USD")
INSTANT = case("one-instant", f"02T10:00:00 SELL {FLAT} 1 110@USD", f"02T10:00:00 BUY {FLAT} 1 90@USD")
FILE_ORDER = case("file-order", f"02 SELL {FLAT} 1 110@USD", f"02 BUY {FLAT} 1 90@USD")


def test_two_equal_trades_both_count(url: str) -> None:
    assert days(url, TWINS, "value_base, inflow_base")["02"] == (200, 200)


def test_a_row_after_the_as_of_waits(url: str) -> None:
    assert days(url, LATER, "value_base")["10"] == 100
    assert rows(url, "select count(*) from marts.transactions where portfolio_id = %s", LATER) == [(1,)]


@pytest.mark.parametrize(("name", "gain", "is_missing"), [(INSTANT, 20, False), (FILE_ORDER, 110, True)])
def test_in_before_out_at_one_instant_but_bare_dates_in_file_order(
    url: str, name: str, gain: int, is_missing: bool
) -> None:
    gains = "select gain_base, is_missing_acquisition from marts.realized_gains where portfolio_id = %s"
    assert rows(url, gains, name) == [(gain, is_missing)]
    assert days(url, name, "value_base")["02"] == (100 if is_missing else 0)


# -- income -----------------------------------------------------------------------------------------------------------

for _cash in ("ledger", "implicit"):
    _money = ["01 DEPOSIT fiat:USD 200"] if _cash == "ledger" else []
    case(f"dividend-{_cash}", *_money, f"01 BUY {FLAT} 1 100@USD", f"03 DIVIDEND {FLAT} 85 currency=USD tax=10 fee=5",
         "04 FEE fiat:USD 3", "04 TAX fiat:USD 2", cash=_cash)  # fmt: skip


@pytest.mark.parametrize("cash", ["ledger", "implicit"])
def test_a_dividend_is_gross_income_with_its_tax_and_fee_apart(url: str, cash: str) -> None:
    name = f"dividend-{cash}"
    parts = days(url, name, "income_base, taxes_base, fees_base, outflow_base, inflow_base, value_base")
    assert parts["03"] == ((100, 10, 5, 0, 0, 285) if cash == "ledger" else (100, 10, 5, 85, 0, 100))
    assert parts["04"] == ((0, 2, 3, 0, 0, 280) if cash == "ledger" else (0, 2, 3, 0, 5, 100))
    base = 200 if cash == "ledger" else 100
    assert days(url, name, "twr_return")["03"] == pytest.approx(85 / base)
    assert rows(url, "select quantity, amount_base, tax_base from marts.income where portfolio_id = %s", name) == [
        (85, 100, 10)
    ]


AIRDROP = case("airdrop", "02 AIRDROP crypto:NEW 3")


def test_income_without_a_price_waits_outside_the_sum_and_enters_with_its_first_price(url: str) -> None:
    assert rows(url, "select amount_base from marts.income where portfolio_id = %s", AIRDROP) == [(None,)]
    assert kinds(url, AIRDROP) == [("first_valued", 30)]
    found = days(url, AIRDROP, "value_base, coverage_ratio, incomplete_reason, twr_return")
    assert found["02"] == (0, 0, "missing_price", None)
    assert found["05"] == (30, 1, None, 0)
    assert rows(url, "select cost_base from marts.open_lots where portfolio_id = %s", AIRDROP) == [(0,)]


# -- rates and prices -------------------------------------------------------------------------------------------------

NO_MONEY_RATE = case(
    "no-rate-of-the-money", "01 DEPOSIT fiat:GBP 1000", "01 DEPOSIT fiat:EUR 5",
    "02 BUY equity:FLAT 10 50@GBP fee=5 fee_currency=EUR", base_currency="CHF", cash="ledger",
)  # fmt: skip


def test_without_a_rate_of_the_money_only_what_needs_it_is_null(url: str) -> None:
    """Stock in USD at 0.90 CHF, paid in GBP without any rate, fee of 5 EUR at 0.95 CHF."""
    assert kinds(url, NO_MONEY_RATE) == [("deposit", D("4.75")), ("deposit", None), ("first_valued", 900)]
    found = days(url, NO_MONEY_RATE, "value_base, coverage_ratio, incomplete_reason")
    assert (found["01"], found["02"]) == ((D("4.75"), 0.5, "missing_fx"), (900, 0.5, "missing_fx"))
    transactions = "select type, amount_base, fee_base from marts.transactions where portfolio_id = %s order by executed_at, quantity"
    assert rows(url, transactions, NO_MONEY_RATE) == [
        ("DEPOSIT", D("4.75"), 0), ("DEPOSIT", None, 0), ("BUY", None, D("4.75")),
    ]  # fmt: skip
    lots = "select instrument_id, cost_base from marts.open_lots where portfolio_id = %s order by 1"
    assert rows(url, lots, NO_MONEY_RATE) == [(FLAT, D("904.75")), ("fiat:GBP", None)]
    assets = (
        "select instrument_id, value_usd, price_status from marts.portfolio_assets where portfolio_id = %s order by 1"
    )
    assert rows(url, assets, NO_MONEY_RATE) == [
        (FLAT, pytest.approx(1000, abs=D("1e-9")), "ok"),
        ("fiat:GBP", None, "missing"),
    ]
    assert {pair for pair in undefined(url, NO_MONEY_RATE) if pair.endswith(("missing_fx", "missing_value"))} == set()
    assert whole(url, NO_MONEY_RATE, "net_flows_base, absolute_gain_base") == (D("904.75"), D("-4.75"))


NO_ASSET_RATE = case("no-rate-of-the-asset", "01 DEPOSIT fiat:PLN 1000", "02 BUY equity:FLAT 5 40@PLN", base_currency="PLN",
                     cash="ledger")  # fmt: skip


def test_without_a_rate_of_the_asset_it_leaves_the_sum_and_usd_is_null(url: str) -> None:
    assert kinds(url, NO_ASSET_RATE) == [("deposit", 1000), ("not_valued", -200)]
    assert days(url, NO_ASSET_RATE, "value_base, incomplete_reason")["02"] == (800, "missing_fx")
    assert {pair for pair in undefined(url, NO_ASSET_RATE) if pair.endswith("missing_fx")} == {
        "end_value_usd:missing_fx", "absolute_gain_usd:missing_fx", "net_flows_usd:missing_fx",
    }  # fmt: skip
    assert whole(url, NO_ASSET_RATE, "end_value_base, end_value_usd, income_usd") == (800, None, 0)


NOK = case("krone", "01 DEPOSIT fiat:NOK 1000", base_currency="CHF", cash="ledger")
JPY = case("yen", "01 DEPOSIT fiat:JPY 1000", cash="ledger")


def test_inverse_and_one_cross(url: str) -> None:
    """1 USD = 10 NOK = 0.90 CHF, so 1000 NOK are 90 CHF and 100 USD; another quote of the dollar does not hide these."""
    assert days(url, NOK, "value_base")["10"] == 90
    assert whole(url, NOK, "end_value_usd")[0] == pytest.approx(100)


def test_an_old_rate_still_counts_and_is_said(url: str) -> None:
    found = days(url, JPY, "value_base, coverage_ratio, incomplete_reason")
    assert (found["06"], found["07"]) == ((10, 1, None), (10, 0, "stale_fx"))


WRAPPED = case("wrapped", f"01 BUY {WETH} 1 1990@USD", f"03 BUY {ETH} 1 2000@USD", f"04 SWAP_OUT {ETH} 1 group_id=w",
               f"04 SWAP_IN {WETH} 1 group_id=w")  # fmt: skip


def test_a_form_without_prices_of_its_own_has_those_of_its_asset_not_of_its_last_trade(url: str) -> None:
    """Nor the quote currency that it declares: what it is priced in is what its asset is priced in."""
    found = days(url, WRAPPED, "value_base, incomplete_reason")
    assert (found["01"], found["05"], found["10"]) == ((2000, None), (4000, None), (6000, None))
    lots = "select acquired_at::date, cost_base from marts.open_lots where portfolio_id = %s order by 1"
    assert rows(url, lots, WRAPPED) == [(date(2024, 1, 1), 1990), (date(2024, 1, 3), 2000)]
    assert rows(url, "select 1 from marts.realized_gains where portfolio_id = %s", WRAPPED) == []
