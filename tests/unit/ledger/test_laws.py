"""Laws about two runs: what must not change, and what must change in proportion, when the input changes in one way.

Belongs here: comparisons of two ledgers. Must not be here: laws of one ledger (test_properties), strategies (random_ledgers).
"""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal as D
from decimal import localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.ledger.books import Books
from assets.ledger.engine import process_user
from assets.ledger.identity import daily_residuals, totals_at
from assets.ledger.model import LEDGER_CONTEXT, end_of_day
from assets.ledger.price_book import PriceBook, Series
from assets.ledger.slices import TABLES
from tests.unit.ledger.ledgers import BTC, EUR, STOCK, USD, Ledger, book, codes, gains
from tests.unit.ledger.random_ledgers import AMOUNTS, METHODS, WRAPPED, Row, price_books, rows

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 12)
SCOPES = st.sampled_from(["account", "portfolio"])
MODES = st.sampled_from(["ledger", "implicit"])
EVENTS = st.lists(rows(), max_size=10)


def fill(
    ledger: Ledger, events: list[list[Row]], *, until: str = "9999", base_accounts: dict[str, str] | None = None
) -> Ledger:
    """Add the events up to a day; fiat deposits are left out where no money is held."""
    for event in events:
        for when, kind, instrument, quantity, fields in event:
            is_fiat_flow = kind in ("DEPOSIT", "WITHDRAWAL", "OPENING") and instrument.startswith("fiat")
            if when[:10] <= until and not (is_fiat_flow and ledger.portfolios[0].cash_mode == "implicit"):
                chosen = {} if base_accounts is None else {"portfolio": base_accounts[str(fields["account"])]}
                ledger.add(when, kind, instrument, quantity, **(fields | chosen))
    return ledger


def daily(books: Books, until: date = LAST) -> dict[tuple[date, str], D]:
    """Value of each day and each day's entries by measure, without zeros."""
    found: dict[tuple[date, str], D] = defaultdict(D)
    with localcontext(LEDGER_CONTEXT):
        for entry in books.entries:
            if entry.entry_date <= until:
                found[entry.entry_date, entry.measure] += entry.amount_base
        day = FIRST
        while day <= until:
            value, of_price, of_currency = totals_at(books.positions_rows, books.valuation, day)
            found |= {(day, "value"): value, (day, "price"): of_price, (day, "currency"): of_currency}
            day += timedelta(1)
    return {key: amount for key, amount in found.items() if amount}


def cut(prices: PriceBook, day: date) -> PriceBook:
    """What was known at the close of a day."""
    known = PriceBook(prices.instruments.values())
    for of_all, of_known in ((prices._prices, known._prices), (prices._rates, known._rates)):
        for key, series in of_all.items():
            for at, value in zip(series.times, series.values, strict=True):
                if at <= end_of_day(day):
                    of_known.setdefault(key, Series(series.currency)).add(at, value)  # type: ignore[arg-type]
    return known


def is_same(one: dict[tuple[date, str], D], other: dict[tuple[date, str], D], factor: int = 1) -> bool:
    """Whether every amount of the other is that of the one times the factor; 50 digits leave far less than 1e-25."""
    with localcontext(LEDGER_CONTEXT):
        return all(abs(one.get(k, D(0)) * factor - other.get(k, D(0))) < D("1e-25") for k in one.keys() | other.keys())


@settings(max_examples=120)
@given(price_books(), EVENTS, METHODS, SCOPES, MODES, st.booleans(), st.integers(2, 8))
def test_what_comes_later_changes_no_day_before_it(
    prices: PriceBook, events: list[list[Row]], method: str, scope: str, mode: str, allow_short: bool, day: int
) -> None:
    """No look-ahead: neither a later price or rate nor a later transaction is seen, whenever it was added."""
    choices = {"cost_basis": method, "lot_scope": scope, "cash_mode": mode, "allow_short": allow_short,
               "margin_accounts": {"a"}}  # fmt: skip
    until = date(2024, 1, day)
    unique = [[(w, k, i, q, f | ({"group_id": f"{f['group_id']}-{n}"} if "group_id" in f else {})) for w, k, i, q, f in event]
              for n, event in enumerate(events)]  # fmt: skip
    whole = fill(Ledger(prices, **choices).portfolio("q", base=USD, **choices), unique).run_all()
    early = fill(
        Ledger(cut(prices, until), **choices).portfolio("q", base=USD, **choices), unique, until=str(until)
    ).run_all()
    for then, now in zip(early, whole, strict=True):
        assert is_same(daily(then, until), daily(now, until))
        flows = [sorted((f.flow_date, f.kind, f.instrument_id, str(f.amount_base)) for f in books.flows if f.flow_date <= until)
                 for books in (then, now)]  # fmt: skip
        assert flows[0] == flows[1]
        disposed = [sorted((d.disposed_at, d.instrument_id, d.quantity, str(d.gain_base)) for d in books.disposals
                           if d.disposal_date <= until) for books in (then, now)]  # fmt: skip
        assert disposed[0] == disposed[1]


