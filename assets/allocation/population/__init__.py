"""Numerics for whole populations of portfolios: arrays in, arrays out; no SQL, no policies, no publication.

Each subject is a module that checks and shapes arrays, and a `*_kernel` of loops that runs plain or compiled by numba
(see assets.performance.compiled). PyPortfolioOpt stays the public path and the oracle of the tests.
"""
