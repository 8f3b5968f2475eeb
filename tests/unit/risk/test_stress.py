"""Scenarios and their losses, counted by hand."""

import re
from pathlib import Path

import numpy as np
import pytest

from assets.registry import limits_yaml, scenarios_yaml
from assets.risk import reasons
from assets.risk.scenarios import CORRELATION, Shock, changes, episodes, single_shocks, user_scenario
from assets.risk.stress import losses
from assets.risk.stress_rows import stress_frame
from tests.unit.risk.books import book
from tests.unit.risk.test_measures import RETURNS, measured

ROOT = Path(__file__).resolve().parents[3]
HELD = {
    "bond:US10Y": 10.0, "crypto:BTC": 40.0, "crypto:USDC": 20.0, "equity:SAP": 30.0, "etf:SPY": 50.0, "fiat:EUR": -8.0,
}  # fmt: skip


def holdings(base: str = "fiat:USD"):  # type: ignore[no-untyped-def]
    return book([HELD], base, crypto__USDC={"is_stablecoin": True}, equity__SAP={"quote_currency": "fiat:EUR"})


def told(found, scenario):  # type: ignore[no-untyped-def]
    return losses(found, scenario.changes[found.members])


@pytest.mark.parametrize(
    ("scenario", "loss", "worst"),
    [
        ("crypto_down_50", 20.0, "crypto:BTC"),
        ("equity_down_20", 16.0, "etf:SPY"),
        ("stablecoin_depeg", 2.0, "crypto:USDC"),
        # only the share in Frankfurt and the debt in euros are in another currency: 22 of them
        ("base_currency_up_10", 22 * (1 - 1 / 1.1), "equity:SAP"),
        ("base_currency_down_10", 22 * (1 - 1 / 0.9), "fiat:EUR"),
    ],
)
def test_single_shocks(scenario: str, loss: float, worst: str) -> None:
    found = holdings()
    by_name = {one.scenario: one for one in single_shocks(found.instruments, found.base_currency)}
    result = told(found, by_name[scenario])
    assert result.loss[0] == pytest.approx(loss)
    assert result.coverage[0] == 1
    assert found.instruments[found.members[result.worst[0]]].instrument_id == worst


def test_what_a_bond_loses_is_not_known() -> None:
    found = holdings()
    (rates,) = [one for one in single_shocks(found.instruments, "fiat:USD") if one.scenario == "rates_up_1pp"]
    result = told(found, rates)
    assert (result.loss[0], result.worst[0]) == (0, -1)
    assert result.coverage[0] == pytest.approx(1 - 10 / 158)


def test_an_owners_shocks_compound_and_reach_what_they_name() -> None:
    found = book(
        [{"crypto:ETH": 10.0, "eip155:10/slip44:60": 10.0, "etf:A": 10.0}],
        eip155__10={},
        **{
            "eip155__10/slip44__60": {
                "canonical_instrument": "crypto:ETH",
                "chain": "optimism",
                "asset_class": "crypto",
            }
        },
    )
    shocks = [
        {"by": "instrument", "target": "crypto:ETH", "change": -0.5},
        {"by": "chain", "target": "optimism", "change": -0.2},
    ]
    scenario = user_scenario("mine", "Mine", shocks, found.instruments, "fiat:USD", {})
    by_id = dict(zip((item.instrument_id for item in found.instruments), scenario.changes, strict=True))
    assert by_id == {"crypto:ETH": -0.5, "eip155:10/slip44:60": pytest.approx(-0.6), "etf:A": 0}


def test_a_foreign_currency_moves_what_is_quoted_in_it() -> None:
    found = holdings()
    moved = changes(found.instruments, "fiat:USD", [Shock("currency", "fiat:EUR", 0.1)])
    names = [item.instrument_id for item in found.instruments]
    assert {name for name, change in zip(names, moved, strict=True) if change} == {"equity:SAP", "fiat:EUR"}


def test_with_every_correlation_at_one_the_deviations_add_up() -> None:
    found = book([{"crypto:A": 600.0, "crypto:B": 400.0}, {"crypto:A": 600.0, "crypto:B": -400.0}])
    _, known = measured(found)
    rows = stress_frame(found, [], known).to_dicts()
    deviations, means = RETURNS[:2, 1:].std(axis=1, ddof=1), RETURNS[:2, 1:].mean(axis=1)
    for row, values in zip(rows, ([600, 400], [600, -400]), strict=True):
        expected = 2.3263478740408408 * abs(values @ deviations) - values @ means
        assert row["scenario"] == CORRELATION
        assert row["loss_base"] == pytest.approx(expected, rel=1e-9)
    assert rows[0]["loss_base"] >= known.estimates[1, 0.99, "parametric"].var[0]


def test_a_loss_of_too_little_is_none() -> None:
    found = book([{"crypto:A": 600.0, "crypto:B": 400.0}])
    _, known = measured(found)
    past = [one for one in single_shocks(found.instruments, "fiat:USD") if one.scenario == "rates_up_1pp"]
    unknown = [type(one)(one.scenario, one.kind, one.name, np.array([-0.1, np.nan]), "no_history") for one in past]
    row = stress_frame(found, unknown, known).to_dicts()[0]
    assert (row["loss_base"], row["loss_percent"], row["worst_position"]) == (None, None, None)
    assert row["undefined_reason"] == "all:no_history"
    assert row["coverage"] == pytest.approx(0.6)


def test_no_scenario_of_an_owner_takes_the_name_of_one_of_the_product() -> None:
    shocks = [one.scenario for one in single_shocks([], "fiat:USD")]
    assert set(scenarios_yaml.TAKEN) == {*(one.scenario for one in episodes()), *shocks, CORRELATION}


def test_limits_are_on_rules_that_there_are() -> None:
    model = (ROOT / "dbt_project/models/marts/allocation/allocation_risk.sql").read_text()
    quoted = set(re.findall(r"'([a-z0-9_]+)'", model))
    assert {*limits_yaml.AT_MOST, *limits_yaml.AT_LEAST} <= quoted


def test_every_reason_is_documented() -> None:
    page = (ROOT / "docs/metrics.md").read_text()
    assert [code for code, meaning in reasons.MEANINGS.items() if f"| `{code}` | {meaning} |" not in page] == []
