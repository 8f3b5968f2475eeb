"""One EVM chain: from what is asked of it to its report.

Belongs here: the order of a read (pin, cells and facts, positions, last look at the block), what an answer means for a
cell. Must not be here: how calls are put (block_reader.py, rpc.py), many chains (engine.py), SQL.

Everything of a report was read at one block. When that block is replaced meanwhile, all is read again while there is
time; when there is none the chain failed.
"""

import asyncio
from collections.abc import Callable, MutableMapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from assets.network.budget import Deadline
from assets.network.endpoints import Endpoint
from assets.network.errors import Failure, Kind
from assets.network.hedging import Network
from assets.registry.chains import Chain
from assets.wallets import codec
from assets.wallets.block_reader import BlockReader, Found, NativeBalance, Question
from assets.wallets.codec import AnswerError, Call
from assets.wallets.model import Asset, Cell, ChainReport, ChainRequest, Position, Status, TokenFacts
from assets.wallets.model import Kind as AssetKind
from assets.wallets.pinning import Multicall, head_age_limit, pin_block
from assets.wallets.positions.reading import PositionReader
from assets.wallets.positions.together import read_together
from assets.wallets.rpc import Rpc

T = TypeVar("T")

QUESTION_SECONDS = 5.0
_ATTEMPTS = 3
# what positions leave of the time for a last look at the block
_LAST_LOOK_SECONDS = 0.5
_ERC1155_BALANCE_OF = bytes.fromhex("00fdd58e")  # balanceOf(address,uint256)
_FACTS = (codec.DECIMALS, codec.SYMBOL, codec.NAME)


async def read_chain(
    request: ChainRequest,
    chain: Chain,
    endpoints: Sequence[Endpoint],
    network: Network,
    deadline: Deadline,
    now: Callable[[], datetime],
    position_readers: Sequence[PositionReader] = (),
    *,
    max_head_age_seconds: float | None = None,
    question_seconds: float = QUESTION_SECONDS,
    multicalls: MutableMapping[str, Multicall] | None = None,
    refusers: set[str] | None = None,
) -> ChainReport:
    """Read what is asked of one chain, at one block; never raises for a server's fault.

    Two requests where nothing fails: the head, then all calls with the block's header; a third asks for the header
    again when there was more than one question.

    Args:
        request: what to read.
        chain: its registry entry.
        endpoints: in order of preference.
        network: asks; shared by all chains.
        deadline: of the chain as a whole.
        now: UTC, for the head's age.
        position_readers: asked after the cells, in what is left of the time.
        max_head_age_seconds: None = 20 block times, at least 60 s.
        question_seconds: how long one question waits at most. Nothing is asked after one that nobody answered, so a
            dead chain ends by then however far the deadline is.
        multicalls: what is known of Multicall3 by slug; added to, so keep it for the next read.
        refusers: hosts known to take no batches; added to.
    """
    loop = asyncio.get_running_loop()
    rpc = Rpc(network, refusers)
    asked_at, started = now(), loop.time()
    multicalls = {} if multicalls is None else multicalls
    report = partial(ChainReport, chain=request.chain, asked_at=asked_at)
    failure, is_reorganised = Failure.of(Kind.TIMEOUT), False
    for _ in range(_ATTEMPTS):
        was_known = chain.slug in multicalls
        seconds = min(question_seconds, deadline.remaining())
        pin = await pin_block(
            rpc, chain, endpoints, Deadline(loop.time, seconds), now, head_age_limit(chain, max_head_age_seconds),
            request.expected, multicalls,
        )  # fmt: skip
        if isinstance(pin, Failure):
            failure = pin
            break
        is_reorganised = is_reorganised or pin.is_reorganised
        reader = BlockReader(rpc, chain, pin, deadline, question_seconds)
        cells, facts = await _cells_and_facts(reader, request, chain)
        failure = reader.ended_by or failure
        if _is_worth_another(reader, was_known=was_known):
            _remember(multicalls, chain.slug, None)
            continue
        positions, problems = await _positions(reader, request.positions_of, position_readers, deadline)
        # one question held the header beside the answers; after several it is looked at once more
        is_settled = reader.questions < 2 or reader.is_gone or reader.ended_by is not None
        is_there = is_settled or await reader.is_still_there()
        _remember(multicalls, chain.slug, None if reader.ended_by else reader.multicall)
        if reader.is_gone:
            failure = Failure.of(Kind.NODE_LAG, f"block {pin.block.number} was replaced while it was read")
            continue
        if isinstance(is_there, Failure):
            problems = (*problems, f"whether the block still stands could not be asked: {is_there.message}")
        is_lost = bool(cells) and reader.ended_by is not None and all(c.status is Status.FAILED for c in cells)
        return report(
            block=pin.block, endpoint=pin.endpoints[0].label, tries=tuple(rpc.tries), seconds=loop.time() - started,
            cells=cells, facts=facts, positions=positions, is_reorganised=is_reorganised, problems=problems,
            failure=_named(reader.ended_by) if is_lost and reader.ended_by else None,
        )  # fmt: skip
    lost = [Cell(wallet, asset, Status.FAILED, None, failure.message) for wallet, asset in request.cells]
    return report(
        block=None, endpoint=None, tries=tuple(rpc.tries), seconds=loop.time() - started, cells=tuple(lost),
        is_reorganised=is_reorganised, failure=_named(failure),
    )  # fmt: skip


