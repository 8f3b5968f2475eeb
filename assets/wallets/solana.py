"""Solana: SOL and SPL tokens of wallets, from its JSON-RPC.

Belongs here: what is asked for a request, and the cells that answers come to. Must not be here: JSON-RPC and slots of
single answers (solana_nodes.py), layouts (solana_accounts.py), what an address is (assets/registry/addresses.py).

A node answers for its newest finalised slot and for no earlier one. So a slot is pinned first, every question names it
as `minContextSlot`, and each answer tells its own slot: none may be before the pinned one. Answers of different slots
are asked again until all are of one; what stays apart is said in the report's problems, and its block is the earliest
slot: everything was read there or later. Finalised slots do not go away, so nothing is ever reorganised.

Not read: SOL in stake accounts, balances under confidential transfers, tokens in the hands of a program.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from assets.network.budget import Deadline
from assets.network.endpoints import Endpoint
from assets.network.errors import Failure
from assets.network.hedging import Network
from assets.registry.addresses import solana_address
from assets.registry.identifiers import Refusal
from assets.registry.other_chains import OtherChain
from assets.wallets.chain_read import ChainRead, cell_of, failed_cells, report
from assets.wallets.model import Asset, Cell, ChainReport, ChainRequest, Kind, Status, TokenFacts
from assets.wallets.solana_accounts import TOKEN_PROGRAMS, Mint
from assets.wallets.solana_nodes import ACCOUNTS_PER_CALL, At, Nodes

_ROUNDS = 3


class _Question(NamedTuple):
    """Lamports of wallets, or a wallet's token accounts under a program."""

    wallets: tuple[str, ...]
    program: str | None = None


# raw units by wallet (lamports) or by mint (a wallet's tokens under a program)
_Answer = At[dict[str, int]] | Failure
_MintFound = Mint | str | Failure


@dataclass(slots=True)
class _Balances:
    """What was read: lamports by wallet, raw units by wallet and program and mint; a failure where nothing came."""

    lamports: dict[str, int | Failure] = field(default_factory=dict)
    tokens: dict[tuple[str, str], dict[str, int] | Failure] = field(default_factory=dict)
    slots: set[int] = field(default_factory=set)

    def held(self) -> list[tuple[str, str]]:
        """Wallets and mints of which they hold more than zero."""
        return [
            (wallet, mint)
            for (wallet, _), tokens in self.tokens.items()
            if not isinstance(tokens, Failure)
            for mint, amount in tokens.items()
            if amount
        ]


async def read_chain(
    request: ChainRequest,
    chain: OtherChain,
    endpoints: Sequence[Endpoint],
    network: Network,
    deadline: Deadline,
    now: Callable[[], datetime],
    *,
    max_head_age_seconds: float | None = None,
) -> ChainReport:
    """Read all cells, and whatever else the wallets hold, at one slot or later.

    Args:
        request: cells of kinds `native` and `erc20`, here a token by its mint; any other kind is unsupported.
            `facts_of` are mints; symbols and names are not read, since the older program keeps none.
        chain: Solana.
        endpoints: in the order of preference.
        network: asks.
        deadline: of the whole read.
        now: the wall clock.
        max_head_age_seconds: how old the newest finalised slot may be; None: 60 s.
    """
    started_at, asked_at = asyncio.get_running_loop().time(), now()
    asking = ChainRead(network, deadline)
    nodes = Nodes(asking, chain, endpoints)
    pin = await nodes.pin(0 if request.expected is None else request.expected.number, now, max_head_age_seconds)
    if isinstance(pin, Failure):
        cells = failed_cells(request, pin.message)
        return report(request, asking, asked_at, started_at, None, None, cells, failure=pin)
    wallets = list(filter(_is_address, dict.fromkeys(wallet for wallet, _ in request.cells)))
    balances = await _read_balances(nodes, wallets, pin.value.number)
    slot = min(balances.slots, default=pin.value.number)
    asked_mints = [asset.address for _, asset in request.cells if asset.kind is Kind.ERC20]
    facts_of = [*(asset.address for asset in request.facts_of), *(mint for _, mint in balances.held())]
    wanted = [mint for mint in dict.fromkeys((*asked_mints, *facts_of)) if mint is not None and _is_address(mint)]
    mints, block = await asyncio.gather(_read_mints(nodes, wanted, slot), nodes.block(slot))
    problems = _problems(balances)
    if isinstance(block, Failure):
        problems.append(f"the block of slot {slot} was not told ({block.kind.value}): an earlier one stands for it")
        block = pin.value
    asked = set(request.cells)
    held = [(wallet, Asset(request.chain, Kind.ERC20, mint)) for wallet, mint in balances.held()]
    facts = [
        TokenFacts(Asset(request.chain, Kind.ERC20, mint), told.decimals, None, None)
        for mint in dict.fromkeys(facts_of)
        if mint is not None and isinstance(told := mints.get(mint), Mint)
    ]
    return report(
        request, asking, asked_at, started_at, block, pin.endpoint,
        [_cell(wallet, asset, balances, mints) for wallet, asset in request.cells],
        facts=facts,
        found=[_cell(*key, balances, mints) for key in held if key not in asked],
        problems=problems,
    )  # fmt: skip


