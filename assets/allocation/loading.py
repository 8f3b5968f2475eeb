"""What the optimisation reads from the database, in sets: portfolios, holdings, quotes, last weights.

Belongs here: SELECT statements and their rows as plain types. Must not be here: price histories (price_histories),
arithmetic on weights, writing.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from assets.allocation.model import DEFAULT_CONFIDENCE, AllocationPolicy, parse_group_limits, parse_views
from assets.rebalancing.model import Holding, Quote
from assets.warehouse.database import Connection, has_relation

_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")


@dataclass(frozen=True)
class PortfolioTask:
    """A portfolio to optimise (`policy`) or only to rebalance (`targets`); `base_currency` as in fiat:EUR."""

    portfolio_id: str
    user_id: str
    base_currency: str
    is_cash_implicit: bool
    risk_free_rate: float | None
    policy: AllocationPolicy | None
    targets: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Instrument:
    """What limits and histories need to know of an instrument."""

    attributes: Mapping[str, str | None]
    annualization_days: int
    max_price_age_days: int


def read_tasks(connection: Connection, as_of_date: date, only: str | None = None) -> list[PortfolioTask]:
    """Portfolios in scope (or `only` this one) that no gate holds and that have a policy or targets, in order of id."""
    rows = connection.execute(
        """
        select portfolios.id, 'fiat:' || portfolios.base_currency, portfolios.cash = 'implicit',
            portfolios.risk_free_rate,
            policies.objective, policies.universe, policies.target, policies.confidence, policies.views,
            policies.min_weight, policies.max_weight, policies.min_assets, policies.lookback_days,
            policies.expected_returns, policies.covariance, policies.group_limits, policies.rebalance_band,
            (select jsonb_object_agg(targets.instrument, targets.weight) from registry.targets
             where targets.portfolio_id = portfolios.id),
            policies.min_holding, policies.max_assets, policies.max_turnover, policies.cost_spread,
            policies.cost_impact, policies.selection,
            portfolios.user_id, policies.weight_intervals
        from registry.portfolios
        left join registry.policies on policies.portfolio_id = portfolios.id
        where portfolios.is_active
            and (portfolios.id = %(only)s
                 or %(only)s::text is null and portfolios.id in (select portfolio_id from ops.run_scope))
            and not exists (select 1 from ops.held_portfolios where held_portfolios.portfolio_id = portfolios.id)
            and (policies.portfolio_id is not null
                 or exists (select 1 from registry.targets where targets.portfolio_id = portfolios.id))
        order by portfolios.id
        """,
        {"only": only},
    ).fetchall()
    rates = _risk_free_rates(connection, as_of_date, [row[0] for row in rows])
    return [_task(row, rates.get(row[0])) for row in rows]


def _task(row: Sequence[Any], rate: float | None) -> PortfolioTask:
    policy = None
    if row[4] is not None:
        policy = AllocationPolicy(
            objective=row[4],
            universe=tuple(row[5]),
            target=row[6],
            confidence=DEFAULT_CONFIDENCE if row[7] is None else row[7],
            views=parse_views(row[8] or ()),
            min_weight=row[9],
            max_weight=row[10],
            min_assets=row[11],
            lookback_days=row[12],
            expected_returns=row[13],
            covariance=row[14],
            group_limits=parse_group_limits(row[15] or ()),
            rebalance_band=row[16],
            min_holding=row[18],
            max_assets=row[19],
            max_turnover=row[20],
            cost_spread=row[21],
            cost_impact=row[22],
            selection=row[23],
            weight_intervals=row[25],
        )
    fixed = float(row[3]) if rate is None and row[3] and _NUMBER.fullmatch(row[3]) else rate
    targets = {} if policy is not None else {name: float(weight) for name, weight in (row[17] or {}).items()}
    return PortfolioTask(row[0], row[24], row[1], row[2], fixed, policy, targets)


def _risk_free_rates(connection: Connection, as_of_date: date, portfolio_ids: list[str]) -> dict[str, float]:
    """The rate a year that the as-of day of each portfolio knows; it may come from a rate instrument."""
    if not has_relation(connection, "build.portfolio_daily"):
        return {}
    rows = connection.execute(
        "select portfolio_id, risk_free_rate from build.portfolio_daily"
        " where valuation_date = %s and portfolio_id = any(%s) and risk_free_rate is not null",
        [as_of_date, portfolio_ids],
    ).fetchall()
    return {row[0]: float(row[1]) for row in rows}


def read_holdings(connection: Connection, portfolio_ids: list[str]) -> dict[str, list[Holding]]:
    """Current positions by portfolio, accounts added up; a value is None where a part of it has no price."""
    rows = connection.execute(
        """
        select portfolio_id, instrument_id, sum(balance),
            case when count(*) = count(value_base) then sum(value_base) end
        from build.portfolio_assets
        where portfolio_id = any(%s) and balance is not null
            -- what only a chain shows is nothing to trade, priced or not
            and instrument_id not in (select instrument_id from intermediate.int_instruments where trust <> 'trusted')
        group by portfolio_id, instrument_id
        having sum(balance) <> 0
        order by portfolio_id, instrument_id
        """,
        [portfolio_ids],
    ).fetchall()
    holdings: dict[str, list[Holding]] = defaultdict(list)
    for portfolio_id, instrument_id, quantity, value in rows:
        holdings[portfolio_id].append(Holding(instrument_id, quantity, value))
    return holdings


def read_economic(connection: Connection, instrument_ids: Iterable[str]) -> dict[str, str]:
    """Economic asset of each form that is not one itself."""
    rows = connection.execute(
        "select instrument_id, canonical_instrument from intermediate.int_instruments"
        " where instrument_id = any(%s) and canonical_instrument <> instrument_id",
        [sorted(instrument_ids)],
    )
    return dict(rows.fetchall())


def read_instruments(connection: Connection, instrument_ids: Iterable[str]) -> dict[str, Instrument]:
    """Attributes by instrument; an unknown one is missing."""
    rows = connection.execute(
        "select instrument_id, asset_class, chain, protocol, category, annualization_days, max_price_age_days"
        " from intermediate.int_instruments where instrument_id = any(%s)",
        [sorted(instrument_ids)],
    ).fetchall()
    return {
        row[0]: Instrument(
            {"asset_class": row[1], "chain": row[2], "protocol": row[3], "category": row[4]}, row[5], row[6]
        )
        for row in rows
    }


def read_quotes(
    connection: Connection, instrument_ids: Iterable[str], base_currency: str, as_of_date: date
) -> dict[str, Quote]:
    """Last price at the as-of day in base currency and dollars, with its problem where it is too old to trade at."""
    rows = connection.execute(
        """
        select instruments.instrument_id, prices.age_days, instruments.max_price_age_days,
            prices.price * case when prices.currency = %(base)s then 1 else to_base.rate end,
            prices.price * case when prices.currency = 'fiat:USD' then 1 else to_usd.rate end
        from intermediate.int_instruments as instruments
        inner join intermediate.int_price_daily as prices
            on prices.instrument_id = instruments.pricing_instrument_id and prices.valuation_date = %(day)s
        left join intermediate.int_fx_daily as to_base
            on to_base.currency = prices.currency and to_base.quote = %(base)s and to_base.fx_date = %(day)s
        left join intermediate.int_fx_daily as to_usd
            on to_usd.currency = prices.currency and to_usd.quote = 'fiat:USD' and to_usd.fx_date = %(day)s
        where instruments.instrument_id = any(%(instruments)s)
        """,
        {"base": base_currency, "day": as_of_date, "instruments": sorted(instrument_ids)},
    ).fetchall()
    quotes: dict[str, Quote] = {}
    for instrument_id, age, limit, price_base, price_usd in rows:
        problem = f"its price is {age} days old, the limit is {limit}" if age > limit else None
        quotes[instrument_id] = Quote(_decimal(price_base), _decimal(price_usd), problem)
    return quotes


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


def read_previous_weights(connection: Connection, portfolio_ids: list[str]) -> dict[str, dict[str, float]]:
    """Last published target weights by portfolio and instrument; none before the first publication."""
    if not has_relation(connection, "history.target_weights"):
        return {}
    rows = connection.execute(
        """
        select portfolio_id, instrument_id, weight
        from (
            select portfolio_id, instrument_id, weight, run_id,
                first_value(run_id) over (
                    partition by portfolio_id order by published_from desc, run_id desc
                ) as last_run_id
            from history.target_weights
            where published_to is null and portfolio_id = any(%s)
        ) as current_weights
        where run_id = last_run_id
        order by portfolio_id, instrument_id
        """,
        [portfolio_ids],
    ).fetchall()
    weights: dict[str, dict[str, float]] = defaultdict(dict)
    for portfolio_id, instrument_id, weight in rows:
        weights[portfolio_id][instrument_id] = float(weight)
    return weights


def carry_inputs(connection: Connection) -> None:
    """Add the published rows of optimization_inputs that published optimisations still name.

    A run writes the inputs of its own portfolios; those of the others, and of one that a gate may yet hold, stay.
    """
    if not (
        has_relation(connection, "history.optimization_inputs")
        and has_relation(connection, "history.optimization_runs")
    ):
        return
    connection.execute(
        """
        insert into intermediate.optimization_inputs
        select published.inputs_version, published.base_currency, published.annualization_days, published.first_day,
            published.last_day, published.expected_returns, published.covariance, published.instruments,
            published.observations, published.condition_number, published.smallest_eigenvalue,
            published.missing_share, published.is_repaired, published.excluded
        from history.optimization_inputs as published
        where published.published_to is null
            and published.inputs_version in (
                select inputs_version from history.optimization_runs where published_to is null)
            and published.inputs_version not in (select inputs_version from intermediate.optimization_inputs)
        """
    )
