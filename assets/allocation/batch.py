"""Portfolios of one objective and one set of group limits, solved by the compiled solvers in one call and proven.

Belongs here: what the solvers are given, what becomes of their answers, the comparison with PyPortfolioOpt. Must not be
here: which portfolios come here (engine), the solvers (population), SQL.
"""

import numpy as np

from assets.allocation.answers import Answer, Attributes, Check, Job
from assets.allocation.estimated import Estimated
from assets.allocation.estimates import Estimates
from assets.allocation.frontier import POINTS, Frontier, frontier_of, group_limits, highest_return
from assets.allocation.model import Constraints, FloatArray, UnsolvedError, make_constraints
from assets.allocation.optimiser import NORMAL_QUANTILE, Figures, Outcome, figures, optimise
from assets.allocation.population import moments
from assets.allocation.population.frontier import Frontiers, trace_frontiers
from assets.allocation.population.hierarchy import hierarchical_risk_parity
from assets.allocation.population.optimum import OPTIMAL, GroupLimits, best_returns, solve_population
from assets.allocation.population.proof import keep_limits

#: statuses of the compiled solver that say what the objective lacks, and not that the solver failed
LACKING = {
    "no_excess_return": "within the limits no portfolio earns more than the risk-free rate",
    "target_out_of_reach": "no weights within the limits reach the target",
}


class Batch:
    """Some portfolios of one objective and one set of group limits, solved in one call."""

    def __init__(self, shared: Estimated, chosen: np.ndarray, attributes: Attributes, sample: frozenset[str]) -> None:
        if shared.means is None:
            raise ValueError("a batch needs expected returns that its portfolios share")
        self.shared, self.means = shared, shared.means
        self.attributes, self.sample = attributes, sample
        self.places = chosen
        self.jobs = [shared.jobs[place] for place in chosen]
        sizes = np.diff(shared.offsets)[chosen]
        self.offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.members = np.concatenate([shared.own(place) for place in chosen])
        self.kept, self.added = shared.kept[chosen], shared.added[chosen]
        self.lower = np.repeat([job.policy.min_weight for job in self.jobs], sizes)
        self.upper = np.repeat([job.policy.max_weight for job in self.jobs], sizes)
        self.rates = np.array([job.risk_free_rate for job in self.jobs])
        limits = make_constraints(self.jobs[0].policy, shared.panel.aligned.labels, attributes)
        self.groups: GroupLimits | None = group_limits(limits)

    def answers(self) -> dict[str, Answer]:
        """By portfolio, those with proven weights alone."""
        objective = self.jobs[0].policy.objective
        found = self._trace_frontiers()
        weights, residuals, statuses = self._solve(objective, found)
        reasons: list[str | None] = [None] * len(self.jobs)
        lacking = np.isin(statuses, list(LACKING))
        if lacking.any():
            # the next of the chain for those that have no such optimum
            other, proof, least = least_volatile(found)
            is_lacking = np.repeat(lacking, np.diff(self.offsets))
            weights, residuals = np.where(is_lacking, other, weights), np.where(lacking, proof, residuals)
            for i in np.flatnonzero(lacking).tolist():
                reasons[i] = f"{LACKING[str(statuses[i])]}; used min_volatility"
            statuses = np.where(lacking, least, statuses)
        min_assets = np.array([job.policy.min_assets for job in self.jobs])
        holding = np.array([job.policy.holding for job in self.jobs])
        proven = (statuses == OPTIMAL) & keep_limits(
            weights, self.offsets, self.members, self.lower, self.upper, self.groups, min_assets, holding
        )
        expected, volatility = moments.figures_of(
            self.shared.covariance, self.means, self.offsets, self.members, weights, self.kept, self.added
        )
        answers = {}
        for i in np.flatnonzero(proven).tolist():
            own = slice(self.offsets[i], self.offsets[i + 1])
            answers[self.jobs[i].portfolio_id] = self._answer(
                i,
                weights[own],
                None if np.isnan(residuals[i]) else float(residuals[i]),
                reasons[i],
                self._figures(i, float(expected[i]), float(volatility[i])),
                self._frontier(i, found),
            )
        return answers

    def _solve(self, objective: str, frontiers: Frontiers) -> tuple[FloatArray, FloatArray, np.ndarray]:
        """Weights (as members), KKT residuals and statuses (portfolios,)."""
        if objective == "min_volatility":
            return least_volatile(frontiers)
        if objective == "hrp":
            parity = hierarchical_risk_parity(
                self.shared.covariance, self.offsets, self.members, kept=self.kept, added=self.added
            )
            return parity.weights, np.full(len(self.jobs), np.nan), parity.status
        found = solve_population(
            self.shared.covariance,
            self.means,
            self.offsets,
            self.members,
            objective,
            lower=self.lower,
            upper=self.upper,
            groups=self.groups,
            risk_free_rate=self.rates,
            targets=np.array([np.nan if job.policy.target is None else job.policy.target for job in self.jobs]),
            kept=self.kept,
            added=self.added,
        )
        return found.weights, found.kkt_residual, found.status

    def _constraints(self, i: int) -> Constraints:
        universe = self.shared.universes[self.places[i]]
        return make_constraints(self.jobs[i].policy, universe.labels, self.attributes)

    def _trace_frontiers(self) -> Frontiers:
        if self.groups is None:
            highest = best_returns(self.means, self.offsets, self.members, self.lower, self.upper)
        else:
            highest = np.array([self._highest_return(i) for i in range(len(self.jobs))])
        return trace_frontiers(
            self.shared.covariance,
            self.means,
            self.offsets,
            self.members,
            POINTS,
            highest=highest,
            lower=self.lower,
            upper=self.upper,
            groups=self.groups,
            kept=self.kept,
            added=self.added,
        )

    def _highest_return(self, i: int) -> float:
        try:
            return highest_return(self.means[self.shared.own(self.places[i])], self._constraints(i))
        except UnsolvedError:
            return np.nan  # no weights keep the limits: the solver says so too

    def _frontier(self, i: int, found: Frontiers) -> Frontier:
        own = slice(self.offsets[i], self.offsets[i + 1])
        return frontier_of(found.expected_return[i], found.volatility[i], found.weights[own], int(found.counts[i]))

    def _figures(self, i: int, expected: float, volatility: float) -> Figures:
        return sharpe_figures(
            expected,
            volatility,
            float(self.rates[i]),
            self.shared.panel.aligned.frequency,
            len(self.shared.panel.aligned.dates),
        )

    def _answer(
        self,
        i: int,
        weights: FloatArray,
        residual: float | None,
        reason: str | None,
        promised: Figures,
        frontier: Frontier,
    ) -> Answer:
        job, place = self.jobs[i], int(self.places[i])
        constraints = self._constraints(i)
        outcome = Outcome(
            "optimal" if reason is None else "fallback",
            reason,
            solver="HRP compiled" if job.policy.objective == "hrp" and reason is None else "compiled",
            weights=weights,
            constraints=constraints,
            kkt_residual=residual,
            figures=promised,
        )
        check = None
        if job.portfolio_id in self.sample and reason is None:
            outcome, check = self._checked(place, outcome)
        return Answer(outcome, frontier, self.shared.universes[place].exclusions, self.shared.inputs_used(place), check)

    def _checked(self, place: int, outcome: Outcome) -> tuple[Outcome, Check | None]:
        """Solve it again with PyPortfolioOpt; where that is better, its weights count, as a fallback."""
        job = self.shared.jobs[place]
        estimates = self.shared.estimates(place)
        constraints = make_constraints(job.policy, estimates.labels, self.attributes)
        theirs = optimise(job.policy, estimates, constraints, job.risk_free_rate, job.previous, is_check=True)
        if theirs.status != "optimal" or theirs.weights is None or outcome.weights is None:
            return outcome, None  # nothing to compare with: the proof stands alone
        check = compare(job, estimates, outcome.weights, theirs.weights)
        if check.agrees:
            return outcome, check
        reason = (
            f"the compiled solver's {check.objective} {check.value:.9g} is worse than PyPortfolioOpt's "
            f"{check.reference:.9g}; used PyPortfolioOpt"
        )
        return theirs._replace(status="fallback", reason=reason), check


