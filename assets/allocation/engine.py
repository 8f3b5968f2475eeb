"""From portfolios with policies to proven answers: estimates once for all that share them, then one of two solvers.

Belongs here: which portfolios go to the compiled solver together, what becomes of those it refuses, and which of them
PyPortfolioOpt solves again. Must not be here: SQL, rows, how one portfolio is optimised and falls back (optimiser), the
compiled solvers (batch, population).

An answer depends on its own portfolio alone: not on the others of the run, their order, or the shard they are in.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter

import numpy as np

from assets.allocation.answers import BLOCK_BOOTSTRAP, Answer, Attributes, InputsUsed, Job
from assets.allocation.batch import Batch
from assets.allocation.estimated import Estimated
from assets.allocation.frontier import Frontier, efficient_frontier
from assets.allocation.held import current_weights, liquidity
from assets.allocation.inputs import Histories, Universe
from assets.allocation.model import AllocationError, AllocationPolicy, EstimationError, FloatArray, make_constraints
from assets.allocation.optimiser import Figures, Outcome, optimise
from assets.allocation.population.bootstrap import sharpe_deviations
from assets.allocation.population.optimum import OBJECTIVES
from assets.allocation.weight_intervals import weight_interval
from assets.collecting import collecting_by_hand, collecting_by_itself

#: what the compiled solvers read of a policy; anything else that is set takes the portfolio to PyPortfolioOpt
COMPILED_FIELDS = frozenset({
    "objective", "universe", "target", "min_weight", "max_weight", "min_assets", "lookback_days", "expected_returns",
    "covariance", "group_limits", "rebalance_band", "confidence", "views", "weight_intervals",
})  # fmt: skip
_OTHERS = [item for item in fields(AllocationPolicy) if item.name not in COMPILED_FIELDS]
_DEFAULTS = tuple(item.default for item in _OTHERS)
_others_of = attrgetter(*[item.name for item in _OTHERS])
COMPILED_OBJECTIVES = frozenset({*OBJECTIVES, "hrp"})
SAMPLE = 8


def is_compiled(policy: AllocationPolicy) -> bool:
    """Whether the compiled solvers know the objective and everything that the policy asks."""
    if policy.objective not in COMPILED_OBJECTIVES or policy.expected_returns == "capm":
        return False
    return bool(_others_of(policy) == _DEFAULTS)


def sample_of(jobs: Iterable[tuple[str, AllocationPolicy]]) -> frozenset[str]:
    """The portfolios that PyPortfolioOpt solves again: those of a run whose ids have the lowest hashes."""
    known = (portfolio_id for portfolio_id, policy in jobs if is_compiled(policy))
    return frozenset(sorted(known, key=lambda name: hashlib.sha256(name.encode()).digest())[:SAMPLE])


@collecting_by_hand()
def answer(
    jobs: Sequence[Job], histories: Histories, attributes: Attributes, sample: frozenset[str]
) -> dict[str, Answer]:
    """Answers by portfolio.

    Args:
        jobs: any portfolios of one base currency.
        histories: of all candidates.
        attributes: of all candidates, for group limits.
        sample: portfolios that PyPortfolioOpt solves again.
    """
    answers, estimated = _estimated(jobs, histories)
    for shared in estimated:
        answers |= _answers(shared, attributes, sample)
    return answers


def _estimated(jobs: Sequence[Job], histories: Histories) -> tuple[dict[str, Answer], list[Estimated]]:
    """The answers of portfolios without estimates, and the others, those with the same panel and methods together."""
    answers: dict[str, Answer] = {}
    estimated: list[Estimated] = []
    panels: dict[tuple[object, ...], list[tuple[Job, Universe]]] = defaultdict(list)
    for job in jobs:
        try:
            universe = histories.universe(job.candidates, job.policy.lookback_days)
        except EstimationError as error:
            answers[job.portfolio_id] = Answer(Outcome("failed", str(error)))
            continue
        panels[universe.panel].append((job, universe))
    for members in panels.values():
        try:
            panel = histories.panel([universe for _, universe in members])
        except EstimationError:
            for job, universe in members:
                answers[job.portfolio_id] = _without_panel(histories, universe)
            continue
        methods: dict[tuple[str, str], list[tuple[Job, Universe]]] = defaultdict(list)
        for job, universe in members:
            methods[job.policy.expected_returns, job.policy.covariance].append((job, universe))
        estimated += [Estimated(panel, alike) for alike in methods.values()]
    return answers, estimated


def _without_panel(histories: Histories, universe: Universe) -> Answer:
    try:
        histories.panel([universe])
    except EstimationError as error:
        return Answer(Outcome("failed", str(error)), exclusions=universe.exclusions)
    raise AssertionError("a part of a panel without common days has common days")


def _answers(shared: Estimated, attributes: Attributes, sample: frozenset[str]) -> dict[str, Answer]:
    """By portfolio: the compiled ones first, then what is left, one by one."""
    answers = _compiled(shared, attributes, sample)
    left = [place for place, job in enumerate(shared.jobs) if job.portfolio_id not in answers]
    if left:
        # the models that PyPortfolioOpt makes are circles of objects
        with collecting_by_itself():
            for place in left:
                answers[shared.jobs[place].portfolio_id] = _alone(shared, place, attributes)
    answers |= _with_sharpe_intervals(shared, answers)
    return answers | _with_weight_intervals(shared, answers, attributes)


def _compiled(shared: Estimated, attributes: Attributes, sample: frozenset[str]) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    batches: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place, job in enumerate(shared.jobs):
        if shared.means is not None and np.isfinite(shared.condition[place]) and is_compiled(job.policy):
            batches[job.policy.objective, job.policy.group_limits].append(place)
    for chosen in batches.values():
        answers |= Batch(shared, np.array(chosen), attributes, sample).answers()
    return answers


def _with_sharpe_intervals(shared: Estimated, answers: Mapping[str, Answer]) -> dict[str, Answer]:
    """The answers whose Sharpe ratio has an interval by resampling; the others keep Lo's."""
    found: list[tuple[int, Answer, Figures, FloatArray]] = []
    for place, job in enumerate(shared.jobs):
        one = answers[job.portfolio_id]
        figures, weights = one.outcome.figures, one.outcome.weights
        if figures is not None and figures.sharpe_ratio is not None and weights is not None and one.inputs is not None:
            found.append((place, one, figures, weights))
    if not found:
        return {}
    jobs = [shared.jobs[place] for place, *_ in found]
    deviations = sharpe_deviations(
        shared.panel.by_asset,
        np.concatenate([[0], np.cumsum([len(weights) for *_, weights in found])]),
        np.concatenate([shared.own(place) for place, *_ in found]),
        np.concatenate([weights for *_, weights in found]),
        np.array([job.risk_free_rate for job in jobs]),
        shared.panel.aligned.frequency,
    )
    changed = {}
    for job, (_, one, figures, _), (below, above) in zip(jobs, found, deviations.tolist(), strict=True):
        if math.isfinite(below) and math.isfinite(above) and figures.sharpe_ratio is not None:
            ratio = figures.sharpe_ratio
            wider = Figures(figures.expected_return, figures.volatility, ratio, ratio + below, ratio + above)
            changed[job.portfolio_id] = one._replace(
                outcome=one.outcome._replace(figures=wider), sharpe_interval=BLOCK_BOOTSTRAP
            )
    return changed


