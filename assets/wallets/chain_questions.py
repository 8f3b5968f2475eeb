"""How readers of a chain's history put their questions: a function, so that they know no servers.

Belongs here: that function's form, and the one that asks a chain's servers. Must not be here: what is asked.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from assets.network.budget import Deadline
from assets.network.endpoints import Endpoint
from assets.network.errors import Failure, Kind
from assets.wallets.rpc import Rpc, RpcCall

T = TypeVar("T")


class AskChain(Protocol):
    """Puts some calls as one question to one server, and to the next when it fails."""

    async def __call__(self, calls: Sequence[RpcCall], read: Callable[[list[object]], T | Failure]) -> T | Failure:
        """What `read` makes of the results, which stand in the order of the calls and are all there."""


def ask_servers(rpc: Rpc, endpoints: Sequence[Endpoint], deadline: Deadline) -> AskChain:
    """Ask the servers of one chain.

    Args:
        rpc: JSON-RPC.
        endpoints: which are known to be of the chain (assets/wallets/pinning.py tells).
        deadline: of all questions together.
    """

    async def ask(calls: Sequence[RpcCall], read: Callable[[list[object]], T | Failure]) -> T | Failure:
        def read_whole(results: list[object]) -> T | Failure:
            failures = [result for result in results if isinstance(result, Failure)]
            return failures[0] if failures else read(results)

        answer = await rpc.ask(endpoints, calls, deadline, read_whole)
        return answer.failure if answer.failure is not None else answer.value  # type: ignore[return-value]

    return ask


def lagging(detail: str) -> Failure:
    """The failure of a server that does not have what another one told of."""
    return Failure.of(Kind.NODE_LAG, detail)
