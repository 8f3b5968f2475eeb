"""All formats that can be imported, in the order in which help and errors list them.

Belongs here: the list. Must not be here: anything else.
"""

from assets.importers.canonical import CANONICAL
from assets.importers.coinbase import COINBASE, COINBASE_2021
from assets.importers.ghostfolio import GHOSTFOLIO
from assets.importers.interactive_brokers import IBKR_FLEX
from assets.importers.kraken import KRAKEN_LEDGERS, KRAKEN_TRADES
from assets.importers.model import Formats
from assets.importers.portfolio_performance import PORTFOLIO_PERFORMANCE
from assets.importers.rotki import ROTKI_EVENTS, ROTKI_TRADES, ROTKI_TRADES_2022
from assets.importers.trading212 import TRADING212

FORMATS: Formats = (
    CANONICAL,
    COINBASE,
    COINBASE_2021,
    GHOSTFOLIO,
    IBKR_FLEX,
    KRAKEN_LEDGERS,
    KRAKEN_TRADES,
    PORTFOLIO_PERFORMANCE,
    ROTKI_EVENTS,
    ROTKI_TRADES,
    ROTKI_TRADES_2022,
    TRADING212,
)
