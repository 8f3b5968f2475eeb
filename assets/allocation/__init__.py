"""Allocation: target weights by policy, their proof and frontier, and the trades that lead there."""
