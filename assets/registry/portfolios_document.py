"""portfolios.yaml, scenarios.yaml and risk_scores.yaml from the registry's tables.

Belongs here: the documents, key by key. Must not be here: reading them (portfolios_yaml, scenarios_yaml,
risk_scores_yaml), rows of any
CSV file.

Numbers are written as text with all digits of the stored double, so that the same double is read back. Every portfolio
states its own base currency; the file's default and its `prices` settings are not in the database.
"""

from collections.abc import Sequence
from typing import Any

import yaml
from psycopg.rows import dict_row

from assets.registry.chains import mainnets
from assets.warehouse.database import Connection

_PLAIN = ("cost_basis", "lot_scope", "cash", "benchmark", "risk_free_rate")
_ACCOUNT = ("exchange", "broker", "credentials_env")
_POLICY_NUMBERS = ("target", "confidence", "min_weight", "max_weight", "rebalance_band", "min_holding", "max_turnover")

_Row = dict[str, Any]


def portfolios_yaml(connection: Connection, portfolios: Sequence[str]) -> str:
    """Write the document of these portfolios, with their active accounts and wallets.

    Args:
        connection: to the warehouse.
        portfolios: ids of active portfolios; written in the order of their ids.
    """
    accounts = _by_portfolio(
        connection, "select * from registry.accounts where is_active and portfolio_id = any(%s) order by id", portfolios
    )
    wallets = _by_portfolio(
        connection,
        "select * from registry.portfolio_wallets where is_active and portfolio_id = any(%s) order by chain_id",
        portfolios,
    )
    targets = _by_portfolio(
        connection, "select * from registry.targets where portfolio_id = any(%s) order by instrument", portfolios
    )
    policies = _by_portfolio(connection, "select * from registry.policies where portfolio_id = any(%s)", portfolios)
    limits = _by_portfolio(
        connection, "select * from registry.limits where portfolio_id = any(%s) order by metric", portfolios
    )
    entries = []
    for row in _rows(connection, "select * from registry.portfolios where id = any(%s) order by id", portfolios):
        name = row["id"]
        entry: _Row = {
            "id": name,
            "user_id": row["user_id"],
            "name": row["name"],
            "base_currency": row["base_currency"],
        }
        entry |= {key: row[key] for key in _PLAIN if row[key] is not None}
        entry["allow_short"] = row["allow_short"]
        entry["accounts"] = [_account(account, wallets.get(name, [])) for account in accounts.get(name, [])]
        if row["tax_rate_short"] is not None:
            entry["tax_rates"] = {kind: f"{row[f'tax_rate_{kind}']:f}" for kind in ("short", "long")}
        if name in targets:
            entry["targets"] = {target["instrument"]: _number(target["weight"]) for target in targets[name]}
        if name in policies:
            entry["policy"] = _policy(policies[name][0])
        if name in limits:
            entry["limits"] = [_limit(limit) for limit in limits[name]]
        entries.append(entry)
    document = {"version": "1", "portfolios": entries}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)


def _account(row: _Row, wallets: list[_Row]) -> _Row:
    account = {"id": row["id"], "kind": row["kind"]}
    account |= {key: row[key] for key in _ACCOUNT if row[key] is not None}
    if row["margin"]:
        account["margin"] = True
    own = [wallet for wallet in wallets if wallet["account_id"] == row["id"]]
    if own:
        chains = [wallet["chain_id"] for wallet in own]
        account["address"] = own[0]["wallet_address"]
        account["chains"] = ["all"] if set(chains) == set(mainnets()) else chains
    return account


def _policy(row: _Row) -> _Row:
    universe = row["universe"]
    policy: _Row = {"objective": row["objective"], "universe": "held" if universe == ["held"] else universe}
    policy |= {key: _number(row[key]) for key in _POLICY_NUMBERS if row[key] is not None}
    policy |= {key: str(row[key]) for key in ("min_assets", "lookback_days")}
    policy |= {key: row[key] for key in ("expected_returns", "covariance", "selection")}
    if row["weight_intervals"]:
        policy["weight_intervals"] = True
    if row["max_assets"] is not None:
        policy["max_assets"] = str(row["max_assets"])
    costs = {"spread": row["cost_spread"], "impact": row["cost_impact"]}
    if costs["spread"] is not None:
        policy["trading_costs"] = {key: _number(value) for key, value in costs.items() if value is not None}
    for key in ("views", "group_limits"):
        if row[key]:
            policy[key] = [
                {
                    name: _number(value) if isinstance(value, float | int) else value
                    for name, value in part.items()
                    if value is not None
                }
                for part in row[key]
            ]
    return policy


def _limit(row: _Row) -> _Row:
    return {"metric": row["metric"]} | {key: _number(row[key]) for key in ("warn", "fail") if row[key] is not None}


def scenarios_yaml(connection: Connection) -> str | None:
    """Write the document of the owner's scenarios; None where there is none."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute("select * from registry.scenarios order by scenario_id").fetchall()
    if not rows:
        return None
    entries = [
        {"id": row["scenario_id"], "name": row["name"], "shocks": [_shock(shock) for shock in row["shocks"]]}
        for row in rows
    ]
    document = {"version": "1", "scenarios": entries}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)


def risk_scores_yaml(connection: Connection) -> str | None:
    """Write the document of the owner's risk scores; None where there is none."""
    rows = connection.execute(
        "select dimension, bucket, score, source from registry.risk_scores order by dimension, bucket"
    ).fetchall()
    if not rows:
        return None
    entries = [
        {"by": dimension, "group": bucket, "score": _number(score), "source": source}
        for dimension, bucket, score, source in rows
    ]
    return yaml.safe_dump({"version": "1", "scores": entries}, sort_keys=False, allow_unicode=True, width=1000)


def _shock(stored: _Row) -> _Row:
    key = "instrument" if stored["by"] == "instrument" else "group"
    return {"by": stored["by"], key: stored["target"], "change": _number(stored["change"])}


def _number(value: float) -> str:
    return repr(float(value))


def _by_portfolio(connection: Connection, query: str, portfolios: Sequence[str]) -> dict[str, list[_Row]]:
    found: dict[str, list[_Row]] = {}
    for row in _rows(connection, query, portfolios):
        found.setdefault(row["portfolio_id"], []).append(row)
    return found


def _rows(connection: Connection, query: str, portfolios: Sequence[str]) -> list[_Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), [list(portfolios)]).fetchall()
