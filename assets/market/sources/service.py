"""A price service with a plain HTTP API: one base address, GET requests, JSON with exact numbers.

Belongs here: session, address, budget, for sources that need no library. Must not be here: any service's format.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import TracebackType
from typing import Self, TypeVar

from assets.market.sources.endpoints import redirected
from assets.market.sources.patient_hosts import Cost, PatientHosts
from assets.network.endpoints import endpoints_of
from assets.network.errors import Failure, Kind, MalformedResponseError, classify
from assets.network.http import Http, Request, read_json

T = TypeVar("T")


class Service:
    """One service.

    Args:
        name: whose budget counts.
        base_url: scheme, host and what all paths begin with.
        asking: budgets and patience.
        endpoint: HOLDFAST_ENDPOINT_<NAME>.
    """

    def __init__(self, name: str, base_url: str, asking: PatientHosts, endpoint: str | None = None) -> None:
        self._name, self._asking = name, asking
        (self._endpoint,) = endpoints_of([redirected(base_url, endpoint)])
        self._http: Http | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._http is not None:
            http, self._http = self._http, None
            await http.__aexit__(kind, error, traceback)

    async def get(self, path: str, query: Mapping[str, str], read: Callable[[bytes], T], cost: Cost) -> T | Failure:
        """Ask, and read the answer; what `read` cannot read is a fault that may be asked again."""
        if self._http is None:
            self._http = await Http().__aenter__()
        http = self._http

        async def send(timeout_seconds: float) -> T | Failure:
            cost.requests += 1
            body = await http.fetch(self._endpoint, Request(path=path, query=tuple(query.items())), timeout_seconds)
            if isinstance(body, Failure):
                return body
            try:
                return read(body)
            except MalformedResponseError as error:
                return classify(error)
            except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
                return Failure.of(Kind.MALFORMED, type(error).__name__)

        return await self._asking.ask(self._name, send, cost)


def read_exact(body: bytes) -> object:
    """Strict JSON, numbers with a point as decimals."""
    return read_json(body, Decimal)


def number(value: object) -> Decimal:
    """A price out of exact JSON.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        raise ValueError("no number")
    return Decimal(value)
