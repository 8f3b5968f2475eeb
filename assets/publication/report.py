"""The HTML report and the end table of the command line: one page that opens anywhere, from the published marts alone.

Belongs here: what the two consist of. Must not be here: queries (report_reading), sections (report_sections), pictures
(report_drawing), and any number that is not published.
"""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Any

import psycopg

from assets.publication import report_sections as sections
from assets.publication.report_reading import PortfolioLine, read_details, read_findings, read_header, read_lines
from assets.warehouse.database import Connection

_TEMPLATE = Path(__file__).parent / "report.html"
_MOST_LINES = 60
_MOST_DETAILS = 6


def write_report(conn: Connection, path: Path) -> None:
    """Write a self-contained HTML page (no script, no network) about the current publication.

    Portfolios with the most instruments come first; the first six of more than one instrument, and the largest of one,
    get their pictures. A connection that is idle gets one repeatable-read
    transaction, so that the page shows one publication.

    Args:
        conn: a connection that may read schema marts; it is left as it was found.
        path: the file to write; its folder must exist.
    """
    is_own_transaction = conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    with conn.transaction():
        if is_own_transaction:
            conn.execute("set transaction isolation level repeatable read")
        header = read_header(conn)
        lines = read_lines(conn, _MOST_LINES)
        details = [read_details(conn, line) for line in _chosen(lines)]
        found = read_findings(conn)
    body = [
        sections.header(header),
        sections.portfolios(lines, header.portfolios),
        *(sections.portfolio(one) for one in details),
        sections.findings(found),
        sections.provenance(),
    ]
    as_of = f", {sections.moment(header.as_of)}" if header.as_of else ""
    page = Template(_TEMPLATE.read_text(encoding="utf-8"))
    path.write_text(page.substitute(title=f"Portfolio report{as_of}", body="\n".join(body)), encoding="utf-8")


def summary_table(conn: Connection, limit: int = _MOST_LINES) -> list[dict[str, Any]]:
    """The same figures for the end table of the command line, in the report's order.

    Returns:
        One mapping per portfolio: portfolio_id, name, base_currency, value_base, value_usd (Decimal), twr_30d, twr_all,
        mwr_all, max_drawdown (fractions), top_weights (text), state (`complete`, `held`, `inactive`, `no values`,
        or why it is incomplete). None where a value is unknown; `reasons` says why, by column.
    """
    return [
        {
            "portfolio_id": line.portfolio_id,
            "name": line.name,
            "base_currency": line.base_currency,
            "value_base": line.value_base,
            "value_usd": line.value_usd,
            "twr_30d": line.twr_30d,
            "twr_all": line.twr_all,
            "mwr_all": line.mwr_all,
            "max_drawdown": line.max_drawdown,
            "top_weights": ", ".join(f"{asset} {100 * weight:.0f} %" for asset, weight in line.top_weights),
            "state": _state(line),
            "reasons": line.reasons,
        }
        for line in read_lines(conn, limit)
    ]


def _state(line: PortfolioLine) -> str:
    if line.is_held:
        return "held"
    if not line.is_active:
        return "inactive"
    return (line.incomplete_reason or "complete").replace(";", ", ") if line.has_values else "no values"


def _chosen(lines: list[PortfolioLine]) -> list[PortfolioLine]:
    mixed = [line for line in lines if line.instruments > 1][:_MOST_DETAILS]
    single = [line for line in lines if line.instruments == 1 and line.value_base is not None][:1]
    return mixed + single