def _is_worth_another(reader: BlockReader, *, was_known: bool) -> bool:
    """Whether cells that nobody answered may be answered at a newer block, or without what was known of Multicall3."""
    if reader.ended_by is None:
        return reader.is_gone
    # damaged answers of a contract known from before: another node may stand there now
    return reader.ended_by.kind is Kind.NODE_LAG or (was_known and reader.ended_by.kind is Kind.MALFORMED)


async def _positions(
    reader: BlockReader, wallets: Sequence[str], position_readers: Sequence[PositionReader], deadline: Deadline
) -> tuple[tuple[Position, ...], tuple[str, ...]]:
    """Positions of all readers, and which readers failed of what; a question in time's last half second is not put."""
    if not wallets or not position_readers:
        return (), ()
    reader.held_back_seconds = _LAST_LOOK_SECONDS
    try:
        async with asyncio.timeout(deadline.remaining()):
            positions, problems = await read_together(position_readers, reader, wallets)
    except TimeoutError:  # questions end before, so a reader waits for something else
        return (), ("positions: TimeoutError",)
    finally:
        reader.held_back_seconds = 0.0
    return tuple(positions), tuple(problems)


def _remember(multicalls: MutableMapping[str, Multicall], slug: str, multicall: Multicall | None) -> None:
    if multicall is not None and multicall.is_proven:
        multicalls[slug] = multicall
    else:
        multicalls.pop(slug, None)


def _named(failure: Failure) -> str:
    return f"{failure.kind.value}: {failure.message}"


async def _cells_and_facts(
    reader: BlockReader, request: ChainRequest, chain: Chain
) -> tuple[tuple[Cell, ...], tuple[TokenFacts, ...]]:
    order = _order(request)
    wallets: dict[str, bytes] = {}
    cells_asked = [_question(*request.cells[place], wallets) for place in order]
    tokens = [asset for asset in request.facts_of if asset.address is not None]
    facts_asked = [Call(asset.address or "", data) for asset in tokens for data in _FACTS]
    # without decimals an amount says nothing: they are asked, once for all, before most of the amounts
    start = sum(place < request.first or request.cells[place][1].address is None for place in order)
    end = start + len(facts_asked)
    found = await reader.read([*cells_asked[:start], *facts_asked, *cells_asked[start:]])
    cells: list[Cell | None] = [None] * len(order)
    for place, one in zip(order, [*found[:start], *found[end:]], strict=True):
        cells[place] = _cell(*request.cells[place], one)
    told = iter(found[start:end])
    asked = [(asset, (next(told), next(told), next(told))) for asset in tokens]
    # what was not answered is not a token without decimals: it is asked again another time
    facts = [
        _facts(asset, *answers) for asset, answers in asked if not any(isinstance(one, Failure) for one in answers)
    ]
    facts += [
        TokenFacts(asset, chain.native_decimals, chain.native_symbol, None)
        for asset in request.facts_of
        if asset.address is None
    ]
    return tuple(cell for cell in cells if cell is not None), tuple(facts)


def _order(request: ChainRequest) -> list[int]:
    """Places of the cells in the order in which they are asked: what time is too short for is the last.

    Cells of one token stand together, so that a token that spoils a multicall spoils few others'.
    """
    rest = range(request.first, len(request.cells))
    return [*range(request.first), *sorted(rest, key=lambda place: request.cells[place][1].address or "")]


def _question(wallet: str, asset: Asset, wallets: dict[str, bytes]) -> Question:
    """The call that reads a cell; `wallets` keeps the calldata of each wallet."""
    if asset.address is None:
        return NativeBalance(wallet)
    data = wallets.get(wallet)
    if data is None:
        data = wallets[wallet] = codec.balance_of(wallet)
    if asset.kind is AssetKind.ERC1155:
        data = _ERC1155_BALANCE_OF + data[4:] + codec.encode_uint256(asset.token_id or 0)
    return Call(asset.address, data)


def _cell(wallet: str, asset: Asset, found: Found) -> Cell:
    if isinstance(found, Failure):
        return Cell(wallet, asset, Status.FAILED, None, found.message)
    returned = found.returned
    if returned is None:
        return Cell(wallet, asset, Status.QUARANTINED, None, codec.revert_reason(found.reverted or b""))
    if len(returned) == codec.WORD:
        amount = int.from_bytes(returned)
        return Cell(wallet, asset, Status.OK if amount else Status.ZERO, amount)
    if not returned:
        return Cell(wallet, asset, Status.UNSUPPORTED, None, "no contract with a balance at this address")
    reason = f"answers {len(returned)} bytes, a balance has {codec.WORD}"
    return Cell(wallet, asset, Status.QUARANTINED, None, reason)


def _facts(asset: Asset, decimals: Found, symbol: Found, name: Found) -> TokenFacts:
    return TokenFacts(
        asset,
        _told(decimals, lambda data: codec.decode_uint(data, 8)),
        _told(symbol, codec.decode_text),
        _told(name, codec.decode_text),
    )


def _told(found: Found, decode: Callable[[bytes], T]) -> T | None:
    if isinstance(found, Failure) or found.returned is None:
        return None
    try:
        return decode(found.returned)
    except AnswerError:
        return None
