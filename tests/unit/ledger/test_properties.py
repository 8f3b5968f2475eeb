"""Laws that hold for every ledger, on random ledgers, prices and exchange rates: value, lots, ids."""

from decimal import Decimal as D

from hypothesis import given, settings
from hypothesis import strategies as st

from assets.ledger.closing import CASH_TOLERANCE
from assets.ledger.model import is_fiat
from tests.unit.ledger.ledgers import BTC, EUR, USD, Ledger, book, gains
from tests.unit.ledger.random_ledgers import AMOUNTS, METHODS, Row, price_books, rows


@settings(max_examples=200, deadline=None)
@given(
    price_books(), st.lists(rows(has_exchanges=True), max_size=14), METHODS, st.sampled_from(["account", "portfolio"]),
    st.sampled_from(["ledger", "implicit"]), st.booleans(), st.frozensets(st.sampled_from(["a", "b"])),
)  # fmt: skip
def test_value_is_conserved_and_lots_sum_to_balances(
    prices: object, events: list[list[Row]], method: str, scope: str, cash_mode: str, allow_short: bool,
    margin: frozenset[str],
) -> None:  # fmt: skip
    """`run_all` proves the daily identity, sum of lots = balance and the uniqueness of ids; a declared debt holds nothing."""
    choices = {"cost_basis": method, "lot_scope": scope, "cash_mode": cash_mode, "allow_short": allow_short,
               "margin_accounts": margin}  # fmt: skip
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
        assert {x.sequence for x in books.transactions} == {
            t.sequence for t in ledger.rows if t.portfolio_id == books.portfolio_id
        }
        owing = {
            r.account_id for r in books.positions_rows if r.quantity < -CASH_TOLERANCE and is_fiat(r.instrument_id)
        }
        assert {issue.account_id for issue in books.issues if issue.code == "negative_cash"} == owing - margin


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
