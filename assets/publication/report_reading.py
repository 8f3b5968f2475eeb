"""What the report and the end table say, read from the published marts only.

Belongs here: queries on schema marts and the shape of their answers. Must not be here: any other schema, any
arithmetic on money (what is shown is what is published), HTML.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from assets.performance.reasons import ALL, MEANINGS
from assets.publication.report_risk_reading import Risk, read_risk
from assets.warehouse.database import Connection

_TOP_WEIGHTS = 3
#: figures of the whole history, and the metric that their reason goes by
_WHOLE_PERIOD = {
    "twr_all": "twr", "mwr_all": "mwr", "max_drawdown": "max_drawdown", "volatility": "volatility",
    "sharpe_ratio": "sharpe_ratio",
}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """The publication and what its checks said; all None or 0 before the first publication.

    Attributes:
        as_of: the instant whose state is shown.
        passed, warned, failed: checks by outcome, one per check and partition; notes (severity info) are not counted.
        portfolios: portfolios of the registry, shown or not.
    """

    publication_id: int | None
    as_of: datetime | None
    published_at: datetime | None
    run_id: str | None
    portfolios: int
    passed: int
    warned: int
    failed: int


@dataclass(frozen=True)
class PortfolioLine:
    """One portfolio's main figures. Returns are fractions in base currency; None carries its reason in `reasons`."""

    portfolio_id: str
    user_id: str
    name: str
    base_currency: str
    value_base: Decimal | None
    value_usd: Decimal | None
    twr_30d: float | None
    twr_all: float | None
    mwr_all: float | None
    max_drawdown: float | None
    volatility: float | None
    sharpe_ratio: float | None
    top_weights: tuple[tuple[str, float], ...]
    instruments: int
    is_active: bool
    is_held: bool
    held_reason: str | None
    incomplete_reason: str | None
    values_as_of: datetime | None
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def has_values(self) -> bool:
        """Whether anything of it is valued, or could not be for a reason; not where nothing of it is known."""
        return self.value_base is not None or self.incomplete_reason is not None


@dataclass(frozen=True)
class Bucket:
    """One instrument's share of a portfolio; weights are fractions, `target_weight` None = no targets."""

    name: str
    value_base: Decimal | None
    weight: float | None
    target_weight: float | None


@dataclass(frozen=True)
class Optimization:
    """The portfolio's last optimisation; the frontier is (volatility, expected return) per year, fractions."""

    objective: str
    status: str
    fallback_reason: str | None
    expected_return: float | None
    volatility: float | None
    frontier: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Suggestion:
    """One trade that leads towards the targets."""

    instrument_id: str
    action: str
    quantity: Decimal | None
    value_usd: Decimal | None
    estimated_cost_usd: Decimal | None
    expected_gain_usd: Decimal | None
    reason: str | None


@dataclass(frozen=True)
class Details:
    """The pictures of one portfolio: days as (day, value, invested, drawdown), all in base currency."""

    line: PortfolioLine
    days: tuple[tuple[date, float | None, float, float | None], ...]
    buckets: tuple[Bucket, ...]
    optimization: Optimization | None
    suggestions: tuple[Suggestion, ...]
    risk: Risk | None


@dataclass(frozen=True)
class Finding:
    """A check that did not pass, all its partitions together."""

    check_name: str
    severity: str
    partitions: tuple[str, ...]
    failed_rows: int
    first_offenders: str
    next_step: str


def read_header(conn: Connection) -> Header:
    """The current publication and the outcome of its checks."""
    counts = conn.execute(
        "select count(*) filter (where passed), count(*) filter (where not passed and severity = 'warn'),"
        " count(*) filter (where not passed and severity = 'error') from marts.data_quality"
    ).fetchone()
    listed = conn.execute("select count(*) from marts.portfolios").fetchone()
    row = conn.execute(
        "select publication_id, as_of, published_at, run_id from marts.publications"
        " order by publication_id desc limit 1"
    ).fetchone()
    publication = row or (None, None, None, None)
    passed, warned, failed = counts or (0, 0, 0)
    return Header(
        publication_id=publication[0],
        as_of=publication[1],
        published_at=publication[2],
        run_id=publication[3],
        portfolios=listed[0] if listed else 0,
        passed=passed,
        warned=warned,
        failed=failed,
    )


def read_lines(conn: Connection, limit: int) -> list[PortfolioLine]:
    """The main figures of portfolios, those with the most instruments first, then by value in USD.

    Args:
        conn: a connection that may read schema marts.
        limit: how many portfolios at most.
    """
    rows = conn.execute(
        """
        select
            portfolios.portfolio_id, portfolios.user_id, portfolios.name, portfolios.base_currency,
            portfolios.is_active, portfolios.is_held, portfolios.held_reason, portfolios.values_as_of,
            latest.value_base, latest.value_base * latest.usd_rate, latest.incomplete_reason,
            whole.twr, whole.mwr, whole.max_drawdown, whole.volatility, whole.sharpe_ratio, whole.undefined_reason,
            month.twr, month.undefined_reason,
            coalesce(held.instruments, 0)
        from marts.portfolios as portfolios
        left join lateral (
            select days.value_base, days.usd_rate, days.incomplete_reason
            from marts.portfolio_daily as days
            where days.portfolio_id = portfolios.portfolio_id
            order by days.valuation_date desc
            limit 1
        ) as latest on true
        left join marts.portfolio_performance as whole
            on portfolios.portfolio_id = whole.portfolio_id and whole.period_type = 'all'
        left join marts.portfolio_performance as month
            on portfolios.portfolio_id = month.portfolio_id and month.period_type = '30d'
        left join (
            select portfolio_id, count(distinct instrument_id) as instruments
            from marts.portfolio_assets
            group by portfolio_id
        ) as held on portfolios.portfolio_id = held.portfolio_id
        order by 20 desc, 10 desc nulls last, portfolios.portfolio_id
        limit %s
        """,
        [limit],
    ).fetchall()
    tops = _top_weights(conn, [row[0] for row in rows])
    return [_line(row, tops.get(row[0], ())) for row in rows]


