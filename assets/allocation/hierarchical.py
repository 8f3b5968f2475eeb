"""Objectives that follow a tree of instruments instead of an optimum: HRP and HERC.

Belongs here: raw weights of both, without limits. Must not be here: limits (objectives projects on them), SQL.

HRP is PyPortfolioOpt's variant (single linkage, bisection by count). HERC is Raffinot's (2018, The Hierarchical Equal
Risk Contribution Portfolio) with the variance as risk, in the reading of Riskfolio-Lib: Ward's linkage of the distances
sqrt((1 - rho) / 2); the tree is cut into clusters; within a cluster weights go as 1 / variance; down the tree each
branch gets the other branch's share of the sum of their clusters' variances.

The number of clusters k maximises W(k + 2) + W(k) - 2 W(k + 1), the two-order difference of the gap statistic (Yue,
Wang and Wei 2009), W(k) being the sum of the clusters' mean distances; k is from 2 to at most max(8, sqrt(n)).
"""

import numpy as np

from assets.allocation.model import FloatArray

MOST_CLUSTERS = 8


def hrp_weights(covariance: FloatArray) -> FloatArray:
    """PyPortfolioOpt's HRP weights (n,) of a covariance (n, n)."""
    import pandas as pd
    from pypfopt import HRPOpt

    if len(covariance) == 1:
        return np.ones(1)  # there is nothing to cluster
    labels = list(range(len(covariance)))
    found = HRPOpt(cov_matrix=pd.DataFrame(covariance, index=labels, columns=labels)).optimize()
    raw = np.array([found[label] for label in labels], dtype=np.float64)
    weights: FloatArray = raw / raw.sum()
    return weights


def herc_weights(covariance: FloatArray, clusters: int | None = None) -> FloatArray:
    """HERC weights (n,) of a covariance (n, n); `clusters` None: by the gap statistic.

    Clusters hold the members of the same branch, so the order of the instruments matters only between equal distances.
    """
    from scipy.cluster.hierarchy import linkage, to_tree
    from scipy.spatial.distance import squareform

    size = len(covariance)
    if size == 1:
        return np.ones(1)
    deviations = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviations, deviations)
    distance = np.sqrt(np.clip((1.0 - correlation) / 2.0, 0.0, 1.0))
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), method="ward")
    count = min(size, clusters) if clusters is not None else cluster_count(distance, tree)
    # the nodes made by the last merges are the branches above the cut: numbers 2n - 2 down to 2n - k
    _, nodes = to_tree(tree, rd=True)
    first_split = 2 * size - count
    weights = np.ones(size)
    for node in nodes[first_split:]:
        left, right = node.get_left(), node.get_right()
        risks = [
            sum(_cluster_variance(covariance, part) for part in _clusters(branch, first_split))
            for branch in (left, right)
        ]
        share = 1.0 - risks[0] / (risks[0] + risks[1])
        weights[left.pre_order()] *= share
        weights[right.pre_order()] *= 1.0 - share
    for cluster in _clusters(nodes[-1], first_split):
        weights[cluster] *= _inverse_variance(covariance, cluster)
    total = weights.sum()
    return np.asarray(weights / total, dtype=np.float64)


def cluster_count(distance: FloatArray, tree: FloatArray) -> int:
    """The number of clusters by the two-order difference of the gap statistic; 2 for fewer than three instruments."""
    from scipy.cluster.hierarchy import cut_tree

    size = len(distance)
    if size <= 2:
        return size
    most = min(size, max(MOST_CLUSTERS, round(size**0.5)))
    cuts = cut_tree(tree, n_clusters=list(range(1, most + 1)))
    spreads = np.array([_mean_distances(distance, cuts[:, k]) for k in range(most)])
    gaps = spreads[2:] + spreads[:-2] - 2.0 * spreads[1:-1]
    # gaps[0] tells of the step from one cluster to two
    return int(np.argmax(gaps)) + 2


def _mean_distances(distance: FloatArray, labels: FloatArray) -> float:
    total = 0.0
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) > 1:
            pairs = distance[np.ix_(members, members)][np.triu_indices(len(members), 1)]
            total += float(pairs.mean())
    return total


def _clusters(node: object, first_split: int) -> list[list[int]]:
    """Members of the clusters below a node: a node that is no split is a cluster."""
    if node.get_id() < first_split:  # type: ignore[attr-defined]
        return [node.pre_order()]  # type: ignore[attr-defined]
    left, right = node.get_left(), node.get_right()  # type: ignore[attr-defined]
    return _clusters(left, first_split) + _clusters(right, first_split)


def _inverse_variance(covariance: FloatArray, members: list[int]) -> FloatArray:
    inverse = 1.0 / np.diag(covariance)[members]
    weights: FloatArray = inverse / inverse.sum()
    return weights


def _cluster_variance(covariance: FloatArray, members: list[int]) -> float:
    weights = _inverse_variance(covariance, members)
    return float(weights @ covariance[np.ix_(members, members)] @ weights)
