"""Equal risk contributions: the portfolio in which each instrument gives the same share of the variance.

Belongs here: Newton's method for the unlimited problem, the convex problem within limits, and the gradient that proves
either. Must not be here: other objectives, which limits there are, SQL.

With C the covariance and n instruments, y that minimises  y'Cy / 2 - sum(log y) / n  has y_i (Cy)_i = 1 / n: all
contributions equal (Maillard, Roncalli and Teiletche 2010; Spinu 2013, An Algorithm for Computing Risk Parity Weights).
Its weights are y / sum(y). Limits on weights are limits on y once they are multiplied by sum(y), which leaves the
problem convex: within limits it is the portfolio of least volatility for its geometric mean weight. There the
contributions of what sits at no limit are no longer exactly equal, and the first-order conditions prove it.
"""

import numpy as np

from assets.allocation.model import Constraints, FloatArray, UnsolvedError
from assets.allocation.verify import problems

_ROUNDS = 200
# the logarithm keeps every weight above 0, unless the limits do not
_HELD = 1e-7
# of the Newton decrement squared: contributions are then equal to 1e-12 of themselves
_CLOSE = 1e-24
# damped steps until the decrement is below this; from there full steps converge quadratically (Spinu 2013, theorem 3.1)
_FULL_STEP = 0.3


def risk_parity(covariance: FloatArray, constraints: Constraints, solver: str, options: dict[str, float]) -> FloatArray:
    """Weights (n,) of equal risk contributions, or of the convex problem within the limits where those break one.

    Args:
        covariance: (n, n) a year, positive variances.
        constraints: on the weights; min_assets is not looked at.
        solver: of cvxpy, for the limited problem.
        options: of that solver.

    Raises:
        UnsolvedError: no solution was found, as where a hedge without risk leaves the contributions undefined.
    """
    weights = equal_contributions(covariance)
    if problems(weights, constraints):
        weights = _limited(covariance, constraints, solver, options)
        if weights.min() < _HELD:
            raise UnsolvedError("risk_parity: the limits leave no room for every instrument")
    return weights


def contributions(weights: FloatArray, covariance: FloatArray) -> FloatArray:
    """Shares (n,) of the variance that each weight brings; they sum to 1."""
    marginal = covariance @ weights
    shares: FloatArray = weights * marginal / (weights @ marginal)
    return shares


def parity_gradient(weights: FloatArray, covariance: FloatArray) -> tuple[FloatArray, float]:
    """Gradient (n,) of  log volatility - mean log weight,  and the scale of its two terms, which cancel."""
    marginal = covariance @ weights
    reward = 1.0 / (len(weights) * weights)
    return marginal / (weights @ marginal) - reward, float(np.linalg.norm(reward))


def equal_contributions(covariance: FloatArray) -> FloatArray:
    """Weights (n,) > 0 of equal risk contributions without any limit, by Newton's method.

    Raises:
        UnsolvedError: it did not converge: some positive mix of the instruments has no risk at all.
    """
    size = len(covariance)
    deviations = np.sqrt(np.diag(covariance))
    # on the correlation all variables are of one size, and y / deviation is the answer on the covariance
    correlation = covariance / np.outer(deviations, deviations)
    point = np.full(size, 1.0 / np.sqrt(max(float(correlation.sum()), np.finfo(np.float64).tiny)))
    for _ in range(_ROUNDS):
        # times n: Spinu's bounds hold for a barrier of sum(log y) itself
        gradient = size * (correlation @ point) - 1.0 / point
        hessian = size * correlation + np.diag(1.0 / point**2)
        try:
            step = np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError as error:
            raise UnsolvedError("risk_parity: the covariance cannot be inverted") from error
        decrement = float(gradient @ step)
        if decrement <= _CLOSE:
            break
        length = float(np.sqrt(decrement))
        point = point - step * (1.0 if length < _FULL_STEP else 1.0 / (1.0 + length))
    else:
        # rounding may keep the decrement above the target: the contributions decide
        if np.abs(contributions(point, correlation) - 1.0 / size).max() > 1e-9 / size:
            raise UnsolvedError("risk_parity: contributions do not become equal; is there a mix without any risk?")
    raw = point / deviations
    weights: FloatArray = raw / raw.sum()
    return weights


def _limited(covariance: FloatArray, constraints: Constraints, solver: str, options: dict[str, float]) -> FloatArray:
    import cvxpy

    size = len(covariance)
    scaled = covariance / np.diag(covariance).mean()
    eigenvalues, vectors = np.linalg.eigh(scaled)
    root = (vectors * np.sqrt(np.clip(eigenvalues, 0.0, None))).T
    y = cvxpy.Variable(size)
    total = cvxpy.sum(y)
    limits = [y >= constraints.lower * total, y <= constraints.upper * total]
    for group in constraints.groups:
        share = group.members.astype(np.float64) @ y
        limits += [share <= group.maximum * total, share >= group.minimum * total]
    objective = cvxpy.sum_squares(root @ y) / 2 - cvxpy.sum(cvxpy.log(y)) / size
    problem = cvxpy.Problem(cvxpy.Minimize(objective), limits)
    problem.solve(solver=solver, **options)
    if y.value is None:
        raise UnsolvedError(f"risk_parity by {solver}: {problem.status}")
    found = np.asarray(y.value, dtype=np.float64)
    weights: FloatArray = found / found.sum()
    return weights
