"""Decisions about backfill jobs: what an answer, an empty page or a fault makes of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from assets.market.model import FetchReport, Instrument, Outcome, Resolution, SourceSymbol, Window
from assets.market.queue import MOST_ATTEMPTS, Candidate, Job, Status, after, route
from assets.market.store import Tracked
from assets.market.tracking import LEAD, due_window
from assets.network.errors import Failure, Kind

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
WINDOW = Window(START, START + 100 * DAY)
PAGE = Window(START, START + 40 * DAY)
JOB = Job(1, "crypto:BTC", "first", Resolution.DAY, WINDOW, START)


def candidate(name: str, keeps_since: datetime | None = None) -> Candidate:
    return Candidate(name, SourceSymbol(name, "crypto:BTC", "BTC/USD", "fiat:USD"), keeps_since)


ABLE = [candidate("first"), candidate("second")]
REPORT = FetchReport("first", "crypto:BTC", "bars 1d", PAGE, 1, Outcome.COMPLETE, rows=40)


def failed(kind: Kind, retry_after: float | None = None, requests: int = 1) -> FetchReport:
    return replace(REPORT, outcome=Outcome.FAILED, failure=Failure.of(kind, "", retry_after), requests=requests)


def test_the_first_source_that_still_has_the_page_is_asked_else_the_one_that_reaches_furthest() -> None:
    able = [candidate("recent", START + 10 * DAY), candidate("older", START + 5 * DAY)]
    assert route([*able, candidate("all")], START) == "all"
    assert route(able, START) == "older"
    assert route(able, START + 10 * DAY) == "recent"
    assert route(able, START + 10 * DAY, given_up=["recent"]) == "older"
    assert route(able, START, given_up=["recent"], empty_at=["older"]) is None


def test_a_page_moves_the_cursor_and_the_last_one_ends_the_job() -> None:
    step = after(JOB, PAGE, REPORT, ABLE, 0.5)
    assert (step.status, step.cursor, step.source, step.attempts) == (Status.QUEUED, PAGE.end, "first", 0)
    last = Window(START + 80 * DAY, WINDOW.end)
    assert after(replace(JOB, cursor=last.start), last, REPORT, ABLE, 0.5).status is Status.DONE


def test_a_page_with_gaps_is_looked_at_once_more_from_its_first_gap() -> None:
    gap = Window(START + 7 * DAY, START + 9 * DAY)
    step = after(JOB, PAGE, replace(REPORT, outcome=Outcome.GAPS, gaps=(gap,)), ABLE, 0.5)
    assert (step.cursor, step.look_again_until, step.source) == (gap.start, PAGE.end, "first")
    again = replace(JOB, cursor=gap.start, look_again_until=PAGE.end)
    assert again.rest == Window(gap.start, PAGE.end)
    for outcome in (Outcome.GAPS, Outcome.EMPTY, Outcome.COMPLETE):
        report = replace(REPORT, outcome=outcome, gaps=(gap,) if outcome is Outcome.GAPS else ())
        step = after(again, again.rest, report, ABLE, 0.5)
        assert (step.status, step.cursor, step.look_again_until) == (Status.QUEUED, PAGE.end, None)


@pytest.mark.parametrize("page", [PAGE, None])
def test_an_empty_page_is_asked_of_every_source_before_it_counts_as_empty(page: Window | None) -> None:
    empty = replace(REPORT, outcome=Outcome.EMPTY) if page else None
    step = after(JOB, page, empty, ABLE, 0.5)
    assert (step.status, step.source, step.cursor, step.empty_at) == (Status.QUEUED, "second", START, ("first",))
    step = after(replace(JOB, source="second", empty_at=("first",)), page, empty, ABLE, 0.5)
    # without a page nobody has anything up to the end of the window
    ended = (Status.QUEUED, PAGE.end) if page else (Status.DONE, WINDOW.end)
    assert (step.status, step.cursor) == ended
    assert step.empty_at == ()


@pytest.mark.parametrize("kind", [Kind.AUTH_OR_GEO, Kind.PERMANENT, Kind.QUOTA, Kind.TOO_BIG])
def test_what_no_repetition_cures_goes_to_the_next_source_and_fails_when_there_is_none(kind: Kind) -> None:
    step = after(JOB, PAGE, failed(kind), ABLE, 0.5)
    assert (step.status, step.source, step.given_up, step.cursor) == (Status.QUEUED, "second", ("first",), START)
    step = after(replace(JOB, source="second", given_up=("first",)), PAGE, failed(kind), ABLE, 0.5)
    assert (step.status, step.error_kind) == (Status.FAILED, kind)
    assert step.error


def test_a_passing_fault_waits_longer_each_time_and_then_goes_to_the_next_source() -> None:
    delays = []
    for attempt in range(1, MOST_ATTEMPTS):
        step = after(replace(JOB, attempts=attempt), PAGE, failed(Kind.TIMEOUT), ABLE, 0.5)
        assert (step.status, step.source, step.attempts) == (Status.QUEUED, "first", attempt)
        delays.append(step.delay_seconds)
    assert delays == [7.5, 15.0, 30.0, 60.0]
    step = after(replace(JOB, attempts=MOST_ATTEMPTS), PAGE, failed(Kind.TIMEOUT), ABLE, 0.5)
    assert (step.source, step.given_up) == ("second", ("first",))


def test_a_host_that_asked_to_be_left_alone_is_not_given_up_for_it() -> None:
    step = after(replace(JOB, attempts=MOST_ATTEMPTS), PAGE, failed(Kind.RATE_LIMITED, 300.0, requests=0), ABLE, 0.5)
    assert (step.status, step.source, step.attempts) == (Status.QUEUED, "first", MOST_ATTEMPTS - 1)
    assert step.delay_seconds == 300.5


def tracked(kind: str = "crypto:BTC", **known: datetime | bool | None) -> Tracked:
    return Tracked(Instrument(kind), Resolution.DAY, START, START + 50 * DAY, **known)  # type: ignore[arg-type]


def test_history_is_asked_for_once_then_what_closed_since_with_an_overlap() -> None:
    horizon = START + timedelta(days=30, hours=5)
    assert due_window(tracked(), horizon) == Window(START, START + 30 * DAY)
    assert due_window(tracked("fiat:EUR"), horizon) == Window(START - LEAD, START + 30 * DAY)
    known = tracked(asked_from=START, asked_until=START + 30 * DAY)
    assert due_window(known, horizon) is None
    assert due_window(known, horizon + DAY) == Window(START + 27 * DAY, START + 31 * DAY)
    # an as-of of the past needs nothing more
    assert due_window(known, START + 3 * DAY) is None


def test_an_earlier_purchase_asks_for_what_lies_before_without_a_hole() -> None:
    known = tracked(asked_from=START + 10 * DAY, asked_until=START + 30 * DAY)
    assert due_window(known, START + 60 * DAY) == Window(START, START + 10 * DAY)


def test_what_was_sold_is_asked_for_up_to_a_week_after() -> None:
    assert due_window(tracked(is_active=False), START + 99 * DAY) == Window(START, START + 57 * DAY)
