"""The servers of Solana's JSON-RPC: one slot that they agree on, and accounts at that slot or later.

Belongs here: the methods, commitment, slots, whether a server is of the chain. Must not be here: what balances come to
(solana.py), layouts (solana_accounts.py). Source: https://solana.com/docs/rpc/http.
"""

import asyncio
import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from assets.network.endpoints import Endpoint
from assets.network.errors import Failure, Kind, classify
from assets.network.http import Request
from assets.registry.addresses import solana_address
from assets.registry.other_chains import OtherChain
from assets.wallets.chain_read import ChainRead, Told, head_trouble
from assets.wallets.model import Block
from assets.wallets.solana_accounts import ACCOUNT_BYTES, Mint, TokenAccount, read_mint, read_token_account

T = TypeVar("T")

ACCOUNTS_PER_CALL = 100  # of getMultipleAccounts
_FINALIZED = "finalized"
_NO_DATA = {"offset": 0, "length": 0}
_MOST = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class At(Generic[T]):
    """A value and the slot at which it was read."""

    slot: int
    value: T


class Nodes:
    """The servers of one read; an answer counts only of one whose first block is the chain's.

    Args:
        asking: the read that the questions belong to.
        chain: Solana.
        endpoints: in the order of preference.
    """

    def __init__(self, asking: ChainRead, chain: OtherChain, endpoints: Sequence[Endpoint]) -> None:
        self._asking, self._chain, self._endpoints = asking, chain, list(endpoints)
        self._troubles: dict[str, Failure | None] = {}

    async def pin(
        self, least: int, now: Callable[[], datetime], max_head_age_seconds: float | None
    ) -> Told[Block] | Failure:
        """The newest finalised slot of the first server that is of the chain and young; it is asked first from then on.

        Args:
            least: an earlier slot is not taken.
            now: the wall clock.
            max_head_age_seconds: as `head_trouble` takes it.
        """
        failure = None

        def slot_of(value: object) -> int | Failure:
            slot = _number(value)
            lag = Failure.of(Kind.NODE_LAG, f"its finalised slot is {slot}, before {least}")
            return slot if slot >= least else lag

        while True:
            told = await self._asking.put(self._endpoints, *_question("getSlot", [{"commitment": _FINALIZED}], slot_of))
            if isinstance(told, Failure):
                return failure or told
            # one that hangs now must leave time for the next
            seconds = self._asking.deadline.remaining() / (2 if len(self._endpoints) > 1 else 1)
            asking = self._asking.within(seconds)
            block, trouble = await asyncio.gather(
                self._block_at(asking, [told.endpoint], told.value), self._trouble(asking, told.endpoint)
            )
            if trouble is None and isinstance(block, Block):
                trouble = head_trouble(self._chain, block.timestamp, now(), max_head_age_seconds)
                if trouble is None:
                    self._endpoints.sort(key=lambda endpoint: endpoint is not told.endpoint)
                    return Told(block, told.endpoint)
            failure = failure or trouble or (block if isinstance(block, Failure) else None)
            self._endpoints.remove(told.endpoint)

    async def block(self, slot: int) -> Block | Failure:
        """The block of a slot."""
        return await self._block_at(self._asking, self._endpoints, slot)

    async def lamports(self, wallets: Sequence[str], least: int) -> At[list[int]] | Failure:
        """The coin of up to ACCOUNTS_PER_CALL wallets; an account that is not there has none."""

        def lamports_of(account: object) -> int:
            return 0 if account is None else _number(_mapping(account)["lamports"])

        return await self._accounts(wallets, least, lamports_of, _NO_DATA)

    async def mints(self, addresses: Sequence[str], least: int) -> At[list[Mint | str]] | Failure:
        """Up to ACCOUNTS_PER_CALL mints; in words why one is none."""
        return await self._accounts(addresses, least, _mint, None)

    async def token_accounts(self, owner: str, program: str, least: int) -> At[list[TokenAccount]] | Failure:
        """All token accounts of a wallet under one program."""
        params = [owner, {"programId": program}, _options(least, {"offset": 0, "length": ACCOUNT_BYTES})]

        def accounts_of(items: object) -> list[TokenAccount]:
            return [_token_account(_mapping(item)["account"], owner, program) for item in _list(items)]

        return await self._ask("getTokenAccountsByOwner", params, least, accounts_of)

    async def _accounts(
        self, addresses: Sequence[str], least: int, read: Callable[[object], T], data_slice: object
    ) -> At[list[T]] | Failure:
        def accounts_of(items: object) -> list[T]:
            accounts = _list(items)
            if len(accounts) != len(addresses):
                raise ValueError("another number of accounts")
            return [read(account) for account in accounts]

        params = [list(addresses), _options(least, data_slice)]
        return await self._ask("getMultipleAccounts", params, least, accounts_of)

    async def _ask(
        self, method: str, params: Sequence[object], least: int, read: Callable[[object], T]
    ) -> At[T] | Failure:
        """Ask the servers; an answer of one that is of another chain is dropped, and so is the server."""

        def at_slot(value: object) -> At[T] | Failure:
            told = _mapping(value)
            slot = _number(_mapping(told["context"])["slot"])
            if slot < least:
                return Failure.of(Kind.NODE_LAG, f"it answered at slot {slot}, before {least}")
            return At(slot, read(told["value"]))

        while True:
            told = await self._asking.put(self._endpoints, *_question(method, params, at_slot))
            if isinstance(told, Failure):
                return told
            if await self._trouble(self._asking, told.endpoint) is None:
                return told.value
            if told.endpoint in self._endpoints:
                self._endpoints.remove(told.endpoint)

    async def _trouble(self, asking: ChainRead, endpoint: Endpoint) -> Failure | None:
        """Why a server may not be believed; asked once a read."""
        if endpoint.label not in self._troubles:

            def genesis_of(value: object) -> bool | Failure:
                is_ours = value == self._chain.genesis_hash
                return is_ours or Failure.of(Kind.WRONG_CHAIN, "its first block is another")

            told = await asking.put([endpoint], *_question("getGenesisHash", [], genesis_of))
            self._troubles[endpoint.label] = told if isinstance(told, Failure) else None
        return self._troubles[endpoint.label]

    async def _block_at(self, asking: ChainRead, endpoints: Sequence[Endpoint], slot: int) -> Block | Failure:
        options = {
            "commitment": _FINALIZED,
            "encoding": "json",
            "transactionDetails": "none",
            "rewards": False,
            "maxSupportedTransactionVersion": 0,
        }

        def block_of(value: object) -> Block | Failure:
            told = _mapping(value)
            if told["blockTime"] is None:
                return Failure.of(Kind.NODE_LAG, "it does not know the time of the slot")
            digest = solana_address(_text(told["blockhash"]))  # a hash, too, is 32 bytes in base58
            return Block(slot, digest, datetime.fromtimestamp(_number(told["blockTime"]), UTC))

        told = await asking.put(endpoints, *_question("getBlock", [slot, options], block_of))
        return told if isinstance(told, Failure) else told.value


