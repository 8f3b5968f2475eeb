"""Transfers and fees of a chain as transactions of the canonical ledger.

Belongs here: which type a transfer is for whom, and its identity. Must not be here: reading chains (transfers.py,
gas.py), writing to the database, what a transaction does (the ledger's work).

A row's `external_id` is `chain:transaction:log index`, a fee's ends in `gas`: read twice, it is one transaction. After
a reorganisation the same transaction may have another index: rows of blocks that are gone must be given up, not added
to.

Where transactions move an instrument in an account, its balances are compared with them and change nothing any more
(docs/contracts.md, balances CSV). So a row is made only in a place that has a ledger (wallet_places.py): fees alone,
beside a native coin that only its balance explains, would make that holding negative.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal

from assets.registry.sources import Batch, no_quarantine
from assets.wallets.gas import Fee
from assets.wallets.model import Asset
from assets.wallets.model import Kind as AssetKind
from assets.wallets.transfers import Transfer

# 2**256 has 78 digits
_EXACT = Context(prec=100)


@dataclass(frozen=True, slots=True)
class WalletAccount:
    """Whose account a wallet's address is on the chain; an address may be in several portfolios, of several users."""

    user_id: str
    portfolio_id: str
    account_id: str
    address: str


@dataclass(frozen=True, slots=True)
class Unit:
    """The instrument that an asset is, and its decimals."""

    instrument_id: str
    decimals: int


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One transaction; column names are those of the canonical CSV."""

    portfolio: str
    account: str
    executed_at: datetime
    type: str
    instrument: str
    quantity: Decimal
    external_id: str
    group_id: str | None = None


#: The id under which an account's ledger takes a quantity of an instrument at a moment; None: there is no row.
Place = Callable[[WalletAccount, str, datetime, Decimal], str | None]


def everywhere(account: WalletAccount, instrument: str, at: datetime, quantity: Decimal) -> str:
    """Each account has a ledger of everything, under the instrument's own id."""
    return instrument


def transfer_rows(
    transfers: Iterable[Transfer],
    accounts: Sequence[WalletAccount],
    units: Mapping[Asset, Unit],
    place: Place = everywhere,
) -> list[LedgerRow]:
    """Rows of the accounts whose wallets sent or received.

    Args:
        transfers: of one chain, in any order.
        accounts: all accounts with wallets on that chain.
        units: the tokens that may enter a ledger: trusted, and their decimals known. A transfer of any other makes no
            row, since anybody can make a token that claims one.
        place: where each account has a ledger.
    """
    of_address: dict[str, list[WalletAccount]] = defaultdict(list)
    for account in accounts:
        of_address[account.address].append(account)
    rows: list[LedgerRow] = []
    for transfer in sorted(transfers, key=lambda one: (one.block_number, one.log_index)):
        unit = units.get(transfer.asset)
        is_moving = transfer.amount > 0 and transfer.sender != transfer.recipient
        if unit is None or transfer.asset.kind is not AssetKind.ERC20 or not is_moving:
            continue
        quantity = _quantity(transfer.amount, unit)
        senders, recipients = (
            [
                (one, name)
                for one in of_address.get(address, [])
                if (name := place(one, unit.instrument_id, transfer.executed_at, quantity)) is not None
            ]
            for address in (transfer.sender, transfer.recipient)
        )
        for user in dict.fromkeys(account.user_id for account, _ in (*senders, *recipients)):
            outs = {one.portfolio_id: (one, name) for one, name in senders if one.user_id == user}
            ins = {one.portfolio_id: (one, name) for one, name in recipients if one.user_id == user}
            rows += _rows_of_user(transfer, quantity, outs, ins)
    return rows


def fee_rows(
    fees: Iterable[Fee], chain: str, accounts: Sequence[WalletAccount], native: Unit, place: Place = everywhere
) -> list[LedgerRow]:
    """A FEE in the native coin for each account whose wallet sent the transaction, where it has a ledger."""
    rows = []
    for fee in sorted(fees, key=lambda one: (one.block_number, one.transaction)):
        quantity = _quantity(fee.amount, native)
        external_id = f"{chain}:{fee.transaction}:gas"
        rows += [
            LedgerRow(one.portfolio_id, one.account_id, fee.executed_at, "FEE", name, quantity, external_id)
            for one in accounts
            if one.address == fee.wallet
            and (name := place(one, native.instrument_id, fee.executed_at, quantity)) is not None
        ]
    return rows


def as_batch(path: str, rows: Sequence[LedgerRow]) -> Batch:
    """Rows as a batch of the landing, through the reader of transactions, so that ids and rules are those of files.

    Args:
        path: stable from read to read, e.g. the chain and a range of blocks; a new batch there takes the old one's
            place.
        rows: in the order in which bare equal times count.
    """
    from hashlib import sha256

    from assets.importers.plans import canonical_csv
    from assets.registry.problems import InputProblems
    from assets.registry.transactions_csv import read_transactions

    data = canonical_csv(map(_csv_values, rows)).encode()
    frame, problems = read_transactions(path, data, None)
    if frame is None:
        raise InputProblems(problems)
    return Batch("transactions", path, sha256(data).hexdigest(), frame, no_quarantine())


def _rows_of_user(
    transfer: Transfer,
    quantity: Decimal,
    outs: Mapping[str, tuple[WalletAccount, str]],
    ins: Mapping[str, tuple[WalletAccount, str]],
) -> list[LedgerRow]:
    """Rows of one user, whose portfolios hold one account of an address at most.

    Both ends in one portfolio are a transfer within it. What is left crosses its portfolio's border: it is a transfer
    too where one portfolio gave and one received, and where more did nobody could say which gave to which.
    """
    external_id = f"{transfer.asset.chain}:{transfer.transaction}:{transfer.log_index}"
    both = outs.keys() & ins.keys()
    left_outs, left_ins = outs.keys() - both, ins.keys() - both
    is_pair = len(left_outs) == len(left_ins) == 1
    rows = []
    for accounts, paired, alone in ((outs, "TRANSFER_OUT", "WITHDRAWAL"), (ins, "TRANSFER_IN", "DEPOSIT")):
        for portfolio in sorted(accounts):
            group_id = f"{external_id}:{portfolio}" if portfolio in both else external_id if is_pair else None
            account, instrument = accounts[portfolio]
            rows.append(
                LedgerRow(
                    portfolio,
                    account.account_id,
                    transfer.executed_at,
                    paired if group_id else alone,
                    instrument,
                    quantity,
                    external_id,
                    group_id,
                )
            )
    return rows


def _quantity(amount: int, unit: Unit) -> Decimal:
    return Decimal(amount).scaleb(-unit.decimals, _EXACT)


def _csv_values(row: LedgerRow) -> dict[str, str]:
    return {
        "portfolio": row.portfolio,
        "account": row.account,
        "executed_at": row.executed_at.isoformat(),
        "type": row.type,
        "instrument": row.instrument,
        "quantity": f"{row.quantity:f}",
        "group_id": row.group_id or "",
        "external_id": row.external_id,
    }