def _with_weight_intervals(
    shared: Estimated, answers: Mapping[str, Answer], attributes: Attributes
) -> dict[str, Answer]:
    """The answers of policies that ask how far their weights are known, where the compiled solver knows all of them."""
    changed = {}
    for place, job in enumerate(shared.jobs):
        one = answers[job.portfolio_id]
        is_asked = job.policy.weight_intervals and job.policy.objective in OBJECTIVES and is_compiled(job.policy)
        if not is_asked or one.outcome.status != "optimal" or one.inputs is None:
            continue
        universe = shared.universes[place]
        interval = weight_interval(
            job.policy,
            shared.panel.part(universe, shared.own(place)),
            make_constraints(job.policy, universe.labels, attributes),
            job.risk_free_rate,
        )
        changed[job.portfolio_id] = one._replace(weight_interval=interval)
    return changed


def _alone(shared: Estimated, place: int, attributes: Attributes) -> Answer:
    """One portfolio by PyPortfolioOpt, with its fallbacks."""
    job, universe = shared.jobs[place], shared.universes[place]
    inputs: InputsUsed | None = None
    frontier: Frontier | None = None
    try:
        estimates = shared.estimates(place)
        inputs = shared.inputs_used(place)._replace(
            condition_number=estimates.condition_number,
            smallest_eigenvalue=estimates.smallest_eigenvalue,
            is_repaired=estimates.is_repaired,
        )
        constraints = make_constraints(job.policy, universe.labels, attributes)
        kept = {item.label for item in universe.exclusions}
        outcome = optimise(
            job.policy,
            estimates,
            constraints,
            job.risk_free_rate,
            job.previous,
            current_weights(job.holdings, kept),
            liquidity(job.traded_base, job.holdings, kept),
        )
        if outcome.estimates is not None and outcome.constraints is not None:
            frontier = efficient_frontier(outcome.estimates, outcome.constraints)
    except AllocationError as error:
        outcome = Outcome("failed", str(error))
    return Answer(outcome, frontier, universe.exclusions, inputs)