def _options(least: int, data_slice: object) -> dict[str, object]:
    options: dict[str, object] = {"commitment": _FINALIZED, "encoding": "base64", "minContextSlot": least}
    return options if data_slice is None else {**options, "dataSlice": data_slice}


def _question(
    method: str, params: Sequence[object], read: Callable[[object], T | Failure]
) -> tuple[Request, Callable[[object], T | Failure]]:
    """A request, and the reading of its JSON-RPC answer."""

    def read_answer(value: object) -> T | Failure:
        answer = _mapping(value)
        error = answer.get("error")
        if error is not None:
            failure = classify(_mapping(error))
            # no contract runs for any of these questions
            return Failure.of(Kind.SERVER, "it refuses") if failure.kind is Kind.CALL_FAILED else failure
        if answer.get("id") != 1 or "result" not in answer:
            return Failure.of(Kind.MALFORMED, "no answer to this question")
        return read(answer["result"])

    return Request.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}), read_answer


def _token_account(value: object, owner: str, program: str) -> TokenAccount:
    account = _mapping(value)
    if account["owner"] != program:
        raise ValueError("an account of another program")
    read = read_token_account(_data(account))
    if read.owner != owner:
        raise ValueError("an account of another owner")
    return read


def _mint(value: object) -> Mint | str:
    if value is None:
        return "there is no account at this address"
    account = _mapping(value)
    data, program = _data(account), _text(account["owner"])
    try:
        return read_mint(data, program)
    except ValueError:
        return "the account at this address is no mint"


def _data(account: Mapping[str, object]) -> bytes:
    data, encoding = _list(account["data"])
    if encoding != "base64":
        raise TypeError("no data in base64")
    return base64.b64decode(_text(data), validate=True)


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError("no object")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _MOST:
        raise ValueError("no number in its bounds")
    return value
