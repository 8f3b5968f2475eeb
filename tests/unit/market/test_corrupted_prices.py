"""What acceptance stops of prices that went wrong in known ways, and what it does not: the report is in the docs."""

from __future__ import annotations

from pathlib import Path

from tests.unit.market.corruptions import CORRUPTIONS, measure, table

REPORT = Path(__file__).parents[3] / "docs" / "price_acceptance.md"
#: Seen as wrong by nobody who has only these prices, and why.
NOT_CAUGHT = {
    "a day late, alone": "a market without closing days, and nobody to compare with",
    "frozen for 3 bars, alone": "quiet markets do that",
    "another symbol's prices, with history": "a move of this size that lasts may be true",
    "another symbol's prices, first page, alone": "nothing to compare with",
    "one bar 3 % too high, alone": "an ordinary day",
    "drifts by 0.5 % a day, alone": "ordinary days",
    "two bars exchanged, alone": "ordinary days",
}
PARTLY = {"drifts by 0.5 % a day, beside another source": "stopped once it has drifted beyond the class's tolerance"}


def test_corrupted_prices_are_stopped_and_right_ones_beside_them_are_not() -> None:
    found = {corruption.name: measure(corruption) for corruption in CORRUPTIONS}

    assert len(found) >= 30
    assert {name for name, caught in found.items() if caught.verdict == "not caught"} == set(NOT_CAUGHT)
    assert {name for name, caught in found.items() if caught.verdict == "partly"} == set(PARTLY)
    lost = {name: caught.lost for name, caught in found.items() if caught.lost}
    assert lost == {"rows repeated with other prices": 30}, "right prices that do not count"


def test_the_report_in_the_docs_is_this_one() -> None:
    assert table() in REPORT.read_text(encoding="utf-8"), "python -m tests.unit.market.corruptions prints it"