async def _read_balances(nodes: Nodes, wallets: Sequence[str], least: int) -> _Balances:
    """Ask for everything; then again for what was read before the latest slot, a few times."""
    behind = [_Question(tuple(chunk)) for chunk in _chunks(wallets)]
    behind += [_Question((wallet,), program) for wallet in wallets for program in TOKEN_PROGRAMS]
    answers: dict[_Question, _Answer] = {}
    for _ in range(_ROUNDS):
        told = await asyncio.gather(*(_ask(nodes, question, least) for question in behind))
        for question, answer in zip(behind, told, strict=True):
            # an answer that is there is not lost to a later failure
            if not isinstance(answer, Failure) or question not in answers:
                answers[question] = answer
        slots = {question: answer.slot for question, answer in answers.items() if not isinstance(answer, Failure)}
        least = max(slots.values(), default=least)
        behind = [question for question, slot in slots.items() if slot < least]
        if not behind:
            break
    return _joined(answers)


async def _ask(nodes: Nodes, question: _Question, least: int) -> _Answer:
    wallets, program = question
    if program is None:
        lamports = await nodes.lamports(wallets, least)
        if isinstance(lamports, Failure):
            return lamports
        return At(lamports.slot, dict(zip(wallets, lamports.value, strict=True)))
    accounts = await nodes.token_accounts(wallets[0], program, least)
    if isinstance(accounts, Failure):
        return accounts
    amounts: dict[str, int] = {}
    for account in accounts.value:
        amounts[account.mint] = amounts.get(account.mint, 0) + account.amount
    return At(accounts.slot, amounts)


def _joined(answers: Mapping[_Question, _Answer]) -> _Balances:
    balances = _Balances()
    for (wallets, program), answer in answers.items():
        if not isinstance(answer, Failure):
            balances.slots.add(answer.slot)
        if program is not None:
            balances.tokens[wallets[0], program] = answer if isinstance(answer, Failure) else answer.value
        elif isinstance(answer, Failure):
            balances.lamports.update(dict.fromkeys(wallets, answer))
        else:
            balances.lamports.update(answer.value)
    return balances


async def _read_mints(nodes: Nodes, mints: Sequence[str], least: int) -> dict[str, _MintFound]:
    """Each mint, or in words why it is none, or why it was not read."""
    chunks = _chunks(mints)
    answers = await asyncio.gather(*(nodes.mints(chunk, least) for chunk in chunks))
    found: dict[str, _MintFound] = {}
    for chunk, answer in zip(chunks, answers, strict=True):
        told: Sequence[_MintFound] = [answer] * len(chunk) if isinstance(answer, Failure) else answer.value
        found.update(zip(chunk, told, strict=True))
    return found


def _cell(wallet: str, asset: Asset, balances: _Balances, mints: Mapping[str, _MintFound]) -> Cell:
    if not _is_address(wallet):
        return Cell(wallet, asset, Status.UNSUPPORTED, None, "no address of Solana")
    if asset.kind is Kind.NATIVE:
        amount = balances.lamports[wallet]
    else:
        mint = mints.get(asset.address or "") if asset.kind is Kind.ERC20 else None
        if mint is None:
            return Cell(wallet, asset, Status.UNSUPPORTED, None, "of Solana its coin and SPL tokens by mint are read")
        if isinstance(mint, str):
            return Cell(wallet, asset, Status.UNSUPPORTED, None, mint)
        if isinstance(mint, Mint) and mint.scaling is not None:
            reason = f"its mint {mint.scaling}: the raw amount is not what is quoted"
            return Cell(wallet, asset, Status.UNSUPPORTED, None, reason)
        tokens = mint if isinstance(mint, Failure) else balances.tokens[wallet, mint.program]
        amount = tokens if isinstance(tokens, Failure) else tokens.get(asset.address or "", 0)
    if isinstance(amount, Failure):
        return Cell(wallet, asset, Status.FAILED, None, amount.message)
    return cell_of(wallet, asset, amount)


def _problems(balances: _Balances) -> list[str]:
    problems = []
    if len(balances.slots) > 1:
        problems.append(f"read at slots {min(balances.slots)} to {max(balances.slots)}, not at one")
    told = (*balances.lamports.values(), *balances.tokens.values())
    unread = sum(isinstance(one, Failure) for one in told)
    if unread:
        problems.append(f"{unread} of {len(told)} balances and lists of tokens were not read")
    return problems


def _chunks(addresses: Sequence[str]) -> list[Sequence[str]]:
    return [addresses[start : start + ACCOUNTS_PER_CALL] for start in range(0, len(addresses), ACCOUNTS_PER_CALL)]


def _is_address(text: str) -> bool:
    try:
        return bool(solana_address(text))
    except Refusal:
        return False
