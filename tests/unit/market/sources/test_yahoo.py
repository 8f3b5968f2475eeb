"""The real yfinance client against the local server; each trap of it and of Yahoo."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from assets.market.model import ActionKind, Instrument, Outcome, Resolution, SourceSymbol, Window
from assets.market.sources.patient_hosts import Patience
from assets.market.sources.yahoo import YahooSource
from assets.network.errors import Kind
from tests.provider_server import Fault, candle, price, provider_server

from .support import NOW, Time, asking, now

AAPL, VODAFONE = Instrument("equity:AAPL"), Instrument("equity:GB00BH4HKS39", yfinance_symbol="VOD.L")
DAYS = Window(NOW - timedelta(days=200), NOW)
CHART = "finance/chart"


@pytest.fixture
def server():
    with provider_server(NOW.timestamp()) as made:
        yield made


def _run(server, work, clock=now, time=None, **patience):
    async def inner():
        asked = asking(time, **patience)
        # only what hangs has little time: on a busy machine what comes after it may take long
        server.on_hang = lambda: setattr(asked, "patience", Patience())
        async with YahooSource(asked, clock, server.url) as source:
            return await work(source)

    return asyncio.run(inner())


def _bars(server, instrument=AAPL, window=DAYS, resolution=Resolution.DAY, clock=now, **patience):
    async def work(source):
        symbol = source.symbol_of(instrument)
        (page,) = source.pages(symbol, resolution, window, clock())
        return await source.bars(symbol, resolution, page)

    return _run(server, work, clock, **patience)


def _traded(symbol, day, zone, opens):
    opened_at = int(datetime(day.year, day.month, day.day, *opens, tzinfo=ZoneInfo(zone)).timestamp())
    return [Decimal(text) for text in candle(symbol, opened_at, 86_400)[:4]]


def test_prices_are_as_they_were_traded_that_day(server):
    """Yahoo divides all prices before a 4:1 split by 4, and yfinance by later dividends too, if it is let."""
    made = _bars(server)
    assert (made.report.outcome, made.report.failure) == (Outcome.COMPLETE, None)
    assert len(made.rows) == 143  # business days from 5 May to 19 November; 20 November is still traded
    for bar in made.rows:
        expected = _traded("AAPL", bar.opened_at.date(), "America/New_York", (9, 30))
        assert [bar.open, bar.high, bar.low, bar.close] == expected
        assert bar.currency == "fiat:USD"
    assert made.rows[0].opened_at == datetime(2026, 5, 5, tzinfo=UTC)
    assert made.rows[0].volume == Decimal("1000") + 3 + Decimal("0.75")  # 4,015 new shares were 1,003.75 old ones
    assert made.report.open_dropped == 1
    assert made.report.requests == len(server.requests)


def test_a_split_after_the_window_counts_too(server):
    before = Window(datetime(2026, 5, 5, tzinfo=UTC), datetime(2026, 5, 9, tzinfo=UTC))
    made = _bars(server, window=before)
    assert [bar.close for bar in made.rows] == [
        _traded("AAPL", bar.opened_at.date(), "America/New_York", (9, 30))[3] for bar in made.rows
    ]
    assert len(made.rows) == 4


def test_the_day_is_closed_half_an_hour_after_its_session(server):
    def at_hour(hour, minute):
        clock = NOW.replace(hour=hour, minute=minute)
        server.now = clock.timestamp()
        return _bars(server, VODAFONE, Window(NOW - timedelta(days=5), clock), clock=lambda: clock).rows[-1].opened_at

    assert at_hour(16, 59).day == 19
    assert at_hour(17, 1).day == 20


def test_london_is_quoted_in_pence(server):
    made = _bars(server, VODAFONE)
    bar = made.rows[10]
    assert bar.currency == "fiat:GBP"
    assert bar.close * 100 == _traded("VOD.L", bar.opened_at.date(), "Europe/London", (8, 0))[3]

    async def work(source):
        symbol = source.symbol_of(VODAFONE)
        return await source.latest([symbol]), await source.actions(symbol, DAYS)

    latest, actions = _run(server, work)
    assert latest.rows[0].price == price("VOD.L", int(NOW.timestamp())) / 100
    assert latest.rows[0].currency == "fiat:GBP"
    assert [(one.amount, one.currency) for one in actions.rows] == [(Decimal("0.0225"), "fiat:GBP")]


def test_splits_and_dividends_as_paid(server):
    async def work(source):
        return await source.actions(source.symbol_of(AAPL), DAYS)

    made = _run(server, work)
    assert [(one.kind, one.ex_date, one.ratio, one.amount, one.currency) for one in made.rows] == [
        (ActionKind.DIVIDEND, date(2026, 5, 8), None, Decimal("0.84"), "fiat:USD"),  # Yahoo says 0.21
        (ActionKind.SPLIT, date(2026, 6, 9), Decimal(4), None, None),
        (ActionKind.DIVIDEND, date(2026, 8, 7), None, Decimal("0.26"), "fiat:USD"),
    ]
    # Yahoo tells when the newest one is paid, and of no other
    assert [one.pay_date for one in made.rows] == [None, None, date(2026, 8, 13)]


@pytest.mark.parametrize("fault", ["429", "500", "html", "null", "empty object"])
def test_a_pay_date_that_cannot_be_had_costs_no_dividend(server, fault):
    server.script("quoteSummary", *[fault] * 6)

    async def work(source):
        return await source.actions(source.symbol_of(AAPL), DAYS)

    made = _run(server, work)
    assert made.report.outcome is Outcome.COMPLETE
    assert [one.pay_date for one in made.rows] == [None] * 3


def test_quarter_hours_within_reach(server):
    made = _bars(server, window=Window(NOW - timedelta(days=2), NOW), resolution=Resolution.MINUTES_15)
    assert made.report.outcome is Outcome.COMPLETE
    assert made.rows[-1].opened_at == NOW.replace(hour=14, minute=45)
    bar = made.rows[5]
    told = candle("AAPL", int(bar.opened_at.timestamp()), 900)
    assert [bar.open, bar.high, bar.low, bar.close] == [Decimal(text) for text in told[:4]]
    source = YahooSource(asking(), now)
    symbol = source.symbol_of(AAPL)
    (page,) = source.pages(symbol, Resolution.MINUTES_15, DAYS, NOW)
    assert page == Window(NOW - timedelta(days=59), NOW)
    long_ago = Window(NOW - timedelta(days=100), NOW - timedelta(days=80))
    assert source.pages(symbol, Resolution.MINUTES_15, long_ago, NOW) == ()


def test_exchange_rates_have_no_volume(server):
    made = _bars(server, Instrument("fiat:EUR"))
    assert (made.rows[0].instrument_id, made.rows[0].currency, made.rows[0].volume) == ("fiat:EUR", "fiat:USD", None)


def test_a_day_without_a_price_is_a_gap(server):
    made = _bars(server, Instrument("equity:GAP"))
    day = datetime(2026, 11, 11, tzinfo=UTC)
    assert (made.report.outcome, made.report.gaps) == (Outcome.GAPS, (Window(day, day + timedelta(days=1)),))


def test_a_weekend_is_empty_and_no_fault(server):
    made = _bars(server, window=Window(datetime(2026, 11, 14, tzinfo=UTC), datetime(2026, 11, 16, tzinfo=UTC)))
    assert (made.report.outcome, made.report.failure, made.rows) == (Outcome.EMPTY, None, ())


def _without_rows(told):
    result = told["chart"]["result"][0]
    result["timestamp"] = []
    result["indicators"] = {"quote": [{name: [] for name in ("open", "high", "low", "close", "volume")}]}
    return told


def _without_currency(told):
    told["chart"]["result"][0]["meta"]["currency"] = None
    return told


def _error_with_200(told):
    return {"chart": {"result": None, "error": {"code": "Internal Error", "description": "try again"}}}


FAULTS = [
    ("429", Kind.RATE_LIMITED, True, 7.0),
    ("418", Kind.RATE_LIMITED, False, 120.0),
    ("451", Kind.AUTH_OR_GEO, False, None),
    ("500", Kind.SERVER, True, None),
    ("502", Kind.SERVER, True, None),
    ("503", Kind.SERVER, True, 11.0),
    ("html", Kind.MALFORMED, True, None),
    ("truncated", Kind.MALFORMED, True, None),
    ("empty object", Kind.MALFORMED, True, None),
    ("null", Kind.MALFORMED, True, None),
    ("no body", Kind.MALFORMED, True, None),
    ("hang", Kind.TIMEOUT, True, None),
    (Fault(alter=_without_rows), Kind.MALFORMED, True, None),
    (Fault(alter=_without_currency), Kind.MALFORMED, True, None),
    (Fault(alter=_error_with_200), Kind.MALFORMED, True, None),
]


@pytest.mark.parametrize(("fault", "kind", "is_cured", "pause"), FAULTS)
def test_a_fault_is_named_and_cured_or_told(server, fault, kind, is_cured, pause):
    """The window is in the past: there yfinance would keep the bad answer and give it again."""
    server.script(CHART, fault)
    time = Time()
    past = Window(NOW - timedelta(days=60), NOW - timedelta(days=30))
    made = _bars(server, window=past, time=time, timeout_seconds=1.0 if fault == "hang" else 30.0)
    report = made.report
    assert report.failure.kind is kind
    assert "127.0.0.1" not in report.failure.message
    if is_cured:
        assert (report.outcome, len(made.rows)) == (Outcome.COMPLETE, 22)
        assert len(server.asked(CHART)) == 2
        assert sum(time.slept) >= (pause or 0.0)
    else:
        assert (report.outcome, made.rows) == (Outcome.FAILED, ())
        assert len(server.asked(CHART)) == 1
        assert report.failure.retry_after_seconds == pause
    assert report.requests == len(server.requests)


def test_a_fault_that_stays_is_told_for_each(server):
    server.script(CHART, *["html"] * 9)

    async def work(source):
        symbol = source.symbol_of(AAPL)
        return await source.latest([symbol]), await source.actions(symbol, DAYS)

    for made in _run(server, work):
        assert (made.rows, made.report.outcome, made.report.failure.kind) == ((), Outcome.FAILED, Kind.MALFORMED)


def test_a_symbol_that_is_none_is_permanent(server):
    async def work(source):
        return await source.bars(SourceSymbol("yahoo", "equity:X", "NEVER", None), Resolution.DAY, DAYS)

    report = _run(server, work).report
    assert (report.outcome, report.failure.kind) == (Outcome.FAILED, Kind.PERMANENT)
    assert len(server.asked(CHART)) == 1


@pytest.mark.parametrize("fault", ["429", "500", "html"])
def test_a_cookie_or_crumb_that_fails_costs_no_price(server, fault):
    server.script("getcrumb|^/$", *[fault] * 4)
    made = _bars(server)
    assert (made.report.outcome, len(made.rows)) == (Outcome.COMPLETE, 143)


def test_many_symbols_at_once_each_with_its_own_report(server):
    names = ["AAPL", "SPY", "VOD.L", "EURUSD=X", "^GSPC", "GC=F", "NEVER"]

    async def work(source):
        return await source.latest([SourceSymbol("yahoo", f"custom:{name}", name, None) for name in names])

    made = _run(server, work)
    assert made.report.outcome is Outcome.PARTIAL
    assert [report.outcome for report in made.reports] == [Outcome.COMPLETE] * 6 + [Outcome.FAILED]
    assert {one.instrument_id for one in made.rows} == {f"custom:{name}" for name in names[:-1]}
    assert len(server.asked(CHART)) == 7
