"""Addresses of remote servers, and the names under which they may be shown.

Belongs here: one endpoint and how a list of addresses becomes labelled endpoints. Must not be here: where addresses
come from (environment, reference data). An address may hold a key in its path, query or user part, so it is never
printed: labels are.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

# some providers put the key into the name of the host; no ordinary part of a name looks like this
_KEY_IN_NAME = re.compile(r"(?=[a-z]*[0-9])(?=[0-9]*[a-z])[0-9a-z]{20,}")


class EndpointError(ValueError):
    """An address that cannot be used; the message tells its place in the list, never the address."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server that can be asked.

    Attributes:
        label: its host, with `#2` and so on when a list names the host again; safe to store and show.
        url: the whole address; secret.
        rank: order in which it is asked, from 0.
        host: host and port; limits, pauses and the circuit breaker count by it. Secret when it holds a key.
    """

    label: str
    url: str = field(repr=False)
    rank: int
    host: str = field(repr=False)

    def __str__(self) -> str:
        return self.label


def endpoints_of(urls: Iterable[str]) -> tuple[Endpoint, ...]:
    """Endpoints in the order given; an address that stands there twice counts once.

    Raises:
        EndpointError: for an address that is not http(s)://host….
    """
    endpoints: list[Endpoint] = []
    seen: dict[str, int] = {}
    for rank, url in enumerate(dict.fromkeys(urls)):
        host = _host(url, rank + 1)
        name = ".".join("…" if _KEY_IN_NAME.fullmatch(part) else part for part in host.split("."))
        seen[name] = seen.get(name, 0) + 1
        label = name if seen[name] == 1 else f"{name}#{seen[name]}"
        endpoints.append(Endpoint(label, url, rank, host))
    return tuple(endpoints)


def _host(url: str, position: int) -> str:
    try:
        parts = urlsplit(url)
        port, name = parts.port, (parts.hostname or "").rstrip(".")
    except ValueError:  # its text quotes the address
        parts, port, name = None, None, ""
    if (
        parts is None
        or parts.scheme not in ("http", "https")
        or not name
        or any(character.isspace() for character in url)
    ):
        raise EndpointError(f"address {position} is not of the form https://host/path; correct it where it is set")
    name = f"[{name}]" if ":" in name else name
    is_usual = port is None or port == {"http": 80, "https": 443}[parts.scheme]
    return name if is_usual else f"{name}:{port}"