@settings(max_examples=120)
@given(price_books(), EVENTS, METHODS, SCOPES, MODES, st.booleans())
def test_money_a_hundred_times_smaller_gives_amounts_a_hundred_times_larger(
    prices: PriceBook, events: list[list[Row]], method: str, scope: str, mode: str, allow_short: bool
) -> None:
    """All prices and all money times 100: every amount times 100 exactly, so that every return stays as it was."""
    choices = {"cost_basis": method, "lot_scope": scope, "cash_mode": mode, "allow_short": allow_short}
    scaled = PriceBook(prices.instruments.values())
    scaled._rates = prices._rates
    for instrument, series in prices._prices.items():
        for at, value in zip(series.times, series.values, strict=True):
            scaled.add_price(instrument, at, value * 100, series.currency)

    def times(kind: str, instrument: str, quantity: D, fields: dict[str, object]) -> tuple[D, dict[str, object]]:
        grown = {name: D(str(value)) * 100 if name in ("price", "tax") else value for name, value in fields.items()}
        if str(fields.get("fee_currency", "")).startswith("fiat"):
            grown["fee"] = D(str(fields["fee"])) * 100
        is_money = (instrument.startswith("fiat") and kind != "SPLIT") or kind in ("DIVIDEND", "INTEREST")
        return (quantity * 100 if is_money else quantity), grown

    larger = [[(w, k, i, *times(k, i, q, f)) for w, k, i, q, f in event] for event in events]
    one = fill(Ledger(prices, **choices).portfolio("q", base=USD, **choices), events).run_all()
    other = fill(Ledger(scaled, **choices).portfolio("q", base=USD, **choices), larger).run_all()
    for small, large in zip(one, other, strict=True):
        assert is_same(daily(small), daily(large), 100)
        assert [(d.instrument_id, d.quantity, d.lot_id) for d in small.disposals] == [
            (d.instrument_id, d.quantity, d.lot_id) for d in large.disposals
        ]


@settings(max_examples=120)
@given(
    price_books(),
    EVENTS,
    EVENTS,
    METHODS,
    SCOPES,
    MODES,
    st.booleans(),
    st.lists(st.tuples(st.integers(1, 9), AMOUNTS)),
)
def test_without_transfers_a_portfolio_comes_out_the_same_alone(
    prices: PriceBook, events: list[list[Row]], own: list[list[Row]], method: str, scope: str, mode: str,
    allow_short: bool, balances: list[tuple[int, D]],
) -> None:  # fmt: skip
    """Row by row: a run takes along only those of a user's portfolios that have transfers."""
    choices = {"cost_basis": method, "lot_scope": scope, "cash_mode": mode, "allow_short": allow_short}
    ledger = (
        Ledger(prices, portfolio_id="alone", **choices).portfolio("p", base=USD, **choices).portfolio("q", **choices)
    )
    settled = [event for event in own if not any(kind.startswith("TRANSFER") for _, kind, *_ in event)]
    fill(ledger, [[(w, k, i, q, {"portfolio": "p"} | f) for w, k, i, q, f in event] for event in events])
    fill(ledger, settled)
    for number, (day, quantity) in enumerate(balances):
        ledger.balance(f"2024-01-{day:02}" + "T12:00:00" * (number % 2), (BTC, WRAPPED)[number % 3 % 2], quantity)
    beside, *others = process_user(ledger.portfolios, ledger.ordered(), ledger.balances, prices)
    transactions = [t for t in ledger.rows if t.portfolio_id == "alone"]
    [alone] = process_user(ledger.portfolios[:1], transactions, ledger.balances, prices)
    without = process_user(ledger.portfolios[1:], [t for t in ledger.rows if t.portfolio_id != "alone"], [], prices)
    for together, apart in zip((beside, *others), (alone, *without), strict=True):
        for _, attribute in TABLES.values():
            assert getattr(together, attribute) == getattr(apart, attribute)


