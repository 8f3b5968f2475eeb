"""The real ccxt client against the local server: every fault seen, none taken for an answer."""

import asyncio
import copy
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from assets.market.candles import Limits
from assets.market.collecting import collect
from assets.market.model import Instrument, Outcome, Resolution, SourceSymbol, Window
from assets.market.sources.ccxt_source import CcxtSource
from assets.network.errors import Kind
from tests.provider_server import Fault, candle, provider_server

from .support import NOW, Time, asking, now, run_past_hangs

BTC = Instrument("crypto:BTC")
QUARTER = Resolution.MINUTES_15
PAGE = Window(NOW.replace(hour=10, minute=0), NOW.replace(hour=15, minute=0))  # 20 bars
CANDLES = {"binance": "klines", "kraken": "OHLC", "coinbase": "candles$"}
MARKETS = {"binance": "exchangeInfo", "kraken": "AssetPairs", "coinbase": "market/products$"}
NAMES = {"binance": "BTCUSDT", "kraken": "BTC/USD", "coinbase": "BTC-USD"}


@pytest.fixture
def server():
    with provider_server(NOW.timestamp()) as made:
        yield made


def _bars(server, exchange="binance", page=PAGE, symbol=None, time=None, clock=now, resolution=QUARTER, **patience):
    async def work():
        async with CcxtSource(exchange, asking(time, **patience), clock, server.url) as source:
            return await source.bars(symbol or source.symbol_of(BTC), resolution, page)

    return run_past_hangs(work(), server)


@pytest.mark.parametrize("exchange", CANDLES)
def test_bars_to_the_last_digit(server, exchange):
    made = _bars(server, exchange)
    assert (made.report.outcome, made.report.rows, made.report.gaps) == (Outcome.COMPLETE, 20, ())
    assert [bar.opened_at for bar in made.rows] == [PAGE.start + i * QUARTER.step for i in range(20)]
    bar = made.rows[3]
    told = candle(NAMES[exchange], int(bar.opened_at.timestamp()), 900)
    assert tuple(map(str, (bar.open, bar.high, bar.low, bar.close, bar.volume))) == told  # never through a float
    assert bar.currency == ("crypto:USDT" if exchange == "binance" else "fiat:USD")
    assert made.report.failure is None
    assert len(server.asked(CANDLES[exchange])) == 1


FAULTS = [
    # fault, its kind, whether asking again brings the answer, and for how long the host wanted to be left alone
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
]


@pytest.mark.parametrize("exchange", CANDLES)
@pytest.mark.parametrize(("fault", "kind", "is_cured", "pause"), FAULTS)
def test_a_fault_is_named_and_cured_or_told(server, exchange, fault, kind, is_cured, pause):
    server.script(CANDLES[exchange], fault)
    time = Time()
    made = _bars(server, exchange, time=time)
    report = made.report
    assert report.failure.kind is kind
    assert "127.0.0.1" not in report.failure.message
    if is_cured:
        assert (report.outcome, len(made.rows)) == (Outcome.COMPLETE, 20)
        assert len(server.asked(CANDLES[exchange])) == 2
        assert sum(time.slept) >= (pause or 0.0)
    else:
        assert (report.outcome, made.rows) == (Outcome.FAILED, ())
        assert len(server.asked(CANDLES[exchange])) == 1
        assert report.failure.retry_after_seconds == pause
    assert report.requests == len(server.requests)


@pytest.mark.parametrize("exchange", CANDLES)
@pytest.mark.parametrize("fault", ["html", "truncated", "empty object", "429"])
def test_a_fault_in_the_list_of_markets(server, exchange, fault):
    server.script(MARKETS[exchange], fault)
    made = _bars(server, exchange)
    assert made.report.outcome is Outcome.COMPLETE
    assert made.report.failure is not None


