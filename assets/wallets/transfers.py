"""Transfers of tokens to and from wallets, from the logs of a chain.

Belongs here: `Transfer` events of ERC-20 and ERC-721, each with the time of its block; which tokens a wallet received.
Must not be here: servers (chain_questions.py), what a transfer does to the ledger (ledger_rows.py), gas (gas.py).
Sources: EIP-20, EIP-721, the JSON-RPC specification of execution clients (eth_getLogs).

A log is what a contract says, no more: anybody's contract can say that a wallet sent its token. So a transfer counts
only for tokens that are trusted, and a log that has the event's topic and not its form is passed over.
Native coins move without any log, and so do tokens whose balances grow by themselves. Where a contract mirrors the
native coin (ZKsync logs every payment of ether, fees too) its logs are left out, as its balance is.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from assets.network.errors import Failure, Kind
from assets.registry.identifiers import evm_address
from assets.wallets.chain_questions import AskChain, lagging
from assets.wallets.codec import decode_hex
from assets.wallets.model import Asset
from assets.wallets.model import Kind as AssetKind
from assets.wallets.pinning import header_call, header_of, quantity_of
from assets.wallets.reference import native_mirrors
from assets.wallets.rpc import RpcCall
from assets.wallets.splitting import Unread, in_parts

#: keccak256 of `Transfer(address,address,uint256)`, the same for ERC-20 and ERC-721; a test computes it again.
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
#: So many wallets in one filter.
WALLETS_PER_FILTER = 100
_BLOCKS_PER_BATCH = 50
_WORD_ZEROS = "0x" + "0" * 24


@dataclass(frozen=True, slots=True)
class Transfer:
    """One transfer that a token's log tells of.

    Attributes:
        asset: the token; of ERC-721 the collection.
        amount: raw units; 1 of ERC-721.
        token_id: of ERC-721 only.
        sender: EIP-55, as `recipient`; the zero address for what was made.
        log_index: in the block.
        executed_at: the block's time.
    """

    asset: Asset
    amount: int
    token_id: int | None
    sender: str
    recipient: str
    transaction: str
    log_index: int
    block_number: int
    block_hash: str
    executed_at: datetime


@dataclass(frozen=True, slots=True)
class Transfers:
    """Transfers of blocks `first` to `last`, in the order of the chain, without those of blocks that stayed unread."""

    first: int
    last: int
    transfers: tuple[Transfer, ...]
    unread: tuple[Unread, ...]

    @property
    def read_until(self) -> int:
        """The last block before which nothing is missing; `first - 1` when the first block was not read."""
        return min((part.first for part in self.unread), default=self.last + 1) - 1


@dataclass(frozen=True, slots=True)
class _Log:
    """A transfer without its time."""

    asset: Asset
    amount: int
    token_id: int | None
    sender: str
    recipient: str
    transaction: str
    log_index: int
    block_number: int
    block_hash: str


async def read_transfers(
    ask: AskChain, chain: str, wallets: Sequence[str], first: int, last: int, width: int = 2_000
) -> Transfers:
    """Read incoming and outgoing transfers of wallets.

    Args:
        ask: puts questions to the chain's servers.
        chain: slug.
        wallets: EIP-55, each once.
        first: the first block; how far back is the caller's choice.
        last: the last block, known to exist and deep enough not to go away soon.
        width: blocks per question; halved where a server finds it too much. Most public servers take 2,000 or fewer.

    Raises:
        KeyError: there is no such chain.
    """
    found: list[_Log] = []
    unread: list[Unread] = []
    for start in range(0, len(wallets), WALLETS_PER_FILTER):
        part = wallets[start : start + WALLETS_PER_FILTER]
        parts = await in_parts(first, last, width, lambda low, high, part=part: _logs(ask, chain, part, low, high))  # type: ignore[misc]
        found += parts.found
        unread += parts.unread
    mirrors = native_mirrors(chain)
    # a transfer between two wallets is told twice: as the one's and as the other's
    logs = {(log.block_hash, log.log_index): log for log in found if log.asset.address not in mirrors}.values()
    times, gone = await _times(ask, {log.block_number: log.block_hash for log in logs})
    unread += gone
    unread += [
        Unread(log.block_number, log.block_number, lagging("a block was replaced while it was read"))
        for log in logs
        if log.block_number in times and times[log.block_number][0] != log.block_hash
    ]
    transfers = [
        Transfer(
            log.asset, log.amount, log.token_id, log.sender, log.recipient, log.transaction, log.log_index,
            log.block_number, log.block_hash, times[log.block_number][1],
        )
        for log in logs
        if not any(one.first <= log.block_number <= one.last for one in unread)
    ]  # fmt: skip
    transfers.sort(key=lambda transfer: (transfer.block_number, transfer.log_index))
    return Transfers(first, last, tuple(transfers), tuple(dict.fromkeys(unread)))


def received(transfers: Collection[Transfer], wallets: Collection[str]) -> dict[str, frozenset[Asset]]:
    """Tokens that each wallet received at any time: candidates worth asking a balance of, trusted or not."""
    found: dict[str, set[Asset]] = {wallet: set() for wallet in wallets}
    for transfer in transfers:
        if transfer.recipient in found and transfer.amount:
            found[transfer.recipient].add(transfer.asset)
    return {wallet: frozenset(assets) for wallet, assets in found.items()}


async def _logs(ask: AskChain, chain: str, wallets: Sequence[str], first: int, last: int) -> list[_Log] | Failure:
    """Logs of some blocks; where one block alone is too big, of fewer wallets at once."""
    topics = ["0x" + wallet[2:].lower().rjust(64, "0") for wallet in wallets]
    span = {"fromBlock": hex(first), "toBlock": hex(last)}
    filters = ([TRANSFER, topics], [TRANSFER, None, topics])
    calls = [header_call(last), *(RpcCall("eth_getLogs", ({**span, "topics": one},)) for one in filters)]

    def read(results: list[object]) -> list[_Log] | Failure:
        header, *lists = results
        # a server that is behind has no logs of the blocks that it does not know, and does not say so
        if header_of(header) is None:
            return lagging(f"it does not have block {last}")
        items = [item for one in lists for item in _list(one)]
        if any(not first <= quantity_of(item["blockNumber"]) <= last for item in items):
            return Failure.of(Kind.MALFORMED, "a log of another block")
        return [log for log in (_log(item, chain) for item in items) if log is not None]

    told = await ask(calls, read)
    if not isinstance(told, Failure) or told.kind is not Kind.TOO_BIG or first < last or len(wallets) < 2:
        return told
    middle, found = len(wallets) // 2, list[_Log]()
    for half in (wallets[:middle], wallets[middle:]):
        part = await _logs(ask, chain, half, first, last)
        if isinstance(part, Failure):
            return part
        found += part
    return found


def _log(item: Mapping[str, object], chain: str) -> _Log | None:
    """Read a log; None for one whose form is not the event's, which any contract may write.

    Raises:
        TypeError, ValueError, KeyError: the server's own part of it is damaged.
    """
    topics = [_hex(topic, 32) for topic in _plain_list(item["topics"])]
    data = decode_hex(_text(item["data"]))
    token = evm_address(_hex(item["address"], 20))
    if not topics or topics[0] != TRANSFER:
        raise ValueError("a log that was not asked for")
    if len(topics) == 3 and len(data) == 32:
        asset, amount, token_id = Asset(chain, AssetKind.ERC20, token), int.from_bytes(data), None
    elif len(topics) == 4 and not data:
        asset, amount, token_id = Asset(chain, AssetKind.ERC721, token), 1, int(topics[3], 16)
    else:
        return None
    if not topics[1].startswith(_WORD_ZEROS) or not topics[2].startswith(_WORD_ZEROS):
        return None
    sender, recipient = (evm_address("0x" + topic[26:]) for topic in topics[1:3])
    return _Log(
        asset=asset,
        amount=amount,
        token_id=token_id,
        sender=sender,
        recipient=recipient,
        transaction=_hex(item["transactionHash"], 32),
        log_index=quantity_of(item["logIndex"]),
        block_number=quantity_of(item["blockNumber"]),
        block_hash=_hex(item["blockHash"], 32),
    )


async def _times(ask: AskChain, blocks: Mapping[int, str]) -> tuple[dict[int, tuple[str, datetime]], list[Unread]]:
    """Hash and time of blocks by number as they stand now, and those that nobody told."""
    numbers = sorted(blocks)

    async def times(first: int, last: int) -> list[tuple[int, str, datetime]] | Failure:
        asked = numbers[first : last + 1]

        def read(results: list[object]) -> list[tuple[int, str, datetime]] | Failure:
            headers = [header_of(result) for result in results]
            if any(header is None or header.number != number for number, header in zip(asked, headers, strict=True)):
                return lagging("it does not have a block that has logs")
            return [(head.number, head.hash, datetime.fromtimestamp(head.timestamp, UTC)) for head in headers if head]

        return await ask([header_call(number) for number in asked], read)

    parts = await in_parts(0, len(numbers) - 1, _BLOCKS_PER_BATCH, times)
    gone = [
        Unread(numbers[place], numbers[place], part.failure)
        for part in parts.unread
        for place in range(part.first, part.last + 1)
    ]
    return {number: (digest, time) for number, digest, time in parts.found}, gone


def _list(value: object) -> list[Mapping[str, object]]:
    items = _plain_list(value)
    if not all(isinstance(item, Mapping) for item in items):
        raise TypeError("a log is an object")
    return items  # type: ignore[return-value]


def _plain_list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return value


def _hex(value: object, size: int) -> str:
    """Hexadecimal text of so many bytes, in lower case."""
    text = _text(value).lower()
    if len(decode_hex(text)) != size:
        raise ValueError(f"expected {size} bytes")
    return text


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value
