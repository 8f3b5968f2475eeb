from decimal import Decimal

import pytest

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
    shocks: [{by: protocol, group: aave, change: "-1"}]
"""


def test_every_key_is_read() -> None:
    found, problems = read_scenarios(FULL.encode())
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
        Scenario("hack", "hack", (Shock("protocol", "aave", Decimal(-1)),)),
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
        ("{id: a, shock: []}", "did you mean shocks?"),
    ],
)
def test_problems_say_where_and_what(line: str, says: str) -> None:
    _, problems = read_scenarios(f"version: 1\nscenarios:\n  - {line}\n".encode())
    told = "\n".join(str(problem) for problem in problems)
    assert says in told
    assert "scenarios.yaml:3:" in told


def test_each_id_once() -> None:
    one = "  - {id: a, shocks: [{by: chain, group: base, change: 0}]}\n"
    _, problems = read_scenarios(f"version: 1\nscenarios:\n{one}{one}".encode())
    assert [problem.line for problem in problems] == [4]
