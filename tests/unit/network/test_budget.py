import pytest

from assets.network.budget import CircuitBreaker, Deadline, Hosts, TokenBucket
from assets.network.errors import Failure, Kind


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_deadline(clock):
    deadline = Deadline(clock, 5.0)
    assert deadline.remaining() == 5.0
    clock.now += 4
    assert deadline.remaining() == 1.0
    clock.now += 4
    assert deadline.remaining() == 0.0


def test_bucket_lets_a_burst_through_and_then_the_rate(clock):
    bucket = TokenBucket(clock, per_second=10, burst=3)
    for _ in range(3):
        assert bucket.wait_seconds() == 0
        bucket.take()
    assert bucket.wait_seconds() == pytest.approx(0.1)
    taken = 0
    for _ in range(100):
        clock.now += 0.01
        while bucket.wait_seconds() == 0:
            bucket.take()
            taken += 1
    assert taken == 10
    clock.now += 3_600
    assert bucket.wait_seconds() == 0
    for _ in range(3):
        bucket.take()
    assert bucket.wait_seconds() > 0


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0), (float("nan"), 1)])
def test_bucket_refuses_what_would_never_let_anything_through(clock, rate, burst):
    with pytest.raises(ValueError, match="expected > 0"):
        TokenBucket(clock, rate, burst)


def test_breaker_opens_half_opens_and_closes(clock):
    breaker = CircuitBreaker(clock, failures_to_open=3, cool_down_seconds=30)
    for _ in range(3):
        assert breaker.wait_seconds() == 0
        breaker.start()
        breaker.failed()
    assert breaker.wait_seconds() == 30
    clock.now += 30
    assert breaker.wait_seconds() == 0
    breaker.start()
    assert breaker.wait_seconds() > 0  # one probe at a time
    breaker.cancelled()
    assert breaker.wait_seconds() == 0
    breaker.start()
    breaker.failed()
    assert breaker.wait_seconds() == 30  # one failure opens it again
    clock.now += 30
    breaker.start()
    breaker.succeeded()
    breaker.start()
    breaker.failed()
    assert breaker.wait_seconds() == 0


def test_only_failures_in_a_row_open_the_breaker(clock):
    breaker = CircuitBreaker(clock, failures_to_open=2)
    for _ in range(5):
        breaker.failed()
        breaker.succeeded()
    assert breaker.wait_seconds() == 0


@pytest.mark.parametrize(
    ("kind", "counts"),
    [(kind, kind in {Kind.TIMEOUT, Kind.SERVER, Kind.MALFORMED, Kind.AUTH_OR_GEO, Kind.QUOTA, Kind.WRONG_CHAIN}) for kind in Kind],
)  # fmt: skip
def test_what_counts_against_a_host(clock, kind, counts):
    host = Hosts(clock, failures_to_open=1).of("a")
    host.start()
    host.failed(Failure.of(kind))
    assert (host.breaker.wait_seconds() > 0) is counts


def test_a_pause_holds_for_the_host_and_a_shorter_one_does_not_end_it(clock):
    hosts = Hosts(clock)
    hosts.of("a").failed(Failure.of(Kind.SERVER, retry_after_seconds=20))
    hosts.of("a").failed(Failure.of(Kind.RATE_LIMITED))
    rest = hosts.of("a").rest()
    assert (rest.seconds, rest.kind) == (20, Kind.SERVER)
    assert hosts.of("b").rest().seconds == 0
    clock.now += 20
    assert hosts.of("a").rest().seconds == 0


def test_rate_limited_without_a_time_pauses_for_a_second(clock):
    host = Hosts(clock).of("a")
    host.failed(Failure.of(Kind.RATE_LIMITED))
    assert host.rest().seconds == 1.0


def test_hedge_delay_is_the_95th_percentile_of_what_was_seen(clock):
    host = Hosts(clock).of("a")
    assert host.hedge_seconds() == 0.4
    for number in range(1, 21):
        host.answered(number / 100)
    assert host.hedge_seconds() == pytest.approx(0.19)
    for _ in range(64):
        host.answered(0.0001)
    assert host.hedge_seconds() == 0.05
    for _ in range(64):
        host.answered(9)
    assert host.hedge_seconds() == 1.0