def read_details(conn: Connection, line: PortfolioLine) -> Details:
    """Everything that the pictures of one portfolio need."""
    days = conn.execute(
        "select valuation_date, value_base::float8,"
        " sum(coalesce(inflow_base, 0) - coalesce(outflow_base, 0)) over (order by valuation_date)::float8, drawdown"
        " from marts.portfolio_daily where portfolio_id = %s order by valuation_date",
        [line.portfolio_id],
    ).fetchall()
    buckets = conn.execute(
        "select bucket, value_base, weight, target_weight from marts.portfolio_allocation"
        " where portfolio_id = %s and dimension = 'asset' order by weight desc nulls last, bucket",
        [line.portfolio_id],
    ).fetchall()
    suggestions = conn.execute(
        "select instrument_id, action, quantity, value_usd, estimated_cost_usd, expected_gain_usd, reason"
        " from marts.rebalancing_suggestions"
        " where portfolio_id = %s order by abs(value_usd) desc nulls last, instrument_id",
        [line.portfolio_id],
    ).fetchall()
    return Details(
        line,
        tuple(days),
        tuple(Bucket(*row) for row in buckets),
        _optimization(conn, line.portfolio_id),
        tuple(Suggestion(*row) for row in suggestions),
        read_risk(conn, line.portfolio_id),
    )


def read_findings(conn: Connection) -> list[Finding]:
    """Checks that did not pass, errors first."""
    rows = conn.execute(
        "select check_name, min(severity), array_agg(partition order by partition), sum(failed_rows)::bigint,"
        " (array_agg(first_offenders order by partition))[1], (array_agg(next_step order by partition))[1]"
        " from marts.data_quality where not passed group by check_name"
        " order by array_position(array['error', 'warn', 'info'], min(severity)), check_name"
    ).fetchall()
    return [Finding(row[0], row[1], tuple(row[2]), row[3], row[4] or "", row[5] or "") for row in rows]


def parse_reasons(text: str | None) -> dict[str, str]:
    """`undefined_reason` as a mapping: `"mwr:no_root; sharpe_ratio:zero_deviation"` gives a code for each metric."""
    pairs = (part.partition(":") for part in (text or "").split(";"))
    return {metric.strip(): code.strip() for metric, colon, code in pairs if colon}


def _line(row: tuple[Any, ...], top: tuple[tuple[str, float], ...]) -> PortfolioLine:
    whole, month = parse_reasons(row[16]), parse_reasons(row[18])
    reasons = {"value_base": row[10] or "no value yet", "value_usd": "no exchange rate to USD"}
    for column, metric in _WHOLE_PERIOD.items():
        reasons[column] = _meaning(whole, metric)
    reasons["twr_30d"] = _meaning(month, "twr")
    return PortfolioLine(
        portfolio_id=row[0],
        user_id=row[1],
        name=row[2],
        base_currency=row[3],
        is_active=row[4],
        is_held=row[5],
        held_reason=row[6],
        values_as_of=row[7],
        value_base=row[8],
        value_usd=row[9],
        incomplete_reason=row[10],
        twr_all=row[11],
        mwr_all=row[12],
        max_drawdown=row[13],
        volatility=row[14],
        sharpe_ratio=row[15],
        twr_30d=row[17],
        instruments=row[19],
        top_weights=top,
        reasons=reasons,
    )


def _meaning(reasons: dict[str, str], metric: str) -> str:
    code = reasons.get(metric) or reasons.get(ALL)
    return f"{code}: {MEANINGS.get(code, 'see docs/metrics.md')}" if code else "not computed"


def _top_weights(conn: Connection, portfolio_ids: list[str]) -> dict[str, tuple[tuple[str, float], ...]]:
    rows = conn.execute(
        """
        select portfolio_id, asset, weight
        from (
            select
                allocation.portfolio_id,
                coalesce(instruments.symbol, allocation.bucket) as asset,
                allocation.weight,
                row_number() over (partition by allocation.portfolio_id order by allocation.weight desc) as place
            from marts.portfolio_allocation as allocation
            left join marts.instruments as instruments on allocation.bucket = instruments.instrument_id
            where
                allocation.dimension = 'asset' and allocation.weight > 0 and allocation.portfolio_id = any(%s)
        ) as ranked
        where place <= %s
        order by portfolio_id, place
        """,
        [portfolio_ids, _TOP_WEIGHTS],
    ).fetchall()
    tops: dict[str, tuple[tuple[str, float], ...]] = {}
    for portfolio_id, asset, weight in rows:
        tops[portfolio_id] = (*tops.get(portfolio_id, ()), (asset, weight))
    return tops


def _optimization(conn: Connection, portfolio_id: str) -> Optimization | None:
    row = conn.execute(
        "select run_id, objective, status, fallback_reason, expected_return, volatility from marts.optimization_runs"
        " where portfolio_id = %s order by run_id desc limit 1",
        [portfolio_id],
    ).fetchone()
    if row is None:
        return None
    points = conn.execute(
        "select volatility, expected_return from marts.efficient_frontier"
        " where portfolio_id = %s and run_id = %s order by point",
        [portfolio_id, row[0]],
    ).fetchall()
    return Optimization(row[1], row[2], row[3], row[4], row[5], tuple((x, y) for x, y in points))