def least_volatile(frontiers: Frontiers) -> tuple[FloatArray, FloatArray, np.ndarray]:
    """Weights (as members), KKT residuals and statuses (portfolios,): a frontier begins with the least volatility."""
    return np.ascontiguousarray(frontiers.weights[:, 0]), frontiers.kkt_residual, frontiers.status


def compare(job: Job, estimates: Estimates, ours: FloatArray, theirs: FloatArray) -> Check:
    """Two sets of weights by what the objective wants: `shortfall` is by how much ours are worse."""
    mine, reference = (figures(weights, estimates, job.risk_free_rate) for weights in (ours, theirs))
    name = job.policy.objective
    if name == "hrp":
        distance = float(np.abs(ours - theirs).max())
        return Check(job.portfolio_id, "largest difference of a weight", distance, 0.0, distance)
    if name in ("min_volatility", "efficient_return"):
        shortfall = mine.volatility - reference.volatility
        return Check(job.portfolio_id, "volatility", mine.volatility, reference.volatility, shortfall)
    if name == "efficient_risk":
        shortfall = reference.expected_return - mine.expected_return
        return Check(job.portfolio_id, "expected return", mine.expected_return, reference.expected_return, shortfall)
    best, own = reference.sharpe_ratio or 0.0, mine.sharpe_ratio or 0.0
    return Check(job.portfolio_id, "Sharpe ratio", own, best, best - own)


def sharpe_figures(expected: float, volatility: float, rate: float, periods: int, count: int) -> Figures:
    """Figures with Lo's interval of the Sharpe ratio, as assets.allocation.optimiser makes them."""
    if volatility == 0:
        return Figures(expected, volatility, None, None, None)
    sharpe = (expected - rate) / volatility
    half = NORMAL_QUANTILE * (periods * (1 + sharpe**2 / (2 * periods)) / count) ** 0.5
    return Figures(expected, volatility, sharpe, sharpe - half, sharpe + half)