@settings(max_examples=120)
@given(price_books(), EVENTS, METHODS, MODES, st.booleans())
def test_two_portfolios_add_up_to_one_where_no_lots_are_shared(
    prices: PriceBook, events: list[list[Row]], method: str, mode: str, allow_short: bool
) -> None:
    """Account a in one portfolio and b in another, or both in one: the same money, day by day and measure by measure."""
    choices = {"cost_basis": method, "cash_mode": mode, "allow_short": allow_short}
    alone = [event for event in events if not any(kind.startswith("TRANSFER") for _, kind, *_ in event)]
    groups = [[(w, k, i, q, f | ({"group_id": f"{f['group_id']}-{n}"} if "group_id" in f else {})) for w, k, i, q, f in event]
              for n, event in enumerate(alone)]  # fmt: skip
    [joined] = fill(Ledger(prices, **choices), groups).run_all()
    apart = fill(
        Ledger(prices, **choices).portfolio("q", **choices), groups, base_accounts={"a": "p", "b": "q"}
    ).run_all()
    together: dict[tuple[date, str], D] = defaultdict(D)
    for books in apart:
        for key, amount in daily(books).items():
            together[key] = LEDGER_CONTEXT.add(together[key], amount)
    assert is_same(together, daily(joined))


@settings(max_examples=120)
@given(price_books(), EVENTS, METHODS, SCOPES, MODES)
def test_another_base_currency_at_a_constant_rate_scales_everything(
    prices: PriceBook, events: list[list[Row]], method: str, scope: str, mode: str
) -> None:
    """1 USD = 0.5 EUR on every day: what is 1 in EUR is 2 in USD, and no currency has any effect."""
    choices = {"cost_basis": method, "lot_scope": scope, "cash_mode": mode}
    constant = PriceBook(prices.instruments.values())
    # a form priced in another currency than its asset shares lots with it, whose parts then mix two currencies
    constant._prices = {name: series for name, series in prices._prices.items() if name != WRAPPED}
    constant.add_rate(USD, EUR, end_of_day(date(2023, 12, 31)), D("0.5"))
    plain = [
        [(w, k, i, q, {n: v for n, v in f.items() if n != "fx_rate"}) for w, k, i, q, f in event] for event in events
    ]
    [euro] = fill(
        Ledger(constant, **choices), [[r for r in e if r[4].get("portfolio", "p") == "p"] for e in plain]
    ).run_all()
    [dollar] = fill(
        Ledger(constant, base=USD, **choices), [[r for r in e if r[4].get("portfolio", "p") == "p"] for e in plain]
    ).run_all()
    assert is_same(daily(euro), daily(dollar), 2)
    assert not [key for key in daily(euro) if "currency" in key[1]]


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b"]), AMOUNTS, AMOUNTS, st.sampled_from([EUR, USD])), min_size=1, max_size=6
    ),
    st.lists(st.sampled_from(["SPLIT", "TRANSFER", "SELL"]), max_size=4),
    AMOUNTS,
)
def test_every_method_and_scope_realises_the_same_once_all_is_sold(
    buys: list[tuple[str, D, D, str]], events: list[str], price: D
) -> None:
    """Over splits, transfers and a currency: what was paid and what was received do not depend on the order of lots."""
    rates = [(USD, EUR, f"2024-01-{day:02}", f"0.{day + 4}") for day in range(1, 6)]
    prices = book([(STOCK, f"2024-01-{day:02}", 10 + day, USD) for day in range(1, 6)], rates)
    totals = set()
    for method in ("FIFO", "LIFO", "HIFO", "ACB"):
        for scope in ("account", "portfolio"):
            ledger = Ledger(prices, cash_mode="implicit", cost_basis=method, lot_scope=scope)
            held = {"a": D(0), "b": D(0)}
            for hour, (account, quantity, cost, currency) in enumerate(buys):
                ledger.add(f"2024-01-0{1 + hour % 2}T{hour:02}:00:00", "BUY", STOCK, quantity, price=cost, currency=currency,
                           account=account, fee="0.5", fee_currency=EUR)  # fmt: skip
                held[account] += quantity
            for hour, kind in enumerate(events):
                when = f"2024-01-03T{hour:02}:00:00"
                if kind == "SPLIT":
                    for account in held:
                        ledger.add(when, "SPLIT", STOCK, 2, account=account)
                        held[account] *= 2
                elif kind == "SELL" and held["b"] > 1:
                    ledger.add(when, "SELL", STOCK, 1, price=price, currency=USD, account="b")
                    held["b"] -= 1
                elif kind == "TRANSFER" and held["a"] > 1:
                    ledger.add(when, "TRANSFER_OUT", STOCK, 1, group_id=f"g{hour}")
                    ledger.add(when, "TRANSFER_IN", STOCK, 1, group_id=f"g{hour}", account="b")
                    held = {"a": held["a"] - 1, "b": held["b"] + 1}
            for account, quantity in held.items():
                if quantity:
                    ledger.add("2024-01-05", "SELL", STOCK, quantity, price=price, currency=USD, account=account)
            books = ledger.run()
            assert not books.lots
            assert codes(books) == []
            totals.add(round(sum((g or D(0) for g in gains(books)), D(0)), 20))
    assert len(totals) == 1


