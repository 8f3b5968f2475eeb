"""What wallets paid for their own transactions, from receipts.

Belongs here: the fee that a receipt comes to, and when none can be told. Must not be here: which transactions are known
(transfers.py), rows of the ledger (ledger_rows.py). Sources: the JSON-RPC specification of execution clients; EIP-4844
(blob gas); the OP Stack specification, "L1 fee" and "operator fee".

Known are the transactions that a token's log names: a plain payment of the native coin, an approval and what failed are
in no log.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from assets.network.errors import Failure
from assets.registry.identifiers import evm_address
from assets.wallets.chain_questions import AskChain, lagging
from assets.wallets.pinning import quantity_of
from assets.wallets.rpc import RpcCall
from assets.wallets.splitting import in_parts
from assets.wallets.transfers import Transfer

_RECEIPTS_PER_BATCH = 50
# legacy, EIP-2930, 1559, 4844, 7702: the sender pays, in the native coin. Others let somebody else pay, or in a token
_SENDER_PAYS = {0, 1, 2, 3, 4}
_BLOB, _DEPOSIT = 3, 0x7E  # an OP Stack deposit was paid for on the other chain


@dataclass(frozen=True, slots=True)
class Fee:
    """What a wallet paid for one transaction, in raw units of the native coin."""

    wallet: str
    transaction: str
    amount: int
    block_number: int
    executed_at: datetime


@dataclass(frozen=True, slots=True)
class Fees:
    """Fees of the wallets' own transactions.

    Attributes:
        unknown: transactions without a fee, and why.
        unread: those among them whose receipt no server gave; the others have one that does not tell it.
    """

    fees: tuple[Fee, ...]
    unknown: Mapping[str, str]
    unread: frozenset[str] = frozenset()


async def read_fees(ask: AskChain, transfers: Sequence[Transfer], wallets: Collection[str]) -> Fees:
    """Read the receipts of all transactions that transfers name; those of other senders cost our wallets nothing."""
    named = list({transfer.transaction: transfer for transfer in transfers}.values())
    own = frozenset(wallets)

    async def receipts(first: int, last: int) -> list[tuple[Transfer, object]] | Failure:
        asked = named[first : last + 1]

        def read(results: list[object]) -> list[tuple[Transfer, object]] | Failure:
            if all(result is None for result in results):
                return lagging("it has none of the receipts")
            return list(zip(asked, results, strict=True))

        return await ask([RpcCall("eth_getTransactionReceipt", (one.transaction,)) for one in asked], read)

    parts = await in_parts(0, len(named) - 1, _RECEIPTS_PER_BATCH, receipts)
    unknown = {
        named[place].transaction: part.failure.message
        for part in parts.unread
        for place in range(part.first, part.last + 1)
    }
    fees, untold = [], {}
    for transfer, receipt in parts.found:
        told = _sender_and_fee(transfer, receipt, own)
        if isinstance(told, str):
            unknown[transfer.transaction] = told
        elif told is not None:
            sender, amount = told
            if isinstance(amount, str):
                untold[transfer.transaction] = amount
            elif amount:
                fees.append(Fee(sender, transfer.transaction, amount, transfer.block_number, transfer.executed_at))
    return Fees(tuple(fees), unknown | untold, frozenset(unknown))


def _sender_and_fee(
    transfer: Transfer, receipt: object, wallets: Collection[str]
) -> tuple[str, int | str] | str | None:
    """Who paid, and how much or why it is not told; None: somebody else did; in words why it is not the receipt."""
    if not isinstance(receipt, Mapping):
        return "no receipt"
    try:
        if receipt["transactionHash"].lower() != transfer.transaction:
            return "the receipt of another transaction"
        if receipt["blockHash"].lower() != transfer.block_hash:
            return "its block was replaced"
        sender = evm_address(receipt["from"])
        return (sender, fee_of(receipt)) if sender in wallets else None
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        return "", f"a receipt that cannot be read ({type(error).__name__})"


def fee_of(receipt: Mapping[str, object]) -> int | str:
    """What the sender of a transaction paid: gas, blobs, and on the OP Stack the share of the chain below.

    Returns:
        Raw units of the native coin; in words why they cannot be told: the sender did not pay, or not in that coin, or
        a part is in the receipt only by a factor whose meaning changed between forks.

    Raises:
        KeyError, TypeError, ValueError: the receipt is damaged.
    """
    kind = quantity_of(receipt.get("type", "0x0"))
    if kind == _DEPOSIT:
        return 0
    if kind not in _SENDER_PAYS:
        return f"transactions of type {kind:#x} may be paid by others, or in a token"
    if any(quantity_of(receipt[name]) for name in ("operatorFeeScalar", "operatorFeeConstant") if receipt.get(name)):
        return "its operator fee is not computed"
    fee = quantity_of(receipt["gasUsed"]) * quantity_of(receipt["effectiveGasPrice"])
    if kind == _BLOB:
        fee += quantity_of(receipt["blobGasUsed"]) * quantity_of(receipt["blobGasPrice"])
    if receipt.get("l1Fee"):
        fee += quantity_of(receipt["l1Fee"])
    return fee
