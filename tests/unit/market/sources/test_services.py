"""ECB, CoinGecko and DefiLlama over HTTP; Chainlink over a call."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from assets.market.model import Instrument, Outcome, Resolution, Window
from assets.market.sources.build import RATES, SOURCES, build_sources
from assets.market.sources.chainlink import ChainlinkSource
from assets.market.sources.coingecko import CoinGeckoSource
from assets.market.sources.defillama import DefiLlamaSource
from assets.market.sources.ecb import EcbSource, read_rates
from assets.market.sources.endpoints import redirected
from assets.network.errors import Failure, Kind, MalformedResponseError
from tests.provider_server import Fault, ecb_csv, price, provider_server

from .support import NOW, Time, asking, now, run_past_hangs

DAY = timedelta(days=1)
USD, BTC = Instrument("fiat:USD"), Instrument("crypto:BTC")
ADDRESS = "0xaf88d065e77c8cc2239327c5edb3a432268e5831"
TOKEN = Instrument("eip155:42161/erc20:0xaf88d065e77c8cC2239327C5EDb3A432268e5831")
WEEK = Window(datetime(2026, 11, 10, tzinfo=UTC), datetime(2026, 11, 17, tzinfo=UTC))
KINDS = {"ecb": EcbSource, "coingecko": CoinGeckoSource, "defillama": DefiLlamaSource}
PATHS = {"ecb": "eurofxref", "coingecko": "market_chart", "defillama": "^/chart"}
HELD = {"ecb": USD, "coingecko": BTC, "defillama": TOKEN}


@pytest.fixture
def server():
    with provider_server(NOW.timestamp()) as made:
        yield made


def _run(server, name, work, time=None, **patience):
    async def inner():
        async with KINDS[name](asking(time, **patience), now, server.url) as source:
            return await work(source)

    return run_past_hangs(inner(), server)


def _week(name, server, instrument=None, time=None, **patience):
    async def work(source):
        symbol = source.symbol_of(instrument or HELD[name])
        (page,) = source.pages(symbol, Resolution.DAY, WEEK, NOW)
        return await source.bars(symbol, Resolution.DAY, page)

    return _run(server, name, work, time, **patience)


def test_reference_rates_are_prices_of_the_euro(server):
    made = _week("ecb", server)
    assert made.report.outcome is Outcome.COMPLETE
    assert [bar.opened_at.day for bar in made.rows] == [10, 11, 12, 13, 16]
    first = made.rows[0]
    assert (first.instrument_id, first.currency, first.open) == ("fiat:EUR", "fiat:USD", None)
    assert first.close == price("USD", int(first.opened_at.timestamp()))


def test_reference_rates_are_read_once_for_all(server):
    async def work(source):
        symbols = [source.symbol_of(Instrument(f"fiat:{code}")) for code in ("USD", "CHF", "GBP")]
        made = await asyncio.gather(*(source.bars(one, Resolution.DAY, WEEK) for one in symbols))
        return made, await source.latest([*symbols, source.symbol_of(Instrument("fiat:HRK"))])

    made, latest = _run(server, "ecb", work)
    assert len(server.requests) == 1
    assert sorted((one.report.requests, one.report.cache_hits) for one in made) == [(0, 1), (0, 1), (1, 0)]
    assert latest.report.outcome is Outcome.PARTIAL  # the kuna is no more
    assert {one.priced_at for one in latest.rows} == {datetime(2026, 11, 20, tzinfo=UTC)}


def test_days_without_a_rate_are_gaps_and_unknown_money_is_permanent(server):
    kuna = _week("ecb", server, Instrument("fiat:HRK"))
    assert (kuna.report.outcome, len(kuna.report.gaps)) == (Outcome.EMPTY, 2)  # around the week-end
    assert _week("ecb", server, Instrument("fiat:KWD")).report.failure.kind is Kind.PERMANENT


@pytest.mark.parametrize("name", ["zip", "csv", "xml"])
def test_a_file_of_rates_needs_no_request(server, tmp_path, name):
    file = tmp_path / f"rates.{name}"
    if name == "zip":
        import zipfile

        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("eurofxref-hist.csv", ecb_csv(date(2026, 11, 20)))
    elif name == "csv":
        file.write_text(ecb_csv(date(2026, 11, 20)))
    else:
        file.write_text(
            '<?xml version="1.0"?><gesmes:Envelope><Cube><Cube time="2026-11-13"><Cube currency="USD" rate="1.0812"/>'
            "</Cube><Cube time='2026-11-12'><Cube currency='USD' rate='1.0800'/></Cube></Cube></gesmes:Envelope>"
        )

    async def work():
        async with EcbSource(asking(), now, server.url, file) as source:
            return await source.bars(source.symbol_of(USD), Resolution.DAY, WEEK)

    made = asyncio.run(work())
    assert server.requests == []
    assert len(made.rows) == (2 if name == "xml" else 5)
    if name == "xml":
        assert [str(bar.close) for bar in made.rows] == ["1.0800", "1.0812"]


@pytest.mark.parametrize("data", [b"", b"<html></html>", b"Date,USD\n", b"PK\x03\x04cut", b"a,b\n1,2\n"])
def test_what_is_no_file_of_rates(data):
    if data == b"Date,USD\n":
        assert read_rates(data) == {"USD": {}}
    else:
        with pytest.raises(MalformedResponseError):
            read_rates(data)


def test_a_daily_point_closes_the_day_before(server):
    for name, key in (("coingecko", "bitcoin"), ("defillama", f"arbitrum:{ADDRESS}")):
        made = _week(name, server)
        assert (made.report.outcome, len(made.rows)) == (Outcome.COMPLETE, 7)
        assert made.rows[0].opened_at == WEEK.start
        assert made.rows[0].close == price(key, int((WEEK.start + DAY).timestamp()))
        assert made.rows[0].high is None
        assert abs(made.rows[0].priced_at - WEEK.start - DAY) < timedelta(minutes=1)


def test_a_token_by_its_address(server):
    made = _week("coingecko", server, TOKEN)
    assert made.rows[0].close == price(ADDRESS, int((WEEK.start + DAY).timestamp()))
    assert server.requests[0][0] == f"/api/v3/coins/arbitrum-one/contract/{ADDRESS}/market_chart/range"


def test_a_missing_point_is_a_gap(server):
    server.absent.add(("bitcoin", int((WEEK.start + 3 * DAY).timestamp())))
    server.absent.add((f"arbitrum:{ADDRESS}", int((WEEK.start + 3 * DAY).timestamp())))
    for name in ("coingecko", "defillama"):
        report = _week(name, server).report
        assert report.gaps == (Window(WEEK.start + 2 * DAY, WEEK.start + 3 * DAY),)


def test_latest_prices_and_those_that_are_not_there(server):
    async def gecko(source):
        return await source.latest([source.symbol_of(one) for one in (BTC, Instrument("crypto:DOGE"), TOKEN)])

    made = _run(server, "coingecko", gecko)  # the server knows bitcoin and any address
    assert made.report.outcome is Outcome.PARTIAL
    assert {one.instrument_id for one in made.rows} == {"crypto:BTC", TOKEN.id}
    assert {one.priced_at for one in made.rows} == {NOW - timedelta(seconds=30)}
    assert sorted(report.rows for report in made.reports) == [1, 1]

    async def llama(source):
        return await source.latest([source.symbol_of(one) for one in (BTC, TOKEN)])

    made = _run(server, "defillama", llama)
    assert (made.report.outcome, len(made.rows), made.report.requests) == (Outcome.COMPLETE, 2, 1)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    ("fault", "kind", "is_cured", "pause"),
    [
        ("429", Kind.RATE_LIMITED, True, 7.0),
        ("418", Kind.RATE_LIMITED, False, 120.0),
        ("451", Kind.AUTH_OR_GEO, False, None),
        ("502", Kind.SERVER, True, None),
        ("html", Kind.MALFORMED, True, None),
        ("truncated", Kind.MALFORMED, True, None),
        ("empty object", Kind.MALFORMED, True, None),
        ("no body", Kind.MALFORMED, True, None),
        ("hang", Kind.TIMEOUT, True, None),
        (Fault(404, "{}"), Kind.PERMANENT, False, None),
    ],
)
def test_a_fault_is_named_and_cured_or_told(server, name, fault, kind, is_cured, pause):
    server.script(PATHS[name], fault)
    time = Time()
    made = _week(name, server, time=time)
    report = made.report
    assert report.failure.kind is kind
    assert report.outcome is (Outcome.COMPLETE if is_cured else Outcome.FAILED)
    assert bool(made.rows) is is_cured
    assert report.requests == len(server.requests) == (2 if is_cured else 1)
    assert sum(time.slept) >= (pause if is_cured and pause else 0.0)


def test_an_owners_address_takes_the_place_of_the_providers():
    assert redirected("https://api.binance.com/api/v3/time?x=1", None) == "https://api.binance.com/api/v3/time?x=1"
    assert redirected("https://a.b/c?d=%2F", "http://proxy:8080") == "http://proxy:8080/c?d=%2F"
    assert redirected("https://a.b/c", "http://u:p@proxy/base/") == "http://u:p@proxy/base/c"


def test_every_source_by_its_name(server):
    async def calls(chain, asked):
        return [Failure.of(Kind.SERVER) for _ in asked]

    built = build_sources([*SOURCES, "okx"], asking(), now, {"ecb": server.url}, calls=calls)
    assert [source.name for source in built.values()] == [*SOURCES, "okx"]
    assert "chainlink" not in build_sources(SOURCES, asking(), now, {})
    assert set(RATES) == set(SOURCES) - {"chainlink"}


# Chainlink


class _Feed:
    """A contract of the kind, in bytes."""

    def __init__(self, description="BTC / USD", decimals=8, answer=9_123_456_789_012, age=600, answered_in=7):
        self.asked: list[bytes] = []
        text = description.encode()
        padded = text + bytes(-len(text) % 32)
        updated = int(NOW.timestamp()) - age
        self.answers = {
            bytes.fromhex("7284e416"): _words(32, len(text)) + padded,
            bytes.fromhex("313ce567"): _words(decimals),
            bytes.fromhex("feaf968c"): _words(7, answer, updated, updated, answered_in),
            bytes.fromhex("9a6fc8d5"): _words(5, answer - 1, updated - 99, updated - 99, 5),
        }

    async def __call__(self, chain: str, asked):
        assert {(chain, address) for address, _ in asked} == {
            ("ethereum", "0xF4030086522a5bEEa4988F8cA5B36dbC97BeE88c")
        }
        self.asked += [data for _, data in asked]
        return [self.answers[data[:4]] for _, data in asked]


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(32, signed=value < 0) for value in values)


def _latest(feed, times=1):
    async def work():
        async with ChainlinkSource(feed, now) as source:
            symbol = source.symbol_of(BTC)
            for _ in range(times - 1):
                await source.latest([symbol])
            return await source.latest([symbol])

    return asyncio.run(work())


def test_a_feed_is_priced_when_it_was_updated():
    feed = _Feed()
    made = _latest(feed, times=3)
    (found,) = made.rows
    assert (found.price, found.currency) == (Decimal("91234.56789012"), "fiat:USD")
    assert found.priced_at == NOW - timedelta(seconds=600)
    assert made.report.outcome is Outcome.COMPLETE
    assert len(feed.asked) == 2 + 3  # description and decimals once


def test_an_older_round():
    async def work():
        source = ChainlinkSource(_Feed(), now)
        return await source.price_of_round(source.symbol_of(BTC), 5)

    found = asyncio.run(work())
    assert (found.price, found.priced_at) == (Decimal("91234.56789011"), NOW - timedelta(seconds=699))


@pytest.mark.parametrize(
    ("feed", "kind"),
    [
        (_Feed("BTC / EUR"), Kind.PERMANENT),  # an address in a list proves nothing
        (_Feed(age=7_201), Kind.MALFORMED),
        (_Feed(age=-3_600), Kind.MALFORMED),
        (_Feed(answer=0), Kind.MALFORMED),
        (_Feed(answer=-5), Kind.MALFORMED),
        (_Feed(answered_in=6), Kind.MALFORMED),
        (_Feed(decimals=255), Kind.MALFORMED),
    ],
)
def test_a_feed_that_is_not_believed(feed, kind):
    made = _latest(feed)
    assert (made.rows, made.report.outcome, made.report.failure.kind) == ((), Outcome.FAILED, kind)


def test_bytes_that_are_no_answer():
    for selector in ("feaf968c", "313ce567", "7284e416"):
        feed = _Feed()
        feed.answers[bytes.fromhex(selector)] = b""
        assert _latest(feed).report.failure.kind in (Kind.MALFORMED, Kind.PERMANENT)
