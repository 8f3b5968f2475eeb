"""Thirty ways in which prices go wrong, seeded; what landing and acceptance make of them, as a table.

Belongs here: the mistakes and the count. The test says what must be caught; `python -m tests.unit.market.corruptions`
prints the table of docs/price_acceptance.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache

import numpy as np
import polars as pl

from assets.market.acceptance import judge
from assets.market.calendars import exchange_sessions
from assets.market.candles import assemble
from assets.market.model import Bar, Resolution, Window
from tests.unit.market.price_frames import SPREADS, START, bars, none, walk

SEEDS = range(3)
HISTORY, PAGE = 120, 40
PRICES = ("open", "high", "low", "close")
SESSIONS = exchange_sessions(["XNYS"], date(2024, 1, 1), date(2024, 12, 31))

Corrupt = Callable[[pl.DataFrame, np.random.Generator], pl.DataFrame]


@dataclass(frozen=True)
class Corruption:
    """One mistake.

    Attributes:
        asset_class: of the instrument that it befalls.
        corrupt: changes a page of 40 bars.
        company: a second source has the right prices.
        history: 120 accepted bars of the same source come before.
    """

    name: str
    asset_class: str
    corrupt: Corrupt
    company: bool = False
    history: bool = True


def _scaled(factor: float, *, first: int | None = None, count: int | None = None, volume: float = 1.0) -> Corrupt:
    def corrupt(page: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
        start = int(random.integers(5, 30)) if first is None else first
        at = pl.int_range(pl.len()).is_between(start, start + (count or PAGE) - 1)
        return page.with_columns(
            pl.when(at)
            .then(pl.col(name) * (factor if name != "volume" else volume))
            .otherwise(pl.col(name))
            .alias(name)
            for name in (*PRICES, "volume")
        )

    return corrupt


def _set(name: str, value: float) -> Corrupt:
    def corrupt(page: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
        at = pl.int_range(pl.len()) == int(random.integers(5, 30))
        return page.with_columns(pl.when(at).then(value).otherwise(pl.col(name)).alias(name))

    return corrupt


def _shifted(delta: timedelta) -> Corrupt:
    return lambda page, random: page.with_columns(pl.col("opened_at", "priced_at") + delta)


def _renamed(**names: str) -> Corrupt:
    return lambda page, random: page.with_columns(**{new: pl.col(old) for new, old in names.items()})


def _inverse(count: int) -> Corrupt:
    def corrupt(page: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
        at = pl.int_range(pl.len()).is_between(12, 11 + count)
        inverted = {"open": "open", "close": "close", "high": "low", "low": "high"}
        return page.with_columns(
            pl.when(at).then(1 / pl.col(old)).otherwise(pl.col(new)).alias(new) for new, old in inverted.items()
        )

    return corrupt


def _frozen(first: int, count: int) -> Corrupt:
    def corrupt(page: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
        rows = list(range(first)) + [first - 1] * count + list(range(first + count, PAGE))
        return page[rows].with_columns(page["opened_at"], page["priced_at"])

    return corrupt


def _other_symbol(page: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    closes = walk(PAGE, SPREADS["crypto"], int(random.integers(1, 1_000)), 37.0)
    return bars(closes, days=page["opened_at"].to_list()).with_columns(pl.col("priced_at"))


def _duplicated(factor: float) -> Corrupt:
    return lambda page, random: pl.concat([page, page[10:20].with_columns(pl.col(*PRICES) * factor)])


def _drift(page: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    return page.with_columns(pl.col(*PRICES) * (1.005 ** pl.int_range(pl.len())))


def _exchanged(page: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    row = int(random.integers(5, 30))
    order = [*range(row), row + 1, row, *range(row + 2, PAGE)]
    return page[order].with_columns(page["opened_at"], page["priced_at"])


def _week_ends(page: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    extra = page.filter(pl.col("opened_at").dt.weekday() == 5)
    return pl.concat([page, extra.with_columns(pl.col("opened_at", "priced_at") + timedelta(days=1))])


CORRUPTIONS = (
    Corruption("one bar times 100", "equity", _scaled(100, count=1)),
    Corruption("pence for pounds from a day on", "etf", _scaled(100, first=20)),
    Corruption("pounds for pence, whole page", "etf", _scaled(0.01, first=0)),
    Corruption("one bar times 10", "crypto", _scaled(10, count=1)),
    Corruption("decimals of the token wrong, whole page", "token", _scaled(1e-6, first=0)),
    Corruption("decimal point lost", "fiat", _scaled(1e4, count=1)),
    Corruption("negative price", "crypto", _scaled(-1, count=1)),
    Corruption("price of zero", "equity", _set("close", 0.0)),
    Corruption("NaN", "crypto", _set("close", float("nan"))),
    Corruption("infinite high", "crypto", _set("high", float("inf"))),
    Corruption("high and low exchanged", "equity", _renamed(high="low", low="high")),
    Corruption("columns one to the left", "crypto", _renamed(open="high", high="low", low="close", close="volume")),
    Corruption("a day late, exchange", "equity", _shifted(timedelta(days=1))),
    Corruption("a day early, exchange", "equity", _shifted(timedelta(days=-1))),
    Corruption("a day late, beside another source", "crypto", _shifted(timedelta(days=1)), company=True),
    Corruption("a day late, alone", "crypto", _shifted(timedelta(days=1))),
    Corruption("time zone: bars open at 05:00", "crypto", _shifted(timedelta(hours=5))),
    Corruption("frozen for 20 bars", "crypto", _frozen(15, 20)),
    Corruption("frozen for 3 bars, alone", "crypto", _frozen(15, 3)),
    Corruption("frozen for 10 bars, beside another source", "crypto", _frozen(15, 10), company=True),
    Corruption("rows repeated", "crypto", _duplicated(1.0)),
    Corruption("rows repeated with other prices", "crypto", _duplicated(1.02)),
    Corruption("inverse quote, one bar", "fiat", _inverse(1)),
    Corruption("inverse quote from a day on", "fiat", _inverse(PAGE)),
    Corruption("another symbol's prices, with history", "crypto", _other_symbol),
    Corruption("another symbol's prices, first page, alone", "crypto", _other_symbol, history=False),
    Corruption("another symbol's prices, beside another source", "crypto", _other_symbol, company=True, history=False),
    Corruption("a split of 4:1 that nobody announced", "equity", _scaled(0.25, first=20, volume=4.0)),
    Corruption("one bar 60 % too high", "crypto", _scaled(1.6, count=1)),
    Corruption("two bars 60 % too high, alone", "crypto", _scaled(1.6, count=2)),
    Corruption("one bar 3 % too high, alone", "equity", _scaled(1.03, count=1)),
    Corruption("drifts by 0.5 % a day, alone", "equity", _drift),
    Corruption("drifts by 0.5 % a day, beside another source", "equity", _drift, company=True),
    Corruption("euros called dollars, beside another source", "etf", _scaled(0.92, first=0), company=True),
    Corruption("two bars exchanged, alone", "crypto", _exchanged),
    Corruption("bars of Saturdays", "fiat", _week_ends),
)  # fmt: skip


@dataclass(frozen=True)
class Caught:
    """Of one mistake over all seeds.

    Attributes:
        wrong: rows that say something else than the truth, or that no market had.
        stopped: those of them that did not count.
        lost: right rows that did not count either.
    """

    wrong: int
    stopped: int
    lost: int
    reasons: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """In a word."""
        return "caught" if self.stopped == self.wrong else "partly" if self.stopped > self.wrong / 2 else "not caught"


@cache
def measure(corruption: Corruption) -> Caught:
    """Corrupt pages and count; the clean pages beside them were accepted whole, which is asserted."""
    wrong = stopped = lost = 0
    reasons: set[str] = set()
    for seed in SEEDS:
        random = np.random.default_rng(seed)
        truth, company = _world(corruption.asset_class, seed)
        history = truth[:HISTORY] if corruption.history else none()
        page = truth[HISTORY:]
        others = company[HISTORY:] if corruption.company else none()
        assert not _counted(history, page, others)[1], f"{corruption.name}: clean prices are held"
        bad = corruption.corrupt(page, random)
        accepted, found = _counted(history, bad, others)
        right = set(page.select("opened_at", "close").iter_rows())
        rows = [*bad.select("opened_at", "close").iter_rows()]
        of_bad = sum(row not in right for row in rows) + (len(rows) - len(set(rows)))
        kept = [*accepted.select("opened_at", "close").iter_rows()]
        kept_bad = sum(row not in right for row in kept) + (len(kept) - len(set(kept)))
        if corruption.name in _SOUND_CLOSES:  # the closes are right, the bars are not
            of_bad, kept_bad = _SOUND_CLOSES[corruption.name](bad), _SOUND_CLOSES[corruption.name](accepted)
        wrong, stopped = wrong + of_bad, stopped + of_bad - kept_bad
        lost += (len(rows) - of_bad) - (len(kept) - kept_bad)
        reasons |= found
    return Caught(wrong, stopped, lost, tuple(sorted(reasons)))


#: Mistakes that leave the close alone, and how many rows show them.
_SOUND_CLOSES: dict[str, Callable[[pl.DataFrame], int]] = {
    "infinite high": lambda rows: rows["high"].is_infinite().sum(),
    "high and low exchanged": lambda rows: (rows["high"] < rows["low"]).sum(),
}


def _world(asset_class: str, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The right prices of one instrument at two sources."""
    days = [START + timedelta(days=i) for i in range(HISTORY + PAGE)]
    venue = None
    if asset_class in ("equity", "etf"):
        venue = "XNYS"
        days = [datetime.combine(day, datetime.min.time(), UTC) for day in SESSIONS[venue].days.tolist()]
    elif asset_class == "fiat":
        days = [day for day in (START + timedelta(days=i) for i in range(300)) if day.weekday() < 5]
    days = days[: HISTORY + PAGE]
    start = {"fiat": 1.25, "token": 3.0}.get(asset_class, 100.0)
    closes = walk(len(days), SPREADS[asset_class], seed + 100, start)
    noise = np.exp(np.random.default_rng(seed).normal(0, 0.001, len(days)))
    own = bars(closes, asset_class=asset_class, days=days, venue=venue, seed=seed)
    return own, bars(closes * noise, asset_class=asset_class, days=days, venue=venue, source="yahoo", seed=seed + 1)