def test_a_fault_that_stays_is_told_with_no_row(server):
    server.script("klines", *["truncated"] * 9)
    made = _bars(server)
    assert (made.report.outcome, made.rows, made.report.failure.kind) == (Outcome.FAILED, (), Kind.MALFORMED)
    assert len(server.asked("klines")) == 3
    assert not made.report.is_answered


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ('{"error":["EAPI:Rate limit exceeded"]}', Kind.RATE_LIMITED),
        ('{"error":["EGeneral:Too many requests"]}', Kind.RATE_LIMITED),
        ('{"error":["EService:Unavailable"]}', Kind.SERVER),
        ('{"error":["EQuery:Unknown asset pair"]}', Kind.PERMANENT),
        ('{"error":["EGeneral:Invalid arguments"]}', Kind.PERMANENT),
    ],
)
def test_kraken_tells_faults_with_status_200(server, told, kind):
    server.script("OHLC", Fault(body=told))
    report = _bars(server, "kraken").report
    assert report.failure.kind is kind
    assert report.outcome is (Outcome.FAILED if kind is Kind.PERMANENT else Outcome.COMPLETE)


@pytest.mark.parametrize("exchange", CANDLES)
def test_a_symbol_that_is_none_is_permanent_and_costs_no_candles(server, exchange):
    report = _bars(server, exchange, symbol=SourceSymbol(exchange, "crypto:X", "NEVER/USD", "fiat:USD")).report
    assert (report.outcome, report.failure.kind) == (Outcome.FAILED, Kind.PERMANENT)
    assert server.asked(CANDLES[exchange]) == []


def test_an_honest_nothing_is_empty_and_no_fault(server):
    server.script("klines", Fault(body="[]"))
    report = _bars(server).report
    assert (report.outcome, report.failure, report.gaps) == (Outcome.EMPTY, None, (PAGE,))
    server.script("candles$", Fault(body='{"candles":[]}'))
    assert _bars(server, "coinbase").report.outcome is Outcome.EMPTY


def test_rows_that_are_no_candles_fail_the_page(server):
    def spoilt(rows):
        rows = copy.deepcopy(rows)
        rows[4][4] = None
        return rows

    server.script("klines", Fault(alter=spoilt), Fault(alter=lambda rows: [["x"], *rows]))
    made = _bars(server)
    assert (made.report.outcome, made.report.failure.kind) == (Outcome.COMPLETE, Kind.MALFORMED)
    assert len(server.asked("klines")) == 3


def test_missing_and_repeated_rows_are_told(server):
    def altered(rows):
        other = [*rows[7][:4], "1.00000000", *rows[7][5:]]
        return [*rows[:3], *rows[4:8], other, rows[8], *rows[8:]]

    server.script("klines", Fault(alter=altered))
    made = _bars(server)
    gaps = tuple(Window(PAGE.start + n * QUARTER.step, PAGE.start + (n + 1) * QUARTER.step) for n in (3, 7))
    report = made.report
    assert (report.outcome, report.rows, report.gaps) == (Outcome.GAPS, 18, gaps)
    assert (report.duplicates_dropped, report.contradictions) == (2, 1)
    assert len({bar.opened_at for bar in made.rows}) == 18


def test_a_gap_of_one_answer_is_filled_by_the_second_look_and_a_real_one_stays(server):
    server.absent.add(("BTCUSDT", int((PAGE.start + 9 * QUARTER.step).timestamp())))
    server.script("klines", Fault(alter=lambda rows: rows[:5] + rows[7:]))

    async def work():
        async with CcxtSource("binance", asking(), now, server.url) as source:
            return await collect(source, source.symbol_of(BTC), QUARTER, PAGE, now)

    made = asyncio.run(work())
    real = Window(PAGE.start + 9 * QUARTER.step, PAGE.start + 10 * QUARTER.step)
    assert (made.report.outcome, made.report.rows, made.report.gaps) == (Outcome.GAPS, 19, (real,))
    assert len(server.asked("klines")) == 2
    assert len(made.reports) == 2


def test_a_server_whose_clock_is_behind_has_no_closed_bar_yet(server):
    server.now = (NOW - timedelta(hours=1)).timestamp()  # 14:07; its bar of 14:00 is open
    made = _bars(server)
    assert made.report.clock_skew_seconds == -3_600
    assert made.rows[-1].opened_at == NOW.replace(hour=13, minute=45)
    assert made.report.open_dropped == 1
    assert made.report.gaps == (Window(NOW.replace(hour=14, minute=0), PAGE.end),)


