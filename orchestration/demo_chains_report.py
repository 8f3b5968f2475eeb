"""What `holdfast demo-chains` prints of its run: each chain, the holdings, and whether every seeded balance came back.

Belongs here: queries for that and their tables. Must not be here: the demo itself (demo_chains_command).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from assets.network.endpoints import endpoints_of
from assets.warehouse.database import Connection

if TYPE_CHECKING:
    from assets.wallets.demo.treasury import MadeUpBalance

#: Rows of the table of holdings; the rest is counted.
_SHOWN = 15
_PROBLEM_CHARACTERS = 160


def print_report(
    conn: Connection, portfolio: str, balances: Sequence[MadeUpBalance], endpoints: Mapping[str, Sequence[str]]
) -> bool:
    """Print it; the answer tells whether all that was put on living chains was read, to the last unit.

    Args:
        conn: of the demo's own database.
        portfolio: the one of the demo.
        balances: what was put on the chains.
        endpoints: addresses by chain, in the order in which they are asked.
    """
    console = Console(width=None if Console().is_terminal else 150, highlight=False)
    console.print(_chains(conn, endpoints))
    console.print(_holdings(conn, portfolio))
    for line in _totals(conn, portfolio):
        console.print(line)
    read = {
        (wallet, instrument): amount
        for wallet, instrument, amount in conn.execute(
            "select distinct on (wallet, instrument_id) wallet, instrument_id, raw_amount from raw.wallet_balances"
            " order by wallet, instrument_id, balance_id desc"
        )
    }
    wrong = [one for one in balances if read.get((one.wallet, one.instrument_id)) != one.raw_amount]
    console.print(f"made-up balances read back to the last unit: {len(balances) - len(wrong)} of {len(balances)}")
    for one in wrong[:_SHOWN]:
        found = read.get((one.wallet, one.instrument_id))
        console.print(f"  {one.instrument_id} of {one.wallet}: put {one.raw_amount}, read {found}")
    return not wrong


def _chains(conn: Connection, endpoints: Mapping[str, Sequence[str]]) -> Table:
    table = Table(title="What the chains said", title_justify="left")
    for heading in ("chain", "endpoint", "block", "ms", "requests", "read", "coverage", "remarks"):
        is_number = heading in {"block", "ms", "requests", "read", "coverage"}
        table.add_column(heading, justify="right" if is_number else "left", no_wrap=heading != "remarks")
    rows = conn.execute(
        "select distinct on (chain) chain, endpoint, block_number, seconds, tries, cells_ok + cells_zero,"
        " cells_ok + cells_zero + cells_failed + cells_unsupported + cells_quarantined,"
        " concat_ws('; ', failure, problems)"
        " from raw.chain_reads order by chain, read_id desc"
    ).fetchall()
    remarks = {row[0]: _remarks(row[1], row[7], endpoints.get(row[0], ())) for row in rows}
    # what went wrong stands on top
    for chain, endpoint, block, seconds, tries, read, asked, _ in sorted(rows, key=lambda row: not remarks[row[0]]):
        table.add_row(
            chain, endpoint or "-", "-" if block is None else f"{block:,}", f"{1000 * seconds:,.0f}", str(tries),
            f"{read} of {asked}", f"{read / asked:.0%}" if asked else "-", remarks[chain],
        )  # fmt: skip
    return table


def _holdings(conn: Connection, portfolio: str) -> Table:
    table = Table(title="Largest holdings (balances made up, prices of 2021)", title_justify="left")
    for heading in ("asset", "chain", "balance", "price USD", "of", "value USD", "balance is", "price is", "block"):
        is_number = heading in {"balance", "price USD", "value USD", "block"}
        table.add_column(heading, justify="right" if is_number else "left", no_wrap=True)
    for symbol, chain, balance, price, price_at, value, status, price_status, block in conn.execute(
        "select asset_symbol, chain_id, balance, price_usd, price_at, value_usd, balance_status, price_status,"
        " block_number from marts.portfolio_assets where portfolio_id = %s"
        # what could not be read stands on top: it is what a person should look at
        " order by balance is null desc, value_usd desc nulls last, chain_id, instrument_id limit %s",
        [portfolio, _SHOWN],
    ):
        day = "" if price_at is None else f"{price_at:%Y-%m-%d}"
        table.add_row(
            symbol or "?", chain, _number(balance), _number(price), day, _number(value), status, price_status,
            "-" if block is None else f"{block:,}",
        )  # fmt: skip
    return table


def _totals(conn: Connection, portfolio: str) -> list[str]:
    row: Any = conn.execute(
        "select count(*), count(value_usd), count(*) filter (where balance is not null and value_usd is null),"
        " count(*) filter (where balance is null), coalesce(sum(value_usd), 0)"
        " from marts.portfolio_assets where portfolio_id = %s",
        [portfolio],
    ).fetchone()
    held, valued, unpriced, unread, value = row
    snapshot: Any = conn.execute(
        "select chain_coverage_ratio, is_complete from marts.portfolio_snapshots"
        " where portfolio_id = %s order by snapshot_timestamp desc limit 1",
        [portfolio],
    ).fetchone()
    coverage, is_complete = snapshot
    warned = conn.execute(
        "select check_name, count(*) from marts.data_quality where not passed and severity <> 'info'"
        " group by check_name order by check_name"
    )
    return [
        f"holdings: {held}, of which {valued} have a value ({_number(value)} USD together, of made-up balances),"
        f" {unpriced} no price (unknown, not 0), {unread} no balance",
        f"chains read: {coverage:.0%}; the portfolio is {'complete' if is_complete else 'marked incomplete'}",
        "checks that warned: " + ", ".join(f"{name} {count}" for name, count in warned),
    ]


def _remarks(endpoint: str | None, problem: str, urls: Sequence[str]) -> str:
    labels = [one.label for one in endpoints_of(urls)]
    place = labels.index(endpoint) if endpoint in labels else 0
    passed_over = f"answered by endpoint {place + 1}; passed over: {', '.join(labels[:place])}" if place else ""
    text = "; ".join(filter(None, (passed_over, problem)))
    return text if len(text) <= _PROBLEM_CHARACTERS else text[: _PROBLEM_CHARACTERS - 1] + "…"


def _number(value: Decimal | None) -> str:
    return "unknown" if value is None else f"{value:,.2f}"
