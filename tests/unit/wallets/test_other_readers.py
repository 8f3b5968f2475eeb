"""Chains of other families through the engine, beside each other."""

import asyncio
from random import Random

from assets.network.budget import Hosts
from assets.network.endpoints import endpoints_of
from assets.network.hedging import Network
from assets.network.http import Http
from assets.wallets.engine import read_chains
from assets.wallets.model import Asset, ChainReport, ChainRequest, Kind
from assets.wallets.other_readers import other_readers
from tests.unit.wallets.peers import NOW, Esplora, Solana, serving

ADDRESS = "bc1qvyq0cc6rahyvsazfdje0twl7ez82ndmuac2lhv"
WALLET = "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU"
SYSTEM_PROGRAM = "11111111111111111111111111111111"


def test_the_engine_reads_them() -> None:
    esplora, node = Esplora(), Solana()
    esplora.balances = {ADDRESS: (9, 4, 0)}
    node.accounts = {WALLET: (7, SYSTEM_PROGRAM, b"")}
    requests = [
        ChainRequest("bitcoin", [(ADDRESS, Asset("bitcoin", Kind.NATIVE))]),
        ChainRequest("solana", [(WALLET, Asset("solana", Kind.NATIVE))]),
    ]

    async def work() -> list[ChainReport]:
        clock = asyncio.get_running_loop().time
        async with serving(esplora, node) as (bitcoin, solana), Http() as http:
            return await read_chains(
                requests,
                {"bitcoin": endpoints_of([bitcoin]), "solana": endpoints_of([solana])},
                Network(http.send, Hosts(clock), clock, Random(1)),
                lambda: NOW,
                other_readers=other_readers(max_head_age_seconds=60),
            )

    reports = asyncio.run(work())
    assert [report.chain for report in reports] == ["bitcoin", "solana"]
    # 60 s is what was set; Bitcoin's last block is seven minutes old and counts all the same
    assert [report.cells[0].amount for report in reports] == [5, 7]
