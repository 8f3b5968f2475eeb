"""Portfolios in parts: the same bits however many there are and wherever they are worked on."""

import pickle
from collections.abc import Iterator
from datetime import date

import numpy as np
import pytest

from assets.allocation.answers import Answer, Job
from assets.allocation.engine import answer
from assets.allocation.estimates import PriceSeries
from assets.allocation.inputs import Histories
from assets.allocation.model import AllocationPolicy
from assets.allocation.shards import Shards, answer_in_shards, parts_of, shard_of, work

AS_OF = date(2024, 6, 30)
NAMES = [f"crypto:{letter}" for letter in "ABCDEFGH"]
OBJECTIVES = ("min_volatility", "max_sharpe", "hrp")


@pytest.fixture(scope="module")
def histories() -> Histories:
    last = np.datetime64(AS_OF, "D")
    dates = np.arange(last - np.timedelta64(149, "D"), last + np.timedelta64(1, "D"), dtype="datetime64[D]")
    rng = np.random.default_rng(6)
    market = rng.normal(0.001, 0.01, 150)
    series = {}
    for name in NAMES:
        prices = 100 * np.cumprod(1 + market + rng.normal(0.0004, 0.012, 150))
        series[name] = PriceSeries(name, dates, prices, prices, 365, 5)
    return Histories(AS_OF, series)


@pytest.fixture(scope="module")
def jobs() -> list[Job]:
    rng = np.random.default_rng(7)
    return [
        Job(
            f"p{number}",
            f"u{number % 11}",
            AllocationPolicy(OBJECTIVES[number % 3], max_weight=0.6),
            tuple(sorted(rng.choice(NAMES, 3 + number % 4, replace=False).tolist())),
            0.01,
        )
        for number in range(30)
    ]


@pytest.fixture(scope="module")
def whole(jobs: list[Job], histories: Histories) -> dict[str, bytes]:
    return bits(answer(jobs, histories, {}, frozenset()))


@pytest.fixture
def dask() -> Iterator[str]:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp"
    ) as cluster:
        yield cluster.scheduler_address


def bits(found: dict[str, Answer]) -> dict[str, bytes]:
    return {
        name: pickle.dumps(
            (one.outcome.status, one.outcome.weights.tobytes(), one.outcome.figures, one.frontier.volatility.tobytes())
        )
        for name, one in sorted(found.items())
        if one.outcome.weights is not None and one.frontier is not None
    }


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_parts_give_the_same_bits(jobs: list[Job], histories: Histories, whole: dict[str, bytes], count: int) -> None:
    parts = parts_of(count, jobs, histories, {}, frozenset())
    assert len(parts) <= min(count, 11)
    found: dict[str, Answer] = {}
    for part in parts:
        found |= work(pickle.loads(pickle.dumps(part)))
    assert len(whole) == 30
    assert bits(found) == whole


def test_processes_give_the_same_bits(jobs: list[Job], histories: Histories, whole: dict[str, bytes]) -> None:
    assert bits(answer_in_shards(Shards(processes=2), jobs, histories, {}, frozenset())) == whole


def test_dask_gives_the_same_bits(jobs: list[Job], histories: Histories, whole: dict[str, bytes], dask: str) -> None:
    assert bits(answer_in_shards(Shards(dask=dask), jobs, histories, {}, frozenset())) == whole


def test_a_user_stays_in_one_part(jobs: list[Job], histories: Histories) -> None:
    parts = parts_of(4, jobs, histories, {}, frozenset())
    seen: dict[str, int] = {}
    for number, part in enumerate(parts):
        for job in part.jobs:
            assert seen.setdefault(job.user_id, number) == number
    assert shard_of("alice", 1000) == 207
