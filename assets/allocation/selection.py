"""Which instruments to hold where their number or their least weight is limited: branch and bound, with its gap.

Belongs here: the search over instruments in and out. Must not be here: the convex problems at its nodes (relaxation),
the annealed search (annealing).

At a node some instruments are in (they weigh at least `holding`), some out (0 where `has_gap`, else uncounted), and the
rest is free between 0 and its bound. The convex optimum there, with at least `min_assets` weakened to rows (cuts) and
at most `max_assets` to a row on the sum of weights, bounds what is below the node. The node of best bound comes first,
and of equal ones the older. It ends when no bound is better than the best weights found: these are the optimum. Up to
16 candidates it goes on until then; beyond, it stops after a number of nodes, and the gap says how far at most the
optimum is.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from assets.allocation.cuts import solve_with_cuts
from assets.allocation.model import BoolArray, Constraints, FloatArray, GroupBound, InfeasibleError, UnsolvedError

SMALL_UNIVERSE = 16
NODES = 1000
# Nodes that cvxpy solves take 10 to 50 ms each, hundreds of times the compiled solver's.
SLOW_NODES = 200
_ZERO = 1e-9
_CLOSE = 1e-8


class EmptyError(Exception):
    """No weights keep the limits of a node, or none that serve the objective: there is nothing below it."""


@dataclass(frozen=True)
class Relaxed:
    """The convex optimum under some limits: weights (n,), and what is minimised."""

    weights: FloatArray
    value: float


@dataclass(frozen=True)
class Relaxation:
    """Solves the convex problem of a node, or raises EmptyError or UnsolvedError; `is_fast`: within a millisecond."""

    solve: Callable[[Constraints], Relaxed]
    is_fast: bool


@dataclass(frozen=True)
class Selected:
    """The best holdings found.

    `constraints` are convex limits under which the optimum has as many holdings as asked for, `value` is what it
    minimises, `gap` how much better, as a share of `value`, the best selection of all can be at most: 0 when this one
    is it. `nodes` were looked at.
    """

    constraints: Constraints
    value: float
    gap: float
    nodes: int


@dataclass(frozen=True, order=True)
class _Node:
    bound: float
    number: int
    inside: tuple[int, ...]
    outside: tuple[int, ...]


def select(relaxation: Relaxation, constraints: Constraints, allowed: BoolArray | None = None) -> Selected:
    """The holdings of least objective.

    Args:
        relaxation: of the objective.
        constraints: with `min_assets`, `max_assets`, `holding` and `has_gap`.
        allowed: (n,) bool, instruments that may be held; None: all. Only with `has_gap`.

    Raises:
        InfeasibleError: no selection keeps the limits.
        UnsolvedError: none was found before the search had to stop.
    """
    search = _Search(relaxation, constraints)
    size = len(constraints.labels)
    outside = () if allowed is None else tuple(np.flatnonzero(~allowed).tolist())
    limit = NODES if relaxation.is_fast else SLOW_NODES
    if relaxation.is_fast and size - len(outside) <= SMALL_UNIVERSE:
        limit = 2 ** (size + 1)
    search.push(-np.inf, (), outside)
    while search.waiting and search.nodes < limit and search.waiting[0].bound < search.target():
        search.visit(heapq.heappop(search.waiting))
    return search.result()


class _Search:
    """The nodes waiting, and the best found so far."""

    def __init__(self, relaxation: Relaxation, constraints: Constraints) -> None:
        self.relaxation = relaxation
        self.constraints = constraints
        self.waiting: list[_Node] = []
        self.best: Selected | None = None
        self.nodes = 0
        self.lost = np.inf  # the least bound of a node that no solver could solve
        self.numbers = 0
        self.tried: set[tuple[int, ...]] = set()

    def push(self, bound: float, inside: tuple[int, ...], outside: tuple[int, ...]) -> None:
        self.numbers += 1
        heapq.heappush(self.waiting, _Node(bound, self.numbers, inside, outside))

    def target(self) -> float:
        """A bound from here on cannot lead to anything better."""
        return np.inf if self.best is None else self.best.value - _CLOSE * abs(self.best.value)

    def visit(self, node: _Node) -> None:
        self.nodes += 1
        inside, outside = self._closed(node)
        free = ~inside & ~outside
        if (~outside).sum() < self.constraints.min_assets:
            return
        relaxed = self._relaxed(inside, outside, node.bound)
        if relaxed is None or relaxed.value >= self.target():
            return
        weights = relaxed.weights
        at = self._branch(weights, free)
        if at is None:
            self._keep(weights, relaxed.value)
            return
        self._round(weights, outside)
        if relaxed.value < self.target():
            bound = max(relaxed.value, node.bound)
            self.push(bound, (*np.flatnonzero(inside).tolist(), at), tuple(np.flatnonzero(outside).tolist()))
            self.push(bound, tuple(np.flatnonzero(inside).tolist()), (*np.flatnonzero(outside).tolist(), at))

    def result(self) -> Selected:
        if self.best is None and not self.waiting and self.lost == np.inf:
            limits = self.constraints
            most = "" if limits.max_assets is None else f" and at most {limits.max_assets}"
            sold = "" if limits.turnover is None else f" and max_turnover {limits.turnover.limit:g}"
            raise InfeasibleError(
                f"no weights keep all limits with at least {limits.min_assets}{most} holdings of at least "
                f"{limits.holding:g}{sold}: loosen one"
            )
        if self.best is None:
            raise UnsolvedError(f"no selection of holdings found in {self.nodes} nodes")
        left = min(self.lost, self.waiting[0].bound if self.waiting else np.inf)
        gap = max(self.best.value - left, 0.0) / max(abs(self.best.value), _ZERO) if left < self.target() else 0.0
        return replace(self.best, gap=gap, nodes=self.nodes)

    def _closed(self, node: _Node) -> tuple[BoolArray, BoolArray]:
        """Masks (n,) of what is in and out, with what follows from the numbers."""
        size = len(self.constraints.labels)
        inside, outside = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
        inside[list(node.inside)] = True
        outside[list(node.outside)] = True
        if (~outside).sum() == self.constraints.min_assets:
            inside = ~outside
        if self.constraints.max_assets is not None and inside.sum() >= self.constraints.max_assets:
            outside = ~inside
        return inside, outside

    def _relaxed(self, inside: BoolArray, outside: BoolArray, bound: float) -> Relaxed | None:
        try:
            limits = self._limits(inside, outside)
            relaxed, _ = solve_with_cuts(self.relaxation.solve, lambda found: found.weights, limits, ~outside)
        except EmptyError:
            return None
        except UnsolvedError:
            self.lost = min(self.lost, bound)
            return None
        return relaxed

    def _limits(self, inside: BoolArray, outside: BoolArray) -> Constraints:
        limits = self.constraints
        lower = np.where(inside, np.maximum(limits.lower, limits.holding), limits.lower)
        upper = np.where(outside, 0.0, limits.upper) if limits.has_gap else limits.upper
        groups = limits.groups
        free = ~inside & ~outside
        if limits.max_assets is not None and free.any():
            room = float(upper[free].max()) * (limits.max_assets - int(inside.sum()))
            groups = (*groups, GroupBound("max_assets", free, 0.0, max(room, 0.0)))
        return replace(limits, lower=lower, upper=upper, groups=groups)

    def _branch(self, weights: FloatArray, free: BoolArray) -> int | None:
        """The free instrument to decide on next; None where the weights already keep the numbers."""
        limits = self.constraints
        close = limits.holding * (1.0 - _CLOSE)
        small = free & (weights < close)
        if limits.has_gap:
            between = small & (weights > _ZERO)
            if between.any():
                distance = np.where(between, np.minimum(weights, limits.holding - weights), -1.0)
                return int(distance.argmax())
        if (weights >= close).sum() < limits.min_assets:
            return int(np.where(small, weights, -1.0).argmax())
        held = weights > _ZERO
        if limits.max_assets is not None and held.sum() > limits.max_assets:
            return int(np.where(free & held, weights, np.inf).argmin())
        return None

    def _round(self, weights: FloatArray, outside: BoolArray) -> None:
        """Try the largest weights of a relaxed optimum as the holdings."""
        limits = self.constraints
        wanted = int((weights >= limits.holding / 2).sum())
        wanted = max(wanted if limits.has_gap else 0, limits.min_assets, 1)
        if limits.max_assets is not None:
            wanted = min(wanted, limits.max_assets)
        order = np.lexsort((np.arange(len(weights)), -np.where(outside, -1.0, weights)))
        chosen = tuple(sorted(order[:wanted].tolist()))
        if chosen in self.tried:
            return
        self.tried.add(chosen)
        inside = np.zeros(len(weights), dtype=bool)
        inside[list(chosen)] = True
        relaxed = self._relaxed(inside, ~inside, np.inf)
        if relaxed is not None and relaxed.value < self.target():
            self._keep(relaxed.weights, relaxed.value)

    def _keep(self, weights: FloatArray, value: float) -> None:
        limits = self.constraints
        held = weights >= limits.holding * (1.0 - _CLOSE)
        if not limits.has_gap:
            # the others stay free: the largest `min_assets` carry the promise
            order = np.lexsort((np.arange(len(weights)), -weights))
            held = np.zeros(len(weights), dtype=bool)
            held[order[: limits.min_assets]] = True
        lower = np.where(held, np.maximum(limits.lower, limits.holding), limits.lower)
        upper = np.where(held, limits.upper, 0.0) if limits.has_gap else limits.upper
        self.best = Selected(replace(limits, lower=lower, upper=upper), value, np.inf, self.nodes)
