"""scenarios.yaml: the owner's stress scenarios, for all portfolios.

Belongs here: the keys of the file and what must hold between them. Must not be here: what a scenario costs
(assets/risk), YAML itself (yaml_reader), the database.
"""

import re

from assets.registry.groups import Groups, read_group
from assets.registry.identifiers import fiat_code, instrument_id
from assets.registry.instruments_csv import ASSET_CLASSES
from assets.registry.model import Scenario, Shock
from assets.registry.problems import Problem
from assets.registry.yaml_reader import Fields, Node, YamlReader

FILE = "scenarios.yaml"
DIMENSIONS = ("instrument", "asset_class", "chain", "protocol", "category", "currency")
#: Ids of the product's own scenarios: one name, one meaning.
TAKEN = (
    "global_financial_crisis", "crypto_winter_2018", "covid_crash", "crypto_crash_2022", "crypto_down_50",
    "equity_down_20", "base_currency_up_10", "base_currency_down_10", "rates_up_1pp", "stablecoin_depeg",
    "correlation_to_one",
)  # fmt: skip
_SCENARIO_ID = re.compile(r"[a-z0-9_-]{1,64}")


def read_scenarios(data: bytes, groups: Groups) -> tuple[tuple[Scenario, ...], list[Problem]]:
    """Read scenarios.yaml.

    Args:
        data: the file's bytes.
        groups: those that an instrument can belong to, by dimension; one that is missing is not checked.

    Returns:
        The scenarios that could be read; all problems, each with line and column.
    """
    reader = YamlReader(FILE)
    found: dict[str, Scenario] = {}
    for node in reader.entries(data, "scenarios"):
        scenario = _scenario(reader, node, groups)
        if scenario is not None and scenario.id in found:
            reader.problem(node, "each scenario id once", "rename one of the two", scenario.id)
        elif scenario is not None:
            found[scenario.id] = scenario
    return tuple(found.values()), list(reader.problems)


def _scenario(reader: YamlReader, node: Node, groups: Groups) -> Scenario | None:
    fields = reader.mapping(node, "a scenario", ("id", "name", "shocks"), ("id", "shocks"))
    found = reader.matching(fields.get("id"), "id", _SCENARIO_ID, "1 to 64 of a-z, 0-9, - and _")
    if found in TAKEN:
        reader.problem(fields["id"], "an id that no scenario of the product has", "rename it")
    shocks = []
    for item in reader.sequence(fields["shocks"], "shocks", "add a shock") if "shocks" in fields else []:
        shock = _shock(reader, item, groups)
        if shock is not None:
            shocks.append(shock)
    name = reader.text(fields.get("name"), "name")
    return None if found is None else Scenario(found, name or found, tuple(shocks))


def _shock(reader: YamlReader, node: Node, groups: Groups) -> Shock | None:
    fields = reader.mapping(node, "a shock", ("by", "group", "instrument", "change"), ("by", "change"))
    by = reader.choice(fields.get("by"), "by", DIMENSIONS)
    # nothing loses more than all of itself, and a currency not even that: the others' rise would have no end
    change = reader.decimal(fields.get("change"), "change", "-1", "100", is_open=by == "currency")
    target = None if by is None else _target(reader, node, fields, by, groups)
    return None if by is None or change is None or target is None else Shock(by, target, change)


def _target(reader: YamlReader, node: Node, fields: Fields, by: str, groups: Groups) -> str | None:
    key, other = ("instrument", "group") if by == "instrument" else ("group", "instrument")
    if other in fields:
        reader.problem(fields[other], f"no key {other} in a shock by {by}", f"write {key} instead")
    if key not in fields:
        reader.problem(node, f"the key {key} in a shock by {by}", f"add {key}")
        return None
    if by == "instrument":
        return reader.checked(fields[key], "instrument", instrument_id)
    if by == "currency":
        return reader.checked(fields[key], "a currency", _currency)
    if by == "asset_class":
        return reader.choice(fields[key], "group", ASSET_CLASSES)
    return read_group(reader, fields[key], by, groups)


def _currency(text: str) -> str:
    """fiat:EUR, from that or from EUR."""
    return f"fiat:{fiat_code(text)}"
