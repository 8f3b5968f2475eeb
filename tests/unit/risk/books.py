"""Small books of holdings for the tests of the room of risk."""

from collections.abc import Mapping, Sequence

import numpy as np

from assets.risk.model import Floats, Histories, Holdings, Instrument


def instrument(name: str, **more: object) -> Instrument:
    namespace = name.partition(":")[0]
    settings = {
        "asset_class": namespace, "quote_currency": name if namespace == "fiat" else "fiat:USD", "chain": "off_chain",
        "protocol": "none", "category": "uncategorised", "canonical_instrument": name, "is_stablecoin": False,
        "annualization_days": 365 if namespace == "crypto" else 252, "max_price_age_days": 5,
    }  # fmt: skip
    return Instrument(name, **(settings | more))  # type: ignore[arg-type]


def book(
    portfolios: Sequence[Mapping[str, float]], base: str = "fiat:USD", **attributes: dict[str, object]
) -> Holdings:
    """Portfolios p0, p1, …: instrument -> value; attributes of instruments by id, `:` written as `__`."""
    names = sorted({name for held in portfolios for name in held})
    given = {name.replace("__", ":"): more for name, more in attributes.items()}
    rows = [(place, name, held[name]) for place, held in enumerate(portfolios) for name in sorted(held)]
    return Holdings(
        portfolio_ids=[f"p{place}" for place in range(len(portfolios))],
        base_currency=base,
        usd_rate=1.0,
        instruments=[instrument(name, **given.get(name, {})) for name in names],
        offsets=np.concatenate([[0], np.cumsum([len(held) for held in portfolios])]).astype(np.int64),
        members=np.array([names.index(name) for _, name, _ in rows], dtype=np.int64),
        values=np.array([value for _, _, value in rows], dtype=np.float64),
        unpriced=np.zeros(len(portfolios), dtype=np.int64),
    )


def history(holdings: Holdings, returns: Floats, first_day: int = 18000, problems: Mapping[str, str] = {}) -> Histories:
    """(n, days) returns in the order of the instruments; the base currency's own are not read."""
    names = [item.instrument_id for item in holdings.instruments]
    return Histories(
        first_day=first_day,
        returns=np.asarray(returns, dtype=np.float64),
        problems=[problems.get(name, "") for name in names],
        is_base=np.array([name == holdings.base_currency for name in names]),
    )
