"""How fast the risk of a population is measured, on one core.

`OPENBLAS_NUM_THREADS=1 python -m benchmarks.risk [portfolios]`

Belongs here: a made universe of 500 coins, portfolios of about ten drawn from it, 730 days; gains, four methods, two
horizons, two confidences, parts by holding, eight scenarios, the rows as they are handed to COPY. Nothing is read or
written.
"""

import sys
import time

import numpy as np

from assets.risk.measures import measure
from assets.risk.model import Histories, Holdings, Instrument
from assets.risk.returns import gains, returns_by_horizon
from assets.risk.risk_rows import contribution_frame, risk_frame
from assets.risk.scenarios import Scenario
from assets.risk.store import CHUNK
from assets.risk.stress_rows import stress_frame

UNIVERSE, DAYS = 500, 731
SHARED = ("crypto", "fiat:USD", "off_chain", "none", "uncategorised")


def make_population(portfolios: int, rng: np.random.Generator) -> tuple[Holdings, Histories]:
    """Portfolios of 5 to 15 coins, one in ten of them owed."""
    names = [f"crypto:{number:03d}" for number in range(UNIVERSE)]
    sizes = rng.integers(5, 16, portfolios)
    members = np.concatenate([np.sort(rng.choice(UNIVERSE, size, replace=False)) for size in sizes])
    values = rng.uniform(10, 1000, len(members)) * np.where(rng.random(len(members)) < 0.1, -1, 1)
    holdings = Holdings(
        portfolio_ids=[f"p{number}" for number in range(portfolios)],
        base_currency="fiat:USD",
        usd_rate=1.0,
        instruments=[Instrument(name, *SHARED, name, False, 365, 2) for name in names],
        offsets=np.concatenate([[0], np.cumsum(sizes)]),
        members=members,
        values=values,
        unpriced=np.zeros(portfolios, dtype=np.int64),
    )
    returns = np.tanh(0.03 * rng.standard_t(4, (UNIVERSE, DAYS)) + rng.normal(0, 0.02, DAYS))
    return holdings, Histories(18000, returns, [""] * UNIVERSE, np.zeros(UNIVERSE, dtype=bool))


def main(portfolios: int = 10_000) -> None:
    """Print the processor time of each part."""
    rng = np.random.default_rng(1)
    holdings, histories = make_population(portfolios, rng)
    scenarios = [Scenario(f"s{number}", "shock", "made", rng.uniform(-0.5, 0.1, UNIVERSE)) for number in range(8)]
    days, returns = returns_by_horizon(histories, is_daily=True)
    spent = dict.fromkeys(("gains", "measures", "rows of risk", "rows of parts", "stress"), 0.0)
    for start in range(0, portfolios, CHUNK):
        part = holdings.chosen(np.arange(start, min(start + CHUNK, portfolios)))
        marks = [time.process_time()]
        found = gains(part, histories, days, returns)
        marks.append(time.process_time())
        measured = measure(part, found, list(range(start, start + len(part.portfolio_ids))))
        marks.append(time.process_time())
        risk_frame(part, found, measured)
        marks.append(time.process_time())
        contribution_frame(part, found, measured)
        marks.append(time.process_time())
        stress_frame(part, scenarios, measured)
        marks.append(time.process_time())
        for name, seconds in zip(spent, np.diff(marks), strict=True):
            spent[name] += seconds
    for name, seconds in {**spent, "all": sum(spent.values())}.items():
        print(f"{name:15} {seconds:6.2f} s for {portfolios:,} portfolios")


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:]))
