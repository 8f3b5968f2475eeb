"""The portfolios of a run in parts by the hash of their user, worked on here, in a pool of processes, or on Dask.

Belongs here: how they are parted and where the parts are worked on. Must not be here: what an answer is (engine), SQL,
the environment.

Answers are the same bits however many parts there are and wherever they are worked on: an answer depends on its own
portfolio alone. A user's portfolios stay together.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from assets.allocation.answers import Answer, Attributes, Job
from assets.allocation.engine import answer
from assets.allocation.estimates import PriceSeries
from assets.allocation.inputs import Histories

#: parts of one worker: small enough that none waits long for the last
PARTS_EACH = 4


@dataclass(frozen=True)
class Shards:
    """Where the parts are worked on: `processes` of this machine, or the workers of Dask's scheduler at `dask`.

    Neither: here, in one part.
    """

    processes: int = 1
    dask: str | None = None


@dataclass(frozen=True)
class Part:
    """What one part needs; it can be pickled."""

    jobs: tuple[Job, ...]
    series: dict[str, PriceSeries]
    attributes: Attributes
    as_of_date: date
    sample: frozenset[str]


def answer_in_shards(
    shards: Shards, jobs: Sequence[Job], histories: Histories, attributes: Attributes, sample: frozenset[str]
) -> dict[str, Answer]:
    """As `engine.answer`, with the jobs in parts."""
    if shards.dask is not None:
        return _on_dask(shards.dask, lambda count: parts_of(count, jobs, histories, attributes, sample))
    if shards.processes > 1 and jobs:
        return _in_processes(
            shards.processes, parts_of(PARTS_EACH * shards.processes, jobs, histories, attributes, sample)
        )
    return answer(jobs, histories, attributes, sample)


def parts_of(
    count: int, jobs: Sequence[Job], histories: Histories, attributes: Attributes, sample: frozenset[str]
) -> list[Part]:
    """At most `count` parts, by the hash of the user, each with the histories that its portfolios need."""
    grouped: dict[int, list[Job]] = defaultdict(list)
    for job in jobs:
        grouped[shard_of(job.user_id, count)].append(job)
    parts = []
    for _, own in sorted(grouped.items()):
        names = {name for job in own for name in job.candidates}
        parts.append(
            Part(
                tuple(own),
                {name: series for name, series in histories.series.items() if name in names},
                {name: found for name, found in attributes.items() if name in names},
                histories.as_of_date,
                sample,
            )
        )
    return parts


def shard_of(user_id: str, count: int) -> int:
    """The number of a user's part, the same in any process and on any machine."""
    return int.from_bytes(hashlib.sha256(user_id.encode()).digest()[:8], "big") % count


def work(part: Part) -> dict[str, Answer]:
    """The answers of one part."""
    return answer(part.jobs, Histories(part.as_of_date, part.series), part.attributes, part.sample)


def _in_processes(count: int, parts: Sequence[Part]) -> dict[str, Answer]:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # a forked copy of a process with threads (Dagster's) may wait for ever on a lock that nobody holds there
    with ProcessPoolExecutor(count, mp_context=get_context("forkserver")) as pool:
        return _together(pool.map(work, parts))


def _on_dask(address: str, parts: Callable[[int], list[Part]]) -> dict[str, Answer]:
    from distributed import Client

    with Client(address) as client:
        workers = max(len(client.scheduler_info()["workers"]), 1)
        return _together(client.gather(client.map(work, parts(PARTS_EACH * workers), pure=False)))


def _together(found: Iterable[dict[str, Answer]]) -> dict[str, Answer]:
    return {name: one for answers in found for name, one in answers.items()}
