"""Reference data about chains: Multicall3, tokens, protocols, economic identity; reviewed files in `data`, read once.

Belongs here: typed rows of those files, by chain. Must not be here: networks, prices, what a token may count for (a
listed token is one worth asking about, not a trusted one). Chains themselves: assets/registry/chains.py.
"""

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from assets.registry.chains import MULTICALL3_IMPOSTORS, chains, chains_by_id

#: keccak256 of the runtime code of the real Multicall3 at 0xcA11bde05977b3631167028862bE2a173976CA11 (README of
#: mds1/multicall3). At another address it was compiled otherwise (zk chains: another machine), and has another hash.
MULTICALL3_CODE_HASH = "0xd5c15df687b16f2ff992fc8d767b4216323184a2bbc6ee2f9c398c318e770891"


@dataclass(frozen=True, slots=True)
class Token:
    """A listed token. Its key is chain and address: 161 pairs of chain and symbol (in any case) occur more than once.

    Attributes:
        decimals: as listed, 0 for some; the chain's own answer counts.
        bridge_group: the Superchain list's group of bridged tokens, a hint and no identity; None without one.
        sources: the lists that name it.
    """

    chain: str
    evm_id: int
    address: str
    symbol: str
    name: str
    decimals: int
    bridge_group: str | None
    sources: tuple[str, ...]

    @property
    def instrument_id(self) -> str:
        """The CAIP-19 id."""
        return f"eip155:{self.evm_id}/erc20:{self.address}"


@dataclass(frozen=True, slots=True)
class AaveReserve:
    """One asset of an Aave v3 market: supplied is a balance of `a_token`, owed one of the debt token."""

    symbol: str
    decimals: int
    underlying: str
    a_token: str
    variable_debt_token: str
    price_oracle: str


@dataclass(frozen=True, slots=True)
class AaveMarket:
    """One Aave v3 market; a chain may have several, with the same underlying in each."""

    name: str
    chain: str
    pool: str
    protocol_data_provider: str
    oracle: str
    collector: str
    reserves: tuple[AaveReserve, ...]


@dataclass(frozen=True, slots=True)
class PositionContract:
    """A contract of a protocol in which wallets have positions.

    Attributes:
        role: what it is to its protocol: position_manager, factory, comet, erc4626, steth, wsteth, reth, cbeth.
        underlying: base token of a comet, asset of a vault; None where it has none.
    """

    chain: str
    protocol: str
    role: str
    address: str
    underlying: str | None


@dataclass(frozen=True, slots=True)
class UniswapV2Pair:
    """A pair with the ABI of Uniswap v2."""

    chain: str
    protocol: str
    pair: str
    token0: str
    token1: str


@dataclass(frozen=True, slots=True)
class CanonicalInstrument:
    """The economic asset of which a token is an instance.

    Attributes:
        relation: `native_issue` (by the issuer on this chain), `bridged` (by the chain's canonical bridge, the issuer's
            or the protocol's own), `wrapped` (redeemable one for one for the chain's native coin).
    """

    chain: str
    evm_id: int
    address: str
    canonical_instrument: str
    relation: str

    @property
    def instrument_id(self) -> str:
        """The CAIP-19 id of the token."""
        return f"eip155:{self.evm_id}/erc20:{self.address}"


def multicall3_addresses(slug: str) -> tuple[str, ...]:
    """Where Multicall3 may stand on a chain, best first; empty = none known. The code there is still to be checked.

    On 13 chains the two lists name two addresses. Impostors are never among them.

    Raises:
        KeyError: there is no such chain.
    """
    chain = chains()[slug]
    listed = (chain.multicall3_address, _deployments().get(chain.evm_id))
    return tuple(dict.fromkeys(address for address in listed if address))


def tokens(slug: str) -> tuple[Token, ...]:
    """Listed tokens of a chain in the order of their addresses, without the mirrors of its native coin.

    Raises:
        KeyError: there is no such chain.
    """
    return _tokens().get(chains()[slug].evm_id, ())


def native_mirrors(slug: str) -> frozenset[str]:
    """Addresses of a chain whose `balanceOf` is the native balance once more: counting both would count it twice.

    Raises:
        KeyError: there is no such chain.
    """
    return _native_mirrors().get(chains()[slug].evm_id, frozenset())


@cache
def native_coins() -> dict[str, str]:
    """The economic coin behind a chain's native one by slug, where it is certain: `crypto:ETH` for `arbitrum`."""
    known = chains_by_id()
    return {known[int(row["chain_id"])].slug: row["canonical_instrument"] for row in _rows("native_coins.csv")}


def aave_markets(slug: str) -> tuple[AaveMarket, ...]:
    """Aave v3 markets of a chain with their reserves.

    Raises:
        KeyError: there is no such chain.
    """
    return _aave_markets().get(slug, ())


def position_contracts(slug: str) -> tuple[PositionContract, ...]:
    """Reviewed contracts of a chain in which wallets have positions.

    Raises:
        KeyError: there is no such chain.
    """
    return _position_contracts().get(chains()[slug].evm_id, ())


