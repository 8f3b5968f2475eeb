"""dbt's unit tests of the models, on a real database; and that ordinary runs leave them out."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from assets.warehouse import dbt
from assets.warehouse.database import connect

COVERED = {
    "allocation_risk", "exchange_rates", "int_all_transactions", "int_fx_daily", "int_fx_points",
    "int_instrument_returns", "int_portfolio_days", "int_position_totals", "int_price_base", "int_price_daily",
    "int_position_prices", "int_price_intervals", "int_quoted_prices", "int_splits", "portfolio_allocation", "portfolio_assets",
    "portfolio_daily", "portfolio_snapshots", "realized_gains", "reconciliation",
    "source_freshness", "stg_corporate_actions", "stg_file_balances", "stg_prices", "stg_source_prices", "stg_transactions",
    "stg_wallet_balances",
}  # fmt: skip
#: What counts or picks without arithmetic on money, and where that is tested instead.
TESTED_ELSEWHERE = {
    "data_quality": "picks the newest result of a check; tests/integration/test_pipeline.py",
    "int_all_days": "puts two sets of days side by side; tests/integration/test_days.py",
    "int_instruments": "picks the commonest currency; tests/integration/test_definitions.py",
    "int_wallet_cells": "picks the newest read of a cell; tests/integration/test_wallets.py",
    "stg_wallets": "picks the account of an address; tests/integration/test_wallets.py",
    "int_portfolio_fingerprints": "hashes rows; the runs without a change in tests/integration/test_pipeline.py",
    "stg_source_priority": "numbers names; tests/integration/test_price_sources.py",
    "int_price_prints": "hashes rows; what each change restates in tests/integration/test_days.py",
}
ARITHMETIC = re.compile(r"\bover\b|\b(sum|avg|product|generate_series|lag|lead)\(|distinct on|[\w)] [*/] [\w(]", re.I)


@pytest.fixture(scope="module")
def built(module_published_url: str) -> str:
    """A database where every model exists: a fixture takes its column types from the relation that it stands for."""
    return module_published_url


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(dbt.prepare().read_text(encoding="utf-8"))
    return content


def test_every_unit_test_passes(built: str, manifest: dict[str, Any]) -> None:
    results = dbt.unit_test(built).tests

    failed = {r.name: r.message for r in results if r.status != "pass"}
    assert not failed, "\n".join(f"{name}: {message}" for name, message in failed.items())
    assert {r.name for r in results} == {test["name"] for test in manifest["unit_tests"].values()}
    assert {r.resource_type for r in results} == {"unit_test"}


def test_the_comparison_sees_a_wrong_number(built: str, manifest: dict[str, Any]) -> None:
    """The comparison rounds numbers at 12 decimals: it must still see a difference, a null, and another text."""
    macro = next(m for m in manifest["macros"].values() if m["name"] == "comparable")
    expression = macro["macro_sql"].split("-%}", 1)[1].split("{%- endmacro", 1)[0].replace("{{ column }}", "c")
    assert _text(built, expression, "0.990000000000000100::double precision") == _text(
        built, expression, "0.99::numeric"
    )
    assert _text(built, expression, "0.80000::numeric") == "0.8"
    assert _text(built, expression, "0.80000000001::numeric") != "0.8"
    assert _text(built, expression, "'NaN'::double precision") == "NaN"
    assert _text(built, expression, "null::numeric") is None
    assert _text(built, expression, "'0.80'::text") == "0.80"


def test_every_model_with_arithmetic_has_one(manifest: dict[str, Any]) -> None:
    assert {test["model"] for test in manifest["unit_tests"].values()} == COVERED
    models = {n["name"]: n["raw_code"] for n in manifest["nodes"].values() if n["resource_type"] == "model"}
    with_arithmetic = {name for name, code in models.items() if ARITHMETIC.search(_without_comments(code))}
    assert with_arithmetic - COVERED - set(TESTED_ELSEWHERE) == set()
    assert set(TESTED_ELSEWHERE) <= set(models)


def test_ordinary_runs_leave_them_out(built: str) -> None:
    results = dbt.build(built, "tag:market tag:holdings")

    assert {"int_fx_points", "portfolio_daily"} <= {r.name for r in results.models}
    assert {r.resource_type for r in results.tests} == {"test"}


def _text(url: str, expression: str, value: str) -> Any:
    with connect(url) as connection:
        row = connection.execute(f"select {expression} from (select {value} as c) as given".encode()).fetchone()
    assert row is not None
    return row[0]


def _without_comments(code: str) -> str:
    return "\n".join(line.partition("--")[0] for line in code.splitlines())
