"""The stress scenarios: the product's own, the historical episodes, and the owner's; each as changes of instruments.

Belongs here: which scenarios there are and what each does to the value of one instrument. Must not be here: losses
(stress), prices of episodes (loading), reading of scenarios.yaml (assets/registry/scenarios_yaml).
"""

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from assets.risk import reasons
from assets.risk.model import CASH_PREFIX, Booleans, Floats, Instrument

CRYPTO_CLASSES = ("crypto", "token")
EQUITY_CLASSES = ("equity", "etf")
CORRELATION = "correlation_to_one"


@dataclass(frozen=True)
class Episode:
    """A stretch of history: from the close of `first_date` to that of `last_date`."""

    scenario: str
    name: str
    first_date: date
    last_date: date


@dataclass(frozen=True)
class Shock:
    """Instruments whose `by` is `target` change their value in base currency by `change`, a fraction."""

    by: str
    target: str
    change: float


@dataclass(frozen=True)
class Scenario:
    """A scenario and the change of each instrument.

    Attributes:
        scenario: its id.
        kind: historical, shock or user.
        name: for people.
        changes: (n,) fractions; NaN: not known.
        gap: why a change is not known, a code.
    """

    scenario: str
    kind: str
    name: str
    changes: Floats
    gap: str = ""


@cache
def episodes() -> tuple[Episode, ...]:
    """The reviewed episodes, in the order of their file."""
    text = (files("assets.risk") / "data" / "episodes.csv").read_text(encoding="utf-8")
    return tuple(
        Episode(
            row["scenario"], row["name"], date.fromisoformat(row["first_date"]), date.fromisoformat(row["last_date"])
        )
        for row in csv.DictReader(text.splitlines())
    )


def single_shocks(instruments: Sequence[Instrument], base_currency: str) -> list[Scenario]:
    """One cause at a time. A holding that it does not name stays as it is."""
    is_stable = np.array([item.is_stablecoin for item in instruments], dtype=bool)
    is_crypto = _in_classes(instruments, CRYPTO_CLASSES) & ~is_stable
    is_equity = _in_classes(instruments, EQUITY_CLASSES)
    is_bond = _in_classes(instruments, ("bond",))
    rise = changes(instruments, base_currency, [Shock("currency", base_currency, 0.10)])
    fall = changes(instruments, base_currency, [Shock("currency", base_currency, -0.10)])
    return [
        Scenario("crypto_down_50", "shock", "Crypto falls by 50 %, stablecoins do not", np.where(is_crypto, -0.5, 0.0)),
        Scenario("equity_down_20", "shock", "Equities and funds fall by 20 %", np.where(is_equity, -0.2, 0.0)),
        Scenario("base_currency_up_10", "shock", "The base currency rises by 10 % against all others", rise),
        Scenario("base_currency_down_10", "shock", "The base currency falls by 10 % against all others", fall),
        # what a bond loses hangs on its duration, which nothing here knows
        Scenario(
            "rates_up_1pp",
            "shock",
            "Interest rates rise by one percentage point (bonds)",
            np.where(is_bond, np.nan, 0.0),
            "duration_unknown",
        ),
        Scenario(
            "stablecoin_depeg", "shock", "Every stablecoin falls by 10 %, to 0.90", np.where(is_stable, -0.1, 0.0)
        ),
    ]


def user_scenario(
    scenario_id: str,
    name: str,
    shocks: Sequence[Mapping[str, Any]],
    instruments: Sequence[Instrument],
    base_currency: str,
    groups: Mapping[str, Collection[str]],
) -> Scenario:
    """A scenario as stored in registry.scenarios; one with a shock on a group that is not in `groups` is not known."""
    listed = [Shock(str(one["by"]), str(one["target"]), float(one["change"])) for one in shocks]
    if any(shock.target not in groups.get(shock.by, (shock.target,)) for shock in listed):
        return Scenario(scenario_id, "user", name, np.full(len(instruments), np.nan), reasons.UNKNOWN_GROUP)
    return Scenario(scenario_id, "user", name, changes(instruments, base_currency, listed))


def changes(instruments: Sequence[Instrument], base_currency: str, shocks: Sequence[Shock]) -> Floats:
    """(n,) change of each instrument; several shocks on one instrument compound.

    A shock of a currency moves what is quoted in it; one of the base currency moves everything else the other way.
    """
    factors = np.ones(len(instruments))
    for shock in shocks:
        factor = 1.0 + shock.change
        if shock.by == "currency" and shock.target == base_currency:
            moved = np.array([item.quote_currency != base_currency for item in instruments], dtype=bool)
            factor = 1.0 / factor
        else:
            moved = np.array([_is_meant(item, shock) for item in instruments], dtype=bool)
        factors[moved] *= factor
    return factors - 1.0


def _is_meant(instrument: Instrument, shock: Shock) -> bool:
    if shock.by == "instrument":
        return shock.target in (instrument.instrument_id, instrument.canonical_instrument)
    if shock.by == "currency":
        return instrument.quote_currency == shock.target
    return bool(getattr(instrument, shock.by) == shock.target)


def _in_classes(instruments: Sequence[Instrument], classes: Sequence[str]) -> Booleans:
    return np.array(
        [item.asset_class in classes and not item.instrument_id.startswith(CASH_PREFIX) for item in instruments],
        dtype=bool,
    )