def uniswap_v2_pairs(slug: str) -> tuple[UniswapV2Pair, ...]:
    """Reviewed pairs of a chain.

    Raises:
        KeyError: there is no such chain.
    """
    return _uniswap_v2_pairs().get(chains()[slug].evm_id, ())


@cache
def canonical_instruments() -> tuple[CanonicalInstrument, ...]:
    """The economic asset of each reviewed token of all chains; its key is chain and address, never a symbol."""
    known = chains_by_id()
    return tuple(
        CanonicalInstrument(
            chain=known[int(row["chain_id"])].slug,
            evm_id=int(row["chain_id"]),
            address=row["address"],
            canonical_instrument=row["canonical_instrument"],
            relation=row["relation"],
        )
        for row in _rows("canonical_instruments.csv")
    )


@cache
def _position_contracts() -> dict[int, tuple[PositionContract, ...]]:
    found: dict[int, list[PositionContract]] = defaultdict(list)
    for row in _rows("position_contracts.csv"):
        evm_id = int(row["chain_id"])
        found[evm_id].append(
            PositionContract(
                chain=chains_by_id()[evm_id].slug,
                protocol=row["protocol"],
                role=row["role"],
                address=row["address"],
                underlying=row["underlying"] or None,
            )
        )
    return {evm_id: tuple(contracts) for evm_id, contracts in found.items()}


@cache
def _uniswap_v2_pairs() -> dict[int, tuple[UniswapV2Pair, ...]]:
    found: dict[int, list[UniswapV2Pair]] = defaultdict(list)
    for row in _rows("uniswap_v2_pairs.csv"):
        evm_id = int(row["chain_id"])
        found[evm_id].append(
            UniswapV2Pair(
                chain=chains_by_id()[evm_id].slug,
                protocol=row["protocol"],
                pair=row["pair"],
                token0=row["token0"],
                token1=row["token1"],
            )
        )
    return {evm_id: tuple(pairs) for evm_id, pairs in found.items()}


@cache
def _deployments() -> dict[int, str]:
    rows = ((int(row["chain_id"]), row["address"]) for row in _rows("multicall3_deployments.csv"))
    return {evm_id: address for evm_id, address in rows if evm_id not in MULTICALL3_IMPOSTORS}


@cache
def _native_mirrors() -> dict[int, frozenset[str]]:
    found: dict[int, set[str]] = defaultdict(set)
    for row in _rows("native_mirrors.csv"):
        found[int(row["chain_id"])].add(row["address"])
    return {evm_id: frozenset(addresses) for evm_id, addresses in found.items()}


@cache
def _tokens() -> dict[int, tuple[Token, ...]]:
    """By EVM chain id; tokens of chains that are not in the chain list (one, Ellaism's 64) are left out."""
    found: dict[int, list[Token]] = defaultdict(list)
    known, mirrors = chains_by_id(), _native_mirrors()
    for row in _rows("tokens.csv.gz"):
        evm_id, address = int(row["chain_id"]), row["address"]
        if evm_id not in known or address in mirrors.get(evm_id, ()):
            continue
        found[evm_id].append(
            Token(
                chain=known[evm_id].slug,
                evm_id=evm_id,
                address=address,
                symbol=row["symbol"],
                name=row["name"],
                decimals=int(row["decimals"]),
                bridge_group=row["bridge_group"] or None,
                sources=tuple(row["sources"].split("+")),
            )
        )
    return {evm_id: tuple(listed) for evm_id, listed in found.items()}


@cache
def _aave_markets() -> dict[str, tuple[AaveMarket, ...]]:
    reserves: dict[str, list[AaveReserve]] = defaultdict(list)
    for row in _rows("aave_v3_reserves.csv"):
        reserves[row["market"]].append(
            AaveReserve(
                symbol=row["symbol"],
                decimals=int(row["decimals"]),
                underlying=row["underlying"],
                a_token=row["a_token"],
                variable_debt_token=row["variable_debt_token"],
                price_oracle=row["price_oracle"],
            )
        )
    found: dict[str, list[AaveMarket]] = defaultdict(list)
    for row in _rows("aave_v3_markets.csv"):
        slug = chains_by_id()[int(row["chain_id"])].slug
        found[slug].append(
            AaveMarket(
                name=row["market"],
                chain=slug,
                pool=row["pool"],
                protocol_data_provider=row["protocol_data_provider"],
                oracle=row["oracle"],
                collector=row["collector"],
                reserves=tuple(reserves[row["market"]]),
            )
        )
    return {slug: tuple(markets) for slug, markets in found.items()}


def _rows(name: str) -> Iterator[dict[str, str]]:
    """The rows of one file, gzipped or not."""
    data = files("assets.wallets.data").joinpath(name).read_bytes()
    text = (gzip.decompress(data) if name.endswith(".gz") else data).decode()
    return csv.DictReader(text.splitlines())