def test_a_server_whose_clock_is_ahead_gives_no_bar_of_the_future(server):
    server.now = (NOW + timedelta(hours=1)).timestamp()
    made = _bars(server, page=Window(PAGE.start, NOW.replace(hour=16, minute=0)))
    assert made.report.clock_skew_seconds == 3_600
    assert made.rows[-1].opened_at == NOW.replace(hour=14, minute=45)
    assert made.report.open_dropped == 4


def test_kraken_keeps_the_newest_720_only(server):
    async def work():
        async with CcxtSource("kraken", asking(), now, server.url) as source:
            symbol, window = source.symbol_of(BTC), Window(NOW - timedelta(days=365), NOW)
            assert source.keeps_since(QUARTER, NOW) == NOW.replace(minute=0) - 719 * QUARTER.step
            return await collect(source, symbol, QUARTER, window, now)

    made = asyncio.run(work())
    assert (made.report.outcome, made.report.rows) == (Outcome.COMPLETE, 719)
    assert len(server.asked("OHLC")) == 1


def test_a_year_complete_where_ccxt_itself_is_not(server):
    year = Window(NOW.replace(minute=0) - timedelta(days=365), NOW)

    async def work():
        async with CcxtSource("binance", asking(), now, server.url) as source:
            made = await collect(source, source.symbol_of(BTC), QUARTER, year, now)
            ours = len(server.asked("klines"))
            exchange = source._client()

            async def paginated(timeout_seconds):
                since = int(year.start.timestamp() * 1_000)
                return await exchange.fetch_ohlcv("BTC/USDT", "15m", since, params={"paginate": True})

            # ccxt looks at the machine's clock for where to end
            exchange.milliseconds = lambda: int(NOW.timestamp() * 1_000)
            rows = await source._sender(lambda _: paginated(0), _cost())(60)
            return made, ours, rows

    made, ours, rows = asyncio.run(work())
    assert (made.report.outcome, made.report.rows, made.report.gaps) == (Outcome.COMPLETE, 35_040, ())
    assert made.report.duplicates_dropped == 0
    assert ours <= -(-35_040 // 1_000) + 1
    assert len(rows) < 10_100  # of 35,040, and no word of it


def _cost():
    from assets.market.sources.patient_hosts import Cost

    return Cost()


@pytest.mark.parametrize("exchange", CANDLES)
def test_latest_prices_in_one_request(server, exchange):
    async def work():
        async with CcxtSource(exchange, asking(), now, server.url) as source:
            symbols = [source.symbol_of(Instrument(f"crypto:{code}")) for code in ("BTC", "ETH", "SOL")]
            good = await source.latest(symbols)
            never = replace(symbols[0], symbol="NEVER/USD", instrument_id="crypto:NEVER")
            return good, await source.latest([*symbols, never])

    good, partial = asyncio.run(work())
    assert good.report.outcome is Outcome.COMPLETE
    assert {price.instrument_id for price in good.rows} == {"crypto:BTC", "crypto:ETH", "crypto:SOL"}
    assert all(price.priced_at == NOW and price.price > 0 for price in good.rows)
    assert {price.is_time_told for price in good.rows} == {exchange == "binance"}
    assert (partial.report.outcome, partial.report.rows) == (Outcome.PARTIAL, 3)
    assert "1 of 4" in partial.report.failure.message


def test_any_other_exchange_by_its_id():
    with pytest.raises(ValueError, match="no exchange of ccxt"):
        CcxtSource("nosuch", asking(), now).pages(
            SourceSymbol("nosuch", "crypto:BTC", "BTC/USD", "fiat:USD"), QUARTER, PAGE, NOW
        )
    source = CcxtSource("bitstamp", asking(), now)
    symbol = source.symbol_of(Instrument("crypto:BTC", ccxt_symbol="bitstamp:BTC/EUR"))
    assert (symbol.symbol, symbol.currency) == ("BTC/EUR", "fiat:EUR")
    assert source._candle_limits() == Limits(1_000)  # as ccxt says
    assert source.pages(symbol, QUARTER, PAGE, NOW) == (PAGE,)


def test_a_price_is_a_decimal():
    from assets.market.sources.answers import decimal_of

    assert decimal_of("0.10") == Decimal("0.10")
    assert str(decimal_of(0.1)) == "0.1"
    assert decimal_of(None) is decimal_of("x") is decimal_of(True) is None
