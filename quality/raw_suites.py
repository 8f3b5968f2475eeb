"""Great Expectations suites on raw batches: shape and sanity of what this run received, before any model reads it.

Built in code on an ephemeral context, telemetry off, on query assets limited to new batches. The library takes seconds
to import, so it is imported only when there is a new batch.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from assets.warehouse.database import Connection
from quality.results import CheckResult

#: kind -> what its rows must keep; (expectation class, arguments)
SUITES: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "transactions": (
        ("ExpectColumnValuesToNotBeNull", {"column": "transaction_id"}),
        ("ExpectColumnValuesToNotBeNull", {"column": "executed_at"}),
        ("ExpectColumnValuesToBeBetween", {"column": "quantity", "min_value": 0, "strict_min": True}),
        ("ExpectColumnValuesToBeBetween", {"column": "price", "min_value": 0}),
        ("ExpectColumnValuesToBeBetween", {"column": "fee", "min_value": 0}),
        ("ExpectColumnValuesToBeBetween", {"column": "tax", "min_value": 0}),
        ("ExpectCompoundColumnsToBeUnique", {"column_list": ["batch_id", "line"]}),
    ),
    "prices": (
        ("ExpectColumnValuesToNotBeNull", {"column": "priced_at"}),
        ("ExpectColumnValuesToNotBeNull", {"column": "currency"}),
        ("ExpectColumnValuesToBeBetween", {"column": "price", "min_value": 0, "strict_min": True}),
        ("ExpectColumnPairValuesAToBeGreaterThanB",
         {"column_A": "high", "column_B": "low", "or_equal": True, "ignore_row_if": "either_value_is_missing"}),
        ("ExpectCompoundColumnsToBeUnique", {"column_list": ["batch_id", "line"]}),
    ),
    "balances": (
        ("ExpectColumnValuesToNotBeNull", {"column": "balance_at"}),
        ("ExpectColumnValuesToNotBeNull", {"column": "quantity"}),
        ("ExpectCompoundColumnsToBeUnique", {"column_list": ["batch_id", "line"]}),
    ),
}  # fmt: skip


def check_raw_batches(conn: Connection, url: str) -> list[CheckResult]:
    """Validate the batches that count and were not validated yet, one suite for each kind of row.

    Args:
        conn: Where the batches are looked up and remembered; the caller commits.
        url: libpq URL for Great Expectations' own connection, so the batches must be committed.

    Returns:
        One result for each expectation; a single passed one when nothing new came.
    """
    new = dict(
        conn.execute(
            "select batches.kind, array_agg(batches.batch_id order by batches.batch_id)"
            " from ops.input_files as files inner join raw.batches as batches on files.batch_id = batches.batch_id"
            " where not exists (select 1 from ops.checked_batches as checked where checked.batch_id = files.batch_id)"
            " group by batches.kind"
        ).fetchall()
    )
    wanted = {kind: batches for kind, batches in new.items() if kind in SUITES}
    if not wanted:
        return [_result("raw_batches", "no new batch", True, 0, ())]
    context = _context()
    source = context.data_sources.add_postgres("warehouse", connection_string=_sqlalchemy_url(url))
    results: list[CheckResult] = []
    for kind, batches in wanted.items():
        own = _validate(context, source, kind, batches)
        if all(result.passed for result in own):
            conn.execute("insert into ops.checked_batches (batch_id) select unnest(%s::bigint[])", [batches])
        results.extend(own)
    source.get_engine().dispose()
    return results


def _context() -> Any:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    return context


def _validate(context: Any, source: Any, kind: str, batches: Sequence[int]) -> list[CheckResult]:
    import great_expectations as gx

    listed = ", ".join(str(int(batch)) for batch in batches)
    asset = source.add_query_asset(f"new_{kind}", query=f"select * from raw.{kind} where batch_id in ({listed})")
    suite = context.suites.add(gx.ExpectationSuite(name=f"raw_{kind}"))
    for name, arguments in SUITES[kind]:
        suite.add_expectation(getattr(gx.expectations, name)(**arguments))
    answer = asset.add_batch_definition_whole_table("new").get_batch().validate(suite, result_format="SUMMARY")
    return [_from_expectation(kind, item) for item in answer.results]


def _from_expectation(kind: str, item: Any) -> CheckResult:
    configuration = item.expectation_config
    arguments = configuration.kwargs
    subject = arguments.get("column") or arguments.get("column_A") or "_".join(arguments.get("column_list", ()))
    raised = bool(item.exception_info) and bool(item.exception_info.get("raised_exception"))
    details = item.result or {}
    offenders = tuple(str(value) for value in details.get("partial_unexpected_list", ())[:5])
    if raised:
        # an expectation that cannot be asked has not passed
        offenders = (str(item.exception_info.get("exception_message"))[:200],)
    return _result(
        f"raw_{kind}_{subject}_{configuration.type.removeprefix('expect_')}"[:120],
        _threshold(arguments),
        bool(item.success) and not raised,
        int(details.get("unexpected_count") or (0 if item.success else 1)),
        offenders,
    )


def _threshold(arguments: dict[str, Any]) -> str:
    known = {k: v for k, v in arguments.items() if k in {"min_value", "max_value", "strict_min", "column_B"}}
    return ", ".join(f"{k} {v}" for k, v in known.items()) or "every row"


def _result(name: str, threshold: str, passed: bool, rows: int, offenders: tuple[str, ...]) -> CheckResult:
    return CheckResult(
        check_name=name,
        reach="run",
        severity="error",
        passed=passed,
        failed_rows=rows,
        threshold=threshold,
        next_step="Correct the rows named here in the input file, then run again.",
        first_offenders=offenders,
    )


def _sqlalchemy_url(url: str) -> str:
    from psycopg.conninfo import conninfo_to_dict
    from sqlalchemy import URL

    parts: dict[str, Any] = dict(conninfo_to_dict(url))
    return URL.create(
        "postgresql+psycopg2",
        username=parts.get("user"),
        password=parts.get("password"),
        host=parts.get("host"),
        port=int(parts["port"]) if parts.get("port") else None,
        database=parts.get("dbname"),
    ).render_as_string(hide_password=False)
