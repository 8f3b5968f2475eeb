"""Random prices, exchange rates and events, from which the tests of laws make ledgers.

Belongs here: hypothesis strategies. Must not be here: laws (test_properties, test_laws).
"""

from collections.abc import Callable
from decimal import Decimal as D

from hypothesis import strategies as st

from assets.ledger.model import Instrument
from tests.unit.ledger.ledgers import BTC, ETH, EUR, STOCK, USD, book

WRAPPED = "eip155:1/erc20:0xWETH"
NEW = "custom:new"
UNPRICED = "custom:unpriced"
GBP = "fiat:GBP"
METHODS = st.sampled_from(["FIFO", "LIFO", "HIFO", "ACB"])
AMOUNTS = st.decimals(min_value="0.01", max_value="20", places=3)
DAYS = st.integers(1, 9)
ASSETS = st.sampled_from([BTC, ETH, STOCK, WRAPPED, NEW, UNPRICED])
CURRENCIES = st.sampled_from([EUR, USD, GBP])
ANYTHING = ASSETS | CURRENCIES


@st.composite
def price_books(draw: Callable[..., D]) -> object:
    """A price every day or so; NEW has its first price in the middle, the dollar's rate may begin late, the pound has none."""
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
    if draw(st.booleans()):  # the wrapped form has prices of its own, in another currency
        prices += [(WRAPPED, f"2024-01-{day:02}", draw(value), USD) for day in range(1, 12, 3)]
    return book(prices, rates, [Instrument(WRAPPED, None, ETH), Instrument(BTC, decimals=8)])


Row = tuple[str, str, str, D, dict[str, object]]


@st.composite
def rows(draw: Callable[..., object], *, has_exchanges: bool = False) -> list[Row]:
    """One event, of one or two rows; `has_exchanges`: money is sold, bought and swapped too, at any rate."""
    day = draw(DAYS)
    when = f"2024-01-{day:02}" + str(draw(st.sampled_from(["", "T09:00:00", "T15:00:00"])))
    kind = str(
        draw(
            st.sampled_from(
                ["BUY", "BUY", "SELL", "DEPOSIT", "WITHDRAWAL", "OPENING", "STAKING_REWARD", "AIRDROP", "DIVIDEND", "INTEREST",
                 "INTEREST_CHARGE", "FEE", "TAX", "FEE_REFUND", "TAX_REFUND", "SPLIT", "SWAP", "TRANSFER", "MONEY"]
            )
        )
    )  # fmt: skip
    asset, currency = str(draw(ASSETS)), str(draw(CURRENCIES))
    quantity = D(str(draw(AMOUNTS)))
    account = draw(st.sampled_from(["a", "b"]))
    fields: dict[str, object] = {"account": account}
    if has_exchanges and kind in ("BUY", "SELL") and draw(st.integers(0, 4)) == 0:
        asset = str(draw(CURRENCIES.filter(lambda money: money != currency)))
    if kind in ("BUY", "SELL", "OPENING"):
        fields |= {"price": draw(AMOUNTS), "currency": currency}
        if draw(st.booleans()) and currency == USD:
            fields["fx_rate"] = draw(st.decimals(min_value="0.3", max_value="2", places=3))
    if kind in ("BUY", "SELL") and draw(st.booleans()):
        fields |= {
            "fee": D(str(draw(AMOUNTS))) / 100,
            "fee_currency": draw(st.sampled_from([currency, asset]) | ANYTHING),
        }
        fields["tax"] = D(str(draw(AMOUNTS))) / 10
    if kind in ("DIVIDEND", "INTEREST"):
        fields |= {"currency": currency, "tax": draw(AMOUNTS), "fee": draw(AMOUNTS), "fee_currency": currency}
    if kind in ("FEE", "TAX", "FEE_REFUND", "TAX_REFUND", "INTEREST_CHARGE") and draw(st.booleans()):
        asset = currency
    if kind == "MONEY":
        return [(when, str(draw(st.sampled_from(["DEPOSIT", "WITHDRAWAL"]))), currency, quantity, fields)]
    group = f"g{draw(st.integers(0, 10**9))}"
    leg_fee: dict[str, object] = {}
    if kind in ("SWAP", "TRANSFER") and draw(st.booleans()):
        leg_fee = {
            "fee": D(str(draw(AMOUNTS))) / 100,
            "fee_currency": draw(st.sampled_from([currency, asset]) | ANYTHING),
        }
    if kind == "SWAP":
        given, other = (str(draw(ANYTHING if has_exchanges else ASSETS)) for _ in range(2))
        on_out, on_in = draw(st.permutations([leg_fee, {}]))
        return [
            (when, "SWAP_OUT", given, quantity, {**fields, **on_out, "group_id": group}),
            (when, "SWAP_IN", other, D(str(draw(AMOUNTS))), {**fields, **on_in, "group_id": group}),
        ]
    if kind == "TRANSFER":
        into = {
            "group_id": group,
            "account": "b" if account == "a" else "a",
            "portfolio": draw(st.sampled_from(["p", "q"])),
        }
        out = (when, "TRANSFER_OUT", asset, quantity, {**fields, **leg_fee, "group_id": group})
        received = quantity * D(str(draw(st.sampled_from(["1", "0.99", "1.01"]))))
        return [out, (when, "TRANSFER_IN", asset, received, into)] if draw(st.booleans()) else [out]
    return [(when, kind, asset, quantity, fields)]
