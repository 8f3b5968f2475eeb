"""Files with spoiled cells: no importer raises, every line is accounted for, what is read pleases the ledger's reader."""

import csv
import re
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.importers.coinbase import COINBASE, COINBASE_2021
from assets.importers.interactive_brokers import IBKR_FLEX
from assets.importers.kraken import KRAKEN_LEDGERS, KRAKEN_TRADES
from assets.importers.model import Format
from assets.importers.rotki import ROTKI_EVENTS, ROTKI_TRADES, ROTKI_TRADES_2022
from assets.importers.trading212 import TRADING212
from tests.unit.importers.export_samples import accounted, as_ledger, parse, source

SAMPLES = [
    (ROTKI_TRADES, "rotki", "trades.csv"),
    (ROTKI_TRADES_2022, "rotki", "trades_2022.csv"),
    (ROTKI_EVENTS, "rotki", "events.csv"),
    (KRAKEN_LEDGERS, "kraken", "ledgers.csv"),
    (KRAKEN_TRADES, "kraken", "trades.csv"),
    (COINBASE, "coinbase", "current.csv"),
    (COINBASE_2021, "coinbase", "y2022.csv"),
    (TRADING212, "trading212", "y2024.csv"),
    (TRADING212, "trading212", "y2021.csv"),
    (IBKR_FLEX, "interactive_brokers", "flex.xml"),
]
SPOILS = st.sampled_from(
    [
        "", "0", "-1", "-0.00", "1e-20", "1e30", "NaN", "inf", "1,000.5", "1,5", "9" * 60, "€", "-€3.10", "x", "0x", "?",
        "GBX", "GBP", "EUR", "BTC", "USDC", "ETH2", "XBT.M", "eip155:1/erc20:0x00", "eip155:1/slip44:60", "KFEE",
        "2024-01-01", "2024-13-01", "0001-01-01 00:00:00", "9999-12-31 23:59:59", "99999999999999", "20240101;250000",
        "Buy", "Sell", "BUY", "trade", "deposit", "reward", "Convert", "Receive", "Deposit", "Stock split open", "FS",
        "Bought 1 ETH for 0 USDC on ETH-USDC at 1 USDC/ETH", "Converted 1 BTC to 0 ADA", "SPLIT 0 FOR 0", "a\nb", "é" * 300,
        "legal winner thank year wave sausage worth useful legal winner thank yellow", "https://a:b@c.d",
    ]
)  # fmt: skip


def check(fmt: Format, text: str, lines: set[int] | None) -> None:
    parsed = parse(fmt, text)
    found = accounted(parsed)
    assert lines is None or found == lines
    as_ledger(parsed)


@pytest.mark.parametrize(("fmt", "folder", "name"), SAMPLES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_spoiled_file_is_read_or_refused_line_by_line(
    fmt: Format, folder: str, name: str, data: st.DataObject
) -> None:
    text = source(folder, name).text
    if name.endswith(".xml"):
        places = list(re.finditer(r'(?<==")[^"<>&]*(?=")', text))
        for place in sorted(
            data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=4)), key=lambda p: -p.start()
        ):
            text = text[: place.start()] + data.draw(SPOILS).replace("\n", " ") + text[place.end() :]
        check(fmt, text, accounted(parse(fmt, text)))
        return
    records = list(csv.reader(StringIO(text)))
    head = next(index for index, record in enumerate(records) if len(record) > 5)
    spoilt = st.tuples(st.integers(head + 1, len(records) - 1), st.integers(0, len(records[head]) - 1), SPOILS)
    for row, column, value in data.draw(st.lists(spoilt, min_size=1, max_size=5)):
        if column < len(records[row]):
            records[row][column] = value
    out = StringIO()
    csv.writer(out, lineterminator="\n").writerows(records)
    check(fmt, out.getvalue(), None)


@pytest.mark.parametrize(("fmt", "folder", "name"), SAMPLES)
@settings(max_examples=10, deadline=None)
@given(cut=st.integers(0, 4000), junk=st.text(max_size=20))
def test_a_file_that_is_cut_short_or_scribbled_on_raises_nothing(
    fmt: Format, folder: str, name: str, cut: int, junk: str
) -> None:
    text = source(folder, name).text
    check(fmt, text[:cut] + junk + text[cut + 5 :], None)
    check(fmt, text[:cut], None)


@pytest.mark.parametrize(("fmt", "folder", "name"), SAMPLES)
def test_no_other_format_takes_the_file_for_its_own(fmt: Format, folder: str, name: str) -> None:
    others = {other.name + other.version for other, _, _ in SAMPLES if other.recognises(source(folder, name))}
    assert others == {fmt.name + fmt.version}
