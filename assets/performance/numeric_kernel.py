"""PostgreSQL's numbers in their binary form (numeric_send), as floats.

Belongs here: the decoding loop, compiled by numba for large reads (see compiled). Must not be here:
anything that numba does not compile. A cast to double precision on the server goes through text and costs four times
what sending and decoding the binary form does.

The form, in fields of 16 bits: number of digits to the base 10000, weight of the first, sign, display scale, digits.
"""

import math

import numpy as np
from numpy.typing import NDArray

GROUP = 10_000
# so many digits fit a 64-bit integer exactly, so many together are more than a double can tell
GROUPS_AT_ONCE, GROUPS_THAT_COUNT = 4, 8
POWERS = 10.0 ** (4 * np.arange(6))  # exact up to 10^22


def decode_numerics(
    fields: NDArray[np.int16], ends: NDArray[np.int64], numbers: NDArray[np.float64], counts: NDArray[np.int64]
) -> int:
    """Fill `numbers`, NaN where one is not finite, and how many there are in each block; gives how many in all.

    A number of up to 15 digits becomes the nearest double, a longer one that or its neighbour.

    Args:
        fields: numbers end to end.
        ends: (blocks,) the field after each block.
        numbers: out, as long as there are numbers or longer; a number takes 4 fields at least.
        counts: (blocks,) out.
    """
    at = found = 0
    for block in range(len(ends)):
        first = found
        while at < ends[block]:
            digits, weight, sign = int(fields[at]), int(fields[at + 1]), int(fields[at + 2])
            at += 4
            value = 0.0
            taken = 0
            while taken < min(digits, GROUPS_THAT_COUNT):
                group = 0
                for _ in range(min(GROUPS_AT_ONCE, digits - taken)):
                    group = group * GROUP + int(fields[at + taken])
                    taken += 1
                value += scaled(float(group), weight - taken + 1)
            at += digits
            # 0x4000 is negative; not a number and the infinities have the highest bit set
            numbers[found] = math.nan if sign < 0 else -value if sign > 0 else value
            found += 1
        counts[block] = found - first
    return found


def scaled(number: float, power: int) -> float:
    """Number x 10000^power."""
    if abs(power) >= len(POWERS):
        return float(number * math.pow(float(GROUP), power))
    if power < 0:
        return float(number / POWERS[-power])
    return float(number * POWERS[power])
