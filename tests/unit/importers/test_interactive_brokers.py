from decimal import Decimal

import pytest

from assets.importers.interactive_brokers import IBKR_FLEX
from assets.importers.model import Parsed
from tests.unit.importers.export_samples import as_ledger, check_golden, movements, parse, source

DATA_LINES = [*range(4, 5), *range(6, 19), *range(21, 38), *range(40, 46), *range(48, 51), 53, 58]
TRADE = {
    "currency": "USD", "assetCategory": "STK", "symbol": "AAPL", "isin": "US0378331005", "transactionID": "1",
    "dateTime": "20240103;093000", "quantity": "10", "tradePrice": "180", "proceeds": "-1800", "taxes": "0",
    "ibCommission": "-1", "ibCommissionCurrency": "USD", "buySell": "BUY", "levelOfDetail": "EXECUTION",
}  # fmt: skip


def report(section: str, *elements: dict[str, str]) -> str:
    tag = section.removesuffix("s")
    lines = [f"<{tag} " + " ".join(f'{k}="{v}"' for k, v in element.items()) + " />" for element in elements]
    inside = "\n".join([f'<FlexStatement accountId="U1"><{section}>', *lines, f"</{section}></FlexStatement>"])
    return f'<FlexQueryResponse type="AF"><FlexStatements>{inside}</FlexStatements></FlexQueryResponse>'


def one(section: str, **values: str) -> Parsed:
    return parse(IBKR_FLEX, report(section, values))


def test_a_report_moves_the_net_cash_that_it_tells() -> None:
    sample = source("interactive_brokers", "flex.xml")
    parsed = check_golden(IBKR_FLEX, "interactive_brokers", "flex.xml", DATA_LINES)
    assert sample.text.splitlines()[DATA_LINES[-1] - 1].startswith("<Transfer ")
    # by hand: USD -1801 +1090 +880.12 -601.75 +2.40 -0.36 +0.06 -0.45 -4.50 +4.50
    # EUR 5000 -200 -166.25 -1002 +0.50 +1.23; GBP -779.85 +7.35
    assert movements(parsed) == {
        "fiat:USD": Decimal("-430.98"),
        "fiat:EUR": Decimal("3633.48"),
        "fiat:GBP": Decimal("-772.50"),
        "equity:AAPL": Decimal(6),  # before the split
        "equity:MSFT": Decimal(3),
        "equity:GB00B10RZP78": Decimal(20),
        "etf:IE00BK5BQT80": Decimal("1.5"),
        "crypto:BTC": Decimal("0.01"),
    }


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("20240103;093000", "2024-01-03T14:30:00Z"),
        ("2024-07-03;09:30:00", "2024-07-03T13:30:00Z"),
        ("2024-07-03, 09:30:00", "2024-07-03T13:30:00Z"),
        ("20240703 093000 EDT", "2024-07-03T13:30:00Z"),
        ("2024-07-03T09:30:00+02:00", "2024-07-03T07:30:00Z"),
        ("2024-07-03;09:30:00Z", "2024-07-03T09:30:00Z"),
        ("20240703", "2024-07-03"),
        ("2024-07-03", "2024-07-03"),
    ],
)
def test_times_are_new_yorks_unless_they_say_otherwise(text: str, at: str) -> None:
    (row,) = one("Trades", **TRADE | {"dateTime": text}).rows
    assert row.values["executed_at"] == at


@pytest.mark.parametrize("text", ["01/03/2024", "20241303;093000", "2024-01-03;25:00:00", "03-Jan-24", "soon"])
def test_a_time_of_another_form_is_a_reject(text: str) -> None:
    parsed = one("Trades", **TRADE | {"dateTime": text})
    assert parsed.rows == []
    assert parsed.rejects[0].column == "dateTime"


@pytest.mark.parametrize("field", ["currency", "quantity", "proceeds", "ibCommission", "ibCommissionCurrency"])
def test_a_field_that_the_query_leaves_out_is_asked_for(field: str) -> None:
    parsed = one("Trades", **{name: value for name, value in TRADE.items() if name != field})
    assert parsed.rows == []
    assert (parsed.rejects[0].column, parsed.rejects[0].reason) == (field, "a field that the report does not have")
    assert "tick it" in parsed.rejects[0].remedy


def test_orders_alone_are_refused_with_what_to_tick() -> None:
    parsed = one("Trades", **TRADE | {"levelOfDetail": "ORDER"})
    assert parsed.rows == []
    assert "Executions" in parsed.rejects[0].remedy


def test_a_commission_in_another_currency_keeps_it() -> None:
    (row,) = one("Trades", **TRADE | {"ibCommission": "-0.9", "ibCommissionCurrency": "EUR", "netCash": "-1800"}).rows
    assert (row.values["fee"], row.values["fee_currency"], row.values["currency"]) == ("0.9", "fiat:EUR", "fiat:USD")


def test_a_cancel_of_a_trade_that_is_not_in_the_file_is_a_reject() -> None:
    parsed = one("Trades", **TRADE | {"buySell": "BUY (Ca.)", "transactionType": "TradeCancel", "origTradeID": "77"})
    assert parsed.rows == []
    assert parsed.rejects[0].column == "buySell"


def test_confirmations_are_another_report() -> None:
    parsed = parse(IBKR_FLEX, report("TradeConfirms", TRADE))
    assert "Activity Flex Query" in parsed.rejects[0].remedy


def test_a_report_on_one_line_still_counts_a_repeated_trade_once() -> None:
    text = report("Trades", TRADE, TRADE, TRADE | {"transactionID": "2"}).replace("\n", "")
    parsed = parse(IBKR_FLEX, text)
    assert [row.values["external_id"] for row in parsed.rows] == ["1", "2"]
    as_ledger(parsed)


@pytest.mark.parametrize(
    "text",
    [
        '<FlexQueryResponse type="AF"><FlexStatements>',
        '<!DOCTYPE x [<!ENTITY a "aaaa">]><FlexQueryResponse type="AF">&a;</FlexQueryResponse>',
    ],
)
def test_a_document_that_is_not_whole_or_has_a_type_is_refused(text: str) -> None:
    assert IBKR_FLEX.recognises(source("interactive_brokers", "flex.xml"))
    parsed = parse(IBKR_FLEX, text)
    assert parsed.rows == []
    assert "no whole XML document" in parsed.rejects[0].reason


def test_a_split_without_its_ratio_is_a_reject() -> None:
    values = {"assetCategory": "STK", "symbol": "AAPL", "isin": "US0378331005", "dateTime": "20240607;202500"}
    parsed = one("CorporateActions", **values | {"type": "FS", "quantity": "30", "description": "AAPL split"})
    assert parsed.rows == []
    assert parsed.rejects[0].column == "description"
