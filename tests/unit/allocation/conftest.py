"""Prices and estimates that the tests of the allocation share."""

import csv
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from assets.allocation.estimates import Estimates, PriceSeries, make_estimates
from assets.allocation.model import FloatArray

DATA = Path(__file__).parents[2] / "data" / "pypfopt"


@pytest.fixture(scope="session")
def stock_series() -> list[PriceSeries]:
    """The 20 stocks of PyPortfolioOpt's tests, 896 days (see tests/data/pypfopt/README.md)."""
    with gzip.open(DATA / "stock_prices_2014_2018.csv.gz", "rt") as file:
        rows = list(csv.reader(file))
    dates = np.array([row[0] for row in rows[1:]], dtype="datetime64[D]")
    series = []
    for column, symbol in enumerate(rows[0][1:], start=1):
        prices = np.array([float(row[column]) for row in rows[1:]])
        series.append(PriceSeries(f"equity:{symbol}", dates, prices, prices))
    return series


@pytest.fixture(scope="session")
def published(stock_series: list[PriceSeries]) -> Estimates:
    """Mean and sample covariance of the whole file (the inputs of the published figures), returns of the excerpt."""
    with (DATA / "moments_1989_2018.csv").open() as file:
        rows = list(csv.reader(file))
    symbols = [row[0] for row in rows[1:]]
    assert symbols == rows[0][2:]
    values = np.array([[float(cell) for cell in row[1:]] for row in rows[1:]])
    returns = np.column_stack([item.prices[1:] / item.prices[:-1] - 1 for item in stock_series])
    labels = tuple(f"equity:{symbol}" for symbol in symbols)
    assert labels == tuple(item.label for item in stock_series)
    return make_estimates(labels, values[:, 0], values[:, 1:], returns, 252)


@pytest.fixture(scope="session")
def ledoit_wolf() -> FloatArray:
    """The shrunk covariance of the whole file."""
    with (DATA / "ledoit_wolf_1989_2018.csv").open() as file:
        rows = list(csv.reader(file))
    return np.array([[float(cell) for cell in row[1:]] for row in rows[1:]])


@pytest.fixture
def make_series() -> Callable[..., PriceSeries]:
    """Builds a daily random walk that ends on 2024-06-30, by label and seed."""

    def build(
        label: str,
        seed: int,
        days: int = 200,
        drift: float = 0.0005,
        deviation: float = 0.01,
        business_days: bool = False,
        annualization_days: int = 365,
    ) -> PriceSeries:
        last = np.datetime64("2024-06-30", "D")
        dates = np.arange(last - np.timedelta64(days - 1, "D"), last + np.timedelta64(1, "D"), dtype="datetime64[D]")
        steps = np.random.default_rng(seed).normal(drift, deviation, days)
        prices = 100 * np.cumprod(1 + steps)
        if business_days:
            is_business = np.is_busday(dates)
            dates, prices = dates[is_business], prices[is_business]
        return PriceSeries(label, dates, prices, prices, annualization_days, 5)

    return build
