"""A pinned chain that answers by target and calldata, both written by eth_abi from signatures.

Belongs here: answers, silence, rounds counted. Must not be here: nodes, and what a reader makes of an answer.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from assets.wallets.codec import Call, Outcome
from assets.wallets.model import Block, Position
from assets.wallets.positions.reading import PositionReader
from assets.wallets.positions.together import read_together

ALICE = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
BOB = "0x00000000219ab540356cBB839Cbe05303d7705Fa"


def calldata(signature: str, *arguments: Any) -> bytes:
    types = signature.partition("(")[2].removesuffix(")")
    return keccak(text=signature)[:4] + encode(types.split(",") if types else [], arguments)


class FakeChain:
    """An address that was never given an answer has no code; one that was refuses every other call."""

    def __init__(self, chain: str = "ethereum") -> None:
        self.chain = chain
        self.block = Block(20_000_000, "0x" + "ab" * 32, datetime(2024, 6, 1, 17, 48, 11, tzinfo=UTC))
        self.rounds: list[int] = []
        self._answers: dict[tuple[str, bytes], Outcome | None] = {}

    def answers(self, target: str, signature: str, *arguments: Any, gives: str, values: Sequence[Any]) -> None:
        data = Outcome(encode(gives.split(","), values), None)
        self._answers[target.lower(), calldata(signature, *arguments)] = data

    def says(self, target: str, signature: str, *arguments: Any, outcome: Outcome | None) -> None:
        self._answers[target.lower(), calldata(signature, *arguments)] = outcome

    def number(self, target: str, signature: str, *arguments: Any, value: int) -> None:
        self.answers(target, signature, *arguments, gives="uint256", values=[value])

    def address(self, target: str, signature: str, *arguments: Any, value: str) -> None:
        self.answers(target, signature, *arguments, gives="address", values=[value])

    def token(self, target: str, decimals: int, balances: dict[str, int]) -> None:
        self.number(target, "decimals()", value=decimals)
        for wallet in (ALICE, BOB):
            self.number(target, "balanceOf(address)", wallet, value=balances.get(wallet, 0))

    async def call(self, calls: Sequence[Call]) -> list[Outcome | None]:
        self.rounds.append(len(calls))
        coded = {target for target, _ in self._answers}
        return [
            self._answers.get((one.target.lower(), one.data), Outcome(None, b""))
            if one.target.lower() in coded
            else Outcome(b"", None)
            for one in calls
        ]


def read(reader: PositionReader, chain: FakeChain, *wallets: str) -> list[Position]:
    """What one reader finds, through the same rounds as all of them."""
    import asyncio

    positions, problems = asyncio.run(read_together([reader], chain, wallets or (ALICE,)))
    assert problems == []
    return positions
