"""Laws that hold for every ledger, on random ledgers, prices and exchange rates."""

from collections.abc import Callable
from decimal import Decimal as D

from hypothesis import given, settings
from hypothesis import strategies as st

from assets.ledger.model import Instrument
from tests.unit.ledger.ledgers import BTC, ETH, EUR, STOCK, USD, Ledger, book, gains

WRAPPED = "eip155:1/erc20:0xWETH"
NEW = "custom:new"
METHODS = st.sampled_from(["FIFO", "LIFO", "HIFO", "ACB"])
AMOUNTS = st.decimals(min_value="0.01", max_value="20", places=3)
DAYS = st.integers(1, 9)
ASSETS = st.sampled_from([BTC, ETH, STOCK, WRAPPED, NEW])
CURRENCIES = st.sampled_from([EUR, USD])


@st.composite
def price_books(draw: Callable[..., D]) -> object:
    """A price every day or so; NEW has its first price in the middle, the dollar's rate may begin late."""
    value = st.decimals(min_value="0.5", max_value="300", places=2)
    prices = []
    for instrument, currency, first in (
        (BTC, USD, 1),
        (ETH, EUR, 1),
        (STOCK, USD, 1),
        (NEW, USD, draw(st.integers(1, 11))),
    ):
        prices += [(instrument, f"2024-01-{day:02}", draw(value), currency) for day in range(first, 12, 2)]
    rate_from = draw(st.integers(1, 4))
    rates = [
        (USD, EUR, f"2024-01-{day:02}", draw(st.decimals(min_value="0.3", max_value="2", places=3)))
        for day in range(rate_from, 12, 2)
    ]
    return book(prices, rates, [Instrument(WRAPPED, None, ETH), Instrument(BTC, decimals=8)])


Row = tuple[str, str, str, D, dict[str, object]]


@st.composite
def rows(draw: Callable[..., object]) -> list[Row]:
    """One event, of one or two rows."""
    day = draw(DAYS)
    when = f"2024-01-{day:02}" + str(draw(st.sampled_from(["", "T09:00:00", "T15:00:00"])))
    kind = str(
        draw(
            st.sampled_from(
                ["BUY", "BUY", "SELL", "DEPOSIT", "WITHDRAWAL", "OPENING", "STAKING_REWARD", "DIVIDEND", "INTEREST", "FEE",
                 "TAX", "FEE_REFUND", "SPLIT", "SWAP", "TRANSFER", "MONEY"]
            )
        )
    )  # fmt: skip
    asset, currency = str(draw(ASSETS)), str(draw(CURRENCIES))
    quantity = D(str(draw(AMOUNTS)))
    account = draw(st.sampled_from(["a", "b"]))
    fields: dict[str, object] = {"account": account}
    if kind in ("BUY", "SELL", "OPENING"):
        fields |= {"price": draw(AMOUNTS), "currency": currency}
        if draw(st.booleans()) and currency == USD:
            fields["fx_rate"] = draw(st.decimals(min_value="0.3", max_value="2", places=3))
    if kind in ("BUY", "SELL") and draw(st.booleans()):
        fields |= {"fee": D(str(draw(AMOUNTS))) / 100, "fee_currency": draw(st.sampled_from([currency, asset, ETH]))}
        fields["tax"] = D(str(draw(AMOUNTS))) / 10
    if kind in ("DIVIDEND", "INTEREST"):
        fields |= {"currency": currency, "tax": draw(AMOUNTS), "fee": draw(AMOUNTS), "fee_currency": currency}
    if kind in ("FEE", "TAX", "FEE_REFUND") and draw(st.booleans()):
        asset = currency
    if kind == "MONEY":
        return [(when, str(draw(st.sampled_from(["DEPOSIT", "WITHDRAWAL"]))), currency, quantity, fields)]
    group = f"g{draw(st.integers(0, 10**9))}"
    if kind == "SWAP":
        other = str(draw(ASSETS))
        return [
            (when, "SWAP_OUT", asset, quantity, {**fields, "group_id": group}),
            (when, "SWAP_IN", other, D(str(draw(AMOUNTS))), {**fields, "group_id": group}),
        ]
    if kind == "TRANSFER":
        into = {
            "group_id": group,
            "account": "b" if account == "a" else "a",
            "portfolio": draw(st.sampled_from(["p", "q"])),
        }
        out = (when, "TRANSFER_OUT", asset, quantity, {**fields, "group_id": group})
        received = quantity * D(str(draw(st.sampled_from(["1", "0.99", "1.01"]))))
        return [out, (when, "TRANSFER_IN", asset, received, into)] if draw(st.booleans()) else [out]
    return [(when, kind, asset, quantity, fields)]


