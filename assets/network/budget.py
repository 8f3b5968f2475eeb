"""How long and how often a server may be asked.

Belongs here: the deadline of a piece of work; token bucket, pause, circuit breaker and seen latencies of a host.
Must not be here: sockets, waiting. Every method returns at once and awaits nothing, so on one event loop each is
atomic. The clock is passed in: seconds that only grow, such as `time.monotonic` or an event loop's `time`.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from assets.network.errors import Failure, Kind

Clock = Callable[[], float]

# Ankr's public endpoints take 30 requests a second of one address, over all chains; others tell nothing
DEFAULT_REQUESTS_PER_SECOND = 25.0
DEFAULT_BURST = 50
DEFAULT_PAUSE_SECONDS = 1.0
DEFAULT_HEDGE_SECONDS = 0.4
_HEDGE_BOUNDS_SECONDS = (0.05, 1.0)
_LATENCIES_KEPT, _LATENCIES_NEEDED = 64, 8
_PROBE_LOOK_SECONDS = 0.1
# what says that the host is of no use now; a lagging node, a reverted call or a size limit comes from a living one
_COUNTS_AGAINST_HOST = {Kind.TIMEOUT, Kind.SERVER, Kind.MALFORMED, Kind.AUTH_OR_GEO, Kind.QUOTA, Kind.WRONG_CHAIN}


class Deadline:
    """The moment by which a piece of work ends."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.at = clock() + seconds
        self._clock = clock

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(self.at - self._clock(), 0.0)


class TokenBucket:
    """At most `burst` requests at once and `per_second` in the long run."""

    def __init__(self, clock: Clock, per_second: float, burst: int) -> None:
        if not (per_second > 0 and burst >= 1):
            raise ValueError(f"a rate of {per_second} a second and a burst of {burst}: expected > 0 and at least 1")
        self._clock, self._per_second, self._burst = clock, per_second, float(burst)
        self._tokens, self._at = float(burst), clock()

    def wait_seconds(self) -> float:
        """Seconds until a request may start; 0: now."""
        self._fill()
        return max(1.0 - self._tokens, 0.0) / self._per_second

    def take(self) -> None:
        """Count one request that starts now."""
        self._fill()
        self._tokens -= 1.0

    def _fill(self) -> None:
        now = self._clock()
        # the tiny surplus keeps a wait of exactly 1/rate from ending one rounding error too early
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second + 1e-9)
        self._at = now


class CircuitBreaker:
    """Opens after consecutive failures of real calls; after a cool-down one call at a time may prove the host alive."""

    def __init__(self, clock: Clock, failures_to_open: int = 3, cool_down_seconds: float = 30.0) -> None:
        self._clock, self._failures_to_open, self._cool_down = clock, failures_to_open, cool_down_seconds
        self._failures, self._opened_at, self._is_probing = 0, -math.inf, False

    def wait_seconds(self) -> float:
        """Seconds until the host may be asked; 0: now."""
        if self._failures < self._failures_to_open:
            return 0.0
        cooling = self._opened_at + self._cool_down - self._clock()
        return max(cooling, _PROBE_LOOK_SECONDS if self._is_probing else 0.0)

    def start(self) -> None:
        """A call starts; each start is ended by exactly one of the methods below."""
        self._is_probing = self._failures >= self._failures_to_open

    def succeeded(self) -> None:
        """The host answered."""
        self._failures, self._is_probing = 0, False

    def failed(self) -> None:
        """The host was of no use."""
        self._failures, self._is_probing = self._failures + 1, False
        if self._failures >= self._failures_to_open:
            self._opened_at = self._clock()

    def cancelled(self) -> None:
        """The call was given up without a verdict."""
        self._is_probing = False


@dataclass(frozen=True, slots=True)
class Rest:
    """Why a host is not asked yet, and for how many seconds; 0: it may be asked now."""

    seconds: float
    kind: Kind
    reason: str


class Host:
    """What one host may be asked for, and what it was like so far."""

    def __init__(self, clock: Clock, bucket: TokenBucket, breaker: CircuitBreaker) -> None:
        self._clock, self.bucket, self.breaker = clock, bucket, breaker
        self._paused_until, self._pause_kind = -math.inf, Kind.RATE_LIMITED
        self._latencies: deque[float] = deque(maxlen=_LATENCIES_KEPT)

    def rest(self) -> Rest:
        """The longest reason to wait."""
        return max(
            Rest(self._paused_until - self._clock(), self._pause_kind, "it asked to be left alone"),
            Rest(self.breaker.wait_seconds(), Kind.SERVER, "it failed too often in a row"),
            Rest(self.bucket.wait_seconds(), Kind.RATE_LIMITED, "it has had its share of requests"),
            key=lambda rest: rest.seconds,
        )

    def start(self) -> None:
        """A request starts."""
        self.bucket.take()
        self.breaker.start()

    def answered(self, seconds: float) -> None:
        """The request started before was answered after so many seconds."""
        self._latencies.append(seconds)
        self.breaker.succeeded()

    def failed(self, failure: Failure) -> None:
        """The request started before failed: it is scored, and a Retry-After holds for all who ask this host."""
        pause = failure.retry_after_seconds
        if pause is None and failure.kind is Kind.RATE_LIMITED:
            pause = DEFAULT_PAUSE_SECONDS
        if pause is not None and self._clock() + pause > self._paused_until:
            self._paused_until, self._pause_kind = self._clock() + pause, failure.kind
        if failure.kind in _COUNTS_AGAINST_HOST:
            self.breaker.failed()
        else:
            self.breaker.succeeded()

    def hedge_seconds(self) -> float:
        """How long to wait before another server is asked as well: the 95th percentile of what was seen here."""
        if len(self._latencies) < _LATENCIES_NEEDED:
            return DEFAULT_HEDGE_SECONDS
        shortest, longest = _HEDGE_BOUNDS_SECONDS
        p95 = sorted(self._latencies)[math.ceil(0.95 * len(self._latencies)) - 1]
        return min(max(p95, shortest), longest)


@dataclass(frozen=True, slots=True)
class Rate:
    """What one host allows: so many requests a second in the long run, so many at once."""

    requests_per_second: float
    burst: int


class Hosts:
    """All hosts of a run, made when first asked for.

    Args:
        requests_per_second: long-run rate of each host.
        burst: how many requests may start at once at a host.
        rates: of hosts that say what they allow; they come before the two above.
    """

    def __init__(
        self,
        clock: Clock,
        requests_per_second: float = DEFAULT_REQUESTS_PER_SECOND,
        burst: int = DEFAULT_BURST,
        failures_to_open: int = 3,
        cool_down_seconds: float = 30.0,
        rates: Mapping[str, Rate] | None = None,
    ) -> None:
        self._clock, self._default, self._rates = clock, Rate(requests_per_second, burst), dict(rates or {})
        self._failures_to_open, self._cool_down = failures_to_open, cool_down_seconds
        self._hosts: dict[str, Host] = {}

    def of(self, host: str) -> Host:
        """The state of a host, by `Endpoint.host`."""
        if host not in self._hosts:
            rate = self._rates.get(host, self._default)
            bucket = TokenBucket(self._clock, rate.requests_per_second, rate.burst)
            breaker = CircuitBreaker(self._clock, self._failures_to_open, self._cool_down)
            self._hosts[host] = Host(self._clock, bucket, breaker)
        return self._hosts[host]
