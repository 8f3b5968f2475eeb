from decimal import Decimal

import pytest

from assets.importers.delimited import Account, Refused, instant, number, plain, read_lines


def is_header(names: frozenset[str]) -> bool:
    return names >= {"a", "b"}


def test_lines_keep_their_numbers_below_a_preamble_and_within_quotes() -> None:
    header, lines = read_lines('\ufeffsome words\r\n\r\na,b\r\n1,"x\r\ny"\r\n\r\na,b\r\n 2 ,"z\u2028z"\r\n', is_header)
    assert header == ["a", "b"]
    assert [(line.number, line["a"], line["b"]) for line in lines] == [(4, "1", "x y"), (8, "2", "z z")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2,3", "2 values as in the header, found 3"),
        ("a,b\n1", "2 values as in the header, found 1"),
        ('a,b\n"1,2\n3,4\n', "in the lines up to 3: a quote may not be closed"),
        ('a,b\n1,"' + "2\n" * 100_000, "in the lines up to"),
    ],
)
def test_a_line_that_cannot_be_parted_says_so(text: str, says: str) -> None:
    first = next(read_lines(text, is_header)[1])
    assert first.number == 2
    assert says in first.problem


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_what_a_spreadsheet_saved_again_is_read_but_for_commas_that_could_mean_two_things(delimiter: str) -> None:
    cells = [("a", "b"), ("1", "bought 1,250 of x, y"), ("1,250.5", "2"), ("2", "1,250")]
    texts = ["\n".join(f'"{one}"{mark}"{other}"' for one, other in cells) for mark in (",", delimiter)]
    plain_lines, lines = (list(read_lines(text, is_header)[1]) for text in texts)
    assert lines[:2] == plain_lines[:2]
    assert [bool(line.problem) for line in plain_lines] == [False, False, False]
    assert "1,250 may have a decimal comma" in lines[2].problem


def test_values_left_over_that_are_empty_do_no_harm() -> None:
    assert next(read_lines("a,b\n1,2,,\n", is_header)[1]).cells == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("text", "value"), [("1,234,567.50", "1234567.5"), ("-.5", "-0.5"), ("1e-8", "0.00000001"), ("1E+3", "1000"), ("100", "100")]
)  # fmt: skip
def test_numbers(text: str, value: str) -> None:
    assert plain(number(text, "n")) == value


@pytest.mark.parametrize("text", ["", "1.234,50", "12,34", "1 000", "NaN", "inf", "1_000", "--1", "١", "1e41", "1e-41"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(Refused, match="number"):
        number(text, "n")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2024-03-01", "2024-03-01"),
        ("2024-03-01 09:30:00", "2024-03-01T09:30:00Z"),
        ("2024-03-01 09:30:00 UTC", "2024-03-01T09:30:00Z"),
        ("2024-03-01T09:30:00.5Z", "2024-03-01T09:30:00.500000Z"),
        ("2024-03-01T09:30:00+02:00", "2024-03-01T07:30:00Z"),
    ],
)
def test_times(text: str, at: str) -> None:
    assert instant(text, "t") == at


@pytest.mark.parametrize("text", ["", "01.03.2024", "2024-02-30", "1899-12-31", "9999-12-31 23:59:59-10:00", "soon"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(Refused, match="date or time"):
        instant(text, "t")


def test_equal_lines_have_ids_of_their_own_that_another_export_repeats() -> None:
    lines = read_lines("a,b\n1,2\n1,2\n3,4\n", is_header)[1]
    account = Account()
    ids = [account.identity(line) for line in lines]
    assert len(set(ids)) == 3
    assert ids[1] == f"{ids[0]}-2"
    moved = read_lines("b,c,a\n4,,3\n2,,1\n", is_header)[1]
    assert [Account().identity(line) for line in moved] == [ids[2], ids[0]]


def test_the_shortest_spelling_keeps_every_digit() -> None:
    assert plain(Decimal("0.100000000000000000000000000000000001000")) == "0.100000000000000000000000000000000001"
