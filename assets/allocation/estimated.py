"""Portfolios of one panel and one pair of estimators, with the estimates that each takes its part of.

Belongs here: what they share and what is one portfolio's own. Must not be here: solving, SQL.
"""

from collections.abc import Sequence

import numpy as np

from assets.allocation.answers import InputsUsed, Job
from assets.allocation.estimates import Estimates, estimate_of
from assets.allocation.inputs import Panel, Universe, condition, eigenvalues
from assets.allocation.model import FloatArray
from assets.allocation.population import moments


class Estimated:
    """Estimates of a panel; arrays by portfolio, those `as members` by portfolio and instrument.

    Attributes:
        offsets: (portfolios + 1,) members of portfolio j are members[offsets[j]:offsets[j + 1]].
        members: places in the panel.
        covariance: (N, N) a year, before shrinkage; a portfolio's own is kept x covariance + added x identity.
        means: (N,) expected returns a year; None: each portfolio has its own (capm).
        smallest: (portfolios,) smallest eigenvalue of the own covariance; `condition` likewise, infinite if singular.
    """

    def __init__(self, panel: Panel, members: Sequence[tuple[Job, Universe]]) -> None:
        policy = members[0][0].policy
        self.panel = panel
        self.jobs = [job for job, _ in members]
        self.universes = [universe for _, universe in members]
        places = [panel.members(universe) for universe in self.universes]
        self.offsets = np.concatenate([[0], np.cumsum([len(own) for own in places])]).astype(np.int64)
        self.members = np.concatenate(places)
        frequency = panel.aligned.frequency
        self.found = panel.covariances(policy.covariance)
        self.kept, self.added = moments.shrink_population(self.found, self.offsets, self.members)
        self.covariance = self.found.matrix * frequency
        self.added = self.added * frequency
        self.means: FloatArray | None = None
        if policy.expected_returns != "capm":
            self.means = moments.expected_returns(panel.by_asset, policy.expected_returns, frequency)
        smallest, largest = eigenvalues(self.covariance, self.kept, self.added, self.offsets, self.members)
        self.smallest = smallest
        self.condition = condition(smallest, largest, np.diff(self.offsets))

    def estimates(self, place: int) -> Estimates:
        """Those of one portfolio, as `estimates.estimate` makes them.

        Raises:
            EstimationError: an estimate is not finite, or an instrument has no variance.
        """
        aligned = self.panel.part(self.universes[place], self.own(place))
        job, own = self.jobs[place], self.own(place)
        means = self.means[own] if self.means is not None else moments.expected_returns(
            np.ascontiguousarray(aligned.returns.T), job.policy.expected_returns, aligned.frequency, job.risk_free_rate
        )  # fmt: skip
        matrix = self.kept[place] * self.covariance[np.ix_(own, own)] + self.added[place] * np.eye(len(own))
        return estimate_of(aligned, means, matrix)

    def own(self, place: int) -> np.ndarray:
        """(n,) the places of one portfolio's instruments in the panel."""
        return self.members[self.offsets[place] : self.offsets[place + 1]]

    def inputs_used(self, place: int) -> InputsUsed:
        """What one portfolio's answer is made from."""
        job, universe, own = self.jobs[place], self.universes[place], self.own(place)
        policy = job.policy
        rate = job.risk_free_rate if policy.expected_returns == "capm" else None
        aligned = self.panel.aligned
        return InputsUsed(
            self.panel.version(universe, own.tolist(), (policy.expected_returns, policy.covariance, rate)),
            policy,
            universe.labels,
            universe.exclusions,
            aligned.frequency,
            aligned.dates[0],
            aligned.dates[-1],
            len(aligned.dates),
            float(self.condition[place]),
            float(self.smallest[place]),
            self.panel.missing_share(own),
            is_repaired=False,
        )
