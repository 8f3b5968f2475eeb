"""The registry's tables: what portfolios.yaml, the other documents and instruments.csv say becomes their state.

Belongs here: set-based writing of `registry.*`; a row that says the same already is left alone.
Must not be here: checks of the inputs, `raw`.
"""

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import polars as pl
from psycopg import sql

from assets.registry.model import Policy, Portfolio, PortfoliosFile, RiskScore, Scenario
from assets.warehouse.database import Connection, copy_frame

_PORTFOLIO = (
    "id", "user_id", "name", "base_currency", "cost_basis", "lot_scope", "cash", "allow_short", "benchmark",
    "risk_free_rate", "tax_rate_short", "tax_rate_long", "is_active",
)  # fmt: skip
_ACCOUNT = ("portfolio_id", "id", "kind", "exchange", "broker", "credentials_env", "margin", "is_active")
_WALLET = ("user_id", "portfolio_id", "account_id", "wallet_address", "wallet_name", "chain_id", "is_active")
_WALLET_KEY = ("user_id", "portfolio_id", "wallet_address", "chain_id")
_POLICY = (
    "portfolio_id", "objective", "universe", "target", "confidence", "views", "min_weight", "max_weight", "min_assets",
    "lookback_days", "expected_returns", "covariance", "group_limits", "rebalance_band", "min_holding", "max_assets",
    "max_turnover", "cost_spread", "cost_impact", "selection", "weight_intervals",
)  # fmt: skip
_LIMIT = ("portfolio_id", "metric", "warn", "fail")
_SCENARIO = ("scenario_id", "name", "shocks")
_RISK_SCORE = ("dimension", "bucket", "score", "source")
# What belongs to a portfolio that the folder still names; a vanished portfolio keeps what it had.
_NAMED = "portfolio_id in (select id from new_portfolios)"


def land_registry(
    connection: Connection,
    content: PortfoliosFile,
    instruments: pl.DataFrame,
    scenarios: Sequence[Scenario] = (),
    risk_scores: Sequence[RiskScore] = (),
) -> int:
    """Write the registry.

    A portfolio, account or wallet that the folder names no more becomes `is_active = false`; targets, policies and
    limits of named portfolios, all custom instruments, scenarios and risk scores are replaced.

    Args:
        connection: in a transaction of the caller.
        content: of portfolios.yaml.
        instruments: of instruments.csv.
        scenarios: of scenarios.yaml.
        risk_scores: of risk_scores.yaml.

    Returns:
        How many rows were written; 0 when all was so already.
    """
    portfolios = content.portfolios
    users = sorted({portfolio.user_id for portfolio in portfolios})
    changed = connection.execute(
        "insert into registry.users (user_id) select unnest(%s::text[]) on conflict do nothing", [users]
    ).rowcount
    _stage(connection, "portfolios", _PORTFOLIO, (_portfolio_row(portfolio) for portfolio in portfolios))
    _stage(connection, "accounts", _ACCOUNT, _account_rows(portfolios))
    _stage(connection, "portfolio_wallets", _WALLET, _wallet_rows(portfolios))
    targets = (
        (portfolio.id, name, _ratio(weight)) for portfolio in portfolios for name, weight in portfolio.targets.items()
    )
    _stage(connection, "targets", ("portfolio_id", "instrument", "weight"), targets)
    policies = (_policy_row(portfolio.id, portfolio.policy) for portfolio in portfolios if portfolio.policy is not None)
    _stage(connection, "policies", _POLICY, policies)
    limits = (
        (portfolio.id, limit.metric, _ratio(limit.warn), _ratio(limit.fail))
        for portfolio in portfolios
        for limit in portfolio.limits
    )
    _stage(connection, "limits", _LIMIT, limits)
    _stage(connection, "scenarios", _SCENARIO, (_scenario_row(scenario) for scenario in scenarios))
    scores = ((score.by, score.group, _ratio(score.score), score.source) for score in risk_scores)
    _stage(connection, "risk_scores", _RISK_SCORE, scores)
    _stage(connection, "instruments", instruments.columns, instruments.iter_rows())

    changed += _upsert(connection, "portfolios", ("id",), _PORTFOLIO, "updated_at = now()")
    changed += _deactivate(connection, "portfolios", ("id",), ", updated_at = now()")
    changed += _upsert(connection, "accounts", ("portfolio_id", "id"), _ACCOUNT)
    changed += _deactivate(connection, "accounts", ("portfolio_id", "id"))
    changed += _upsert(connection, "portfolio_wallets", _WALLET_KEY, _WALLET, "updated_at = now()")
    changed += _deactivate(connection, "portfolio_wallets", _WALLET_KEY, ", updated_at = now()")
    changed += _delete(connection, "targets", ("portfolio_id", "instrument"), _NAMED)
    changed += _upsert(connection, "targets", ("portfolio_id", "instrument"), ("portfolio_id", "instrument", "weight"))
    changed += _delete(connection, "policies", ("portfolio_id",), _NAMED)
    changed += _upsert(connection, "policies", ("portfolio_id",), _POLICY)
    changed += _delete(connection, "limits", ("portfolio_id", "metric"), _NAMED)
    changed += _upsert(connection, "limits", ("portfolio_id", "metric"), _LIMIT)
    changed += _delete(connection, "scenarios", ("scenario_id",), "true")
    changed += _upsert(connection, "scenarios", ("scenario_id",), _SCENARIO)
    changed += _delete(connection, "risk_scores", ("dimension", "bucket"), "true")
    changed += _upsert(connection, "risk_scores", ("dimension", "bucket"), _RISK_SCORE)
    changed += _delete(connection, "instruments", ("instrument",), "true")
    changed += _upsert(connection, "instruments", ("instrument",), instruments.columns)
    changed += connection.execute(
        "insert into registry.price_settings as own (resolution, sources) values (%s, %s)"
        " on conflict (singleton) do update set resolution = excluded.resolution, sources = excluded.sources"
        " where (own.resolution, own.sources) is distinct from (excluded.resolution, excluded.sources)",
        [content.prices.resolution, list(content.prices.sources)],
    ).rowcount
    return changed