@settings(max_examples=200, deadline=None)
@given(
    price_books(), st.lists(rows(), max_size=14), METHODS, st.sampled_from(["account", "portfolio"]),
    st.sampled_from(["ledger", "implicit"]), st.booleans(),
)  # fmt: skip
def test_value_is_conserved_and_lots_sum_to_balances(
    prices: object, events: list[list[Row]], method: str, scope: str, cash_mode: str, allow_short: bool
) -> None:
    """`run_all` proves the daily identity, sum of lots = balance and the uniqueness of ids."""
    choices = {"cost_basis": method, "lot_scope": scope, "cash_mode": cash_mode, "allow_short": allow_short}
    ledger = Ledger(prices, **choices).portfolio("q", base=USD, **choices)  # type: ignore[arg-type]
    for event in events:
        for when, kind, instrument, quantity, fields in event:
            if (
                cash_mode == "implicit"
                and kind in ("DEPOSIT", "WITHDRAWAL", "OPENING")
                and instrument.startswith("fiat")
            ):
                continue
            ledger.add(when, kind, instrument, quantity, **fields)
    for books in ledger.run_all():
        assert {x.transaction_id for x in books.transactions} == {
            t.transaction_id for t in ledger.rows if t.portfolio_id == books.portfolio_id
        }


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(AMOUNTS, AMOUNTS), min_size=1, max_size=6), st.lists(st.tuples(AMOUNTS, AMOUNTS), max_size=6))
def test_all_methods_agree_once_all_is_sold(buys: list[tuple[D, D]], sales: list[tuple[D, D]]) -> None:
    totals = set()
    for method in ("FIFO", "LIFO", "HIFO", "ACB"):
        ledger = Ledger(book([(BTC, "2024-01-01", 1, EUR)]), cash_mode="implicit", cost_basis=method)
        left = D(0)
        for hour, (quantity, price) in enumerate(buys):
            ledger.add(f"2024-01-01T{hour:02}:00:00", "BUY", BTC, quantity, price=price, currency=EUR)
            left += quantity
        for hour, (quantity, price) in enumerate([*sales, (left, D(7))]):
            sold = min(quantity, left)
            if sold:
                ledger.add(f"2024-01-02T{hour:02}:00:00", "SELL", BTC, sold, price=price, currency=EUR)
            left -= sold
        if left:
            ledger.add("2024-01-03T00:00:00", "SELL", BTC, left, price=9, currency=EUR)
        books = ledger.run()
        assert not books.lots
        totals.add(round(sum((g or D(0) for g in gains(books)), D(0)), 20))
    assert len(totals) == 1


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_file_order_of_distinct_stamps_does_not_matter(data: st.DataObject) -> None:
    kinds = data.draw(
        st.lists(st.tuples(st.sampled_from(["BUY", "SELL", "DEPOSIT", "WITHDRAWAL"]), AMOUNTS), max_size=8)
    )
    stamped = [(f"2024-01-02T{hour:02}:00:00", *event) for hour, event in enumerate(kinds)]
    shuffled = data.draw(st.permutations(stamped))
    results = []
    for order in (stamped, shuffled):
        ledger = Ledger(book([(BTC, "2024-01-01", 10, EUR)]), cash_mode="implicit")
        for when, kind, quantity in order:
            ledger.add(when, kind, BTC, quantity, price=11, currency=EUR)
        for row in ledger.rows:
            row.transaction_id = row.executed_at.isoformat()
        books = ledger.run()
        results.append((books.entries, books.disposals, books.lots, books.positions_rows, books.flows))
    assert results[0] == results[1]
