"""The owner's own address in place of a provider's: scheme, host and port change, path and query stay.

Belongs here: HOLDFAST_ENDPOINT_<SOURCE> applied to one address. Must not be here: the environment
(orchestration/settings.py reads it), requests. An address may hold a key: it is never printed.
"""

from urllib.parse import urlsplit


def redirected(url: str, endpoint: str | None) -> str:
    """`https://api.binance.com/api/v3/time` at `http://proxy:8080` becomes `http://proxy:8080/api/v3/time`.

    A path in the endpoint (a gateway's prefix) comes before the provider's own path.
    """
    if not endpoint:
        return url
    parts, own = urlsplit(url), urlsplit(endpoint)
    return parts._replace(scheme=own.scheme, netloc=own.netloc, path=own.path.rstrip("/") + parts.path).geturl()
