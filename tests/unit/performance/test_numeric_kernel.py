"""PostgreSQL's packed numbers by their documented form; tests/integration compares them with its own casts."""

import numpy as np
import pytest

from assets.performance import compiled
from assets.performance.compiled import kernel
from assets.performance.numeric_kernel import decode_numerics


def decode(*numbers: list[int]) -> list[float]:
    """Each number is its digits' count, weight, sign, scale and digits to the base 10000."""
    fields = np.array([field for number in numbers for field in number], dtype=np.int64).astype(np.int16)
    found, counts = np.empty(len(numbers)), np.empty(1, dtype=np.int64)
    kernel(decode_numerics, 1)(fields, np.array([len(fields)]), found, counts)
    assert counts.tolist() == [len(numbers)]
    return found.tolist()


@pytest.mark.parametrize("worth", [0, 10**9])
def test_documented_form(worth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """src/backend/utils/adt/numeric.c, numeric_send: 12345.678 is 1 2345 . 6780 with the weight of its first digit."""
    monkeypatch.setattr(compiled, "WORTH_COMPILING", worth)
    assert decode([3, 1, 0, 3, 1, 2345, 6780]) == [12345.678]
    assert decode([3, 1, 0x4000, 3, 1, 2345, 6780], [0, 0, 0, 0], [1, -1, 0, 4, 1]) == [-12345.678, 0.0, 0.0001]
    assert decode([1, 7, 0, 0, 5]) == [5e28]
    assert decode([1, -8, 0, 32, 5]) == [pytest.approx(5e-32, rel=1e-15)]
    assert decode([10, 0, 0, 36, *[3333] * 10]) == [pytest.approx(3333.333333333333333333, rel=2.3e-16)]


@pytest.mark.parametrize("sign", [0xC000, 0xD000, 0xF000])
def test_what_is_no_number_is_nan(sign: int) -> None:
    assert np.isnan(decode([0, 0, sign, 0])).all()
