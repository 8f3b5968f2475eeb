import csv
import io

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.registry.csv_text import Columns, read_csv_text
from assets.registry.problems import FileProblems

COLUMNS = Columns(("a", "b"), ("c",))


def read(data: bytes) -> tuple[pl.DataFrame | None, list[str]]:
    problems = FileProblems("x.csv")
    frame = read_csv_text(data, COLUMNS, problems)
    return frame, [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"a\n1\n", "x.csv:1, column b: expected the column b"),
        (b"a,b,d\n1,2,3\n", 'x.csv:1, column d: "d"'),
        (b"a,b,B\n1,2,3\n", "did you mean b?"),
        (b"a,b,a\n1,2,3\n", "each column once"),
        (b"a;b\n1;2\n", "part the columns with commas"),
        (b"a,b\n\xff,2\n", "x.csv:2: expected UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        (b"a,b\n1\x00,2\n", "x.csv:2: expected text without NUL"),
        (b"a,b\n1,2\n1,2,3\n", "x.csv:3: expected 2 values as in the header, found 3"),
        (b"a,b\n1,2\n1\n", "x.csv:3: expected 2 values as in the header, found 1"),
        (b'a,b\n1,2\n"1,2\n', "x.csv:3: expected quotes only around a whole value"),
        (b'a,b\n1,5" disk\n2,x\n', "x.csv:2: expected quotes only around a whole value"),
        (b'a,b\n1,"5" disk"\n', "x.csv:2: expected quotes only around a whole value"),
    ],
)
def test_what_cannot_be_read(data: bytes, says: str) -> None:
    _, problems = read(data)
    assert any(says in problem for problem in problems), problems


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_count_line_breaks_inside_quotes_and_blank_lines(end: bytes) -> None:
    data = end.join([b"b,a", b'"x', b'y",1', b"", b'"say ""hi"", you",2', b"  ", b" 3 ,4"])
    frame, problems = read(b"\xef\xbb\xbf" + data)
    assert problems == []
    assert frame is not None
    assert frame["line"].to_list() == [2, 5, 7]
    assert frame["a"].to_list() == ["1", "2", "4"]
    assert frame["b"].to_list() == ["x\ny", 'say "hi", you', "3"]
    assert frame["c"].to_list() == [None, None, None]


def test_empty_values_are_null_and_a_header_alone_is_a_file() -> None:
    frame, _ = read(b'a,b,c\n"",  ,x\n')
    assert frame is not None
    assert frame.row(0) == (None, None, "x", 2)
    frame, problems = read(b"a,b")
    assert frame is not None
    assert (frame.height, problems) == (0, [])


def test_every_ragged_row_is_named_and_good_rows_keep_their_lines() -> None:
    frame, problems = read(b"a,b\n1\n1,2\n1,2,3\n3,4\n")
    assert frame is not None
    assert frame["line"].to_list() == [3, 5]
    assert len(problems) == 2


@given(st.lists(st.tuples(*[st.text(st.sampled_from('ab,"\n é'), max_size=6)] * 3), max_size=8))
def test_what_a_csv_writer_writes_is_read_back(rows: list[tuple[str, str, str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("a", "b", "c"))
    writer.writerows(rows)
    frame, problems = read(text.getvalue().encode())
    assert problems == []
    assert frame is not None
    assert frame.select("a", "b", "c").rows() == [tuple(value.strip() or None for value in row) for row in rows]
