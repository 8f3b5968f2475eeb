"""Readers of the chains that are not EVM, in the form in which the engine calls them.

Belongs here: which reader reads which chain. Must not be here: how (bitcoin.py, solana.py).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from assets.network.budget import Deadline
from assets.network.endpoints import Endpoint
from assets.network.hedging import Network
from assets.registry.other_chains import other_chains
from assets.wallets import bitcoin, solana
from assets.wallets.engine import OtherReader
from assets.wallets.model import ChainReport, ChainRequest


def other_readers(max_head_age_seconds: float | None = None) -> Mapping[str, OtherReader]:
    """Readers by slug.

    Args:
        max_head_age_seconds: as set for all chains; None: 20 block times. Not for Bitcoin, whose blocks are often
            further apart than what is set for others: 20 block times always count there.
    """
    chains = other_chains()

    async def read_bitcoin(
        request: ChainRequest,
        endpoints: Sequence[Endpoint],
        network: Network,
        deadline: Deadline,
        now: Callable[[], datetime],
    ) -> ChainReport:
        return await bitcoin.read_chain(request, chains["bitcoin"], endpoints, network, deadline, now)

    async def read_solana(
        request: ChainRequest,
        endpoints: Sequence[Endpoint],
        network: Network,
        deadline: Deadline,
        now: Callable[[], datetime],
    ) -> ChainReport:
        age = max_head_age_seconds
        return await solana.read_chain(
            request, chains["solana"], endpoints, network, deadline, now, max_head_age_seconds=age
        )

    return {"bitcoin": read_bitcoin, "solana": read_solana}
