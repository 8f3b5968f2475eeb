"""What the command line prints at the end: the published portfolios, the warnings, and where to look next."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table

from assets.publication.report import summary_table
from assets.warehouse.database import Connection

#: Rows of the table; the rest is counted.
_SHOWN = 12
_COLUMNS = ("portfolio", "net value", "30d TWR", "total TWR", "MWR", "drawdown", "top weights", "state")
_FEW_COLUMNS = ("portfolio", "net value", "total TWR", "state")
_WIDE_ENOUGH = 110
#: Places of a check that did not pass; the rest is counted.
_SHOWN_PLACES = 3


def print_summary(conn: Connection) -> None:
    """Print the last publication as a table, and what did not pass."""
    # names and reasons come from files: a [word] in them is no markup
    console = Console(width=None if Console().is_terminal else 150, highlight=False, markup=False, emoji=False)
    publication = conn.execute(
        "select publication_id, as_of, checks_passed, checks_warned, held_portfolios"
        " from marts.publications order by publication_id desc limit 1"
    ).fetchone()
    if publication is None:
        console.print("nothing published yet: holdfast run --inputs DIR")
        return
    number, as_of, passed, warned, held = publication
    listed = summary_table(conn)
    console.print(_table(listed[:_SHOWN], console.width, f"Publication {number}, as of {_moment(as_of)}"))
    if len(listed) > _SHOWN:
        console.print(f"and {len(listed) - _SHOWN} more in marts.portfolio_performance", style="dim")
    console.print(f"checks: {passed} passed, {warned} warned; portfolios held: {held}")
    _print_findings(conn, console)


def _print_findings(conn: Connection, console: Console) -> None:
    """Each check that did not pass with what to do, and the first places where it did not."""
    for severity, check, step, count, places in conn.execute(
        "select severity, check_name, min(next_step), count(*), (array_agg("
        " concat_ws(': ', partition, nullif(split_part(first_offenders, E'\\n', 1), '')) order by partition))[:%s]"
        " from marts.data_quality where not passed and severity <> 'info'"
        " group by severity, check_name order by severity, check_name",
        [_SHOWN_PLACES],
    ):
        console.print(f"  {'warning' if severity == 'warn' else severity} {check}: {step}")
        for place in places:
            console.print(f"    {place}")
        if count > len(places):
            console.print(f"    and {count - len(places)} more in marts.data_quality", style="dim")


def _table(listed: list[dict[str, Any]], width: int, title: str) -> Table:
    """All columns where there is room for them; a number is never cut."""
    cells = [
        {
            "portfolio": row["portfolio_id"],
            "net value": _money(row["value_base"], row["base_currency"]),
            "30d TWR": _percent(row["twr_30d"]),
            "total TWR": _percent(row["twr_all"]),
            "MWR": _percent(row["mwr_all"]),
            "drawdown": _percent(row["max_drawdown"]),
            "top weights": str(row["top_weights"] or "-"),
            "state": str(row["state"]),
        }
        for row in listed
    ]
    table = Table(title=title, title_justify="left")
    shown = _COLUMNS if width >= _WIDE_ENOUGH else _FEW_COLUMNS
    for heading in shown:
        is_text = heading in {"portfolio", "top weights", "state"}
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=not is_text, overflow="fold")
    for row in cells:
        table.add_row(*(row[heading] for heading in shown))
    return table


def _moment(as_of: datetime) -> str:
    """Midnight exactly closes the day before."""
    if as_of.time() == time():
        return f"the end of {as_of - timedelta(days=1):%Y-%m-%d} UTC"
    return f"{as_of:%Y-%m-%d %H:%M} UTC"


def _money(value: Decimal | None, currency: str) -> str:
    return "-" if value is None else f"{value:,.2f} {currency}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:,.2f} %"
