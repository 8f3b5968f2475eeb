"""Uniswap v3 arithmetic against the figures of Uniswap's own tests, and against a high-precision formula."""

from decimal import Decimal, localcontext
from math import isqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.wallets.positions.uniswap_v3_math import (
    MAX_TICK,
    MIN_TICK,
    amounts_of_liquidity,
    fee_growth_inside,
    fees_since,
    sqrt_price_at_tick,
)

ticks = st.integers(MIN_TICK, MAX_TICK)
counters = st.integers(0, 2**256 - 1)


@pytest.mark.parametrize(
    ("tick", "sqrt_price"),
    [
        # Uniswap/v3-core, test/TickMath.spec.ts and its snapshot
        (MIN_TICK, 4295128739),
        (MIN_TICK + 1, 4295343490),
        (MAX_TICK - 1, 1461373636630004318706518188784493106690254656249),
        (MAX_TICK, 1461446703485210103287273052203988822378723970342),
        (-50, 79030349367926598376800521322),
        (-500, 77272108795590369356373805297),
        (-5000, 61703726247759831737814779831),
        (-50000, 6504256538020985011912221507),
        (-250000, 295440463448801648376846),
        (-738203, 7409801140451),
        (50, 79426470787362580746886972461),
        (1000, 83290069058676223003182343270),
        (2500, 89776708723587163891445672585),
        (0, 2**96),
    ],
)
def test_prices_at_ticks_are_those_of_uniswaps_tests(tick: int, sqrt_price: int) -> None:
    assert sqrt_price_at_tick(tick) == sqrt_price


@given(ticks)
def test_prices_at_ticks_are_powers_of_1_0001(tick: int) -> None:
    with localcontext() as context:
        context.prec = 80
        exact = (Decimal("1.0001") ** tick).sqrt() * 2**96
        # 20 products rounded at 128 bits, relative to a ratio below 1, and one rounding up to the unit
        allowed = 1 + exact * 40 / 2**128 * (Decimal("1.0001") ** abs(tick)).sqrt()
        assert abs(sqrt_price_at_tick(tick) - exact) <= allowed


@given(st.integers(MIN_TICK, MAX_TICK - 1))
def test_a_higher_tick_has_a_higher_price(tick: int) -> None:
    assert sqrt_price_at_tick(tick) < sqrt_price_at_tick(tick + 1)


@pytest.mark.parametrize("tick", [MIN_TICK - 1, MAX_TICK + 1])
def test_a_tick_out_of_range_is_refused(tick: int) -> None:
    with pytest.raises(ValueError, match="expected -887272 to 887272"):
        sqrt_price_at_tick(tick)


def price(amount1: int, amount0: int) -> int:
    """`encodePriceSqrt` of Uniswap's tests."""
    return isqrt((amount1 << 192) // amount0)


@pytest.mark.parametrize(
    ("at", "liquidity", "amounts"),
    [
        # Uniswap/v3-periphery, test/LiquidityAmounts.spec.ts, #getAmountsForLiquidity
        (price(1, 1), 2148, (99, 99)),
        (price(99, 110), 1048, (99, 0)),
        (price(111, 100), 2097, (0, 199)),
        (price(100, 110), 1048, (99, 0)),
        (price(110, 100), 2097, (0, 199)),
    ],
)
def test_amounts_of_liquidity_are_those_of_uniswaps_tests(at: int, liquidity: int, amounts: tuple[int, int]) -> None:
    assert amounts_of_liquidity(liquidity, at, price(100, 110), price(110, 100)) == amounts
    assert amounts_of_liquidity(liquidity, at, price(110, 100), price(100, 110)) == amounts


@given(st.integers(0, 2**128 - 1), ticks, ticks, ticks)
def test_amounts_are_the_exact_ones_less_what_rounding_takes(liquidity: int, at: int, one: int, other: int) -> None:
    lower, upper = sorted((one, other))
    middle, low, high = (sqrt_price_at_tick(tick) for tick in (at, lower, upper))
    amounts = amounts_of_liquidity(liquidity, middle, low, high)
    with localcontext() as context:
        context.prec = 160
        bound = Decimal(min(max(middle, low), high))
        exact0 = liquidity * Decimal(2**96) * (1 / bound - 1 / Decimal(high))
        exact1 = liquidity * (bound - low) / 2**96
    # two divisions that round down: less than one unit and a bit at prices above 2**-96
    assert 0 <= exact0 - amounts[0] < 1 + 1 / bound + Decimal("1e-20")
    assert 0 <= exact1 - amounts[1] < 1


@pytest.mark.parametrize(
    ("tick", "below", "above", "inside"),
    [
        # Uniswap/v3-core, test/Tick.spec.ts, #getFeeGrowthInside: ticks -2 and 2, growth 15
        (0, (0, 0), (0, 0), (15, 15)),
        (4, (0, 0), (0, 0), (0, 0)),
        (-4, (0, 0), (0, 0), (0, 0)),
        (0, (0, 0), (2, 3), (13, 12)),
        (0, (2, 3), (0, 0), (13, 12)),
        (0, (2, 3), (4, 1), (9, 11)),
        (0, (2**256 - 4, 2**256 - 3), (3, 5), (16, 13)),
    ],
)
def test_fee_growth_inside_is_that_of_uniswaps_tests(
    tick: int, below: tuple[int, int], above: tuple[int, int], inside: tuple[int, int]
) -> None:
    assert tuple(fee_growth_inside(tick, -2, 2, 15, below[side], above[side]) for side in (0, 1)) == inside


@given(counters, st.integers(0, 2**120), st.integers(0, 2**128 - 1))
def test_fees_are_right_when_a_counter_has_passed_zero(before: int, grown: int, liquidity: int) -> None:
    assert fees_since((before + grown) % 2**256, before, liquidity) == grown * liquidity // 2**128


@given(counters, counters, counters, st.integers(0, 2**200), st.sampled_from([-5, 0, 5]))
def test_growth_of_the_pool_is_inside_only_while_the_price_is(
    growth: int, below: int, above: int, more: int, tick: int
) -> None:
    before = fee_growth_inside(tick, -2, 2, growth, below, above)
    after = fee_growth_inside(tick, -2, 2, (growth + more) % 2**256, below, above)
    assert (after - before) % 2**256 == (more if tick == 0 else 0)
