"""What the database knows of all wallets before a read: addresses, declared and held assets, last blocks, known facts.

Belongs here: the SQL of that. Must not be here: what to ask of it (planning), what a read leaves (store).
"""

from collections.abc import Collection, Iterable

from assets.registry.other_chains import known_slugs
from assets.wallets.identity import asset_of, chain_of, instrument_id
from assets.wallets.model import Asset, Block, Kind
from assets.wallets.planning import Known
from assets.wallets.positions.declared import Declared
from assets.warehouse.database import Connection

_WALLETS = """
select distinct wallets.chain_id, wallets.wallet_address
from registry.portfolio_wallets as wallets
inner join registry.portfolios on wallets.portfolio_id = portfolios.id
where wallets.is_active and portfolios.is_active
order by 1, 2
"""
_DECLARED = """
select instrument, chain, address, asset_type, protocol, category, canonical_instrument
from registry.instruments
where instrument ~ '^(eip155|solana):.*/(erc|token:)' or (chain is not null and address is not null)
order by instrument
"""
_HELD = """
select cells.chain, cells.wallet, cells.instrument_id
from ops.wallet_cells as cells
left join raw.token_facts as facts on cells.instrument_id = facts.instrument_id
where cells.raw_amount <> 0 and facts.is_position is not true
order by 1, 2, 3
"""
_UNREAD = """
select unread.chain, unread.wallet, unread.instrument_id
from ops.wallet_unread as unread
left join raw.token_facts as facts on unread.instrument_id = facts.instrument_id
where facts.is_position is not true
order by unread.since, unread.instrument_id, unread.wallet
"""
LAST_READS = """
select asked.chain, last.turn, good.block_number, good.block_hash, good.block_at
from unnest(%s::text[]) as asked (chain)
left join lateral (
    select reads.turn from raw.chain_reads as reads where reads.chain = asked.chain order by reads.read_id desc limit 1
) as last on true
left join lateral (
    select reads.block_number, reads.block_hash, reads.block_at from raw.chain_reads as reads
    where reads.chain = asked.chain and reads.failure is null and reads.superseded_by is null
    order by reads.read_id desc limit 1
) as good on true
where last.turn is not null
"""
_WANTED_FACTS = """
select distinct positions.component_id from raw.wallet_positions as positions
where not exists (select from raw.token_facts as facts where facts.instrument_id = positions.component_id)
"""


def read_known(conn: Connection) -> Known:
    """What the database knows of all wallets of active portfolios."""
    wallets: dict[str, list[str]] = {}
    for chain, address in conn.execute(_WALLETS):
        wallets.setdefault(chain, []).append(address)
    if not wallets:
        return Known({})
    held, unread = _cells(conn, _HELD, wallets), _cells(conn, _UNREAD, wallets)
    blocks, turns = {}, {}
    for chain, turn, number, block_hash, at in conn.execute(LAST_READS, [list(wallets)]):
        turns[chain] = turn
        if number is not None:
            blocks[chain] = Block(number, block_hash, at)
    facts = conn.execute("select instrument_id from raw.token_facts where decimals is not null")
    return Known(
        wallets,
        [one for one in (_declared(*row) for row in conn.execute(_DECLARED)) if one],
        held,
        frozenset(row[0] for row in facts),
        _by_chain(row[0] for row in conn.execute(_WANTED_FACTS)),
        blocks,
        turns,
        unread,
    )


def _cells(conn: Connection, query: str, chains: Collection[str]) -> dict[str, list[tuple[str, str]]]:
    """Wallet and instrument by chain, in the order of the query."""
    found: dict[str, list[tuple[str, str]]] = {}
    with conn.cursor(name="cells") as cursor:
        cursor.itersize = 50_000
        cursor.execute(query)
        for chain, wallet, instrument in cursor:
            if chain in chains:
                found.setdefault(chain, []).append((wallet, instrument))
    return found


def _declared(
    instrument: str,
    chain: str | None,
    address: str | None,
    asset_type: str | None,
    protocol: str | None,
    category: str | None,
    canonical: str | None,
) -> Declared | None:
    """A declared token under its own id, or that of the chain and address it was given."""
    name = instrument
    if chain_of(name) is None:
        if address is None or chain not in known_slugs():
            return None
        name = instrument_id(Asset(str(chain), Kind.ERC20, address))
    behind = asset_of(canonical) if canonical else None
    return Declared(name, asset_type or "token", protocol, category, behind.address if behind else None)


def _by_chain(instruments: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in instruments:
        chain = chain_of(name)
        if chain is not None:
            found.setdefault(chain, []).append(name)
    return found


def has_wallets(conn: Connection) -> bool:
    """Whether an active portfolio has an active wallet."""
    return conn.execute(_WALLETS + " limit 1").fetchone() is not None
