"""The HTTP session that yfinance is given: redirects it, counts it, ends it in time and reads its answers first.

Belongs here: what must be known before yfinance sees an answer. Must not be here: what the answer means.
yfinance makes an empty frame, or a JSON error without its status, of a page in HTML; and on any status from 400 up it
tries another way of getting its cookie and asks again. An answer of its services that is no answer is raised here
instead, so it is seen, with its status and Retry-After, and costs one request. This module imports yfinance.
"""

import logging
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import yfinance
import yfinance.cache
from yfinance._http import new_session

from assets.market.sources.endpoints import redirected
from assets.market.sources.patient_hosts import Cost
from assets.network.errors import Failure, MalformedResponseError, classify
from assets.network.http import read_json

#: An answer of these is looked at before yfinance sees it.
_READ = ("/v8/finance/chart/", "/v10/finance/quoteSummary/")


class RefusedError(Exception):
    """A service did not answer; carries the named fault."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


def quiet_yfinance() -> Any:
    """The module, told to raise what it would only log, and to keep nothing on disk."""
    warnings.filterwarnings("ignore", module=r"yfinance\..*")  # of pandas, about how yfinance calls it
    logging.getLogger("yfinance").setLevel(logging.CRITICAL)  # what it would print, our failures tell
    yfinance.config.debug.hide_exceptions = False
    yfinance.cache._TzCacheManager._tz_cache = yfinance.cache._TzCacheDummy()
    yfinance.cache._CookieCacheManager._Cookie_cache = yfinance.cache._CookieCacheDummy()
    return yfinance


def open_session(endpoint: str | None) -> Any:
    """A session of the kind that yfinance would make (a browser's TLS, where curl_cffi is there), with our ears."""
    plain = new_session()
    kind: Any = type(plain)

    class Session(kind):  # type: ignore[misc]
        """Shared by threads; what one call may take and has cost is of its thread."""

        _here = threading.local()

        @contextmanager
        def listening(self, timeout_seconds: float, cost: Cost, now: Callable[[], datetime]) -> Iterator[None]:
            """All requests of this thread within belong to one question."""
            self._here.state = (time.monotonic() + timeout_seconds, cost, now)
            try:
                yield
            finally:
                self._here.state = None

        def request(self, method: str, url: str, *rest: object, **options: Any) -> Any:
            """As the session's own."""
            ends_at, cost, now = self._here.state
            remaining = ends_at - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            options["timeout"] = min(options.get("timeout") or remaining, remaining)
            cost.requests += 1
            response = super().request(method, redirected(url, endpoint), *rest, **options)
            if any(path in url for path in _READ):
                _check(response, now())
            return response

    if hasattr(plain, "impersonate"):
        session = Session(impersonate=plain.impersonate)
    else:
        session = Session()
        session.headers.update(plain.headers)
    plain.close()
    return session


def _check(response: Any, now: datetime) -> None:
    """Raise what is no answer."""
    if not 200 <= response.status_code < 300:
        raise RefusedError(classify(response.text, response.status_code, dict(response.headers), now))
    try:
        read_json(response.content)
    except MalformedResponseError as error:
        raise RefusedError(classify(error)) from None
