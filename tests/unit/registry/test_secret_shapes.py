import pytest

from assets.registry.problems import FileProblems, InputProblems, Problem
from assets.registry.secret_shapes import secret_kind, shown

KEY = "4c0883a69102937d6231471b5dbb6204fe512961708279feb1be6ae5538da033"
EXTENDED = (
    "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"
)
SEED = "legal winner thank year wave sausage worth useful legal winner thank yellow"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (KEY, "private key"),
        ("0x" + KEY, "private key"),
        (KEY.upper(), "private key"),
        (f"key={KEY};", "private key"),
        (f"my_key_{KEY}", "private key"),
        (KEY * 2, "private key"),
        ("5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ", "private key"),
        (EXTENDED, "private key"),
        ("5" * 87, "private key"),
        ("7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU", None),
        ("-----BEGIN EC PRIVATE KEY-----", "private key"),
        (SEED, "seed phrase"),
        (SEED.upper(), "seed phrase"),
        (SEED.replace(" ", ", "), "seed phrase"),
        (f"my words: {SEED}", "seed phrase"),
        (" ".join(["abandon"] * 23 + ["art"]), "seed phrase"),
        ("https://me:pass@node.example.com", "URL with credentials"),
        ("0x00000000219ab540356cBB839Cbe05303d7705Fa", None),
        ("closes the gap between cash and total value in the case of this old account here", None),
        ("https://node.example.com/a@b", None),
        (" ".join(SEED.split()[:11]), None),
        (KEY[:63], None),
        (KEY + "a", None),
        ("12345.678", None),
    ],
)
def test_a_secret_is_known_by_its_shape(text: str, kind: str | None) -> None:
    assert secret_kind(text) == kind
    assert (shown(text) == "(hidden)") == (kind is not None)


def test_a_problem_never_shows_a_secret() -> None:
    problem = Problem("a.csv", 3, "note", f"0x{KEY}", "something else", "do this")
    assert KEY not in repr(problem)
    assert str(problem).startswith(
        "a.csv:3, column note: (hidden): expected no private key in any input file; remove it"
    )
    assert KEY not in str(Problem("a.csv", 1, KEY, KEY, "a header", ""))


def test_a_problem_reads_as_one_line() -> None:
    assert str(Problem("portfolios.yaml", 4, 9, "yes", "true or false", "write true")) == (
        'portfolios.yaml:4:9: "yes": expected true or false; write true'
    )
    assert "\n" not in str(Problem("a.csv", 1, "note", "two\nlines", "one", ""))


def test_a_file_shows_a_hundred_problems_and_counts_the_rest() -> None:
    problems = FileProblems("a.csv")
    for line in range(150, 0, -1):
        problems.add(line, "price", "x", "a number", "")
    problems.add_more(7)
    listed = list(problems)
    assert [problem.line for problem in listed[:3]] == [1, 2, 3]
    assert len(listed) == 101
    assert "57 more" in str(listed[-1])


def test_problems_are_ordered_by_file_line_and_column() -> None:
    places = [("b", 1, None), ("a", 10, None), ("a", 9, 100), ("a", 9, 20)]
    error = InputProblems([Problem(file, line, column, None, "x") for file, line, column in places])
    ordered = [(problem.file, problem.line, problem.column) for problem in error.problems]
    assert ordered == [("a", 9, 20), ("a", 9, 100), ("a", 10, None), ("b", 1, None)]
