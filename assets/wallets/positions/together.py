"""All readers of positions of a chain side by side: their calls become one call of the chain per round.

Belongs here: waiting for every reader that still runs, sharing out the answers, one reader's failure staying its own.
Must not be here: what is read. Six readers of up to three rounds cost three round trips so, and not eighteen.
"""

import asyncio
from collections.abc import Sequence

from assets.wallets.codec import Call, Outcome
from assets.wallets.model import Block, PinnedChain, Position
from assets.wallets.positions.reading import PositionReader


async def read_together(
    readers: Sequence[PositionReader], chain: PinnedChain, wallets: Sequence[str]
) -> tuple[list[Position], list[str]]:
    """Run all readers, their first rounds as one call of the chain, their second rounds as one, and so on.

    Returns:
        The positions in the order of the readers, and one problem for each reader that failed, without its message:
        what a transport says is not for reports.
    """
    found: list[list[Position]] = [[] for _ in readers]
    problems: list[str] = []
    async with asyncio.TaskGroup() as group:
        rounds = _Rounds(chain, len(readers), group)

        async def run(index: int, reader: PositionReader) -> None:
            try:
                found[index] = await reader.read(rounds, wallets)
            except Exception as error:  # one protocol costs only itself
                problems.append(f"positions of {reader.name}: {type(error).__name__}")
            finally:
                rounds.leave()

        for index, reader in enumerate(readers):
            group.create_task(run(index, reader))
    return [position for positions in found for position in positions], problems


class _Rounds:
    """A PinnedChain that asks once every reader that still runs has asked."""

    def __init__(self, chain: PinnedChain, running: int, group: asyncio.TaskGroup) -> None:
        self._chain, self._running, self._group = chain, running, group
        self._waiting: list[tuple[Sequence[Call], asyncio.Future[list[Outcome | None]]]] = []

    @property
    def chain(self) -> str:
        return self._chain.chain

    @property
    def block(self) -> Block:
        return self._chain.block

    async def call(self, calls: Sequence[Call]) -> list[Outcome | None]:
        if not calls:
            return []
        answer: asyncio.Future[list[Outcome | None]] = asyncio.get_running_loop().create_future()
        self._waiting.append((calls, answer))
        self._go_on()
        return await answer

    def leave(self) -> None:
        self._running -= 1
        self._go_on()

    def _go_on(self) -> None:
        if self._waiting and len(self._waiting) >= self._running:
            waiting, self._waiting = self._waiting, []
            self._group.create_task(self._ask(waiting))

    async def _ask(self, waiting: list[tuple[Sequence[Call], asyncio.Future[list[Outcome | None]]]]) -> None:
        try:
            outcomes = await self._chain.call([call for calls, _ in waiting for call in calls])
        except Exception as error:
            for _, answer in waiting:
                if not answer.done():
                    answer.set_exception(error)
            return
        start = 0
        for calls, answer in waiting:
            if not answer.done():
                answer.set_result(outcomes[start : start + len(calls)])
            start += len(calls)
