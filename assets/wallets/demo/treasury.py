"""What the demo's chains hold: real wallets and real token addresses, with made-up balances.

Belongs here: which wallets and tokens, how much of them, putting it on a node. Must not be here: nodes (local_nodes),
runs. The amounts come from a hash of instrument and wallet: the same on every machine, and nobody's.
"""

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files

from assets.registry.chains import chains, chains_by_id
from assets.wallets.demo.contracts import token
from assets.wallets.demo.local_nodes import EvmNode
from assets.wallets.identity import instrument_id
from assets.wallets.model import Asset, Kind
from assets.wallets.planning import SLICES, curated, slice_of
from assets.wallets.reference import canonical_instruments, tokens

#: Tokens of a chain that get a balance.
_TOKENS = 4
_FOLDER = files("assets.wallets.demo")


@dataclass(frozen=True, slots=True)
class MadeUpBalance:
    """How much a wallet of the demo gets of one asset, in its smallest unit."""

    wallet: str
    asset: Asset
    raw_amount: int

    @property
    def instrument_id(self) -> str:
        """The CAIP-19 id."""
        return instrument_id(self.asset)


def treasury_wallets() -> dict[str, tuple[str, ...]]:
    """The wallets by chain, in the order of the file; an address stands there once for each of its markets."""
    found: dict[str, dict[str, None]] = {}
    for row in csv.DictReader(_FOLDER.joinpath("treasury_wallets.csv").read_text().splitlines()):
        found.setdefault(chains_by_id()[int(row["chain_id"])].slug, {})[row["address"]] = None
    return {slug: tuple(wallets) for slug, wallets in found.items()}


def prices_csv() -> str:
    """Real prices of some of the economic assets, as a file of an inputs folder."""
    return _FOLDER.joinpath("prices.csv").read_text()


def made_up_balances(slug: str, wallets: Sequence[str]) -> list[MadeUpBalance]:
    """From 1.00 to 99.99 of the native coin and of a few listed tokens for each wallet, tokens with a price first."""
    chain = chains()[slug]
    listed = {one.address: one for one in tokens(slug)}
    priced = {row.partition(",")[0] for row in prices_csv().splitlines()[1:]}
    economic = {one.address: one.canonical_instrument for one in canonical_instruments() if one.chain == slug}
    asked = sorted(curated(slug), key=lambda asset: economic.get(asset.address or "") not in priced)[:_TOKENS]
    decimals = {Asset(slug, Kind.NATIVE): chain.native_decimals}
    decimals |= {asset: listed[asset.address or ""].decimals for asset in asked}
    return [
        MadeUpBalance(wallet, asset, _amount(instrument_id(asset), wallet, places))
        for wallet in wallets
        for asset, places in decimals.items()
    ]


def put_on(node: EvmNode, slug: str, balances: Iterable[MadeUpBalance]) -> None:
    """Deploy all tokens that a run may ask for, write the balances, mine a block: none is read at a genesis block."""
    listed = {one.address: one for one in tokens(slug)}
    asked = {
        asset.address: None for asset in (*curated(slug), *(a for turn in range(SLICES) for a in slice_of(slug, turn)))
    }
    deployed = [listed[address] for address in asked if address is not None]
    if deployed:
        node.set_codes({of.address: token(decimals=of.decimals, symbol=of.symbol, name=of.name) for of in deployed})
    amounts: dict[tuple[str, str], int] = {}
    for one in balances:
        if one.asset.address is None:
            node.set_balance(one.wallet, one.raw_amount)
        else:
            amounts[one.asset.address, one.wallet] = one.raw_amount
    if amounts:
        node.set_token_balances(amounts)
    node.mine()


def _amount(instrument: str, wallet: str, decimals: int) -> int:
    number = int.from_bytes(hashlib.sha256(f"{instrument} {wallet}".encode()).digest()[:8])
    return (100 + number % 9_900) * int(10**decimals) // 100
