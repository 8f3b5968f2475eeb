"""Arithmetic of Uniswap v3: price at a tick, amounts behind liquidity, uncollected fees. Exact integers.

Belongs here: numbers in, numbers out. Must not be here: calls, positions.

Sources: Uniswap v3 Core whitepaper (March 2021), sections 6.1 to 6.4 (https://uniswap.org/whitepaper-v3.pdf). Rounding
is that of the contracts (v3-core TickMath, v3-periphery LiquidityAmounts), so that a result is the one that
`decreaseLiquidity` and `collect` would pay, to the last unit.
"""

from decimal import Decimal, localcontext
from functools import cache

MIN_TICK, MAX_TICK = -887272, 887272
_Q32, _Q96, _Q128, _Q256 = 1 << 32, 1 << 96, 1 << 128, 1 << 256


def sqrt_price_at_tick(tick: int) -> int:
    """The square root of the price at a tick, 1.0001**(tick/2), in Q64.96, rounded as the contracts do (up).

    Raises:
        ValueError: the tick is outside of ±887272.
    """
    if not MIN_TICK <= tick <= MAX_TICK:
        raise ValueError(f"tick {tick}: expected {MIN_TICK} to {MAX_TICK}")
    ratio = _Q128
    for bit, factor in enumerate(_factors()):
        if abs(tick) >> bit & 1:
            ratio = ratio * factor >> 128
    if tick > 0:
        ratio = (_Q256 - 1) // ratio
    return -(-ratio // _Q32)


@cache
def _factors() -> tuple[int, ...]:
    """1.0001**-(2**bit / 2) in Q0.128, to the nearest, for each bit of a tick."""
    with localcontext() as context:
        context.prec = 80
        return tuple(
            int((Decimal(_Q128) / (Decimal("1.0001") ** (1 << bit)).sqrt()).to_integral_value())
            for bit in range(MAX_TICK.bit_length())
        )


def amounts_of_liquidity(liquidity: int, sqrt_price: int, sqrt_lower: int, sqrt_upper: int) -> tuple[int, int]:
    """What is behind liquidity between two prices, at a price: amounts of token0 and token1, each rounded down.

    Args:
        liquidity: as the position has it.
        sqrt_price: of the pool; this one and the next two in Q64.96.
        sqrt_lower: at the lower tick.
        sqrt_upper: at the upper tick.
    """
    low, high = sorted((sqrt_lower, sqrt_upper))
    if sqrt_price <= low:
        return _amount0(liquidity, low, high), 0
    if sqrt_price < high:
        return _amount0(liquidity, sqrt_price, high), _amount1(liquidity, low, sqrt_price)
    return 0, _amount1(liquidity, low, high)


def _amount0(liquidity: int, low: int, high: int) -> int:
    """L × (1/√low − 1/√high); the contracts divide twice and round down twice."""
    return liquidity * _Q96 * (high - low) // high // low


def _amount1(liquidity: int, low: int, high: int) -> int:
    """L × (√high − √low)."""
    return liquidity * (high - low) // _Q96


def fee_growth_inside(tick: int, lower: int, upper: int, growth: int, below: int, above: int) -> int:
    """Fees of one token per unit of liquidity between two ticks, in Q128.128.

    All are counters modulo 2**256 that may have passed zero: only differences of two mean anything.

    Args:
        tick: of the pool's price.
        lower: the position's lower tick.
        upper: its upper tick.
        growth: all fees of the pool, per unit of liquidity.
        below: what the lower tick has as fees outside.
        above: what the upper tick has.
    """
    under = below if tick >= lower else growth - below
    over = above if tick < upper else growth - above
    return (growth - under - over) % _Q256


def fees_since(inside: int, inside_before: int, liquidity: int) -> int:
    """Fees of one token that liquidity earned while the growth inside went from one counter to the other."""
    return (inside - inside_before) % _Q256 * liquidity // _Q128
