"""Rows as COPY's text, without a database; that PostgreSQL reads it so is in tests/integration/test_ledger_store.py."""

from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from assets.ledger.copy_text import CopyText
from assets.ledger.model import FlowRow, LotRow, PositionRow
from assets.ledger.slices import TABLES, LedgerSummary

NOON = datetime(2024, 3, 1, 12, 0, 0, 5, tzinfo=UTC)


def test_each_kind_of_value() -> None:
    rows = [
        LotRow("p", "a", "crypto:BTC", "lot-1", NOON, Decimal("1E+2"), None, Decimal("0.10"), None, None, True),
        LotRow("p", "a", "crypto:BTC", "lot-2", NOON, Decimal(1), Decimal(-2), None, Decimal(3), "t\\1", False),
    ]
    assert CopyText().render(LotRow, rows).decode() == (
        "p\ta\tcrypto:BTC\tlot-1\t2024-03-01 12:00:00.000005+00\t1E+2\t\\N\t0.10\t\\N\t\\N\tt\n"
        "p\ta\tcrypto:BTC\tlot-2\t2024-03-01 12:00:00.000005+00\t1\t-2\t\\N\t3\tt\\\\1\tf\n"
    )


def test_an_open_interval_has_no_end() -> None:
    row = PositionRow("p", "a", "i", date(999, 1, 2), None, Decimal(1), None, None, "ledger")
    assert CopyText().render(PositionRow, [row]) == b"p\ta\ti\t0999-01-02\t\\N\t1\t\\N\t\\N\tledger\n"


def test_no_rows_are_no_text() -> None:
    assert CopyText().render(PositionRow, []) == b""


# a character that is no character of UTF-8, and NUL, are no text in PostgreSQL either
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.lists(st.tuples(TEXT, st.one_of(st.none(), TEXT)), min_size=1))
def test_special_characters_stay_inside_their_field(texts: list[tuple[str, str | None]]) -> None:
    day = NOON.date()
    rows = [FlowRow("f", "p", account, "i", NOON, day, None, "deposit", source) for account, source in texts]
    rendered = CopyText().render(FlowRow, rows).decode()
    lines = rendered.split("\n")
    assert lines.pop() == ""
    assert "\r" not in rendered
    fields = [line.split("\t") for line in lines]
    assert [(_read(field[2]), _read(field[8])) for field in fields] == texts


def _read(field: str) -> str | None:
    """A field as COPY reads it."""
    if field == r"\N":
        return None
    marked = field.replace("\\\\", "\0")
    for letter, character in (("t", "\t"), ("n", "\n"), ("r", "\r")):
        marked = marked.replace("\\" + letter, character)
    return marked.replace("\0", "\\")


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_is_written_as_python_writes_it(at: datetime) -> None:
    row = FlowRow("f", "p", "a", "i", at, at.date(), None, "deposit", None)
    assert CopyText().render(FlowRow, [row]).decode().split("\t")[4] == str(at).removesuffix(":00")


def test_a_summary_survives_the_way_to_another_process() -> None:
    summary = LedgerSummary(portfolios=2, transactions=3, held={"b", "a"})
    summary.rows["lots"] += 5
    summary.issues["negative_cash"] += 1
    assert LedgerSummary.from_json(summary.to_json()) == summary
    total = LedgerSummary()
    total.add(summary)
    total.add(summary)
    assert (total.portfolios, total.rows["lots"], total.issues, total.held) == (4, 10, {"negative_cash": 2}, {"a", "b"})
    assert set(total.rows) == set(TABLES)
