"""Blocks that were read and are no longer on the chain.

Belongs here: the decision, and the question that it needs. Must not be here: what is done about it.
"""

from collections.abc import Iterable, Mapping

from assets.network.errors import Failure
from assets.wallets.chain_questions import AskChain
from assets.wallets.pinning import header_call, header_of
from assets.wallets.splitting import in_parts

_BLOCKS_PER_BATCH = 50


def gone(stored: Iterable[tuple[int, str]], standing: Mapping[int, str]) -> list[tuple[int, str]]:
    """Which stored blocks are no longer on the chain, in their order.

    Args:
        stored: number and hash of blocks of which rows are kept.
        standing: hashes by number as the chain has them now. A number that is not there is no verdict: the server may
            be behind.
    """
    return [
        (number, digest)
        for number, digest in dict.fromkeys(stored)
        if number in standing and standing[number].lower() != digest.lower()
    ]


async def read_standing(ask: AskChain, numbers: Iterable[int]) -> dict[int, str]:
    """Hashes of blocks as the chain has them now; what nobody told is left out."""
    wanted = sorted(set(numbers))

    async def hashes(first: int, last: int) -> list[tuple[int, str]] | Failure:
        def read(results: list[object]) -> list[tuple[int, str]]:
            headers = zip(wanted[first : last + 1], map(header_of, results), strict=True)
            return [(number, head.hash) for number, head in headers if head is not None and head.number == number]

        return await ask([header_call(number) for number in wanted[first : last + 1]], read)

    return dict((await in_parts(0, len(wanted) - 1, _BLOCKS_PER_BATCH, hashes)).found)
