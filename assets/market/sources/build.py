"""The sources of a run, by name.

Belongs here: which class a name means, and what each provider allows. Must not be here: the environment, priorities
(dbt chooses among what all of them say).
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path

from assets.market.model import MarketSource
from assets.market.sources.ccxt_source import CcxtSource
from assets.market.sources.chainlink import Calls, ChainlinkSource
from assets.market.sources.coingecko import CoinGeckoSource
from assets.market.sources.defillama import DefiLlamaSource
from assets.market.sources.ecb import EcbSource
from assets.market.sources.patient_hosts import PatientHosts
from assets.market.sources.yahoo import YahooSource
from assets.network.budget import Rate

#: Reviewed sources, in the order in which they are asked within an asset class.
SOURCES = ("binance", "kraken", "coinbase", "yahoo", "ecb", "chainlink", "coingecko", "defillama")

#: By source, which is also the name of its budget. Binance: 6,000 weight a minute, 2 a page of candles, half of it
#: taken. Kraken: one public call a second. Coinbase: 10 a second. CoinGecko's public API: 5 to 15 a minute. Yahoo and
#: DefiLlama publish none; theirs are ours.
RATES: Mapping[str, Rate] = {
    "binance": Rate(25.0, 50),
    "kraken": Rate(1.0, 5),
    "coinbase": Rate(8.0, 10),
    "yahoo": Rate(5.0, 20),
    "ecb": Rate(1.0, 2),
    "coingecko": Rate(0.1, 5),
    "defillama": Rate(5.0, 10),
}


def build_sources(
    names: Iterable[str],
    asking: PatientHosts,
    now: Callable[[], datetime],
    endpoints: Mapping[str, str],
    *,
    calls: Calls | None = None,
    ecb_file: Path | None = None,
) -> dict[str, MarketSource]:
    """One source for each name; what is none of ours is taken for an exchange of ccxt.

    Args:
        names: as in HOLDFAST_SOURCES.
        asking: budgets and patience of the run.
        now: the wall clock, UTC.
        endpoints: HOLDFAST_ENDPOINT_<SOURCE> by source.
        calls: reads contracts; without it there is no chainlink.
        ecb_file: a copy of the ECB's rates.
    """
    built: dict[str, MarketSource] = {}
    for name in names:
        endpoint = endpoints.get(name)
        if name == "yahoo":
            built[name] = YahooSource(asking, now, endpoint)
        elif name == "ecb":
            built[name] = EcbSource(asking, now, endpoint, ecb_file)
        elif name == "coingecko":
            built[name] = CoinGeckoSource(asking, now, endpoint)
        elif name == "defillama":
            built[name] = DefiLlamaSource(asking, now, endpoint)
        elif name == "chainlink":
            if calls is not None:
                built[name] = ChainlinkSource(calls, now)
        else:
            built[name] = CcxtSource(name, asking, now, endpoint)
    return built
