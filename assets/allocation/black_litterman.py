"""Black and Litterman's posterior: the policy's expected returns with a person's views blended in.

Belongs here: which views count, and the posterior by PyPortfolioOpt 1.6.0. Must not be here: what is optimised with it.

The prior is the policy's expected returns; confidences are Idzorek's (0.5 is He and Litterman's default).
"""

from collections.abc import Sequence

import numpy as np

from assets.allocation.estimates import Estimates, make_estimates
from assets.allocation.model import UnsolvedError, View

TAU = 0.05


def with_views(estimates: Estimates, views: Sequence[View]) -> tuple[Estimates, tuple[str, ...]]:
    """Black-Litterman's posterior estimates, and why a view was left out, if any was.

    The prior is the policy's expected returns. A view on an instrument that is not among the labels is left out.

    Raises:
        UnsolvedError: no view is left.
    """
    from pypfopt import BlackLittermanModel

    position = {label: i for i, label in enumerate(estimates.labels)}
    picks, expected, confidences, left_out = [], [], [], []
    for view in views:
        missing = [name for name in (view.instrument, view.over) if name is not None and name not in position]
        if missing:
            left_out.append(f"view on {view.instrument} left out: {', '.join(missing)} not in the universe")
            continue
        pick = np.zeros(len(position))
        pick[position[view.instrument]] = 1.0
        if view.over is not None:
            pick[position[view.over]] = -1.0
        picks.append(pick)
        expected.append(view.expected_return)
        confidences.append(view.confidence)
    if not picks:
        raise UnsolvedError("; ".join(left_out) or "black_litterman without a view")
    model = BlackLittermanModel(
        estimates.covariance,
        pi=estimates.expected_returns,
        P=np.array(picks),
        Q=np.array(expected),
        omega="idzorek",
        view_confidences=np.array(confidences).reshape(-1, 1),
        tau=TAU,
    )
    posterior = make_estimates(
        estimates.labels,
        model.bl_returns().to_numpy(dtype=np.float64),
        model.bl_cov().to_numpy(dtype=np.float64),
        estimates.returns,
        estimates.frequency,
        estimates.is_repaired,
    )
    return posterior, tuple(left_out)
