"""Where the transactions of chains count: the places of a ledger that they continue.

Belongs here: the rule, and the SQL of what it is judged by. Must not be here: rows (ledger_rows), writing them
(wallet_ledger).

A place is an account and an economic asset. Where balances alone say what is held, a change of a balance is a flow
already, and a row of the same transfer would count it twice. So rows are for places that have a ledger:
1. those that the owner's own transactions move. The owner's word counts up to the last of them; from there on the chain
   tells how it goes on. Nothing is told by both, in whatever order files and reads come: what an exchange dates by its
   own clock may stand in a later block, so the same quantity within a day of the owner's row is that row;
2. in an account with transactions also tokens that came later: logs have told of each form of the asset from its first
   unit on, since their sum is the first balance that was read. Logs do not tell of the native coin, so it is none.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from assets.wallets.identity import asset_of, chain_of, instrument_id
from assets.wallets.ledger_rows import Place, Unit, WalletAccount
from assets.wallets.model import Asset
from assets.wallets.transfers import Transfer
from assets.warehouse.database import Connection

#: Portfolio, account, economic asset.
Key = tuple[str, str, str]
_Cell = tuple[str, str]

# As in dbt's stg_wallets; without transactions of its owner an account has no ledger.
_ACCOUNTS = """
with
wallets as (
    select
        wallets.portfolio_id, wallets.user_id, wallets.chain_id as chain, wallets.wallet_address as wallet,
        case
            when min(wallets.wallet_address) over same_account = max(wallets.wallet_address) over same_account
            then coalesce(wallets.account_id, wallets.wallet_address)
            else wallets.wallet_address
        end as account_id
    from registry.portfolio_wallets as wallets
    inner join registry.portfolios on wallets.portfolio_id = portfolios.id
    where wallets.is_active and portfolios.is_active
    window same_account as (partition by wallets.portfolio_id, wallets.account_id)
)
select wallets.chain, wallets.user_id, wallets.portfolio_id, wallets.account_id, wallets.wallet
from wallets
where exists (
    select from raw.transactions as rows
    inner join ops.input_files as files on rows.batch_id = files.batch_id
    inner join raw.batches on rows.batch_id = batches.batch_id and batches.source <> 'chains'
    where rows.portfolio_id = wallets.portfolio_id
        and wallets.account_id in (rows.account_id, coalesce(rows.cash_account, rows.account_id))
)
order by 1, 2, 3, 4, 5
"""
# What moves units: assets/ledger/observed.py, `with_ledger`.
_MOVED = """
with
asked as (select * from unnest(%s::text[], %s::text[]) as asked (portfolio_id, account_id)),
own as (
    select rows.*,
        case when is_date_only then executed_at + interval '1 day' - interval '1 microsecond' else executed_at end as at
    from raw.transactions as rows
    inner join ops.input_files as files on rows.batch_id = files.batch_id
    inner join raw.batches on rows.batch_id = batches.batch_id and batches.source <> 'chains'
    where rows.portfolio_id in (select asked.portfolio_id from asked)
),
moved as (
    select portfolio_id, account_id, instrument_id, quantity, at from own
    where type not in ('DIVIDEND', 'DIVIDEND_PER_UNIT', 'SPLIT')
    union all
    select portfolio_id, coalesce(cash_account, account_id), currency, amount, at from own
    where type in ('BUY', 'SELL', 'DIVIDEND', 'INTEREST') or tax > 0
    union all
    select portfolio_id, account_id, coalesce(fee_currency, currency, instrument_id), fee, at from own where fee > 0
),
placed as (
    select moved.*, max(at) over (partition by portfolio_id, account_id, instrument_id) as last_at
    from moved inner join asked using (portfolio_id, account_id)
    where instrument_id not like 'fiat:%%'
)
select portfolio_id, account_id, instrument_id, last_at,
    array_agg(quantity) filter (where quantity is not null and at > last_at - interval '1 day')
from placed
group by portfolio_id, account_id, instrument_id, last_at
order by last_at, instrument_id
"""
_COUNTED = """
select distinct rows.portfolio_id, rows.account_id, rows.instrument_id
from raw.balances as rows inner join ops.input_files as files on rows.batch_id = files.batch_id
"""
# A token is trusted that the owner names or whose identity was reviewed. What the chain says of decimals counts.
_INSTRUMENTS = """
with
asked as (select unnest(%s::text[]) as instrument_id),
natives as (
    select chain, split_part(instrument_id, '/', 1) as caip2
    from ops.known_instruments where instrument_id like 'eip155:%%/slip44:%%'
),
instances as (
    select natives.caip2 || '/erc20:' || declared.address as instrument_id, min(declared.instrument) as declared_as,
        min(declared.decimals) as decimals
    from registry.instruments as declared inner join natives on declared.chain = natives.chain
    where declared.address is not null and declared.instrument not like 'eip155:%%'
    group by 1
)
select
    asked.instrument_id,
    coalesce(
        custom.canonical_instrument, known.canonical_instrument, instances.declared_as, asked.instrument_id
    ) as canonical_instrument,
    coalesce(facts.decimals, known.decimals, custom.decimals, instances.decimals) as decimals,
    coalesce(custom.instrument, known.instrument_id, instances.declared_as) is not null as is_trusted,
    coalesce(facts.is_position, false) or custom.asset_type in ('nft', 'lp_token', 'staked', 'vested') as is_position