def _portfolio_row(portfolio: Portfolio) -> Sequence[Any]:
    values = [True if name == "is_active" else getattr(portfolio, name) for name in _PORTFOLIO]
    return [f"{value:f}" if isinstance(value, Decimal) else value for value in values]


def _account_rows(portfolios: Iterable[Portfolio]) -> Iterable[Sequence[Any]]:
    for portfolio in portfolios:
        for account in portfolio.accounts:
            given = (account.kind, account.exchange, account.broker, account.credentials_env, account.margin)
            yield portfolio.id, account.id, *given, True


def _wallet_rows(portfolios: Iterable[Portfolio]) -> Iterable[Sequence[Any]]:
    for portfolio in portfolios:
        for account in portfolio.accounts:
            for chain in account.chains:
                yield portfolio.user_id, portfolio.id, account.id, account.address, account.id, chain, True


def _policy_row(portfolio_id: str, policy: Policy) -> Sequence[Any]:
    views = [
        {
            "instrument": view.instrument,
            "over": view.over,
            "return": float(view.return_),
            "confidence": _ratio(view.confidence),
        }
        for view in policy.views
    ]
    limits = [
        {"by": limit.by, "group": limit.group, "min": float(limit.minimum), "max": float(limit.maximum)}
        for limit in policy.group_limits
    ]
    return (
        portfolio_id,
        policy.objective,
        # instrument ids hold no quotes and no backslashes
        "{" + ",".join(f'"{name}"' for name in policy.universe) + "}",
        _ratio(policy.target),
        _ratio(policy.confidence),
        json.dumps(views),
        _ratio(policy.min_weight),
        _ratio(policy.max_weight),
        policy.min_assets,
        policy.lookback_days,
        policy.expected_returns,
        policy.covariance,
        json.dumps(limits),
        _ratio(policy.rebalance_band),
        _ratio(policy.min_holding),
        policy.max_assets,
        _ratio(policy.max_turnover),
        _ratio(policy.cost_spread),
        _ratio(policy.cost_impact),
        policy.selection,
        policy.weight_intervals,
    )


def _scenario_row(scenario: Scenario) -> Sequence[Any]:
    shocks = [{"by": shock.by, "target": shock.target, "change": float(shock.change)} for shock in scenario.shocks]
    return scenario.id, scenario.name, json.dumps(shocks)


def _ratio(value: Decimal | None) -> float | None:
    """Weights and rates are double precision in the database."""
    return None if value is None else float(value)


def _stage(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Load rows into the temporary table `new_<table>`, shaped like `registry.<table>`."""
    name, target = sql.Identifier(f"new_{table}"), sql.Identifier("registry", table)
    connection.execute(sql.SQL("drop table if exists pg_temp.{}").format(name))
    create = sql.SQL("create temporary table {} (like {} including defaults) on commit drop")
    connection.execute(create.format(name, target))
    frame = pl.DataFrame(list(rows), schema=list(columns), orient="row", infer_schema_length=None)
    if frame.height:
        copy_frame(connection, f"pg_temp.new_{table}", frame)
    connection.execute(sql.SQL("analyze pg_temp.{}").format(name))


def _upsert(
    connection: Connection, table: str, key: Sequence[str], columns: Sequence[str], also: str | None = None
) -> int:
    """Insert or update from `new_<table>`; only rows that differ are written."""
    values = [name for name in columns if name not in key]
    assignments = [sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in values]
    statement = sql.SQL(
        "insert into {target} as t ({columns}) select {columns} from {stage} on conflict ({key}) do update set {sets}"
        " where ({old}) is distinct from ({new})"
    ).format(
        target=sql.Identifier("registry", table),
        stage=sql.Identifier("pg_temp", f"new_{table}"),
        columns=_names(columns),
        key=_names(key),
        sets=sql.SQL(", ").join([*assignments, *([sql.SQL(also)] if also else [])]),
        old=_names(values, "t"),
        new=_names(values, "excluded"),
    )
    return connection.execute(statement).rowcount


def _deactivate(connection: Connection, table: str, key: Sequence[str], also: str = "") -> int:
    """Rows that the folder names no more."""
    statement = sql.SQL(
        "update {target} as t set is_active = false" + also + " where t.is_active and not exists"
        " (select from {stage} as n where ({new}) = ({old}))"
    ).format(
        target=sql.Identifier("registry", table),
        stage=sql.Identifier("pg_temp", f"new_{table}"),
        new=_names(key, "n"),
        old=_names(key, "t"),
    )
    return connection.execute(statement).rowcount


def _delete(connection: Connection, table: str, key: Sequence[str], scope: str) -> int:
    statement = sql.SQL(
        "delete from {target} as t where " + scope + " and not exists"
        " (select from {stage} as n where ({new}) = ({old}))"
    ).format(
        target=sql.Identifier("registry", table),
        stage=sql.Identifier("pg_temp", f"new_{table}"),
        new=_names(key, "n"),
        old=_names(key, "t"),
    )
    return connection.execute(statement).rowcount


def _names(names: Sequence[str], alias: str | None = None) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(*([alias] if alias else []), name) for name in names)
