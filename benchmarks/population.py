"""Loading and valuing a population: `python -m benchmarks.population [portfolios] [transactions of each] [years]`.

Belongs here: a seeded inputs folder in the public format, one run of `holdfast run` over it, seconds by stage and peaks
of memory. By default 1,000 portfolios, 50 transactions each, 5 years of daily prices of 50 instruments.
"""

from __future__ import annotations

import random
import sys
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

from benchmarks._command import machine, run_holdfast, stage_seconds, temporary_home

LAST_DAY = date(2024, 12, 31)
BASES = ("USD", "EUR", "GBP")
INSTRUMENTS = [
    *((f"crypto:C{number}", "USD") for number in range(10)),
    *((f"etf:E{number}", ("USD", "EUR")[number % 2]) for number in range(20)),
    *((f"equity:S{number}", ("USD", "EUR", "GBP")[number % 3]) for number in range(20)),
]
RATES = {"EUR": 1.1, "GBP": 1.3}

Prices = dict[tuple[str, date], float]


def write_inputs(
    folder: Path, portfolios: int, transactions: int, years: int, rng: random.Random, holdings: int = 12
) -> int:
    """Write portfolios, prices, exchange rates and transactions; returns the rows of prices and rates.

    Each portfolio buys `holdings` instruments first and trades them from then on.
    """
    days = [LAST_DAY - timedelta(days=back) for back in range(365 * years, -1, -1)]
    for name in ("prices", "transactions"):
        (folder / name).mkdir(parents=True)
    prices, price_rows = _write_prices(folder / "prices", days, rng)
    lines = ["version: 1", "base_currency: USD", "portfolios:"]
    entries = ["portfolio,account,executed_at,type,instrument,quantity,price,currency,fee,fee_currency,external_id"]
    for number in range(portfolios):
        base = BASES[number % 3]
        kinds = ("FIFO", "LIFO", "HIFO", "ACB")
        lines.append(
            f"- {{id: p{number}, user_id: u{number // 2}, base_currency: {base}, cost_basis: {kinds[number % 4]}, "
            "accounts: [{id: main, kind: manual}]}"
        )
        entries += _portfolio(f"p{number}", base, transactions, days, prices, rng, holdings)
    (folder / "portfolios.yaml").write_text("\n".join(lines) + "\n")
    (folder / "transactions" / "all.csv").write_text("\n".join(entries) + "\n")
    return price_rows


def _write_prices(folder: Path, days: list[date], rng: random.Random) -> tuple[Prices, int]:
    """Random walks; coins have a price every day, listed things and exchange rates on weekdays."""
    prices: Prices = {}
    lines, rates = ["instrument,priced_at,price,currency"], ["instrument,priced_at,price,currency"]
    starts = [(name, currency, rng.uniform(5, 500), lines) for name, currency in INSTRUMENTS]
    starts += [(f"fiat:{name}", "USD", rate, rates) for name, rate in RATES.items()]
    for name, currency, level, target in starts:
        deviation = 0.004 if target is rates else 0.01
        for day in days:
            if day.weekday() < 5 or name.startswith("crypto:") or day == days[0]:
                level *= rng.lognormvariate(0, deviation)
                target.append(f"{name},{day},{level:.6f},{currency}")
            prices[name, day] = level
    (folder / "prices.csv").write_text("\n".join(lines) + "\n")
    (folder / "exchange_rates.csv").write_text("\n".join(rates) + "\n")
    return prices, len(lines) + len(rates) - 2


def _portfolio(
    name: str, base: str, transactions: int, days: list[date], prices: Prices, rng: random.Random, holdings: int
) -> list[str]:
    """A deposit of each currency, then purchases, sales of what is there, dividends, over the whole time."""
    first = days[rng.randrange(60)]
    chosen = rng.sample(INSTRUMENTS, holdings)
    currencies = sorted({currency for _, currency in chosen} | {base})
    rows = [f"{name},main,{first},DEPOSIT,fiat:{currency},1000000,,,,,{name}-{currency}" for currency in currencies]
    held: defaultdict[str, int] = defaultdict(int)
    open_days = [day for day in days if day > first]
    for number, day in enumerate(sorted(rng.choices(open_days, k=transactions - len(rows)))):
        instrument, currency = chosen[number] if number < holdings else rng.choice(chosen)
        price = prices[instrument, day]
        choice = rng.random()
        if held[instrument] and choice < 0.25:
            quantity = rng.randint(1, held[instrument])
            held[instrument] -= quantity
            rows.append(f"{name},main,{day},SELL,{instrument},{quantity},{price:.4f},{currency},1,{currency},{number}")
        elif held[instrument] and choice < 0.35 and not instrument.startswith("crypto:"):
            rows.append(f"{name},main,{day},DIVIDEND,{instrument},{rng.uniform(1, 50):.2f},,{currency},,,{number}")
        else:
            quantity = rng.randint(1, 40)
            held[instrument] += quantity
            rows.append(f"{name},main,{day},BUY,{instrument},{quantity},{price:.4f},{currency},1,{currency},{number}")
    return rows


def main(portfolios: int = 1000, transactions: int = 50, years: int = 5) -> None:
    """Print seconds by stage, rows a second and peak memory."""
    print(machine())
    with temporary_home() as home:
        inputs = home.parent / "inputs"
        price_rows = write_inputs(inputs, portfolios, transactions, years, random.Random(1))
        entries = portfolios * transactions
        print(f"{portfolios:,} portfolios, {entries:,} transactions, {price_rows:,} prices and rates of {years} years")
        run = run_holdfast(home, inputs, LAST_DAY.isoformat())
        for stage, seconds, text in stage_seconds(run):
            print(f"  {seconds:7.1f} s  {stage:<13} {text}")
        changed, seconds = run.summary["changed_rows"], run.seconds
        print(
            f"{run.summary['status']}: {seconds:.1f} s in all, {entries / seconds:,.0f} transactions a second, "
            f"{changed:,} rows published, {changed / seconds:,.0f} a second"
        )
        print(f"peak memory: process {run.process_peak:,.0f} MiB, server {run.server_peak:,.0f} MiB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