@pytest.mark.parametrize("method", ["FIFO", "LIFO", "HIFO", "ACB"])
@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from(["BUY", "SELL", "SPLIT", "FEE", "REWARD", "WITHDRAWAL"]), st.integers(0, 3),
                          st.integers(1, 50)), min_size=1, max_size=10), st.lists(st.integers(1, 300), min_size=10, max_size=10))  # fmt: skip
def test_without_a_division_that_does_not_end_the_identity_is_exactly_zero(
    method: str, events: list[tuple[str, int, int]], prices: list[int]
) -> None:
    """Quantities are powers of two, so a share of a lot's cost is a finite decimal: not a cent and not 1e-50 is lost."""
    known = book([(BTC, f"2024-01-{day:02}", price, EUR) for day, price in enumerate(prices, 1)])
    ledger = Ledger(known, cash_mode="implicit", cost_basis=method)
    held = 0
    for number, (kind, power, price) in enumerate(events):
        when, quantity = f"2024-01-{1 + number:02}T12:00:00", 2**power
        if kind == "BUY" or (kind == "REWARD" and number):
            ledger.add(when, "BUY" if kind == "BUY" else "STAKING_REWARD", BTC, quantity,
                       **({"price": price, "currency": EUR, "fee": 1} if kind == "BUY" else {}))  # fmt: skip
            held += quantity
        elif kind == "SPLIT" and method != "ACB":
            ledger.add(when, "SPLIT", BTC, 2)
            held *= 2
        elif kind in ("SELL", "FEE", "WITHDRAWAL") and held >= quantity and held & (held - 1) == 0:
            fields = {"price": price, "currency": EUR, "tax": 1} if kind == "SELL" else {}
            ledger.add(when, kind, BTC, quantity, **fields)
            held -= quantity
    [books] = ledger.run_all()
    residuals = [residual for _, residual in daily_residuals(books, books.valuation, FIRST, LAST)]
    assert residuals == [0] * len(residuals)


def test_the_laws_are_tried_on_every_kind_of_event() -> None:
    """A strategy that stopped to make some kind of row would let the laws pass in silence."""
    seen: set[str] = set()

    @settings(max_examples=300)
    @given(rows())
    def collect(event: list[Row]) -> None:
        seen.update(kind for _, kind, *_ in event)

    collect()
    assert seen == {
        "BUY", "SELL", "SWAP_IN", "SWAP_OUT", "DEPOSIT", "WITHDRAWAL", "TRANSFER_IN", "TRANSFER_OUT", "DIVIDEND", "INTEREST",
        "INTEREST_CHARGE", "STAKING_REWARD", "AIRDROP", "FEE", "FEE_REFUND", "TAX", "TAX_REFUND", "SPLIT", "OPENING",
    }  # fmt: skip
