"""What is asked of a chain and what it answered: the types that readers, engine, store and demo share.

Belongs here: values without behaviour. Must not be here: calls, SQL, what a balance is worth.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from assets.network.hedging import Try
from assets.wallets.codec import Call, Outcome


class Status(StrEnum):
    """What is known of one cell after a read. `stale` is no outcome of a read: it is the last good balance, later."""

    OK = "ok"  # read at the block, more than zero
    ZERO = "zero"  # read at the block, and zero
    FAILED = "failed"  # not read this time: the chain or every endpoint failed; the last good balance stays
    UNSUPPORTED = "unsupported"  # cannot be read here: no code at the address, no such function
    QUARANTINED = "quarantined"  # the contract answers what no balance may be: reverts, burns gas, malformed bytes


class Kind(StrEnum):
    """What an asset is on its chain; decides which call reads it."""

    NATIVE = "native"
    ERC20 = "erc20"  # also a token of Solana, by its mint
    ERC721 = "erc721"  # counts only: balanceOf
    ERC1155 = "erc1155"  # needs a token id


@dataclass(frozen=True, slots=True)
class Asset:
    """Something of which a wallet has a balance on one chain. Its key is chain, kind, address and token id.

    Attributes:
        chain: slug.
        address: EIP-55; None for the native coin. Another chain family's own form elsewhere (Solana: the mint).
        token_id: of ERC-1155 only.
    """

    chain: str
    kind: Kind
    address: str | None = None
    token_id: int | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """The block at which all of a chain was read; `timestamp` is the chain's, in UTC."""

    number: int
    hash: str
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class Cell:
    """One wallet, one asset.

    Attributes:
        amount: raw integer units; None unless the status is ok or zero.
        reason: why there is no amount: a short text without secrets; None for ok and zero.
    """

    wallet: str
    asset: Asset
    status: Status
    amount: int | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What a token says of itself, at the block. None where it does not answer: decimals are never assumed."""

    asset: Asset
    decimals: int | None
    symbol: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class Component:
    """Part of a position: so many raw units of an asset, negative where it is owed."""

    asset: Asset
    amount: int
    decimals: int | None


@dataclass(frozen=True, slots=True)
class Position:
    """A claim that is not a plain balance: what stands behind it, at the block.

    Attributes:
        instrument_id: CAIP-19 of the receipt, e.g. `eip155:1/erc20:0x…` of a pair or `eip155:1/erc721:0x…/123`.
        asset_type: nft, lp_token, staked, vested, supplied or borrowed.
        protocol: e.g. `uniswap-v2`, `aave-v3`, `lido`.
        category: e.g. `liquidity`, `lending`, `staking`, `vesting`.
        units: how many of the instrument the wallet has, as raw units of `decimals`.
        components: what all those units are made of at the block; empty = unknown.
        reason: why components are unknown; None where they are known.
    """

    wallet: str
    instrument_id: str
    asset_type: str
    protocol: str
    category: str
    units: int
    decimals: int
    components: tuple[Component, ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ChainRequest:
    """What to read of one chain.

    Attributes:
        cells: wallet and asset, each once.
        facts_of: tokens whose decimals, symbol and name are not known yet.
        positions_of: wallets whose positions in known protocols are wanted.
        expected: the last block that counted, to notice that it was reorganised away; None for the first read.
        first: so many of the cells are asked before all others, in their order.
    """

    chain: str
    cells: Sequence[tuple[str, Asset]]
    facts_of: Sequence[Asset] = ()
    positions_of: Sequence[str] = ()
    expected: Block | None = None
    first: int = 0


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What one chain said. Cells are in the order of the request; a failed chain has every cell FAILED.

    Attributes:
        block: None when no endpoint could be trusted with one.
        endpoint: label of the server that pinned the block; None as `block`.
        tries: all of them, of all questions.
        asked_at: UTC.
        is_reorganised: the expected block is no longer on the chain.
        failure: kind and message when the chain as a whole failed; None otherwise.
        found: more than zero though not asked for, where a chain tells all that a wallet holds (Solana).
    """

    chain: str
    block: Block | None
    endpoint: str | None
    tries: tuple[Try, ...]
    asked_at: datetime
    seconds: float
    cells: tuple[Cell, ...]
    facts: tuple[TokenFacts, ...] = ()
    positions: tuple[Position, ...] = ()
    is_reorganised: bool = False
    failure: str | None = None
    problems: tuple[str, ...] = field(default=())
    found: tuple[Cell, ...] = ()


class PinnedChain(Protocol):
    """A chain at one block: what readers of positions and facts are given."""

    @property
    def chain(self) -> str:
        """Slug."""

    @property
    def block(self) -> Block:
        """Everything is read at it."""

    async def call(self, calls: Sequence[Call]) -> list[Outcome | None]:
        """Outcomes in the order of the calls, within the chain's budget; None = not answered (server, time)."""