def _counted(history: pl.DataFrame, page: pl.DataFrame, others: pl.DataFrame) -> tuple[pl.DataFrame, set[str]]:
    """The rows that count after landing and acceptance, and why the others do not."""
    landed, found = page, set[str]()
    if page["asset_class"][0] == "crypto":  # a market that never closes has a grid
        window = Window(START, START + timedelta(days=400))
        told = [
            Bar("crypto:X", at, Resolution.DAY, None, None, None, Decimal(repr(close)), None, "fiat:USD", "x")
            for at, close in page.select("opened_at", "close").iter_rows()
        ]
        kept = assemble(told, window, Resolution.DAY, START + timedelta(days=800))
        landed = page.filter(pl.col("opened_at").is_in([bar.opened_at for bar in kept.bars]))
        landed = landed.unique("opened_at", keep="last", maintain_order=True)
        found |= {"landing: repeated"} if kept.duplicates > kept.contradictions else set()
        found |= {"landing: told in two ways"} if kept.contradictions else set()
        found |= {"landing: off the grid"} if kept.outside else set()
    verdicts = judge(history, landed, SESSIONS, others, START + timedelta(days=800))
    accepted = landed.filter(verdicts["status"] == "accepted")
    return accepted, found | set(verdicts["reason"].drop_nulls().to_list())


def table() -> str:
    """The report, as Markdown."""
    lines = [
        "| mistake | class | wrong rows | stopped | right rows lost | answer | by |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for corruption in CORRUPTIONS:
        caught = measure(corruption)
        lines.append(
            f"| {corruption.name} | {corruption.asset_class} | {caught.wrong} | {caught.stopped} | {caught.lost} |"
            f" {caught.verdict} | {', '.join(caught.reasons) or '-'} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
