"""The report and the end table, over the real mart views with a few published rows."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from assets.publication.mart_specs import read_specs
from assets.publication.report import summary_table, write_report
from assets.publication.report_sections import moment
from assets.publication.tables import ensure_marts
from assets.warehouse.database import Connection, connect
from assets.warehouse.dbt import prepare

AS_OF = "2021-03-31 23:59:59.999999+00"


def _insert(conn: Connection, mart: str, **values: object) -> None:
    names = ", ".join(values)
    marks = ", ".join(["%s"] * len(values))
    conn.execute(f"insert into history.{mart} ({names}, published_from) values ({marks}, 1)", list(values.values()))


@pytest.fixture(scope="module")
def published(module_database_url: str) -> Iterator[Connection]:
    """Two portfolios: `mixed` in EUR with a gap and no MWR, and `held`, whose name needs escaping."""
    with connect(module_database_url) as conn:
        ensure_marts(conn, read_specs(prepare()))
        conn.execute(
            "insert into ops.runs (run_id, as_of, cutoff_at, as_of_date, is_as_of_given)"
            " values ('r', %s, %s, '2021-03-31', true)",
            [AS_OF, AS_OF],
        )
        conn.execute(
            "insert into ops.publications (publication_id, run_id, as_of, inputs_fingerprint, checks_passed,"
            " checks_warned, portfolios, held_portfolios, changed_rows, table_rows)"
            " overriding system value values (7, 'r', %s, 'f', 1, 1, 2, 1, 1, '')",
            [AS_OF],
        )
        _insert(conn, "portfolios", portfolio_id="mixed", user_id="u", name="Mixed", base_currency="EUR",
                is_active=True, is_held=False, values_as_of=AS_OF)  # fmt: skip
        _insert(conn, "portfolios", portfolio_id="held", user_id="u", name="<b>A & B</b>", base_currency="USD",
                is_active=True, is_held=True, held_reason="identity: 3.10 unexplained")  # fmt: skip
        for day, value, reason in ((30, "1000", None), (31, "1234567.891", "stale_price: commodity:XAU")):
            _insert(conn, "portfolio_daily", portfolio_id="mixed", user_id="u", valuation_date=date(2021, 3, day),
                    value_base=Decimal(value), inflow_base=Decimal(0), outflow_base=Decimal(0), drawdown=-0.25,
                    usd_rate=Decimal("2"), incomplete_reason=reason)  # fmt: skip
        _insert(conn, "portfolio_performance", portfolio_id="mixed", user_id="u", period_type="all", twr=0.5,
                max_drawdown=-0.25, undefined_reason="mwr:no_root; sharpe_ratio:zero_deviation")  # fmt: skip
        for asset, weight in (("etf:SPY", 0.75), ("fiat:EUR", 0.25)):
            _insert(conn, "portfolio_assets", portfolio_id="mixed", user_id="u", account_id="a", instrument_id=asset)
            _insert(conn, "portfolio_allocation", portfolio_id="mixed", user_id="u", dimension="asset", bucket=asset,
                    weight=weight)  # fmt: skip
        for confidence, value, share, reason in (
            (0.95, Decimal("1500.5"), 0.0012, None), (0.99, None, None, "all:too_few_observations"),
        ):  # fmt: skip
            _insert(conn, "portfolio_risk", portfolio_id="mixed", user_id="u", horizon_days=1, confidence=confidence,
                    method="historical", var_base=value, var_ratio=share, undefined_reason=reason)  # fmt: skip
        for scenario, loss in (("mild", Decimal(-5)), ("harsh", Decimal("50000")), ("unknown", None)):
            _insert(conn, "stress_tests", portfolio_id="mixed", user_id="u", scenario=scenario, kind="shock",
                    scenario_name=f"A {scenario} one", loss_base=loss, loss_percent=4.05)  # fmt: skip
        _insert(conn, "data_quality", check_name="stale_prices", partition="mixed", severity="warn", reach="none",
                passed=False, failed_rows=1, first_offenders="XAU < 2019", next_step="Add prices.")  # fmt: skip
        _insert(conn, "data_quality", check_name="identity", partition="run", severity="error", reach="run",
                passed=True, failed_rows=0)  # fmt: skip
        conn.commit()
        yield conn


def test_end_table_gives_published_figures_and_reasons(published: Connection) -> None:
    mixed, held = summary_table(published)
    assert mixed["portfolio_id"] == "mixed"
    assert mixed["value_base"] == Decimal("1234567.891")
    assert mixed["value_usd"] == Decimal("2469135.782")
    assert mixed["twr_all"] == 0.5
    assert mixed["mwr_all"] is None
    assert mixed["reasons"]["mwr_all"].startswith("no_root: no rate")
    assert mixed["reasons"]["sharpe_ratio"].startswith("zero_deviation: ")
    assert mixed["top_weights"] == "etf:SPY 75 %, fiat:EUR 25 %"
    assert mixed["state"] == "stale_price: commodity:XAU"
    assert held["state"] == "held"
    assert held["value_base"] is None


def test_report_is_one_page_that_asks_nothing_of_the_network(published: Connection, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(published, path)
    page = path.read_text(encoding="utf-8")
    assert "<script" not in page
    assert "http" not in page
    assert "url(" not in page
    assert "$" not in page


def test_report_shows_numbers_as_people_read_them(published: Connection, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(published, path)
    page = path.read_text(encoding="utf-8")
    assert "1,234,567.89" in page
    assert "\N{MINUS SIGN}25.00 %" in page
    assert '<abbr title="no_root: no rate above -100 % balances the flows">' in page
    assert "XAU &lt; 2019" in page
    assert "Add prices." in page
    assert "&lt;b&gt;A &amp; B&lt;/b&gt;" in page
    assert "<b>A & B</b>" not in page
    assert "identity: 3.10 unexplained" in page
    assert "<span>VaR of one day, 95 %</span><b>1,500.50 EUR (0.12 %)</b>" in page
    assert '<abbr title="fewer than 1 / (1 - confidence) returns of the whole portfolio">' in page
    assert "<span>worst stress: A harsh one</span><b>50,000.00 EUR (4.05 %)</b>" in page


def test_report_before_the_first_publication_says_what_to_do(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    with connect(database_url) as conn:
        ensure_marts(conn, read_specs(prepare()))
        conn.commit()
        write_report(conn, path)
        assert conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert "Nothing has been published yet" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("2021-04-01T00:00:00+00:00", "end of 2021-03-31"),
        ("2021-03-31T23:59:59.999999+00:00", "end of 2021-03-31"),
        ("2021-03-31T12:30:00+00:00", "2021-03-31 12:30 UTC"),
    ],
)
def test_midnight_closes_the_day_before(at: str, said: str) -> None:
    assert moment(datetime.fromisoformat(at)) == said
