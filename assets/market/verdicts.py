"""The words of acceptance: verdicts, and the reasons for which a price does not count.

Belongs here: codes and what they mean. Must not be here: when one is given (acceptance.py).
"""

ACCEPTED, HELD, REFUSED = "accepted", "held", "refused"

REASONS: dict[str, tuple[str, str]] = {
    # code: (verdict, what it means)
    "not_finite": (REFUSED, "a price is missing, NaN or infinite"),
    "not_positive": (REFUSED, "a price is zero or below, or a volume below zero"),
    "unknown_currency": (REFUSED, "nothing is known under the name of its currency"),
    "in_the_future": (REFUSED, "it is of a later time than now"),
    "time_outside_bar": (REFUSED, "its close lies outside of its own bar"),
    "ohlc": (REFUSED, "low, open, close and high contradict each other"),
    "duplicate": (REFUSED, "another row of the same answer has the same key"),
    "market_closed": (HELD, "the market was closed that day"),
    "shifted_days": (HELD, "the source's days do not fit the calendar, or are another source's of one bar off"),
    "outlier": (HELD, "it moved by more than the class and its own past let expect"),
    "suspected_split": (HELD, "it moved by a plain ratio at usual turnover: add the split, or release it"),
    "suspected_unit": (HELD, "it moved by a power of ten: pence, cents or decimals"),
    "suspected_inverse": (HELD, "it is one over the last price: the pair the wrong way round"),
    "disagreement": (HELD, "other sources have another price for that time"),
    "currency_changed": (HELD, "the source told this instrument in another currency before"),
    "frozen": (HELD, "the feed repeats itself"),
    "stale": (HELD, "it is too old for a latest price"),
}
"""What each code means; the first that applies is given. None of an accepted row."""
