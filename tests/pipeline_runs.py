"""Small inputs folders and whole pipeline runs for the tests, through the same code as `holdfast run`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import yaml
from dagster import DagsterInstance

from assets.warehouse.database import connect
from orchestration.outcome import Outcome
from orchestration.pipeline import run_pipeline
from orchestration.settings import Settings, find_project_root

TRANSACTION_HEADER = "portfolio,account,executed_at,type,instrument,quantity,price,amount,currency,fee,fee_currency,tax,group_id,external_id"
PRICE_HEADER = "instrument,priced_at,price,currency"
#: Prices of the ten days for which nothing is wrong.
GOOD: list[float | str] = [100, 101, 102, 103, 104, 105, 106, 107, 108, 110]
DAYS = [f"2024-01-{day:02d}" for day in range(1, 11)]


def portfolio(identifier: str, **settings: Any) -> dict[str, Any]:
    """One entry of portfolios.yaml with one manual account `main`."""
    return {
        "id": identifier, "user_id": "user", "name": identifier,
        "accounts": [{"id": "main", "kind": "manual"}], **settings,
    }  # fmt: skip


def write_inputs(
    folder: Path,
    portfolios: list[dict[str, Any]],
    transactions: list[str] | None = None,
    prices: list[str] | None = None,
    instruments: list[str] | None = None,
    balances: list[str] | None = None,
) -> Path:
    """Write an inputs folder; transactions, prices and balances are CSV lines without their header."""
    for name in ("transactions", "prices", "balances"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    document = {"version": "1", "base_currency": "USD", "portfolios": portfolios}
    (folder / "portfolios.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    if transactions is not None:
        _write(folder / "transactions" / "ledger.csv", TRANSACTION_HEADER, transactions)
    if prices is not None:
        _write(folder / "prices" / "prices.csv", PRICE_HEADER, prices)
    if instruments is not None:
        _write(folder / "instruments.csv", "instrument,name,quote_currency,annualization_days", instruments)
    if balances is not None:
        _write(folder / "balances" / "balances.csv", "portfolio,account,instrument,balance_at,quantity", balances)
    return folder


def two_portfolios(folder: Path, prices: list[float | str] | None = None, extra: list[str] | None = None) -> Path:
    """The inputs of most whole runs: one portfolio with cash, stock and a benchmark, and another's single position."""
    return write_inputs(
        folder,
        [
            portfolio("cash-and-stock", benchmark="etf:SPY"),
            portfolio("other", user_id="somebody", cash="implicit"),
        ],
        transactions=[
            "cash-and-stock,main,2024-01-01,DEPOSIT,fiat:USD,10000,,,,,,,,d1",
            "cash-and-stock,main,2024-01-02,BUY,etf:SPY,10,101,,USD,1.50,USD,,,b1",
            "cash-and-stock,main,2024-01-05,DIVIDEND,etf:SPY,7,,,USD,,,,,i1",
            "other,main,2024-01-03,BUY,etf:SPY,1,102,,USD,,,,,b2",
            *(extra or []),
        ],
        prices=daily_prices("etf:SPY", prices or GOOD),
    )


def daily_prices(instrument: str, values: list[float | str], currency: str = "USD") -> list[str]:
    """Prices of consecutive days from 2024-01-01."""
    return [f"{instrument},{day},{value},{currency}" for day, value in zip(DAYS, values, strict=False)]


def run(inputs: Path, url: str, home: Path, as_of: str | None = "2024-01-10") -> Outcome:
    """One whole run, with Dagster's events in memory: test_command_line keeps them in PostgreSQL, as people do."""
    settings = Settings(home=home, project_root=find_project_root(), database_url=url)
    with DagsterInstance.ephemeral() as instance:
        return run_pipeline(settings, url, str(inputs), as_of, is_watched=False, instance=instance)


def rows(url: str, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """What a reader sees."""
    with connect(url) as connection:
        return connection.execute(query.encode(), list(parameters)).fetchall()


def one(url: str, query: str, *parameters: Any) -> Any:
    """A single value."""
    found = rows(url, query, *parameters)
    assert len(found) == 1, found
    return found[0][0]


def marts(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every mart's rows without columns that name a run or a clock, sorted: for comparing two databases."""
    from assets.publication.mart_specs import read_specs
    from assets.warehouse.dbt import MANIFEST

    content = {}
    with connect(url) as connection:
        for spec in read_specs(MANIFEST):
            if not spec.is_counted:
                continue
            names = [n for n in spec.column_names if n not in spec.clock_columns and n not in {"calculated_at"}]
            query = psycopg.sql.SQL("select {} from marts.{}").format(
                psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, names)), psycopg.sql.Identifier(spec.name)
            )
            content[spec.name] = sorted(connection.execute(query).fetchall(), key=repr)
    return content


def _write(path: Path, header: str, lines: list[str]) -> None:
    path.write_text("\n".join([header, *lines]) + "\n")
