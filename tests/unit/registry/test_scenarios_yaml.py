from decimal import Decimal

import polars as pl
import pytest

from assets.registry.groups import known_groups
from assets.registry.model import Scenario, Shock
from assets.registry.scenarios_yaml import read_scenarios

FULL = """
version: 1
scenarios:
  - id: crypto-winter
    name: Crypto winter with a weak euro
    shocks:
      - {by: asset_class, group: crypto, change: "-0.7"}
      - {by: instrument, instrument: crypto:BTC, change: -0.5}
      - {by: currency, group: EUR, change: "-0.1"}
  - id: hack
    shocks: [{by: protocol, group: aave-v3, change: "-1"}, {by: category, group: real-estate, change: "-0.3"}]
"""
GROUPS = known_groups(pl.DataFrame({"protocol": ["maple", None], "category": ["real-estate", "stablecoin"]}))


def test_every_key_is_read() -> None:
    found, problems = read_scenarios(FULL.encode(), GROUPS)
    assert problems == []
    assert found == (
        Scenario(
            "crypto-winter",
            "Crypto winter with a weak euro",
            (
                Shock("asset_class", "crypto", Decimal("-0.7")),
                Shock("instrument", "crypto:BTC", Decimal("-0.5")),
                Shock("currency", "fiat:EUR", Decimal("-0.1")),
            ),
        ),
        Scenario(
            "hack",
            "hack",
            (Shock("protocol", "aave-v3", Decimal(-1)), Shock("category", "real-estate", Decimal("-0.3"))),
        ),
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "{id: covid_crash, shocks: [{by: chain, group: base, change: 0}]}",
            "an id that no scenario of the product has",
        ),
        ("{id: Mine, shocks: [{by: chain, group: base, change: 0}]}", "1 to 64 of a-z"),
        ("{id: a, shocks: []}", "at least one entry in shocks; add a shock"),
        ("{id: a}", "the key shocks in a scenario"),
        ("{id: a, shocks: [{by: asset_class, group: cryptos, change: 0}]}", "did you mean crypto?"),
        ("{id: a, shocks: [{by: sector, group: it, change: 0}]}", "by: one of instrument, asset_class"),
        (
            "{id: a, shocks: [{by: chain, group: base, change: -30}]}",
            "a decimal from -1 to 100; fractions, not percent",
        ),
        ("{id: a, shocks: [{by: currency, group: EUR, change: -1}]}", "a decimal above -1 and below 100"),
        ("{id: a, shocks: [{by: currency, group: EURO, change: 0}]}", "an ISO 4217 code such as EUR"),
        ("{id: a, shocks: [{by: chain, instrument: crypto:BTC, change: 0}]}", "no key instrument in a shock by chain"),
        ("{id: a, shocks: [{by: instrument, instrument: BTC, change: 0}]}", "scenarios.yaml:3:"),
        ("{id: a, shocks: [{by: chain, group: etherum, change: 0}]}", '"etherum": expected group: the slug of a known'),
        ("{id: a, shocks: [{by: chain, group: etherum, change: 0}]}", "did you mean ethereum?"),
        ("{id: a, shocks: [{by: chain, group: zzz, change: 0}]}", "`holdfast chains` lists the slugs"),
        ("{id: a, shocks: [{by: protocol, group: aave, change: 0}]}", "one of aave-v3, coinbase"),
        ("{id: a, shocks: [{by: protocol, group: maples, change: 0}]}", "did you mean maple?"),
        ("{id: a, shocks: [{by: category, group: hotels, change: 0}]}", "give an instrument this category in"),
        ("{id: a, shock: []}", "did you mean shocks?"),
    ],
)
def test_problems_say_where_and_what(line: str, says: str) -> None:
    _, problems = read_scenarios(f"version: 1\nscenarios:\n  - {line}\n".encode(), GROUPS)
    told = "\n".join(str(problem) for problem in problems)
    assert says in told
    assert "scenarios.yaml:3:" in told


def test_each_id_once() -> None:
    one = "  - {id: a, shocks: [{by: chain, group: base, change: 0}]}\n"
    _, problems = read_scenarios(f"version: 1\nscenarios:\n{one}{one}".encode(), GROUPS)
    assert [problem.line for problem in problems] == [4]


def test_the_group_of_what_has_none_can_be_shocked() -> None:
    text = "version: 1\nscenarios:\n  - {id: a, shocks: [{by: chain, group: off_chain, change: 0}]}\n"
    assert read_scenarios(text.encode(), GROUPS)[1] == []


def test_without_readable_instruments_free_words_are_not_judged() -> None:
    text = "version: 1\nscenarios:\n  - {id: a, shocks: [{by: protocol, group: own, change: 0}]}\n"
    assert read_scenarios(text.encode(), known_groups(None))[1] == []
