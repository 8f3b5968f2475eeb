"""Files as text, CSV records, values."""

from __future__ import annotations

from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.importers.csv_records import header_of, physical_lines, read_table
from assets.importers.detect import UnknownFormatError, detect
from assets.importers.formats import FORMATS
from assets.importers.model import Format, Parsed, SourceFile
from assets.importers.source_files import SourceFileError, read_source
from assets.importers.values import LineRefusal, decimal, major_unit, moment, plain


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("Datum;Stück\r\n1;2\r\n".encode(encoding))
    assert read_source(path).text == "Datum;Stück\r\n1;2\r\n"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"a\nSt\xfcck", ":2 is no UTF-8"),
        (b"PK\x03\x00", "no text file"),
        (b"PK\x03\x04\xff", "archive or a workbook"),
    ],
)
def test_what_is_no_text(data: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    with pytest.raises(SourceFileError, match=says):
        read_source(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceFileError, match=r"none\.csv cannot be read"):
        read_source(tmp_path / "none.csv")


@given(st.text(alphabet='a",;\r\n\x0b\u2028', max_size=40))
def test_lines_end_where_a_file_read_as_it_stands_ends_them(text: str) -> None:
    assert list(physical_lines(text)) == list(StringIO(text, newline=""))


def test_records_know_their_lines() -> None:
    table = read_table('\r\na;b\r\n1;"two\r\nlines"\r\n\r\n;;\r\n3;4;5\r\n6;"7;8"\r\n')
    assert table.header == ("a", "b")
    assert table.delimiter == ";"
    records = list(table.records)
    assert [(record.line, record.fields) for record in records] == [
        (3, ("1", "two\r\nlines")), (7, ("3", "4", "5")), (8, ("6", "7;8")),
    ]  # fmt: skip
    assert [record.is_ragged for record in records] == [False, True, False]
    assert records[2].values == {"a": "6", "b": "7;8"}


def test_header_of_nothing() -> None:
    assert header_of("") == ((), ",")


@pytest.mark.parametrize(
    ("text", "style", "number"),
    [
        ("", "point", "0"), ("1,234.56", "point", "1234.56"), ("-1234.5", "point", "-1234.5"), ("1e-8", "point", "1e-8"),
        ("1'234.56", "point", "1234.56"), ("\u22121.5", "point", "-1.5"), (".5", "point", "0.5"),
        ("1.234,56", "comma", "1234.56"), ("1.234", "comma", "1234"), ("0,5", "comma", "0.5"), ("12", "comma", "12"),
    ],
)  # fmt: skip
def test_decimal(text: str, style: str, number: str) -> None:
    assert decimal({"x": text}, "x", style) == Decimal(number)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "style"),
    [("1.5", "comma"), ("1,5", "point"), ("1.234.56", "point"), ("12,34.5", "point"), ("NaN", "point"), ("x", "comma")],
)
def test_what_is_no_decimal(text: str, style: str) -> None:
    with pytest.raises(LineRefusal):
        decimal({"x": text}, "x", style)  # type: ignore[arg-type]


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=9))
def test_plain_spelling_is_the_same_number(number: Decimal) -> None:
    text = plain(number)
    assert Decimal(text) == number
    assert "E" not in text
    assert text == plain(Decimal(text))
    local = f"{number:,f}".translate(str.maketrans(",.", ".,"))
    assert decimal({"x": local}, "x", "comma") == number


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2024-03-01", "2024-03-01"), ("2024-03-01T00:00", "2024-03-01"), ("2024-03-01T00:00:00Z", "2024-03-01"),
        ("2024-03-01T09:30", "2024-03-01T09:30Z"), ("2024-03-01 09:30:05.25", "2024-03-01T09:30:05.25Z"),
    ],
)  # fmt: skip
def test_moment(text: str, canonical: str) -> None:
    assert moment(text, "date") == canonical


@pytest.mark.parametrize("text", ["", "01.03.2024", "2024-13-01", "2024-03-01T25:00", "2024-W10-5"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(LineRefusal):
        moment(text, "date")


def test_pence() -> None:
    assert major_unit("GBp") == ("GBP", Decimal("0.01"))
    assert major_unit("GBP") == ("GBP", Decimal(1))


def test_a_file_of_no_known_layout_is_told_with_its_header() -> None:
    source = SourceFile(Path("x.csv"), "when,what,how much\n1,2,3\n")
    with pytest.raises(UnknownFormatError, match=r'"when", "what", "how much".*canonical.*ghostfolio'):
        detect(source, FORMATS)
    with pytest.raises(UnknownFormatError, match="is no Ghostfolio"):
        detect(source, FORMATS, "ghostfolio")
    with pytest.raises(UnknownFormatError, match="did you mean ghostfolio"):
        detect(source, FORMATS, "gostfolio")
    with pytest.raises(UnknownFormatError, match="no known format"):
        detect(SourceFile(Path("x.json"), '{"activities": 1}'), FORMATS)


def test_two_formats_for_one_file_is_an_error() -> None:
    twins = [Format(name, "1", name, lambda _: True, lambda *_: Parsed()) for name in ("one", "two")]
    with pytest.raises(UnknownFormatError, match=r"one \(1\), two \(1\): choose one with --format"):
        detect(SourceFile(Path("x.csv"), "a"), twins)
    assert detect(SourceFile(Path("x.csv"), "a"), twins, "two").name == "two"


def test_a_large_file_on_one_line_is_told_by_its_beginning() -> None:
    activity = '{"type":"BUY","unitPrice":1,"symbol":"MSFT"}'
    source = SourceFile(Path("x.json"), '{"activities":[' + ",".join([activity] * 10_000) + "]}")
    assert detect(source, FORMATS).name == "ghostfolio"


def test_a_quote_that_is_never_closed_is_one_ragged_record() -> None:
    table = read_table('a,b\n1,2\n"3,4\n' + "5,6\n" * 100_000)
    assert [(record.line, record.is_ragged) for record in table.records] == [(2, False), (3, True)]
