"""Transactions of chains in the database: a batch for each range of blocks, made anew from all that is known.

Belongs here: reading stored transfers and fees, landing their rows. Must not be here: which rows (ledger_rows), where
they count (wallet_places), asking chains.

What counts follows from the stored logs and the owner's transactions alone, so each run makes all batches again: equal
ones are known and add nothing, one of other content takes its place, and what a reorganisation or a file of the owner's
has made void is retracted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from assets.registry.landing import KindCounts, land_batches
from assets.registry.sources import Batch, Kind, Window
from assets.wallets.gas import Fee
from assets.wallets.identity import asset_of, instrument_id
from assets.wallets.ledger_rows import Place, WalletAccount, as_batch, fee_rows, transfer_rows
from assets.wallets.model import Asset
from assets.wallets.model import Kind as AssetKind
from assets.wallets.transfers import Transfer
from assets.wallets.wallet_places import Places, read_places
from assets.warehouse.database import Connection

_SOURCE = "chains"

_IS_ANYTHING = """
select exists (select from raw.wallet_transfers)
    or exists (select from raw.batches where source = 'chains')
"""
_TRANSFERS = """
select range_first, range_last, instrument_id, raw_amount, token_id, sender, recipient, transaction_hash, log_index,
    block_number, block_hash, executed_at
from raw.wallet_transfers
where chain = %(chain)s and not is_gone and (sender = any(%(wallets)s) or recipient = any(%(wallets)s))
order by block_number, log_index
"""
_FEES = """
select range_first, range_last, wallet, transaction_hash, raw_amount, block_number, executed_at
from raw.wallet_fees
where chain = %(chain)s and not is_gone and wallet = any(%(wallets)s)
order by block_number, transaction_hash
"""
_RETRACT = """
delete from ops.input_files as files using raw.batches
where files.batch_id = batches.batch_id and batches.source = 'chains' and not files.batch_id = any(%s)
"""
_ADMIT = """
insert into ops.input_files (path, kind, batch_id)
select path, kind, batch_id from raw.batches where batch_id = any(%s)
on conflict do nothing
"""


@dataclass(frozen=True, slots=True)
class ChainSource:
    """The batches of all chains, for landing."""

    batches: tuple[Batch, ...]
    name: str = _SOURCE
    kinds: tuple[Kind, ...] = ("transactions",)

    def fetch(self, window: Window) -> Iterable[Batch]:
        """All of them; they were read before."""
        return self.batches


@dataclass(slots=True)
class _Part:
    """What was read together of one chain."""

    chain: str
    first: int
    last: int
    transfers: list[Transfer] = field(default_factory=list)
    fees: list[Fee] = field(default_factory=list)


def write_ledger(conn: Connection, run_id: str) -> int:
    """Make the transactions of chains those that the stored logs and the owner's transactions give.

    Args:
        conn: in a transaction of the caller's.
        run_id: written beside new batches.

    Returns:
        how many rows count.
    """
    row = conn.execute(_IS_ANYTHING).fetchone()
    if row is None or not row[0]:
        return 0
    names = [name for (name,) in conn.execute("select distinct instrument_id from raw.wallet_transfers")]
    chains = sorted({asset.chain for name in names if (asset := asset_of(name))})
    places = read_places(conn, [*names, *(instrument_id(Asset(chain, AssetKind.NATIVE)) for chain in chains)])
    parts = [part for chain in chains for part in _parts(conn, chain, places.accounts.get(chain, ()))]
    place = places.rule(transfer for part in parts for transfer in part.transfers)
    batches = tuple(batch for part in parts if (batch := _batch(part, places, place)) is not None)
    landed = land_batches(conn, ChainSource(batches), Window(), run_id, {"transactions": KindCounts()})
    current = list(landed.current.values())
    conn.execute(_RETRACT, [current])
    conn.execute(_ADMIT, [current])
    return sum(batch.rows.height for batch in batches)


def _parts(conn: Connection, chain: str, accounts: Sequence[WalletAccount]) -> list[_Part]:
    """The stored logs of the accounts' wallets, by the range of blocks in which they were read."""
    asked = {"chain": chain, "wallets": [account.address for account in accounts]}
    parts: dict[tuple[int, int], _Part] = {}
    for first, last, name, amount, token_id, *rest in conn.execute(_TRANSFERS, asked):
        asset = asset_of(name)
        if asset is not None:
            number = None if token_id is None else int(token_id)
            part = parts.setdefault((first, last), _Part(chain, first, last))
            part.transfers.append(Transfer(asset, int(amount), number, *rest))
    for first, last, wallet, transaction, amount, block, at in conn.execute(_FEES, asked):
        part = parts.setdefault((first, last), _Part(chain, first, last))
        part.fees.append(Fee(wallet, transaction, int(amount), block, at))
    return [parts[key] for key in sorted(parts)]


def _batch(part: _Part, places: Places, place: Place) -> Batch | None:
    accounts, native = places.accounts[part.chain], places.units[Asset(part.chain, AssetKind.NATIVE)]
    rows = transfer_rows(part.transfers, accounts, places.units, place)
    rows += fee_rows(part.fees, part.chain, accounts, native, place)
    return as_batch(f"{_SOURCE}/{part.chain}/{part.first}-{part.last}", rows) if rows else None
