"""Made holdings beside made daily rows, whose identity of value holds by construction."""

import itertools
from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl

from assets.performance.compute import day_number
from assets.performance.holdings import Holdings
from assets.performance.reading_holdings import ENTRY, POSITION, PackedRows, lay_out_holdings
from assets.performance.reading_reference import DayTable, Reference
from assets.performance.series import DailySeries
from tests.unit.performance.daily import daily_rows, daily_series

FIRST = date(2024, 1, 1)
BASE = "fiat:EUR"
FIRST_DAY = day_number(FIRST)
#: (instrument, first day, day after the last one or None, units, cost)
Position = tuple[str, int, int | None, float, float]
#: (instrument, day, gain)
Entry = tuple[str, int, float]


def reference(prices: dict[str, list[float]], benchmark: str | None = None, returns: Sequence[float] = ()) -> Reference:
    """One portfolio `p` in EUR; prices and the benchmark's returns from day 0 on, NaN where there is none."""
    values = np.array([*prices.values(), np.ones(len(next(iter(prices.values()))))])
    rows = {(BASE, name): row for row, name in enumerate([*prices, BASE])}
    own = {} if benchmark is None else {"p": benchmark}
    return Reference(
        prices=DayTable(rows, values, FIRST_DAY),
        returns=DayTable({(BASE, name): 0 for name in own.values()}, np.array([list(returns)]), FIRST_DAY),
        base_currency={"p": BASE},
        benchmark=own,
        user={"p": "u"},
        asset_class={name: name.partition(":")[0] for name in [*prices, BASE, *own.values()]},
        with_dividends=frozenset(),
        last_day=FIRST_DAY + values.shape[1] - 1,
    )


def holdings(series: DailySeries, shared: Reference, positions: list[Position], entries: list[Entry]) -> Holdings:
    """Of portfolio `p`, days counted from 0."""
    names = sorted(shared.asset_class)
    held = [
        (
            names.index(name) + 1,
            FIRST_DAY + first,
            shared.last_day + 1 if after is None else FIRST_DAY + after,
            units,
            cost,
        )
        for name, first, after, units, cost in positions
    ]
    entered = [(names.index(name) + 1, FIRST_DAY + day, gain) for name, day, gain in entries]
    return lay_out_holdings(names, _rows(held, POSITION), _rows(entered, ENTRY), series, shared)


def _rows(records: list[tuple[float, ...]], kind: np.dtype) -> PackedRows:
    return PackedRows(np.zeros(len(records), dtype=np.int64), np.array(records, dtype=kind))


def series_of(value: list[float], inflow: list[float], outflow: list[float]) -> DailySeries:
    """Daily rows with the return that value and flows make."""
    before = np.concatenate([[0.0], value[:-1]])
    capital = before + np.array(inflow)
    returns = [(v + out) / base - 1 if base > 0 else None for v, out, base in zip(value, outflow, capital, strict=True)]
    rows = daily_rows(FIRST, [0.0] * (len(value) - 1)).with_columns(
        pl.Series("day", FIRST_DAY + np.arange(len(value))),
        pl.Series("value_base", value),
        pl.Series("inflow_base", inflow),
        pl.Series("outflow_base", outflow),
        pl.Series("twr_return", returns, dtype=pl.Float64),
    )
    return daily_series(rows)


def random_case(seed: int, days: int = 60) -> tuple[DailySeries, Holdings, Reference]:
    """Instruments of three classes, held in random intervals at any cost, with entries; the flows close the identity."""
    generator = np.random.default_rng(seed)
    names = ["crypto:A", "crypto:B", "equity:C", "etf:D", BASE]
    prices = {name: (50 * np.exp(np.cumsum(generator.normal(0, 0.03, days)))).tolist() for name in names[:-1]}
    prices["equity:C"][:10] = [float("nan")] * 10
    shared = reference(prices, "etf:D", generator.normal(0, 0.01, days).tolist())
    positions: list[Position] = []
    for name in names:
        cuts = np.unique(generator.integers(0, days, 6))
        for start, end in itertools.pairwise(cuts):
            if generator.random() < 0.8:
                units = float(generator.lognormal(1, 1)) * (-0.2 if generator.random() < 0.1 else 1.0)
                positions.append((name, int(start), int(end), units, float(generator.lognormal(4, 1))))
    entries = [
        (str(generator.choice(names)), int(generator.integers(0, days)), float(generator.normal(0, 5)))
        for _ in range(25)
    ]
    value, gain = np.zeros(days), np.zeros(days)
    for name, start, end, units, cost in positions:
        price = np.array([1.0] * days if name == BASE else prices[name])
        worth = np.where(np.isnan(price), 0.0, units * price)
        unrealised = np.where(np.isnan(price), 0.0, units * price - cost)
        is_held = (np.arange(days) >= start) & (np.arange(days) < (end or days))
        value += np.where(is_held, worth, 0.0)
        gain += np.diff(np.where(is_held, unrealised, 0.0), prepend=0.0)
    for _, day, amount in entries:
        gain[day] += amount
    flow = np.diff(value, prepend=0.0) - gain
    series = series_of(value.tolist(), np.maximum(flow, 0.0).tolist(), np.maximum(-flow, 0.0).tolist())
    return series, holdings(series, shared, positions, entries), shared