from asked
left join registry.instruments as custom on asked.instrument_id = custom.instrument
left join ops.known_instruments as known on asked.instrument_id = known.instrument_id
left join instances on asked.instrument_id = instances.instrument_id
left join raw.token_facts as facts on asked.instrument_id = facts.instrument_id
"""
_FIRST_BALANCES = """
select distinct on (rows.wallet, rows.instrument_id) rows.wallet, rows.instrument_id, rows.raw_amount, rows.block_number
from raw.wallet_balances as rows
inner join raw.chain_reads as reads on rows.read_id = reads.read_id and reads.superseded_by is null
where rows.wallet = any(%s) and rows.raw_amount <> 0
order by rows.wallet, rows.instrument_id, rows.balance_id
"""


_SAME_EVENT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class OwnWord:
    """What the owner's transactions say of one place.

    Attributes:
        names: ids of the asset in them, that of the last row last.
        until: the moment of the last row; of a bare date the end of it.
        quantities: of the rows of the day before the last one of each id.
    """

    names: tuple[str, ...]
    until: datetime
    quantities: frozenset[Decimal]

    def has_told(self, at: datetime, quantity: Decimal) -> bool:
        """Whether something that the chain tells is the owner's already."""
        return at <= self.until or (at - self.until < _SAME_EVENT and quantity in self.quantities)


@dataclass(frozen=True, slots=True)
class Places:
    """What the database says of accounts with wallets and of the instruments in them.

    Attributes:
        accounts: with transactions of their owner, by chain.
        moved: by place, what the owner's transactions say of it.
        counted: places of dated balances in files.
        canonical: the economic asset of each instrument.
        units: what may enter a ledger.
        first_balances: by wallet and instrument, the first amount above zero and its block.
    """

    accounts: Mapping[str, Sequence[WalletAccount]]
    moved: Mapping[Key, OwnWord]
    counted: frozenset[Key]
    canonical: Mapping[str, str]
    units: Mapping[Asset, Unit]
    first_balances: Mapping[_Cell, tuple[int, int]]

    def rule(self, transfers: Iterable[Transfer]) -> Place:
        """Where rows count, given all transfers of the accounts' wallets."""
        told = _sums(transfers, self.first_balances)
        incomplete = set(self.counted)
        owners: dict[_Cell, list[WalletAccount]] = defaultdict(list)
        for chain, accounts in self.accounts.items():
            for account in accounts:
                owners[account.address, chain].append(account)
        for (wallet, name), (amount, _) in self.first_balances.items():
            if told.get((wallet, name)) != amount:
                for account in owners[wallet, chain_of(name) or ""]:
                    incomplete.add((account.portfolio_id, account.account_id, self.canonical[name]))

        def place(account: WalletAccount, instrument: str, at: datetime, quantity: Decimal) -> str | None:
            key = (account.portfolio_id, account.account_id, self.canonical[instrument])
            own = self.moved.get(key)
            if own is not None:
                name = instrument if instrument in own.names else own.names[-1]
                return None if own.has_told(at, quantity) else name
            is_whole = key not in incomplete and (account.address, instrument) in self.first_balances
            return instrument if is_whole else None

        return place


def read_places(conn: Connection, instruments: Iterable[str]) -> Places:
    """Read what the rule is judged by.

    Args:
        conn: any.
        instruments: that logs name, native coins included.
    """
    accounts: dict[str, list[WalletAccount]] = defaultdict(list)
    for chain, *one in conn.execute(_ACCOUNTS):
        accounts[chain].append(WalletAccount(*one))
    listed = [one for of_chain in accounts.values() for one in of_chain]
    own = sorted({(one.portfolio_id, one.account_id) for one in listed})
    moved = conn.execute(_MOVED, [[one for one, _ in own], [one for _, one in own]]).fetchall()
    counted = conn.execute(_COUNTED).fetchall() if own else []
    first = conn.execute(_FIRST_BALANCES, [sorted({one.address for one in listed})]).fetchall()
    named = {*instruments, *(row[2] for row in moved), *(row[2] for row in counted), *(row[1] for row in first)}
    facts = conn.execute(_INSTRUMENTS, [sorted(named)]).fetchall()
    canonical = {name: economic for name, economic, *_ in facts}
    own_names = {row[2] for row in moved}
    units = {
        asset: Unit(name, decimals)
        for name, _, decimals, is_trusted, is_position in facts
        if (asset := asset_of(name)) and decimals is not None and not is_position and (is_trusted or name in own_names)
    }
    return Places(
        accounts,
        _words(moved, canonical),
        frozenset((portfolio, account, canonical[name]) for portfolio, account, name in counted),
        canonical,
        units,
        {(wallet, name): (int(amount), block) for wallet, name, amount, block in first},
    )


def _words(
    rows: Iterable[tuple[str, str, str, datetime, Sequence[Decimal] | None]], canonical: Mapping[str, str]
) -> dict[Key, OwnWord]:
    """By place, of rows in the order of their last moment."""
    words: dict[Key, OwnWord] = {}
    for portfolio, account, name, until, quantities in rows:
        key = portfolio, account, canonical[name]
        before = words.get(key, OwnWord((), until, frozenset()))
        words[key] = OwnWord((*before.names, name), until, before.quantities.union(quantities or ()))
    return words


def _sums(transfers: Iterable[Transfer], until: Mapping[_Cell, tuple[int, int]]) -> dict[_Cell, int]:
    """What came minus what went, by wallet and instrument, up to the block of each one's first balance."""
    sums: dict[_Cell, int] = {}
    for transfer in transfers:
        name = instrument_id(transfer.asset)
        for wallet, amount in ((transfer.recipient, transfer.amount), (transfer.sender, -transfer.amount)):
            cell = (wallet, name)
            if cell in until and transfer.block_number <= until[cell][1]:
                sums[cell] = sums.get(cell, 0) + amount
    return sums
