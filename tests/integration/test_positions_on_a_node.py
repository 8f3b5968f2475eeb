"""All readers of positions of Ethereum against a real node: a pair, an aToken and debt, pools, an NFT, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest
from eth_utils.crypto import keccak

from assets.wallets import codec
from assets.wallets.codec import Call, Outcome
from assets.wallets.model import Block, Component, Kind
from assets.wallets.positions.declared import Declared
from assets.wallets.positions.readers import position_readers
from assets.wallets.positions.together import read_together
from assets.wallets.positions.uniswap_v3 import pool_address
from assets.wallets.positions.uniswap_v3_math import amounts_of_liquidity, sqrt_price_at_tick
from assets.wallets.reference import aave_markets
from tests.evm_contracts import FROM_STORAGE, contract, token
from tests.evm_nodes import MULTICALL3, EvmNode, EvmNodes

WALLET = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
EMPTY = "0x00000000219ab540356cBB839Cbe05303d7705Fa"
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
PAIR = "0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc"
MANAGER = "0xC36442b4a4522E871399CD717aBDD847Ab11FE88"
FACTORY = "0x1F98431c8aD98523631AE4a59f267346ea31F984"
WSTETH = "0x7f39C581F595B53c5cb19bD0b3f8dA6c935E2Ca0"
NFT = "0x00000000000000000000000000000000004e4654"
RESERVE = next(one for one in aave_markets("ethereum")[0].reserves if one.underlying == WETH)
POOL = pool_address(FACTORY, USDC, WETH, 500)
RATE = 1_170_000_000_000_000_007
TICK, LIQUIDITY = -100, 10**12


def selector(signature: str) -> bytes:
    return keccak(text=signature)[:4]


def gives(*words: int) -> str:
    """Assembly that returns words."""
    stores = " ".join(f"{word % 2**256} {32 * place} MSTORE" for place, word in enumerate(words))
    return f"{stores} {32 * len(words)} PUSH0 RETURN"


def holder(**functions: str) -> bytes:
    """A contract with balances in storage and the given functions, `_` for what no name may have."""
    return contract(
        {codec.balance_of(WALLET)[:4]: FROM_STORAGE} | {selector(name): code for name, code in functions.items()}
    )


CODES = {
    USDC: token(decimals=6),
    WETH: token(decimals=18),
    RESERVE.a_token: token(decimals=18),
    RESERVE.variable_debt_token: token(decimals=18),
    NFT: holder(),
    WSTETH: holder(**{"decimals()": gives(18), "stEthPerToken()": gives(RATE)}),
    PAIR: holder(
        **{
            "decimals()": gives(18),
            "token0()": gives(int(USDC, 16)),
            "token1()": gives(int(WETH, 16)),
            "getReserves()": gives(30_000_000, 10**19, 1),
            "totalSupply()": gives(3 * 10**12),
        }
    ),
    MANAGER: holder(
        **{
            "tokenOfOwnerByIndex(address,uint256)": gives(77),
            "positions(uint256)": gives(
                0, 0, int(USDC, 16), int(WETH, 16), 500, -200, 200, LIQUIDITY, 2**256 - 1, 0, 5, 0
            ),
        }
    ),
    FACTORY: contract({selector("getPool(address,address,uint24)"): gives(int(POOL, 16))}),
    POOL: contract(
        {
            selector("slot0()"): gives(sqrt_price_at_tick(TICK), TICK, 0, 1, 1, 0, 1),
            selector("feeGrowthGlobal0X128()"): gives(2**128 - 1),
            selector("feeGrowthGlobal1X128()"): gives(0),
            selector("ticks(int24)"): gives(1, 1, 0, 0, 0, 0, 0, 1),
        }
    ),
}  # fmt: skip


class Pinned:
    """A chain over one node and its real Multicall3."""

    chain = "ethereum"

    def __init__(self, node: EvmNode) -> None:
        head = node.rpc("eth_getBlockByNumber", "latest", False)
        time = datetime.fromtimestamp(int(head["timestamp"], 16), UTC)
        self.block = Block(int(head["number"], 16), head["hash"], time)
        self.rounds = 0
        self._node = node

    async def call(self, calls: Sequence[Call]) -> list[Outcome | None]:
        self.rounds += 1
        data = self._node.call(MULTICALL3, codec.encode_aggregate3(calls), hex(self.block.number))
        return list(codec.decode_aggregate3(data, len(calls)))


@pytest.fixture(scope="module")
def node() -> Iterator[EvmNode]:
    with EvmNodes() as nodes:
        node = nodes.start(1)
        for address, code in CODES.items():
            node.set_code(address, code)
        node.set_token_balances(
            {
                (PAIR, WALLET): 10**12,
                (RESERVE.a_token, WALLET): 4 * 10**18,
                (RESERVE.variable_debt_token, WALLET): 10**18,
                (MANAGER, WALLET): 1,
                (WSTETH, WALLET): 2 * 10**18,
                (NFT, WALLET): 3,
                # what is behind a position and lies in the wallet is a token, and no position
                (WETH, WALLET): 10**20,
            }
        )
        node.mine()
        yield node


def test_all_positions_of_ethereum_in_three_rounds(node: EvmNode) -> None:
    chain = Pinned(node)
    readers = position_readers("ethereum", [Declared(f"eip155:1/erc721:{NFT}", "nft", protocol="art")])
    positions, problems = asyncio.run(read_together(readers, chain, [EMPTY, WALLET]))
    assert problems == []
    found = {(one.asset_type, one.protocol): one for one in positions}
    assert {one.wallet for one in positions} == {WALLET}
    assert len(found) == len(positions) == 6
    assert chain.rounds == 3

    def amounts(asset_type: str, protocol: str) -> list[tuple[str | None, int, int | None]]:
        components: tuple[Component, ...] = found[asset_type, protocol].components
        return [(one.asset.address, one.amount, one.decimals) for one in components]

    # a third of the supply
    assert amounts("lp_token", "uniswap-v2") == [(USDC, 10_000_000, 6), (WETH, 3_333_333_333_333_333_333, 18)]
    assert amounts("supplied", "aave-v3") == [(WETH, 4 * 10**18, 18)]
    assert amounts("borrowed", "aave-v3") == [(WETH, -(10**18), 18)]
    # the counter of token0's fees passed zero: from −1 to 2**128 − 1, one unit of token0 per unit of liquidity
    behind = amounts_of_liquidity(
        LIQUIDITY, sqrt_price_at_tick(TICK), sqrt_price_at_tick(-200), sqrt_price_at_tick(200)
    )
    assert amounts("lp_token", "uniswap-v3") == [(USDC, behind[0] + LIQUIDITY + 5, 6), (WETH, behind[1], 18)]
    [ether] = found["staked", "lido"].components
    assert (ether.asset.kind, ether.amount) == (Kind.NATIVE, 2 * RATE)
    assert (found["nft", "art"].units, found["nft", "art"].components) == (3, ())
