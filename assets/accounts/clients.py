"""The real clients of ccxt and Alpaca, made strict.

Belongs here: how a client is opened, its time limit, its other endpoint, and that an answer is JSON or an error. Must
not be here: what is asked.

ccxt gives the text of a page where an answer with status 200 is no JSON, and its parsers make an empty list of it; its
numbers are floats. alpaca-py waits without a limit, and sleeps and tries again by itself after a 429.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from assets.accounts.model import Credentials
from assets.accounts.retrying import LastAnswer
from assets.network.errors import MalformedResponseError

REQUEST_SECONDS = 15.0
_PAPER_ADDRESS, _LIVE_ADDRESS = "https://paper-api.alpaca.markets", "https://api.alpaca.markets"
# keys of the paper account begin so; a broker's wrong guess is a refusal that names the variable
_PAPER_KEY = "PK"


class UnknownSourceError(ValueError):
    """Nobody of this name can be asked for an account."""


def exchange_client(
    source: str, credentials: Credentials, endpoint: str | None, last: LastAnswer, *,
    request_seconds: float = REQUEST_SECONDS, is_throttled: bool = True,
) -> Any:  # fmt: skip
    r"""A client of ccxt; close it with `await client.close()`.

    Args:
        source: ccxt id.
        credentials: the key; a PEM may have its line breaks written as `\n`.
        endpoint: scheme and host instead of all of the exchange's own, paths kept.
        last: gets status and headers of each answer.
        request_seconds: longest time of one request.
        is_throttled: keep ccxt's own pace for this exchange, as one must with a real one.

    Raises:
        UnknownSourceError: ccxt has no such exchange.
    """
    import ccxt.async_support as ccxt

    if source not in ccxt.exchanges:
        raise UnknownSourceError(f"{source} is no exchange of ccxt; look up its id at docs.ccxt.com")
    library_class = getattr(ccxt, source)

    class StrictClient(library_class):  # type: ignore[misc, valid-type]
        async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
            answer = await super().fetch(_elsewhere(url, endpoint), method, headers, body)
            if not isinstance(answer, dict | list):
                raise MalformedResponseError
            return answer

        def parse_json(self, http_response: str) -> Any:
            try:
                # digits stay text: 0.1 would become a float that is not 0.1
                return json.loads(http_response, parse_float=str, parse_constant=_no_constant)
            except ValueError:
                return None

        def on_rest_response(self, code: int, reason: Any, url: Any, method: Any, response_headers: Mapping[str, str],
                             response_body: Any, request_headers: Any, request_body: Any) -> Any:  # fmt: skip
            last.status, last.headers = code, dict(response_headers)
            return super().on_rest_response(
                code, reason, url, method, response_headers, response_body, request_headers, request_body
            )

    client = StrictClient(
        {
            "apiKey": credentials.key,
            "secret": credentials.secret.replace("\\n", "\n"),
            "enableRateLimit": is_throttled,
            "timeout": int(request_seconds * 1000),
            "options": {"adjustForTimeDifference": True, "fetchMarkets": {"types": ["spot"]}},
        }
    )
    # by unified methods too, quantities stay the text that they came as
    client.number = str
    client.has["fetchCurrencies"] = False
    # at level DEBUG it logs the headers of every request, and the key is one of them
    client.logger = logging.Logger("silent", logging.CRITICAL + 1)
    return client


def _elsewhere(url: str, endpoint: str | None) -> str:
    if endpoint is None:
        return url
    asked, instead = urlsplit(url), urlsplit(endpoint)
    return urlunsplit((instead.scheme, instead.netloc, instead.path.rstrip("/") + asked.path, asked.query, ""))


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def alpaca_client(
    credentials: Credentials, endpoint: str | None, last: LastAnswer, *, request_seconds: float = REQUEST_SECONDS
) -> Any:
    """A client of alpaca-py for the trading API; it blocks, so call it in a thread.

    Args:
        credentials: the key.
        endpoint: https://paper-api.alpaca.markets, https://api.alpaca.markets or another; None: by the key, since
            Alpaca begins those of paper accounts with PK.
        last: gets status and headers of each answer.
        request_seconds: longest time of one request.
    """
    from alpaca.trading.client import TradingClient

    class StrictClient(TradingClient):
        def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Any:
            # retry 0: a 429 is raised at once, and asked again by the pace of `Retrying`
            return super()._one_request(method, url, {**opts, "timeout": request_seconds}, 0)

    address = endpoint or (_PAPER_ADDRESS if credentials.key.startswith(_PAPER_KEY) else _LIVE_ADDRESS)
    client = StrictClient(credentials.key, credentials.secret, raw_data=True, url_override=address)

    def note(response: Any, *_: Any, **__: Any) -> None:
        last.status, last.headers = response.status_code, dict(response.headers)

    client._session.hooks["response"].append(note)
    # an answer comes from Alpaca or not at all: ~/.netrc would send other credentials along
    client._session.trust_env = False
    return client
